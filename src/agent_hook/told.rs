//! What an agent told: who tells it, of which session, and what happens.

use super::{Agent, claude_code, codex, gemini, misunderstood, text};
use crate::diagnostic::Diagnostic;
use crate::feature::hook::HookPoint;
use crate::feature::hook_event::{EventError, ForeignCall, PreRequest, ToolEvent};
use crate::pod::session::entry::AgentSession;
use serde_json::Value;

/// What happens at an event of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A tool is about to run.
    BeforeCall,
    /// A tool ran.
    AfterCall,
    /// The model is about to be asked.
    Request,
    /// The model has answered, and the turn is about to end.
    End,
    /// A session begins. No hook point; what is inactive is told then.
    Start,
}

impl Happening {
    /// The points whose hooks are asked, in their order.
    pub fn points(self) -> &'static [HookPoint] {
        match self {
            Self::BeforeCall => &[HookPoint::PreToolCall],
            Self::AfterCall => &[HookPoint::PostToolCall],
            Self::Request => &[HookPoint::PreRequest],
            Self::End => &[HookPoint::PostAssistant, HookPoint::TurnEnd],
            Self::Start => &[],
        }
    }
}

/// One event as an agent told it.
#[derive(Debug, Clone)]
pub struct Told {
    /// Who tells it.
    pub agent: Agent,
    /// The agent's name of the event.
    pub event: String,
    /// What happens; `None` for an event that no feature can hook.
    pub happening: Option<Happening>,
    /// Everything that was told.
    pub value: Value,
}

impl Told {
    /// Reads what an agent wrote to the standard input of its hook. Where it is not said which agent it
    /// is, the form tells.
    ///
    /// # Errors
    ///
    /// It is no event of an agent's hook.
    pub fn read(text: &[u8], agent: Option<Agent>) -> Result<Self, Diagnostic> {
        let value: Value = serde_json::from_slice(text)
            .map_err(|reason| misunderstood(&format!("it is no JSON: {reason}")))?;
        let event = value.get("hook_event_name").and_then(Value::as_str);
        let event = event.ok_or_else(|| misunderstood("it has no `hook_event_name`"))?.to_owned();
        let agent = agent.unwrap_or_else(|| Agent::of(&value));
        let known = agent.events().iter().find(|(name, _)| *name == event);
        let happening = known.map(|(_, happening)| *happening);
        if happening.is_none()
            && let Some(other) = Agent::ALL.into_iter().find(|other| other.guards_calls_at(&event))
        {
            // Whoever tells it waits for word of a call.
            let (agent, other) = (agent.title(), other.title());
            return Err(misunderstood(&format!("{agent} has no `{event}`, {other} has")));
        }
        Ok(Self { agent, event, happening, value })
    }

    /// The session, for the log.
    pub fn session(&self) -> AgentSession {
        let call = self.value.get("tool_use_id").and_then(Value::as_str).map(str::to_owned);
        let bounded = |text: String| text.chars().take(MOST_NAME).collect();
        AgentSession {
            name: self.agent.name().to_owned(),
            session: bounded(text(&self.value, "session_id")),
            call: call.map(bounded),
        }
    }

    /// The folder that the agent works in.
    pub fn folder(&self) -> Option<&str> {
        self.value.get("cwd").and_then(Value::as_str).filter(|folder| !folder.is_empty())
    }

    /// The call of a tool that it is about.
    ///
    /// # Errors
    ///
    /// It names no tool.
    pub fn call(&self) -> Result<ForeignCall, EventError> {
        let read = match self.agent {
            Agent::ClaudeCode => ToolEvent::of_claude_code,
            Agent::Codex => ToolEvent::of_codex,
            Agent::Gemini => ToolEvent::of_gemini,
        };
        ForeignCall::new(self.value.clone(), read)
    }

    /// The request that it is about. What the agent does not say is empty or 0.
    pub(super) fn request(&self) -> PreRequest {
        match self.agent {
            Agent::ClaudeCode => claude_code::request(&self.value),
            Agent::Codex => codex::request(&self.value),
            Agent::Gemini => gemini::request(&self.value),
        }
    }

    /// The last text of the model.
    pub(super) fn last_text(&self) -> String {
        match self.agent {
            Agent::ClaudeCode | Agent::Codex => text(&self.value, "last_assistant_message"),
            Agent::Gemini => text(&self.value, "prompt_response"),
        }
    }

    /// Whether a hook made this turn go on already.
    pub(super) fn is_again(&self) -> bool {
        self.value.get("stop_hook_active").and_then(Value::as_bool).unwrap_or(false)
    }
}

/// Most characters of a name that an agent gives to something.
const MOST_NAME: usize = 128;
