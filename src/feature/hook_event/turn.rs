//! The events of a turn: what hooks are told before a request, after an answer, and at the end.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Before a request goes to the model.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PreRequest {
    /// The model, as the worker was told to call it.
    pub model: String,
    /// How many messages are sent.
    pub messages: u64,
    /// What the user wrote last; empty where nothing was.
    pub text: String,
    /// The tools that the model may call.
    pub tools: Vec<String>,
    /// The number of this request in its turn, from 1; 0 where it asks for a summary of the session.
    pub request: u64,
}

/// After the model's text has arrived.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PostAssistant {
    /// The model.
    pub model: String,
    /// Its text; empty where it only calls tools.
    pub text: String,
    /// The tools that it calls. Each has its own `pre_tool_call`.
    pub tool_calls: Vec<AgentCall>,
}

/// One call that a model asks for.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AgentCall {
    /// The tool.
    pub tool: String,
    /// Its arguments.
    pub args: Map<String, Value>,
}

/// Before the turn ends.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TurnEnd {
    /// The last text of the model.
    pub text: String,
    /// The number of this turn in the session, from 1.
    pub turns: u64,
    /// How often hooks made this turn go on already.
    pub again: u64,
}

impl PreRequest {
    /// The event as hooks get it.
    pub fn to_value(&self) -> Value {
        let Self { model, messages, text, tools, request } = self;
        json!({ "model": model, "messages": messages, "text": text, "tools": tools, "request": request })
    }
}

impl PostAssistant {
    /// The event as hooks get it.
    pub fn to_value(&self) -> Value {
        let Self { model, text, tool_calls } = self;
        let calls = tool_calls.iter().map(|call| json!({ "tool": call.tool, "args": call.args }));
        json!({ "model": model, "text": text, "tool_calls": calls.collect::<Vec<_>>() })
    }
}

impl TurnEnd {
    /// The event as hooks get it.
    pub fn to_value(&self) -> Value {
        let Self { text, turns, again } = self;
        json!({ "text": text, "turns": turns, "again": again })
    }
}
