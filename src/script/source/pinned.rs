//! The files of a feature as data, so that they can be read again where they no longer lie.

use super::{ImportEdge, SourceFile, SourceTree};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// The texts of a feature's main file and imports, and what each import led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pinned {
    main: File,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    modules: BTreeMap<String, File>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    imports: Vec<ImportEdge>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct File {
    name: String,
    path: String,
    text: String,
}

impl File {
    fn of(file: &SourceFile) -> Self {
        let path = file.path.to_string_lossy().into_owned();
        Self { name: file.name.clone(), path, text: file.text.to_string() }
    }

    fn source(&self) -> SourceFile {
        super::read::file(&self.name, Path::new(&self.path), &self.text)
    }
}

impl SourceTree {
    /// Its texts as data.
    pub fn pinned(&self) -> Pinned {
        let module =
            |(key, file): (&String, &std::sync::Arc<SourceFile>)| (key.clone(), File::of(file));
        Pinned {
            main: File::of(&self.main),
            modules: self.modules.iter().map(module).collect(),
            imports: self.imports.clone(),
        }
    }
}

impl Pinned {
    /// The main file.
    pub(super) fn main(&self) -> SourceFile {
        self.main.source()
    }

    /// The key and the file that an import of `from`, or of the main file, led to.
    pub(super) fn module(&self, from: Option<&str>, path: &str) -> Option<(String, SourceFile)> {
        let is_it = |edge: &&ImportEdge| edge.from.as_deref() == from && edge.path == path;
        let key = &self.imports.iter().find(is_it)?.module;
        Some((key.clone(), self.modules.get(key)?.source()))
    }
}
