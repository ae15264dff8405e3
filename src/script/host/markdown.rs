//! `markdown`: what a text in Markdown holds: headings, sections, links, blocks of code, plain text.
//!
//! The text is read line by line, and once: fenced blocks, comments and the head between `---` are
//! no place for headings and links. It is CommonMark without its corners: lists and quotations are
//! not taken apart, and a block of code without a fence is read as text.

mod block;
mod inline;
#[cfg(test)]
mod tests;

use super::ModuleBuilder;
use crate::script::host::text::work::{Pace, output, refuse};
use crate::script::meter;
use crate::script::native::compare::Outcome;
use crate::script::value::prefix;
use block::{Block, Blocks, Heading};
use inline::{Definitions, Link};
use rhai::{Array, Dynamic, ImmutableString, Map, Module, Shared};
use std::collections::HashMap;
use std::sync::OnceLock;

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder
            .about("What a Markdown text holds. Blocks of code are no headings and have no links.");
        register(&mut builder);
        register_text(&mut builder);
        builder.build()
    }))
}

fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The headings, each as `level` (1 to 6), `text` without markup, `line` (from 1) and `id`, the name \
             that links to it as GitHub makes it.",
            "/// markdown::headings(\"# One\\ntext\\n## *Two*\")[1] // => #{ id: \"two\", level: 2, line: 3, text: \"Two\" }",
        ])
        .function("headings", ["text: string", "map[]"], headings)
        .docs(&[
            "/// A table of contents: a list of links to the headings.",
            "/// markdown::toc(\"# One\\n## Two\") // => \"- [One](#one)\\n  - [Two](#two)\"",
        ])
        .function("toc", ["text: string", "string"], |text: &str| toc(text, 6))
        .docs(&[
            "/// The same for headings down to a level.",
            "/// markdown::toc(\"# One\\n## Two\", 1) // => \"- [One](#one)\"",
        ])
        .function("toc", ["text: string", "level: int", "string"], toc)
        .docs(&[
            "/// What stands below a heading, up to the next of its level or above; `()` where there is no such \
             heading.",
            "/// markdown::section(\"# One\\na\\n# Two\\nb\", \"One\") // => \"a\"",
        ])
        .function("section", ["text: string", "heading: string", "string?"], section)
        .docs(&[
            "/// The blocks of code between fences, each as `language`, `code` and `line`.",
            "/// markdown::code_blocks(\"```sh\\nls\\n```\") // => [#{ code: \"ls\", language: \"sh\", line: 1 }]",
        ])
        .function("code_blocks", ["text: string", "map[]"], code_blocks);
}

fn register_text(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The links and images, each as `text`, `url`, `title` (or `()`), `line` and `is_image`.",
            "/// markdown::links(\"see [the *docs*](/d \\\"All\\\")\") // => [#{ is_image: false, line: 1, text: \"the docs\", title: \"All\", url: \"/d\" }]",
        ])
        .function("links", ["text: string", "map[]"], links)
        .docs(&[
            "/// The words without the markup.",
            "/// markdown::plain(\"# A *b*\\n[c](/d) and `e`\") // => \"A b\\nc and e\"",
        ])
        .function("plain", ["text: string", "string"], plain)
        .docs(&[
            "/// The text written so that Markdown shows it as it is.",
            "/// markdown::escape(\"*a* [b]\") // => \"\\\\*a\\\\* \\\\[b\\\\]\"",
        ])
        .function("escape", ["text: string", "string"], escape);
}

fn number(count: usize) -> Dynamic {
    Dynamic::from_int(i64::try_from(count).unwrap_or(i64::MAX))
}

/// A text as a value of its own.
fn value(pace: &mut Pace, text: &str) -> Outcome<Dynamic> {
    meter::reserve(text.len())?;
    pace.touch(text.len())?;
    Ok(text.into())
}

/// A map, whose entries take some room beside their values.
fn map<const N: usize>(pace: &mut Pace, entries: [(&str, Dynamic); N]) -> Outcome<Dynamic> {
    meter::reserve(1024)?;
    pace.pay(8)?;
    let map: Map = entries.into_iter().map(|(name, value)| (name.into(), value)).collect();
    Ok(Dynamic::from_map(map))
}

/// Makes the names that link to headings: the second of a name ends in `-1`, and so on.
#[derive(Default)]
struct Ids(HashMap<String, usize>);

impl Ids {
    fn id(&mut self, pace: &mut Pace, text: &str) -> Outcome<String> {
        let mut id = String::new();
        for c in text.chars() {
            let mut lower = [0; 4];
            match c {
                ' ' => pace.write(&mut id, "-")?,
                '-' | '_' => pace.write(&mut id, c.encode_utf8(&mut lower))?,
                c if c.is_alphanumeric() => {
                    for c in c.to_lowercase() {
                        pace.write(&mut id, c.encode_utf8(&mut lower))?;
                    }
                }
                _ => (),
            }
        }
        meter::reserve(id.len() + 128)?;
        pace.touch(id.len() + 64)?;
        let count = self.0.entry(id.clone()).or_default();
        if *count > 0 {
            pace.write(&mut id, &format!("-{count}"))?;
        }
        *count += 1;
        Ok(id)
    }
}

/// Gives every heading away, with its text.
fn each_heading(
    text: &str,
    mut act: impl FnMut(&mut Pace, &Heading, &str) -> Outcome<()>,
) -> Outcome<()> {
    let definitions = Definitions::of(text)?;
    let (mut blocks, mut pace) = (Blocks::of(text), Pace::default());
    while let Some(block) = blocks.next()? {
        if let Block::Heading(heading) = block {
            let shown = inline::plain(heading.text, &definitions)?;
            act(&mut pace, &heading, shown.trim())?;
        }
    }
    Ok(())
}

fn headings(text: &str) -> Outcome<Array> {
    let (mut result, mut ids) = (Array::new(), Ids::default());
    each_heading(text, |pace, heading, shown| {
        let id = ids.id(pace, shown)?;
        let entries = [
            ("level", number(heading.level)),
            ("text", value(pace, shown)?),
            ("line", number(heading.line)),
            ("id", value(pace, &id)?),
        ];
        let heading = map(pace, entries)?;
        pace.push(&mut result, heading)
    })?;
    Ok(result)
}

fn toc(text: &str, level: i64) -> Outcome<ImmutableString> {
    if !(1..=6).contains(&level) {
        return Err(refuse(format!(
            "markdown::toc: `level` is {level}; headings have the levels 1 to 6"
        )));
    }
    let (mut result, mut ids, mut top) = (String::new(), Ids::default(), None);
    each_heading(text, |pace, heading, shown| {
        let id = ids.id(pace, shown)?;
        if heading.level > usize::try_from(level).unwrap_or(6) {
            return Ok(());
        }
        if !result.is_empty() {
            pace.write(&mut result, "\n")?;
        }
        let depth = heading.level.saturating_sub(*top.get_or_insert(heading.level));
        pace.write_times(&mut result, "  ", depth)?;
        pace.write(&mut result, "- [")?;
        write_escaped(pace, &mut result, shown)?;
        pace.write(&mut result, "](#")?;
        pace.write(&mut result, &id)?;
        pace.write(&mut result, ")")
    })?;
    Ok(result.into())
}

fn section(text: &str, heading: &str) -> Outcome<Dynamic> {
    let wanted = heading.trim_start_matches('#').trim();
    if wanted.is_empty() {
        return Err(refuse(
            "markdown::section: `heading` is empty; write the words of the heading, such as \
             \"Usage\"",
        ));
    }
    let definitions = Definitions::of(text)?;
    let (mut blocks, mut pace) = (Blocks::of(text), Pace::default());
    let mut start: Option<(usize, usize)> = None;
    let mut end = text.len();
    while let Some(block) = blocks.next()? {
        let Block::Heading(found) = block else { continue };
        match start {
            Some((level, _)) if found.level <= level => {
                end = found.start;
                break;
            }
            Some(_) => (),
            None => {
                let shown = inline::plain(found.text, &definitions)?;
                pace.touch(shown.len())?;
                if shown.trim() == wanted {
                    start = Some((found.level, found.end));
                }
            }
        }
    }
    let Some((_, start)) = start else { return Ok(Dynamic::UNIT) };
    let body = text[start..end].trim_matches(['\n', '\r']);
    value(&mut pace, body.trim_end())
}

fn code_blocks(text: &str) -> Outcome<Array> {
    let (mut blocks, mut result, mut pace) = (Blocks::of(text), Array::new(), Pace::default());
    while let Some(block) = blocks.next()? {
        let Block::Code { info, code, line } = block else { continue };
        let language = info.split_whitespace().next().unwrap_or_default();
        let entries = [
            ("language", value(&mut pace, language)?),
            ("code", value(&mut pace, code)?),
            ("line", number(line)),
        ];
        let block = map(&mut pace, entries)?;
        pace.push(&mut result, block)?;
    }
    Ok(result)
}

fn links(text: &str) -> Outcome<Array> {
    let definitions = Definitions::of(text)?;
    let (mut blocks, mut result, mut pace) = (Blocks::of(text), Array::new(), Pace::default());
    while let Some(block) = blocks.next()? {
        let (text, line) = match block {
            Block::Heading(heading) => (heading.text, heading.line),
            Block::Text { text, line } => (text, line),
            Block::Code { .. } => continue,
        };
        let (mut at, mut line) = (0, line);
        for Link { place, text: words, url, title, is_image } in inline::links(text, &definitions)?
        {
            line += text[at..place].bytes().filter(|&byte| byte == b'\n').count();
            at = place;
            let entries = [
                ("text", value(&mut pace, &words)?),
                ("url", value(&mut pace, &url)?),
                ("title", title.map_or(Ok(Dynamic::UNIT), |title| value(&mut pace, &title))?),
                ("line", number(line)),
                ("is_image", Dynamic::from_bool(is_image)),
            ];
            let link = map(&mut pace, entries)?;
            pace.push(&mut result, link)?;
        }
    }
    Ok(result)
}

fn plain(text: &str) -> Outcome<ImmutableString> {
    let definitions = Definitions::of(text)?;
    let (mut blocks, mut pace) = (Blocks::of(text), Pace::default());
    let mut result = output(text.len())?;
    let mut last_line = 0;
    while let Some(block) = blocks.next()? {
        let (line, shown) = match block {
            Block::Heading(heading) => (heading.line, inline::plain(heading.text, &definitions)?),
            Block::Text { text, line } => (line, inline::plain(text, &definitions)?),
            Block::Code { code, line, .. } => (line, code.to_owned()),
        };
        let shown = shown.trim_matches(['\n', '\r']).trim_end();
        if shown.is_empty() {
            continue;
        }
        if !result.is_empty() {
            pace.write(&mut result, if line > last_line + 1 { "\n\n" } else { "\n" })?;
        }
        pace.write(&mut result, shown)?;
        last_line = blocks.line() - 1;
    }
    Ok(result.into())
}

fn escape(text: &str) -> Outcome<ImmutableString> {
    let (mut result, mut pace) = (output(text.len())?, Pace::default());
    write_escaped(&mut pace, &mut result, text)?;
    Ok(result.into())
}

fn write_escaped(pace: &mut Pace, result: &mut String, text: &str) -> Outcome<()> {
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            pace.write(result, "\n")?;
        }
        let (head, mut rest) = line.split_at(starter(line));
        pace.write(result, head)?;
        if head.len() < line.len() && !head.is_empty() || is_marked(rest) {
            pace.write(result, "\\")?;
            let first = prefix(rest, 1);
            pace.write(result, first)?;
            rest = &rest[first.len()..];
        }
        while let Some(at) = rest.find(|c: char| "\\`*_[]<>|~&!".contains(c)) {
            pace.write(result, &rest[..at])?;
            pace.write(result, "\\")?;
            pace.write(result, &rest[at..=at])?;
            rest = &rest[at + 1..];
        }
        pace.write(result, rest)?;
    }
    Ok(())
}

/// How much of a line stands before the sign that makes it an item of a numbered list.
fn starter(line: &str) -> usize {
    let bare = line.trim_start();
    let digits = bare.bytes().take_while(u8::is_ascii_digit).count();
    let is_item = digits > 0 && bare[digits..].starts_with(['.', ')']);
    if is_item { line.len() - bare.len() + digits } else { 0 }
}

/// Whether a line begins with a sign that makes it a heading, an item or a rule.
fn is_marked(line: &str) -> bool {
    line.starts_with(['#', '+', '-', '='])
}
