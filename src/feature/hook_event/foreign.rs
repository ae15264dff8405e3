//! A call of a tool that is an agent's own: told by the agent, run by the agent.

use super::{EventError, ToolEvent};
use serde_json::{Map, Value};

/// What an agent tells of one call of its own.
#[derive(Debug, Clone)]
pub struct ForeignCall {
    told: Value,
    read: fn(&Value) -> Result<ToolEvent, EventError>,
    event: ToolEvent,
}

impl ForeignCall {
    /// What an agent told, in the form that `read` understands, such as [`ToolEvent::of_codex`].
    ///
    /// # Errors
    ///
    /// It is no call of a tool.
    pub fn new(
        mut told: Value,
        read: fn(&Value) -> Result<ToolEvent, EventError>,
    ) -> Result<Self, EventError> {
        let event = read(&told)?;
        // The event has what the tool gave, which may be large.
        if let Some(fields) = told.as_object_mut() {
            fields.remove("tool_response");
        }
        Ok(Self { told, read, event })
    }

    /// The call as hooks see it.
    pub fn event(&self) -> &ToolEvent {
        &self.event
    }

    /// The same call with other arguments, as hooks would see it.
    ///
    /// # Errors
    ///
    /// The agent's form does not take them.
    pub fn with_arguments(&self, arguments: Map<String, Value>) -> Result<ToolEvent, EventError> {
        let mut told = self.told.clone();
        if let Some(fields) = told.as_object_mut() {
            fields.insert("tool_input".to_owned(), Value::Object(arguments));
        }
        (self.read)(&told)
    }
}
