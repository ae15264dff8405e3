//! Reads the text of an annotation from left to right. Knows no grammar.

use super::TypeError;

/// A place in a text. Errors count in characters, everything else in bytes.
pub(super) struct Cursor<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// Bytes read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Goes back to a place that [`Cursor::at`] named.
    pub(super) fn back_to(&mut self, at: usize) {
        self.at = at;
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn since(&self, start: usize) -> &'t str {
        &self.text[start..self.at]
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    pub(super) fn skip_space(&mut self) {
        self.take_while(char::is_whitespace);
    }

    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    /// Letters, digits and underscores, of any script; may be empty.
    pub(super) fn word(&mut self) -> &'t str {
        self.take_while(|c| c.is_alphanumeric() || c == '_')
    }

    /// What stands here, for a message: `` `x` `` or `the end`.
    pub(super) fn here(&self) -> String {
        match self.peek() {
            None => "the text ends".to_owned(),
            Some(next) => format!("`{next}` stands"),
        }
    }

    /// An error about the text from `start` (in bytes) to here.
    pub(super) fn error_since(
        &self,
        code: &'static str,
        start: usize,
        message: impl Into<String>,
    ) -> TypeError {
        let offset = self.text[..start].chars().count();
        TypeError::new(code, offset, self.since(start).chars().count(), message)
    }

    /// An error about the next character.
    pub(super) fn error_here(&self, code: &'static str, message: impl Into<String>) -> TypeError {
        TypeError::new(code, self.text[..self.at].chars().count(), 1, message)
    }

    /// A string in double quotes, which is what stands here, with the escapes of JSON and those of
    /// Rhai. It ends on the line where it began.
    pub(super) fn string(&mut self, code: &'static str) -> Result<String, TypeError> {
        self.quoted('"', code)
    }

    /// As [`Cursor::string`], between two of any quotation mark.
    pub(super) fn quoted(&mut self, mark: char, code: &'static str) -> Result<String, TypeError> {
        let start = self.at;
        self.bump();
        let mut text = String::new();
        loop {
            let before = self.at;
            match self.bump() {
                Some('\\') => text.push(self.escape(before, code)?),
                Some(c) if c == mark => return Ok(text),
                Some('\n' | '\r') | None => {
                    self.at = before;
                    let message = format!("the text that `{mark}` opens has no end");
                    return Err(self
                        .error_since(code, start, message)
                        .help(format!("close it with `{mark}`; write a line break as `\\n`")));
                }
                Some(c) => text.push(c),
            }
        }
    }

    fn escape(&mut self, start: usize, code: &'static str) -> Result<char, TypeError> {
        let escaped = match self.bump() {
            Some('n') => Some('\n'),
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some(c @ ('"' | '\'' | '\\' | '/')) => Some(c),
            Some('x') => self.hex(2).and_then(char::from_u32),
            Some('u') => self.utf16(),
            Some('U') => self.hex(8).and_then(char::from_u32),
            _ => None,
        };
        escaped.ok_or_else(|| {
            let message = format!("`{}` is no escape", self.since(start));
            self.error_since(code, start, message)
                .help("the escapes are `\\\"`, `\\\\`, `\\n`, `\\r`, `\\t` and `\\u0041`")
        })
    }

    /// Four hexadecimal digits, or two such escapes that make a surrogate pair.
    fn utf16(&mut self) -> Option<char> {
        let high = self.hex(4)?;
        if !(0xD800..0xDC00).contains(&high) {
            return char::from_u32(high);
        }
        if !self.eat("\\u") {
            return None;
        }
        let low = self.hex(4).filter(|low| (0xDC00..0xE000).contains(low))?;
        char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let text = self.rest().get(..digits).filter(|text| !text.starts_with('+'))?;
        let value = u32::from_str_radix(text, 16).ok()?;
        self.at += digits;
        Some(value)
    }
}

/// At most `limit` characters of a text, with an ellipsis where more was cut off.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
