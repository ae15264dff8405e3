//! Files and folders that nobody but this user can look into.

use std::collections::hash_map::RandomState;
use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::path::Path;

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

/// Puts the whole new text into a file, or leaves the whole old one, whatever happens.
///
/// # Errors
///
/// The system refuses.
pub(crate) fn replace(file: &Path, text: &[u8]) -> io::Result<()> {
    // A name that nobody has, made by this call: what is left of another may be open to others.
    let random = RandomState::new().build_hasher().finish();
    let mut draft = file.as_os_str().to_owned();
    draft.push(format!(".{random:x}.new"));
    let written = (|| {
        let mut open = options().write(true).create_new(true).open(&draft)?;
        open.write_all(text)?;
        open.sync_all()?;
        std::fs::rename(&draft, file)
    })();
    if written.is_err() {
        #[expect(clippy::disallowed_methods, reason = "a draft of this function's own")]
        let _ = std::fs::remove_file(&draft);
    }
    written
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
