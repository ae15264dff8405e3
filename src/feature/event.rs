//! What a feature says while it runs: events, notifications and log lines, typed and bounded.
//!
//! Events and notifications to the user are live and never reach a model. Text for a model is not
//! an event: it is staged with its call and leaves with the outcome.

use super::id::{ChannelName, FeatureId};
use crate::limit::Limit;
use serde::{Deserialize, Serialize};

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// For whoever looks for a fault.
    Debug,
    /// Goes as it should.
    Info,
    /// May need a look.
    Warn,
    /// Went wrong.
    Error,
}

/// One event of a feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureEvent {
    /// Who says it.
    pub feature: FeatureId,
    /// The channel; `None` is the feature's unnamed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelName>,
    /// What it says.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum EventBody {
    /// A message for a person.
    Message {
        /// How much it matters.
        level: Level,
        /// One line.
        summary: String,
        /// More, where one line is not enough.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    },
    /// How far a long piece of work is.
    Progress {
        /// Units done.
        done: f64,
        /// Units in all, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<f64>,
        /// What is being done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// A notification that the user should not miss.
    Notice {
        /// What to say.
        text: String,
    },
    /// A line for the log.
    Log {
        /// How much it matters.
        level: Level,
        /// The line.
        text: String,
    },
}

/// What one event costs beside its text, so that a flood of empty ones ends too.
const OVERHEAD: u64 = 64;

impl EventBody {
    /// The bytes that the event is counted as: its texts, and 64 for the event itself.
    pub(crate) fn cost(&self) -> u64 {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let text = match self {
            Self::Message { summary, detail, .. } => summary.len() + optional(detail),
            Self::Progress { text, .. } => optional(text),
            Self::Notice { text } | Self::Log { text, .. } => text.len(),
        };
        text as u64 + OVERHEAD
    }

    /// The bytes of heap that its texts take.
    pub(crate) fn heap(&self) -> impl Iterator<Item = usize> {
        let texts = match self {
            Self::Message { summary, detail, .. } => [Some(summary), detail.as_ref()],
            Self::Progress { text, .. } => [text.as_ref(), None],
            Self::Notice { text } | Self::Log { text, .. } => [Some(text), None],
        };
        texts.into_iter().flatten().map(String::capacity)
    }

    /// The bound that it is counted against.
    pub(crate) fn bound(&self) -> Limit {
        match self {
            Self::Message { .. } | Self::Progress { .. } => Limit::Events,
            Self::Notice { .. } => Limit::Notifications,
            Self::Log { .. } => Limit::Log,
        }
    }
}

/// Where live events go. A front implements it; it must not block for long, for the script waits.
pub trait Sink: Send + Sync {
    /// Takes one event. What a sink does with it cannot fail the call.
    fn emit(&self, event: FeatureEvent);
}

/// A sink that forgets.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Sink for Silent {
    fn emit(&self, _: FeatureEvent) {}
}
