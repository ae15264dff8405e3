//! What hooks decided about an event of an agent, before it has the agent's form.

use super::{Agent, Told, claude_code, codex, gemini};
use serde_json::{Map, Value};

/// What comes of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It goes on as it would.
    Proceed,
    /// The call does not run, the request is not sent.
    Deny {
        /// Why, as it is shown.
        reason: String,
    },
    /// A person decides about the call.
    Ask {
        /// What to ask, as it is shown.
        question: String,
        /// The arguments that it runs with in the place of its own.
        arguments: Option<Map<String, Value>>,
    },
    /// The call runs with these arguments.
    Rewrite {
        /// All of them.
        arguments: Map<String, Value>,
    },
    /// The call does not run, and the model gets this in its place.
    Answer {
        /// The result, with who gives it, as it is shown.
        text: String,
    },
    /// The model gets another result.
    Replace {
        /// The new result.
        result: Value,
    },
    /// The model gets no result.
    Withhold {
        /// Why, as it is shown.
        reason: String,
    },
    /// The turn goes on.
    Again {
        /// Why, as the model reads it.
        reason: String,
    },
}

/// What comes of an event, and what there is to say beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What comes of it.
    pub verdict: Verdict,
    /// Texts for the model, with their authors.
    pub context: Vec<String>,
    /// Texts for the person.
    pub messages: Vec<String>,
}

impl Answer {
    /// A verdict with nothing beside it.
    pub fn new(verdict: Verdict) -> Self {
        Self { verdict, context: Vec::new(), messages: Vec::new() }
    }

    /// The answer in the form of the agent that told the event, for its standard output with exit code 0;
    /// `None` is nothing at all.
    pub fn in_form_of(mut self, told: &Told) -> Option<Value> {
        match told.agent {
            Agent::ClaudeCode => claude_code::answer(told, &mut self),
            Agent::Codex => codex::answer(told, &mut self),
            Agent::Gemini => gemini::answer(told, &mut self),
        }
    }

    /// The texts for the model as one, taken out.
    pub(super) fn take_context(&mut self) -> Option<String> {
        let context = std::mem::take(&mut self.context);
        (!context.is_empty()).then(|| context.join("\n"))
    }

    /// Texts for the model that the agent has no place for go to the person, who can pass them on.
    pub(super) fn tell_context(&mut self, told: &Told) {
        if let Some(context) = self.take_context() {
            let why = format!(
                "{} takes no text for the model at `{}`; it was:",
                told.agent.title(),
                told.event
            );
            self.messages.push(format!("{why} {context}"));
        }
    }
}
