//! The hooks of other agents: what an agent tells its hooks becomes an event of the pod, and what the
//! features' hooks decide becomes an answer in that agent's form.
//!
//! One file an agent: the form of what it tells, the form of what it is answered, and which decisions it
//! can carry. One that it cannot carry becomes a denial that says so. Nothing here reads features, and
//! nothing allows a call: where hooks have nothing against it, the agent's own rules hold.

mod again;
mod answer;
mod ask;
mod claude_code;
mod codex;
mod gemini;
mod told;

pub use again::Again;
pub use answer::{Answer, Verdict};
pub use ask::{ask, unasked};
pub use told::{Happening, Told};

use crate::diagnostic::Diagnostic;
use serde_json::{Map, Value};

/// An agent whose hooks are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Agent {
    /// Claude Code.
    ClaudeCode,
    /// Codex.
    Codex,
    /// Gemini CLI.
    Gemini,
}

impl Agent {
    /// Every agent.
    pub const ALL: [Self; 3] = [Self::ClaudeCode, Self::Codex, Self::Gemini];

    /// The name by which it is called on the command line and in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
        }
    }

    /// What people call it.
    pub fn title(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::Codex => "Codex",
            Self::Gemini => "Gemini CLI",
        }
    }

    /// The agent of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|agent| agent.name() == name)
    }

    /// The agent that tells things so. Where two would, it is the one whose answer both understand.
    pub fn of(told: &Value) -> Self {
        let event = told.get("hook_event_name").and_then(Value::as_str).unwrap_or_default();
        let knows = |agent: Self| agent.events().iter().any(|(name, _)| *name == event);
        let is_anothers = !knows(Self::Gemini) && (knows(Self::ClaudeCode) || knows(Self::Codex));
        if gemini::is_its(event) || (told.get("timestamp").is_some() && !is_anothers) {
            return Self::Gemini;
        }
        // Codex adds the turn to the form that it shares with Claude Code.
        if told.get("turn_id").is_some() { Self::Codex } else { Self::ClaudeCode }
    }

    /// Whether it tells of a call that is about to run by an event of that name.
    fn guards_calls_at(self, event: &str) -> bool {
        self.events().contains(&(event, Happening::BeforeCall))
    }

    /// The agent's events that features can hook, each with what happens at it.
    pub fn events(self) -> &'static [(&'static str, Happening)] {
        match self {
            Self::ClaudeCode => claude_code::EVENTS,
            Self::Codex => codex::EVENTS,
            Self::Gemini => gemini::EVENTS,
        }
    }
}

/// The text that an object has under a name; empty where it has none.
fn text(object: &Value, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A value as a model reads it: a text as it is, anything else as JSON.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a denial says where the agent cannot carry the decision.
fn cannot(agent: Agent, what: &str) -> String {
    format!("{} cannot {what}, so the call is denied", agent.title())
}

/// What an agent is answered, while it is put together: fields of its own, and those below
/// `hookSpecificOutput`.
struct Form {
    event: String,
    top: Map<String, Value>,
    specific: Map<String, Value>,
}

impl Form {
    fn new(event: &str) -> Self {
        let (top, specific) = Default::default();
        Self { event: event.to_owned(), top, specific }
    }

    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.top.insert(name.to_owned(), value.into());
    }

    fn put_specific(&mut self, name: &str, value: impl Into<Value>) {
        self.specific.insert(name.to_owned(), value.into());
    }

    /// The whole answer; `None` where there is nothing to say.
    fn finish(mut self, messages: &[String]) -> Option<Value> {
        if !messages.is_empty() {
            self.put("systemMessage", messages.join("\n"));
        }
        if !self.specific.is_empty() {
            let mut specific = Map::new();
            specific.insert("hookEventName".to_owned(), Value::from(self.event));
            specific.append(&mut self.specific);
            self.top.insert("hookSpecificOutput".to_owned(), Value::Object(specific));
        }
        (!self.top.is_empty()).then_some(Value::Object(self.top))
    }
}

/// Why what an agent told cannot be understood.
fn misunderstood(why: &str) -> Diagnostic {
    Diagnostic::caller("hook/event", format!("this is no event of an agent's hook: {why}")).help(
        "`peasy hook` is started by an agent; `peasy hook install AGENT` tells the agent to do so",
    )
}
