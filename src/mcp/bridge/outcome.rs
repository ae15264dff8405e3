//! The result of a call as a server gives it, as an outcome of ours.

use super::fault::words;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Outcome;
use crate::feature::content::{Content, ContentBlock, ContentBody, ResultForm};
use crate::feature::id::FeatureName;
use serde_json::Value;

/// Characters of what a server says of a call that failed.
const MOST_WORDS: usize = 3_000;

/// The outcome of a call of `tool`. What it carries is bounded by the catalog.
pub(super) fn outcome(server: &FeatureName, tool: &str, mut result: Value) -> Outcome {
    let Some(parts) = result.as_object_mut() else {
        return malformed(server, tool, "it is no object");
    };
    let is_error = parts.get("isError") == Some(&Value::Bool(true));
    let structured = parts.remove("structuredContent").unwrap_or_default();
    let content = match parts.remove("content") {
        Some(Value::Array(content)) => content,
        None | Some(Value::Null) => Vec::new(),
        Some(_) => return malformed(server, tool, "its content is no list"),
    };
    let text = text(&content);
    if is_error {
        let said = if text.is_empty() {
            "it does not say why".to_owned()
        } else {
            words(&text, MOST_WORDS)
        };
        // What went wrong is for the model to read, which may call otherwise.
        return Outcome::failure(Diagnostic::caller("bridge/failed", said));
    }
    let is_plain = |block: &Value| block["type"] == "text" && block.get("annotations").is_none();
    let is_said_twice = |value: &Value| match content.as_slice() {
        [] => true,
        [only] => {
            is_plain(only) && serde_json::from_str::<Value>(&text).ok().as_ref() == Some(value)
        }
        _ => false,
    };
    match structured {
        structured if is_said_twice(&structured) && structured.is_object() => {
            Outcome::success(structured)
        }
        Value::Null if content.iter().all(is_plain) => Outcome::success(text),
        structured => blocks(content, structured),
    }
}

/// A result of blocks. One that is of no kind that is known becomes a line that says so.
fn blocks(content: Vec<Value>, structured: Value) -> Outcome {
    let known = |raw: Value| {
        serde_json::from_value(raw.clone()).unwrap_or_else(|_| ContentBlock {
            body: ContentBody::Text { text: block(&raw) },
            annotations: None,
        })
    };
    let content = content.into_iter().map(known).collect();
    let structured = Some(structured).filter(Value::is_object);
    let value = serde_json::to_value(Content { content, structured }).unwrap_or_default();
    Outcome { form: ResultForm::Content, ..Outcome::success(value) }
}

fn malformed(server: &FeatureName, tool: &str, how: &str) -> Outcome {
    let message = format!(
        "the server `{server}` answers the call of `{tool}` with what is not of the protocol: {how}"
    );
    Outcome::failure(Diagnostic::author("bridge/malformed", message))
}

/// Texts one below the other, and a line for each block that is none.
fn text(content: &[Value]) -> String {
    let parts: Vec<_> = content.iter().map(block).collect();
    parts.join("\n")
}

fn block(block: &Value) -> String {
    let kind = block["type"].as_str().unwrap_or_default();
    let embedded = &block["resource"];
    let place = |of: &Value| words(of["uri"].as_str().unwrap_or_default(), 400);
    let size = |data: &Value| data.as_str().unwrap_or_default().len() / 4 * 3;
    match kind {
        "text" => block["text"].as_str().unwrap_or_default().to_owned(),
        "resource" => match embedded["text"].as_str() {
            Some(text) => text.to_owned(),
            None => {
                format!("[{} of {} bytes is not shown]", place(embedded), size(&embedded["blob"]))
            }
        },
        "resource_link" => format!("[see {}]", place(block)),
        "image" | "audio" => {
            let mime = words(block["mimeType"].as_str().unwrap_or("no type"), 80);
            format!("[{kind} ({mime}) of {} bytes is not shown]", size(&block["data"]))
        }
        other => format!("[`{}` is not shown]", words(other, 40)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn result(value: Value) -> Result<Value, String> {
        let outcome = outcome(&"web".parse().expect("a name"), "search", value);
        outcome.result.map_err(|failure| {
            format!("{}: {}", failure.diagnostics[0].code, failure.diagnostics[0].message)
        })
    }

    #[test]
    fn texts_and_structures_are_results_and_an_error_is_the_callers() {
        let text = |text: &str| json!({ "type": "text", "text": text });
        assert_eq!(result(json!({ "content": [text("a"), text("b")] })), Ok(json!("a\nb")));
        assert_eq!(result(json!({ "content": [] })), Ok(json!("")));
        let both = json!({ "content": [text("{}")], "structuredContent": { "a": 1 } });
        let blocks = json!({ "content": [text("{}")], "structured": { "a": 1 } });
        assert_eq!(result(both), Ok(blocks));
        let twice = json!({ "content": [text("{\"a\": 1}")], "structuredContent": { "a": 1 } });
        assert_eq!(result(twice), Ok(json!({ "a": 1 })));
        let failed = json!({ "content": [text("no\u{1b}[2J such city")], "isError": true });
        assert_eq!(result(failed), Err("bridge/failed: no [2J such city".to_owned()));
        assert_eq!(
            result(json!({ "isError": true })),
            Err("bridge/failed: it does not say why".to_owned())
        );
        let image = json!({ "type": "image", "data": "AAAA", "mimeType": "image/png", "_meta": { "x": 1 } });
        let strange = json!({ "type": "hologram", "data": "AAAA" });
        let given = json!({ "content": [text("see"), image, strange] });
        let shown = json!({ "content": [
            text("see"),
            { "type": "image", "data": "AAAA", "mimeType": "image/png" },
            text("[`hologram` is not shown]"),
        ] });
        assert_eq!(result(given), Ok(shown));
    }

    #[test]
    fn what_is_no_result_is_told() {
        for value in [json!(null), json!([1]), json!({ "content": "text" })] {
            assert!(
                result(value.clone()).is_err_and(|said| said.starts_with("bridge/malformed")),
                "{value}"
            );
        }
    }
}
