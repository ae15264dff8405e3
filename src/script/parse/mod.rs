//! One parse of one file: the syntax tree, and where its functions, comments, constants and
//! imports stand.
//!
//! Rhai's tree keeps neither the place of `fn` nor that of a comment; the token hook does, at the
//! cost of looking at each token once. Nothing here reads a file, follows an import, or runs code.

mod habit;
mod recorder;
mod top_level;

use super::compile::without_interpreter;
use super::engine;
use super::source::SourceFile;
use crate::diagnostic::{Diagnostic, Span};
use crate::limit::Limit;
use recorder::Recorder;
use rhai::{AST, Dynamic, Engine, LexError, ParseErrorType, Position, Token};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// Asked at every token; a limit ends the parse. The parser's hook keeps it for that long, so it
/// borrows nothing: what it looks at (a deadline, a count of bytes) belongs to the thread.
pub(crate) type Abort = Rc<dyn Fn() -> Option<Limit>>;

/// One file, parsed.
pub(crate) struct ParsedFile {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The tree; `None` after a syntax error.
    pub ast: Option<AST>,
    /// The `//!` lines at the head.
    pub head: Vec<DocLine>,
    /// The functions, in source order. After a syntax error: as far as they can be told.
    pub functions: Vec<Function>,
    /// The constants, in source order.
    pub constants: Vec<Constant>,
    /// The imports, in source order.
    pub imports: Vec<Import>,
}

/// One line of a doc comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocLine {
    /// The line, from 1.
    pub line: u32,
    /// The column of the first character of `text`, from 1.
    pub column: u32,
    /// What follows `///` or `//!`, trailing space removed.
    pub text: String,
}

/// One function as declared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Function {
    /// The name.
    pub name: String,
    /// Its parameters, in order.
    pub parameters: Vec<String>,
    /// Where the name stands.
    pub span: Option<Span>,
    /// The doc comment right before it.
    pub docs: Vec<DocLine>,
    /// Whether it is `private fn`.
    pub private: bool,
    /// The type in `fn Type.name()`.
    pub this_type: Option<String>,
}

impl Function {
    /// Where the name stands; the head of the file where that is unknown.
    pub fn place(&self) -> Span {
        self.span.unwrap_or(Span::new(1, 1, 1))
    }
}

/// One constant of the top level.
#[derive(Debug, Clone)]
pub(crate) struct Constant {
    /// The name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Its literal value.
    #[allow(dead_code, reason = "shown by the language server")]
    pub value: Dynamic,
}

/// One `import` of the top level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// The path between the quotes.
    pub path: String,
    /// The name after `as`, or the last segment of the path.
    pub alias: String,
    /// Where the path stands, quotes included.
    pub path_span: Span,
    /// Where the alias stands, or the path where there is no `as`.
    pub alias_span: Span,
}

thread_local! {
    /// The recorder before the engine: locals of a thread are dropped in reverse order of use, and
    /// the hook must not outlive what it writes to.
    static RECORDER: RefCell<Recorder> = RefCell::default();
    /// One engine a thread: making one for each file would cost as much as the parse.
    static PARSER: Engine = hooked_parser();
}

fn hooked_parser() -> Engine {
    let mut engine = engine::parser();
    #[allow(deprecated, reason = "marked volatile, and the only way to learn positions")]
    engine.on_parse_token(|token, position, _| {
        match RECORDER.with_borrow_mut(|recorder| recorder.take(&token, position)) {
            None => token,
            Some(limit) => Token::LexError(Box::new(LexError::Runtime(limit.code().into()))),
        }
    });
    engine
}

/// The tokens of a text as the parser takes them, without comments and without where they stand.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    thread_local! {
        static TOKENS: RefCell<Vec<String>> = RefCell::default();
        static READER: Engine = {
            let mut engine = engine::parser();
            #[allow(deprecated, reason = "marked volatile, and the only way to see tokens")]
            engine.on_parse_token(|token, _, _| {
                if !matches!(token, Token::Comment(_)) {
                    TOKENS.with_borrow_mut(|tokens| tokens.push(format!("{token:?}")));
                }
                token
            });
            engine
        };
    }
    // Whether it can be parsed is for `parse` to say; up to where it cannot, these are its tokens.
    let _ = READER.with(|engine| engine.compile(without_interpreter(text)));
    TOKENS.take()
}

/// Parses a file. Problems are added to `problems`; what can be told of a broken file is told.
///
/// The parser recurses: call this on a thread with a large stack.
pub(crate) fn parse(
    file: &Arc<SourceFile>,
    abort: &Abort,
    problems: &mut Vec<Diagnostic>,
) -> ParsedFile {
    let text = &*file.text;
    RECORDER.with_borrow_mut(|recorder| recorder.start(Rc::clone(abort)));
    let result = PARSER.with(|engine| engine.compile(without_interpreter(text)));
    let (mut functions, stopped) = RECORDER.with_borrow_mut(Recorder::finish);
    let head = head_lines(text);
    let mut parsed = ParsedFile {
        file: Arc::clone(file),
        ast: None,
        head,
        functions: Vec::new(),
        constants: Vec::new(),
        imports: Vec::new(),
    };
    let before = problems.len();
    match result {
        Ok(ast) => {
            stray_head_lines(&ast, text, parsed.head.len(), problems);
            top_level::read(&ast, text, &mut parsed, problems);
            parsed.ast = Some(ast);
        }
        Err(error) => {
            problems.push(match stopped {
                Some(limit) => stopped_by(limit, text, error.position()),
                None => habit::explain(&error, text, functions.last()),
            });
            if stopped.is_none() {
                recorder::scan_lines(text, &mut functions);
            }
        }
    }
    parsed.functions = functions;
    lone_carriage_return(text, problems);
    for problem in &mut problems[before..] {
        problem.file.get_or_insert_with(|| file.name.clone());
    }
    parsed
}

/// The `//!` lines before the first code. Plain `//` comments and empty lines may stand between.
fn head_lines(text: &str) -> Vec<DocLine> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if let Some(rest) = code.strip_prefix("//!") {
            let column = line.chars().count() - rest.chars().count() + 1;
            lines.push(DocLine::new(index + 1, column, rest));
        } else if !(code.is_empty()
            || code.starts_with("//") && !is_doc(code)
            || index == 0 && code.starts_with("#!"))
        {
            break;
        }
    }
    lines
}

fn is_doc(code: &str) -> bool {
    code.starts_with("///") && !code.starts_with("////")
}

impl DocLine {
    fn new(line: usize, column: usize, text: &str) -> Self {
        let span = Span::new(line, column, 1);
        Self { line: span.line, column: span.column, text: text.trim_end().to_owned() }
    }
}

/// Rhai gathers `//!` from anywhere; what does not stand at the head counts for nothing here.
fn stray_head_lines(ast: &AST, text: &str, head: usize, problems: &mut Vec<Diagnostic>) {
    if ast.doc().is_empty() || ast.doc().matches('\n').count() < head {
        return;
    }
    let mut place = text.lines().enumerate().filter_map(|(index, line)| {
        let byte = line.find("//!")?;
        Some(Span::new(index + 1, line[..byte].chars().count() + 1, 3))
    });
    if let Some(span) = place.nth(head) {
        problems.push(
            Diagnostic::warning(
                "annotation/head",
                "`//!` describes the file and counts only at its head, before any code",
            )
            .at(span, "has no effect here")
            .help("move the line to the top of the file, or write `//` for a plain comment"),
        );
    }
}

fn stopped_by(limit: Limit, text: &str, position: Position) -> Diagnostic {
    Diagnostic::author(limit.code(), format!("the file took more {limit} to parse than it may"))
        .at(span_at(text, position, 1), "the parser got this far")
        .help("split the file, or nest its expressions less deeply")
}

/// Rhai ends a comment at a bare carriage return, editors do not: what looks like a comment runs.
fn lone_carriage_return(text: &str, problems: &mut Vec<Diagnostic>) {
    if !text.contains('\r') {
        return;
    }
    let mut bytes = text.bytes().enumerate().peekable();
    while let Some((index, byte)) = bytes.next() {
        if byte == b'\r' && bytes.peek().is_some_and(|&(_, next)| next != b'\n') {
            let before = &text[..index];
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            problems.push(
                Diagnostic::author(
                    "source/carriage-return",
                    "a carriage return without a line feed stands in the file; it ends a comment \
                     for Rhai and not for most editors",
                )
                .at(Span::new(line, column, 1), "")
                .help("save the file with `\\n` or `\\r\\n` line ends"),
            );
            return;
        }
    }
}

/// The span of `length` characters at a position. The parser gives none at the end of the file.
pub(crate) fn span_at(text: &str, position: Position, length: usize) -> Span {
    match position.line() {
        Some(line) => Span::new(line, position.position().unwrap_or(1), length),
        None => {
            let line = text.lines().count().max(1);
            let column = text.lines().last().unwrap_or("").chars().count() + 1;
            Span::new(line, column, 1)
        }
    }
}

/// Whether `text` can be the name of a variable.
pub(crate) fn is_identifier(text: &str) -> bool {
    rhai::is_valid_identifier(text)
}

/// What Rhai calls the error, for errors that need no explanation of ours.
fn rhai_message(kind: &ParseErrorType) -> String {
    let message = kind.to_string().replace('\'', "`");
    let mut letters = message.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => "the script cannot be parsed".into(),
    }
}
