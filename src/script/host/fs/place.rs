//! Paths as scripts write them: a root, and plain names below it.
//!
//! What comes out has no `.`, no `..`, no empty name and no control character, so what is held
//! against the grants is what is opened. Nothing here touches the disk.

use crate::diagnostic::Diagnostic;
use crate::feature::capability::PathRoot;
use std::fmt;

/// Most bytes of a path; PATH_MAX of Linux.
const MAX_BYTES: usize = 4096;

/// Most names in a path.
pub(super) const MOST_NAMES: usize = 128;

/// A file or a folder, by its names from a root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub root: PathRoot,
    pub names: Vec<String>,
}

impl Place {
    /// Reads a path and makes it plain.
    ///
    /// # Errors
    ///
    /// It is none (`fs/path`), or leads above its root (`fs/outside`).
    pub fn parse(text: &str) -> Result<Self, Diagnostic> {
        let malformed = |problem: &str| {
            let shown: String = text.chars().take(80).flat_map(char::escape_default).collect();
            Diagnostic::caller("fs/path", format!("`{shown}` is not a path: {problem}"))
                .help("write names with `/` between them, as in `src/main.rs`")
        };
        if text.is_empty() {
            return Err(malformed("it is empty"));
        }
        if text.len() > MAX_BYTES {
            return Err(malformed("it has more than 4,096 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(malformed("it holds a control character"));
        }
        let (root, rest) = match (text.strip_prefix('/'), text.strip_prefix("~/")) {
            (Some(rest), _) => (PathRoot::Absolute, rest),
            (_, Some(rest)) => (PathRoot::Home, rest),
            _ if text == "~" => (PathRoot::Home, ""),
            _ => (PathRoot::Workspace, text),
        };
        let mut names: Vec<String> = Vec::new();
        for name in rest.split('/') {
            match name {
                "" | "." => (),
                ".." if names.pop().is_none() => return Err(above(text)),
                ".." => (),
                name if names.len() == MOST_NAMES => {
                    return Err(malformed(&format!("`{name}` is more than {MOST_NAMES} deep")));
                }
                name => names.push(name.to_owned()),
            }
        }
        Ok(Self { root, names })
    }

    /// The names as globs take them.
    pub fn path(&self) -> String {
        self.names.join("/")
    }

    /// What lies in it under `name`.
    pub fn child(&self, name: &str) -> Self {
        let mut names = self.names.clone();
        names.push(name.to_owned());
        Self { root: self.root, names }
    }
}

fn above(text: &str) -> Diagnostic {
    let message = format!("`{text}` leads out of the folder that it begins at");
    Diagnostic::caller("fs/outside", message)
        .help("a path stays below the workspace, `~/` or `/`, and a grant names it")
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.root, self.names.is_empty()) {
            (PathRoot::Workspace, true) => ".",
            (PathRoot::Workspace, false) => "",
            (PathRoot::Home, true) => "~",
            (PathRoot::Home, false) => "~/",
            (PathRoot::Absolute, _) => "/",
        })?;
        f.write_str(&self.path())
    }
}
