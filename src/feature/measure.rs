//! Measuring and cutting text, so that nothing of a feature is larger than its bound.
//!
//! Nothing here decides what a bound is.

use crate::diagnostic::Diagnostic;
use crate::limit::{Limit, Limits};
use serde::Serialize;
use std::io;

/// Most bytes of one text in a diagnostic that a feature wrote.
const DIAGNOSTIC_TEXT: usize = 4 * 1024;
/// Most labels, and most lines of help, in a diagnostic that a feature wrote.
const DIAGNOSTIC_PARTS: usize = 16;
/// Most bytes of a diagnostic's code.
const DIAGNOSTIC_CODE: usize = 64;

/// The bytes of `value` as JSON; `None` where there are more than `most`. Keeps no text.
pub(super) fn json_bytes(value: &impl Serialize, most: u64) -> Option<u64> {
    let mut counter = Counter { bytes: 0, most };
    serde_json::to_writer(&mut counter, value).ok()?;
    Some(counter.bytes)
}

struct Counter {
    bytes: u64,
    most: u64,
}

impl io::Write for Counter {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.bytes = self.bytes.saturating_add(piece.len() as u64);
        if self.bytes > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The bytes of `c` within a JSON string, as `serde_json` writes it.
pub(super) fn json_char_bytes(c: char) -> u64 {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8() as u64,
    }
}

/// The longest start of `text` whose characters cost at most `most`.
pub(super) fn prefix(text: &str, most: u64, cost: impl Fn(char) -> u64) -> &str {
    let mut left = most;
    for (index, c) in text.char_indices() {
        match left.checked_sub(cost(c)) {
            Some(rest) => left = rest,
            None => return &text[..index],
        }
    }
    text
}

/// `text` where it has at most `most` bytes, else its start and `note`, together at most that; `None`
/// where not even the note has room.
pub(super) fn cut(text: String, most: u64, note: &str) -> Option<String> {
    if text.len() as u64 <= most {
        return Some(text);
    }
    let room = most.checked_sub(note.len() as u64)?;
    Some(format!("{}{note}", prefix(&text, room, |c| c.len_utf8() as u64)))
}

/// The first `most` bytes of a text that a feature wrote, with a mark where something is missing.
pub(super) fn shortened(text: &str, most: usize) -> String {
    cut(text.to_owned(), most as u64, "…").unwrap_or_default()
}

/// Cuts every text of a diagnostic that a feature wrote to a size people read.
pub(super) fn bound_diagnostic(mut diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.message = shortened(&diagnostic.message, DIAGNOSTIC_TEXT);
    if diagnostic.code.len() > DIAGNOSTIC_CODE {
        diagnostic.code = shortened(&diagnostic.code, DIAGNOSTIC_CODE).into();
    }
    diagnostic.file = diagnostic.file.map(|file| shortened(&file, DIAGNOSTIC_TEXT));
    diagnostic.labels.truncate(DIAGNOSTIC_PARTS);
    for label in &mut diagnostic.labels {
        label.text = shortened(&label.text, DIAGNOSTIC_TEXT);
    }
    diagnostic.help.truncate(DIAGNOSTIC_PARTS);
    for help in &mut diagnostic.help {
        *help = shortened(help, DIAGNOSTIC_TEXT);
    }
    diagnostic
}

/// Cuts each diagnostic, and their number to [`Limit::Diagnostics`]; the last then says how many more
/// there were.
pub(super) fn bound_diagnostics(list: &mut Vec<Diagnostic>, limits: &Limits) {
    let most = usize::try_from(limits.get(Limit::Diagnostics)).unwrap_or(usize::MAX).max(1);
    let more = list.len().saturating_sub(most);
    if more > 0 {
        list.truncate(most - 1);
    }
    for diagnostic in list.iter_mut() {
        let whole = std::mem::replace(diagnostic, Diagnostic::note("", ""));
        *diagnostic = bound_diagnostic(whole);
    }
    if more > 0 {
        let text = format!("{} more diagnostics are not shown", more + 1);
        list.push(Diagnostic::note(Limit::Diagnostics.code(), text));
    }
}
