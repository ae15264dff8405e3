//! Errors of the engine as diagnostics: whose turn it is, where it happened, what to write instead.
//!
//! Never formats a raw script value; what a script threw is shown through the bounded writer.

use super::call::{CompileError, Instance};
use super::compile::{DIVIDER, SourceError};
use super::frame::{Assertion, CallerError, Refusal};
use super::host;
#[cfg(unix)]
use super::isolate::process::ProcessError;
use super::meter::{self, End, Kill};
use super::native::display::{self, Style};
use super::remedy;
use super::sandbox::SandboxError;
use super::source::{SourceFile, SourceTree, is_library};
use crate::diagnostic::{Diagnostic, Span};
use crate::limit::{Limit, Limits};
use rhai::{Dynamic, EvalAltResult, Position};

/// Explains an error of a call.
pub(crate) struct Explainer<'a> {
    /// The files, so that labels point into the right one.
    pub tree: &'a SourceTree,
    /// The bounds that were in force.
    pub limits: &'a Limits,
    /// The module of the function that was called; `None` is the main file.
    pub module: Option<&'a str>,
    /// The program as compiled, which knows what columns its author sees; `None` where it never
    /// was.
    pub instance: Option<&'a Instance>,
}

impl Explainer<'_> {
    /// The diagnostic of an error that ended a call.
    pub(crate) fn explain(&self, error: &EvalAltResult) -> Diagnostic {
        let place = Place::find(error, self.module);
        let diagnostic = match meter::over() {
            Some(end) => self.ended(end),
            None => self.describe(place.error),
        };
        self.locate(diagnostic, &place)
    }

    /// The diagnostic of a call that was ended before its function returned.
    pub(crate) fn ended(&self, end: End) -> Diagnostic {
        match end {
            End::Limit(limit) => self.killed(limit),
            End::Question => host::ask::unanswered(),
        }
    }

    /// The diagnostic of a call that a bound ended.
    pub(crate) fn killed(&self, limit: Limit) -> Diagnostic {
        limit_passed(limit, self.limits)
    }

    /// The diagnostic of a program that reading found right and the engine refuses.
    pub(crate) fn uncompiled(&self, error: &CompileError) -> Diagnostic {
        if let Some(limit) = meter::killed() {
            return self.killed(limit);
        }
        let CompileError::Source(module, error) = error else {
            return Diagnostic::author("import/failed", error.to_string());
        };
        match self.tree.file(module.as_deref()) {
            Some(file) => source(error, file),
            None => uncompiled(error).0,
        }
    }

    fn is_constant(&self, name: &str) -> bool {
        self.instance.is_some_and(|instance| instance.has_constant(name))
    }

    fn locate(&self, diagnostic: Diagnostic, place: &Place) -> Diagnostic {
        let Some(file) = self.tree.file(place.module) else { return diagnostic };
        point(diagnostic, file, place.position, |line, column| {
            self.instance
                .map_or(column, |instance| instance.original_column(place.module, line, column))
        })
    }

    fn describe(&self, error: &EvalAltResult) -> Diagnostic {
        use EvalAltResult as E;
        match error {
            E::ErrorTerminated(token, _) => match token.read_lock::<Kill>() {
                Some(kill) => self.ended(kill.0),
                None => Diagnostic::host("host/terminated", "the engine ended the call"),
            },
            E::ErrorStackOverflow(_) => self.killed(Limit::CallDepth),
            E::ErrorTooManyVariables(_) => Diagnostic::author(
                "script/too-many-variables",
                "more than 10,000 variables are alive at once",
            )
            .help("keep the values in a list or a map"),
            E::ErrorRuntime(value, _) => thrown(value),
            E::ErrorModuleNotFound(name, _) => module_not_found(name),
            E::ErrorFunctionNotFound(signature, _) => function_not_found(signature),
            // A constant that is assigned to is looked for among the variables, by its own name.
            E::ErrorVariableNotFound(name, _) if self.is_constant(name) => constant_changed(name),
            E::ErrorVariableNotFound(name, _) => {
                Diagnostic::author("script/unknown-variable", format!("there is no variable `{name}`"))
                    .help("declare it with `let` in this function, or as a `const` at the top level; a function does not see the variables of its caller")
            }
            E::ErrorAssignmentToConstant(name, _) => constant_changed(name),
            E::ErrorDataRace(..) => Diagnostic::author(
                "script/data-race",
                "a closure uses a variable while a method call on that variable is under way",
            )
            .help("take the call apart: `let keys = map.keys(); keys.map(|key| map[key])`")
            .help("or copy what the closure needs into a variable of its own first"),
            E::ErrorArithmetic(text, _) => {
                Diagnostic::author("script/arithmetic", lowercase_first(text))
            }
            E::ErrorUnboundThis(_) => {
                Diagnostic::author("script/this", "`this` is bound only in a method call")
                    .help("call the function as a method, as in `value.function()`")
            }
            E::ErrorMismatchDataType(wanted, given, _)
            | E::ErrorMismatchOutputType(wanted, given, _) => Diagnostic::author(
                "script/type",
                format!(
                    "a value of type {} is needed here, and this is a value of type {}",
                    readable(wanted),
                    readable(given)
                ),
            )
            .help(type_help(wanted, given)),
            E::ErrorFor(_) => Diagnostic::author(
                "script/error",
                "this value cannot be looped over; lists, texts and ranges can",
            )
            .help("over a map: `for key in map.keys() { let value = map[key]; … }`")
            .help("where there may be nothing: `for item in list ?? [] { … }`"),
            other => {
                let message = readable(&lowercase_first(&message(other)));
                let help = property_help(&message);
                let problem = Diagnostic::author("script/error", message);
                help.into_iter().fold(problem, Diagnostic::help)
            }
        }
    }
}

/// Points a diagnostic at a position of the compiled text of `file`, in the author's columns.
fn point(
    diagnostic: Diagnostic,
    file: &SourceFile,
    position: Position,
    original_column: impl Fn(usize, usize) -> usize,
) -> Diagnostic {
    let diagnostic = diagnostic.in_file(file.name.clone());
    let (Some(line), Some(column)) = (position.line(), position.position()) else {
        return diagnostic;
    };
    let column = original_column(line, column).max(1);
    let length = word_length(&file.text, line, column);
    diagnostic.at(Span::new(line, column, length), "")
}

/// The diagnostic of a file that does not compile for running.
pub(super) fn source(error: &SourceError, file: &SourceFile) -> Diagnostic {
    let (diagnostic, position) = uncompiled(error);
    // Its position is that of the text as it was written.
    point(diagnostic, file, position, |_, column| column)
}

/// Where an error began: calls are wrapped around it from the inside out. What began inside of the
/// embedded library has its place at the call that led there, in a file that the author can mend.
struct Place<'a> {
    error: &'a EvalAltResult,
    module: Option<&'a str>,
    position: Position,
}

impl<'a> Place<'a> {
    fn find(error: &'a EvalAltResult, module: Option<&'a str>) -> Self {
        let mut place = Self { error, module, position: error.position() };
        // The last call of the library by another file.
        let mut entered = None;
        let in_library = |module: Option<&str>| module.is_some_and(is_library);
        loop {
            match place.error {
                EvalAltResult::ErrorInFunctionCall(_, source, inner, outer) => {
                    let module = (!source.is_empty()).then_some(source.as_str());
                    let position = inner.position();
                    if in_library(module) && !in_library(place.module) {
                        entered = Some((place.module, *outer));
                    }
                    // A native has no position of its own: the call is where it happened.
                    place = if position.is_none() {
                        Self { error: inner, module: place.module, position: *outer }
                    } else {
                        Self { error: inner, module, position }
                    };
                }
                EvalAltResult::ErrorInModule(_, inner, _) => {
                    place = Self { error: inner, ..place };
                }
                _ => {
                    return match entered.filter(|_| in_library(place.module)) {
                        Some((module, position)) => Self { module, position, ..place },
                        None => place,
                    };
                }
            }
        }
    }
}

/// The diagnostic of a text that reading accepts and the guard does not, and where it applies.
fn uncompiled(error: &SourceError) -> (Diagnostic, Position) {
    match error {
        SourceError::Parse(error) => {
            (Diagnostic::author("source/syntax", error.err_type().to_string()), error.position())
        }
        SourceError::Operand(position) => (
            Diagnostic::author("source/switch", "the operand of this `switch` is a statement")
                .help("put it into a variable first, or between parentheses"),
            *position,
        ),
        SourceError::Reserved(name) => (
            Diagnostic::author("source/reserved", format!("the name `{name}` is reserved"))
                .help("take another name"),
            Position::NONE,
        ),
    }
}

/// The diagnostic of a bound that was passed.
pub(crate) fn limit_passed(limit: Limit, limits: &Limits) -> Diagnostic {
    let bound = limits.get(limit);
    let unit = limit.unit();
    let text = match limit {
        Limit::Operations => format!("the call took more than {bound} operations"),
        Limit::Time => format!("the call took more than {bound} ms"),
        Limit::Memory => format!("the call held more than {bound} bytes"),
        Limit::CallDepth => format!("functions called each other more than {bound} deep"),
        other => format!("the call passed its bound of {bound} {unit} for {other}"),
    };
    let advice = match limit {
        Limit::Operations => {
            "move loops over text and lists into `text::` and `list::` functions, which work natively"
        }
        Limit::Time => "do less in one call, or split the work",
        Limit::Memory => "keep less at once; drop what is not needed, or work in pieces",
        Limit::CallDepth => "check that the recursion ends, or write it as a loop",
        _ => "send less in one call",
    };
    Diagnostic::author(limit.code(), text).help(advice).help(raise(limit, bound))
}

fn raise(limit: Limit, bound: u64) -> String {
    if bound < limit.default_value() {
        return format!(
            "the bound was lowered from {} {}; look for `@limit {limit}` in the script and for \
             `--limit {limit}=…` on the command line",
            limit.default_value(),
            limit.unit()
        );
    }
    let (ceiling, unit) = (limit.ceiling(), limit.unit());
    format!(
        "whoever runs it can raise the bound with `--limit {limit}=…`, at most {ceiling} {unit}"
    )
}

/// The diagnostic of a job that the sandbox could not answer.
pub(crate) fn sandbox(error: &SandboxError, limits: &Limits) -> Diagnostic {
    match error {
        SandboxError::Busy => Diagnostic::operator(
            "call/busy",
            format!("all sandbox threads were busy for {} ms", limits.get(Limit::Time)),
        )
        .help("call again later"),
        SandboxError::Overdue(_) => limit_passed(Limit::Time, limits).help(
            "a single native step took too long; should it never end, the feature is quarantined",
        ),
        SandboxError::Panicked(text) => Diagnostic::author(
            "script/panic",
            format!("the engine gave up on a value it cannot handle: {text}"),
        )
        .help("a value that holds itself, through a closure, is the usual reason"),
        SandboxError::NoThread(reason) => {
            Diagnostic::operator("host/no-thread", format!("no thread could be started: {reason}"))
        }
    }
}

/// Why a sandbox process gave no outcome.
#[cfg(unix)]
pub(crate) fn process(error: &ProcessError, limits: &Limits) -> Diagnostic {
    match error {
        ProcessError::Busy => Diagnostic::operator(
            "call/busy",
            format!("all sandbox processes were busy for {} ms", limits.get(Limit::Time)),
        )
        .help("call again later"),
        ProcessError::Overdue => limit_passed(Limit::Time, limits)
            .help("a single native step took too long; the process that ran it was ended"),
        ProcessError::Died(_) => Diagnostic::author("script/died", error.to_string())
            .help("what the call staged is forgotten; other calls are not touched"),
        ProcessError::NoProcess(_) | ProcessError::Stranger | ProcessError::Silent => {
            Diagnostic::operator("host/no-process", error.to_string())
        }
    }
}

fn thrown(value: &Dynamic) -> Diagnostic {
    if let Some(error) = value.read_lock::<CallerError>() {
        return Diagnostic::caller("call/failed", error.0.clone());
    }
    if let Some(refusal) = value.read_lock::<Refusal>() {
        return Diagnostic::clone(&refusal.0);
    }
    if let Some(assertion) = value.read_lock::<Assertion>() {
        return Diagnostic::author("test/assertion", assertion.0.clone());
    }
    Diagnostic::author("script/throw", shown(value))
}

/// A thrown value as a message: the text itself, or the `message` of a map, or the value written.
fn shown(value: &Dynamic) -> String {
    let inner = value.read_lock::<rhai::Map>().and_then(|map| map.get("message").cloned());
    let value = inner.as_ref().unwrap_or(value);
    brief(value)
}

/// The beginning of a value's text.
fn brief(value: &Dynamic) -> String {
    display::excerpt(value, Style::Print, 1_000)
}

/// An error in words, without positions and without formatting script values.
pub(crate) fn message(error: &EvalAltResult) -> String {
    match Place::find(error, None).error {
        EvalAltResult::ErrorRuntime(value, _) => thrown(value).message,
        EvalAltResult::ErrorTerminated(..) => "the call was ended".to_owned(),
        EvalAltResult::ErrorIndexNotFound(index, _) => {
            format!("there is no index {}", brief(index))
        }
        other => {
            let text = other.to_string();
            // The engine appends ` (line …, position …)`; the label says that.
            match text.rfind(" (line ") {
                Some(end) => text[..end].to_owned(),
                None => text,
            }
        }
    }
}

fn module_not_found(name: &str) -> Diagnostic {
    match host::find(name) {
        Some(module) if module.build.is_none() => Diagnostic::operator(
            format!("service/{name}"),
            format!("this host does not provide `{name}`"),
        ),
        Some(_) => Diagnostic::operator(
            format!("grant/{name}"),
            format!("this feature was not granted `{name}`"),
        )
        .help(
            "ask first with `granted(…)`; `peasy list` shows what was denied and how to allow it",
        ),
        None => Diagnostic::author("call/unknown-module", format!("there is no module `{name}`")),
    }
}

fn function_not_found(signature: &str) -> Diagnostic {
    let shown = readable(signature);
    let (name, types) = shown.split_once(" (").unwrap_or((&shown, ""));
    let types: Vec<&str> = match types.strip_suffix(')').unwrap_or(types) {
        "" => Vec::new(),
        types => types.split(", ").collect(),
    };
    if name.starts_with("anon$") {
        return Diagnostic::author(
            "script/unknown-function",
            format!(
                "the closure is given {}, and takes another number of parameters",
                match types.as_slice() {
                    [] => "nothing".to_owned(),
                    types => format!("({})", types.join(", ")),
                }
            ),
        )
        .help(
            "the key of `list::sort_by`, `list::group_by` and their like takes one value: \
             `|item| item.name`",
        );
    }
    let help = function_help(name, &types);
    Diagnostic::author(
        "script/unknown-function",
        format!("no function takes these arguments: `{shown}`"),
    )
    .help(help)
}

/// What to do about a function that takes no values of these types.
fn function_help(name: &str, types: &[&str]) -> String {
    let is_word = super::parse::is_identifier(name);
    if types.contains(&"()") {
        let example = match (is_word, types) {
            (false, ["()", _]) => format!("`(value ?? 0) {name} …`"),
            (false, [_, "()"]) => format!("`… {name} (value ?? 0)`"),
            _ => "`value ?? \"\"`".to_owned(),
        };
        return format!(
            "`()` stands for what is not there, such as a field that a map does not have; say what \
             counts instead: {example}"
        );
    }
    match (name, types.first().copied()) {
        ("int" | "to_int", Some("string")) => return "write `text::parse_int(text)`".to_owned(),
        ("to_float", Some("string")) => return "write `text::parse_float(text)`".to_owned(),
        ("log", Some("string")) => return "write `log::info(text)`".to_owned(),
        (_, Some("char")) if is_word && remedy::is_native(name) => {
            return "a character is not a text: `c.to_string()` makes it one; a loop over a text \
                    gives characters"
                .to_owned();
        }
        _ => (),
    }
    let kind = types.first().copied().unwrap_or_default();
    let modules = remedy::modules_with(name, types.len());
    if types == ["array"] && ["max", "min"].contains(&name) {
        return format!("write {}", remedy::call_of("list", name, "value", 0));
    }
    if is_word && !remedy::is_native(name) {
        if let Some(module) = remedy::home(&modules, kind) {
            let arguments = types.len().saturating_sub(1);
            return format!("write {}", remedy::call_of(module, name, "value", arguments));
        }
        if let Some(help) = remedy::of_method(name).or_else(|| remedy::of_function(name)) {
            return help.to_owned();
        }
        return format!("no value has a method `{name}`, and there is no function of that name");
    }
    format!("check the types of what `{name}` is given; `print(type_of(x))` shows one")
}

/// What to do where a value of another type is needed.
fn type_help(wanted: &str, given: &str) -> String {
    match (readable(wanted).as_str(), readable(given).as_str()) {
        ("int", "range") => "write `list::slice(list, start, end)` for a part of a list".to_owned(),
        ("bool", _) => {
            "write a comparison, as in `x != ()`, `x > 0` or `x != \"\"`; nothing but `true` is true"
                .to_owned()
        }
        (wanted, "()") => format!("`()` stands for what is not there; `x ?? …` gives a {wanted}"),
        _ => "`print(type_of(x))` shows the type of a value".to_owned(),
    }
}

/// What to write instead of a property that values of a type do not have.
fn property_help(message: &str) -> Option<String> {
    let rest = message.strip_prefix("unknown property '")?;
    let (name, rest) = rest.split_once('\'')?;
    let kind = rest.split('\'').nth(1)?;
    if let Some(help) = remedy::of_property(name, kind) {
        return Some(help.to_owned());
    }
    Some(match kind {
        "()" => format!("`()` stands for what is not there; `x?.{name}` gives `()` then as well"),
        _ => format!("only maps have fields; this is a value of type `{kind}`"),
    })
}

fn constant_changed(name: &str) -> Diagnostic {
    let name = name.split(DIVIDER).next().unwrap_or(name);
    Diagnostic::author("script/constant", format!("`{name}` is a constant and cannot be changed"))
        .help(format!("copy it first: `let copy = {name};`"))
}

/// A signature of the engine with the type names that scripts use.
fn readable(signature: &str) -> String {
    let mut text = signature.to_owned();
    for (rust, script) in [
        ("core::ops::range::RangeInclusive<i64>", "range"),
        ("core::ops::range::Range<i64>", "range"),
        ("&str | ImmutableString | String", "string"),
        ("ImmutableString", "string"),
        ("i64", "int"),
        ("f64", "float"),
        ("&mut ", ""),
    ] {
        text = text.replace(rust, script);
    }
    text
}

fn lowercase_first(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_lowercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The characters of the name or number that begins at a place; 1 for anything else.
fn word_length(source: &str, line: usize, column: usize) -> usize {
    let Some(text) = source.lines().nth(line - 1) else { return 1 };
    let is_word = |c: &char| c.is_alphanumeric() || *c == '_' || *c == ':';
    text.chars().skip(column - 1).take_while(is_word).count().max(1)
}
