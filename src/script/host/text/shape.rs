//! How a text looks: padding, wrapping, indentation, cutting to a length.

use super::work::{self, Pace, byte_of_char, count_chars, kept, output, windows};
use crate::script::host::ModuleBuilder;
use crate::script::meter;
use crate::script::native::compare::Outcome;
use rhai::{Dynamic, ImmutableString};

pub(super) fn register(builder: &mut ModuleBuilder) {
    register_widths(builder);
    register_lines(builder);
}

fn register_widths(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The text with spaces before it, until it has `width` characters.",
            "/// text::pad_start(\"7\", 3) // => \"  7\"",
        ])
        .function("pad_start", ["text: string", "width: int", "string"], pad_start)
        .docs(&[
            "/// The same with another filling than spaces.",
            "/// text::pad_start(\"7\", 3, \"0\") // => \"007\"",
        ])
        .function(
            "pad_start",
            ["text: string", "width: int", "fill: string", "string"],
            pad_start_with,
        )
        .docs(&[
            "/// The text with spaces after it, until it has `width` characters.",
            "/// text::pad_end(\"ab\", 4) + \"|\" // => \"ab  |\"",
        ])
        .function("pad_end", ["text: string", "width: int", "string"], pad_end)
        .docs(&[
            "/// The same with another filling than spaces.",
            "/// text::pad_end(\"ab\", 5, \".\") // => \"ab...\"",
        ])
        .function("pad_end", ["text: string", "width: int", "fill: string", "string"], pad_end_with)
        .docs(&[
            "/// The text with spaces on both sides, until it has `width` characters.",
            "/// text::center(\"ab\", 5) // => \" ab  \"",
        ])
        .function("center", ["text: string", "width: int", "string"], center)
        .docs(&[
            "/// The same with another filling than spaces.",
            "/// text::center(\" ab \", 8, \"=\") // => \"== ab ==\"",
        ])
        .function("center", ["text: string", "width: int", "fill: string", "string"], center_with)
        .docs(&[
            "/// The text so many times in a row.",
            "/// text::repeat(\"ab\", 3) // => \"ababab\"",
        ])
        .function("repeat", ["text: string", "times: int", "string"], repeat)
        .docs(&["/// The characters in reverse order.", "/// text::reverse(\"añb\") // => \"bña\""])
        .function("reverse", ["text: string", "string"], reverse)
        .docs(&[
            "/// The text cut to at most so many characters; `…` shows that something is missing.",
            "/// text::truncate(\"hello world\", 8) // => \"hello w…\"",
        ])
        .function("truncate", ["text: string", "length: int", "string"], truncate)
        .docs(&[
            "/// The same with another mark, which counts as part of the length.",
            "/// text::truncate(\"hello world\", 8, \"...\") // => \"hello...\"",
        ])
        .function(
            "truncate",
            ["text: string", "length: int", "mark: string", "string"],
            truncate_with,
        );
}

fn register_lines(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// Breaks lines that are longer than `width` characters, between words where it can.",
            "/// text::wrap(\"the quick brown fox\", 10) // => \"the quick\\nbrown fox\"",
        ])
        .function("wrap", ["text: string", "width: int", "string"], wrap)
        .docs(&[
            "/// Puts so many spaces before each line that is not blank.",
            "/// text::indent(\"a\\n\\nb\", 2) // => \"  a\\n\\n  b\"",
        ])
        .function("indent", ["text: string", "spaces: int", "string"], indent)
        .docs(&[
            "/// Puts a prefix before each line that is not blank.",
            "/// text::indent(\"a\\nb\", \"> \") // => \"> a\\n> b\"",
        ])
        .function("indent", ["text: string", "prefix: string", "string"], indent_with)
        .docs(&[
            "/// Removes the white space that all lines have in common at their start.",
            "/// text::dedent(\"  a\\n    b\\n\") // => \"a\\n  b\\n\"",
        ])
        .function("dedent", ["text: string", "string"], dedent)
        .docs(&[
            "/// Puts its number before each line, counting from 1.",
            "/// text::number_lines(\"a\\nb\") // => \"1: a\\n2: b\"",
        ])
        .function("number_lines", ["text: string", "string"], number_lines)
        .docs(&[
            "/// The same, counting from another number.",
            "/// text::number_lines(\"a\\nb\", 9) // => \" 9: a\\n10: b\"",
        ])
        .function("number_lines", ["text: string", "start: int", "string"], number_lines_from);
}

/// Where the filling goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Start,
    End,
    Both,
}

fn pad_start(text: ImmutableString, width: i64) -> Outcome<ImmutableString> {
    pad("text::pad_start", &text, width, " ", Side::Start)
}

fn pad_start_with(text: ImmutableString, width: i64, fill: Dynamic) -> Outcome<ImmutableString> {
    let fill = work::needle("text::pad_start", "fill", &fill)?;
    pad("text::pad_start", &text, width, &fill, Side::Start)
}

fn pad_end(text: ImmutableString, width: i64) -> Outcome<ImmutableString> {
    pad("text::pad_end", &text, width, " ", Side::End)
}

fn pad_end_with(text: ImmutableString, width: i64, fill: Dynamic) -> Outcome<ImmutableString> {
    let fill = work::needle("text::pad_end", "fill", &fill)?;
    pad("text::pad_end", &text, width, &fill, Side::End)
}

fn center(text: ImmutableString, width: i64) -> Outcome<ImmutableString> {
    pad("text::center", &text, width, " ", Side::Both)
}

fn center_with(text: ImmutableString, width: i64, fill: Dynamic) -> Outcome<ImmutableString> {
    let fill = work::needle("text::center", "fill", &fill)?;
    pad("text::center", &text, width, &fill, Side::Both)
}

fn pad(
    function: &str,
    text: &ImmutableString,
    width: i64,
    fill: &str,
    side: Side,
) -> Outcome<ImmutableString> {
    let missing = work::amount(function, "width", width)?.saturating_sub(count_chars(text)?);
    if missing == 0 {
        return Ok(text.clone());
    }
    let before = match side {
        Side::Start => missing,
        Side::End => 0,
        Side::Both => missing / 2,
    };
    let unit = count_chars(fill)?;
    let bytes = (missing / unit + 2).saturating_mul(fill.len()).saturating_add(text.len());
    let (mut result, mut pace) = (output(bytes)?, Pace::default());
    write_fill(&mut pace, &mut result, fill, unit, before)?;
    pace.write(&mut result, text)?;
    write_fill(&mut pace, &mut result, fill, unit, missing - before)?;
    Ok(result.into())
}

/// Writes `wanted` characters of the filling, which has `unit`.
fn write_fill(
    pace: &mut Pace,
    result: &mut String,
    fill: &str,
    unit: usize,
    wanted: usize,
) -> Outcome<()> {
    pace.write_times(result, fill, wanted / unit)?;
    pace.write(result, &fill[..byte_of_char(fill, wanted % unit)?])
}

fn repeat(text: ImmutableString, times: i64) -> Outcome<ImmutableString> {
    let times = work::amount("text::repeat", "times", times)?;
    if times == 1 {
        return Ok(text);
    }
    let mut result = output(text.len().saturating_mul(times))?;
    Pace::default().write_times(&mut result, &text, times)?;
    Ok(result.into())
}

fn reverse(text: &str) -> Outcome<ImmutableString> {
    let mut result = output(text.len())?;
    let parts: Vec<&str> = windows(text).collect();
    for window in parts.into_iter().rev() {
        meter::charge_bytes(window.len())?;
        result.extend(window.chars().rev());
    }
    Ok(result.into())
}

fn truncate(text: ImmutableString, length: i64) -> Outcome<ImmutableString> {
    cut_to(&text, length, "…")
}

fn truncate_with(text: ImmutableString, length: i64, mark: Dynamic) -> Outcome<ImmutableString> {
    cut_to(&text, length, &work::text_of("text::truncate", "mark", &mark)?)
}

fn cut_to(text: &ImmutableString, length: i64, mark: &str) -> Outcome<ImmutableString> {
    let length = work::amount("text::truncate", "length", length)?;
    if byte_of_char(text, length)? == text.len() {
        return Ok(text.clone());
    }
    let mark = &mark[..byte_of_char(mark, length)?];
    let rest = byte_of_char(text, length - count_chars(mark)?)?;
    let (mut result, mut pace) = (output(rest + mark.len())?, Pace::default());
    pace.write(&mut result, &text[..rest])?;
    pace.write(&mut result, mark)?;
    Ok(result.into())
}

fn wrap(text: ImmutableString, width: i64) -> Outcome<ImmutableString> {
    let width = work::positive("text::wrap", "width", width)?;
    let (mut result, mut pace) = (output(text.len())?, Pace::default());
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        if byte_of_char(line, width)? == line.len() {
            pace.write(&mut result, line)?;
        } else {
            wrap_line(&mut pace, &mut result, line, width)?;
        }
        pace.write(&mut result, end)?;
    }
    Ok(result.into())
}

fn wrap_line(pace: &mut Pace, result: &mut String, line: &str, width: usize) -> Outcome<()> {
    let (mut column, mut is_first) = (0, true);
    for mut word in line.split_whitespace() {
        let mut length = count_chars(word)?;
        if !std::mem::take(&mut is_first) {
            let fits = length < width.saturating_sub(column);
            pace.write(result, if fits { " " } else { "\n" })?;
            column = if fits { column + 1 } else { 0 };
        }
        while length > width {
            let (head, rest) = word.split_at(byte_of_char(word, width)?);
            pace.write(result, head)?;
            pace.write(result, "\n")?;
            (word, length) = (rest, length - width);
        }
        pace.write(result, word)?;
        column += length;
    }
    Ok(())
}

fn indent(text: &str, spaces: i64) -> Outcome<ImmutableString> {
    let spaces = work::amount("text::indent", "spaces", spaces)?;
    let mut prefix = output(spaces)?;
    Pace::default().write_times(&mut prefix, " ", spaces)?;
    indent_with(text, &prefix)
}

fn indent_with(text: &str, prefix: &str) -> Outcome<ImmutableString> {
    let (mut result, mut pace) = (output(text.len())?, Pace::default());
    for line in text.split_inclusive('\n') {
        if !line.trim_start().is_empty() {
            pace.write(&mut result, prefix)?;
        }
        pace.write(&mut result, line)?;
    }
    Ok(result.into())
}

fn dedent(text: ImmutableString) -> Outcome<ImmutableString> {
    let mut pace = Pace::default();
    let mut common: Option<&str> = None;
    for line in text.lines() {
        let rest = line.trim_start();
        let margin = &line[..line.len() - rest.len()];
        pace.touch(margin.len())?;
        if !rest.is_empty() {
            common = Some(common.map_or(margin, |common| shared_start(common, margin)));
        }
    }
    let margin = common.unwrap_or_default();
    let mut result = output(text.len())?;
    for line in text.split_inclusive('\n') {
        let rest =
            line.strip_prefix(margin).unwrap_or_else(|| line.trim_start_matches([' ', '\t']));
        pace.touch(line.len() - rest.len())?;
        pace.write(&mut result, rest)?;
    }
    kept(&text, &result)
}

/// What two texts have in common at their start.
fn shared_start<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.chars().zip(b.chars()).take_while(|(a, b)| a == b);
    &a[..same.map(|(c, _)| c.len_utf8()).sum()]
}

fn number_lines(text: &str) -> Outcome<ImmutableString> {
    number_lines_from(text, 1)
}

fn number_lines_from(text: &str, start: i64) -> Outcome<ImmutableString> {
    let start = work::amount("text::number_lines", "start", start)?;
    let mut pace = Pace::default();
    let mut count = 0_usize;
    for line in text.split_inclusive('\n') {
        pace.touch(line.len())?;
        count += 1;
    }
    let last = start.saturating_add(count.saturating_sub(1));
    let width = last.to_string().len();
    let bytes = count.saturating_mul(width + 2).saturating_add(text.len());
    let mut result = output(bytes)?;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        pace.write(&mut result, &format!("{:>width$}: ", start.saturating_add(index)))?;
        pace.write(&mut result, line)?;
    }
    Ok(result.into())
}
