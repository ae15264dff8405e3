//! Measuring and cutting text, so that nothing of a feature is larger than its bound.
//!
//! Nothing here decides what a bound is.

use crate::diagnostic::Diagnostic;
use crate::limit::{Limit, Limits};
use serde::Serialize;
use serde_json::{Number, Value};
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

/// [`json_bytes`] for a value that is JSON already, several times as fast: nothing is written. A
/// value nested deeper than any text that is parsed counts as too large.
pub(crate) fn value_bytes(value: &Value, most: u64) -> Option<u64> {
    let mut bytes = 0;
    add_value(value, MOST_NESTED, most, &mut bytes)?;
    Some(bytes)
}

/// How deeply values may nest; one level more than a parsed text can.
const MOST_NESTED: usize = 129;

fn add_value(value: &Value, depth: usize, most: u64, bytes: &mut u64) -> Option<()> {
    *bytes += match value {
        Value::Null | Value::Bool(true) => 4,
        Value::Bool(false) => 5,
        Value::Number(number) => number_bytes(number)?,
        Value::String(text) => text_bytes(text),
        // The brackets, and a comma between two parts.
        Value::Array(parts) => 2 + (parts.len() as u64).saturating_sub(1),
        // And a colon in each.
        Value::Object(fields) => {
            let colons = fields.len() as u64;
            2 + colons.saturating_sub(1)
                + colons
                + fields.keys().map(|key| text_bytes(key)).sum::<u64>()
        }
    };
    let depth = depth.checked_sub(1)?;
    match value {
        Value::Array(parts) => {
            parts.iter().try_for_each(|part| add_value(part, depth, most, bytes))?;
        }
        Value::Object(fields) => {
            fields.values().try_for_each(|part| add_value(part, depth, most, bytes))?;
        }
        _ => (),
    }
    (*bytes <= most).then_some(())
}

fn number_bytes(number: &Number) -> Option<u64> {
    match number.as_i64() {
        Some(integer) => {
            let digits = u64::from(integer.unsigned_abs().checked_ilog10().unwrap_or(0)) + 1;
            Some(digits + u64::from(integer < 0))
        }
        None => json_bytes(number, u64::MAX),
    }
}

fn text_bytes(text: &str) -> u64 {
    let escapes = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 1,
        byte if byte < b' ' => 5,
        _ => 0,
    };
    2 + text.len() as u64 + text.bytes().map(escapes).sum::<u64>()
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn counting_is_writing(value in any_value()) {
            let written = value.to_string().len() as u64;
            prop_assert_eq!(value_bytes(&value, u64::MAX), Some(written));
            prop_assert_eq!(value_bytes(&value, written), Some(written));
            prop_assert_eq!(value_bytes(&value, written - 1), None);
            prop_assert_eq!(json_bytes(&value, u64::MAX), Some(written));
        }
    }

    #[test]
    fn what_no_text_can_hold_is_too_large() {
        let mut value = json!(1);
        for _ in 0..1_000 {
            value = json!([value]);
        }
        assert_eq!(value_bytes(&value, u64::MAX), None);
    }
}
