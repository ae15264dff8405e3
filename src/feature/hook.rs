//! Hook points, the decisions a hook may return, and the contribution that carries one.
//!
//! Hooks receive snapshots as data and return decisions as data. No decision carries a message of
//! the conversation, and none can allow what the host denied.

use super::call::{CallContext, Failure, Receipt};
use crate::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A place in the pod where a hook may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookPoint {
    /// Before a request goes to the model.
    PreRequest,
    /// After the model's text has arrived.
    PostAssistant,
    /// Before a tool runs.
    PreToolCall,
    /// After a tool ran.
    PostToolCall,
    /// Before the turn ends.
    TurnEnd,
}

impl HookPoint {
    /// Every point, in the order of a turn.
    pub const ALL: [Self; 5] = [
        Self::PreRequest,
        Self::PostAssistant,
        Self::PreToolCall,
        Self::PostToolCall,
        Self::TurnEnd,
    ];

    /// The name used by `@hook`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreRequest => "pre_request",
            Self::PostAssistant => "post_assistant",
            Self::PreToolCall => "pre_tool_call",
            Self::PostToolCall => "post_tool_call",
            Self::TurnEnd => "turn_end",
        }
    }

    /// Whether its event is about a tool, so that `tools=` and `kind=` can narrow it.
    pub fn is_about_tools(self) -> bool {
        matches!(self, Self::PreToolCall | Self::PostToolCall)
    }

    /// Whether a decision of that kind means anything here (DESIGN: the table of hook points).
    pub fn allows(self, decision: &Decision) -> bool {
        match decision {
            Decision::Proceed => true,
            Decision::Stop { .. } => self == Self::PreRequest,
            Decision::Deny { .. }
            | Decision::Answer { .. }
            | Decision::Ask { .. }
            | Decision::Rewrite { .. } => self == Self::PreToolCall,
            Decision::Replace { .. } => self == Self::PostToolCall,
            Decision::Again { .. } => self == Self::TurnEnd,
        }
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for HookPoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|point| point.name() == text).ok_or(())
    }
}

/// When a hook runs among the features: coarse on purpose, so that none can outbid another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// Before the others.
    Early,
    /// In between.
    #[default]
    Normal,
    /// After the others.
    Late,
}

/// What a tool event is about, the same for every agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// Runs a command.
    Shell,
    /// Touches files.
    File,
    /// Fetches a page.
    Fetch,
    /// Calls a tool of an MCP server.
    Mcp,
    /// Anything else.
    Other,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Shell, Self::File, Self::Fetch, Self::Mcp, Self::Other];

    /// The name used by `@hook … kind=` and by `event.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::File => "file",
            Self::Fetch => "fetch",
            Self::Mcp => "mcp",
            Self::Other => "other",
        }
    }
}

/// Which tool events a hook wants.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolFilter {
    /// Globs over tool names; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// Kinds; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<EventKind>,
}

impl ToolFilter {
    /// Whether every event passes.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty() && self.kinds.is_empty()
    }
}

/// What a hook returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "lowercase")]
pub enum Decision {
    /// Nothing against it.
    Proceed,
    /// The request is not sent.
    Stop {
        /// Why.
        reason: String,
    },
    /// The tool does not run.
    Deny {
        /// Why, as the model will read it.
        reason: String,
    },
    /// The tool does not run; the model gets this instead.
    Answer {
        /// The result in its place.
        value: Value,
    },
    /// A person decides.
    Ask {
        /// What to ask.
        question: String,
    },
    /// The tool runs with other arguments.
    Rewrite {
        /// The new arguments.
        arguments: Value,
    },
    /// The model gets another result.
    Replace {
        /// The new result.
        result: Value,
    },
    /// The turn goes on.
    Again {
        /// Why, as the model will read it.
        reason: String,
    },
}

impl Decision {
    /// The word for its kind, as scripts and messages use it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Proceed => "proceed",
            Self::Stop { .. } => "stop",
            Self::Deny { .. } => "deny",
            Self::Answer { .. } => "answer",
            Self::Ask { .. } => "ask",
            Self::Rewrite { .. } => "rewrite",
            Self::Replace { .. } => "replace",
            Self::Again { .. } => "again",
        }
    }
}

/// What came of one hook on one event.
#[derive(Debug, Clone)]
pub struct HookOutcome {
    /// The decision, or why there is none. What a failure means is the pod's to say.
    pub decision: Result<Decision, Failure>,
    /// Text for the model that the hook staged; empty unless it decided.
    pub notices: Vec<String>,
    /// What the hook had to say beside it.
    pub diagnostics: Vec<Diagnostic>,
    /// What it cost.
    pub receipt: Receipt,
}

impl HookOutcome {
    /// A decision, at no cost that is known.
    pub fn decided(decision: Decision) -> Self {
        let (notices, diagnostics, receipt) = Default::default();
        Self { decision: Ok(decision), notices, diagnostics, receipt }
    }

    /// No decision, at no cost that is known.
    pub fn failure(failure: impl Into<Failure>) -> Self {
        let (notices, diagnostics, receipt) = Default::default();
        Self { decision: Err(failure.into()), notices, diagnostics, receipt }
    }
}

/// A hook that can be asked.
pub trait Hook: Send + Sync {
    /// Decides about an event. `event` is a snapshot; nothing in it is a handle.
    fn decide(&self, event: Value, context: &CallContext) -> HookOutcome;
}

/// A hook and the name it was declared by.
#[derive(Clone)]
pub struct HookContribution {
    /// The declared name.
    pub name: String,
    /// What answers.
    pub hook: Arc<dyn Hook>,
}

impl HookContribution {
    /// A contribution for the hook declared as `name`.
    pub fn new(name: impl Into<String>, hook: impl Hook + 'static) -> Self {
        Self { name: name.into(), hook: Arc::new(hook) }
    }
}
