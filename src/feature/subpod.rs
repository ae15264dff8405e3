//! Sub-pods: what a call may ask of the sessions that its pod started, and what it is told.
//!
//! A sub-pod is a session of its own below the one that started it. It has the parent's tools and grants
//! or fewer, never more, and every hook and permission of the parent holds for its calls. Who answers in
//! it, and where its record lies, is the host's.

use super::capability::Capability;
use super::hook::ToolGlob;
use crate::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};

/// Most characters of a sub-pod's name.
pub const MOST_NAME: usize = 32;

/// Most bytes of a message, of the instructions and of an answer.
pub const MOST_TEXT: usize = 64 << 10;

/// What a sub-pod begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnTerms {
    /// A word for it, in small letters; its id begins with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What its model is told before everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// What it may do.
    #[serde(flatten)]
    pub scope: Narrowing,
}

/// What a sub-pod has of what its parent has. Nothing here can add anything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrowing {
    /// Only tools whose names fit one of these; `None` leaves all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<Vec<ToolGlob>>,
    /// Only what these cover of what each feature was granted; `None` leaves all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<Capability>>,
}

impl Narrowing {
    /// Whether a tool of that name is left.
    pub fn has_tool(&self, name: &str) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.iter().any(|tool| tool.fits(name)))
    }
}

/// What a call asks of the sub-pods of its pod. A feature reaches those that it started itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodAsk {
    /// Starts one.
    Spawn(Box<SpawnTerms>),
    /// Gives one a message, which it answers in its own time.
    Message {
        /// Which.
        pod: String,
        /// The message.
        text: String,
    },
    /// How one is.
    Look {
        /// Which.
        pod: String,
        /// How long to wait for the end of its turn, in milliseconds; the host may come back earlier.
        patience: u64,
    },
    /// Ends the turn of one, which can be messaged again.
    Interrupt {
        /// Which.
        pod: String,
    },
    /// Brings one back from its record.
    Restore {
        /// Which.
        pod: String,
    },
    /// Ends one; its record stays.
    Stop {
        /// Which.
        pod: String,
    },
    /// All of them.
    List,
}

/// What the host answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodAnswer {
    /// How one is.
    One(Box<SubPodState>),
    /// How all are.
    All(Vec<SubPodState>),
    /// Whether there was something to do.
    Done(bool),
}

/// What a sub-pod is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Working {
    /// It waits for a message.
    Idle,
    /// It is at an answer.
    Working,
    /// Its process ended or it was stopped; it can be restored.
    Stopped,
}

impl Working {
    /// As scripts see it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Working => "working",
            Self::Stopped => "stopped",
        }
    }
}

/// How a sub-pod is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SubPodState {
    /// Its id, among those of its parent.
    pub pod: String,
    /// The session that it is on record in.
    pub session: String,
    /// What it is at.
    pub state: Working,
    /// The messages that came to an end, in this process and before it.
    pub turns: u64,
    /// The answer to the last message, where it is over and has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Box<Diagnostic>>,
}
