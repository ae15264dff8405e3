//! What a call got from its host that its input does not decide, so that it can be run again.
//!
//! With its input, its clock and its seed this makes a call repeatable without the world: what the
//! store held, what the clock said, what files, programs and hosts gave. No secret is in it, for no
//! script sees one. Nothing here decides whether it is kept.

use crate::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What one call got from its host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    /// What its store held before it, by key, as far as it looked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub store: BTreeMap<String, Held>,
    /// What the clock said: each moment in milliseconds, and how often in a row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clock: Vec<(i64, u64)>,
    /// What else it asked for and was given, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Given>,
    /// Why something is missing, so that the call cannot be run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// What a store held under a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Nothing.
    Nothing,
    /// Something that the call did not look at.
    Something,
    /// A value, as JSON text.
    Text(String),
}

/// One thing that a call asked its host for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// The function, such as `fs::read`.
    pub function: String,
    /// What it was asked with; of what is long, its hash.
    pub asked: Value,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Told,
    /// What it cost in operations.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub operations: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What came of something that a call asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A value.
    Value(Value),
    /// A refusal of the host, which the script may catch.
    Refused(Box<Diagnostic>),
    /// An error in words, which the script may catch.
    Failed(String),
}

impl Heard {
    /// Whether there was nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// About how many bytes of the log one thing takes.
    pub fn cost(given: &Given) -> u64 {
        let value = match &given.outcome {
            Told::Value(value) => super::measure::value_bytes(value, u64::MAX).unwrap_or(u64::MAX),
            Told::Refused(problem) => problem.message.len() as u64 + 256,
            Told::Failed(text) => text.len() as u64,
        };
        let asked = super::measure::value_bytes(&given.asked, u64::MAX).unwrap_or(u64::MAX);
        value.saturating_add(asked).saturating_add(given.function.len() as u64 + 64)
    }

    /// Forgets everything and says why: half of it would mislead.
    pub fn lose(&mut self, why: impl Into<String>) {
        *self = Self { lost: Some(why.into()), ..Self::default() };
    }
}
