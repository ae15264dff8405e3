//! A script as pieces: what may be moved, and what stays to the letter. Knows where tokens begin and
//! end, and nothing of grammar; what it gets wrong, the comparison after formatting finds.

/// What a piece is, as far as spaces round it go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a number.
    Word,
    /// A word of the language that is no operand: `if`, `return`, `in`.
    Keyword,
    /// A string, a character or a text with values in it. May hold line ends.
    Text,
    /// `// …`, with `///` and `//!`.
    LineComment,
    /// `/* … */`. May hold line ends.
    BlockComment,
    /// An operator between two operands, and assignments.
    Binary,
    /// An operator before one operand.
    Unary,
    /// The `|` before the parameters of a closure, the one behind them, and `||`.
    PipeOpen,
    PipeClose,
    PipeBoth,
    Open,
    Close,
    Comma,
    Semicolon,
    Colon,
    /// `.`, `?.` and `::`.
    Dot,
    /// Anything else; the spaces round it stay.
    Other,
}

/// One piece of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece<'a> {
    pub kind: Kind,
    pub text: &'a str,
    /// The spaces before it.
    pub space: usize,
}

/// One line, as far as its pieces go on: a text of several lines and what follows it belong to the line
/// that it begins in.
#[derive(Debug, Default)]
pub(super) struct Line<'a> {
    pub pieces: Vec<Piece<'a>>,
    /// The empty lines before it.
    pub gap: usize,
}

/// Words that no operand ends with.
const KEYWORDS: [&str; 26] = [
    "let", "const", "if", "else", "switch", "while", "loop", "for", "in", "return", "throw", "do",
    "until", "fn", "private", "import", "export", "as", "break", "continue", "try", "catch",
    "case", "default", "and", "or",
];

/// Longest first, so that the first that fits is the one.
const OPERATORS: [&str; 41] = [
    "<<=", ">>=", "**=", "..=", "==", "!=", "<=", ">=", "<<", ">>", "+=", "-=", "*=", "/=", "%=",
    "^=", "&=", "|=", "&&", "||", "=>", "??", "?.", "?[", "::", "..", "**", "#{", "+", "-", "*",
    "/", "%", "<", ">", "=", "!", "^", "&", "|", ".",
];

/// Takes a text apart; `None` where a string or a comment does not end.
pub(super) fn scan(text: &str) -> Option<Vec<Line<'_>>> {
    let mut scanner = Scanner {
        text,
        at: 0,
        lines: Vec::new(),
        line: Line::default(),
        open: Vec::new(),
        last: None,
    };
    scanner.run()?;
    Some(scanner.lines)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    lines: Vec<Line<'a>>,
    line: Line<'a>,
    /// For each open bracket, whether the parameters of a closure are open in it.
    open: Vec<bool>,
    /// The last piece that is no comment.
    last: Option<Piece<'a>>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) -> Option<()> {
        self.open.push(false);
        let mut space = 0;
        if self.text.starts_with("#!") {
            self.push(Kind::LineComment, self.end_of_line(), 0);
        }
        while let Some(next) = self.rest().chars().next() {
            match next {
                '\n' => {
                    self.at += 1;
                    space = 0;
                    self.end_line();
                }
                c if c.is_whitespace() => {
                    self.at += c.len_utf8();
                    space += 1;
                }
                _ => {
                    let (kind, end) = self.piece()?;
                    self.push(kind, end, space);
                    space = 0;
                }
            }
        }
        self.end_line();
        Some(())
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn end_line(&mut self) {
        if self.line.pieces.is_empty() {
            self.line.gap += 1;
        } else {
            self.lines.push(std::mem::take(&mut self.line));
        }
    }

    fn push(&mut self, kind: Kind, end: usize, space: usize) {
        let text = &self.text[self.at..end];
        let text = if kind == Kind::LineComment { text.trim_end() } else { text };
        let piece = Piece { kind, text, space };
        self.at = end;
        self.line.pieces.push(piece);
        match kind {
            Kind::LineComment | Kind::BlockComment => return,
            Kind::Open => self.open.push(false),
            // A bracket too many is for the parser to refuse.
            Kind::Close if self.open.len() > 1 => _ = self.open.pop(),
            Kind::PipeOpen | Kind::PipeClose => {
                if let Some(open) = self.open.last_mut() {
                    *open = kind == Kind::PipeOpen;
                }
            }
            _ => (),
        }
        self.last = Some(piece);
    }

    fn end_of_line(&self) -> usize {
        self.rest().find('\n').map_or(self.text.len(), |length| self.at + length)
    }

    /// The kind of the piece that begins here, and where it ends.
    fn piece(&self) -> Option<(Kind, usize)> {
        let rest = self.rest();
        if rest.starts_with("//") {
            return Some((Kind::LineComment, self.end_of_line()));
        }
        if rest.starts_with("/*") {
            return Some((Kind::BlockComment, self.at + block_comment(rest)?));
        }
        if let Some(length) = text(rest) {
            return Some((Kind::Text, self.at + length?));
        }
        let first = rest.chars().next()?;
        if first.is_ascii_digit() {
            return Some((Kind::Word, self.at + number(rest)));
        }
        if is_word(first) {
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let is_keyword = KEYWORDS.contains(&&rest[..length])
                && self.last.is_none_or(|last| last.kind != Kind::Dot);
            return Some((if is_keyword { Kind::Keyword } else { Kind::Word }, self.at + length));
        }
        if rest.starts_with("!in") && !rest[3..].starts_with(is_word) && self.follows_operand() {
            return Some((Kind::Binary, self.at + 3));
        }
        let length = OPERATORS.iter().find(|word| rest.starts_with(**word)).map(|word| word.len());
        let length = length.unwrap_or(first.len_utf8());
        Some((self.kind_of(&rest[..length]), self.at + length))
    }

    fn follows_operand(&self) -> bool {
        self.last.is_some_and(|last| matches!(last.kind, Kind::Word | Kind::Text | Kind::Close))
    }

    fn kind_of(&self, symbol: &str) -> Kind {
        let is_operand = self.follows_operand();
        // Behind a block, `-`, `|` and their like may begin a statement or go on with one.
        let is_unclear = self.last.is_some_and(|last| last.text == "}");
        match symbol {
            "(" | "[" | "{" | "#{" | "?[" => Kind::Open,
            ")" | "]" | "}" => Kind::Close,
            "," => Kind::Comma,
            ";" => Kind::Semicolon,
            ":" => Kind::Colon,
            "." | "?." | "::" => Kind::Dot,
            "|" if self.open.last() == Some(&true) => Kind::PipeClose,
            "|" | "||" | "-" | "+" if is_unclear => Kind::Other,
            "|" if !is_operand => Kind::PipeOpen,
            "||" if !is_operand => Kind::PipeBoth,
            "-" | "+" | "!" if !is_operand => Kind::Unary,
            "!" | ".." | "..=" => Kind::Other,
            symbol if OPERATORS.contains(&symbol) => Kind::Binary,
            _ => Kind::Other,
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$' || c == '@'
}

/// Bytes of the number that begins here.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_radix = text.len() > 1 && bytes[0] == b'0' && bytes[1].is_ascii_alphabetic();
    let mut end = 0;
    while let Some(&byte) = bytes.get(end) {
        let is_next = |test: fn(&u8) -> bool| bytes.get(end + 1).is_some_and(test);
        let goes_on = match byte {
            b'.' => !is_radix && is_next(u8::is_ascii_digit),
            b'+' | b'-' => {
                !is_radix
                    && end > 0
                    && matches!(bytes[end - 1], b'e' | b'E')
                    && is_next(u8::is_ascii_digit)
            }
            byte => byte.is_ascii_alphanumeric() || byte == b'_',
        };
        if !goes_on {
            break;
        }
        end += 1;
    }
    end
}

/// Bytes of the comment that begins here; one may stand in another.
fn block_comment(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += 1;
        }
    }
    None
}

/// Bytes of the text that begins here, if one does; `Some(None)` where it does not end.
fn text(text: &str) -> Option<Option<usize>> {
    let first = text.bytes().next()?;
    match first {
        b'"' | b'\'' => Some(quoted(text, first)),
        b'`' => Some(template(text)),
        b'#' => {
            let hashes = text.bytes().take_while(|byte| *byte == b'#').count();
            let body = text[hashes..].strip_prefix('"')?;
            let end = format!("\"{}", &text[..hashes]);
            Some(body.find(&end).map(|at| hashes + 1 + at + end.len()))
        }
        _ => None,
    }
}

fn quoted(text: &str, quote: u8) -> Option<usize> {
    let mut at = 1;
    while let Some(&byte) = text.as_bytes().get(at) {
        match byte {
            b'\\' => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// A text in backticks: two in a row stand for one, and `${…}` holds code.
fn template(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        let rest = &bytes[at..];
        if rest.starts_with(b"``") {
            at += 2;
        } else if rest[0] == b'`' {
            return Some(at + 1);
        } else if rest.starts_with(b"${") {
            at += 2 + code(&text[at + 2..])?;
        } else {
            at += 1;
        }
    }
    None
}

/// Bytes of code up to and with the brace that closes it.
fn code(source: &str) -> Option<usize> {
    let (mut depth, mut at) = (1_usize, 0);
    while at < source.len() {
        let rest = source.get(at..)?;
        if rest.starts_with("//") {
            at += rest.find('\n')?;
        } else if rest.starts_with("/*") {
            at += block_comment(rest)?;
        } else if let Some(length) = text(rest) {
            at += length?;
        } else {
            let first = rest.chars().next()?;
            match first {
                '{' => depth += 1,
                '}' => depth -= 1,
                _ => (),
            }
            at += first.len_utf8();
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}
