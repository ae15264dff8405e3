//! Doc comments as lines: the description before the first tag, and each tag with its text and
//! the more indented lines below it.
//!
//! Knows the shape of a tag and nothing of any one tag.

use crate::diagnostic::{Diagnostic, Span};
use crate::script::parse::DocLine;

/// A piece of a line and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub text: &'a str,
    pub line: u32,
    /// The column of its first character, from 1.
    pub column: u32,
}

impl<'a> Piece<'a> {
    /// The rest after some bytes.
    pub fn skip(self, bytes: usize) -> Self {
        let (taken, rest) = self.text.split_at_checked(bytes).unwrap_or((self.text, ""));
        let characters = u32::try_from(taken.chars().count()).unwrap_or(u32::MAX);
        Self { text: rest, column: self.column.saturating_add(characters), ..self }
    }

    /// The rest after the white space at its start.
    pub fn trim(self) -> Self {
        let rest = self.skip(self.text.len() - self.text.trim_start().len());
        Self { text: rest.text.trim_end(), ..rest }
    }

    /// Its first word and the trimmed rest.
    pub fn word(self) -> (Self, Self) {
        let piece = self.trim();
        let end = piece.text.find(char::is_whitespace).unwrap_or(piece.text.len());
        (Self { text: &piece.text[..end], ..piece }, piece.skip(end).trim())
    }

    /// Where it stands; one column where it is empty.
    pub fn span(self) -> Span {
        Span::new(self.line as usize, self.column as usize, self.text.chars().count())
    }

    pub fn is_empty(self) -> bool {
        self.text.is_empty()
    }
}

/// One tag: `@name text`, and what the indented lines below it say.
#[derive(Debug, Clone)]
pub(super) struct Tag<'a> {
    /// The name without `@`.
    pub name: Piece<'a>,
    /// What follows the name on its line, trimmed.
    pub text: Piece<'a>,
    /// The indented lines below, joined by line feeds.
    pub below: String,
}

impl Tag<'_> {
    /// The tag's name with its `@`.
    pub fn span(&self) -> Span {
        Span::new(
            self.name.line as usize,
            self.name.column.saturating_sub(1) as usize,
            self.name.text.chars().count() + 1,
        )
    }

    /// The description: what the tag's line says after its arguments, where ` - ` leads it, and
    /// the lines below.
    ///
    /// # Errors
    ///
    /// Something else follows the arguments (`annotation/trailing`).
    pub fn description(&self, rest: Piece<'_>) -> Result<String, Box<Diagnostic>> {
        let rest = rest.trim();
        if rest.is_empty() {
            return Ok(self.below.clone());
        }
        let Some(inline) = ["- ", "– ", "— "].iter().find_map(|dash| rest.text.strip_prefix(dash))
        else {
            return Err(Box::new(
                Diagnostic::author(
                    "annotation/trailing",
                    format!("`{}` follows what `@{}` takes", clip(rest.text), self.name.text),
                )
                .at(rest.span(), "")
                .help("a description stands on the next line, indented by two more spaces"),
            ));
        };
        let mut description = inline.trim().to_owned();
        if !self.below.is_empty() {
            description.push('\n');
            description.push_str(&self.below);
        }
        Ok(description)
    }
}

/// A text short enough for a message.
pub(super) fn clip(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A doc comment, taken apart.
#[derive(Debug, Default)]
pub(super) struct Comment<'a> {
    /// The paragraphs before the first tag.
    pub description: String,
    pub tags: Vec<Tag<'a>>,
    /// Text after a tag that is not indented, and so belongs to none.
    pub stray: Option<Piece<'a>>,
}

impl<'a> Comment<'a> {
    pub fn parse(lines: &'a [DocLine]) -> Self {
        let mut comment = Self::default();
        let mut description = Text::default();
        let mut below = Text::default();
        let mut indent = 0;
        for line in lines {
            let piece = Piece { text: &line.text, line: line.line, column: line.column };
            let trimmed = piece.trim();
            let here = trimmed.column;
            let code = description.fenced || below.fenced;
            if !code && let Some(tag) = tag_of(trimmed) {
                comment.close(&mut below);
                comment.tags.push(tag);
                indent = here;
            } else if comment.tags.is_empty() {
                description.push(piece);
            } else if trimmed.is_empty() || here > indent || code {
                below.push(piece);
            } else {
                comment.close(&mut below);
                comment.stray.get_or_insert(trimmed);
            }
        }
        comment.close(&mut below);
        comment.description = description.finish();
        comment
    }

    fn close(&mut self, below: &mut Text<'_>) {
        let text = std::mem::take(below).finish();
        if let Some(tag) = self.tags.last_mut()
            && tag.below.is_empty()
        {
            tag.below = text;
        }
    }
}

fn tag_of(piece: Piece<'_>) -> Option<Tag<'_>> {
    let name = piece.text.strip_prefix('@')?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let end =
        name.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).unwrap_or(name.len());
    let end = if name[end..].starts_with('?') { end + 1 } else { end };
    let after = piece.skip(1);
    Some(Tag {
        name: Piece { text: &name[..end], ..after },
        text: after.skip(end).trim(),
        below: String::new(),
    })
}

/// Lines of text, with the indentation that all of them share taken away.
#[derive(Debug, Default)]
struct Text<'a> {
    lines: Vec<&'a str>,
    /// Whether a code block is open; what looks like a tag in one is none.
    fenced: bool,
}

impl<'a> Text<'a> {
    fn push(&mut self, piece: Piece<'a>) {
        if piece.text.trim_start().starts_with("```") {
            self.fenced = !self.fenced;
        }
        self.lines.push(piece.text);
    }

    fn finish(self) -> String {
        let indent_of = |line: &str| line.len() - line.trim_start().len();
        let indents = self.lines.iter().filter(|line| !line.trim().is_empty());
        let shared = indents.map(|line| indent_of(line)).min().unwrap_or(0);
        let length = self.lines.iter().map(|line| line.len() + 1).sum();
        let mut text = String::with_capacity(length);
        for line in &self.lines {
            text.push_str(line.get(shared..).unwrap_or("").trim_end());
            text.push('\n');
        }
        text.truncate(text.trim_end_matches('\n').len());
        if text.starts_with('\n') { text.trim_start_matches('\n').to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<DocLine> {
        text.lines()
            .zip(1..)
            .map(|(text, line)| DocLine { line, column: 4, text: text.into() })
            .collect()
    }

    #[test]
    fn a_comment_is_a_description_and_tags_with_what_is_indented_below() {
        let lines =
            lines(" One.\n\n Two.\n @param a int = 1 - inline\n   More\n     of it.\n @tool");
        let comment = Comment::parse(&lines);
        assert_eq!(comment.description, "One.\n\nTwo.");
        let [param, tool] = &comment.tags[..] else { panic!("{comment:?}") };
        assert_eq!((param.name.text, param.text.text), ("param", "a int = 1 - inline"));
        assert_eq!(param.below, "More\n  of it.");
        assert_eq!((tool.span(), tool.text.is_empty()), (Span::new(7, 5, 5), true));
    }

    #[test]
    fn a_code_block_holds_no_tags() {
        let lines = lines(" Like this:\n ```\n @tool\n ```\n @tool");
        let comment = Comment::parse(&lines);
        assert_eq!(comment.tags.len(), 1);
        assert!(comment.description.contains("@tool"));
    }

    #[test]
    fn text_that_is_not_indented_belongs_to_no_tag() {
        let lines = lines(" @tool\n Count words.");
        let comment = Comment::parse(&lines);
        assert_eq!(comment.stray.map(|piece| piece.text), Some("Count words."));
    }
}
