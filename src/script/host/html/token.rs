//! A page as tags and texts, one after another.
//!
//! Every byte is looked at a fixed number of times: what has no end reaches to the end of the page. As far
//! as it goes this is the tokenizer of the HTML standard, without its errors.

use std::str::CharIndices;

/// A piece of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// What stands between tags, names of characters included.
    Text(&'a str),
    /// `<p class=x>`; `attributes` is what follows the name.
    Open { name: &'a str, attributes: &'a str },
    /// `</p>`
    Close(&'a str),
    /// A comment, a declaration, or what nobody sees.
    Other(&'a str),
}

impl Token<'_> {
    /// The bytes of the page that it takes, or about so many.
    pub fn length(&self) -> usize {
        match self {
            Self::Text(text) | Self::Other(text) | Self::Close(text) => text.len(),
            Self::Open { name, attributes } => name.len() + attributes.len(),
        }
    }
}

/// The pieces of a page.
pub(super) struct Tokens<'a> {
    rest: &'a str,
    /// The element whose text is no markup, where one is open.
    raw: Option<&'a str>,
}

impl<'a> Tokens<'a> {
    pub fn new(page: &'a str) -> Self {
        Self { rest: page, raw: None }
    }

    fn take(&mut self, length: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// The text of an element that holds no tags, up to its end.
    fn raw(&mut self, name: &str) -> Token<'a> {
        let mut from = 0;
        let end = loop {
            let Some(at) = self.rest[from..].find("</") else { break self.rest.len() };
            let after = &self.rest[from + at + 2..];
            let is_end = after.get(..name.len()).is_some_and(|end| end.eq_ignore_ascii_case(name))
                && !after[name.len()..].starts_with(|c: char| c.is_ascii_alphanumeric());
            if is_end {
                break from + at;
            }
            from += at + 2;
        };
        let text = self.take(end);
        if is_shown(name) { Token::Text(text) } else { Token::Other(text) }
    }

    /// A tag, or what looks like one; the rest begins with `<`.
    fn markup(&mut self) -> Token<'a> {
        let after = &self.rest[1..];
        let is_letter = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic());
        if after.starts_with("!--") {
            // `<!-->` is a comment as well.
            let end = self.rest[2..].find("-->").map_or(self.rest.len(), |at| at + 5);
            return Token::Other(self.take(end));
        }
        if after.starts_with(['!', '?']) || (after.starts_with('/') && !is_letter(&after[1..])) {
            let end = self.rest.find('>').map_or(self.rest.len(), |at| at + 1);
            return Token::Other(self.take(end));
        }
        let is_close = after.starts_with('/');
        if !is_close && !is_letter(after) {
            return Token::Text(self.take(1));
        }
        let end = end_of_tag(self.rest);
        let tag = self.take(end);
        let inner = tag.strip_suffix('>').unwrap_or(tag);
        let inner = &inner[1 + usize::from(is_close)..];
        let length = inner.find(|c: char| c.is_ascii_whitespace() || c == '/');
        let (name, attributes) = inner.split_at(length.unwrap_or(inner.len()));
        if is_close {
            return Token::Close(name);
        }
        self.raw = is_raw(name).then_some(name);
        Token::Open { name, attributes }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        if let Some(name) = self.raw.take() {
            return Some(self.raw(name));
        }
        Some(match self.rest.find('<') {
            Some(0) => self.markup(),
            Some(at) => Token::Text(self.take(at)),
            None => Token::Text(self.take(self.rest.len())),
        })
    }
}

/// Elements whose text is no markup.
fn is_raw(name: &str) -> bool {
    const NAMES: [&str; 9] = [
        "script",
        "style",
        "title",
        "textarea",
        "xmp",
        "iframe",
        "noembed",
        "noframes",
        "plaintext",
    ];
    NAMES.iter().any(|raw| raw.eq_ignore_ascii_case(name))
}

fn is_shown(name: &str) -> bool {
    ["title", "textarea", "xmp", "plaintext"].iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// The bytes of the tag that `text` begins with, its `>` included. A `>` in a quoted value is none.
fn end_of_tag(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut before = b' ';
    for (index, &byte) in bytes.iter().enumerate() {
        match (quote, byte) {
            (Some(open), byte) if byte == open => quote = None,
            (Some(_), _) => (),
            (None, b'>') => return index + 1,
            // A quote that does not follow `=` is a part of a name.
            (None, b'"' | b'\'') if before == b'=' => quote = Some(byte),
            (None, _) => (),
        }
        if !byte.is_ascii_whitespace() {
            before = byte;
        }
    }
    bytes.len()
}

/// The value of the first of `attributes` with that name, as it is written.
pub(super) fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
    each_attribute(attributes).find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, v)| v)
}

fn each_attribute(attributes: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_gap = |c: char| c.is_ascii_whitespace() || c == '/';
    let mut rest = attributes;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(is_gap);
        if rest.is_empty() {
            return None;
        }
        let end = position(rest.char_indices(), |c| is_gap(c) || c == '=').max(1);
        let end = (end..=rest.len()).find(|end| rest.is_char_boundary(*end)).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let Some(value) = after.trim_start().strip_prefix('=').map(str::trim_start) else {
            rest = after;
            return Some((name, ""));
        };
        let (value, after) = match value.as_bytes().first() {
            Some(quote @ (b'"' | b'\'')) => {
                let inner = &value[1..];
                let end = inner.find(char::from(*quote)).unwrap_or(inner.len());
                (&inner[..end], inner.get(end + 1..).unwrap_or_default())
            }
            _ => value.split_at(position(value.char_indices(), |c| c.is_ascii_whitespace())),
        };
        rest = after;
        Some((name, value))
    })
}

fn position(mut chars: CharIndices<'_>, is_end: impl Fn(char) -> bool) -> usize {
    let length = chars.as_str().len();
    chars.find(|(_, c)| is_end(*c)).map_or(length, |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(page: &str) -> String {
        let shown = Tokens::new(page).map(|token| match token {
            Token::Text(text) => format!("[{text}]"),
            Token::Open { name, attributes } => format!("<{name}|{attributes}>"),
            Token::Close(name) => format!("</{name}>"),
            Token::Other(_) => "~".to_owned(),
        });
        shown.collect()
    }

    #[test]
    fn pages_fall_into_tags_and_texts() {
        for (page, wanted) in [
            ("a<p class=x>b</p >", "[a]<p| class=x>[b]</p>"),
            ("<a title=\"x > y\" href='>'>z", "<a| title=\"x > y\" href='>'>[z]"),
            ("1 < 2 <3 </ x> <", "[1 ][<][ 2 ][<][3 ]~[ ][<]"),
            ("<!-- <p> --><!DOCTYPE html><?x?><!-->a", "~~~~[a]"),
            ("<script>a<b></scripts></SCRIPT >c", "<script|>~</SCRIPT>[c]"),
            ("<title>a<b></title>", "<title|>[a<b>]</title>"),
            ("<script>a", "<script|>~"),
            ("<a href=\"", "<a| href=\">"),
            ("<!-- a", "~"),
            ("<br/><p/class=a>", "<br|/><p|/class=a>"),
        ] {
            assert_eq!(shown(page), wanted, "{page}");
        }
    }

    #[test]
    fn attributes_are_found_however_they_are_written() {
        let text = " a b=1 /c = 'x y' HREF=\"/z\"href=/no d='";
        for (name, value) in [
            ("a", Some("")),
            ("b", Some("1")),
            ("c", Some("x y")),
            ("href", Some("/z")),
            ("d", Some("")),
            ("e", None),
        ] {
            assert_eq!(attribute(text, name), value, "{name}");
        }
        assert_eq!(attribute("=é=1 x=2", "x"), Some("2"));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_and_nothing_of_it_twice(page in "(<|>|</|!--|-->|=|\"|'| |a|é|script|&){0,60}") {
            let mut total = 0;
            for token in Tokens::new(&page) {
                total += token.length();
                if let Token::Open { attributes, .. } = token {
                    attribute(attributes, "href");
                }
            }
            prop_assert!(total <= page.len());
        }
    }
}
