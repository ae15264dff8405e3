//! Reading: whole texts, lines of them, and what is known of a path.

use super::place::Place;
use super::reach::{COST, Found, LastLink, Reach, Wanted, failed, failed_io};
use crate::diagnostic::Diagnostic;
use crate::feature::capability::FsAccess;
use crate::script::frame::{Native, error, refusal};
use crate::script::meter;
use rhai::{Array, Dynamic, ImmutableString, Map};
use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

/// The longest text that a script can read at once, in bytes.
const MAX_TEXT: usize = 16 << 20;

/// The longest line that `read_lines` gives, in bytes.
const MAX_LINE: usize = 1 << 20;

/// Most lines that `read_lines` gives.
const MOST_LINES: i64 = 100_000;

/// Bytes that are read between two payments.
pub(super) const WINDOW: usize = 64 * 1024;

pub(super) fn read(path: &str) -> Native<ImmutableString> {
    let found = find(path, Wanted::It)?;
    let (mut file, stat) = found.open_file(OFlags::RDONLY)?;
    let place = &found.place;
    let most = bound();
    let size = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if size > most {
        return Err(too_large(place, most));
    }
    // One byte more than it has, so that the end is found without growing.
    meter::reserve(size + 1)?;
    let mut bytes: Vec<u8> = Vec::with_capacity(size + 1);
    loop {
        meter::charge_bytes(WINDOW)?;
        // A file may grow while it is read.
        let wanted = WINDOW.min(most + 1 - bytes.len());
        let before = bytes.len();
        if bytes.capacity() - before < wanted && before > size {
            meter::reserve(bytes.capacity() + wanted)?;
        }
        let part = &mut (&mut file).take(wanted as u64);
        part.read_to_end(&mut bytes).map_err(|error| failed_io(place, &error))?;
        match bytes.len() {
            length if length == before => break,
            length if length > most => return Err(too_large(place, most)),
            _ => (),
        }
    }
    Ok(text(place, bytes, 1)?.into())
}

pub(super) fn read_lines(path: &str, from: i64, count: i64) -> Native<Array> {
    if from < 1 {
        return Err(error(format!("lines are counted from 1, and there is none before {from}")));
    }
    if !(0..=MOST_LINES).contains(&count) {
        return Err(error(format!("{count} lines cannot be read; ask for 0 to 100,000")));
    }
    let found = find(path, Wanted::It)?;
    let (file, _) = found.open_file(OFlags::RDONLY)?;
    let mut lines = Lines { place: &found.place, file: BufReader::with_capacity(WINDOW, file) };
    for _ in 1..from {
        if lines.skip()?.is_none() {
            return Ok(Array::new());
        }
    }
    let (mut result, mut room) = (Array::new(), bound());
    for number in (from..).take(usize::try_from(count).unwrap_or_default()) {
        let Some(line) = lines.next(room.min(MAX_LINE))? else { break };
        room -= line.len().min(room);
        let line = text(&found.place, line, number)?;
        result.push(ImmutableString::from(line).into());
    }
    Ok(result)
}

/// The bytes that a script may read at once: the text is held twice for a moment.
fn bound() -> usize {
    meter::memory_left().map_or(MAX_TEXT, |left| (left / 3).min(MAX_TEXT))
}

struct Lines<'a> {
    place: &'a Place,
    file: BufReader<File>,
}

impl Lines<'_> {
    /// The next line without its end, at most `most` bytes; `None` at the end of the file.
    fn next(&mut self, most: usize) -> Native<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let met = self.line(|part| {
            if line.len() + part.len() > most {
                return Err(());
            }
            line.extend_from_slice(part);
            Ok(())
        })?;
        if met.is_some_and(|kept| kept.is_err()) {
            let message = format!("`{}` has a line of more than {most} bytes", self.place);
            return Err(refusal(Diagnostic::caller("fs/too-large", message)));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Ok(met.map(|_| line))
    }

    fn skip(&mut self) -> Native<Option<()>> {
        Ok(self.line(|_| Ok(()))?.map(|_| ()))
    }

    /// Gives the parts of one line to `keep`, until it has enough.
    fn line(
        &mut self,
        mut keep: impl FnMut(&[u8]) -> Result<(), ()>,
    ) -> Native<Option<Result<(), ()>>> {
        let mut met = false;
        loop {
            let part = self.file.fill_buf().map_err(|error| failed_io(self.place, &error))?;
            if part.is_empty() {
                return Ok(met.then_some(Ok(())));
            }
            met = true;
            let end = part.iter().position(|byte| *byte == b'\n');
            let used = end.unwrap_or(part.len());
            meter::charge_bytes(used)?;
            let kept = keep(&part[..used]);
            self.file.consume(used + usize::from(end.is_some()));
            if kept.is_err() || end.is_some() {
                return Ok(Some(kept));
            }
        }
    }
}

pub(super) fn exists(path: &str) -> Native<bool> {
    Ok(look(path)?.is_some_and(|found| found.stat.is_some()))
}

/// What is at a path; `None` where a folder on the way is not there.
fn look(path: &str) -> Native<Option<Found>> {
    match find(path, Wanted::ItOrBelow) {
        Ok(found) => Ok(Some(found)),
        Err(error) if super::reach::is_not_found(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(super) fn stat(path: &str) -> Native<Map> {
    let found = find(path, Wanted::ItOrBelow)?;
    let Some(stat) = &found.stat else { return Err(failed(&found.place, Errno::NOENT)) };
    let kind = kind(FileType::from_raw_mode(stat.st_mode));
    let size = if kind == "file" { stat.st_size } else { 0 };
    Ok(Map::from([
        ("kind".into(), kind.into()),
        ("size".into(), Dynamic::from_int(size)),
        ("modified".into(), Dynamic::from_int(modified(stat))),
    ]))
}

/// The word for what lies under a name.
pub(super) fn kind(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "file",
        FileType::Directory => "folder",
        FileType::Symlink => "link",
        _ => "special",
    }
}

/// When a file was last written, in milliseconds since 1970.
#[allow(clippy::unnecessary_cast, clippy::cast_possible_wrap, reason = "differs between systems")]
fn modified(stat: &Stat) -> i64 {
    let seconds = stat.st_mtime as i64;
    seconds.saturating_mul(1000).saturating_add(stat.st_mtime_nsec as i64 / 1_000_000)
}

fn find(path: &str, wanted: Wanted) -> Native<Found> {
    meter::charge(COST)?;
    let place = Place::parse(path).map_err(refusal)?;
    Reach::of_call()?.find(&place, FsAccess::Read, wanted, LastLink::Follow)
}

fn too_large(place: &Place, most: usize) -> Box<rhai::EvalAltResult> {
    let message = format!("`{place}` has more than the {most} bytes that can be read at once");
    let help = "read it in parts with `fs::read_lines(path, from, count)`";
    refusal(Diagnostic::caller("fs/too-large", message).help(help))
}

/// Bytes as text; `first` is the number of their first line.
fn text(place: &Place, bytes: Vec<u8>, first: i64) -> Native<String> {
    meter::charge_bytes(bytes.len())?;
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let lines = good.iter().filter(|byte| **byte == b'\n').count();
        let line = first.saturating_add(i64::try_from(lines).unwrap_or(i64::MAX));
        let message = format!("`{place}` is not text in UTF-8, in line {line}");
        refusal(Diagnostic::caller("fs/not-utf8", message))
    })
}
