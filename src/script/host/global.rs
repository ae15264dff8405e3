//! What every script may call without a namespace: `fail`, `granted`, the decisions of hooks, and
//! the assertions of tests.
//!
//! A decision is a Rust value: a script reads one and returns one, and cannot make a kind of its
//! own. Making a decision and not returning it is noticed.

use super::ModuleBuilder;
use crate::diagnostic::{Blame, Diagnostic, Severity};
use crate::feature::hook::Decision;
use crate::script::frame::{self, Assertion, CallerError, Native, Refusal, error, throw};
use crate::script::guard;
use crate::script::native::compare::{self, switch_key};
use crate::script::native::display::{self, Style};
use crate::script::value;
use rhai::{Dynamic, EvalAltResult, FnPtr, ImmutableString, Module, NativeCallContext, Shared};
use serde_json::Value;
use std::ops::{Range, RangeInclusive};

/// The module, registered in the global namespace of every engine.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    outcome(&mut builder);
    decisions(&mut builder);
    assertions(&mut builder);
    super::content::properties(&mut builder);
    builder.build()
}

fn outcome(builder: &mut ModuleBuilder) {
    builder
        .docs(&["/// Stands around the operand of every `switch`; scripts cannot call it."])
        .function(guard::SWITCH, ["operand: any"], switch_key)
        .docs(&["/// Stands around every interpolated value; scripts cannot call it."])
        .function(guard::TEXT, ["value: any"], |value: Dynamic| display::text(&value, Style::Print))
        .docs(&["/// Stands around an index that is assigned to; scripts cannot call it."])
        .function(guard::INDEX, ["index: any"], assigned_index)
        .docs(&[
            "/// Ends the call with an error that the caller can mend; the model reads the text.",
            "/// fail(\"the text is empty; give at least one word\")",
        ])
        .function("fail", ["text: string"], |text: ImmutableString| -> Native<Dynamic> {
            Err(throw(CallerError(text.into())))
        })
        .docs(&[
            "/// Whether a capability was granted, written as in `@request`; the name of a module asks \
             whether any of its capabilities was.",
            "/// granted(\"http=api.example.com\")",
        ])
        .function("granted", ["capability: string", "bool"], granted);
}

/// The engine assigns to a range of a text by writing any value as text, without a bound.
fn assigned_index(index: Dynamic) -> Native<Dynamic> {
    if index.is::<Range<i64>>() || index.is::<RangeInclusive<i64>>() {
        return Err(error(
            "nothing can be assigned to a range; put the parts together anew, as in \
             `t.sub_string(0, 3) + new + t.sub_string(5)`",
        ));
    }
    Ok(index)
}

fn granted(capability: &str) -> Native<bool> {
    frame::with(|frame| match capability.parse() {
        Ok(capability) => Ok(frame.grants().covers(&capability)),
        // `granted("http")` asks whether the module is open at all.
        Err(_) if super::find(capability).is_some() => Ok(frame.grants().opens(capability)),
        Err(reason) => Err(error(reason.to_string())),
    })
}

fn decisions(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// A decision: nothing; the same as returning nothing.",
            "/// proceed()",
        ])
        .function("proceed", ["decision"], || Decision::Proceed)
        .docs(&[
            "/// A decision at `pre_request`: the request is not sent.",
            "/// stop(\"no requests at night\")",
        ])
        .function("stop", ["reason: string", "decision"], |reason: ImmutableString| {
            decide(Decision::Stop { reason: reason.into() })
        })
        .docs(&[
            "/// A decision at `pre_tool_call`: the tool does not run, and the model reads why.",
            "/// deny(\"not the home folder\")",
        ])
        .function("deny", ["reason: string", "decision"], |reason: ImmutableString| {
            decide(Decision::Deny { reason: reason.into() })
        })
        .docs(&[
            "/// A decision at `pre_tool_call`: the tool does not run, and the model gets this instead.",
            "/// answer(#{ files: [] })",
        ])
        .function("answer", ["value: any", "decision"], |value: Dynamic| {
            decide(Decision::Answer { value: plain(&value)? })
        })
        .docs(&[
            "/// A decision at `pre_tool_call`: a person decides.",
            "/// ask(\"Delete 12 files?\")",
        ])
        .function("ask", ["question: string", "decision"], |question: ImmutableString| {
            decide(Decision::Ask { question: question.into() })
        })
        .docs(&[
            "/// A decision at `pre_tool_call`, where `hook:pre_tool_call:rewrite` is granted: the tool runs with \
             other arguments.",
            "/// rewrite(#{ path: \"docs/a.md\" })",
        ])
        .function("rewrite", ["arguments: map", "decision"], |arguments: rhai::Map| {
            decide(Decision::Rewrite { arguments: plain(&Dynamic::from_map(arguments))? })
        })
        .docs(&[
            "/// A decision at `post_tool_call`, where `hook:post_tool_call:replace` is granted: the model gets \
             another result.",
            "/// replace(text::replace(event.result, key, \"…\"))",
        ])
        .function("replace", ["result: any", "decision"], |result: Dynamic| {
            decide(Decision::Replace { result: plain(&result)? })
        })
        .docs(&[
            "/// A decision at `turn_end`: the turn goes on, a bounded number of times.",
            "/// again(\"the tests do not pass yet\")",
        ])
        .function("again", ["reason: string", "decision"], |reason: ImmutableString| {
            decide(Decision::Again { reason: reason.into() })
        })
        .docs(&[
            "/// Says something beside the decision; the level is `note`, `warning` or `error`.",
            "/// diagnose(\"warning\", \"large download\")",
        ])
        .function("diagnose", ["level: string", "text: string"], diagnose)
        .docs(&[
            "/// What was caught, in words: what was thrown as a text, and what a helper says is wrong, is its \
             own message; errors of the engine are maps with one.",
            "/// try { work() } catch (problem) { log::warn(problem.message) }",
        ])
        .function("get$message", ["problem: error", "string"], |problem: &mut CallerError| problem.0.clone())
        .function("get$message", ["problem: error", "string"], |problem: &mut Refusal| problem.0.message.clone())
        .function("get$message", ["problem: error", "string"], |problem: &mut Assertion| problem.0.clone())
        .function("get$message", ["problem: string", "string"], |problem: &mut ImmutableString| {
            problem.clone()
        })
        .docs(&[
            "/// The stable code of a refusal, such as `grant/http`.",
            "/// try { work() } catch (problem) { log::warn(problem.code) }",
        ])
        .function("get$code", ["problem: error", "string"], |problem: &mut Refusal| problem.0.code.to_string())
        .docs(&[
            "/// A decision's kind: `proceed`, `deny`, `answer`, …",
            "/// guard(event).decision",
        ])
        .function("get$decision", ["decision: decision", "string"], |decision: &mut Decision| decision.name())
        .docs(&[
            "/// A decision's text: its reason or its question; `()` where it has none.",
            "/// guard(event).reason",
        ])
        .function("get$reason", ["decision: decision", "string?"], |decision: &mut Decision| reason(decision))
        .docs(&[
            "/// What an answer, rewrite or replacement carries; `()` of others.",
            "/// guard(event).value",
        ])
        .function("get$value", ["decision: decision", "any"], |decision: &mut Decision| carried(decision));
}

/// Remembers that a decision was made, so that one that is not returned is noticed.
fn decide(decision: Decision) -> Native<Decision> {
    frame::with(|frame| {
        frame.decided(&decision);
        Ok(decision)
    })
}

/// The most JSON that a decision may carry before its own bound is looked at.
const DECISION_BYTES: usize = 1 << 20;

fn plain(value: &Dynamic) -> Native<Value> {
    value::to_json(value, value::Budget::of_bytes(DECISION_BYTES))
        .map_err(|reason| error(reason.to_string()))
}

fn reason(decision: &Decision) -> Dynamic {
    match decision {
        Decision::Stop { reason: text }
        | Decision::Deny { reason: text }
        | Decision::Again { reason: text }
        | Decision::Ask { question: text } => text.clone().into(),
        _ => Dynamic::UNIT,
    }
}

fn carried(decision: &Decision) -> Native<Dynamic> {
    match decision {
        Decision::Answer { value }
        | Decision::Rewrite { arguments: value }
        | Decision::Replace { result: value } => value::from_json(value),
        _ => Ok(Dynamic::UNIT),
    }
}

fn diagnose(level: &str, text: ImmutableString) -> Native {
    let severity = match level {
        "note" | "info" => Severity::Note,
        "warning" | "warn" => Severity::Warning,
        "error" => Severity::Error,
        _ => {
            return Err(error(format!(
                "`{level}` is not a level; write \"note\", \"warning\" or \"error\""
            )));
        }
    };
    let diagnostic = Diagnostic::new(severity, Blame::Operator, "hook/diagnose", text.as_str());
    frame::with(|frame| frame.diagnose(diagnostic))
}

fn assertions(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// Fails the test unless the condition holds; the text says what is wrong.",
            "/// assert(list.len() == 3, `there are ${list.len()}`)",
        ])
        .function("assert", ["condition: bool"], |condition: bool| -> Native {
            check(condition, || Ok("the assertion does not hold".to_owned()))
        })
        .function("assert", ["condition: bool", "text: string"], |condition: bool, text: &str| {
            check(condition, || Ok(text.to_owned()))
        })
        .docs(&[
            "/// Fails the test unless both values are the same. `2` and `2.0` are.",
            "/// assert_eq(count(\"a b\"), 2)",
        ])
        .function("assert_eq", ["left: any", "right: any"], |left: Dynamic, right: Dynamic| {
            check(compare::equal(&left, &right)?, || {
                Ok(format!("{} is not {}", shown(&left), shown(&right)))
            })
        })
        .docs(&["/// Fails the test if both values are the same.", "/// assert_ne(roll(), roll())"])
        .function("assert_ne", ["left: any", "right: any"], |left: Dynamic, right: Dynamic| {
            check(!compare::equal(&left, &right)?, || Ok(format!("both are {}", shown(&left))))
        })
        .docs(&[
            "/// Fails the test unless the function fails, and gives the message of its error.",
            "/// assert_fails(|| count(\"\"))",
        ])
        .function("assert_fails", ["call: Fn", "string"], assert_fails)
        .docs(&[
            "/// Fails the test unless a hook denied.",
            "/// assert_denied(guard(event::shell(\"rm -rf ~\")))",
        ])
        .function("assert_denied", ["decision: any"], |decision: Dynamic| {
            assert_decided(&decision, "deny")
        })
        .docs(&[
            "/// Fails the test unless a hook left it to a person.",
            "/// assert_asked(guard(event::shell(\"git push\")))",
        ])
        .function("assert_asked", ["decision: any"], |decision: Dynamic| {
            assert_decided(&decision, "ask")
        })
        .docs(&[
            "/// Fails the test unless a hook had nothing against it.",
            "/// assert_proceeds(guard(event::shell(\"ls\")))",
        ])
        .function("assert_proceeds", ["decision: any"], |decision: Dynamic| {
            assert_decided(&decision, "proceed")
        });
}

fn check(holds: bool, text: impl FnOnce() -> Native<String>) -> Native {
    if holds { Ok(()) } else { Err(throw(Assertion(text()?))) }
}

fn shown(value: &Dynamic) -> String {
    display::excerpt(value, Style::Debug, 200)
}

fn assert_fails(context: NativeCallContext, call: FnPtr) -> Native<Dynamic> {
    match call.call_within_context::<Dynamic>(&context, ()) {
        Ok(value) => {
            Err(throw(Assertion(format!("the call gave {} and did not fail", shown(&value)))))
        }
        Err(reason) => match *reason {
            EvalAltResult::ErrorTerminated(..) | EvalAltResult::Exit(..) => Err(reason),
            other => Ok(super::super::explain::message(&other).into()),
        },
    }
}

/// Fails unless what a hook returned is a decision of that name. Nothing at all means `proceed`.
fn assert_decided(decision: &Dynamic, wanted: &str) -> Native {
    let decided = match decision.read_lock::<Decision>() {
        Some(decision) => decision.name(),
        None if decision.is_unit() => "proceed",
        None => {
            let text = format!("the hook returned {}, which is no decision", shown(decision));
            return Err(throw(Assertion(text)));
        }
    };
    check(decided == wanted, || {
        Ok(match decided {
            "proceed" => "the hook let it pass".to_owned(),
            other => format!("the hook decided `{other}`"),
        })
    })
}
