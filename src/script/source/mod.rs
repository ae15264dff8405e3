//! Sources: the files of one feature, read once and pinned.
//!
//! This is the only part of the script runtime that reads a feature's files. It follows imports
//! inside the feature's own folder and into the embedded library, and nowhere else. It never runs
//! code and never writes.

mod discover;
mod library;
mod load;
mod pinned;
mod read;

pub use discover::{Discovery, discover};
pub(crate) use library::is_library;
pub use library::{std_names, std_source};
pub(crate) use load::{Folders, Loaded, Opened, load, load_pinned, load_text, open};
pub use pinned::Pinned;
pub use read::unreadable;

use crate::diagnostic::Span;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Modules that one feature may import, directly and through others.
pub const MAX_MODULES: usize = 64;

/// One file of Rhai text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The name as a person wrote it; labels of diagnostics point into it.
    pub name: String,
    /// Where it lies; for a file of the embedded library, its import path.
    pub path: PathBuf,
    /// The text, without a byte order mark.
    pub text: Arc<str>,
}

impl SourceFile {
    /// Where the name of a function stands in its head.
    pub(crate) fn head_of(&self, function: &str) -> Option<Span> {
        self.text.lines().enumerate().find_map(|(index, line)| {
            let head = line.trim_start();
            let head = head.strip_prefix("private").map_or(head, str::trim_start);
            let name = head.strip_prefix("fn")?;
            let rest = name.trim_start();
            let after = rest.strip_prefix(function)?;
            let is_head = rest.len() < name.len() && after.trim_start().starts_with('(');
            let column = line[..line.len() - rest.len()].chars().count() + 1;
            is_head.then(|| Span::new(index + 1, column, function.chars().count()))
        })
    }
}

/// One `import`: who imports what, and under which name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportEdge {
    /// The key of the importing module in [`SourceTree::modules`]; `None` is the main file.
    pub from: Option<String>,
    /// The path as the script writes it.
    pub path: String,
    /// The name that calls use.
    pub alias: String,
    /// The key of the imported module in [`SourceTree::modules`].
    pub module: String,
    /// Where the path stands in the importing file.
    pub span: Span,
}

/// The main file of a feature and everything it imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTree {
    /// The file that declares the feature.
    pub main: Arc<SourceFile>,
    /// The transitive closure of imports. The key is the path below the feature's folder without
    /// `.rhai`, or `std/…`: two files that name one module differently share its key.
    pub modules: BTreeMap<String, Arc<SourceFile>>,
    /// Every import, in the order of reading.
    pub imports: Vec<ImportEdge>,
    /// SHA-256 in hexadecimal over the main file and all modules, independent of where they lie.
    pub digest: String,
    /// The feature's own folder, canonical; imports never leave it.
    pub root: PathBuf,
}

impl SourceTree {
    /// The imports of one file, in source order; `None` is the main file.
    pub fn imports_of<'a>(
        &'a self,
        from: Option<&'a str>,
    ) -> impl Iterator<Item = &'a ImportEdge> + 'a {
        self.imports.iter().filter(move |edge| edge.from.as_deref() == from)
    }

    /// The file of a module's key; `None` is the main file.
    pub fn file(&self, module: Option<&str>) -> Option<&Arc<SourceFile>> {
        module.map_or(Some(&self.main), |key| self.modules.get(key))
    }

    /// The text of the file that diagnostics call `name`.
    pub fn text_of(&self, name: &str) -> Option<Arc<str>> {
        std::iter::once(&self.main)
            .chain(self.modules.values())
            .find(|file| file.name == name)
            .map(|file| Arc::clone(&file.text))
    }
}

/// Lengths go in before texts, so that no two trees share a digest by moving a boundary.
fn digest(main: &SourceFile, modules: &BTreeMap<String, Arc<SourceFile>>) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(&main.text);
    for (key, module) in modules {
        add(key);
        add(&module.text);
    }
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    hash.finalize().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Arc<SourceFile> {
        Arc::new(SourceFile { name: String::new(), path: PathBuf::new(), text: text.into() })
    }

    /// What was granted to one text of a feature is not granted to another text of the library.
    #[test]
    fn a_library_that_changes_changes_the_digest() {
        let main = file("import \"std/report\" as report;");
        let with = |text: &str| digest(&main, &BTreeMap::from([("std/report".into(), file(text))]));
        assert_eq!(with("fn a() { 1 }"), with("fn a() { 1 }"));
        assert_ne!(with("fn a() { 1 }"), with("fn a() { 2 }"));
    }
}
