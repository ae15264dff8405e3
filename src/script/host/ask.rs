//! `ask`: questions to the person who uses the tool.
//!
//! A call never waits for a person. Where a question has no answer yet, the call ends there and
//! nothing of it is kept; whoever ran it asks the person and runs it again with the answer, under the
//! same clock and the same seed. So nothing may be asked once the call let something out into the
//! world: the next run would do it again. Nothing here asks anybody.

mod canned;
mod field;
#[cfg(all(test, unix))]
mod tests;

use super::ModuleBuilder;
use super::options::Options;
use super::text::work::refuse;
use crate::diagnostic::{Blame, Diagnostic, Severity};
use crate::feature::capability::Capability;
use crate::feature::measure::value_bytes;
use crate::feature::question::{Answer, Question, Wanted};
use crate::feature::schema::{Arguments, Mismatch, Parameters, Subject, Type};
use crate::limit::Limit;
use crate::script::frame::{self, Frame, Native, Role, refusal};
use crate::script::meter::{self, End};
use crate::script::value::{self, prefix};
use canned::Canned;
use field::{Fields, Piece};
use rhai::{Array, Dynamic, ImmutableString, Map, Module, Shared};
use serde_json::Value;

/// Most questions of one call. Each is a run of its own, and a person has to answer it.
const MOST_QUESTIONS: usize = 20;

/// Answers that do not fit, after which a question is not put again.
const MOST_MISFITS: usize = 3;

/// The operations that one question costs.
const COST: u64 = 50;

/// Most bytes of a question's name.
const MOST_NAME: usize = 64;

/// Most bytes of a question in a message.
const MOST_SHOWN: usize = 200;

/// The field of a question that has only one.
const ONLY: &str = "answer";

/// What one call has asked.
#[derive(Default)]
pub(crate) struct Asking {
    /// How many questions it has put.
    put: usize,
    /// How many of the answers it has taken.
    taken: usize,
    /// The answers that a test gave, those that were taken included.
    canned: Vec<Canned>,
    /// The questions of a test.
    asked: Vec<Question>,
    /// The question that has no answer, and ended the call.
    pub(crate) question: Option<Question>,
}

/// The module of a feature that asked for `ask`.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "Questions to the person who uses the tool. Request `ask`. A call never waits: where there \
         is no answer yet it ends, nothing of it is kept, and it runs again from its beginning once \
         the person has answered, with the same clock and the same random numbers. So ask first and \
         act afterwards: after `http`, `exec` or a change of files nothing can be asked any more. \
         Where the person says no to a question or puts it aside, that is an error that a script may \
         catch, `ask/declined` or `ask/dismissed`. Options are `name`, by which `--answer NAME=…` and \
         clients know the question, and `preset`, what stands there before the person writes.",
    );
    one_field(&mut builder);
    builder
        .docs(&[
            "/// Asks for several values at once. Each field has a type, written as after `@param`: a text, a \
             number, a `bool`, one of several texts or a list of them. Instead of the type alone it may be \
             a map of `type`, `title`, `description`, `preset`, and `choices`, what to show for each text. \
             The form shows its fields in the order of their names.",
            "/// ask::form(\"Who are you?\", #{ name: \"string(..=80)\", age: \"int(0..=150) = 30\" }).name",
            "/// ask::form(\"Which size?\", #{ size: #{ type: \"\\\"s\\\" | \\\"m\\\"\", title: \"Size\", choices: #{ s: \"Small\" } } })",
        ])
        .function("form", ["question: string", "fields: map", "map"], |question: &str, fields: Map| {
            form(question, &fields, &Map::new())
        })
        .function(
            "form",
            ["question: string", "fields: map", "options: map", "map"],
            |question: &str, fields: Map, options: Map| form(question, &fields, &options),
        );
    canned::functions(&mut builder);
    builder.build()
}

fn one_field(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// Whether the person says yes. Putting the question aside is an error; saying no is `false`.",
            "/// ask::confirm(`Delete ${names.len()} files?`)",
        ])
        .function("confirm", ["question: string", "bool"], |question: &str| {
            confirm(question, &Map::new())
        })
        .function(
            "confirm",
            ["question: string", "options: map", "bool"],
            |question: &str, options: Map| confirm(question, &options),
        )
        .docs(&[
            "/// What the person writes.",
            "/// ask::text(\"What is the new name?\", #{ preset: \"untitled\" })",
        ])
        .function("text", ["question: string", "string"], |question: &str| {
            text(question, &Map::new())
        })
        .function(
            "text",
            ["question: string", "options: map", "string"],
            |question: &str, options: Map| text(question, &options),
        )
        .docs(&[
            "/// The text that the person chooses: from a list, or from a map of what to show for each.",
            "/// ask::choose(\"Which branch?\", [\"main\", \"next\"])",
            "/// ask::choose(\"Which size?\", #{ s: \"Small\", m: \"Medium\" }, #{ preset: \"m\" })",
        ]);
    for_both::<Array>(builder, "from: string[]", Piece::of_list);
    for_both::<Map>(builder, "from: map", Piece::of_map);
}

/// `choose` from a list and from a map.
fn for_both<T: rhai::Variant + Clone>(
    builder: &mut ModuleBuilder,
    parameter: &'static str,
    read: fn(&T) -> Native<Piece>,
) {
    builder
        .function(
            "choose",
            ["question: string", parameter, "string"],
            move |question: &str, from: T| choose(question, &read(&from)?, &Map::new()),
        )
        .function(
            "choose",
            ["question: string", parameter, "options: map", "string"],
            move |question: &str, from: T, options: Map| choose(question, &read(&from)?, &options),
        );
}

fn confirm(question: &str, options: &Map) -> Native<bool> {
    let mut options = Options::new("ask::confirm", options);
    let name = name(&mut options)?;
    options.done()?;
    let asked = Asked { function: "ask::confirm", text: question, name, wanted: Wanted::Consent };
    Ok(matches!(asked.put(0)?, Said::Yes(_)))
}

fn text(question: &str, options: &Map) -> Native<Dynamic> {
    let mut options = Options::new("ask::text", options);
    let name = name(&mut options)?;
    let default = options.text("preset", "\"untitled\"")?;
    options.done()?;
    let piece = Piece::new(Type::string());
    only("ask::text", question, name, &piece, default)
}

fn choose(question: &str, from: &Piece, options: &Map) -> Native<Dynamic> {
    let mut options = Options::new("ask::choose", options);
    let name = name(&mut options)?;
    let default = options.text("preset", "\"main\"")?;
    options.done()?;
    only("ask::choose", question, name, from, default)
}

/// Asks for one value, and gives it.
fn only(
    function: &'static str,
    question: &str,
    name: Option<String>,
    piece: &Piece,
    default: Option<ImmutableString>,
) -> Native<Dynamic> {
    let mut fields = Fields::new(function);
    let default = default.map(|text| Value::from(text.as_str()));
    fields.add(ONLY, piece, default)?;
    let bytes = fields.bytes;
    let asked = Asked { function, text: question, name, wanted: Wanted::Form(fields.done()?) };
    let given = asked.put(bytes)?.given(&asked)?;
    given.get(ONLY).map_or(Ok(Dynamic::UNIT), value::from_json)
}

fn form(question: &str, fields: &Map, options: &Map) -> Native<Map> {
    let function = "ask::form";
    let mut options = Options::new(function, options);
    let name = name(&mut options)?;
    options.done()?;
    let fields = Fields::read(function, fields)?;
    let bytes = fields.bytes;
    let asked = Asked { function, text: question, name, wanted: Wanted::Form(fields.done()?) };
    let given = asked.put(bytes)?.given(&asked)?;
    let mut map = Map::new();
    for (name, value) in given.as_map() {
        map.insert(name.as_str().into(), value::from_json(value)?);
    }
    Ok(map)
}

/// The name of a question.
fn name(options: &mut Options<'_>) -> Native<Option<String>> {
    let Some(name) = options.text("name", "\"user_name\"")? else { return Ok(None) };
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.len() > MOST_NAME || !name.chars().all(is_word) {
        return Err(refuse(format!(
            "`name` has up to {MOST_NAME} letters, digits and `_`; it was {:?}",
            prefix(&name, 40)
        )));
    }
    Ok(Some(name.to_string()))
}

/// A question, before it is put.
struct Asked<'a> {
    function: &'static str,
    text: &'a str,
    name: Option<String>,
    wanted: Wanted,
}

/// What a person said.
enum Said {
    /// Yes, with values that fit.
    Yes(Arguments),
    No,
}

impl Said {
    /// The values.
    ///
    /// # Errors
    ///
    /// The person said no; the script may catch that.
    fn given(self, asked: &Asked<'_>) -> Native<Arguments> {
        match self {
            Self::Yes(values) => Ok(values),
            Self::No => {
                let message = format!("the person said no to: {}", asked.shown());
                Err(refusal(Diagnostic::operator("ask/declined", message)))
            }
        }
    }
}

impl Asked<'_> {
    /// The beginning of the question, for messages.
    fn shown(&self) -> &str {
        prefix(self.text, MOST_SHOWN)
    }

    /// Puts the question: takes its answer, or ends the call where there is none. `bytes` are those of
    /// its form.
    ///
    /// # Errors
    ///
    /// There is no answer yet: the call is over. Or nothing may be asked here, or the person put the
    /// question aside; the script may catch that.
    fn put(&self, bytes: usize) -> Native<Said> {
        meter::charge(COST)?;
        frame::with(|frame| {
            self.may_be_put(frame)?;
            frame.spend_notice(self.text.len().saturating_add(bytes))
        })?;
        meter::charge_bytes(self.text.len().saturating_add(bytes))?;
        let is_test = frame::with(|frame| Ok(frame.role() == Role::Test))?;
        if is_test { canned::answered(self) } else { self.answered() }
    }

    fn may_be_put(&self, frame: &mut Frame) -> Native {
        super::require(frame, &Capability::Ask)?;
        let function = self.function;
        if self.text.trim().is_empty() {
            return Err(refuse(format!("{function}: the question is empty")));
        }
        if frame.role() == Role::Hook {
            let message = format!("`{function}` is for tools; a hook decides at once");
            let help = "return `ask(\"…\")`, which leaves the decision to a person";
            return Err(refusal(Diagnostic::author("ask/hook", message).help(help)));
        }
        if frame.has_acted() {
            let message = "nothing can be asked after `http`, `exec` or a change of files: the call runs \
                           again with the answer, and would do that twice";
            let help = "ask before, or split the work into two tools";
            return Err(refusal(Diagnostic::author("ask/too-late", message).help(help)));
        }
        let asking = frame.asking().0;
        asking.put += 1;
        if asking.put > MOST_QUESTIONS {
            let message = format!("one call asks at most {MOST_QUESTIONS} questions");
            let help = "ask for several values at once with `ask::form`";
            return Err(refusal(Diagnostic::author("ask/too-many", message).help(help)));
        }
        Ok(())
    }

    /// The answer that the call was run with.
    fn answered(&self) -> Native<Said> {
        let mut misfit: Option<Diagnostic> = None;
        for _ in 0..=MOST_MISFITS {
            let answer = frame::with(|frame| {
                let (asking, answers) = frame.asking();
                let place = asking.taken;
                asking.taken += 1;
                Ok((place < answers.len()).then(|| (std::sync::Arc::clone(answers), place)))
            })?;
            let Some((answers, place)) = answer else { return Err(self.end(misfit.as_ref())) };
            match &answers[place] {
                Answer::Declined => return Ok(Said::No),
                Answer::Dismissed => return Err(self.dismissed()),
                Answer::Given(values) => match self.check(values)? {
                    Ok(values) => return Ok(Said::Yes(values)),
                    Err(problem) => misfit = Some(problem),
                },
            }
        }
        Err(refusal(misfit.map_or_else(unanswered, |problem| self.misfit(&problem))))
    }

    /// Holds an answer against the question. What is wrong with it is told apart from what ends the
    /// call.
    fn check(
        &self,
        values: &serde_json::Map<String, Value>,
    ) -> Native<Result<Arguments, Diagnostic>> {
        let Wanted::Form(fields) = &self.wanted else {
            // Yes is yes, whatever comes with it.
            return Ok(Parameters::new().check(serde_json::Map::new()).map_err(worst));
        };
        let most = frame::with(|frame| Ok(frame.limit(Limit::Arguments)))?;
        let mut bytes = 0;
        for value in values.values() {
            bytes += value_bytes(value, most).unwrap_or(u64::MAX / 2);
        }
        if bytes > most {
            let message = format!("the answer has more than {most} bytes");
            return Ok(Err(Diagnostic::caller("ask/answer", message)));
        }
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        meter::charge_bytes(bytes)?;
        meter::reserve(bytes.saturating_mul(4))?;
        Ok(fields.check(values.clone()).map_err(worst))
    }

    /// Ends the call with the question; `misfit` says what is wrong with the answer of before.
    fn end(&self, misfit: Option<&Diagnostic>) -> Box<rhai::EvalAltResult> {
        let ended = frame::with(|frame| {
            let question = meter::handing_out(|| {
                let text = match misfit {
                    Some(problem) => format!("{}\n({})", self.text, problem.message),
                    None => self.text.to_owned(),
                };
                self.question(frame, text)
            });
            frame.asking().0.question = Some(question);
            Ok(())
        });
        ended.err().unwrap_or_else(|| meter::end_with(End::Question))
    }

    fn question(&self, frame: &Frame, text: String) -> Question {
        Question {
            feature: Some(frame.feature().clone()),
            name: self.name.clone(),
            text,
            wanted: self.wanted.clone(),
        }
    }

    fn dismissed(&self) -> Box<rhai::EvalAltResult> {
        let message = format!("the person put the question aside: {}", self.shown());
        refusal(Diagnostic::operator("ask/dismissed", message))
    }

    /// An answer that does not fit, as the error that it is.
    fn misfit(&self, problem: &Diagnostic) -> Diagnostic {
        let message =
            format!("the answer does not fit: {}; it was to: {}", problem.message, self.shown());
        let why = Diagnostic::new(Severity::Error, Blame::Caller, "ask/answer", message);
        problem.help.iter().cloned().fold(why, Diagnostic::help)
    }
}

/// The first of what a check found; it found at least one.
fn worst(found: Vec<Mismatch>) -> Diagnostic {
    found.into_iter().next().map_or_else(
        || Diagnostic::host("host/empty-failure", "a check failed without a reason"),
        |mismatch| mismatch.into_diagnostic(Subject::Arguments),
    )
}

/// What a call says that ended with a question, to whoever cannot ask.
pub(crate) fn unanswered() -> Diagnostic {
    let text = frame::with(|frame| {
        let question = frame.asking().0.question.as_ref();
        Ok(question.map(|question| prefix(&question.text, MOST_SHOWN).to_owned()))
    });
    let text = text.ok().flatten().unwrap_or_default();
    Diagnostic::operator("ask/unanswered", format!("a person has to answer first: {text}")).help(
        "call it where a person can be asked: at a terminal, or with a client that shows questions",
    )
}
