//! Looking for one text in another: find, count, replace, split.
//!
//! A search goes through the text in windows, so that the clock is seen on the longest text.

use super::work::{self, Pace, Pool, boundary, byte_of_char, count_chars, needle, output};
use crate::script::host::ModuleBuilder;
use crate::script::meter;
use crate::script::native::compare::Outcome;
use rhai::{Array, Dynamic, ImmutableString};
use std::ops::ControlFlow;

/// The first window of a search; each further one is four times as long, up to [`LAST_WINDOW`].
const FIRST_WINDOW: usize = 1024;
const LAST_WINDOW: usize = 256 * 1024;

pub(super) fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// Whether the text holds another.",
            "/// text::contains(\"seafood\", \"foo\") // => true",
        ])
        .function("contains", ["text: string", "part: string", "bool"], contains)
        .docs(&[
            "/// Whether the text begins with another.",
            "/// text::starts_with(\"seafood\", \"sea\") // => true",
        ])
        .function("starts_with", ["text: string", "start: string", "bool"], starts_with)
        .docs(&[
            "/// Whether the text ends with another.",
            "/// text::ends_with(\"photo.png\", \".png\") // => true",
        ])
        .function("ends_with", ["text: string", "end: string", "bool"], ends_with)
        .docs(&[
            "/// The index of the first character of the first place where `part` stands, or `()`.",
            "/// text::find(\"chicken\", \"ken\") // => 4",
            "/// text::find(\"chicken\", \"dog\") // => ()",
        ])
        .function("find", ["text: string", "part: string", "int?"], find)
        .docs(&[
            "/// The same, from the character of index `start` on.",
            "/// text::find(\"go gopher\", \"go\", 1) // => 3",
        ])
        .function("find", ["text: string", "part: string", "start: int", "int?"], find_from)
        .docs(&[
            "/// The index of the first character of the last place where `part` stands, or `()`.",
            "/// text::find_last(\"go gopher\", \"go\") // => 3",
        ])
        .function("find_last", ["text: string", "part: string", "int?"], find_last)
        .docs(&[
            "/// How often `part` stands in the text, without overlaps.",
            "/// text::count(\"cheese\", \"e\") // => 3",
        ])
        .function("count", ["text: string", "part: string", "int"], count)
        .docs(&[
            "/// The text with every `from` replaced by `to`; the text given stays as it is.",
            "/// text::replace(\"a-b-c\", \"-\", \"+\") // => \"a+b+c\"",
        ])
        .function("replace", ["text: string", "from: string", "to: string", "string"], replace)
        .docs(&[
            "/// The text with the first `from` replaced by `to`.",
            "/// text::replace_first(\"a-b-c\", \"-\", \"+\") // => \"a+b-c\"",
        ])
        .function(
            "replace_first",
            ["text: string", "from: string", "to: string", "string"],
            replace_first,
        )
        .docs(&[
            "/// Cuts the text at every separator.",
            "/// text::split(\"a,b,,c\", \",\") // => [\"a\", \"b\", \"\", \"c\"]",
        ])
        .function("split", ["text: string", "separator: string", "string[]"], split)
        .docs(&[
            "/// Cuts the text into at most so many parts; the last one keeps its separators.",
            "/// text::split(\"a,b,c\", \",\", 2) // => [\"a\", \"b,c\"]",
        ])
        .function(
            "split",
            ["text: string", "separator: string", "parts: int", "string[]"],
            split_into,
        )
        .docs(&[
            "/// What stands before and after the first separator, or `()` where there is none.",
            "/// text::split_once(\"key=a=b\", \"=\") // => [\"key\", \"a=b\"]",
        ])
        .function("split_once", ["text: string", "separator: string", "string[]?"], split_once)
        .docs(&[
            "/// What stands between the first `open` and the next `close`, or `()`.",
            "/// text::between(\"see [the docs] now\", \"[\", \"]\") // => \"the docs\"",
        ])
        .function("between", ["text: string", "open: string", "close: string", "string?"], between);
}

/// Tells `found` where `needle` stands in `text`, from left to right and without overlaps, until
/// it breaks off.
fn scan(
    text: &str,
    needle: &str,
    mut found: impl FnMut(usize) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    let overlap = needle.len().saturating_sub(1);
    let (mut start, mut step) = (0, FIRST_WINDOW);
    while text.len() - start >= needle.len() {
        let end = boundary(text, start.saturating_add(step.max(needle.len().saturating_mul(4))));
        meter::charge_bytes(end - start)?;
        let window = &text[start..end];
        let mut next = if end < text.len() { boundary(text, end - overlap) } else { end };
        let mut visit = |at: usize| {
            next = next.max(start + at + needle.len());
            found(start + at)
        };
        // One byte is sought much faster as a character than as a text.
        if let [byte @ ..0x80] = needle.as_bytes() {
            for (at, _) in window.match_indices(char::from(*byte)) {
                if visit(at)?.is_break() {
                    return Ok(());
                }
            }
        } else {
            for (at, _) in window.match_indices(needle) {
                if visit(at)?.is_break() {
                    return Ok(());
                }
            }
        }
        if end == text.len() {
            break;
        }
        start = next;
        step = step.saturating_mul(4).min(LAST_WINDOW);
    }
    Ok(())
}

/// Where `needle` stands first, in bytes.
fn first(text: &str, needle: &str) -> Outcome<Option<usize>> {
    let mut place = None;
    scan(text, needle, |at| {
        place = Some(at);
        Ok(ControlFlow::Break(()))
    })?;
    Ok(place)
}

/// Where `needle` stands last, in bytes.
fn last(text: &str, needle: &str) -> Outcome<Option<usize>> {
    let overlap = needle.len().saturating_sub(1);
    let (mut end, mut step) = (text.len(), FIRST_WINDOW);
    loop {
        let start = boundary(text, end.saturating_sub(step.max(needle.len().saturating_mul(4))));
        meter::charge_bytes(end - start)?;
        if let Some(at) = text[start..end].rfind(needle) {
            return Ok(Some(start + at));
        }
        if start == 0 {
            return Ok(None);
        }
        // Whatever begins before `start` ends before this.
        end = boundary(text, (start + overlap).min(text.len()));
        step = step.saturating_mul(4).min(LAST_WINDOW);
    }
}

/// An index as scripts count.
fn index(count: usize) -> Dynamic {
    Dynamic::from_int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn contains(text: &str, part: Dynamic) -> Outcome<bool> {
    let part = work::text_of("text::contains", "part", &part)?;
    Ok(first(text, &part)?.is_some())
}

fn starts_with(text: &str, start: Dynamic) -> Outcome<bool> {
    let start = work::text_of("text::starts_with", "start", &start)?;
    meter::charge_bytes(start.len())?;
    Ok(text.starts_with(start.as_str()))
}

fn ends_with(text: &str, end: Dynamic) -> Outcome<bool> {
    let end = work::text_of("text::ends_with", "end", &end)?;
    meter::charge_bytes(end.len())?;
    Ok(text.ends_with(end.as_str()))
}

fn find(text: &str, part: Dynamic) -> Outcome<Dynamic> {
    let part = work::text_of("text::find", "part", &part)?;
    match first(text, &part)? {
        Some(at) => Ok(index(count_chars(&text[..at])?)),
        None => Ok(Dynamic::UNIT),
    }
}

fn find_from(text: &str, part: Dynamic, start: i64) -> Outcome<Dynamic> {
    let part = work::text_of("text::find", "part", &part)?;
    let start = work::amount("text::find", "start", start)?;
    let begin = byte_of_char(text, start)?;
    match first(&text[begin..], &part)? {
        Some(at) => Ok(index(count_chars(&text[..begin + at])?)),
        None => Ok(Dynamic::UNIT),
    }
}

fn find_last(text: &str, part: Dynamic) -> Outcome<Dynamic> {
    let part = work::text_of("text::find_last", "part", &part)?;
    match last(text, &part)? {
        Some(at) => Ok(index(count_chars(&text[..at])?)),
        None => Ok(Dynamic::UNIT),
    }
}

fn count(text: &str, part: Dynamic) -> Outcome<i64> {
    let part = needle("text::count", "part", &part)?;
    let mut count = 0;
    scan(text, &part, |_| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(count)
}

fn replace(text: ImmutableString, from: Dynamic, to: Dynamic) -> Outcome<ImmutableString> {
    replace_up_to("text::replace", &text, &from, &to, usize::MAX)
}

fn replace_first(text: ImmutableString, from: Dynamic, to: Dynamic) -> Outcome<ImmutableString> {
    replace_up_to("text::replace_first", &text, &from, &to, 1)
}

fn replace_up_to(
    function: &str,
    text: &ImmutableString,
    from: &Dynamic,
    to: &Dynamic,
    times: usize,
) -> Outcome<ImmutableString> {
    let from = needle(function, "from", from)?;
    let to = work::text_of(function, "to", to)?;
    let (mut result, mut done, mut times) = (None, 0, times);
    let mut pace = Pace::default();
    scan(text, &from, |at| {
        let result = match &mut result {
            Some(result) => result,
            none => none.insert(output(text.len())?),
        };
        pace.write(result, &text[done..at])?;
        pace.write(result, &to)?;
        done = at + from.len();
        times -= 1;
        Ok(if times == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    let Some(mut result) = result else { return Ok(text.clone()) };
    pace.write(&mut result, &text[done..])?;
    Ok(result.into())
}

fn split(text: &str, separator: Dynamic) -> Outcome<Array> {
    split_up_to(text, &separator, usize::MAX)
}

fn split_into(text: &str, separator: Dynamic, parts: i64) -> Outcome<Array> {
    split_up_to(text, &separator, work::positive("text::split", "parts", parts)?)
}

fn split_up_to(text: &str, separator: &Dynamic, parts: usize) -> Outcome<Array> {
    let separator = needle("text::split", "separator", separator)?;
    let (mut array, mut done) = (Array::new(), 0);
    let (mut pace, mut pool) = (Pace::default(), Pool::for_text(text));
    if parts > 1 {
        scan(text, &separator, |at| {
            pool.push(&mut pace, &mut array, &text[done..at])?;
            done = at + separator.len();
            let enough = array.len() + 1 == parts;
            Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
    }
    pool.push(&mut pace, &mut array, &text[done..])?;
    Ok(array)
}

fn split_once(text: &str, separator: Dynamic) -> Outcome<Dynamic> {
    let separator = needle("text::split_once", "separator", &separator)?;
    let Some(at) = first(text, &separator)? else { return Ok(Dynamic::UNIT) };
    let (mut pair, mut pace) = (Array::with_capacity(2), Pace::default());
    pace.push_text(&mut pair, &text[..at])?;
    pace.push_text(&mut pair, &text[at + separator.len()..])?;
    Ok(Dynamic::from_array(pair))
}

fn between(text: &str, open: Dynamic, close: Dynamic) -> Outcome<Dynamic> {
    let open = needle("text::between", "open", &open)?;
    let close = needle("text::between", "close", &close)?;
    let Some(at) = first(text, &open)? else { return Ok(Dynamic::UNIT) };
    let inner = &text[at + open.len()..];
    match first(inner, &close)? {
        Some(end) => Ok(work::copied(&inner[..end])?.into()),
        None => Ok(Dynamic::UNIT),
    }
}
