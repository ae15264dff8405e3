//! Files and folders that nobody but this user can look into.

use std::collections::hash_map::RandomState;
use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Options that make a file for its owner alone, where they make one.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a folder, and those above it, for their owner alone.
///
/// # Errors
///
/// The system refuses, or something else has the name.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes one folder for its owner alone, where nothing has the name.
///
/// # Errors
///
/// The system refuses, or something has the name.
pub(crate) fn make_new_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Puts the whole new text into a file, or leaves the whole old one, whatever happens.
///
/// # Errors
///
/// The system refuses.
pub(crate) fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    exchange(file, text, |open| open.sync_all())
}

/// As [`replace`], without waiting for the disk: after a power cut there may be any part of the text.
///
/// # Errors
///
/// The system refuses.
pub(crate) fn put(file: &Path, text: &[u8]) -> io::Result<()> {
    exchange(file, text, |_| Ok(()))
}

fn exchange(
    file: &Path,
    text: &[u8],
    settle: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    // A name that nobody has, made by this call: what is left of another may be open to others.
    let random = RandomState::new().build_hasher().finish();
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!(".{random:x}.new"));
    let written = (|| {
        let mut open = options().write(true).create_new(true).open(&draft)?;
        open.write_all(text)?;
        settle(&open)?;
        std::fs::rename(&draft, file)
    })();
    if written.is_err() {
        #[expect(clippy::disallowed_methods, reason = "a draft of this function's own")]
        let _ = std::fs::remove_file(&draft);
    }
    written
}

/// How long to wait for another process that changes a file of the user's, or appends to the log: either
/// takes it milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Locks a file for this process alone, and waits at most so long for others.
///
/// # Errors
///
/// [`io::ErrorKind::TimedOut`] where another still holds it, or the system refuses.
#[expect(clippy::disallowed_methods, reason = "the lock of another process has no condition")]
pub(crate) fn lock(file: &File, patience: Duration) -> io::Result<()> {
    let (until, mut wait) = (Instant::now() + patience, Duration::from_micros(50));
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::Error(reason)) => return Err(reason),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(wait),
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds it"));
            }
        }
        wait = (wait * 2).min(Duration::from_millis(5));
    }
}

/// What tells an open file from another that has its name later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Identity {
    /// That of a file.
    #[cfg(unix)]
    pub fn of(about: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(about.dev(), about.ino())
    }

    /// Elsewhere an open file cannot be moved away.
    #[cfg(not(unix))]
    pub fn of(_: &Metadata) -> Self {
        Self(0, 0)
    }

    /// The length of the file, where it still has that name.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn length_at(self, path: &Path) -> io::Result<Option<u64>> {
        match std::fs::metadata(path) {
            Ok(there) => Ok((Self::of(&there) == self).then_some(there.len())),
            Err(reason) if reason.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(reason) => Err(reason),
        }
    }
}

/// Whether nobody but this user can look into a file.
#[cfg(unix)]
pub(crate) fn is_private(about: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    about.mode() & 0o077 == 0 && about.uid() == rustix::process::geteuid().as_raw()
}

/// Elsewhere that is for the rights of folders to say.
#[cfg(not(unix))]
pub(crate) fn is_private(_: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_another_holds_is_waited_for_and_no_longer() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let other = options().read(true).open(file.path()).expect("it opens again");
        lock(file.as_file(), Duration::ZERO).expect("nobody holds it");
        let refused = lock(&other, Duration::ZERO).expect_err("it is held");
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        file.as_file().unlock().expect("it was held");
        lock(&other, Duration::ZERO).expect("nobody holds it any more");
    }
}
