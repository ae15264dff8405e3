//! Tools and outcomes in the words of the protocol. Plain translation, without effects.

use super::message::json;
use crate::diagnostic::{Blame, Diagnostic};
use crate::feature::call::{Failure, Outcome};
use crate::feature::content::Content;
use crate::feature::descriptor::{ToolDeclaration, ToolHints};
use serde_json::{Map, Value};

/// A tool as clients list it.
pub(super) fn tool(declaration: &ToolDeclaration) -> Value {
    let mut tool = Map::new();
    tool.insert("name".into(), declaration.name.as_str().into());
    if let Some(title) = &declaration.title {
        tool.insert("title".into(), title.as_str().into());
    }
    tool.insert("description".into(), declaration.description.as_str().into());
    tool.insert("inputSchema".into(), declaration.parameters.to_json_schema());
    // The protocol wants an object at the root; other results go as text.
    if let Some(returns) = declaration.returns.as_ref().filter(|returns| returns.is_object()) {
        tool.insert("outputSchema".into(), returns.to_json_schema());
    }
    if !declaration.hints.is_empty() {
        tool.insert("annotations".into(), annotations(declaration.hints));
    }
    Value::Object(tool)
}

/// What the author claims. What is not claimed stays open, as the protocol's defaults have it.
fn annotations(hints: ToolHints) -> Value {
    let ToolHints { read_only, destructive, idempotent, open_world } = hints;
    let claims = [
        ("readOnlyHint", read_only),
        ("destructiveHint", destructive),
        ("idempotentHint", idempotent),
        ("openWorldHint", open_world),
    ];
    let claimed = claims.into_iter().filter(|(_, is_claimed)| *is_claimed);
    Value::Object(claimed.map(|(name, _)| (name.to_owned(), Value::Bool(true))).collect())
}

/// The parts of a result, as JSON: its blocks of content, and the object that they show.
struct Parts {
    content: Vec<String>,
    structured: Option<String>,
    is_error: bool,
}

/// The outcome of a call as JSON, `tail` included: fields that stand behind all others, each with a
/// comma before it. Texts for the model stand after the result, one block each.
pub(super) fn result(outcome: &Outcome, tail: &str) -> String {
    let Parts { mut content, structured, is_error } = parts(outcome);
    content.extend(outcome.notices.iter().map(|notice| text_block(notice)));
    let structured =
        structured.map_or_else(String::new, |value| format!(r#","structuredContent":{value}"#));
    let content = content.join(",");
    format!(r#"{{"content":[{content}]{structured},"isError":{is_error}{tail}}}"#)
}

fn parts(outcome: &Outcome) -> Parts {
    // Blocks have the form of the protocol.
    if let Some(Content { content, structured }) = outcome.content() {
        let content = content.iter().map(json).collect();
        return Parts { content, structured: structured.as_ref().map(json), is_error: false };
    }
    let text = |text: &str| vec![text_block(text)];
    match &outcome.result {
        Ok(Value::String(said)) => Parts { content: text(said), structured: None, is_error: false },
        Ok(value @ Value::Object(_)) => {
            let value = json(value);
            Parts { content: text(&value), structured: Some(value), is_error: false }
        }
        Ok(value) => Parts { content: text(&json(value)), structured: None, is_error: false },
        Err(failure) => {
            Parts { content: text(&failure_text(failure)), structured: None, is_error: true }
        }
    }
}

fn text_block(text: &str) -> String {
    format!(r#"{{"type":"text","text":{}}}"#, json(text))
}

/// What the model reads of a failure. The caller learns everything that helps to call better; of
/// others' errors only what it is called, so that it can be told to a person.
pub(super) fn failure_text(failure: &Failure) -> String {
    let first = failure.diagnostics.first();
    match failure.blame() {
        Blame::Caller => failure.diagnostics.iter().map(with_help).collect::<Vec<_>>().join("\n"),
        Blame::Author => format!("the tool failed: {}", first.map(short).unwrap_or_default()),
        Blame::Operator => format!("not allowed: {}", first.map(short).unwrap_or_default()),
        Blame::Host => format!("peasy failed: {}", first.map(short).unwrap_or_default()),
    }
}

fn with_help(problem: &Diagnostic) -> String {
    let help: String = problem.help.iter().map(|help| format!("; {help}")).collect();
    format!("{}{help} [{}]", problem.message, problem.code)
}

fn short(problem: &Diagnostic) -> String {
    format!("{} [{}]", problem.message, problem.code)
}
