//! Two tools for clients that list tools once and never again: one that lists them anew, and one that
//! calls any of them.
//!
//! They are resolved before anything else looks at a call, so that checks, permissions, hooks and the
//! log see the tool that is meant.

use super::message::Parameters;
use super::message::text;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;

/// The tool that calls another.
pub(super) const CALL: &str = "peasy_call";
/// The tool that lists all others.
pub(super) const TOOLS: &str = "peasy_tools";

/// Which clients get the two tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FixedList {
    /// Those whose name begins with one of these, whatever the case of its letters.
    Clients(Vec<String>),
    /// All of them.
    Always,
    /// None.
    Never,
}

impl Default for FixedList {
    /// Codex, which lists tools when it starts.
    fn default() -> Self {
        Self::Clients(vec!["codex".to_owned()])
    }
}

impl FixedList {
    /// Whether a client of that name gets them. `client` is what it says of itself, as JSON.
    pub(super) fn covers(&self, client: Option<&RawValue>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Clients(names) => {
                #[derive(Deserialize)]
                struct Client<'a> {
                    #[serde(borrow)]
                    name: Cow<'a, str>,
                }
                let client = client.and_then(|client| serde_json::from_str(client.get()).ok());
                client.is_some_and(|Client { name }| {
                    let name = name.to_lowercase();
                    names.iter().any(|begin| name.starts_with(&begin.to_lowercase()))
                })
            }
        }
    }
}

/// The two tools, as clients list them: JSON, with a comma between them.
pub(super) fn listed() -> String {
    let tools = json!({
        "name": TOOLS,
        "description": "List the tools that there are now, with their schemas. Tools may have come or \
            changed since this session began; call those with `peasy_call`.",
        "inputSchema": { "type": "object", "properties": {}, "additionalProperties": false },
        "annotations": { "readOnlyHint": true },
    });
    let call = json!({
        "name": CALL,
        "description": "Call a tool that was not listed when this session began, or has changed since. \
            `peasy_tools` lists all of them with their schemas.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "tool": { "description": "The name of the tool.", "type": "string" },
                "arguments": {
                    "description": "The arguments of that tool.",
                    "type": "object",
                    "additionalProperties": true,
                },
            },
            "required": ["tool"],
            "additionalProperties": false,
        },
    });
    format!("{tools},{call}")
}

/// The tool and the arguments that are meant by a call of [`CALL`].
///
/// # Errors
///
/// The arguments name no tool: what is wrong with them.
pub(super) fn meant<'a>(
    parameters: &Parameters<'a>,
) -> Result<(Cow<'a, str>, Option<&'a RawValue>), String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Meant<'a> {
        #[serde(borrow)]
        tool: &'a RawValue,
        #[serde(borrow, default)]
        arguments: Option<&'a RawValue>,
    }
    let form = |reason: &str| {
        format!(
            "{reason}; write {}",
            json!({ "tool": "NAME", "arguments": Value::Object(Default::default()) })
        )
    };
    let raw = parameters.arguments.map_or("{}", RawValue::get);
    let meant: Meant<'a> = serde_json::from_str(raw)
        .map_err(|reason| form(&format!("`{CALL}` cannot take these arguments: {reason}")))?;
    let tool = text(meant.tool).ok_or_else(|| form("`tool` is no text"))?;
    Ok((tool, meant.arguments))
}
