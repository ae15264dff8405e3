//! Puts a new text into a file of the user's: whole or not at all, through links, with its rights kept,
//! and never over a change that somebody else made meanwhile.

#![allow(clippy::disallowed_methods, reason = "writes the file that a command is about")]

use std::collections::hash_map::RandomState;
use std::fs::{self, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The largest file that is read.
const MOST: u64 = 64 << 20;

/// The text of a file; `None` where there is none.
///
/// # Errors
///
/// It cannot be read, is no plain file, is not UTF-8, or is larger than any such file is.
pub(super) fn read(file: &Path) -> io::Result<Option<String>> {
    let kind = match fs::metadata(file) {
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => return Ok(None),
        kind => kind?,
    };
    if !kind.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    let mut text = String::new();
    fs::File::open(file)?.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        return Err(io::Error::other("it is larger than 64 MiB"));
    }
    Ok(Some(text))
}

/// Puts `after` into a file that holds `before`, or makes the file, where `before` is `None`, with the
/// folders that lead to it.
///
/// # Errors
///
/// The system refuses, or the file holds something else by now; it is left as it is.
pub(super) fn replace(file: &Path, before: Option<&str>, after: &str) -> io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder)?;
    }
    let real = behind_links(file)?;
    let draft = draft(&real);
    let written = (|| {
        let mut open = OpenOptions::new().write(true).create_new(true).open(&draft)?;
        if before.is_some() {
            open.set_permissions(fs::metadata(&real)?.permissions())?;
        }
        open.write_all(after.as_bytes())?;
        open.sync_all()?;
        if read(&real)?.as_deref() != before {
            return Err(io::Error::other("another program changed it just now; try again"));
        }
        fs::rename(&draft, &real)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

/// The file that links lead to, there or not: a link stays a link.
fn behind_links(file: &Path) -> io::Result<PathBuf> {
    let mut real = file.to_owned();
    // As many as systems follow.
    for _ in 0..40 {
        let Ok(target) = fs::read_link(&real) else { return Ok(real) };
        real = real.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(io::Error::other("its links lead round in a circle"))
}

/// A name beside the file that nothing has: in the same folder, for a file cannot be moved in one step
/// from one disk to another.
fn draft(real: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(real.file_name().unwrap_or_default());
    name.push(format!(".{:x}.new", RandomState::new().build_hasher().finish()));
    real.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_somebody_else_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("a/b.json");
        replace(&file, None, "one").expect("the folder takes it");
        assert!(replace(&file, None, "two").is_err(), "it is there by now");
        assert!(replace(&file, Some("other"), "two").is_err());
        assert_eq!(read(&file).expect("readable").as_deref(), Some("one"));
        replace(&file, Some("one"), "two").expect("nobody changed it");
        assert_eq!(read(&file).expect("readable").as_deref(), Some("two"));
        let names = fs::read_dir(file.parent().expect("a folder")).expect("readable").count();
        assert_eq!(names, 1, "no draft is left");
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_rights_stay_as_they_are() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "one").expect("the folder takes it");
        fs::set_permissions(&real, PermissionsExt::from_mode(0o640)).expect("it is ours");
        symlink("real", &link).expect("the folder takes it");
        replace(&link, Some("one"), "two").expect("it is ours");
        assert!(link.symlink_metadata().expect("it is there").is_symlink());
        assert_eq!(fs::read_to_string(&real).expect("readable"), "two");
        let mode = fs::metadata(&real).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        let nowhere = folder.path().join("nowhere");
        symlink("made", &nowhere).expect("the folder takes it");
        replace(&nowhere, None, "new").expect("the folder takes it");
        assert_eq!(fs::read_to_string(folder.path().join("made")).expect("readable"), "new");
        symlink("circle", folder.path().join("circle")).expect("the folder takes it");
        assert!(replace(&folder.path().join("circle"), None, "x").is_err());
    }
}
