//! What hooks are told: the events of each point, typed here and plain data from here on.
//!
//! A tool event has one normalised view beside the agent's own names, so that one guard serves every
//! agent. This is the one place where a call becomes an event: our own tools say by their declaration
//! what they are about, and each agent's tools have a table of their own. Nothing here runs a hook.

mod claude_code;
mod codex;
mod examine;
mod foreign;
mod gemini;
#[cfg(test)]
mod tests;
mod turn;

pub use examine::{EventField, Examined};
pub use foreign::ForeignCall;
pub use turn::{AgentCall, PostAssistant, PreRequest, TurnEnd};

use super::descriptor::{FeatureRuntimeKind, ToolDeclaration};
use super::hook::EventKind;
use crate::diagnostic::{Diagnostic, shell_word};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A call of a tool, as hooks see it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolEvent {
    /// What it is about.
    pub kind: EventKind,
    /// The tool, as the agent calls it.
    pub tool: String,
    /// Its arguments, under the agent's own names.
    pub args: Map<String, Value>,
    /// The command line of a shell.
    pub command: Option<String>,
    /// The files and folders that are touched, as the agent names them; nothing is resolved.
    pub paths: Option<Vec<String>>,
    /// What is fetched. Where one call fetches several pages, all of them, with a space between two.
    pub url: Option<String>,
    /// What the tool gave, where it ran.
    pub result: Option<Value>,
}

/// Which arguments of a tool say what its event is about. A tool without one is of kind `mcp` where it
/// belongs to another server, and `other` else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventShape {
    /// The kind of its events.
    pub kind: EventKind,
    /// The arguments that make the command line, in order: a text as it is, a list word by word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The arguments that hold paths: a text each, or a list of texts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// The argument that holds an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl EventShape {
    fn of(kind: EventKind) -> Self {
        Self { kind, command: Vec::new(), paths: Vec::new(), url: None }
    }

    /// Runs the command that these arguments make.
    pub fn shell<'a>(command: impl IntoIterator<Item = &'a str>) -> Self {
        let command = command.into_iter().map(str::to_owned).collect();
        Self { command, ..Self::of(EventKind::Shell) }
    }

    /// Touches the files that these arguments name.
    pub fn file<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let paths = paths.into_iter().map(str::to_owned).collect();
        Self { paths, ..Self::of(EventKind::File) }
    }

    /// Fetches what this argument names.
    pub fn fetch(url: &str) -> Self {
        Self { url: Some(url.to_owned()), ..Self::of(EventKind::Fetch) }
    }
}

/// Why what an agent sent is no call of a tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// It is no object, or has no name of a tool.
    #[error("the event of {agent} has no `{field}` that is {wanted}")]
    Field {
        /// Whose form it should have.
        agent: &'static str,
        /// What is missing.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
}

impl EventError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::caller("hook/event", self.to_string())
            .help("send what the agent writes to the standard input of its hooks")
    }
}

impl ToolEvent {
    /// An event about a tool of which no more is known.
    pub fn new(kind: EventKind, tool: impl Into<String>, args: Map<String, Value>) -> Self {
        let (command, paths, url, result) = (None, None, None, None);
        Self { kind, tool: tool.into(), args, command, paths, url, result }
    }

    /// The kind of the events of an installed tool.
    pub fn kind_of(tool: &ToolDeclaration, runtime: FeatureRuntimeKind) -> EventKind {
        match (&tool.event, runtime) {
            (Some(shape), _) => shape.kind,
            (None, FeatureRuntimeKind::McpBridge) => EventKind::Mcp,
            (None, _) => EventKind::Other,
        }
    }

    /// A call of an installed tool.
    pub fn of_tool(
        tool: &ToolDeclaration,
        runtime: FeatureRuntimeKind,
        args: &Map<String, Value>,
    ) -> Self {
        let kind = Self::kind_of(tool, runtime);
        let mut event = Self::new(kind, tool.name.as_str(), args.clone());
        let Some(shape) = &tool.event else { return event };
        if !shape.command.is_empty() {
            let words = shape.command.iter().filter_map(|name| args.get(name)).map(command_line);
            event.command = Some(words.collect::<Vec<_>>().join(" "));
        }
        if !shape.paths.is_empty() {
            event.paths = Some(texts(shape.paths.iter().filter_map(|name| args.get(name))));
        }
        event.url = shape.url.as_ref().and_then(|name| text(args, name));
        event
    }

    /// What Claude Code tells a hook of a call: `tool_name`, `tool_input`, and `tool_response` after it.
    ///
    /// # Errors
    ///
    /// It does not name a tool.
    pub fn of_claude_code(call: &Value) -> Result<Self, EventError> {
        Told::read("Claude Code", call).map(claude_code::event)
    }

    /// What Codex tells a hook of a call, in the same fields.
    ///
    /// # Errors
    ///
    /// It does not name a tool.
    pub fn of_codex(call: &Value) -> Result<Self, EventError> {
        Told::read("Codex", call).map(codex::event)
    }

    /// What Gemini CLI tells a hook of a call, in the same fields.
    ///
    /// # Errors
    ///
    /// It does not name a tool.
    pub fn of_gemini(call: &Value) -> Result<Self, EventError> {
        Told::read("Gemini CLI", call).map(gemini::event)
    }

    /// The event as hooks get it. What it does not have is left out.
    pub fn to_value(&self) -> Value {
        let mut event = json!({ "kind": self.kind.name(), "tool": self.tool, "args": self.args });
        let Value::Object(fields) = &mut event else { return event };
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                fields.insert(name.to_owned(), value);
            }
        };
        put("command", self.command.clone().map(Value::from));
        put("paths", self.paths.clone().map(Value::from));
        put("url", self.url.clone().map(Value::from));
        put("result", self.result.clone());
        event
    }

    fn shell(mut self, command: Option<String>) -> Self {
        (self.kind, self.command) = (EventKind::Shell, Some(command.unwrap_or_default()));
        self
    }

    fn file(mut self, paths: Vec<String>) -> Self {
        (self.kind, self.paths) = (EventKind::File, Some(paths));
        self
    }

    fn fetch(mut self, url: String) -> Self {
        (self.kind, self.url) = (EventKind::Fetch, Some(url));
        self
    }
}

/// What an agent said of a call.
struct Told {
    event: ToolEvent,
    /// The folder that the agent works in; `.` where it does not say.
    folder: String,
}

impl Told {
    fn read(agent: &'static str, call: &Value) -> Result<Self, EventError> {
        let missing = |field, wanted| EventError::Field { agent, field, wanted };
        let tool = call.get("tool_name").and_then(Value::as_str);
        let tool = tool.ok_or_else(|| missing("tool_name", "a text"))?;
        let args = match call.get("tool_input") {
            Some(Value::Object(args)) => args.clone(),
            None | Some(Value::Null) => Map::new(),
            Some(_) => return Err(missing("tool_input", "an object")),
        };
        let mut event = ToolEvent::new(EventKind::Other, tool, args);
        event.result = call.get("tool_response").cloned();
        let folder = call.get("cwd").and_then(Value::as_str).unwrap_or(".").to_owned();
        Ok(Self { event, folder })
    }

    fn text(&self, name: &str) -> Option<String> {
        text(&self.event.args, name)
    }

    /// The paths of the first of these arguments that is there; the folder that the agent works in
    /// where none is.
    fn paths(&self, names: &[&str]) -> Vec<String> {
        let found = names.iter().filter_map(|name| self.event.args.get(*name));
        let found = found.map(|value| texts([value])).find(|paths| !paths.is_empty());
        found.unwrap_or_else(|| vec![self.folder.clone()])
    }
}

fn text(args: &Map<String, Value>, name: &str) -> Option<String> {
    args.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The texts of values, and of lists of texts.
fn texts<'a>(values: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
    let each = |value: &'a Value| match value {
        Value::Array(items) => items.iter().collect(),
        one => vec![one],
    };
    let all = values.into_iter().flat_map(each);
    all.filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

/// A command line: a text as it is, a list of words quoted as a shell would need it.
fn command_line(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(words) => {
            let words = words.iter().map(|word| match word {
                Value::String(word) => shell_word(word),
                other => other.to_string(),
            });
            words.collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}
