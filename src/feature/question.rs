//! Questions that a call puts to a person, and the answers.
//!
//! A call never waits for a person. It ends with its question and nothing of it is lasting; whoever ran
//! it asks, and runs it again with the answer, under the same conditions. So a question holds no thread
//! and no lock, and it works where a protocol has no way to wait. Nothing here asks anybody.

use super::id::FeatureId;
use super::schema::Parameters;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What a person is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Who asks; `None` is the host, about a call that its permissions or a hook leave to a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<FeatureId>,
    /// A name that stays the same whatever the text says, for fronts that tell questions apart by
    /// names; `None` where its feature gave none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What the person reads.
    pub text: String,
    /// What the answer has to be.
    pub wanted: Wanted,
}

impl Question {
    /// The JSON Schema of the form that asks it; without fields where it is yes or no.
    pub fn to_form_schema(&self) -> Value {
        match &self.wanted {
            Wanted::Consent => Parameters::new().to_form_schema(),
            Wanted::Form(fields) => fields.to_form_schema(),
        }
    }
}

/// What an answer has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Yes or no: [`Answer::Given`] means yes, whatever it holds.
    Consent,
    /// A value for each of these.
    Form(Parameters),
}

/// What a person answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// These values; not checked yet.
    Given(Map<String, Value>),
    /// No.
    Declined,
    /// Nothing; the question was put aside.
    Dismissed,
}

/// The answers that a call is run with, in the order of its questions: first those of the host, then
/// those of the tool. One that does not fit its question stays where it is, and the next is for the
/// same question: so whoever asks adds each answer to the end, whatever it is.
pub type Answers = Arc<[Answer]>;
