//! What the token hook remembers: the head of each function and the doc comment before it.
//!
//! A token is looked at once and cloned only where it is a name or a doc comment.

use super::{Abort, DocLine, Function, is_doc};
use crate::diagnostic::Span;
use crate::limit::Limit;
use rhai::{Position, Token};

/// The abort function is asked at the first and then at every eighth token.
const ASK_EVERY: u32 = 8;

#[derive(Default)]
enum Expected {
    /// `fn`, or something that is none of ours.
    #[default]
    Anything,
    /// The name of a function, or the type before its name.
    Name,
    /// Parameters up to the closing parenthesis.
    Parameters,
}

/// The state of one parse.
#[derive(Default)]
pub(super) struct Recorder {
    abort: Option<Abort>,
    tokens: u32,
    stopped: Option<Limit>,
    expected: Expected,
    private: bool,
    docs: Vec<DocLine>,
    current: Function,
    functions: Vec<Function>,
}

impl Recorder {
    /// Forgets the last parse.
    pub fn start(&mut self, abort: Abort) {
        *self = Self { abort: Some(abort), ..Self::default() };
    }

    /// The functions in source order, and what ended the parse early.
    pub fn finish(&mut self) -> (Vec<Function>, Option<Limit>) {
        let recorder = std::mem::take(self);
        (recorder.functions, recorder.stopped)
    }

    /// Looks at a token; a limit means that the parse must end here.
    pub fn take(&mut self, token: &Token, position: Position) -> Option<Limit> {
        let ask = self.tokens.is_multiple_of(ASK_EVERY);
        self.tokens = self.tokens.wrapping_add(1);
        if ask && self.stopped.is_none() {
            self.stopped = self.abort.as_ref().and_then(|abort| abort());
        }
        if self.stopped.is_some() {
            return self.stopped;
        }
        match self.expected {
            Expected::Anything => self.outside(token, position),
            Expected::Name => self.name(token, position),
            Expected::Parameters => self.parameter(token),
        }
        None
    }

    fn outside(&mut self, token: &Token, position: Position) {
        match token {
            Token::Comment(comment) => self.comment(comment, position),
            Token::Private => self.private = true,
            Token::Fn => {
                self.current = Function {
                    docs: std::mem::take(&mut self.docs),
                    private: std::mem::take(&mut self.private),
                    ..Function::default()
                };
                self.expected = Expected::Name;
            }
            _ => {
                self.private = false;
                if !self.docs.is_empty() {
                    self.docs.clear();
                }
            }
        }
    }

    fn comment(&mut self, comment: &str, position: Position) {
        let line = position.line().unwrap_or(1);
        let column = position.position().unwrap_or(1);
        if self.docs.capacity() == 0 {
            self.docs.reserve(8);
        }
        if let Some(text) = comment.strip_prefix("///") {
            self.docs.push(DocLine::new(line, column + 3, text));
        } else if let Some(block) = comment.strip_prefix("/**") {
            self.docs.extend(block_lines(block.trim_end_matches("*/"), line, column + 3));
        }
    }

    fn name(&mut self, token: &Token, position: Position) {
        match token {
            Token::Identifier(name) => {
                let (line, column) =
                    (position.line().unwrap_or(1), position.position().unwrap_or(1));
                self.current.span = Some(Span::new(line, column, name.chars().count()));
                self.current.name = name.as_str().to_owned();
            }
            Token::StringConstant(name) => self.current.name = name.to_string(),
            Token::Period => self.current.this_type = Some(self.current.name.clone()),
            Token::LeftParen => self.expected = Expected::Parameters,
            Token::Unit => self.close(),
            _ => self.expected = Expected::Anything,
        }
    }

    fn parameter(&mut self, token: &Token) {
        match token {
            Token::Identifier(name) => self.current.parameters.push(name.as_str().to_owned()),
            Token::Comma => (),
            Token::RightParen => self.close(),
            _ => self.expected = Expected::Anything,
        }
    }

    fn close(&mut self) {
        self.functions.push(std::mem::take(&mut self.current));
        self.expected = Expected::Anything;
    }
}

/// The lines of a `/** … */` comment, each without the star that often leads it.
fn block_lines(block: &str, line: usize, column: usize) -> impl Iterator<Item = DocLine> {
    block.lines().enumerate().map(move |(index, text)| {
        let bare = text.trim_start();
        let rest = if index == 0 { text } else { bare.strip_prefix('*').unwrap_or(bare) };
        let skipped = text.chars().count() - rest.chars().count();
        let first = if index == 0 { column } else { 1 };
        DocLine::new(line + index, first + skipped, rest)
    })
}

/// Finds the functions after the last known one line by line, where the parser gave up: enough to
/// check their annotations too. Only heads that stand on one line are taken.
pub(super) fn scan_lines(text: &str, functions: &mut Vec<Function>) {
    let known = functions.last().map_or(0, |function| function.place().line);
    let mut docs: Vec<DocLine> = Vec::new();
    for (index, line) in text.lines().enumerate().skip(known as usize) {
        let code = line.trim_start();
        if is_doc(code) {
            let column = line.chars().count() - code.chars().count() + 4;
            docs.push(DocLine::new(index + 1, column, &code[3..]));
            continue;
        }
        // An indented `fn` may stand inside a string or a comment; one at the margin rarely does.
        if code.len() == line.len()
            && let Some(mut function) = function_head(code, index + 1)
        {
            function.docs = std::mem::take(&mut docs);
            functions.push(function);
        }
        docs.clear();
    }
}

fn function_head(code: &str, line: usize) -> Option<Function> {
    let (private, head) = match code.strip_prefix("private ") {
        Some(rest) => (true, rest.trim_start()),
        None => (false, code),
    };
    let (name, rest) = head.strip_prefix("fn ")?.split_once('(')?;
    let (parameters, _) = rest.split_once(')')?;
    let parameters: Vec<String> =
        parameters.split(',').map(|name| name.trim().to_owned()).collect();
    let parameters = if parameters == [""] { Vec::new() } else { parameters };
    let name = name.trim();
    if !super::is_identifier(name) || !parameters.iter().all(|name| super::is_identifier(name)) {
        return None;
    }
    let column = code.find(name)? + 1;
    let span = Some(Span::new(line, column, name.chars().count()));
    Some(Function { name: name.to_owned(), parameters, span, private, ..Function::default() })
}
