//! Syntax errors in words: what stands there, what is wrong with it, and what to write instead.
//!
//! Most first mistakes are habits of another language; those are told from the words around the
//! place where the parser stopped. Nothing here parses.

use super::{Function, rhai_message, span_at};
use crate::diagnostic::{Diagnostic, Span};
use rhai::{LexError, ParseError, ParseErrorType as Kind};

/// The words around the place of an error.
struct Around<'a> {
    /// The line up to the place.
    before: &'a str,
    /// The line from the place on.
    after: &'a str,
    span: Span,
    /// The end of the code in a line before, where the place is the first in its own.
    end_of_previous: Option<Span>,
    /// Whether nothing but white space follows in the file.
    at_end: bool,
}

impl<'a> Around<'a> {
    fn new(text: &'a str, span: Span) -> Self {
        let line = text.lines().nth(span.line as usize - 1).unwrap_or("");
        let byte = line.char_indices().nth(span.column as usize - 1).map_or(line.len(), |at| at.0);
        let later = text.lines().skip(span.line as usize).all(|line| line.trim().is_empty());
        let at_end = later && line[byte..].trim().is_empty();
        let (before, after) = line.split_at(byte);
        let end_of_previous =
            before.trim().is_empty().then(|| end_of_code(text, span.line as usize - 1)).flatten();
        Self { before, after, span, end_of_previous, at_end }
    }

    /// The word or symbol at the place.
    fn here(&self) -> &'a str {
        let word = leading_word(self.after);
        if !word.is_empty() {
            return word;
        }
        let end = self.after.find(|c: char| c.is_whitespace() || c.is_alphanumeric() || c == '"');
        let symbol = &self.after[..end.unwrap_or(self.after.len())];
        symbol.char_indices().nth(3).map_or(symbol, |(end, _)| &symbol[..end])
    }

    /// The word right before the place.
    fn previous(&self) -> &'a str {
        let trimmed = self.before.trim_end();
        let start = trimmed
            .char_indices()
            .rev()
            .take_while(|(_, c)| c.is_alphanumeric() || *c == '_')
            .last()
            .map_or(trimmed.len(), |(start, _)| start);
        &trimmed[start..]
    }

    /// The word right before the place, with its span; for what is wrong because of it.
    fn previous_span(&self) -> Span {
        let word = self.previous();
        let end = self.before.trim_end().chars().count();
        let length = word.chars().count();
        Span::new(self.span.line as usize, end + 1 - length, length)
    }

    /// Whether the statement before the place begins with these words.
    fn statement_starts_with(&self, words: &str) -> bool {
        let start = self.before.rfind(['{', '}', ';']).map_or(0, |at| at + 1);
        self.before[start..].trim_start().starts_with(words)
    }

    /// Whether the place is in the head of a function.
    fn is_in_head(&self) -> bool {
        self.statement_starts_with("fn ") || self.statement_starts_with("private fn ")
    }
}

/// The last character of the code in the first `count` lines. `None` where a comment, or what looks
/// like one, follows it.
fn end_of_code(text: &str, count: usize) -> Option<Span> {
    let (index, line) =
        text.lines().take(count).enumerate().filter(|(_, line)| !line.trim().is_empty()).last()?;
    let is_plain = !line.contains("//") && !line.contains("*/");
    is_plain.then(|| Span::new(index + 1, line.trim_end().chars().count(), 1))
}

fn leading_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// The diagnostic of a syntax error; `function` is the last one whose head was read.
pub(super) fn explain(error: &ParseError, text: &str, function: Option<&Function>) -> Diagnostic {
    let kind = error.err_type();
    let mut span = span_at(text, error.position(), 1);
    clip_to_line(&mut span, text);
    let around = Around::new(text, span);
    let here = around.here();
    span.length = u32::try_from(here.chars().count()).unwrap_or(1).max(1);
    if let Kind::BadInput(LexError::ImproperSymbol(word, _)) = kind
        && ["eval", "Fn", "curry"].contains(&word.as_str())
    {
        return by_name(word, span);
    }
    if *kind == Kind::PropertyExpected && ["eval", "Fn", "curry"].contains(&here) {
        return by_name(here, span);
    }
    let (message, label, help) = describe(kind, &around, function);
    let span = match label.place {
        Place::Here => span,
        Place::WordBefore => around.previous_span(),
        Place::LineBefore(end) => end,
    };
    let problem = Diagnostic::author("source/syntax", message).at(span, label.text);
    help.into_iter().fold(problem, Diagnostic::help)
}

/// The parser may stop behind the end of a line, or of the file.
fn clip_to_line(span: &mut Span, text: &str) {
    let lines = text.lines().count().max(1);
    let length = |line: usize| text.lines().nth(line - 1).unwrap_or("").chars().count();
    let line = span.line as usize;
    if line > lines {
        *span = Span::new(lines, length(lines) + 1, 1);
    } else {
        *span = Span::new(line, (span.column as usize).min(length(line) + 1), 1);
    }
}

struct At {
    text: String,
    place: Place,
}

/// Where a label belongs.
enum Place {
    /// Where the parser stopped.
    Here,
    /// The word before that.
    WordBefore,
    /// The end of the code before that, in a line above.
    LineBefore(Span),
}

fn at(text: impl Into<String>) -> At {
    At { text: text.into(), place: Place::Here }
}

fn by_name(word: &str, span: Span) -> Diagnostic {
    let help = match word {
        "eval" => "write the code itself; what a script can reach is known from its text",
        "Fn" => "write a closure instead: `|x| double(x)`",
        _ => "write a closure; it captures the variables that it uses: `|x| add(1, x)`",
    };
    Diagnostic::author(
        "call/by-name",
        format!("`{word}` is off: functions are called by the name that stands in the text"),
    )
    .at(span, "")
    .help(help)
}

fn describe(
    kind: &Kind,
    around: &Around<'_>,
    function: Option<&Function>,
) -> (String, At, Vec<String>) {
    let habit = habit_of(around);
    match kind {
        Kind::Reserved(word) => reserved(word, around),
        Kind::BadInput(LexError::UnexpectedInput(_))
            if around.here() == "try" && habit.is_some() =>
        {
            habit.expect("it was looked at")
        }
        Kind::BadInput(error) => bad_input(error, around),
        Kind::WrongDocComment => (
            "`///` documents the function right below it, and no function follows here".into(),
            at("no `fn` follows"),
            vec![
                "write `//` for a plain comment, or `//!` at the head of the file to describe it"
                    .into(),
            ],
        ),
        Kind::WrongFnDefinition => nested_function(function),
        Kind::UnexpectedEOF => end_of_file(function),
        Kind::MissingToken(..) | Kind::MissingSymbol(_) if around.at_end => end_of_file(function),
        Kind::MissingToken(token, why) => match habit {
            Some(found) => found,
            None => missing(token, why, around),
        },
        Kind::FnMissingBody(name) if around.after.starts_with("->") => (
            format!("`fn {name}` says what it returns in the code"),
            at("no types here"),
            vec!["remove `-> …` and write `/// @returns TYPE` above the function".into()],
        ),
        Kind::UnknownOperator(word) => reserved(word, around),
        Kind::FnMissingName | Kind::VariableExpected => habit.unwrap_or_else(|| {
            (
                format!("`{}` cannot be a name", around.here()),
                at("a name is expected here"),
                vec![keyword_help(around.here())],
            )
        }),
        Kind::ExprTooDeep => (
            "the expression is nested too deeply".into(),
            at("the parser stops here"),
            vec!["split it: give parts of it a name with `let`, or write a function".into()],
        ),
        Kind::FnDuplicatedDefinition(name, count) => (
            format!("`fn {name}` with {} is defined twice", arguments(*count)),
            at("again"),
            vec!["give one of them another name".into()],
        ),
        other => match habit {
            Some(found) => found,
            None => (rhai_message(other), at(""), Vec::new()),
        },
    }
}

/// `1 parameter`, `2 parameters`
fn arguments(count: usize) -> String {
    format!("{count} parameter{}", if count == 1 { "" } else { "s" })
}

fn end_of_file(function: Option<&Function>) -> (String, At, Vec<String>) {
    let help = match function {
        Some(function) => format!(
            "close every `{{`, `(`, `[` and quote; `fn {}` in line {} is the last that was opened",
            function.name,
            function.place().line
        ),
        None => "close every `{`, `(`, `[` and quote".into(),
    };
    ("the file ends in the middle of something".into(), at("more is expected here"), vec![help])
}

fn nested_function(function: Option<&Function>) -> (String, At, Vec<String>) {
    let mut help =
        vec!["move it to the top level, or write a closure: `let double = |x| x * 2;`".to_owned()];
    if let Some(function) = function {
        help.push(format!(
            "or a `}}` is missing above: `fn {}` in line {} is still open",
            function.name,
            function.place().line
        ));
    }
    ("`fn` stands inside of another function".into(), at(""), help)
}

fn missing(token: &str, why: &str, around: &Around<'_>) -> (String, At, Vec<String>) {
    if let (";", Some(end)) = (token, around.end_of_previous) {
        let at = At { text: "`;` belongs here".into(), place: Place::LineBefore(end) };
        let help = "end every statement with `;` but the last of a block; `let … = …` needs one \
                    after a closing `}` too";
        return ("a `;` is missing after this line".into(), at, vec![help.into()]);
    }
    let here = around.here();
    let found = if here.is_empty() { "the end of the line".into() } else { format!("`{here}`") };
    let message = format!("`{token}` is expected {why}, not {found}");
    let help = if token == ";" {
        "write `;` after the statement before it; `let … = …` needs one after a closing `}` too"
            .to_owned()
    } else {
        format!("write `{token}` before {found}")
    };
    (message, at(""), vec![help])
}

type Found = (String, At, Vec<String>);

fn previous(message: impl Into<String>, help: impl Into<String>) -> Option<Found> {
    let at = At { text: String::new(), place: Place::WordBefore };
    Some((message.into(), at, vec![help.into()]))
}

fn here(message: impl Into<String>, help: impl Into<String>) -> Option<Found> {
    Some((message.into(), at(""), vec![help.into()]))
}

/// Habits of other languages, by the word at the place or the one before it.
fn habit_of(around: &Around<'_>) -> Option<Found> {
    habit_before(around).or_else(|| habit_here(around))
}

fn habit_before(around: &Around<'_>) -> Option<Found> {
    match around.previous() {
        "for" if around.here() == "let" => {
            here("`for` declares its variable by itself", "write `for item in list { … }`")
        }
        "elif" | "elseif" | "elsif" => {
            previous(format!("`{}` is not a word of Rhai", around.previous()), "write `else if`")
        }
        "def" | "function" | "func" | "fun" | "sub" => previous(
            format!("`{}` does not begin a function", around.previous()),
            format!("write `fn {}(…) {{ … }}`", leading_word(around.after)),
        ),
        "mut" if around.statement_starts_with("let mut") => previous(
            "`mut` is not a word of Rhai; every `let` can be changed",
            format!("write `let {} = …;`", leading_word(around.after)),
        ),
        "not" => previous("`not` is not a word of Rhai", "write `!`, as in `!found`"),
        "and" => previous("`and` is not a word of Rhai", "write `&&`"),
        "or" => previous("`or` is not a word of Rhai", "write `||`"),
        "f" if around.after.starts_with(['"', '`']) => previous(
            "text with values in it is written in backticks",
            "write `` `hello ${name}` ``",
        ),
        "foreach" => previous("`foreach` is not a word of Rhai", "write `for item in list { … }`"),
        "class" | "struct" | "interface" | "enum" | "type" | "impl" => previous(
            format!("`{}` is not a word of Rhai; there are no types to declare", around.previous()),
            "write functions, and maps for values: `#{ name: \"a\", size: 1 }`",
        ),
        "lambda" => previous("`lambda` is not a word of Rhai", "write a closure: `|x| x + 1`"),
        "raise" => previous("`raise` is not a word of Rhai", "write `throw \"…\"`"),
        "unless" => previous("`unless` is not a word of Rhai", "write `if !(…) { … }`"),
        "const" | "let" => None,
        _ => None,
    }
}

fn habit_here(around: &Around<'_>) -> Option<Found> {
    let after = around.after;
    match around.here() {
        "and" => return here("`and` is not a word of Rhai", "write `&&`"),
        "or" => return here("`or` is not a word of Rhai", "write `||`"),
        "then" => return here("`then` is not a word of Rhai", "write `if condition { … }`"),
        "not" => return here("`not in` is not Rhai", "write `!(item in list)`"),
        "except" | "rescue" | "finally" => {
            return here(
                format!("`{}` is not a word of Rhai", around.here()),
                "write `try { … } catch (error) { … }`",
            );
        }
        "for" if around.before.contains('[') && !around.statement_starts_with("for") => {
            return here(
                "a list is not written with `for` in it",
                "write `list.map(|i| i * 2)`, with `.filter(|i| …)` before it for an `if`",
            );
        }
        "try" if around.before.trim_end().ends_with('=') => {
            return here(
                "`try` is a statement and not a value",
                "declare the variable before: `let result = (); try { result = …; } catch { … }`",
            );
        }
        "case" if around.before.contains("switch") => {
            return here("`case` is not a word of Rhai", CASES);
        }
        "if" | "unless" if around.statement_starts_with("return") || is_value_before(around) => {
            return here(
                "`if` does not follow what it decides",
                "write `if condition { … } else { … }`; it gives a value",
            );
        }
        "(" if around.previous() == "let" => {
            return here(
                "`let` declares one variable",
                "write `let pair = …; let a = pair[0]; let b = pair[1];`",
            );
        }
        "of" if around.statement_starts_with("for") => {
            return here("`for … of` is not Rhai", "write `for item in list { … }`");
        }
        "from" if around.statement_starts_with("import") => {
            return here("`import … from` is not Rhai", "write `import \"parse\" as parse;`");
        }
        _ => (),
    }
    if after.starts_with("=>") {
        return here("`=>` does not make a function", "write a closure: `|x| x + 1`");
    }
    if after.starts_with("#{") && around.statement_starts_with("for") {
        return here(
            "a map cannot be looped over",
            "put it into a variable and write `for key in map.keys() { let value = map[key]; … }`",
        );
    }
    if after.starts_with("= ")
        && ["if", "while"].iter().any(|word| around.statement_starts_with(word))
    {
        return here("`=` does not compare", "write `==`");
    }
    if around.statement_starts_with("for (") && !around.before.contains(") in") {
        return here(
            "`for` takes no parentheses",
            "write `for item in list { … }`, or `for i in 0..10`",
        );
    }
    if around.statement_starts_with("catch") {
        return here(
            "the variable of `catch` stands in parentheses",
            "write `catch (error) { … }`",
        );
    }
    let in_head = around.is_in_head();
    if in_head && after.starts_with(':') {
        return here(
            "a parameter's type does not stand in the code",
            format!("remove it and write `/// @param {} TYPE` above", around.previous()),
        );
    }
    if in_head && after.starts_with('=') {
        return here(
            "a parameter's default does not stand in the code",
            format!("remove it and write `/// @param {} TYPE = VALUE` above", around.previous()),
        );
    }
    if after.starts_with(':') && !after.starts_with("::") {
        return colon(around);
    }
    None
}

const CASES: &str = "write `switch value { \"a\" => …, _ => … }`";

/// Whether the statement declares something, and a value stands right before the place.
fn is_value_before(around: &Around<'_>) -> bool {
    around.statement_starts_with("let ") && !around.before.trim_end().ends_with(['=', '(', ','])
}

/// A colon says many things in other languages.
fn colon(around: &Around<'_>) -> Option<Found> {
    let starts = |words: &[&str]| words.iter().any(|word| around.statement_starts_with(word));
    if starts(&["let ", "const "]) && !around.before.contains('=') {
        let (message, name) = ("a variable has no type in the code", around.previous());
        return here(message, format!("remove it: `let {name} = …;`"));
    }
    let is_indexed = match (around.before.rfind('['), around.before.rfind(']')) {
        (Some(open), close) => close.is_none_or(|close| close < open),
        _ => false,
    };
    if is_indexed {
        return here(
            "`:` does not cut out a part",
            "write `text::slice(text, start, end)` or `list::slice(list, start, end)`",
        );
    }
    if starts(&["if ", "while ", "for ", "else", "elif "]) {
        return here("`:` does not begin a block", "write `{ … }` around what belongs to it");
    }
    if starts(&["case ", "default"]) || around.before.contains("switch") {
        return here("`:` does not begin a case", CASES);
    }
    here(
        "`:` is not expected here",
        "a map is written with `#`: `#{ name: value }`; blocks stand in `{ … }`",
    )
}

fn bad_input(error: &LexError, around: &Around<'_>) -> Found {
    let help = match error {
        LexError::MalformedChar(_) => {
            return (
                "single quotes hold one character".into(),
                at(""),
                vec!["write text in double quotes: `\"…\"`".into()],
            );
        }
        LexError::UnexpectedInput(symbol) if symbol.starts_with('#') => return hash_comment(),
        LexError::UnterminatedString => {
            return (
                "the text has no closing quote on its line".into(),
                at("opened here"),
                vec!["close it with `\"`, or write text of several lines in backticks".into()],
            );
        }
        LexError::ImproperSymbol(symbol, _) if symbol == "=" => {
            return ("`=` does not compare".into(), at(""), vec!["write `==`".into()]);
        }
        LexError::ImproperSymbol(symbol, _) => symbol_help(symbol, around),
        LexError::MalformedEscapeSequence(_) => Some(
            "write `\\\\` for a backslash; `\\n`, `\\t`, `\\\"`, `\\xHH`, `\\uHHHH` are escapes"
                .into(),
        ),
        _ => None,
    };
    let message = match error {
        LexError::ImproperSymbol(symbol, _) => format!("`{symbol}` is not a symbol of Rhai"),
        other => rhai_message(&Kind::BadInput(other.clone())),
    };
    (message, at(""), help.into_iter().collect())
}

fn symbol_help(symbol: &str, around: &Around<'_>) -> Option<String> {
    Some(match symbol {
        "===" => "write `==`".into(),
        "!==" => "write `!=`".into(),
        "->" if around.is_in_head() => {
            "remove it and write `/// @returns TYPE` above the function".into()
        }
        "->" if around.statement_starts_with("let") => "write a closure: `|x| x + 1`".into(),
        "->" => "write `.` to reach into a value, `|x| …` for a closure".into(),
        "<-" => "write `<=`, or `< -` with a space".into(),
        ":=" => "write `let name = …;`".into(),
        "::<" => "remove the type; Rhai needs none".into(),
        "(*" | "*)" => "write `/* … */`".into(),
        "# {" => "write `#{` without a space".into(),
        _ => return None,
    })
}

fn hash_comment() -> Found {
    ("`#` does not begin a comment".into(), at(""), vec!["write `//`".into()])
}

fn reserved(word: &str, around: &Around<'_>) -> Found {
    if around.before.trim_end().ends_with("::") {
        let path = format!("{}::{word}", path_before(around));
        return (
            format!("there is no `{path}`: `{word}` is a reserved word"),
            at(""),
            match word {
                "match" => vec!["texts are searched with `text::find`, `text::contains`, …".into()],
                "var" => vec!["a script sees nothing of the environment".into()],
                _ => Vec::new(),
            },
        );
    }
    let message = format!("`{word}` is a reserved word");
    let help = match word {
        "#" | "#!" => return hash_comment(),
        "?" => {
            return (
                "`?` is not an operator".into(),
                at(""),
                vec!["write `if condition { a } else { b }`; it gives a value".into()],
            );
        }
        "++" | "--" => {
            let sign = &word[..1];
            let name = around.previous();
            return (
                format!("`{word}` is not an operator"),
                at(""),
                vec![format!("write `{name} {sign}= 1`")],
            );
        }
        "..." | "@" | "$" | "~" | "!." | "|>" | "<|" => {
            return (format!("`{word}` is not an operator"), at(""), Vec::new());
        }
        "null" | "nil" | "void" => "nothing is written `()`; test it with `x == ()`".to_owned(),
        "var" => format!("write `let {} = …;`", leading_word(after_word(around.after))),
        "match" | "case" => "write `switch value { 1 => …, _ => … }`".into(),
        "new" => {
            "there are no constructors; write a map `#{ … }`, and `throw \"…\"` for errors".into()
        }
        "use" | "package" | "module" => "write `import \"parse\" as parse;`".into(),
        "async" | "await" | "yield" | "go" | "spawn" | "thread" => {
            "calls wait for their answer by themselves; remove it".into()
        }
        "public" | "protected" | "static" => {
            "remove it; a function is public unless it is `private fn`".into()
        }
        "is" => "write `type_of(x) == \"string\"`, or `==`".into(),
        "exit" => "write `return value;`".into(),
        other => keyword_help(other),
    };
    let mut helps = vec![help];
    // As a name it is escaped; after `(`, `,`, `let` and the like a name stands.
    let named = around.before.trim_end().ends_with(['(', ',', '|', '.'])
        || ["let", "const", "fn", "for", "as"].contains(&around.previous());
    if named && super::is_identifier(&format!("{word}_")) {
        helps = vec![keyword_help(word)];
    }
    (message, at(""), helps)
}

/// The name of the module whose function would stand at the place.
fn path_before<'a>(around: &Around<'a>) -> &'a str {
    let path = around.before.trim_end().trim_end_matches(':');
    let start = path.rfind(|c: char| !c.is_alphanumeric() && c != '_').map_or(0, |at| at + 1);
    path.get(start..).unwrap_or_default()
}

fn after_word(text: &str) -> &str {
    text[leading_word(text).len()..].trim_start()
}

fn keyword_help(word: &str) -> String {
    if word.is_empty() || !super::is_identifier(&format!("{word}_")) {
        return "write a name: letters, digits and `_`, beginning with a letter".into();
    }
    format!("write `{word}_`; as a parameter of a tool it is the argument `{word}`")
}
