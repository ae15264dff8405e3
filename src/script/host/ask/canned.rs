//! Answers that a test gives to the questions of its feature, for nobody is asked in a test.

use super::{Asked, Asking, Said, refuse};
use crate::diagnostic::Diagnostic;
use crate::feature::question::Wanted;
use crate::limit::Limit;
use crate::script::frame::{self, Native, Role, refusal};
use crate::script::host::ModuleBuilder;
use crate::script::meter;
use crate::script::value::{Budget, to_json};
use rhai::{Array, Dynamic, Map};
use serde_json::Value;

/// The operations that one answer costs.
const COST: u64 = 20;

/// An answer of a test.
#[derive(Clone)]
pub(super) enum Canned {
    /// This value: `true` and `false` of a `confirm`, a text, or a map of a form.
    Value(Value),
    Declined,
    Dismissed,
}

pub(super) fn functions(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// In a test: what the next question without an answer is answered. `true` or `false` for \
             `confirm`, a text for `text` and `choose`, a map for `form`.",
            "/// ask::answer(true)",
            "/// ask::answer(#{ name: \"Ada\", age: 36 })",
        ])
        .function("answer", ["answer: any"], |value: Dynamic| -> Native {
            let most = frame::with(|frame| Ok(frame.limit(Limit::Arguments)))?;
            let budget = Budget::of_bytes(usize::try_from(most).unwrap_or(usize::MAX));
            let value = to_json(&value, budget)
                .map_err(|reason| refuse(format!("ask::answer: {reason}")))?;
            keep("ask::answer", Canned::Value(value))
        })
        .docs(&[
            "/// In a test: the next question without an answer is answered with no.",
            "/// ask::decline()",
        ])
        .function("decline", [], || -> Native { keep("ask::decline", Canned::Declined) })
        .docs(&[
            "/// In a test: the next question without an answer is put aside.",
            "/// ask::dismiss()",
        ])
        .function("dismiss", [], || -> Native { keep("ask::dismiss", Canned::Dismissed) })
        .docs(&[
            "/// In a test: the questions so far, each as `text`, `name` and the names of its `fields`.",
            "/// ask::asked()[0].text",
        ])
        .function("asked", ["map[]"], asked);
}

fn keep(function: &str, answer: Canned) -> Native {
    meter::charge(COST)?;
    with_test(function, |asking| {
        asking.canned.push(answer);
        Ok(())
    })
}

fn with_test<T>(function: &str, act: impl FnOnce(&mut Asking) -> Native<T>) -> Native<T> {
    frame::with(|frame| {
        if frame.role() != Role::Test {
            return Err(refuse(format!("{function} is for functions with `@test` alone")));
        }
        act(frame.asking().0)
    })
}

/// What the running test has been asked so far.
fn asked() -> Native<Array> {
    let questions = with_test("ask::asked", |asking| Ok(asking.asked.clone()))?;
    meter::charge(questions.len() as u64 * COST)?;
    let maps = questions.into_iter().map(|question| {
        let fields: Array = match &question.wanted {
            Wanted::Consent => Array::new(),
            Wanted::Form(fields) => {
                fields.iter().map(|field| field.argument_name().into()).collect()
            }
        };
        Dynamic::from_map(Map::from([
            ("text".into(), question.text.into()),
            ("name".into(), question.name.map_or(Dynamic::UNIT, Dynamic::from)),
            ("fields".into(), fields.into()),
        ]))
    });
    Ok(maps.collect())
}

/// The answer that the running test has for a question.
///
/// # Errors
///
/// It has none, or one that does not fit.
pub(super) fn answered(asked: &Asked<'_>) -> Native<Said> {
    let answer = frame::with(|frame| {
        let question = asked.question(frame, asked.text.to_owned());
        let (asking, _) = frame.asking();
        asking.asked.push(question);
        let answer = asking.canned.get(asking.taken).cloned();
        asking.taken += 1;
        Ok(answer)
    })?;
    let given = match (answer, &asked.wanted) {
        (None, wanted) => return Err(none(asked, wanted)),
        (Some(Canned::Declined), _)
        | (Some(Canned::Value(Value::Bool(false))), Wanted::Consent) => {
            return Ok(Said::No);
        }
        (Some(Canned::Dismissed), _) => return Err(asked.dismissed()),
        (Some(Canned::Value(Value::Bool(true))), Wanted::Consent) => serde_json::Map::new(),
        (Some(Canned::Value(value)), Wanted::Consent) => {
            return Err(refuse(format!(
                "ask::answer: {value} is no answer to yes or no; give `true` or `false`"
            )));
        }
        (Some(Canned::Value(Value::Object(map))), Wanted::Form(_)) => map,
        (Some(Canned::Value(value)), Wanted::Form(_)) => {
            serde_json::Map::from_iter([(super::ONLY.to_owned(), value)])
        }
    };
    match asked.check(&given)? {
        Ok(values) => Ok(Said::Yes(values)),
        Err(problem) => Err(refusal(asked.misfit(&problem))),
    }
}

fn none(asked: &Asked<'_>, wanted: &Wanted) -> Box<rhai::EvalAltResult> {
    let message =
        format!("nobody is asked in a test, and this one has no answer to: {}", asked.shown());
    let answer = match wanted {
        Wanted::Consent => "true",
        Wanted::Form(fields) if fields.get(super::ONLY).is_some() => "\"…\"",
        Wanted::Form(_) => "#{ … }",
    };
    let help = format!("give it one before: `ask::answer({answer})`");
    refusal(Diagnostic::author("ask/no-answer", message).help(help))
}
