//! Gemini CLI: its events, and its answers.
//!
//! Source: `docs/hooks/reference.md` and `packages/core/src/hooks` of `google-gemini/gemini-cli`, as of
//! November 2026. It asks the person itself (`ask`), lays other arguments over those that the model gave, so
//! that none can be taken away, and puts the reason of a denial in the place of a result. It takes no text
//! for the model before a call or a request. It has no way to answer in the place of a tool.

use super::{Agent, Answer, Form, Happening, Told, Verdict, cannot, shown, text};
use crate::feature::hook_event::PreRequest;
use serde_json::{Map, Value};

pub(super) const EVENTS: &[(&str, Happening)] = &[
    ("BeforeTool", Happening::BeforeCall),
    ("AfterTool", Happening::AfterCall),
    ("BeforeModel", Happening::Request),
    ("AfterAgent", Happening::End),
    ("SessionStart", Happening::Start),
];

/// Whether no other agent has an event of that name.
pub(super) fn is_its(event: &str) -> bool {
    event != "SessionStart" && EVENTS.iter().any(|(name, _)| *name == event)
        || ["BeforeAgent", "AfterModel", "BeforeToolSelection", "PreCompress"].contains(&event)
}

/// It tells of every request, with its messages.
pub(super) fn request(told: &Value) -> PreRequest {
    let request = told.get("llm_request").unwrap_or(&Value::Null);
    let messages = request.get("messages").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let users = messages.iter().rev().filter(|message| text(message, "role") == "user");
    let last = users.map(|message| message.get("content").map(content).unwrap_or_default());
    PreRequest {
        model: text(request, "model"),
        messages: messages.len() as u64,
        // What tools gave stands under the same role, without a text.
        text: last.into_iter().find(|text| !text.is_empty()).unwrap_or_default(),
        ..PreRequest::default()
    }
}

/// The text of a message: one text, or parts.
fn content(value: &Value) -> String {
    match value {
        Value::Array(parts) => {
            let texts = parts.iter().map(|part| match part {
                Value::String(text) => text.clone(),
                part => text(part, "text"),
            });
            texts.collect::<Vec<_>>().join("")
        }
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

pub(super) fn answer(told: &Told, answer: &mut Answer) -> Option<Value> {
    let mut form = Form::new(&told.event);
    let verdict = std::mem::replace(&mut answer.verdict, Verdict::Proceed);
    match told.happening {
        Some(Happening::BeforeCall) => {
            before(&mut form, verdict, &told.value);
            answer.tell_context(told);
        }
        Some(Happening::AfterCall) => match verdict {
            Verdict::Replace { result } => decide(&mut form, "deny", shown(&result)),
            Verdict::Withhold { reason } | Verdict::Deny { reason } => {
                decide(&mut form, "deny", reason);
            }
            _ => {}
        },
        Some(Happening::Request) => {
            if let Verdict::Deny { reason } = verdict {
                decide(&mut form, "deny", reason);
            }
            answer.tell_context(told);
        }
        Some(Happening::End) => {
            if let Verdict::Again { mut reason } = verdict {
                if let Some(context) = answer.take_context() {
                    reason.push('\n');
                    reason.push_str(&context);
                }
                decide(&mut form, "deny", reason);
            }
            answer.tell_context(told);
        }
        Some(Happening::Start) | None => {}
    }
    if let Some(context) = answer.take_context() {
        // A denied result takes no text beside its reason.
        match form.top.get_mut("reason") {
            Some(Value::String(reason)) => {
                reason.push('\n');
                reason.push_str(&context);
            }
            _ => form.put_specific("additionalContext", context),
        }
    }
    form.finish(&answer.messages)
}

fn before(form: &mut Form, verdict: Verdict, told: &Value) {
    match verdict {
        Verdict::Deny { reason } => decide(form, "deny", reason),
        Verdict::Answer { text } => decide(
            form,
            "deny",
            format!(
                "{}; the answer is: {text}",
                cannot(Agent::Gemini, "answer in the place of a tool")
            ),
        ),
        Verdict::Ask { question, arguments } => {
            let is_carried = arguments.is_none_or(|arguments| rewrite(form, told, arguments));
            if is_carried {
                decide(form, "ask", question);
            }
        }
        Verdict::Rewrite { arguments } => _ = rewrite(form, told, arguments),
        _ => {}
    }
}

/// Gives other arguments, or denies the call where some of those that were given have to go.
fn rewrite(form: &mut Form, told: &Value, arguments: Map<String, Value>) -> bool {
    let given = told.get("tool_input").and_then(Value::as_object);
    let gone = given.into_iter().flatten().find(|(name, _)| !arguments.contains_key(*name));
    match gone {
        Some((name, _)) => {
            let what = format!("take the argument `{name}` away, as a hook wants it");
            decide(form, "deny", cannot(Agent::Gemini, &what));
            false
        }
        None => {
            form.put_specific("tool_input", arguments);
            true
        }
    }
}

fn decide(form: &mut Form, decision: &str, reason: String) {
    form.put("decision", decision);
    form.put("reason", reason);
}
