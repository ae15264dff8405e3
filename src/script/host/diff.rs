//! `diff`: what changed between two texts, line by line.
//!
//! A line is compared with its end, so that a line break that was added or lost is a change. The
//! same two texts always give the same answer, however long it takes: what bounds the work is
//! counted, not timed.

mod lines;
#[cfg(test)]
mod tests;

use super::ModuleBuilder;
use super::options::Options;
use crate::script::host::text::work::{Pace, amount, output, refuse};
use crate::script::native::compare::Outcome;
use lines::{Change, Lines};
use rhai::{Array, Dynamic, ImmutableString, Map, Module, Shared};
use std::ops::Range;
use std::sync::OnceLock;

/// The module, built once.
pub(crate) fn module() -> Shared<Module> {
    static MODULE: OnceLock<Shared<Module>> = OnceLock::new();
    Shared::clone(MODULE.get_or_init(|| {
        let mut builder = ModuleBuilder::new();
        builder.about("What changed between two texts, line by line.");
        register(&mut builder);
        builder.build()
    }))
}

fn register(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The changes in the unified format, as `diff -u` and `git diff` show them; empty for equal texts.",
            "/// diff::unified(\"a\\nb\\n\", \"a\\nc\\n\") // => \"--- before\\n+++ after\\n@@ -1,2 +1,2 @@\\n a\\n-b\\n+c\\n\"",
        ])
        .function("unified", ["before: string", "after: string", "string"], unified)
        .docs(&[
            "/// The same with options: `context`, the lines shown around a change (3); `from` and `to`, the names \
             in the head.",
            "/// diff::unified(\"a\\nb\\n\", \"a\\nc\\n\", #{ context: 0, from: \"x\", to: \"y\" }) // => \"--- x\\n+++ y\\n@@ -2 +2 @@\\n-b\\n+c\\n\"",
        ])
        .function(
            "unified",
            ["before: string", "after: string", "options: map", "string"],
            unified_with,
        )
        .docs(&[
            "/// The lines that changed, each as `kind` (`added` or `removed`), `line` (its number, from 1, in the \
             text that has it) and `text`.",
            "/// diff::lines(\"a\\nb\", \"a\\nc\") // => [#{ kind: \"removed\", line: 2, text: \"b\" }, #{ kind: \"added\", line: 2, text: \"c\" }]",
        ])
        .function("lines", ["before: string", "after: string", "map[]"], changed_lines)
        .docs(&[
            "/// How many lines were `added` and `removed`, and how many are the `same`.",
            "/// diff::stat(\"a\\nb\\n\", \"a\\nc\\nd\\n\") // => #{ added: 2, removed: 1, same: 1 }",
        ])
        .function("stat", ["before: string", "after: string", "map"], stat);
}

/// What changed in a file, in the unified format; empty for equal texts. For hosts: without a call
/// nothing bounds it.
pub fn differences(before: &str, after: &str, name: &str) -> String {
    let names = [("from".into(), name.into()), ("to".into(), name.into())];
    match unified_with(before, after, names.into()) {
        Ok(text) => text.to_string(),
        // Of what it refuses, only a line break in the name can come from here.
        Err(_) => format!("{} changes\n", name.escape_debug()),
    }
}

fn unified(before: &str, after: &str) -> Outcome<ImmutableString> {
    unified_with(before, after, Map::new())
}

fn unified_with(before: &str, after: &str, options: Map) -> Outcome<ImmutableString> {
    let function = "diff::unified";
    let mut options = Options::new(function, &options);
    let context = amount(function, "context", options.number("context")?.unwrap_or(3))?;
    let from = options.text("from", "\"a.txt\"")?.unwrap_or_else(|| "before".into());
    let to = options.text("to", "\"b.txt\"")?.unwrap_or_else(|| "after".into());
    options.done()?;
    if from.contains(['\n', '\r']) || to.contains(['\n', '\r']) {
        return Err(refuse(format!(
            "{function}: `from` and `to` are the names of files; write them without line breaks"
        )));
    }
    let lines = Lines::of(before, after)?;
    let changes = lines.changes()?;
    let (mut out, mut pace) = (output(0)?, Pace::default());
    if changes.is_empty() {
        return Ok(out.into());
    }
    for (mark, name) in [("--- ", from), ("+++ ", to)] {
        pace.write(&mut out, mark)?;
        pace.write(&mut out, &name)?;
        pace.write(&mut out, "\n")?;
    }
    let mut rest = changes.as_slice();
    while !rest.is_empty() {
        // Changes whose context meets stand in one hunk.
        let is_apart =
            |pair: &[Change]| pair[1].before.start - pair[0].before.end > context.saturating_mul(2);
        let count = rest.windows(2).position(is_apart).map_or(rest.len(), |place| place + 1);
        let (hunk, others) = rest.split_at(count);
        write_hunk(&mut pace, &mut out, &lines, hunk, context)?;
        rest = others;
    }
    Ok(out.into())
}

fn write_hunk(
    pace: &mut Pace,
    out: &mut String,
    lines: &Lines,
    hunk: &[Change],
    context: usize,
) -> Outcome<()> {
    let [first, ..] = hunk else { return Ok(()) };
    let last = &hunk[hunk.len() - 1];
    let lead = context.min(first.before.start);
    let trail = context.min(lines.before.len() - last.before.end);
    let old = first.before.start - lead..last.before.end + trail;
    let new = first.after.start - lead..last.after.end + trail;
    pace.write(out, &format!("@@ -{} +{} @@\n", shown(&old), shown(&new)))?;
    let mut at = old.start;
    for change in hunk {
        write_lines(pace, out, " ", &lines.before[at..change.before.start])?;
        write_lines(pace, out, "-", &lines.before[change.before.clone()])?;
        write_lines(pace, out, "+", &lines.after[change.after.clone()])?;
        at = change.before.end;
    }
    write_lines(pace, out, " ", &lines.before[at..old.end])
}

/// A range of lines as the head of a hunk shows it: the first line and how many, unless it is one;
/// the line before it where there is none.
fn shown(range: &Range<usize>) -> String {
    match range.len() {
        0 => format!("{},0", range.start),
        1 => format!("{}", range.start + 1),
        length => format!("{},{length}", range.start + 1),
    }
}

fn write_lines(pace: &mut Pace, out: &mut String, mark: &str, lines: &[&str]) -> Outcome<()> {
    for line in lines {
        pace.write(out, mark)?;
        pace.write(out, line)?;
        if !line.ends_with('\n') {
            pace.write(out, "\n\\ No newline at end of file\n")?;
        }
    }
    Ok(())
}

fn number(count: usize) -> Dynamic {
    Dynamic::from_int(i64::try_from(count).unwrap_or(i64::MAX))
}

fn changed_lines(before: &str, after: &str) -> Outcome<Array> {
    let lines = Lines::of(before, after)?;
    let (mut result, mut pace) = (Array::new(), Pace::default());
    for change in lines.changes()? {
        let removed = change.before.map(|place| ("removed", place, lines.before[place]));
        let added = change.after.map(|place| ("added", place, lines.after[place]));
        for (kind, place, text) in removed.chain(added) {
            let text = text.strip_suffix('\n').unwrap_or(text);
            let text = text.strip_suffix('\r').unwrap_or(text);
            crate::script::meter::reserve(text.len().saturating_add(256))?;
            pace.touch(text.len() + 512)?;
            let map: Map = [
                ("kind".into(), kind.into()),
                ("line".into(), number(place + 1)),
                ("text".into(), text.into()),
            ]
            .into();
            pace.push(&mut result, Dynamic::from_map(map))?;
        }
    }
    Ok(result)
}

fn stat(before: &str, after: &str) -> Outcome<Map> {
    let lines = Lines::of(before, after)?;
    let changes = lines.changes()?;
    let removed: usize = changes.iter().map(|change| change.before.len()).sum();
    let added: usize = changes.iter().map(|change| change.after.len()).sum();
    Ok([
        ("added".into(), number(added)),
        ("removed".into(), number(removed)),
        ("same".into(), number(lines.before.len() - removed)),
    ]
    .into())
}
