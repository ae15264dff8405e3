//! `json`: JSON text, and work on the values it stands for.
//!
//! Values are the script's own: an object is a map, `null` is `()`. Paths are JSON Pointers
//! (`/items/0/name`) or dotted (`items[0].name`). Nothing here builds a tree between text and
//! value, changes a value given, or goes deeper than 128 levels.

mod change;
mod parse;
mod path;
#[cfg(test)]
mod tests;

use super::ModuleBuilder;
use crate::script::host::text::work::{Pace, output, refuse};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::{Budget, to_json_text};
use rhai::{Dynamic, ImmutableString, Module, Shared};
use std::sync::OnceLock;

/// The longest JSON text that a script can make, in bytes.
const MAX_TEXT: usize = 64 << 20;

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about(
            "JSON, and paths into values. A path is dotted, `items[0].name`, or a JSON Pointer, \
             `/items/0/name`. The value given stays as it is.",
        );
        register(&mut builder);
        path::register(&mut builder);
        change::register(&mut builder);
        builder.build()
    }))
}

fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The value of a JSON text; what is wrong with it is an error with line and column.",
            r#"/// json::parse("{\"a\": [1, null]}") // => #{ a: [1, ()] }"#,
        ])
        .function("parse", ["text: string", "any"], parse::parse)
        .docs(&[
            "/// The JSON text of a value, on one line.",
            r#"/// json::stringify(#{ a: [1, ()] }) // => "{\"a\":[1,null]}""#,
        ])
        .function("stringify", ["value: any", "string"], stringify)
        .docs(&[
            "/// The JSON text of a value, on lines indented by two spaces.",
            r#"/// json::pretty(#{ a: [1] }) // => "{\n  \"a\": [\n    1\n  ]\n}""#,
        ])
        .function("pretty", ["value: any", "string"], pretty);
}

/// The value of a JSON text that the host wrote.
pub(super) fn parse_text(text: &str) -> Outcome<Dynamic> {
    parse::parse(text)
}

fn stringify(value: &mut Dynamic) -> Outcome<ImmutableString> {
    Ok(json_text("json::stringify", value)?.into())
}

fn pretty(value: &mut Dynamic) -> Outcome<ImmutableString> {
    let text = json_text("json::pretty", value)?;
    Ok(indented(&text)?.into())
}

fn json_text(function: &str, value: &Dynamic) -> Outcome<String> {
    // A text that grows holds its old and its new buffer for a moment.
    let room = meter::memory_left().map_or(MAX_TEXT, |left| (left / 3).min(MAX_TEXT));
    to_json_text(value, Budget::of_bytes(room)).map_err(|error| match meter::killed() {
        Some(limit) => meter::kill(limit),
        None => refuse(format!("{function}: {error}")),
    })
}

/// The same JSON with a line for each value.
fn indented(text: &str) -> Outcome<String> {
    let (mut result, mut pace) = (output(text.len())?, Pace::default());
    let (mut depth, mut rest) = (0_usize, text);
    while let Some(at) = rest.find(['"', '[', ']', '{', '}', ',', ':']) {
        let sign = rest.as_bytes()[at];
        let mut end = if sign == b'"' { string_end(rest, at) } else { at + 1 };
        match sign {
            b'[' | b'{' if rest[end..].starts_with([']', '}']) => {
                end += 1;
                pace.write(&mut result, &rest[..end])?;
            }
            b'[' | b'{' => {
                depth += 1;
                pace.write(&mut result, &rest[..end])?;
                new_line(&mut pace, &mut result, depth)?;
            }
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                pace.write(&mut result, &rest[..at])?;
                new_line(&mut pace, &mut result, depth)?;
                pace.write(&mut result, &rest[at..end])?;
            }
            b',' => {
                pace.write(&mut result, &rest[..end])?;
                new_line(&mut pace, &mut result, depth)?;
            }
            b':' => {
                pace.write(&mut result, &rest[..end])?;
                pace.write(&mut result, " ")?;
            }
            _ => pace.write(&mut result, &rest[..end])?,
        }
        rest = &rest[end..];
    }
    pace.write(&mut result, rest)?;
    Ok(result)
}

fn new_line(pace: &mut Pace, result: &mut String, depth: usize) -> Outcome<()> {
    pace.write(result, "\n")?;
    for _ in 0..depth {
        pace.write(result, "  ")?;
    }
    Ok(())
}

/// Where the string that begins at `start` ends.
fn string_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}
