//! Asking the person at the terminal what a tool asks, or taking the answers from the command line.
//!
//! Where there is neither, the call fails and its message has the question. Text of a feature never
//! drives the terminal.

use super::output::{BOLD, DIM, Output, WARN, count, paint, safe};
use super::usage;
use crate::diagnostic::{Diagnostic, shell_word};
use crate::feature::question::{Answer, Answers, Question, Wanted};
use crate::feature::schema::{Parameter, Parameters, Type};
use serde_json::{Map, Value};
use std::io::{self, BufRead, IsTerminal, Write};

/// The answers of one call: those that were given with the command, and those of the person.
pub(super) struct Asking<'a> {
    /// What the command line still has, in order.
    given: Vec<&'a str>,
    answers: Vec<Answer>,
    /// Whether a person may be asked.
    is_open: bool,
    /// Whether the person wants no question any more.
    is_over: Box<IsOver>,
}

type IsOver = dyn Fn() -> bool + Send + Sync;

/// How often somebody who waits for an answer looks whether there will be one, in nanoseconds.
#[cfg(unix)]
const LOOK: i32 = 50_000_000;

type Asked<T> = Result<T, Box<Diagnostic>>;

impl<'a> Asking<'a> {
    /// `given` are the answers of the command line; `is_open` is false where nobody is to be asked, whatever
    /// the terminal.
    pub fn new(given: &'a [String], is_open: bool) -> Self {
        let given = given.iter().map(String::as_str).collect();
        let is_open = is_open && io::stdin().is_terminal() && io::stderr().is_terminal();
        Self { given, answers: Vec::new(), is_open, is_over: Box::new(|| false) }
    }

    /// Puts a question aside as soon as this is so.
    #[cfg(feature = "worker")]
    pub fn unless(self, is_over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { is_over: Box::new(is_over), ..self }
    }

    /// The answers so far.
    pub fn answers(&self) -> Answers {
        self.answers.as_slice().into()
    }

    /// Adds the answer to a question. Whether there is one, and the call can be run again.
    ///
    /// # Errors
    ///
    /// What the command line has does not fit, or the terminal cannot be read.
    pub fn answer(&mut self, question: &Question, output: &mut Output) -> Asked<bool> {
        let answer = match self.take(question) {
            Some(text) => given(question, text)?,
            None if self.is_open => ask(question, &*self.is_over, output)?,
            None => return Ok(false),
        };
        self.answers.push(answer);
        Ok(true)
    }

    /// The answer of the command line: `NAME=…` of a question with that name, or the next.
    fn take(&mut self, question: &Question) -> Option<&'a str> {
        let named = question.name.as_deref().and_then(|name| {
            let text = |text: &'a str| text.strip_prefix(name)?.strip_prefix('=');
            let place = self.given.iter().position(|given| text(given).is_some())?;
            text(self.given.remove(place))
        });
        named.or_else(|| (!self.given.is_empty()).then(|| self.given.remove(0)))
    }

    /// Says which answers nothing asked for.
    pub fn tell_left(&self, output: &mut Output) {
        if !self.given.is_empty() {
            let left = count(self.given.len(), "answer");
            output.tell(format_args!(
                "{} {left} of `--answer` was not asked for",
                paint(WARN, "note:")
            ));
        }
    }
}

/// An answer of the command line as the question wants it.
fn given(question: &Question, text: &str) -> Asked<Answer> {
    let refused = |why: String| {
        let problem = usage(format!(
            "`--answer {}` is no answer to: {}",
            shell_word(&safe(text)),
            first(question)
        ));
        Err(problem.help(why).into())
    };
    match &question.wanted {
        Wanted::Consent => match yes_or_no(text) {
            Some(answer) => Ok(answer),
            None => refused("write `--answer yes` or `--answer no`".to_owned()),
        },
        Wanted::Form(fields) => {
            let values = match (text.trim_start().starts_with('{'), only(fields)) {
                (true, _) => match serde_json::from_str(text) {
                    Ok(values) => values,
                    Err(reason) => return refused(format!("it is not JSON: {reason}")),
                },
                (false, Some(field)) => one(field, text),
                (false, None) => {
                    return refused(format!("write a JSON object: `--answer {}`", object(fields)));
                }
            };
            match fields.check(Map::clone(&values)) {
                Ok(_) => Ok(Answer::Given(values)),
                Err(found) => {
                    let found: Vec<String> = found
                        .into_iter()
                        .map(|mismatch| Diagnostic::from(mismatch).message)
                        .collect();
                    refused(found.join("; "))
                }
            }
        }
    }
}

fn yes_or_no(text: &str) -> Option<Answer> {
    match text.trim().to_lowercase().as_str() {
        "y" | "yes" | "true" => Some(Answer::Given(Map::new())),
        "n" | "no" | "false" => Some(Answer::Declined),
        _ => None,
    }
}

fn only(fields: &Parameters) -> Option<&Parameter> {
    fields.iter().next().filter(|_| fields.len() == 1)
}

fn one(field: &Parameter, text: &str) -> Map<String, Value> {
    [(field.argument_name().to_owned(), read(&field.kind, text))].into_iter().collect()
}

/// A text as a value of a type. What it cannot be stays a text, and the check says what belongs
/// there.
fn read(kind: &Type, text: &str) -> Value {
    let as_json = |is_right: fn(&Value) -> bool| {
        serde_json::from_str(text.trim()).ok().filter(is_right).unwrap_or_else(|| text.into())
    };
    match kind {
        Type::Nullable(inner) => read(inner, text),
        Type::Bool => match yes_or_no(text) {
            Some(answer) => Value::Bool(answer != Answer::Declined),
            None => text.into(),
        },
        Type::Int(_) | Type::Float(_) => as_json(Value::is_number),
        Type::Array(..) if text.trim_start().starts_with('[') => as_json(Value::is_array),
        Type::Array(items, _) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| read(items, part)).collect()
        }
        _ => text.into(),
    }
}

/// What to write on the command line for an answer.
pub(super) fn example(question: &Question) -> String {
    let answer = match &question.wanted {
        Wanted::Consent => "yes".to_owned(),
        Wanted::Form(fields) if only(fields).is_some() => "…".to_owned(),
        Wanted::Form(fields) => object(fields),
    };
    format!("--answer {answer}")
}

/// `'{"name": …}'`
fn object(fields: &Parameters) -> String {
    let fields = fields.iter().map(|field| format!("{:?}: …", field.argument_name()));
    format!("'{{{}}}'", fields.collect::<Vec<_>>().join(", "))
}

/// The question in one line.
fn first(question: &Question) -> String {
    super::output::first_line(&question.text)
}

/// Asks the person at the terminal.
fn ask(question: &Question, is_over: &IsOver, output: &mut Output) -> Asked<Answer> {
    let who = match &question.feature {
        Some(id) => format!("question[{}]:", safe(id.name().as_str())),
        None => "question:".to_owned(),
    };
    let mut lines = question.text.lines();
    let head = safe(lines.next().unwrap_or_default());
    output.tell(format_args!("{} {head}", paint(BOLD, who)));
    for line in lines {
        output.tell(format_args!("  {}", safe(line)));
    }
    match &question.wanted {
        Wanted::Consent => loop {
            let Some(line) = prompt("yes or no", "[y]es, [n]o", is_over, output)? else {
                return Ok(Answer::Dismissed);
            };
            if let Some(answer) = yes_or_no(&line) {
                return Ok(answer);
            }
        },
        Wanted::Form(fields) => {
            output.tell(paint(DIM, "  Ctrl-D puts the question aside"));
            let mut values = Map::new();
            for field in fields {
                match ask_field(field, is_over, output)? {
                    Some(Some(value)) => {
                        values.insert(field.argument_name().to_owned(), value);
                    }
                    Some(None) => {}
                    None => return Ok(Answer::Dismissed),
                }
            }
            Ok(Answer::Given(values))
        }
    }
}

/// Asks for one value: `Some(None)` leaves it out, `None` puts the question aside.
fn ask_field(
    field: &Parameter,
    is_over: &IsOver,
    output: &mut Output,
) -> Asked<Option<Option<Value>>> {
    let labels = &field.labels;
    if !field.description.is_empty() {
        output.tell(format_args!("  {}", safe(&field.description)));
    }
    for (text, shown) in &labels.choices {
        output.tell(format_args!("  {} {}", safe(text), paint(DIM, safe(shown))));
    }
    let name = match labels.title.is_empty() {
        true => field.argument_name(),
        false => &labels.title,
    };
    let mut about = field.kind.to_string();
    if let Some(default) = &field.default {
        about = format!("{about} = {default}");
    }
    loop {
        let Some(line) = prompt(&safe(name), &safe(&about), is_over, output)? else {
            return Ok(None);
        };
        if line.is_empty() && (field.default.is_some() || field.kind.is_optional()) {
            return Ok(Some(None));
        }
        match field.kind.check(read(&field.kind, &line)) {
            Ok(value) => return Ok(Some(Some(value))),
            Err(found) => {
                for mut mismatch in found {
                    mismatch.path = format!("{}{}", field.argument_name(), mismatch.path);
                    output.tell(format_args!("  {}", safe(&Diagnostic::from(mismatch).message)));
                }
            }
        }
    }
}

/// One line of the person; `None` where there is none any more.
fn prompt(name: &str, about: &str, is_over: &IsOver, output: &mut Output) -> Asked<Option<String>> {
    let lost = |reason: io::Error| usage(format!("the terminal cannot be read: {reason}"));
    let mut terminal = output.stderr();
    write!(terminal, "  {name} {} ", paint(DIM, format_args!("({about})")))
        .and_then(|()| terminal.flush())
        .map_err(lost)?;
    let mut line = String::new();
    if !comes(is_over) {
        return Ok(None);
    }
    if io::stdin().lock().read_line(&mut line).map_err(lost)? == 0 {
        output.tell("");
        return Ok(None);
    }
    Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Waits for a line. Whether one comes before it is over: a terminal gives whole lines, and reading cannot be
/// ended.
#[cfg(unix)]
fn comes(is_over: &IsOver) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdin = io::stdin();
    while !is_over() {
        let mut polled = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: LOOK.into() })) {
            Ok(0) | Err(rustix::io::Errno::INTR) => (),
            // Reading says what is wrong.
            Ok(_) | Err(_) => return true,
        }
    }
    false
}

#[cfg(not(unix))]
fn comes(is_over: &IsOver) -> bool {
    !is_over()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn question(fields: &[(&str, &str)], name: Option<&str>) -> Question {
        let mut parameters = Parameters::new();
        for (field, kind) in fields {
            let kind = Type::parse(kind).expect("a type");
            parameters.add(field, kind, None, "").expect("a field");
        }
        let wanted = match fields.is_empty() {
            true => Wanted::Consent,
            false => Wanted::Form(parameters),
        };
        Question { feature: None, name: name.map(str::to_owned), text: "Well?".into(), wanted }
    }

    #[test]
    fn an_answer_is_read_by_what_is_asked() {
        let read = |fields: &[(&str, &str)], text: &str| given(&question(fields, None), text);
        let values = |value: Value| value.as_object().cloned().map(Answer::Given);
        for (fields, text, wanted) in [
            (&[][..], "yes", values(json!({}))),
            (&[], "No", Some(Answer::Declined)),
            (&[("answer", "string")], "a=b", values(json!({ "answer": "a=b" }))),
            (&[("n", "int(..=9)?")], "3", values(json!({ "n": 3 }))),
            (&[("ok", "bool")], "no", values(json!({ "ok": false }))),
            (&[("some", "(\"a\" | \"b\")[]")], "a, b", values(json!({ "some": ["a", "b"] }))),
            (
                &[("a", "int"), ("b", "string")],
                "{\"a\":1,\"b\":\"c\"}",
                values(json!({ "a": 1, "b": "c" })),
            ),
        ] {
            assert_eq!(read(fields, text).ok(), wanted, "{text}");
        }
        for (fields, text, help) in [
            (&[][..], "maybe", "write `--answer yes` or `--answer no`"),
            (&[("n", "int(..=9)")], "10", "`n` must be `int(..=9)`, not int 10"),
            (&[("n", "int")], "ten", "`n` must be `int`, not string \"ten\""),
            (
                &[("a", "int"), ("b", "int")],
                "1",
                "write a JSON object: `--answer '{\"a\": …, \"b\": …}'`",
            ),
        ] {
            let problem = read(fields, text).expect_err("it does not fit");
            assert_eq!(problem.help, [help], "{text}");
        }
    }

    #[test]
    fn answers_are_taken_by_name_first_and_then_in_order() {
        let all = ["first".to_owned(), "who=named".to_owned(), "second".to_owned()];
        let mut asking = Asking {
            given: all.iter().map(String::as_str).collect(),
            answers: Vec::new(),
            is_open: false,
            is_over: Box::new(|| false),
        };
        let fields = [("answer", "string")];
        assert_eq!(asking.take(&question(&fields, Some("who"))), Some("named"));
        assert_eq!(asking.take(&question(&fields, Some("other"))), Some("first"));
        assert_eq!(asking.take(&question(&fields, None)), Some("second"));
        assert_eq!(asking.take(&question(&fields, None)), None);
    }
}
