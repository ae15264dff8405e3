//! How the pure host modules work: refusals, payment in small pieces, outputs sized before they
//! exist.
//!
//! Nothing here allocates what the meter has not been asked for, and nothing runs for longer than
//! a few milliseconds without letting the meter look at the clock.

use crate::limit::Limit;
use crate::script::meter;
use crate::script::native::callback;
use crate::script::native::compare::Outcome;
use crate::script::value::{Kind, prefix, type_label};
use rhai::{Array, Dynamic, EvalAltResult, ImmutableString, Position};
use std::ops::Range;

/// Bytes of text handled between two payments.
pub(in crate::script::host) const WINDOW: usize = 64 * 1024;

/// Operations that may be owed before they are paid.
const CREDIT: u64 = 64;

/// What one value in an array takes.
const SLOT: usize = size_of::<Dynamic>();

/// The error of a caller's mistake; scripts can catch it.
#[cold]
pub(in crate::script::host) fn refuse(text: impl Into<String>) -> Box<EvalAltResult> {
    EvalAltResult::ErrorRuntime(text.into().into(), Position::NONE).into()
}

/// A type with its article, as a refusal says it: `an int`, `a map`, `()`.
pub(in crate::script::host) fn a_type(value: &Dynamic) -> String {
    match type_label(value) {
        "()" => "()".to_owned(),
        name if name.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {name}"),
        name => format!("a {name}"),
    }
}

/// Pays for a long loop: each step adds to a small debt, which is paid before it grows.
#[derive(Default)]
pub(in crate::script::host) struct Pace {
    owed: u64,
}

impl Pace {
    /// Owes `operations` more.
    pub(in crate::script::host) fn pay(&mut self, operations: u64) -> Outcome<()> {
        self.owed = self.owed.saturating_add(operations);
        if self.owed < CREDIT {
            return Ok(());
        }
        meter::charge(std::mem::take(&mut self.owed))
    }

    /// Owes one step that touches `bytes` bytes.
    pub(in crate::script::host) fn touch(&mut self, bytes: usize) -> Outcome<()> {
        self.pay(bytes as u64 / 64 + 1)
    }

    /// A copy of `value`; one of a collection is weighed first.
    pub(in crate::script::host) fn copy(&mut self, value: &Dynamic) -> Outcome<Dynamic> {
        match Kind::of(value) {
            Kind::Array | Kind::Map | Kind::Function => callback::copied(value),
            _ => {
                self.pay(1)?;
                Ok(value.clone())
            }
        }
    }

    /// Appends `value`, which the array may have to grow for.
    pub(in crate::script::host) fn push(
        &mut self,
        array: &mut Array,
        value: Dynamic,
    ) -> Outcome<()> {
        self.pay(1)?;
        append(array, value)
    }

    /// Appends `text` as a string of its own.
    pub(in crate::script::host) fn push_text(
        &mut self,
        array: &mut Array,
        text: &str,
    ) -> Outcome<()> {
        if text.len() >= WINDOW {
            meter::reserve(text.len())?;
        }
        self.touch(text.len())?;
        append(array, ImmutableString::from(text).into())
    }

    /// Appends to `output`, which may have to grow for it.
    pub(in crate::script::host) fn write(
        &mut self,
        output: &mut String,
        text: &str,
    ) -> Outcome<()> {
        self.touch(text.len())?;
        let wanted = output.len().saturating_add(text.len());
        if wanted > output.capacity() {
            grow(output, wanted.max(output.capacity().saturating_mul(2)))?;
        }
        output.push_str(text);
        Ok(())
    }

    /// Appends `unit` so often.
    pub(in crate::script::host) fn write_times(
        &mut self,
        output: &mut String,
        unit: &str,
        times: usize,
    ) -> Outcome<()> {
        if unit.is_empty() || times == 0 {
            return Ok(());
        }
        let at_once = (WINDOW / unit.len()).clamp(1, times);
        let block = unit.repeat(at_once);
        for _ in 0..times / at_once {
            self.write(output, &block)?;
        }
        self.write(output, &block[..times % at_once * unit.len()])
    }
}

impl Drop for Pace {
    fn drop(&mut self) {
        // The debt is below the credit; where it is one too many, the next step finds out.
        let _ = meter::charge(self.owed);
    }
}

/// Appends what is paid for.
fn append(array: &mut Array, value: Dynamic) -> Outcome<()> {
    if array.len() == array.capacity() {
        meter::reserve(array.capacity().saturating_mul(2).max(4).saturating_mul(SLOT))?;
    }
    array.push(value);
    Ok(())
}

/// Short texts seen lately: in natural text most words are among them, and a word that is shared
/// takes neither the time nor the memory of an allocation.
pub(super) struct Pool(Vec<Option<ImmutableString>>);

impl Pool {
    /// The longest text that is kept, in bytes.
    const LONGEST: usize = 32;

    /// A pool for the parts of a text; a short one has too few of them to repeat.
    pub(super) fn for_text(text: &str) -> Self {
        let slots = if text.len() < 512 { 0 } else { (text.len() / 8).next_power_of_two() };
        Self(vec![None; slots.min(8192)])
    }

    /// Appends a part of the text to an array.
    pub(super) fn push(&mut self, pace: &mut Pace, array: &mut Array, part: &str) -> Outcome<()> {
        if self.0.is_empty() || part.len() > Self::LONGEST {
            return pace.push_text(array, part);
        }
        pace.pay(1)?;
        // FNV-1a: a collision costs an allocation and nothing else.
        let hash = part
            .bytes()
            .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        let place = (hash ^ (hash >> 16)) as usize & (self.0.len() - 1);
        let kept = match &mut self.0[place] {
            Some(kept) if kept.as_str() == part => kept.clone(),
            slot => slot.insert(part.into()).clone(),
        };
        append(array, kept.into())
    }
}

fn grow(output: &mut String, capacity: usize) -> Outcome<()> {
    meter::reserve(capacity)?;
    output.try_reserve_exact(capacity - output.len()).map_err(|_| meter::kill(Limit::Memory))
}

/// An empty text with room for `bytes` bytes, if they fit.
pub(in crate::script::host) fn output(bytes: usize) -> Outcome<String> {
    let mut text = String::new();
    grow(&mut text, bytes)?;
    Ok(text)
}

/// An empty array with room for `length` values, if they fit.
pub(in crate::script::host) fn array(length: usize) -> Outcome<Array> {
    meter::reserve(length.saturating_mul(SLOT))?;
    let mut array = Array::new();
    array.try_reserve_exact(length).map_err(|_| meter::kill(Limit::Memory))?;
    Ok(array)
}

/// The largest character boundary of `text` that is not above `index`.
pub(in crate::script::host) fn boundary(text: &str, index: usize) -> usize {
    prefix(text, index).len()
}

/// Cuts a text into pieces that are small enough to handle between two payments. Pieces end after
/// white space where there is some near their end.
pub(in crate::script::host) struct Windows<'a>(&'a str);

pub(in crate::script::host) fn windows(text: &str) -> Windows<'_> {
    Windows(text)
}

impl<'a> Iterator for Windows<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let mut end = boundary(self.0, WINDOW);
        if end < self.0.len() {
            let near = boundary(self.0, end - 256);
            if let Some(space) = self.0[near..end].rfind([' ', '\n', '\t']) {
                end = near + space + 1;
            }
        }
        let (window, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(window)
    }
}

/// How many characters `text` has.
pub(in crate::script::host) fn count_chars(text: &str) -> Outcome<usize> {
    let mut count = 0;
    for window in windows(text) {
        meter::charge_bytes(window.len())?;
        count += window.chars().count();
    }
    Ok(count)
}

/// Where the character of that index begins; the end of the text where there are fewer.
pub(in crate::script::host) fn byte_of_char(text: &str, index: usize) -> Outcome<usize> {
    let (mut left, mut start) = (index, 0);
    for window in windows(text) {
        // A character takes at most four bytes.
        meter::charge_bytes(window.len().min(left.saturating_mul(4)))?;
        let mut offsets = window.char_indices();
        if let Some((offset, _)) = offsets.by_ref().nth(left) {
            return Ok(start + offset);
        }
        left -= window.chars().count();
        start += window.len();
    }
    Ok(start)
}

/// The part of a list or text of `length` that `start..end` names: a negative index counts from
/// the end, what lies outside is cut off.
pub(in crate::script::host) fn part(length: usize, start: i64, end: i64) -> Range<usize> {
    let clamp = |index: i64| {
        let distance = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
        if index < 0 { length.saturating_sub(distance) } else { distance.min(length) }
    };
    let start = clamp(start);
    start..clamp(end).max(start)
}

/// A number of things, which cannot be negative.
pub(in crate::script::host) fn amount(function: &str, name: &str, value: i64) -> Outcome<usize> {
    usize::try_from(value).map_err(|_| {
        refuse(format!("{function}: `{name}` is {value}; it counts something, write 0 or more"))
    })
}

/// A number of things of which there must be one at least.
pub(in crate::script::host) fn positive(function: &str, name: &str, value: i64) -> Outcome<usize> {
    match usize::try_from(value) {
        Ok(value) if value > 0 => Ok(value),
        _ => Err(refuse(format!("{function}: `{name}` is {value}; write 1 or more"))),
    }
}

/// A text that may be given as a character as well.
pub(in crate::script::host) fn text_of(
    function: &str,
    name: &str,
    value: &Dynamic,
) -> Outcome<ImmutableString> {
    match Kind::of(value) {
        Kind::Text => {
            value.as_immutable_string_ref().map(|text| text.clone()).map_err(|_| unreadable(name))
        }
        Kind::Char => Ok(character(value.as_char().unwrap_or_default())),
        _ => Err(refuse(format!(
            "{function}: `{name}` is {}; write a text, such as \",\"",
            a_type(value)
        ))),
    }
}

/// A character as a text.
pub(in crate::script::host) fn character(c: char) -> ImmutableString {
    ImmutableString::from(&*c.encode_utf8(&mut [0; 4]))
}

/// As [`text_of`], where an empty text would match everywhere.
pub(in crate::script::host) fn needle(
    function: &str,
    name: &str,
    value: &Dynamic,
) -> Outcome<ImmutableString> {
    let text = text_of(function, name, value)?;
    if text.is_empty() {
        return Err(refuse(format!(
            "{function}: `{name}` is empty; write at least one character, or take the text \
             apart with text::chars"
        )));
    }
    Ok(text)
}

#[cold]
pub(in crate::script::host) fn unreadable(name: &str) -> Box<EvalAltResult> {
    refuse(format!("`{name}` is in use and cannot be read; copy it before the call"))
}

/// `part` as a string of its own.
pub(in crate::script::host) fn copied(part: &str) -> Outcome<ImmutableString> {
    meter::reserve(part.len())?;
    meter::charge_bytes(part.len())?;
    Ok(part.into())
}

/// `part` of `text`: the same string where nothing is missing.
pub(in crate::script::host) fn kept(
    text: &ImmutableString,
    part: &str,
) -> Outcome<ImmutableString> {
    if part.len() == text.len() { Ok(text.clone()) } else { copied(part) }
}
