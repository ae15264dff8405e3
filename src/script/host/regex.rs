//! `regex`: regular expressions, in time that is linear in the text.
//!
//! Patterns are those of the crate `regex`: no look-around and no references back, so that no
//! pattern takes exponential time. Indexes are in characters, a text given stays as it is, and what
//! is not found is `()`. Every search looks at the meter on its way: none is handed to an engine
//! that cannot be interrupted.

mod machine;
mod program;
mod replace;
mod search;
#[cfg(test)]
mod tests;

use super::ModuleBuilder;
use crate::script::host::text::work::{Pace, count_chars, output, positive};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use rhai::{Array, Dynamic, ImmutableString, Map, Module, Shared};
use search::{Place, Search};
use std::sync::OnceLock;

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about(
            "Regular expressions, in time that is linear in the text: no look-around and no \
             references back. Write patterns between backticks, where a backslash stands for \
             itself; `(?i)` ignores case, `(?m)` ties `^` and `$` to lines. Indexes are in \
             characters, and what is not found is `()`. A pattern that cannot be read is an \
             error that says where.",
        );
        register(&mut builder);
        register_groups(&mut builder);
        replace::register(&mut builder);
        builder.build()
    }))
}

fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// Whether the pattern matches somewhere; `^` and `$` tie it to the start and the end.",
            "/// regex::is_match(\"order 66\", `\\d+`) // => true",
        ])
        .function("is_match", ["text: string", "pattern: string", "bool"], is_match)
        .docs(&[
            "/// The text of the first match, or `()`.",
            "/// regex::find(\"from 10 to 20\", `\\d+`) // => \"10\"",
            "/// regex::find(\"none\", `\\d+`) // => ()",
        ])
        .function("find", ["text: string", "pattern: string", "string?"], find)
        .docs(&[
            "/// The texts of all matches, which do not overlap.",
            "/// regex::find_all(\"from 10 to 20\", `\\d+`) // => [\"10\", \"20\"]",
        ])
        .function("find_all", ["text: string", "pattern: string", "string[]"], find_all)
        .docs(&[
            "/// How many matches there are.",
            "/// regex::count(\"a1b22\", `\\d`) // => 3",
        ])
        .function("count", ["text: string", "pattern: string", "int"], count)
        .docs(&[
            "/// Cuts the text at every match.",
            "/// regex::split(\"a1b22c\", `\\d+`) // => [\"a\", \"b\", \"c\"]",
        ])
        .function("split", ["text: string", "pattern: string", "string[]"], split)
        .docs(&[
            "/// Cuts the text into at most so many parts; the last one keeps its matches.",
            "/// regex::split(\"a, b,c\", `,\\s*`, 2) // => [\"a\", \"b,c\"]",
        ])
        .function("split", ["text: string", "pattern: string", "parts: int", "string[]"], split_into)
        .docs(&[
            "/// The text as a pattern that matches it and nothing else.",
            "/// regex::escape(\"1+1\") // => \"1\\\\+1\"",
        ])
        .function("escape", ["text: string", "string"], escape);
}

fn register_groups(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The first match with its groups, or `()`: `text`, `start`, `end` (before which it ends), \
             `groups` with the text of each group from the first on, and `names` with those that have \
             a name, `(?<year>…)`. A group that took no part is `()`.",
            "/// regex::captures(\"on 2026-11\", `(?<year>\\d+)-(\\d+)`).names.year // => \"2026\"",
            "/// regex::captures(\"on 2026-11\", `(?<year>\\d+)-(\\d+)`).groups // => [\"2026\", \"11\"]",
        ])
        .function("captures", ["text: string", "pattern: string", "map?"], captures)
        .docs(&[
            "/// All matches, each with its groups as `captures` gives them.",
            "/// regex::captures_all(\"a=1 b=2\", `(\\w)=(\\d)`).map(|m| m.groups[1]) // => [\"1\", \"2\"]",
        ])
        .function("captures_all", ["text: string", "pattern: string", "map[]"], captures_all);
}

fn is_match(text: &str, pattern: &str) -> Outcome<bool> {
    Search::new("regex::is_match", pattern, text)?.is_match()
}

fn find(text: &str, pattern: &str) -> Outcome<Dynamic> {
    let Some(place) = Search::new("regex::find", pattern, text)?.next()? else {
        return Ok(Dynamic::UNIT);
    };
    piece(&mut Pace::default(), &text[place])
}

fn find_all(text: &str, pattern: &str) -> Outcome<Array> {
    let mut search = Search::new("regex::find_all", pattern, text)?;
    let (mut result, mut pace) = (Array::new(), Pace::default());
    while let Some(place) = search.next()? {
        pace.push_text(&mut result, &text[place])?;
    }
    Ok(result)
}

fn count(text: &str, pattern: &str) -> Outcome<i64> {
    let mut search = Search::new("regex::count", pattern, text)?;
    let (mut count, mut pace) = (0, Pace::default());
    while search.next()?.is_some() {
        pace.pay(1)?;
        count += 1;
    }
    Ok(count)
}

fn split(text: &str, pattern: &str) -> Outcome<Array> {
    split_up_to(text, pattern, usize::MAX)
}

fn split_into(text: &str, pattern: &str, parts: i64) -> Outcome<Array> {
    split_up_to(text, pattern, positive("regex::split", "parts", parts)?)
}

fn split_up_to(text: &str, pattern: &str, parts: usize) -> Outcome<Array> {
    let mut search = Search::new("regex::split", pattern, text)?;
    let (mut result, mut pace, mut done) = (Array::new(), Pace::default(), 0);
    while result.len() + 1 < parts
        && let Some(place) = search.next()?
    {
        pace.push_text(&mut result, &text[done..place.start])?;
        done = place.end;
    }
    pace.push_text(&mut result, &text[done..])?;
    Ok(result)
}

fn escape(text: &str) -> Outcome<ImmutableString> {
    let (mut result, mut pace, mut rest) = (output(text.len())?, Pace::default(), text);
    while let Some(at) = rest.find(|c: char| "\\.+*?()|[]{}^$#&-~".contains(c)) {
        pace.write(&mut result, &rest[..at])?;
        pace.write(&mut result, "\\")?;
        pace.write(&mut result, &rest[at..=at])?;
        rest = &rest[at + 1..];
    }
    pace.write(&mut result, rest)?;
    Ok(result.into())
}

fn captures(text: &str, pattern: &str) -> Outcome<Dynamic> {
    let mut search = Search::new("regex::captures", pattern, text)?;
    match search.next()? {
        Some(place) => Ok(Dynamic::from_map(found(&mut search, place, &mut Ruler::default())?)),
        None => Ok(Dynamic::UNIT),
    }
}

fn captures_all(text: &str, pattern: &str) -> Outcome<Array> {
    let mut search = Search::new("regex::captures_all", pattern, text)?;
    let (mut result, mut pace, mut ruler) = (Array::new(), Pace::default(), Ruler::default());
    while let Some(place) = search.next()? {
        let map = found(&mut search, place, &mut ruler)?;
        pace.push(&mut result, Dynamic::from_map(map))?;
    }
    Ok(result)
}

/// Turns indexes of bytes into indexes of characters, from left to right.
#[derive(Default)]
struct Ruler {
    bytes: usize,
    chars: usize,
}

impl Ruler {
    fn at(&mut self, text: &str, byte: usize) -> Outcome<Dynamic> {
        self.chars += count_chars(&text[self.bytes..byte])?;
        self.bytes = byte;
        Ok(Dynamic::from_int(i64::try_from(self.chars).unwrap_or(i64::MAX)))
    }
}

/// A part of a text as a value of its own.
fn piece(pace: &mut Pace, text: &str) -> Outcome<Dynamic> {
    meter::reserve(text.len())?;
    pace.touch(text.len())?;
    Ok(text.into())
}

/// One match as scripts see it.
fn found(search: &mut Search, place: Place, ruler: &mut Ruler) -> Outcome<Map> {
    let groups = search.groups(&place)?;
    let (text, mut pace) = (search.text(), Pace::default());
    let (mut list, mut names) = (Array::new(), Map::new());
    for (group, name) in groups.iter().zip(search.names()).skip(1) {
        let value = match group {
            Some(group) => piece(&mut pace, &text[group.clone()])?,
            None => Dynamic::UNIT,
        };
        if let Some(name) = name {
            pace.pay(4)?;
            names.insert(name.into(), value.clone());
        }
        pace.push(&mut list, value)?;
    }
    pace.pay(8)?;
    let mut map = Map::new();
    map.insert("start".into(), ruler.at(text, place.start)?);
    map.insert("end".into(), ruler.at(text, place.end)?);
    map.insert("text".into(), piece(&mut pace, &text[place])?);
    map.insert("groups".into(), Dynamic::from_array(list));
    map.insert("names".into(), Dynamic::from_map(names));
    Ok(map)
}
