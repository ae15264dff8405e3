//! What an agent's session puts on record: what the model was shown, why, and what it said.
//!
//! A *fact* is an entry that the model sees from then on: instructions, a user's message, the model's
//! own answer, the result of a tool, a notification, a summary. Each has a reason, and where its text
//! stands in the log already it is named and not copied. Nothing here writes or reads a file.

use super::entry::Body;
use crate::diagnostic::Diagnostic;
use crate::feature::id::FeatureId;
use crate::feature::subpod::Narrowing;
use crate::store::Owner;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An agent's session begins in this log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Begin {
    /// Its id.
    pub session: String,
    /// The way in, such as `chat`.
    pub front: String,
    /// The agent, where the front knows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The folder that the agent works in, where the front tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
    /// The version of peasy.
    pub version: String,
    /// The session that this one goes on from; its facts up to there are facts of this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Who started it, where it is a sub-pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawned: Option<Spawned>,
}

/// Who started a sub-pod, and what it may have at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawned {
    /// The session that it was started in, whose folder lies beside its own.
    pub session: String,
    /// The call there that started it.
    pub call: String,
    /// The feature whose call it was.
    pub feature: FeatureId,
    /// The folder that the feature belongs to.
    pub root: PathBuf,
    /// What of its parent's tools and grants it has.
    #[serde(flatten)]
    pub scope: Narrowing,
}

impl Spawned {
    /// Whether a call of that feature started it in that session.
    pub(in crate::pod) fn is_of(&self, session: &str, owner: &Owner) -> bool {
        self.session == session && self.feature == owner.feature && self.root == owner.root
    }
}

/// Where a session was forked off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The name of its folder, beside that of the fork.
    pub session: String,
    /// Its last line that counts.
    pub line: u64,
    /// The hash of that line.
    pub hash: String,
}

/// A session goes on after it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The process that goes on with it.
    pub instance: String,
    /// The way in.
    pub front: String,
    /// The version of peasy.
    pub version: String,
}

/// What the model is told before everything else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instructions {
    /// The text.
    pub text: Body,
    /// Where it comes from, in words.
    pub source: String,
}

/// What a person wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UserMessage {
    /// A text, or what else the front takes, as JSON.
    pub content: Body,
}

/// The model is asked. Its messages are the facts of the log up to here, and are not repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Whose model.
    pub provider: String,
    /// Which.
    pub model: String,
    /// The line of the catalog that its tools are of.
    pub catalog: u64,
    /// The definitions of tools that it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Body>,
    /// What else it was given, such as a temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Body>,
    /// How many facts it was shown: all that stand.
    pub facts: u64,
    /// The fold of their lines' hashes.
    pub digest: String,
}

/// What the model answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AssistantMessage {
    /// The line of the request.
    pub request: u64,
    /// Its text; empty where it only calls tools.
    pub text: Body,
    /// The tools that it calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// What its provider wants to see again, as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opaque: Option<Body>,
    /// Why it ended, in its provider's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
}

/// A call that the model makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The model's name for it.
    pub id: String,
    /// The tool, as the model names it.
    pub tool: String,
    /// The arguments; a text where they are no JSON.
    pub arguments: Body,
}

/// What the model is shown of a call that it made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolResult {
    /// The model's name for the call.
    pub id: String,
    /// Why it is shown.
    pub reason: Reason,
    /// What is shown, where it is not what the log holds of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Body>,
}

/// A text for the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Why it is shown.
    pub reason: Reason,
    /// The text, where the log does not hold it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Body>,
}

/// Facts give place to a summary of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compaction {
    /// How many facts stand before those that are summarised.
    pub from: u64,
    /// How many are summarised.
    pub facts: u64,
    /// What stands in their place.
    pub summary: Body,
    /// Who made it.
    pub reason: Reason,
}

/// What a request cost, as its provider counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// The line of the request.
    pub request: u64,
    /// Tokens that the model read.
    pub input: u64,
    /// Tokens that it wrote.
    pub output: u64,
    /// Of those that it read, the ones that came from a cache.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The model's turn is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnEnd {
    /// Why, such as `done`, `cancelled`, `failed`.
    pub why: String,
}

/// A request that came to nothing, or another trouble of the session. The model sees nothing of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// The line of the request, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<u64>,
    /// What went wrong.
    pub failure: Vec<Diagnostic>,
}

/// Why the model sees a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A recorded call gave it, or what was decided about that call.
    Call(String),
    /// A recorded call sent it to the model: the call, and which of its texts, from 0.
    Sent(String, u64),
    /// The model wrote it, at this request.
    Request(u64),
    /// The host says it: a code that has a page, or a word for what happened.
    Host(String),
}
