//! One file from the disk, bounded.

#![allow(clippy::disallowed_methods, reason = "the one place that reads a feature's files")]

use super::SourceFile;
use crate::diagnostic::{Diagnostic, Span};
use crate::limit::Limit;
#[cfg(unix)]
use rustix::fs::OFlags;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

/// Why a file was not read.
pub(super) enum ReadError {
    /// It is a folder.
    Folder(Box<Diagnostic>),
    /// Anything else.
    Other(Box<Diagnostic>),
}

impl From<ReadError> for Diagnostic {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Folder(problem) | ReadError::Other(problem) => *problem,
        }
    }
}

/// Reads a file that diagnostics call `name`.
///
/// # Errors
///
/// It cannot be read (`source/unreadable`), is larger than [`Limit::Source`] allows
/// (`limit/source`), or is not UTF-8 (`source/not-utf8`).
pub(super) fn read(path: &Path, name: &str, most: u64) -> Result<SourceFile, ReadError> {
    let other = |problem| ReadError::Other(Box::new(problem));
    let failed = |error: io::Error| {
        let problem = Box::new(unreadable(name, &error));
        match error.kind() {
            io::ErrorKind::IsADirectory => ReadError::Folder(problem),
            _ => ReadError::Other(problem),
        }
    };
    let (file, length) = open(path).map_err(failed)?;
    let mut bytes = Vec::with_capacity(usize::try_from(length.min(most)).unwrap_or(0) + 1);
    file.take(most + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > most {
        return Err(other(too_large(name, most)));
    }
    let text = String::from_utf8(bytes).map_err(|error| other(not_utf8(name, &error)))?;
    Ok(self::file(name, path, &text))
}

/// A file whose text is at hand.
pub(super) fn file(name: &str, path: &Path, text: &str) -> SourceFile {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    SourceFile { name: name.to_owned(), path: path.to_owned(), text: Arc::from(text) }
}

/// Only plain files, with their length: reading a named pipe would wait for a writer.
fn open(path: &Path) -> io::Result<(File, u64)> {
    let mut options = OpenOptions::new();
    options.read(true);
    // Nor does opening one wait.
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = OFlags::NONBLOCK.union(OFlags::NOCTTY);
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or_default());
    }
    let file = options.open(path)?;
    let kind = file.metadata()?;
    if kind.is_file() {
        return Ok((file, kind.len()));
    }
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    Err(io::Error::other("it is not a plain file"))
}

/// What to say of a file or a folder, called `name`, that cannot be read: `source/unreadable`.
pub fn unreadable(name: &str, error: &io::Error) -> Diagnostic {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string().to_lowercase(),
    };
    Diagnostic::operator("source/unreadable", format!("`{name}` cannot be read: {reason}"))
        .in_file(name)
        .help("check that the path is right and that the file may be read")
}

/// `limit/source` for a text that is too large.
pub(super) fn too_large(name: &str, most: u64) -> Diagnostic {
    Diagnostic::author(
        Limit::Source.code(),
        format!("`{name}` has more than {most} bytes, the most that one file may have"),
    )
    .in_file(name)
    .help("move parts of it to another file and `import` that")
}

fn not_utf8(name: &str, error: &std::string::FromUtf8Error) -> Diagnostic {
    let offset = error.utf8_error().valid_up_to();
    let good = String::from_utf8_lossy(&error.as_bytes()[..offset]).into_owned();
    let line = good.matches('\n').count() + 1;
    let column = good.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    let byte = error.as_bytes().get(offset).copied().unwrap_or_default();
    Diagnostic::author(
        "source/not-utf8",
        format!("`{name}` is not UTF-8: byte {offset} is 0x{byte:02x}, which starts no character"),
    )
    .in_file(name)
    .at(Span::new(line, column, 1), "here")
    .help("save the file as UTF-8")
}
