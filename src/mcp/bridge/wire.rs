//! One message of a server, and what is written to it. Plain translation, without effects.

use serde::Deserialize;
use serde_json::{Value, json};

/// What a server said.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// The answer to a request of ours, or its error: code and message.
    Answer(u64, Result<Value, (i64, String)>),
    /// It wants something of us.
    Request(Value, String),
    Notification(String, Value),
}

#[derive(Deserialize)]
struct Message {
    id: Option<Value>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    #[serde(default)]
    result: Value,
    error: Option<Wrong>,
}

#[derive(Deserialize)]
struct Wrong {
    #[serde(default)]
    code: i64,
    #[serde(default)]
    message: String,
}

/// The message of a line; `None` where it is none.
pub(super) fn read(line: &str) -> Option<Said> {
    let message: Message = serde_json::from_str(line).ok()?;
    match (message.method, message.id) {
        (Some(method), Some(id)) => Some(Said::Request(id, method)),
        (Some(method), None) => Some(Said::Notification(method, message.params)),
        (None, Some(id)) => {
            let id = own_id(&id)?;
            let answer = match message.error {
                Some(Wrong { code, message }) => Err((code, message)),
                None => Ok(message.result),
            };
            Some(Said::Answer(id, answer))
        }
        (None, None) => None,
    }
}

/// Our ids are numbers; a server may give one back as text.
fn own_id(id: &Value) -> Option<u64> {
    id.as_u64().or_else(|| id.as_str()?.parse().ok())
}

/// The id of an answer of which only the ends are known, or which is no JSON.
///
/// It stands at the very beginning or the very end of what servers write; one in the middle may be part of
/// the result and counts for nothing.
pub(super) fn stray_id(head: &str, tail: &str) -> Option<u64> {
    let number = |text: &str| {
        let text = text.trim_start();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let after = text[end..].trim();
        (!text[..end].is_empty()).then(|| (text[..end].parse().ok(), after.to_owned()))
    };
    let first = head.trim_start().strip_prefix('{')?.trim_start();
    let version = r#""jsonrpc":"2.0","#;
    let first = first.strip_prefix(version).unwrap_or(first).trim_start();
    let rest = first.strip_prefix(r#""id":"#).and_then(number);
    if let Some((Some(id), after)) = rest
        && after.starts_with(',')
    {
        return Some(id);
    }
    let at = tail.rfind(r#""id":"#)?;
    let tail = tail.replace(r#","jsonrpc":"2.0"}"#, "}");
    let (id, after) = number(tail.get(at + 5..)?)?;
    id.filter(|_| after == "}")
}

/// A request as one line.
pub(super) fn request(id: u64, method: &str, parameters: &Value) -> Vec<u8> {
    line(format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{parameters}}}"#))
}

/// A notification as one line.
pub(super) fn notification(method: &str, parameters: &Value) -> Vec<u8> {
    line(format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{parameters}}}"#))
}

/// What a server gets that wants something of us: `ping` is answered, everything else refused.
pub(super) fn answer(id: &Value, method: &str) -> Vec<u8> {
    let message = match method {
        "ping" => json!({ "jsonrpc": "2.0", "id": id, "result": {} }),
        _ => {
            let error =
                json!({ "code": -32601, "message": "this client offers nothing of the kind" });
            json!({ "jsonrpc": "2.0", "id": id, "error": error })
        }
    };
    line(message.to_string())
}

fn line(mut text: String) -> Vec<u8> {
    text.push('\n');
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read() {
        let answer = |line: &str| match read(line) {
            Some(Said::Answer(id, result)) => (id, result.map_err(|(code, _)| code)),
            other => panic!("{line}: {other:?}"),
        };
        assert_eq!(
            answer(r#"{"result":{"a":1},"jsonrpc":"2.0","id":3}"#),
            (3, Ok(json!({ "a": 1 })))
        );
        assert_eq!(
            answer(r#"{"jsonrpc":"2.0","id":"3","error":{"code":-1,"message":"x"}}"#),
            (3, Err(-1))
        );
        assert_eq!(answer(r#"{"id":3}"#), (3, Ok(Value::Null)));
        assert!(matches!(read(r#"{"id":1,"method":"ping"}"#), Some(Said::Request(..))));
        assert!(matches!(read(r#"{"method":"x","params":[]}"#), Some(Said::Notification(..))));
        for line in ["", "x", "[]", "{}", "5", r#"{"id":{}}"#, r#"{"id":-1}"#, r#"{"method":5}"#] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn the_id_of_a_broken_answer_is_found_at_its_ends_alone() {
        for (head, tail, id) in [
            (r#"{"jsonrpc":"2.0","id":7,"result":{"#, "xx", Some(7)),
            (r#"{"id":7,"result":{"#, "xx", Some(7)),
            (r#"{"result":{"#, r#"xx},"jsonrpc":"2.0","id":7}"#, Some(7)),
            (r#"{"result":{"#, r#"xx},"id":7}"#, Some(7)),
            (r#"{"result":{"id":7,"#, "xx", None),
            (r#"{"result":{"#, r#"{"id":7},"b":1}"#, None),
            ("garbage", r#"{"id":7}"#, None),
            ("", "", None),
        ] {
            assert_eq!(stray_id(head, tail), id, "{head} {tail}");
        }
    }
}
