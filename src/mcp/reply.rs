//! Tools and outcomes in the words of the protocol. Plain translation, without effects.

use crate::diagnostic::{Blame, Diagnostic};
use crate::feature::call::{Failure, Outcome};
use crate::feature::content::Content;
use crate::feature::descriptor::{ToolDeclaration, ToolHints};
use rmcp::model::{CallToolResult, ContentBlock, JsonObject, Tool, ToolAnnotations};
use serde_json::Value;
use std::sync::Arc;

/// A tool as clients list it.
pub(super) fn tool(declaration: &ToolDeclaration) -> Tool {
    let mut tool = Tool::new(
        declaration.name.to_string(),
        declaration.description.clone(),
        object(declaration.parameters.to_json_schema()),
    );
    tool.title.clone_from(&declaration.title);
    // The protocol wants an object at the root; other results go as text.
    tool.output_schema = declaration
        .returns
        .as_ref()
        .filter(|returns| returns.is_object())
        .map(|returns| object(returns.to_json_schema()));
    tool.annotations = annotations(declaration.hints);
    tool
}

fn object(schema: Value) -> Arc<JsonObject> {
    Arc::new(match schema {
        Value::Object(map) => map,
        _ => JsonObject::new(),
    })
}

/// What the author claims. What is not claimed stays open, as the protocol's defaults have it.
fn annotations(hints: ToolHints) -> Option<ToolAnnotations> {
    if hints.is_empty() {
        return None;
    }
    let ToolHints { read_only, destructive, idempotent, open_world } = hints;
    let claimed = |is_claimed: bool| is_claimed.then_some(true);
    Some(ToolAnnotations::from_raw(
        None,
        claimed(read_only),
        claimed(destructive),
        claimed(idempotent),
        claimed(open_world),
    ))
}

/// The outcome of a call. Texts for the model stand after the result, one block each.
pub(super) fn result(outcome: Outcome) -> CallToolResult {
    let content = outcome.content();
    let Outcome { result, notices, .. } = outcome;
    let mut result = match result {
        _ if content.is_some() => blocks(content.unwrap_or_default()),
        Ok(Value::String(text)) => CallToolResult::success(vec![ContentBlock::text(text)]),
        Ok(value @ Value::Object(_)) => CallToolResult::structured(value),
        Ok(value) => CallToolResult::success(vec![ContentBlock::text(value.to_string())]),
        Err(failure) => CallToolResult::error(vec![ContentBlock::text(failure_text(&failure))]),
    };
    result.content.extend(notices.into_iter().map(ContentBlock::text));
    result
}

/// A result of several blocks, which have the form of the protocol.
fn blocks(Content { content, structured }: Content) -> CallToolResult {
    let block = |block| serde_json::from_value(serde_json::to_value(block).ok()?).ok();
    let mut result = CallToolResult::success(content.into_iter().filter_map(block).collect());
    result.structured_content = structured;
    result
}

/// What the model reads of a failure. The caller learns everything that helps to call better; of
/// others' errors only what it is called, so that it can be told to a person.
fn failure_text(failure: &Failure) -> String {
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
