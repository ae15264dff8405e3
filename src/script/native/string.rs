//! What scripts do with texts and characters.
//!
//! Rhai's own set is not included: `pad` and `replace` build their result before they look at its
//! size, `pad` with an empty text never returns, `split` and `to_chars` turn a byte into seventy,
//! and the functions that count characters collect them all first. Results are the same, except
//! that `pad` refuses an empty filler.

use crate::script::meter;
use crate::script::native::array::{growing, with_room};
use crate::script::native::compare::{Outcome, fail, order_text};
use crate::script::native::display::{Style, TextBuilder, append};
use crate::script::value::prefix;
use rhai::plugin::*;
use rhai::{Array, EvalAltResult, Position};
use std::ops::{Range, RangeInclusive};

/// What an array's piece of text takes beside its bytes: the value, the shared string, headers.
const PIECE: usize = 96;

/// Pieces of padding are pushed in blocks of about this many bytes.
const BLOCK: usize = 4096;

/// Pays for a search, a copy or a count of bytes, several of which go in one step.
fn scanning(bytes: usize) -> Outcome<()> {
    meter::charge_bytes(bytes / 8)
}

/// The part of a text, in bytes, that a start and a count of characters mean. A negative start
/// counts from the end. `None` where the start is behind the end.
fn part(text: &str, start: i64, count: i64) -> Outcome<Option<Range<usize>>> {
    meter::charge_bytes(text.len() / 4)?;
    let Some(start) = offset(text, start) else { return Ok(None) };
    let count = usize::try_from(count.max(0)).unwrap_or(usize::MAX);
    let rest = &text[start..];
    let length = rest.char_indices().nth(count).map_or(rest.len(), |(at, _)| at);
    Ok(Some(start..start + length))
}

/// The byte at which the character of that number begins, negative from the end. `None` at the end
/// and behind it.
fn offset(text: &str, index: i64) -> Option<usize> {
    match usize::try_from(index) {
        Ok(index) => text.char_indices().nth(index).map(|(at, _)| at),
        Err(_) => {
            let back = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
            // More than there are means the first, as in stock Rhai.
            Some(text.char_indices().rev().nth(back - 1).map_or(0, |(at, _)| at))
        }
    }
}

/// The start and the count that a range means.
fn bounds(range: &Range<i64>) -> (i64, i64) {
    let start = range.start.max(0);
    (start, range.end.max(start) - start)
}

fn inclusive_bounds(range: &RangeInclusive<i64>) -> (i64, i64) {
    let start = (*range.start()).max(0);
    let end = (*range.end()).max(start).min(i64::MAX - 1);
    (start, (end - start).saturating_add(1))
}

/// A part of a text as a text of its own.
fn piece(text: &str) -> Outcome<ImmutableString> {
    scanning(text.len())?;
    meter::reserve(text.len() + PIECE)?;
    Ok(text.into())
}

/// Texts as an array, each paid for when it comes.
fn pieces<'t>(texts: impl Iterator<Item = &'t str>) -> Outcome<Array> {
    let mut result = Array::new();
    for text in texts {
        growing(&result, 1)?;
        result.push(piece(text)?.into());
    }
    Ok(result)
}

/// The text itself as the only piece, which costs nothing.
fn whole(string: &ImmutableString) -> Array {
    vec![string.clone().into()]
}

/// How often a text is cut at most; `None` where not at all.
fn cuts(segments: i64) -> Option<usize> {
    (segments > 1).then(|| usize::try_from(segments).unwrap_or(usize::MAX))
}

/// The text with every `find` replaced by `with`. The size of the result is known before it is
/// built, and it takes twice that for a moment: built, then copied into a shared text.
fn replaced(text: &str, find: &str, with: &str) -> Outcome<ImmutableString> {
    meter::charge_bytes(text.len() / 2 + find.len())?;
    let times = text.matches(find).count();
    let added = times.saturating_mul(with.len());
    let size = (text.len() - times * find.len()).saturating_add(added);
    meter::charge(times as u64 / 4)?;
    meter::charge_bytes(size / 4)?;
    meter::reserve(size.saturating_mul(2))?;
    let mut result = String::with_capacity(size);
    let mut behind = 0;
    for (at, found) in text.match_indices(find) {
        result.push_str(&text[behind..at]);
        result.push_str(with);
        behind = at + found.len();
    }
    result.push_str(&text[behind..]);
    Ok(result.into())
}

/// Replaces in place, as the script sees it.
fn replace_in(string: &mut ImmutableString, find: &str, with: &str) -> Outcome<()> {
    if !string.is_empty() {
        *string = replaced(string, find, with)?;
    }
    Ok(())
}

/// Makes a text longer by `filler` until it has `length` characters.
fn pad_with(string: &mut ImmutableString, length: i64, filler: &str) -> Outcome<()> {
    meter::charge_bytes(string.len() / 4 + filler.len())?;
    let length = usize::try_from(length.max(0)).unwrap_or(usize::MAX);
    let missing = length.saturating_sub(string.chars().count());
    if missing == 0 {
        return Ok(());
    }
    let each = filler.chars().count();
    if each == 0 {
        return fail("a text cannot be padded with an empty text; give at least one character");
    }
    let (times, rest) = (missing / each, missing % each);
    let rest = filler.char_indices().nth(rest).map_or(filler, |(at, _)| &filler[..at]);
    let bytes = times.saturating_mul(filler.len()).saturating_add(rest.len());
    meter::reserve(bytes.saturating_add(string.len()))?;
    let mut result = TextBuilder::continuing(string)?;
    let block = filler.repeat((BLOCK / filler.len()).clamp(1, times.max(1)));
    for _ in 0..times / (block.len() / filler.len()) {
        result.push_str(&block)?;
    }
    for _ in 0..times % (block.len() / filler.len()) {
        result.push_str(filler)?;
    }
    result.push_str(rest)?;
    *string = result.finish();
    Ok(())
}

/// The number of the character at or behind `start` where `find` finds its first match, or -1.
fn index_from(text: &str, start: i64, find: impl FnOnce(&str) -> Option<usize>) -> Outcome<i64> {
    meter::charge_bytes(text.len() / 4)?;
    if text.is_empty() {
        return Ok(-1);
    }
    let Some(start) = offset(text, start) else { return Ok(-1) };
    let found = find(&text[start..]).map(|at| text[..start + at].chars().count());
    Ok(found.map_or(-1, |at| i64::try_from(at).unwrap_or(i64::MAX)))
}

/// A text in another case, which may take three times the bytes.
fn in_case(text: &str, change: impl FnOnce(&str) -> String) -> Outcome<ImmutableString> {
    meter::charge_bytes(text.len())?;
    meter::reserve(text.len().saturating_mul(if text.is_ascii() { 2 } else { 6 }))?;
    Ok(change(text).into())
}

/// The only character of a change of case; more than one leaves the character as it was.
fn single(character: char, mut changed: impl Iterator<Item = char>) -> char {
    match (changed.next(), changed.next()) {
        (Some(only), None) => only,
        _ => character,
    }
}

/// The characters of a text one after the other, without a copy of it.
#[derive(Debug, Clone)]
pub(super) struct Chars {
    text: ImmutableString,
    part: Range<usize>,
}

impl Chars {
    /// The characters of a whole text.
    pub(super) fn all(text: ImmutableString) -> Self {
        Self { part: 0..text.len(), text }
    }

    fn new(text: &ImmutableString, start: i64, count: i64) -> Outcome<Self> {
        if start == 0 && count == i64::MAX {
            return Ok(Self::all(text.clone()));
        }
        let part = part(text, start, count)?.unwrap_or(0..0);
        Ok(Self { text: text.clone(), part })
    }
}

impl Iterator for Chars {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let next = self.text[self.part.clone()].chars().next()?;
        self.part.start += next.len_utf8();
        Some(next)
    }
}

/// A number that cannot be read; the text is quoted up to a length.
fn not_a_number<T>(what: &str, text: &str, reason: &str) -> Outcome<T> {
    let start = prefix(text, 60);
    let cut = if start.len() < text.len() { "…" } else { "" };
    Err(EvalAltResult::ErrorArithmetic(
        format!("`{start}{cut}` is not {what}: {reason}"),
        Position::NONE,
    )
    .into())
}

#[export_module]
#[expect(clippy::unwrap_used, reason = "the macro writes `unwrap` where the types are known")]
pub(super) mod natives {
    /// A text and the text of a value.
    #[rhai_fn(name = "+", return_raw, pure)]
    pub fn add_append(string: &mut ImmutableString, item: Dynamic) -> Outcome<ImmutableString> {
        let mut result = TextBuilder::default();
        result.push_str(string)?;
        append(&mut result, &item, Style::Print)?;
        Ok(result.finish())
    }

    /// The text of a value and a text.
    #[rhai_fn(name = "+", return_raw, pure)]
    pub fn add_prepend(item: &mut Dynamic, string: &str) -> Outcome<ImmutableString> {
        let mut result = TextBuilder::default();
        append(&mut result, item, Style::Print)?;
        result.push_str(string)?;
        Ok(result.finish())
    }

    /// Adds the text of a value at the end.
    #[rhai_fn(name = "+=", name = "append", return_raw)]
    pub fn add(string: &mut ImmutableString, item: Dynamic) -> Outcome<()> {
        let mut result = TextBuilder::continuing(string)?;
        let added = append(&mut result, &item, Style::Print);
        *string = result.finish_growing();
        added
    }

    /// A text without any of another.
    #[rhai_fn(name = "-", return_raw, pure)]
    pub fn subtract(string: &mut ImmutableString, other: &str) -> Outcome<ImmutableString> {
        if other.is_empty() { Ok(string.clone()) } else { replaced(string, other, "") }
    }

    /// Whether two texts are the same.
    #[rhai_fn(name = "==", return_raw)]
    pub fn equals(string1: &str, string2: &str) -> Outcome<bool> {
        Ok(string1.len() == string2.len() && order_text(string1, string2)?.is_eq())
    }

    /// Whether two texts differ.
    #[rhai_fn(name = "!=", return_raw)]
    pub fn not_equals(string1: &str, string2: &str) -> Outcome<bool> {
        equals(string1, string2).map(|equal| !equal)
    }

    /// Whether the first text goes before the second.
    #[rhai_fn(name = "<", return_raw)]
    pub fn less(string1: &str, string2: &str) -> Outcome<bool> {
        order_text(string1, string2).map(|order| order.is_lt())
    }

    /// Whether the first text goes before the second or is the same.
    #[rhai_fn(name = "<=", return_raw)]
    pub fn less_or_equal(string1: &str, string2: &str) -> Outcome<bool> {
        order_text(string1, string2).map(|order| order.is_le())
    }

    /// Whether the first text goes behind the second.
    #[rhai_fn(name = ">", return_raw)]
    pub fn greater(string1: &str, string2: &str) -> Outcome<bool> {
        order_text(string1, string2).map(|order| order.is_gt())
    }

    /// Whether the first text goes behind the second or is the same.
    #[rhai_fn(name = ">=", return_raw)]
    pub fn greater_or_equal(string1: &str, string2: &str) -> Outcome<bool> {
        order_text(string1, string2).map(|order| order.is_ge())
    }

    /// The number of characters.
    #[rhai_fn(name = "len", get = "len", return_raw)]
    pub fn len(string: &str) -> Outcome<i64> {
        scanning(string.len())?;
        Ok(i64::try_from(string.chars().count()).unwrap_or(i64::MAX))
    }

    /// Whether there is no character.
    #[rhai_fn(name = "is_empty", get = "is_empty")]
    pub fn is_empty(string: &str) -> bool {
        string.is_empty()
    }

    /// The number of bytes.
    #[rhai_fn(name = "bytes", get = "bytes")]
    pub fn bytes(string: &str) -> i64 {
        i64::try_from(string.len()).unwrap_or(i64::MAX)
    }

    /// Removes every occurrence of a text.
    #[rhai_fn(return_raw)]
    pub fn remove(string: &mut ImmutableString, sub_string: &str) -> Outcome<()> {
        if sub_string.is_empty() { Ok(()) } else { replace_in(string, sub_string, "") }
    }

    /// Removes every occurrence of a character.
    #[rhai_fn(name = "remove", return_raw)]
    pub fn remove_char(string: &mut ImmutableString, character: char) -> Outcome<()> {
        replace_in(string, character.encode_utf8(&mut [0; 4]), "")
    }

    /// Removes all characters.
    pub fn clear(string: &mut ImmutableString) {
        *string = ImmutableString::new();
    }

    /// Removes the characters behind the first `len`.
    #[rhai_fn(return_raw)]
    pub fn truncate(string: &mut ImmutableString, len: i64) -> Outcome<()> {
        if let Some(part) = part(string, 0, len)?
            && part.end < string.len()
        {
            *string = piece(&string[part])?;
        }
        Ok(())
    }

    /// Removes white space at both ends.
    #[rhai_fn(return_raw)]
    pub fn trim(string: &mut ImmutableString) -> Outcome<()> {
        scanning(string.len())?;
        let trimmed = string.trim();
        if trimmed.len() < string.len() {
            *string = piece(trimmed)?;
        }
        Ok(())
    }

    /// Removes the last character and gives it; `()` where there is none.
    #[rhai_fn(return_raw)]
    pub fn pop(string: &mut ImmutableString) -> Outcome<Dynamic> {
        if string.is_empty() {
            return Ok(Dynamic::UNIT);
        }
        if string.strong_count() > 1 {
            *string = piece(string)?;
        }
        Ok(string.make_mut().pop().map_or(Dynamic::UNIT, Dynamic::from_char))
    }

    /// Removes the last `len` characters and gives them.
    #[rhai_fn(name = "pop", return_raw)]
    pub fn pop_string(string: &mut ImmutableString, len: i64) -> Outcome<ImmutableString> {
        if len <= 0 || string.is_empty() {
            return Ok(ImmutableString::new());
        }
        meter::charge_bytes(string.len() / 4)?;
        let at = offset(string, -len).unwrap_or(0);
        let last = piece(&string[at..])?;
        *string = piece(&string[..at])?;
        Ok(last)
    }

    /// The text in upper case.
    #[rhai_fn(return_raw, pure)]
    pub fn to_upper(string: &mut ImmutableString) -> Outcome<ImmutableString> {
        in_case(string, str::to_uppercase)
    }

    /// Turns the text into upper case.
    #[rhai_fn(return_raw)]
    pub fn make_upper(string: &mut ImmutableString) -> Outcome<()> {
        *string = in_case(string, str::to_uppercase)?;
        Ok(())
    }

    /// The text in lower case.
    #[rhai_fn(return_raw, pure)]
    pub fn to_lower(string: &mut ImmutableString) -> Outcome<ImmutableString> {
        in_case(string, str::to_lowercase)
    }

    /// Turns the text into lower case.
    #[rhai_fn(return_raw)]
    pub fn make_lower(string: &mut ImmutableString) -> Outcome<()> {
        *string = in_case(string, str::to_lowercase)?;
        Ok(())
    }

    /// The character in upper case.
    #[rhai_fn(name = "to_upper")]
    pub fn to_upper_char(character: char) -> char {
        single(character, character.to_uppercase())
    }

    /// Turns the character into upper case.
    #[rhai_fn(name = "make_upper")]
    pub fn make_upper_char(character: &mut char) {
        *character = to_upper_char(*character);
    }

    /// The character in lower case.
    #[rhai_fn(name = "to_lower")]
    pub fn to_lower_char(character: char) -> char {
        single(character, character.to_lowercase())
    }

    /// Turns the character into lower case.
    #[rhai_fn(name = "make_lower")]
    pub fn make_lower_char(character: &mut char) {
        *character = to_lower_char(*character);
    }

    /// Whether the text holds another.
    #[rhai_fn(return_raw)]
    pub fn contains(string: &str, match_string: &str) -> Outcome<bool> {
        meter::charge_bytes(string.len() / 4 + match_string.len())?;
        Ok(string.contains(match_string))
    }

    /// Whether the text holds a character.
    #[rhai_fn(name = "contains", return_raw)]
    pub fn contains_char(string: &str, character: char) -> Outcome<bool> {
        scanning(string.len())?;
        Ok(string.contains(character))
    }

    /// Whether the text starts with another.
    #[rhai_fn(return_raw)]
    pub fn starts_with(string: &str, match_string: &str) -> Outcome<bool> {
        scanning(match_string.len())?;
        Ok(string.starts_with(match_string))
    }

    /// Whether the text starts with a character.
    #[rhai_fn(name = "starts_with")]
    pub fn starts_with_char(string: &str, character: char) -> bool {
        string.starts_with(character)
    }

    /// Whether the text ends with another.
    #[rhai_fn(return_raw)]
    pub fn ends_with(string: &str, match_string: &str) -> Outcome<bool> {
        scanning(match_string.len())?;
        Ok(string.ends_with(match_string))
    }

    /// Whether the text ends with a character.
    #[rhai_fn(name = "ends_with")]
    pub fn ends_with_char(string: &str, character: char) -> bool {
        string.ends_with(character)
    }

    /// The number of the first such character from `start`, or -1.
    #[rhai_fn(name = "index_of", return_raw)]
    pub fn index_of_char_starting_from(string: &str, character: char, start: i64) -> Outcome<i64> {
        index_from(string, start, |rest| rest.find(character))
    }

    /// The number of the first such character, or -1.
    #[rhai_fn(name = "index_of", return_raw)]
    pub fn index_of_char(string: &str, character: char) -> Outcome<i64> {
        index_of_char_starting_from(string, character, 0)
    }

    /// The number of the character from `start` where a text begins, or -1.
    #[rhai_fn(name = "index_of", return_raw)]
    pub fn index_of_string_starting_from(
        string: &str,
        find_string: &str,
        start: i64,
    ) -> Outcome<i64> {
        meter::charge_bytes(find_string.len())?;
        index_from(string, start, |rest| rest.find(find_string))
    }

    /// The number of the character where a text begins, or -1.
    #[rhai_fn(return_raw)]
    pub fn index_of(string: &str, find_string: &str) -> Outcome<i64> {
        index_of_string_starting_from(string, find_string, 0)
    }

    /// The character of that number, negative from the end; `()` where there is none.
    #[rhai_fn(return_raw)]
    pub fn get(string: &str, index: i64) -> Outcome<Dynamic> {
        meter::charge_bytes(string.len() / 4)?;
        let found = match usize::try_from(index) {
            Ok(index) => string.chars().nth(index),
            Err(_) => {
                let back = usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX);
                string.chars().rev().nth(back - 1)
            }
        };
        Ok(found.map_or(Dynamic::UNIT, Dynamic::from_char))
    }

    /// Replaces the character of that number; nothing happens where there is none.
    #[rhai_fn(return_raw)]
    pub fn set(string: &mut ImmutableString, index: i64, character: char) -> Outcome<()> {
        meter::charge_bytes(string.len() / 4)?;
        let length = i64::try_from(string.chars().count()).unwrap_or(i64::MAX);
        if index >= length || index < -length {
            return Ok(());
        }
        let Some(at) = offset(string, index) else { return Ok(()) };
        let behind = at + string[at..].chars().next().map_or(0, char::len_utf8);
        let mut result = TextBuilder::default();
        result.push_str(&string[..at])?;
        result.push(character)?;
        result.push_str(&string[behind..])?;
        *string = result.finish();
        Ok(())
    }

    /// A part of the text.
    #[rhai_fn(name = "sub_string", return_raw)]
    pub fn sub_string_range(string: &str, range: Range<i64>) -> Outcome<ImmutableString> {
        let (start, len) = bounds(&range);
        sub_string(string, start, len)
    }

    /// A part of the text.
    #[rhai_fn(name = "sub_string", return_raw)]
    pub fn sub_string_inclusive_range(
        string: &str,
        range: RangeInclusive<i64>,
    ) -> Outcome<ImmutableString> {
        let (start, len) = inclusive_bounds(&range);
        sub_string(string, start, len)
    }

    /// `len` characters of the text from `start`.
    #[rhai_fn(return_raw)]
    pub fn sub_string(string: &str, start: i64, len: i64) -> Outcome<ImmutableString> {
        match part(string, start, len)? {
            Some(part) => piece(&string[part]),
            None => Ok(ImmutableString::new()),
        }
    }

    /// The text from `start` to its end.
    #[rhai_fn(name = "sub_string", return_raw)]
    pub fn sub_string_starting_from(string: &str, start: i64) -> Outcome<ImmutableString> {
        sub_string(string, start, i64::MAX)
    }

    /// Removes what is outside of a part.
    #[rhai_fn(name = "crop", return_raw)]
    pub fn crop_range(string: &mut ImmutableString, range: Range<i64>) -> Outcome<()> {
        let (start, len) = bounds(&range);
        crop(string, start, len)
    }

    /// Removes what is outside of a part.
    #[rhai_fn(name = "crop", return_raw)]
    pub fn crop_inclusive_range(
        string: &mut ImmutableString,
        range: RangeInclusive<i64>,
    ) -> Outcome<()> {
        let (start, len) = inclusive_bounds(&range);
        crop(string, start, len)
    }

    /// Removes what is outside of `len` characters from `start`.
    #[rhai_fn(return_raw)]
    pub fn crop(string: &mut ImmutableString, start: i64, len: i64) -> Outcome<()> {
        *string = sub_string(string, start, len)?;
        Ok(())
    }

    /// Removes what is before `start`.
    #[rhai_fn(name = "crop", return_raw)]
    pub fn crop_string_starting_from(string: &mut ImmutableString, start: i64) -> Outcome<()> {
        crop(string, start, i64::MAX)
    }

    /// Replaces every occurrence of a text.
    #[rhai_fn(return_raw)]
    pub fn replace(
        string: &mut ImmutableString,
        find_string: &str,
        substitute_string: &str,
    ) -> Outcome<()> {
        replace_in(string, find_string, substitute_string)
    }

    /// Replaces every occurrence of a text by a character.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_string_with_char(
        string: &mut ImmutableString,
        find_string: &str,
        substitute_character: char,
    ) -> Outcome<()> {
        replace_in(string, find_string, substitute_character.encode_utf8(&mut [0; 4]))
    }

    /// Replaces every occurrence of a character by a text.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_char_with_string(
        string: &mut ImmutableString,
        find_character: char,
        substitute_string: &str,
    ) -> Outcome<()> {
        replace_in(string, find_character.encode_utf8(&mut [0; 4]), substitute_string)
    }

    /// Replaces every occurrence of a character.
    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_char(
        string: &mut ImmutableString,
        find_character: char,
        substitute_character: char,
    ) -> Outcome<()> {
        let find = &mut [0; 4];
        let with = &mut [0; 4];
        replace_in(string, find_character.encode_utf8(find), substitute_character.encode_utf8(with))
    }

    /// Adds a character until the text has `len` characters.
    #[rhai_fn(return_raw)]
    pub fn pad(string: &mut ImmutableString, len: i64, character: char) -> Outcome<()> {
        pad_with(string, len, character.encode_utf8(&mut [0; 4]))
    }

    /// Adds a text until the text has `len` characters.
    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_with_string(string: &mut ImmutableString, len: i64, padding: &str) -> Outcome<()> {
        pad_with(string, len, padding)
    }

    /// The text that goes last.
    #[rhai_fn(name = "max", return_raw)]
    pub fn max_string(
        string1: ImmutableString,
        string2: ImmutableString,
    ) -> Outcome<ImmutableString> {
        Ok(if order_text(&string1, &string2)?.is_ge() { string1 } else { string2 })
    }

    /// The text that goes first.
    #[rhai_fn(name = "min", return_raw)]
    pub fn min_string(
        string1: ImmutableString,
        string2: ImmutableString,
    ) -> Outcome<ImmutableString> {
        Ok(if order_text(&string1, &string2)?.is_le() { string1 } else { string2 })
    }

    /// The character that goes last.
    #[rhai_fn(name = "max")]
    pub fn max_char(char1: char, char2: char) -> char {
        char1.max(char2)
    }

    /// The character that goes first.
    #[rhai_fn(name = "min")]
    pub fn min_char(char1: char, char2: char) -> char {
        char1.min(char2)
    }

    /// The text before and from the character of that number, negative from the end.
    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split_at(string: &mut ImmutableString, index: i64) -> Outcome<Array> {
        meter::charge_bytes(string.len() / 4)?;
        let at = match index {
            0 => string.len(),
            _ => offset(string, index).unwrap_or(string.len()),
        };
        pieces([&string[..at], &string[at..]].into_iter())
    }

    /// The characters of the text.
    #[rhai_fn(return_raw)]
    pub fn to_chars(string: &str) -> Outcome<Array> {
        meter::charge_bytes(string.len())?;
        let mut result = with_room(string.chars().count())?;
        result.extend(string.chars().map(Dynamic::from_char));
        Ok(result)
    }

    /// The text cut at white space.
    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split_whitespace(string: &mut ImmutableString) -> Outcome<Array> {
        meter::charge_bytes(string.len())?;
        if string.is_empty() { Ok(whole(string)) } else { pieces(string.split_whitespace()) }
    }

    /// The text cut at a delimiter.
    #[rhai_fn(return_raw, pure)]
    pub fn split(string: &mut ImmutableString, delimiter: &str) -> Outcome<Array> {
        splitn(string, delimiter, i64::MAX)
    }

    /// The text cut at a delimiter, into at most that many pieces.
    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn splitn(string: &mut ImmutableString, delimiter: &str, segments: i64) -> Outcome<Array> {
        meter::charge_bytes(string.len() / 4 + delimiter.len())?;
        match cuts(segments) {
            Some(count) if !string.is_empty() && string.contains(delimiter) => {
                pieces(string.splitn(count, delimiter))
            }
            _ => Ok(whole(string)),
        }
    }

    /// The text cut at a character.
    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn split_char(string: &mut ImmutableString, delimiter: char) -> Outcome<Array> {
        splitn(string, delimiter.encode_utf8(&mut [0; 4]), i64::MAX)
    }

    /// The text cut at a character, into at most that many pieces.
    #[rhai_fn(name = "split", return_raw, pure)]
    pub fn splitn_char(
        string: &mut ImmutableString,
        delimiter: char,
        segments: i64,
    ) -> Outcome<Array> {
        splitn(string, delimiter.encode_utf8(&mut [0; 4]), segments)
    }

    /// The text cut at a delimiter, the last piece first.
    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn rsplit(string: &mut ImmutableString, delimiter: &str) -> Outcome<Array> {
        rsplitn(string, delimiter, i64::MAX)
    }

    /// The text cut at a delimiter from its end, into at most that many pieces.
    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn rsplitn(string: &mut ImmutableString, delimiter: &str, segments: i64) -> Outcome<Array> {
        meter::charge_bytes(string.len() / 4 + delimiter.len())?;
        match cuts(segments) {
            Some(count) if !string.is_empty() && string.contains(delimiter) => {
                pieces(string.rsplitn(count, delimiter))
            }
            _ => Ok(whole(string)),
        }
    }

    /// The text cut at a character, the last piece first.
    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn rsplit_char(string: &mut ImmutableString, delimiter: char) -> Outcome<Array> {
        rsplitn(string, delimiter.encode_utf8(&mut [0; 4]), i64::MAX)
    }

    /// The text cut at a character from its end, into at most that many pieces.
    #[rhai_fn(name = "split_rev", return_raw, pure)]
    pub fn rsplitn_char(
        string: &mut ImmutableString,
        delimiter: char,
        segments: i64,
    ) -> Outcome<Array> {
        rsplitn(string, delimiter.encode_utf8(&mut [0; 4]), segments)
    }

    /// The characters of a part of the text, for a loop.
    #[rhai_fn(name = "chars", return_raw, pure)]
    pub fn chars_from_exclusive_range(
        string: &mut ImmutableString,
        range: Range<i64>,
    ) -> Outcome<Chars> {
        let (start, len) = bounds(&range);
        Chars::new(string, start, len)
    }

    /// The characters of a part of the text, for a loop.
    #[rhai_fn(name = "chars", return_raw, pure)]
    pub fn chars_from_inclusive_range(
        string: &mut ImmutableString,
        range: RangeInclusive<i64>,
    ) -> Outcome<Chars> {
        let start = (*range.start()).max(0);
        let end = (*range.end()).max(start - 1).min(i64::MAX - 1);
        Chars::new(string, start, end - start + 1)
    }

    /// `len` characters from `start`, for a loop.
    #[rhai_fn(name = "chars", return_raw, pure)]
    pub fn chars_from_start_len(
        string: &mut ImmutableString,
        start: i64,
        len: i64,
    ) -> Outcome<Chars> {
        Chars::new(string, start, len)
    }

    /// The characters from `start` to the end, for a loop.
    #[rhai_fn(name = "chars", return_raw, pure)]
    pub fn chars_from_start(string: &mut ImmutableString, start: i64) -> Outcome<Chars> {
        Chars::new(string, start, i64::MAX)
    }

    /// The characters of the text, for a loop.
    #[rhai_fn(name = "chars", get = "chars", return_raw, pure)]
    pub fn chars(string: &mut ImmutableString) -> Outcome<Chars> {
        Chars::new(string, 0, i64::MAX)
    }

    /// The integer that a text spells.
    #[rhai_fn(return_raw)]
    pub fn parse_int(string: &str) -> Outcome<i64> {
        parse_int_radix(string, 10)
    }

    /// The integer that a text spells in digits of a radix from 2 to 36.
    #[rhai_fn(name = "parse_int", return_raw)]
    pub fn parse_int_radix(string: &str, radix: i64) -> Outcome<i64> {
        meter::charge_bytes(string.len())?;
        let Some(base) = u32::try_from(radix).ok().filter(|base| (2..=36).contains(base)) else {
            return fail(format!("{radix} is no radix; use 2 to 36"));
        };
        i64::from_str_radix(string.trim(), base)
            .or_else(|error| not_a_number("an integer", string, &error.to_string()))
    }

    /// The number that a text spells.
    #[rhai_fn(return_raw)]
    pub fn parse_float(string: &str) -> Outcome<f64> {
        meter::charge_bytes(string.len())?;
        string.trim().parse().or_else(|error: std::num::ParseFloatError| {
            not_a_number("a number", string, &error.to_string())
        })
    }

    /// The integer in hexadecimal digits.
    pub fn to_hex(value: i64) -> ImmutableString {
        format!("{value:x}").into()
    }

    /// The integer in octal digits.
    pub fn to_octal(value: i64) -> ImmutableString {
        format!("{value:o}").into()
    }

    /// The integer in binary digits.
    pub fn to_binary(value: i64) -> ImmutableString {
        format!("{value:b}").into()
    }
}
