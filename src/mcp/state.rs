//! What a client of the stateless era keeps for us between two rounds of one call, sealed.
//!
//! It holds all that the next round needs, so nothing is kept here meanwhile. The client can read it and
//! cannot change it: the key is drawn when the process starts, and with it every seal ends. It is bound
//! to the tool and to the arguments, so that consent to one call is none to another.

use crate::feature::call::Conditions;
use crate::feature::question::{Answer, Question};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// How long a person may take, in milliseconds.
const MOST_AGE: i64 = 60 * 60 * 1_000;

/// Where a call stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RequestState {
    /// The tool's own name.
    pub tool: String,
    /// The SHA-256 of its arguments, in hexadecimal.
    pub arguments: String,
    /// What was answered so far.
    pub answers: Vec<Answer>,
    /// What is asked now.
    pub question: Question,
    /// When the call was begun, in milliseconds since the Unix epoch; what its script sees as now.
    pub begun: i64,
    /// The seed of its random numbers.
    pub seed: u64,
    /// When this was sealed, in milliseconds since the Unix epoch.
    pub sealed: i64,
}

impl RequestState {
    pub fn conditions(&self) -> Conditions {
        Conditions { now: Some(self.begun), seed: self.seed }
    }
}

/// Why a state is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum StateError {
    #[error("the `requestState` is not one of this server, or was changed; begin the call anew")]
    Forged,
    #[error("the `requestState` is too old; begin the call anew")]
    Late,
    #[error("the `requestState` belongs to another tool or other arguments; begin the call anew")]
    Other,
}

/// The key that states are sealed with.
pub(super) struct Key(Hmac<Sha256>);

impl Key {
    /// A key that nobody knows.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn draw() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(Hmac::new_from_slice(&bytes).expect("a key may have any length")))
    }

    pub fn seal(&self, state: &RequestState) -> String {
        let text = super::message::json(state);
        let mut sealed = hex(text.as_bytes());
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        sealed.push('.');
        sealed.push_str(&hex(&mac.finalize().into_bytes()));
        sealed
    }

    /// The state of a call of `tool` with these arguments, at `now`.
    ///
    /// # Errors
    ///
    /// It is none, or not that of this call.
    pub fn open(
        &self,
        sealed: &str,
        tool: &str,
        arguments: &Value,
        now: i64,
    ) -> Result<RequestState, StateError> {
        let (text, seal) = sealed.split_once('.').ok_or(StateError::Forged)?;
        let text = bytes(text).ok_or(StateError::Forged)?;
        let seal = bytes(seal).ok_or(StateError::Forged)?;
        let mut mac = self.0.clone();
        mac.update(&text);
        mac.verify_slice(&seal).map_err(|_| StateError::Forged)?;
        let state: RequestState = serde_json::from_slice(&text).map_err(|_| StateError::Forged)?;
        if now.saturating_sub(state.sealed) > MOST_AGE {
            return Err(StateError::Late);
        }
        if state.tool != tool || state.arguments != digest(arguments) {
            return Err(StateError::Other);
        }
        Ok(state)
    }
}

/// The SHA-256 of a value in hexadecimal; the order of its fields makes no difference.
pub(super) fn digest(value: &Value) -> String {
    hex(&Sha256::digest(sorted(value).to_string()))
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(parts) => parts.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut names: Vec<_> = fields.keys().collect();
            names.sort_unstable();
            let fields = names.into_iter().map(|name| (name.clone(), sorted(&fields[name])));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// A name of `N` random bytes, which nobody guesses.
///
/// # Errors
///
/// The system gives no random numbers.
pub(super) fn draw_name<const N: usize>() -> std::io::Result<String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(hex(&bytes))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let half = |digit: u8| char::from(digit).to_digit(16).and_then(|half| u8::try_from(half).ok());
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| Some((half(*pair.first()?)? << 4) | half(*pair.get(1)?)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::question::Wanted;
    use serde_json::json;

    fn state(arguments: &Value) -> RequestState {
        let question =
            Question { feature: None, name: None, text: "really?".into(), wanted: Wanted::Consent };
        RequestState {
            tool: "t".into(),
            arguments: digest(arguments),
            answers: vec![Answer::Declined, Answer::Given(Map::new())],
            question,
            begun: 5,
            seed: u64::MAX,
            sealed: 1_000,
        }
    }

    #[test]
    fn what_was_sealed_is_opened_for_the_same_call_alone() {
        let key = Key::draw().expect("random numbers");
        let arguments = json!({ "a": 1, "b": { "c": [2], "d": null } });
        let sealed = key.seal(&state(&arguments));
        let same = json!({ "b": { "d": null, "c": [2] }, "a": 1 });
        assert_eq!(key.open(&sealed, "t", &same, 1_000), Ok(state(&arguments)));
        let other = json!({ "a": 2, "b": { "c": [2], "d": null } });
        assert_eq!(key.open(&sealed, "t", &other, 1_000), Err(StateError::Other));
        assert_eq!(key.open(&sealed, "u", &arguments, 1_000), Err(StateError::Other));
        let late = 1_001 + MOST_AGE;
        assert_eq!(key.open(&sealed, "t", &arguments, late), Err(StateError::Late));
        let another = Key::draw().expect("random numbers");
        assert_eq!(another.open(&sealed, "t", &arguments, 0), Err(StateError::Forged));
    }

    #[test]
    fn no_byte_of_a_seal_changes_unseen() {
        let key = Key::draw().expect("random numbers");
        let sealed = key.seal(&state(&json!({})));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
            let changed = String::from_utf8(changed).expect("text");
            assert_eq!(key.open(&changed, "t", &json!({}), 0), Err(StateError::Forged), "{at}");
        }
        for text in ["", ".", "00.", ".00", "é.é", &sealed[1..], &format!("{sealed}-TAMPERED")] {
            assert_eq!(key.open(text, "t", &json!({}), 0), Err(StateError::Forged), "{text}");
        }
    }
}
