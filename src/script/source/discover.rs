//! Which features lie in a folder.

#![allow(clippy::disallowed_methods, reason = "looks at the entries of a features folder")]

use super::read::unreadable;
use crate::diagnostic::Diagnostic;
use std::collections::HashSet;
use std::fs::DirEntry;
use std::io;
use std::path::{Path, PathBuf};

/// What lies in a features folder.
#[derive(Debug, Clone, Default)]
pub struct Discovery {
    /// The files that declare features, sorted: each `NAME.rhai` and each `NAME/main.rhai`.
    pub features: Vec<PathBuf>,
    /// Those of them that the folder itself says are files and no links.
    pub plain: HashSet<PathBuf>,
    /// Entries that look like features and cannot be read. They do not hinder the others.
    pub diagnostics: Vec<Diagnostic>,
}

/// Finds `*.rhai` and `*/main.rhai` in a folder. A folder that does not exist holds nothing;
/// hidden entries are left out, because editors put their own files there.
pub fn discover(folder: &Path) -> Discovery {
    let mut found = Discovery::default();
    match std::fs::metadata(folder) {
        Ok(kind) if kind.is_dir() => entries(folder, &mut found),
        Ok(_) => found.refuse(folder, &io::Error::other("it is not a folder")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (),
        Err(error) => found.refuse(folder, &error),
    }
    found.diagnostics.sort_by(|a, b| a.file.cmp(&b.file));
    found
}

fn entries(folder: &Path, found: &mut Discovery) {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return found.refuse(folder, &error),
    };
    let mut named = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => named.push((entry.file_name(), entry)),
            Err(error) => found.refuse(folder, &error),
        }
    }
    named.retain(|(name, _)| !name.as_encoded_bytes().starts_with(b"."));
    named.sort_by(|(a, _), (b, _)| a.cmp(b));
    named.iter().for_each(|(_, entry)| found.entry(entry));
}

impl Discovery {
    fn entry(&mut self, entry: &DirEntry) {
        let path = entry.path();
        // As a person would name it.
        let path = path.strip_prefix(".").map_or_else(|_| path.clone(), Path::to_owned);
        let is_script = path.extension().is_some_and(|extension| extension == "rhai");
        // The folder says of most what they are; only links have to be followed.
        let is_folder = match entry.file_type() {
            Ok(kind) if !kind.is_symlink() => Ok(kind.is_dir()),
            _ => std::fs::metadata(&path).map(|kind| kind.is_dir()),
        };
        match is_folder {
            Ok(true) => self.folder(&path),
            Ok(false) if is_script => {
                if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                    self.plain.insert(path.clone());
                }
                self.features.push(path);
            }
            Ok(false) => (),
            Err(error) if is_script || is_loop(&error) => self.refuse(&path, &error),
            Err(_) => (),
        }
    }

    fn folder(&mut self, path: &Path) {
        let main = path.join("main.rhai");
        match std::fs::metadata(&main) {
            Ok(_) => self.features.push(main),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // A link that leads nowhere is not the same as no file at all.
                if std::fs::symlink_metadata(&main).is_ok() {
                    self.refuse(&main, &error);
                }
            }
            Err(error) => self.refuse(&main, &error),
        }
    }

    fn refuse(&mut self, path: &Path, error: &io::Error) {
        self.diagnostics.push(unreadable(&path.display().to_string(), error));
    }
}

/// Links that lead to themselves; the kind of this error is not stable yet, its number is.
fn is_loop(error: &io::Error) -> bool {
    error.to_string().contains("symbolic link")
}
