//! `event`: ready-made events for the tests of hooks, as agents send them.
//!
//! The tables of each agent's tools are those by which its hooks are told of calls. Outside of tests
//! every function refuses.

use super::ModuleBuilder;
use crate::feature::hook::EventKind;
use crate::feature::hook_event::{EventError, PostAssistant, PreRequest, ToolEvent, TurnEnd};
use crate::script::frame::{self, Native, Role, error};
use crate::script::value::{self, Budget};
use rhai::{Dynamic, ImmutableString, Map, Module, Shared};
use serde_json::{Map as Json, Value, json};

/// Most bytes of an event's parts as JSON.
const MOST: usize = 1 << 20;

/// The module, for the tests of everybody.
pub(crate) fn module() -> Shared<Module> {
    let mut builder = ModuleBuilder::new();
    builder.about(
        "Events for the tests of hooks, as agents send them. Every function is for functions with \
         `@test` alone. [What is in an event](../hooks.md#events).",
    );
    about_tools(&mut builder);
    of_agents(&mut builder);
    about_turns(&mut builder);
    builder.build()
}

fn about_tools(builder: &mut ModuleBuilder) {
    builder
        .docs(&["/// A shell runs a command.", "/// assert_denied(guard(event::shell(\"rm -rf ~\")))"])
        .function("shell", ["command: string", "map"], |command: ImmutableString| {
            let args = json!({ "command": command.as_str() });
            told(tool("shell", args, EventKind::Shell, |event| event.command = Some(command.into())))
        })
        .docs(&["/// A tool touches a file, or several.", "/// guard(event::file(\"server.pem\"))"])
        .function("file", ["path: string", "map"], |path: ImmutableString| file(vec![path.into()]))
        .function("file", ["paths: array", "map"], |paths: rhai::Array| {
            let texts = paths.into_iter().map(|path| {
                path.into_string().map_err(|kind| error(format!("a path is a text, not {kind}")))
            });
            file(texts.collect::<Native<Vec<_>>>()?)
        })
        .docs(&[
            "/// A tool fetches a page.",
            "/// guard(event::fetch(\"https://example.com\"))",
        ])
        .function("fetch", ["url: string", "map"], |url: ImmutableString| {
            let args = json!({ "url": url.as_str() });
            told(tool("fetch", args, EventKind::Fetch, |event| event.url = Some(url.into())))
        })
        .docs(&[
            "/// Any other tool is called; one whose name begins with `mcp_` belongs to an MCP server.",
            "/// guard(event::tool(\"send_mail\", #{ to: \"a@example.com\" }))",
        ])
        .function("tool", ["name: string", "args: map", "map"], |name: &str, args: Map| {
            let kind = if name.starts_with("mcp_") { EventKind::Mcp } else { EventKind::Other };
            told(ToolEvent::new(kind, name, plain(args)?).to_value())
        })
        .docs(&[
            "/// The event after a call, with what the tool gave.",
            "/// redact(event::after(event::shell(\"env\"), \"KEY=1\"))",
        ])
        .function("after", ["event: map", "result: any", "map"], |mut event: Map, result: Dynamic| {
            only_in_tests()?;
            event.insert("result".into(), result);
            Native::Ok(event)
        });
}

fn of_agents(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// What a hook is told when Claude Code calls one of its tools.",
            "/// guard(event::claude_code(\"Bash\", #{ command: \"rm -rf ~\" }))",
        ])
        .function("claude_code", ["tool: string", "input: map", "map"], |tool: &str, input: Map| {
            agent(ToolEvent::of_claude_code, tool, input)
        })
        .docs(&[
            "/// What a hook is told when Codex calls one of its tools.",
            "/// guard(event::codex(\"Bash\", #{ command: \"rm -rf ~\" }))",
        ])
        .function("codex", ["tool: string", "input: map", "map"], |tool: &str, input: Map| {
            agent(ToolEvent::of_codex, tool, input)
        })
        .docs(&[
            "/// What a hook is told when Gemini CLI calls one of its tools.",
            "/// guard(event::gemini(\"run_shell_command\", #{ command: \"rm -rf ~\" }))",
        ])
        .function("gemini", ["tool: string", "input: map", "map"], |tool: &str, input: Map| {
            agent(ToolEvent::of_gemini, tool, input)
        });
}

fn about_turns(builder: &mut ModuleBuilder) {
    builder
        .docs(&[
            "/// The event of `pre_request`, with what the user wrote last.",
            "/// night(event::pre_request(\"go on\"))",
        ])
        .function("pre_request", ["text: string", "map"], |text: &str| {
            let (model, text) = ("test-model".to_owned(), text.to_owned());
            told(PreRequest { model, text, messages: 1, request: 1, ..PreRequest::default() }.to_value())
        })
        .docs(&[
            "/// The event of `post_assistant`, with the model's text.",
            "/// listen(event::post_assistant(\"done\"))",
        ])
        .function("post_assistant", ["text: string", "map"], |text: &str| {
            let (model, text) = ("test-model".to_owned(), text.to_owned());
            told(PostAssistant { model, text, ..PostAssistant::default() }.to_value())
        })
        .docs(&[
            "/// The event of `turn_end`, with the last text of the model, and how often hooks made the turn go on \
             already: 0 where that is left out.",
            "/// tests_pass(event::turn_end(\"done\", 1))",
        ])
        .function("turn_end", ["text: string", "map"], |text: &str| turn_end(text, 0))
        .function("turn_end", ["text: string", "again: int", "map"], turn_end);
}

fn turn_end(text: &str, again: i64) -> Native<Dynamic> {
    let again = u64::try_from(again).unwrap_or(0);
    told(TurnEnd { text: text.to_owned(), turns: 1, again }.to_value())
}

fn only_in_tests() -> Native {
    match frame::with(|frame| Ok(frame.role()))? {
        Role::Test => Ok(()),
        Role::Tool | Role::Hook => {
            Err(error("the functions of `event` are for functions with `@test` alone"))
        }
    }
}

/// An event as a script value.
fn told(event: Value) -> Native<Dynamic> {
    only_in_tests()?;
    value::from_json(&event)
}

fn tool(name: &str, args: Value, kind: EventKind, more: impl FnOnce(&mut ToolEvent)) -> Value {
    let args = args.as_object().cloned().unwrap_or_default();
    let mut event = ToolEvent::new(kind, name, args);
    more(&mut event);
    event.to_value()
}

fn file(paths: Vec<String>) -> Native<Dynamic> {
    let args = json!({ "paths": paths });
    told(tool("file", args, EventKind::File, |event| event.paths = Some(paths)))
}

fn agent(
    read: fn(&Value) -> Result<ToolEvent, EventError>,
    tool: &str,
    input: Map,
) -> Native<Dynamic> {
    only_in_tests()?;
    let call = json!({ "tool_name": tool, "tool_input": plain(input)?, "cwd": "/work" });
    let event = read(&call).map_err(|reason| error(reason.to_string()))?;
    told(event.to_value())
}

/// A map of a script as JSON.
fn plain(map: Map) -> Native<Json<String, Value>> {
    let value = value::to_json(&Dynamic::from_map(map), Budget::of_bytes(MOST))
        .map_err(|reason| error(reason.to_string()))?;
    Ok(match value {
        Value::Object(map) => map,
        _ => Json::new(),
    })
}
