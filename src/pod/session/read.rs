//! Reading a log: line by line, so that its length makes no difference to memory.
//!
//! What is read here is not checked; [`super::verify()`] does that.

#![expect(clippy::disallowed_methods, reason = "the log owns its folder")]

use super::entry::{Body, Line, hash_of};
use super::log::{BODIES, FILE, LogError, io_error};
use serde_json::Value;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The lines of a log file, as they are.
pub(super) struct RawLines {
    path: PathBuf,
    file: BufReader<File>,
    /// Where the next line begins.
    at: u64,
    line: Vec<u8>,
}

/// One line of the file.
pub(super) struct RawLine<'a> {
    /// Where it begins.
    pub at: u64,
    /// Its text, without the line break.
    pub text: &'a [u8],
    /// Whether it has a line break.
    pub is_whole: bool,
}

impl RawLines {
    /// The lines from the byte `at` on.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn from(folder: &Path, at: u64) -> Result<Self, LogError> {
        let path = folder.join(FILE);
        let open = || {
            let mut file = File::open(&path)?;
            file.seek(SeekFrom::Start(at))?;
            Ok(BufReader::with_capacity(64 * 1024, file))
        };
        let file = open().map_err(io_error(&path, "read"))?;
        Ok(Self { path, file, at, line: Vec::new() })
    }

    /// The next line; `None` at the end of the file.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn next(&mut self) -> Result<Option<RawLine<'_>>, LogError> {
        self.line.clear();
        let read = self.file.read_until(b'\n', &mut self.line);
        let bytes = read.map_err(io_error(&self.path, "read"))?;
        if bytes == 0 {
            return Ok(None);
        }
        let at = self.at;
        self.at += bytes as u64;
        let (text, is_whole) = match self.line.strip_suffix(b"\n") {
            Some(text) => (text, true),
            None => (&self.line[..], false),
        };
        Ok(Some(RawLine { at, text, is_whole }))
    }

    /// The line that begins at the byte `at`, as an entry; `None` where there is none.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn entry_at(&mut self, at: u64) -> Result<Option<Line>, LogError> {
        self.file.seek(SeekFrom::Start(at)).map_err(io_error(&self.path, "read"))?;
        self.at = at;
        let line = self.next()?;
        Ok(line.and_then(|line| serde_json::from_slice(line.text).ok()))
    }
}

/// Every whole line of a log that can be read, one after the other, each with its text.
pub struct Lines(RawLines);

/// Begins to read the log in `folder`.
///
/// # Errors
///
/// There is no such file.
pub fn lines(folder: &Path) -> Result<Lines, LogError> {
    RawLines::from(folder, 0).map(Lines)
}

impl Iterator for Lines {
    type Item = Result<(Line, String), LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let raw = match self.0.next() {
                Ok(raw) => raw?,
                Err(error) => return Some(Err(error)),
            };
            let Ok(text) = std::str::from_utf8(raw.text) else { continue };
            if let Ok(line) = serde_json::from_str(text) {
                return Some(Ok((line, text.to_owned())));
            }
        }
    }
}

/// The value behind a body: that of the line, or of the file beside the log.
///
/// # Errors
///
/// The side file is not there, or is not what was written.
pub fn load(folder: &Path, body: &Body) -> Result<Value, LogError> {
    let (sha256, path) = match body {
        Body::Value(value) | Body::Redacted(value) => return Ok(value.clone()),
        Body::File { sha256, .. } => match is_name(sha256) {
            true => (sha256, folder.join(BODIES).join(sha256)),
            false => return Err(LogError::Damaged(folder.join(BODIES).join("?"))),
        },
    };
    let text = std::fs::read(&path).map_err(io_error(&path, "read"))?;
    let value = serde_json::from_slice(&text).ok().filter(|_| hash_of(&text) == *sha256);
    value.ok_or(LogError::Damaged(path))
}

/// Whether a text is the name of a side file, and no path to another.
pub(super) fn is_name(sha256: &str) -> bool {
    sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The sessions below a state folder's folder of sessions, by name.
///
/// # Errors
///
/// The folder cannot be read; one that is not there holds none.
pub fn sessions(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.path().join(FILE).is_file()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// What a session takes on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Size {
    /// Bytes of the log.
    pub log: u64,
    /// Bytes of the files beside it.
    pub bodies: u64,
    /// When the log was written last, in milliseconds since the Unix epoch.
    pub written: i64,
}

/// The bytes of a log.
pub(super) fn length(folder: &Path) -> io::Result<u64> {
    Ok(std::fs::metadata(folder.join(FILE))?.len())
}

/// Looks at the files of a session.
///
/// # Errors
///
/// They cannot be looked at.
pub fn size(folder: &Path) -> io::Result<Size> {
    let about = std::fs::metadata(folder.join(FILE))?;
    let since = about.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut bodies = 0;
    if let Ok(entries) = std::fs::read_dir(folder.join(BODIES)) {
        for entry in entries {
            bodies += entry?.metadata()?.len();
        }
    }
    let written = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    Ok(Size { log: about.len(), bodies, written })
}
