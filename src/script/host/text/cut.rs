//! Taking a text apart: words, lines, characters, slices, trimmed ends.

use super::work::{self, Pace, Pool, byte_of_char, copied, count_chars, kept, part, windows};
use crate::script::host::ModuleBuilder;
use crate::script::meter;
use crate::script::native::compare::Outcome;
use rhai::{Array, Dynamic, ImmutableString};

pub(super) fn register(builder: &mut ModuleBuilder) {
    register_parts(builder);
    register_ends(builder);
}

fn register_parts(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The number of characters.",
            "/// text::len(\"naïve\") // => 5",
        ])
        .function("len", ["text: string", "int"], len)
        .docs(&[
            "/// The number of bytes in UTF-8.",
            "/// text::bytes(\"naïve\") // => 6",
        ])
        .function("bytes", ["text: string", "int"], bytes)
        .docs(&[
            "/// The characters, each a text of its own.",
            "/// text::chars(\"añb\") // => [\"a\", \"ñ\", \"b\"]",
        ])
        .function("chars", ["text: string", "string[]"], chars)
        .docs(&[
            "/// The words: what stands between white space.",
            "/// text::words(\" to be  or\\nnot \") // => [\"to\", \"be\", \"or\", \"not\"]",
        ])
        .function("words", ["text: string", "string[]"], words)
        .docs(&[
            "/// The lines without their ends (`\\n` or `\\r\\n`).",
            "/// text::lines(\"a\\r\\n\\nb\\n\") // => [\"a\", \"\", \"b\"]",
        ])
        .function("lines", ["text: string", "string[]"], lines)
        .docs(&[
            "/// The characters from index `start` on; a negative index counts from the end.",
            "/// text::slice(\"hello\", 2) // => \"llo\"",
            "/// text::slice(\"hello\", -3) // => \"llo\"",
        ])
        .function("slice", ["text: string", "start: int", "string"], slice_from)
        .docs(&[
            "/// The characters from index `start` to before `end`; negative indexes count from the end.",
            "/// text::slice(\"hello\", 1, 3) // => \"el\"",
            "/// text::slice(\"hello\", 0, -1) // => \"hell\"",
        ])
        .function("slice", ["text: string", "start: int", "end: int", "string"], slice)
        .docs(&[
            "/// Whether the text is empty or only white space.",
            "/// text::is_blank(\" \\n\") // => true",
        ])
        .function("is_blank", ["text: string", "bool"], is_blank);
}

fn register_ends(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The text without white space at both ends; the text given stays as it is.",
            "/// text::trim(\"  a b \") // => \"a b\"",
        ])
        .function("trim", ["text: string", "string"], trim)
        .docs(&[
            "/// The text without the characters of `chars` at both ends.",
            "/// text::trim(\"--a-b!-\", \"-!\") // => \"a-b\"",
        ])
        .function("trim", ["text: string", "chars: string", "string"], trim_chars)
        .docs(&[
            "/// The text without white space at its start.",
            "/// text::trim_start(\"  a \") // => \"a \"",
        ])
        .function("trim_start", ["text: string", "string"], trim_start)
        .docs(&[
            "/// The text without the characters of `chars` at its start.",
            "/// text::trim_start(\"007\", \"0\") // => \"7\"",
        ])
        .function("trim_start", ["text: string", "chars: string", "string"], trim_start_chars)
        .docs(&[
            "/// The text without white space at its end.",
            "/// text::trim_end(\" a  \") // => \" a\"",
        ])
        .function("trim_end", ["text: string", "string"], trim_end)
        .docs(&[
            "/// The text without the characters of `chars` at its end.",
            "/// text::trim_end(\"what?!\", \"!?\") // => \"what\"",
        ])
        .function("trim_end", ["text: string", "chars: string", "string"], trim_end_chars)
        .docs(&[
            "/// The text without `prefix`, if it begins with it.",
            "/// text::strip_prefix(\"v1.2\", \"v\") // => \"1.2\"",
            "/// text::strip_prefix(\"1.2\", \"v\") // => \"1.2\"",
        ])
        .function("strip_prefix", ["text: string", "prefix: string", "string"], strip_prefix)
        .docs(&[
            "/// The text without `suffix`, if it ends with it.",
            "/// text::strip_suffix(\"photo.png\", \".png\") // => \"photo\"",
        ])
        .function("strip_suffix", ["text: string", "suffix: string", "string"], strip_suffix);
}

fn len(text: &str) -> Outcome<i64> {
    Ok(i64::try_from(count_chars(text)?).unwrap_or(i64::MAX))
}

fn bytes(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

fn chars(text: &str) -> Outcome<Array> {
    let mut array = work::array(count_chars(text)?)?;
    // Plain characters repeat: each is made once and shared.
    let mut known: [Option<ImmutableString>; 128] = [const { None }; 128];
    for window in windows(text) {
        meter::charge(window.len() as u64 / 4 + 1)?;
        for c in window.chars() {
            let one = match known.get_mut(c as usize) {
                Some(known) => known.get_or_insert_with(|| work::character(c)).clone(),
                None => work::character(c),
            };
            array.push(one.into());
        }
    }
    Ok(array)
}

/// Whether an ASCII character is white space, as Unicode says.
const SPACES: [bool; 128] = {
    let mut spaces = [false; 128];
    let mut byte = b'\t';
    while byte <= b'\r' {
        spaces[byte as usize] = true;
        byte += 1;
    }
    spaces[b' ' as usize] = true;
    spaces
};

/// Where the next character from `index` on stands that is white space, or that is none.
fn seek(text: &str, mut index: usize, space: bool) -> usize {
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(index) {
        if let Some(&is_space) = SPACES.get(usize::from(byte)) {
            if is_space == space {
                break;
            }
            index += 1;
        } else {
            let c = text[index..].chars().next().unwrap_or_default();
            if c.is_whitespace() == space {
                break;
            }
            index += c.len_utf8();
        }
    }
    index
}

fn words(text: &str) -> Outcome<Array> {
    let mut array = Array::new();
    let mut pace = Pace::default();
    let mut pool = Pool::for_text(text);
    let mut end = 0;
    loop {
        let start = seek(text, end, false);
        if start == text.len() {
            return Ok(array);
        }
        let before = std::mem::replace(&mut end, seek(text, start, true));
        pace.pay((end - before) as u64 / 64)?;
        pool.push(&mut pace, &mut array, &text[start..end])?;
    }
}

fn lines(text: &str) -> Outcome<Array> {
    let (mut array, mut pace) = (Array::new(), Pace::default());
    for line in text.lines() {
        pace.push_text(&mut array, line)?;
    }
    Ok(array)
}

fn slice_from(text: ImmutableString, start: i64) -> Outcome<ImmutableString> {
    slice(text, start, i64::MAX)
}

fn slice(text: ImmutableString, start: i64, end: i64) -> Outcome<ImmutableString> {
    let range = if start < 0 || end < 0 {
        part(count_chars(&text)?, start, end)
    } else {
        part(usize::MAX, start, end)
    };
    let begin = byte_of_char(&text, range.start)?;
    let length = byte_of_char(&text[begin..], range.len())?;
    kept(&text, &text[begin..begin + length])
}

fn is_blank(text: &str) -> Outcome<bool> {
    for window in windows(text) {
        meter::charge(1)?;
        if let Some(at) = window.find(|c: char| !c.is_whitespace()) {
            meter::charge_bytes(at)?;
            return Ok(false);
        }
        meter::charge_bytes(window.len())?;
    }
    Ok(true)
}

/// Pays for what was cut off, and copies the rest.
fn cut(text: &ImmutableString, rest: &str) -> Outcome<ImmutableString> {
    meter::charge_bytes(text.len() - rest.len())?;
    kept(text, rest)
}

fn trim(text: ImmutableString) -> Outcome<ImmutableString> {
    cut(&text, text.trim())
}

fn trim_start(text: ImmutableString) -> Outcome<ImmutableString> {
    cut(&text, text.trim_start())
}

fn trim_end(text: ImmutableString) -> Outcome<ImmutableString> {
    cut(&text, text.trim_end())
}

/// Which ends to cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Start,
    End,
    Both,
}

fn trim_chars(text: ImmutableString, chars: Dynamic) -> Outcome<ImmutableString> {
    trim_any("text::trim", &text, &chars, Ends::Both)
}

fn trim_start_chars(text: ImmutableString, chars: Dynamic) -> Outcome<ImmutableString> {
    trim_any("text::trim_start", &text, &chars, Ends::Start)
}

fn trim_end_chars(text: ImmutableString, chars: Dynamic) -> Outcome<ImmutableString> {
    trim_any("text::trim_end", &text, &chars, Ends::End)
}

fn trim_any(
    function: &str,
    text: &ImmutableString,
    chars: &Dynamic,
    ends: Ends,
) -> Outcome<ImmutableString> {
    let chars = work::text_of(function, "chars", chars)?;
    let mut pace = Pace::default();
    // Each character of the text is compared with each of the set.
    let mut is_cut = |c: char| -> Outcome<bool> {
        pace.touch(chars.len())?;
        Ok(chars.contains(c))
    };
    let mut rest = text.as_str();
    if ends != Ends::End {
        while let Some(c) = rest.chars().next() {
            if !is_cut(c)? {
                break;
            }
            rest = &rest[c.len_utf8()..];
        }
    }
    if ends != Ends::Start {
        while let Some(c) = rest.chars().next_back() {
            if !is_cut(c)? {
                break;
            }
            rest = &rest[..rest.len() - c.len_utf8()];
        }
    }
    kept(text, rest)
}

fn strip_prefix(text: ImmutableString, prefix: Dynamic) -> Outcome<ImmutableString> {
    let prefix = work::text_of("text::strip_prefix", "prefix", &prefix)?;
    meter::charge_bytes(prefix.len())?;
    match text.strip_prefix(prefix.as_str()) {
        Some(rest) if !prefix.is_empty() => copied(rest),
        _ => Ok(text),
    }
}

fn strip_suffix(text: ImmutableString, suffix: Dynamic) -> Outcome<ImmutableString> {
    let suffix = work::text_of("text::strip_suffix", "suffix", &suffix)?;
    meter::charge_bytes(suffix.len())?;
    match text.strip_suffix(suffix.as_str()) {
        Some(rest) if !suffix.is_empty() => copied(rest),
        _ => Ok(text),
    }
}
