//! A question of a call in the words of the protocol, and what a person answers to it.
//!
//! Plain translation. Who asks, and how the call goes on, is said elsewhere.

use crate::feature::question::{Answer, Question, Wanted};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Most answers that one call may get: a script that asks for ever ends.
pub(super) const MOST_ANSWERS: usize = 32;

/// What `elicitation/create` carries. `note` says what was wrong with the answer before.
pub(super) fn elicitation(question: &Question, note: Option<&str>) -> Value {
    let mut message = match &question.feature {
        Some(feature) => format!("{}: {}", feature.name(), question.text),
        None => question.text.clone(),
    };
    if let Some(note) = note {
        message.push_str("\n\n(");
        message.push_str(note);
        message.push(')');
    }
    json!({ "message": message, "requestedSchema": question.to_form_schema() })
}

/// What a client answers.
#[derive(Deserialize)]
struct Given {
    action: String,
    #[serde(default)]
    content: Option<Map<String, Value>>,
}

/// What a person answered; `None` is a client that could not ask.
///
/// # Errors
///
/// The answer is none, or does not fit: why, in words for the person.
pub(super) fn answer(question: &Question, result: Option<&RawValue>) -> Result<Answer, String> {
    let Some(result) = result else { return Ok(Answer::Dismissed) };
    let result: Given = serde_json::from_str(result.get())
        .map_err(|_| "the answer before was none that could be read".to_owned())?;
    let given = match result.action.as_str() {
        "accept" => result.content.unwrap_or_default(),
        "decline" => return Ok(Answer::Declined),
        "cancel" => return Ok(Answer::Dismissed),
        _ => return Err("the answer before was neither yes nor no".to_owned()),
    };
    if let Wanted::Form(parameters) = &question.wanted {
        let checked = parameters.check_value(Value::Object(given.clone()));
        checked.map_err(|mismatches| {
            let told = mismatches
                .into_iter()
                .map(|mismatch| crate::diagnostic::Diagnostic::from(mismatch).message);
            format!("the answer before did not fit: {}", told.collect::<Vec<_>>().join("; "))
        })?;
    }
    Ok(Answer::Given(given))
}

/// Whether the capabilities of a client, as JSON, say that it shows forms.
pub(super) fn can_ask(capabilities: Option<&RawValue>) -> bool {
    let capabilities: Option<Value> =
        capabilities.and_then(|capabilities| serde_json::from_str(capabilities.get()).ok());
    let elicitation = capabilities.as_ref().and_then(|all| all.get("elicitation"));
    let Some(Value::Object(ways)) = elicitation else { return false };
    // A client that names no way shows forms, as all did before there were others.
    ways.contains_key("form") || !ways.contains_key("url")
}
