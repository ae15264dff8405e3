//! This program, as others are told to start it: from any folder, with what their environment may lack.

use std::path::{Path, PathBuf};

/// The running program: as the search path names it, where it does, for the place behind a link may
/// be gone after an update.
///
/// # Errors
///
/// The system does not say, or it is no text.
pub(super) fn path() -> Result<String, String> {
    let unknown = |reason: std::io::Error| format!("where peasy lies is not known: {reason}");
    let running = std::env::current_exe().map_err(unknown)?;
    let real = running.canonicalize().map_err(unknown)?;
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let name = running.file_name().unwrap_or_default();
    let named = std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|file| file.canonicalize().is_ok_and(|file| file == real));
    text(&named.unwrap_or(real))
}

/// A path as it is written down in a file of text.
///
/// # Errors
///
/// It is none.
pub(super) fn text(path: &Path) -> Result<String, String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| format!("`{}` is not UTF-8, as the configuration has to be", path.display()))
}

/// What a program that a desktop starts has none of: what a shell sets, of the variables that say where
/// peasy's folders are.
pub(super) fn variables() -> Vec<(String, String)> {
    let set = ["PEASY_HOME", "PEASY_STATE"].into_iter().filter_map(|name| {
        let value = std::env::var(name).ok().filter(|value| Path::new(value).is_absolute())?;
        Some((name.to_owned(), value))
    });
    set.collect()
}

/// The folder for configuration of another program: where its variable says, or below the home folder.
pub(super) fn folder_of(variable: &str, below_home: &str) -> Option<PathBuf> {
    let folder =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || Some(folder("HOME").or_else(|| folder("USERPROFILE"))?.join(below_home));
    folder(variable).or_else(home)
}
