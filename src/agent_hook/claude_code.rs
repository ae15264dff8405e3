//! Claude Code: its events, and its answers.
//!
//! Source: the hooks reference at `code.claude.com/docs/en/hooks`, as of November 2026 (2.1.3xx). It asks
//! the person itself (`ask`), takes other arguments with or without a decision, and another result
//! (`updatedToolOutput`, of the shape that the tool gives; another shape is ignored). It has no way to
//! answer in the place of a tool.

use super::{Answer, Form, Happening, Told, Verdict, shown, text};
use crate::feature::hook_event::PreRequest;
use serde_json::{Map, Value, json};

pub(super) const EVENTS: &[(&str, Happening)] = &[
    ("PreToolUse", Happening::BeforeCall),
    ("PostToolUse", Happening::AfterCall),
    ("UserPromptSubmit", Happening::Request),
    ("Stop", Happening::End),
    ("SubagentStop", Happening::End),
    ("SessionStart", Happening::Start),
];

/// It tells of a prompt, once a turn, and of the model not at all.
pub(super) fn request(told: &Value) -> PreRequest {
    PreRequest { text: text(told, "prompt"), request: 1, ..PreRequest::default() }
}

pub(super) fn answer(told: &Told, answer: &mut Answer) -> Option<Value> {
    let mut form = Form::new(&told.event);
    let verdict = std::mem::replace(&mut answer.verdict, Verdict::Proceed);
    match told.happening {
        Some(Happening::BeforeCall) => before(&mut form, verdict),
        Some(Happening::AfterCall) => after(&mut form, verdict, &told.value),
        Some(Happening::Request) => block(&mut form, verdict),
        Some(Happening::End) => {
            block(&mut form, verdict);
            // What goes to the model goes with the reason to go on.
            if let Some(Value::String(reason)) = form.top.get_mut("reason")
                && let Some(context) = answer.take_context()
            {
                reason.push('\n');
                reason.push_str(&context);
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
    let mut decide = |decision: &str, reason: String| {
        form.put_specific("permissionDecision", decision);
        form.put_specific("permissionDecisionReason", reason);
    };
    match verdict {
        Verdict::Deny { reason } => decide("deny", reason),
        Verdict::Answer { text } => {
            let why = super::cannot(super::Agent::ClaudeCode, "answer in the place of a tool");
            decide("deny", format!("{why}; the answer is: {text}"));
        }
        Verdict::Ask { question, arguments } => {
            decide("ask", question);
            if let Some(arguments) = arguments {
                form.put_specific("updatedInput", arguments);
            }
        }
        // Without a decision: `allow` would go past the person's own rules.
        Verdict::Rewrite { arguments } => form.put_specific("updatedInput", arguments),
        _ => {}
    }
}

fn after(form: &mut Form, verdict: Verdict, told: &Value) {
    let original = told.get("tool_response").unwrap_or(&Value::Null);
    match verdict {
        Verdict::Replace { result } => match shaped(original, &result) {
            Some(result) => form.put_specific("updatedToolOutput", result),
            None => stop(form, "the result that a hook gives has not the shape of the tool's own"),
        },
        Verdict::Withhold { reason } | Verdict::Deny { reason } => {
            match shaped(original, &Value::from(reason.as_str())) {
                Some(result) => {
                    form.put("decision", "block");
                    form.put("reason", reason);
                    form.put_specific("updatedToolOutput", result);
                }
                None => stop(form, &reason),
            }
        }
        _ => {}
    }
}

/// Where the result cannot be kept from the model in another way, the agent is stopped before it goes on.
fn stop(form: &mut Form, reason: &str) {
    form.put("continue", false);
    form.put("stopReason", reason);
}

fn block(form: &mut Form, verdict: Verdict) {
    if let Verdict::Deny { reason } | Verdict::Again { reason } = verdict {
        form.put("decision", "block");
        form.put("reason", reason);
    }
}

/// A result in the shape of the tool's own: as it is where it has that shape already, and a text where
/// the tool has its text. `None` where it is not known where that is.
fn shaped(original: &Value, result: &Value) -> Option<Value> {
    match (original, result) {
        (Value::Null | Value::String(_), result) => Some(Value::from(shown(result))),
        (Value::Object(original), Value::Object(new)) => {
            original.keys().all(|key| new.contains_key(key)).then(|| result.clone())
        }
        (Value::Array(_), Value::Array(_)) => Some(result.clone()),
        // The blocks of an MCP server's result.
        (Value::Array(_), other) => Some(json!([{ "type": "text", "text": shown(other) }])),
        (Value::Object(original), other) => with_text(original, &shown(other)).map(Value::Object),
        (Value::Bool(_) | Value::Number(_), _) => None,
    }
}

/// The fields in which the tools of Claude Code have what the model reads.
const TEXTS: [&str; 4] = ["stdout", "content", "result", "output"];
/// Texts that say of what kind a result is, and no more than the call did.
const HARMLESS: [&str; 4] = ["type", "mode", "status", "filePath"];
/// What the model's provider counted, under names that are always the same.
const USAGE: &str = "usage";
/// Objects that may lack whatever they have.
const LOOSE: [&str; 2] = ["structuredContent", "_meta"];

/// The result with another text in the place of its own, and nothing else of it that could say something.
/// `None` where there is something that cannot be taken out and leave the shape.
fn with_text(original: &Map<String, Value>, text: &str) -> Option<Map<String, Value>> {
    // A file that was read stands one level below.
    let file = original.get("file").and_then(Value::as_object);
    let place = match file {
        Some(_) => "file",
        None => TEXTS.into_iter().find(|name| original.contains_key(*name))?,
    };
    let mut new = Map::new();
    for (name, value) in original {
        let value = match file {
            _ if name != place => without_text(name, value)?,
            Some(file) => Value::Object(with_text(file, text)?),
            None => shaped(value, &Value::from(text))?,
        };
        new.insert(name.clone(), value);
    }
    Some(new)
}

/// A field of a result with nothing in it that could say what was withheld.
fn without_text(name: &str, value: &Value) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        Value::String(_) if HARMLESS.contains(&name) => Some(value.clone()),
        Value::String(_) => Some("".into()),
        Value::Array(_) => Some(json!([])),
        Value::Object(fields) if name == USAGE => {
            let inner =
                |(key, value): (&String, &Value)| Some((key.clone(), without_text(USAGE, value)?));
            fields.iter().map(inner).collect::<Option<_>>().map(Value::Object)
        }
        Value::Object(fields) => (fields.is_empty() || LOOSE.contains(&name)).then(|| json!({})),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_gets_the_shape_of_the_tool() {
        for (original, result, expected) in [
            (json!("a"), json!("b"), json!("b")),
            (json!(null), json!({ "x": 1 }), json!("{\"x\":1}")),
            (
                json!({ "stdout": "secret", "stderr": "secret", "interrupted": false }),
                json!("b"),
                json!({ "stdout": "b", "stderr": "", "interrupted": false }),
            ),
            (
                json!({ "stdout": "secret", "stderr": "" }),
                json!({ "stdout": "x", "stderr": "y" }),
                json!({ "stdout": "x", "stderr": "y" }),
            ),
            (
                json!({ "type": "text", "file": { "filePath": "/a", "content": "secret" } }),
                json!("b"),
                json!({ "type": "text", "file": { "filePath": "/a", "content": "b" } }),
            ),
            (
                json!({ "mode": "content", "filenames": ["secret"], "content": "secret" }),
                json!("b"),
                json!({ "mode": "content", "filenames": [], "content": "b" }),
            ),
            (
                json!({ "filePath": "/a", "content": "secret", "originalFile": "secret", "limit": 3,
                        "structuredPatch": ["secret"], "structuredContent": { "secret": 1 } }),
                json!("b"),
                json!({ "filePath": "/a", "content": "b", "originalFile": "", "limit": 3,
                        "structuredPatch": [], "structuredContent": {} }),
            ),
            (
                json!({ "status": ["secret"], "content": "secret", "usage": { "a": { "n": 1, "s": "secret" } } }),
                json!("b"),
                json!({ "status": [], "content": "b", "usage": { "a": { "n": 1, "s": "" } } }),
            ),
            (
                json!({ "gitDiff": "secret", "file": { "content": "secret", "other": "secret" } }),
                json!("b"),
                json!({ "gitDiff": "", "file": { "content": "b", "other": "" } }),
            ),
            (
                json!([{ "type": "text", "text": "secret" }]),
                json!("b"),
                json!([{ "type": "text", "text": "b" }]),
            ),
            (
                json!({ "content": [{ "type": "text", "text": "secret" }] }),
                json!("b"),
                json!({ "content": [{ "type": "text", "text": "b" }] }),
            ),
        ] {
            assert_eq!(shaped(&original, &result), Some(expected), "{original}");
        }
        for original in [
            json!({ "unknown": "secret" }),
            json!(1),
            json!({ "file": { "base64": "" } }),
            json!({ "stdout": "", "unknown": { "text": "secret" } }),
        ] {
            assert_eq!(shaped(&original, &json!("b")), None, "{original}");
        }
        assert_eq!(shaped(&json!({ "stdout": "", "stderr": "" }), &json!({ "stdout": "" })), None);
    }
}
