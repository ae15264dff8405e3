//! One call: what a tool is given, what comes out, and what it cost.

use super::content::{Content, ResultForm};
use super::event::Sink;
use super::id::FeatureId;
use super::question::{Answers, Question};
use super::transaction::Transaction;
use crate::diagnostic::{Blame, Diagnostic};
use crate::limit::Limits;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What a call runs under. Cheap to clone; holds no handle to the host.
#[derive(Clone)]
pub struct CallContext {
    /// Whose contribution runs.
    pub feature: Arc<FeatureId>,
    /// The bounds, as the user and the feature set them.
    pub limits: Arc<Limits>,
    /// Where live events and log lines go.
    pub sink: Arc<dyn Sink>,
    /// Set to end the call early.
    pub cancel: Cancel,
    /// The clock and seed the script sees.
    pub conditions: Conditions,
    /// When the caller gets its answer, whatever happens.
    pub deadline: Instant,
    /// What the host does for the call.
    pub transaction: Arc<dyn Transaction>,
    /// What a person answered when the call was run before.
    pub answers: Answers,
}

/// Time and randomness as a call sees them; given, so that a call can be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conditions {
    /// The wall clock, in milliseconds since the Unix epoch; `None` reads the system's.
    pub now: Option<i64>,
    /// The seed of the random numbers.
    pub seed: u64,
}

/// A switch that ends a call early; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends the call at its next step.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to end.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// The flag itself, for code that polls it at every step.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// What came of one call.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The result as JSON, or why there is none.
    pub result: Result<Value, Failure>,
    /// How the result is to be read.
    pub form: ResultForm,
    /// Text for the model that the call staged; empty unless it succeeded.
    pub notices: Vec<String>,
    /// What it cost.
    pub receipt: Receipt,
}

impl Outcome {
    /// A result, at no cost that is known.
    pub fn success(value: impl Into<Value>) -> Self {
        let (form, notices, receipt) = Default::default();
        Self { result: Ok(value.into()), form, notices, receipt }
    }

    /// No result, at no cost that is known.
    pub fn failure(failure: impl Into<Failure>) -> Self {
        let (form, notices, receipt) = Default::default();
        Self { result: Err(failure.into()), form, notices, receipt }
    }

    /// The blocks of the result, where it has blocks.
    pub fn content(&self) -> Option<Content> {
        match (self.form, &self.result) {
            (ResultForm::Content, Ok(result)) => Content::read(result),
            _ => None,
        }
    }
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The first is the reason; others add to it (each bad argument is one).
    pub diagnostics: Vec<Diagnostic>,
    /// What a person has to answer before the call can be run to its end. The first diagnostic says
    /// so to whoever cannot ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Box<Question>>,
}

impl Failure {
    /// Whose turn it is.
    pub fn blame(&self) -> Blame {
        self.diagnostics.first().map_or(Blame::Host, |first| first.blame)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self { diagnostics: vec![diagnostic], question: None }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.diagnostics.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&diagnostic.message)?;
            for help in &diagnostic.help {
                write!(f, "; {help}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// What one call cost. Zero where the runtime cannot tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Receipt {
    /// Engine steps and charges of natives.
    pub operations: u64,
    /// Time on the sandbox thread.
    #[serde(rename = "time_us", with = "as_micros")]
    pub time: Duration,
    /// Time from hand-over to answer, waiting included.
    #[serde(rename = "elapsed_us", with = "as_micros")]
    pub elapsed: Duration,
    /// Most bytes held at once.
    pub peak_memory: u64,
    /// Bytes that stayed behind.
    pub leaked_memory: u64,
    /// Messages of a denied optional request (`emit`, `notify`) that went nowhere.
    pub dropped_messages: u64,
    /// Bytes of arguments as JSON.
    pub bytes_in: u64,
    /// Bytes of the result as JSON.
    pub bytes_out: u64,
    /// How much of its bounds the call left, in percent.
    pub headroom: Headroom,
}

/// Percent of each bound that was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Headroom {
    /// Of the operations.
    pub operations: u8,
    /// Of the time.
    pub time: u8,
    /// Of the memory.
    pub memory: u8,
}

/// Times as whole microseconds.
mod as_micros {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(source: D) -> Result<Duration, D::Error> {
        u64::deserialize(source).map(Duration::from_micros)
    }
}
