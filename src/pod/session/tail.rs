//! The end of a log file: its last whole line, and what stands behind it.

use super::entry::{GENESIS, check_hash};
use serde::Deserialize;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Where a log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tail {
    /// The number of the last line; 0 before the first.
    pub n: u64,
    /// Its hash.
    pub hash: String,
    /// The bytes up to its end.
    pub end: u64,
}

impl Tail {
    pub fn start() -> Self {
        Self { n: 0, hash: GENESIS.to_owned(), end: 0 }
    }
}

/// Why the end of a log cannot be told.
#[derive(Debug)]
pub(super) enum TailError {
    Io(io::Error),
    /// The last whole line is none of a log, or was changed.
    Damaged,
}

impl From<io::Error> for TailError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The bytes that are read at once, backwards.
const BLOCK: u64 = 16 * 1024;

/// Finds the last whole line of `file`, and how many bytes behind it are not whole.
pub(super) fn find(file: &mut File) -> Result<(Tail, u64), TailError> {
    let length = file.seek(SeekFrom::End(0))?;
    // The end of the file: the last whole line is in it once two line breaks are, or all of it.
    let mut text: Vec<u8> = Vec::new();
    loop {
        let is_all = text.len() as u64 == length;
        let last = text.iter().rposition(|byte| *byte == b'\n');
        let before = last.and_then(|last| text[..last].iter().rposition(|byte| *byte == b'\n'));
        match (last, before) {
            (None, _) if is_all => return Ok((Tail::start(), length)),
            (Some(last), before) if is_all || before.is_some() => {
                let start = before.map_or(0, |before| before + 1);
                let (n, hash) = number_and_hash(&text[start..last]).ok_or(TailError::Damaged)?;
                let behind = (text.len() - last - 1) as u64;
                return Ok((Tail { n, hash, end: length - behind }, behind));
            }
            _ => (),
        }
        let taken = text.len() as u64;
        let block = taken.max(BLOCK).min(length - taken);
        file.seek(SeekFrom::Start(length - taken - block))?;
        let mut more = vec![0; usize::try_from(block).unwrap_or(usize::MAX)];
        file.read_exact(&mut more)?;
        more.append(&mut text);
        text = more;
    }
}

/// The bytes at the start of a file in which its format is told.
const HEAD: u64 = 8 * 1024;

/// The major version of a log's format, as the first of its lines that tells one does. It stands in the
/// first or the second.
pub(super) fn format(file: &mut File) -> io::Result<u32> {
    #[derive(Deserialize)]
    struct Opening {
        format: Option<u32>,
    }
    file.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    (&mut *file).take(HEAD).read_to_end(&mut head)?;
    let lines = head.split(|byte| *byte == b'\n').take(2);
    let formats = lines.filter_map(|line| serde_json::from_slice::<Opening>(line).ok()?.format);
    Ok(formats.into_iter().next().unwrap_or(1))
}

#[derive(Deserialize)]
struct Number {
    n: u64,
}

/// The number and the hash of a line that was not changed.
pub(super) fn number_and_hash(line: &[u8]) -> Option<(u64, String)> {
    let line = std::str::from_utf8(line).ok()?;
    let hash = check_hash(line)?;
    let number: Number = serde_json::from_str(line).ok()?;
    Some((number.n, hash.to_owned()))
}
