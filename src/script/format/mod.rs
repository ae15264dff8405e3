//! `peasy fmt`: one way to lay a script out, which never changes what it means.
//!
//! Lines are neither joined nor split; strings, comments and what stands in `${…}` stay to the letter. What
//! comes out is read again and compared with what went in, token by token and word by word; where they
//! differ, the script stays as it is. Nothing here reads or writes a file.

mod doc;
mod layout;
mod same;
mod scan;

use super::parse::Abort;
use crate::diagnostic::Diagnostic;
use crate::limit::Limit;
use layout::{Layout, text_of};
use scan::{Kind, Line, scan};
use std::rc::Rc;

/// Most descriptions whose places are tried out one by one.
const MOST_TRIED: usize = 64;

/// Lays a script out. `name` stands in diagnostics.
///
/// The parser recurses: this is for a thread with a large stack.
///
/// # Errors
///
/// The script cannot be parsed, or would mean something else (`source/format`).
pub(super) fn format(
    name: &str,
    text: &str,
    abort: fn() -> Option<Limit>,
) -> Result<String, Box<Diagnostic>> {
    let abort: Abort = Rc::new(abort);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let meaning = same::Meaning::of(name, text, &abort)?;
    let laid_out = lay_out(text).ok_or_else(|| refused(name))?;
    let is_same = |new: &str| same::Meaning::of(name, new, &abort).is_ok_and(|new| new == meaning);
    if !is_same(&laid_out) {
        return Err(refused(name).into());
    }
    Ok(doc::move_descriptions(&laid_out, MOST_TRIED, is_same))
}

fn refused(name: &str) -> Diagnostic {
    Diagnostic::host(
        "source/format",
        format!("`{name}` would mean something else if it was laid out"),
    )
    .in_file(name)
    .help("it stays as it is; please report what it holds, for this is a defect of `peasy fmt`")
}

/// The text with its lines and spaces in order; `None` where a string or a comment does not end.
fn lay_out(text: &str) -> Option<String> {
    let lines = doc::spaced(scan(text)?);
    let end = if has_returns(text) { "\r\n" } else { "\n" };
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut layout = Layout::new();
    for (index, line) in lines.iter().enumerate() {
        let next = lines[index + 1..]
            .iter()
            .flat_map(|line| &line.pieces)
            .find(|piece| !matches!(piece.kind, Kind::LineComment | Kind::BlockComment));
        if line.gap > 0 && index > 0 {
            out.push_str(end);
        }
        let indent = layout.indent(line, next);
        out.extend(std::iter::repeat_n(' ', indent));
        text_of(line, &mut out);
        out.push_str(end);
    }
    Some(out)
}

/// Whether every line ends as those of Windows do.
fn has_returns(text: &str) -> bool {
    let ends = text.matches('\n').count();
    ends > 0 && text.matches("\r\n").count() == ends
}

/// A line that is nothing but a comment.
fn comment_of<'a>(line: &Line<'a>) -> Option<&'a str> {
    match line.pieces.as_slice() {
        [only] if only.kind == Kind::LineComment => Some(only.text),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
