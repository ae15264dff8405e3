//! Codex: its events, and its answers.
//!
//! Source: `codex-rs/hooks` of `openai/codex` and its documentation of hooks, as of November 2026. It knows
//! the form of Claude Code, and refuses whatever in it it does not support, fields that it does not know
//! included; a refused answer lets the call through. So nothing is said here that it does not take: it
//! cannot ask, takes other arguments with `allow` alone (which goes past no approval of its own), and
//! replaces a result by the reason of a `block`.

use super::{Agent, Answer, Form, Happening, Told, Verdict, cannot, shown, text};
use crate::feature::hook_event::PreRequest;
use serde_json::Value;

pub(super) const EVENTS: &[(&str, Happening)] = &[
    ("PreToolUse", Happening::BeforeCall),
    ("PostToolUse", Happening::AfterCall),
    ("UserPromptSubmit", Happening::Request),
    ("Stop", Happening::End),
    ("SubagentStop", Happening::End),
    ("SessionStart", Happening::Start),
];

/// It tells of a prompt, once a turn, and of the model.
pub(super) fn request(told: &Value) -> PreRequest {
    let (model, text) = (text(told, "model"), text(told, "prompt"));
    PreRequest { model, text, request: 1, ..PreRequest::default() }
}

pub(super) fn answer(told: &Told, answer: &mut Answer) -> Option<Value> {
    let mut form = Form::new(&told.event);
    let verdict = std::mem::replace(&mut answer.verdict, Verdict::Proceed);
    match told.happening {
        Some(Happening::BeforeCall) => before(&mut form, verdict),
        Some(Happening::AfterCall) => match verdict {
            Verdict::Replace { result } => block(&mut form, filled(shown(&result))),
            Verdict::Withhold { reason } | Verdict::Deny { reason } => block(&mut form, reason),
            _ => {}
        },
        Some(Happening::Request) => {
            if let Verdict::Deny { reason } = verdict {
                block(&mut form, reason);
            }
        }
        Some(Happening::End) => {
            if let Verdict::Again { mut reason } = verdict {
                if let Some(context) = answer.take_context() {
                    reason.push('\n');
                    reason.push_str(&context);
                }
                block(&mut form, reason);
            }
            answer.tell_context(told);
        }
        Some(Happening::Start) | None => {}
    }
    if let Some(context) = answer.take_context() {
        form.put_specific("additionalContext", context);
    }
    form.finish(&answer.messages)
}

fn before(form: &mut Form, verdict: Verdict) {
    let mut deny = |reason: String| {
        form.put_specific("permissionDecision", "deny");
        form.put_specific("permissionDecisionReason", filled(reason));
    };
    match verdict {
        Verdict::Deny { reason } => deny(reason),
        Verdict::Answer { text } => deny(format!(
            "{}; the answer is: {text}",
            cannot(Agent::Codex, "answer in the place of a tool")
        )),
        Verdict::Ask { question, .. } => deny(format!(
            "{}; the question was: {question}",
            cannot(Agent::Codex, "ask the person for a hook")
        )),
        Verdict::Rewrite { arguments } => {
            form.put_specific("permissionDecision", "allow");
            form.put_specific("updatedInput", arguments);
        }
        _ => {}
    }
}

fn block(form: &mut Form, reason: String) {
    form.put("decision", "block");
    form.put("reason", filled(reason));
}

/// A reason that is empty would let the call through.
fn filled(reason: String) -> String {
    if reason.trim().is_empty() { "(no text)".to_owned() } else { reason }
}
