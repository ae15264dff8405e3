//! What a model is to the worker: it is asked, says pieces, and gives an answer.
//!
//! The trait is all that the loop knows of providers, so that one can be put in the place of another, and
//! a test's in the place of all. Nothing here speaks to anybody.

use crate::diagnostic::Diagnostic;
use crate::feature::call::Cancel;
use crate::pod::session::Transcript;
use serde_json::Value;
use std::ops::ControlFlow;
use std::time::Duration;

/// A model that can be asked.
pub trait Model: Send + Sync {
    /// Whose it is, as the log has it.
    fn provider(&self) -> &str;

    /// Its name.
    fn name(&self) -> &str;

    /// Asks it once, and gives each piece of what it says to `hear`, which may have heard enough. Blocks
    /// until the answer is whole; ends early when `cancel` is.
    ///
    /// # Errors
    ///
    /// There is no whole answer. What was heard of it until then was heard.
    fn ask(
        &self,
        request: Request<'_>,
        hear: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
        cancel: &Cancel,
    ) -> Result<Answer, ModelError>;
}

/// What a model is asked.
pub struct Request<'a> {
    /// What it sees, from first to last, as it is read from the log.
    pub messages: Transcript,
    /// What it may call.
    pub tools: &'a [Tool],
    /// How many tokens it may write; `None` leaves that to its provider.
    pub max_tokens: Option<u32>,
}

/// A tool as a model reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// The JSON Schema of its arguments.
    pub schema: Value,
}

/// A piece of what a model says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Of its text.
    Text(&'a str),
    /// Of what it thinks, where its provider shows that.
    Thought(&'a str),
    /// Bytes of a tool's call. The call itself comes with the answer.
    Call(usize),
}

/// The end of a whole answer. Its text was heard.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The tools that it calls: its name for the call, the tool, the arguments. Arguments that are no JSON
    /// are a text.
    pub calls: Vec<(String, String, Value)>,
    /// What its provider wants to see again, as it came.
    pub opaque: Option<Value>,
    /// Why it ended, in its provider's words.
    pub stop: Option<String>,
    /// Whether it ended because it may not be longer.
    pub is_full: bool,
    /// What it cost, where the provider says so.
    pub tokens: Option<Tokens>,
}

/// What a request cost, as its provider counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Read by the model.
    pub input: u64,
    /// Written by it.
    pub output: u64,
    /// Of those that it read, the ones that came from a cache.
    pub cached: u64,
}

impl std::ops::AddAssign for Tokens {
    fn add_assign(&mut self, other: Self) {
        self.input += other.input;
        self.output += other.output;
        self.cached += other.cached;
    }
}

/// What kept an answer from being whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Whoever listens has heard enough.
    Enough,
    /// The turn was cancelled.
    Cancelled,
    /// Too many requests; ask later.
    Busy,
    /// The provider failed, or is overloaded.
    Server,
    /// It cannot be reached, or did not answer in time.
    Unreachable,
    /// The connection ended in the middle.
    Cut,
    /// It does not know who asks, or what they may.
    Denied,
    /// It does not take this request.
    Refused,
    /// What it sent cannot be understood.
    Malformed,
}

/// Why there is no whole answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ModelError {
    /// What happened.
    pub fault: Fault,
    /// The same in words, with what the provider said.
    pub message: String,
    /// How long the provider wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl ModelError {
    /// A fault in words.
    pub fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self { fault, message: message.into(), retry_after: None }
    }

    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        let text = self.message.clone();
        match self.fault {
            Fault::Enough => Diagnostic::operator("worker/output", text)
                .help("`max_output` below `[chat]` of the settings bounds an answer"),
            Fault::Cancelled => Diagnostic::caller("worker/cancelled", text),
            Fault::Busy | Fault::Server => Diagnostic::operator("worker/provider", text)
                .help("try again later, or choose another model with `--model`"),
            Fault::Unreachable => Diagnostic::operator("worker/unreachable", text)
                .help("look at the address (`--base-url`) and at the network"),
            Fault::Cut => Diagnostic::operator("worker/cut", text).help("try again"),
            Fault::Denied => Diagnostic::operator("worker/denied", text)
                .help("look at the key of the provider; `peasy secret list` shows the names"),
            Fault::Refused => Diagnostic::operator("worker/refused", text)
                .help("look at the name of the model and at what the provider says"),
            Fault::Malformed => Diagnostic::operator("worker/malformed", text)
                .help("look whether the address speaks as this provider does"),
        }
    }
}
