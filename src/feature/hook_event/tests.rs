//! That calls of every agent become the same events.

use super::*;
use crate::feature::hook::HookPoint;
use crate::feature::testing::tool;

fn shown(event: &ToolEvent) -> String {
    let mut text = event.kind.name().to_owned();
    if let Some(command) = &event.command {
        text += &format!(" command={command}");
    }
    if let Some(paths) = &event.paths {
        text += &format!(" paths={}", paths.join(","));
    }
    if let Some(url) = &event.url {
        text += &format!(" url={url}");
    }
    text
}

fn told(tool: &str, input: Value) -> Value {
    json!({ "tool_name": tool, "tool_input": input, "cwd": "/work", "hook_event_name": "x" })
}

#[test]
fn the_tools_of_claude_code_have_one_view() {
    for (tool, input, expected) in [
        ("Bash", json!({ "command": "ls", "timeout": 1 }), "shell command=ls"),
        ("Bash", json!({}), "shell command="),
        ("PowerShell", json!({ "command": "dir" }), "shell command=dir"),
        ("Read", json!({ "file_path": "/a" }), "file paths=/a"),
        ("Write", json!({ "file_path": "/a", "content": "" }), "file paths=/a"),
        ("MultiEdit", json!({ "file_path": "/a" }), "file paths=/a"),
        ("NotebookEdit", json!({ "notebook_path": "/a.ipynb" }), "file paths=/a.ipynb"),
        ("Glob", json!({ "pattern": "**" }), "file paths=/work"),
        ("Grep", json!({ "pattern": "x", "path": "src" }), "file paths=src"),
        (
            "WebFetch",
            json!({ "url": "https://a.example", "prompt": "x" }),
            "fetch url=https://a.example",
        ),
        ("WebSearch", json!({ "query": "x" }), "other"),
        ("Agent", json!({ "prompt": "x" }), "other"),
        ("mcp__disk__read", json!({ "path": "/a" }), "mcp"),
    ] {
        let event = ToolEvent::of_claude_code(&told(tool, input)).expect("a call");
        assert_eq!(shown(&event), expected, "{tool}");
        assert_eq!(event.tool, tool);
    }
}

#[test]
fn the_tools_of_codex_have_one_view() {
    let patch = "*** Begin Patch\n*** Update File: src/a.rs\n*** Move to: src/b.rs\n@@\n-x\n+*** Add File: no\n\
                 *** Add File: new file.txt\n+x\n*** Delete File: old\n*** End Patch";
    for (tool, input, expected) in [
        ("Bash", json!({ "command": "ls -l" }), "shell command=ls -l"),
        ("shell", json!({ "command": ["bash", "-lc", "rm -rf ~"] }), "shell command=rm -rf ~"),
        ("shell", json!({ "command": ["rm", "a b"] }), "shell command=rm 'a b'"),
        ("exec_command", json!({ "cmd": "ls" }), "shell command=ls"),
        (
            "apply_patch",
            json!({ "command": patch }),
            "file paths=src/a.rs,src/b.rs,new file.txt,old",
        ),
        ("apply_patch", json!({ "command": "nonsense" }), "file paths=/work"),
        ("view_image", json!({ "path": "a.png" }), "file paths=a.png"),
        ("mcp__memory__search", json!({}), "mcp"),
        ("update_plan", json!({}), "other"),
    ] {
        let event = ToolEvent::of_codex(&told(tool, input)).expect("a call");
        assert_eq!(shown(&event), expected, "{tool}");
    }
}

#[test]
fn the_tools_of_gemini_cli_have_one_view() {
    for (tool, input, expected) in [
        ("run_shell_command", json!({ "command": "ls", "dir_path": "x" }), "shell command=ls"),
        ("read_file", json!({ "file_path": "a" }), "file paths=a"),
        ("read_file", json!({ "absolute_path": "/a" }), "file paths=/a"),
        ("write_file", json!({ "file_path": "a", "content": "" }), "file paths=a"),
        ("replace", json!({ "file_path": "a" }), "file paths=a"),
        ("list_directory", json!({ "dir_path": "src" }), "file paths=src"),
        ("glob", json!({ "pattern": "*" }), "file paths=/work"),
        ("grep_search", json!({ "pattern": "x", "dir_path": "src" }), "file paths=src"),
        ("read_many_files", json!({ "include": ["a", "b/**"] }), "file paths=a,b/**"),
        (
            "web_fetch",
            json!({ "prompt": "Compare (https://a.example/x?y=1), and <http://b.example>." }),
            "fetch url=https://a.example/x?y=1 http://b.example",
        ),
        ("google_web_search", json!({ "query": "x" }), "other"),
        ("mcp_disk_read", json!({}), "mcp"),
        ("save_memory", json!({ "fact": "x" }), "other"),
    ] {
        let event = ToolEvent::of_gemini(&told(tool, input)).expect("a call");
        assert_eq!(shown(&event), expected, "{tool}");
    }
}

#[test]
fn what_names_no_tool_is_no_call() {
    for call in [json!(null), json!([]), json!({}), json!({ "tool_name": 1 })] {
        assert!(ToolEvent::of_claude_code(&call).is_err(), "{call}");
    }
    let error = ToolEvent::of_codex(&json!({ "tool_name": "Bash", "tool_input": [] }));
    let diagnostic = error.expect_err("no object").diagnostic();
    assert_eq!(diagnostic.code, "hook/event");
    let bare = ToolEvent::of_gemini(&json!({ "tool_name": "x" })).expect("without arguments");
    assert_eq!(bare.to_value(), json!({ "kind": "other", "tool": "x", "args": {} }));
}

#[test]
fn our_own_tools_say_what_they_are_about() {
    let args = json!({ "program": "git", "arguments": ["commit", "-m", "a b"], "path": "a", "more": ["b"], "url": "u" });
    let Value::Object(args) = args else { panic!("an object") };
    let event = |shape: Option<EventShape>, runtime| {
        let mut tool = tool("t");
        tool.event = shape;
        let event = ToolEvent::of_tool(&tool, runtime, &args);
        assert_eq!(event.kind, ToolEvent::kind_of(&tool, runtime));
        shown(&event)
    };
    use FeatureRuntimeKind::{Builtin, McpBridge, Script};
    assert_eq!(event(None, Script), "other");
    assert_eq!(event(None, McpBridge), "mcp");
    let shell = EventShape::shell(["program", "arguments"]);
    assert_eq!(event(Some(shell), Builtin), "shell command=git commit -m 'a b'");
    assert_eq!(event(Some(EventShape::file(["path", "more"])), Builtin), "file paths=a,b");
    assert_eq!(event(Some(EventShape::fetch("url")), Builtin), "fetch url=u");
    assert_eq!(event(Some(EventShape::fetch("none")), Builtin), "fetch");
}

#[test]
fn events_have_the_fields_that_their_point_lists() {
    let shown = |point: HookPoint| {
        let fields = point.fields().iter().map(|field| format!("{}: {}", field.name, field.kind));
        fields.collect::<Vec<_>>().join(", ")
    };
    let before = "kind: string, tool: string, args: map<string, any>, command: string, \
                  paths: string[], url: string";
    assert_eq!(shown(HookPoint::PreToolCall), before);
    assert_eq!(shown(HookPoint::PostToolCall), format!("{before}, result: any"));
    let mut tool_event = ToolEvent::new(EventKind::Shell, "t", Map::new());
    (tool_event.command, tool_event.paths) = (Some("c".into()), Some(vec!["p".into()]));
    (tool_event.url, tool_event.result) = (Some("u".into()), Some(json!(1)));
    let call = AgentCall { tool: "t".into(), args: Map::new() };
    let post = PostAssistant { model: "m".into(), text: "x".into(), tool_calls: vec![call] };
    for (point, event) in [
        (HookPoint::PreRequest, PreRequest::default().to_value()),
        (HookPoint::PostAssistant, post.to_value()),
        (HookPoint::PostToolCall, tool_event.to_value()),
        (HookPoint::TurnEnd, TurnEnd::default().to_value()),
    ] {
        let mut fields: Vec<_> = point.fields().iter().map(|field| field.name).collect();
        let Value::Object(given) = &event else { panic!("an object") };
        let mut names: Vec<_> = given.keys().map(String::as_str).collect();
        fields.sort_unstable();
        names.sort_unstable();
        assert_eq!(names, fields, "{point}");
        assert!(point.examine(&event).expect("it fits").notes.is_empty(), "{point}");
    }
}

#[test]
fn an_event_that_a_person_wrote_is_held_against_the_fields() {
    let point = HookPoint::PreToolCall;
    let notes = |event: Value| {
        let examined = point.examine(&event).expect("it may be shown");
        examined.notes.iter().map(|note| note.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(notes(json!({ "kind": "shell", "command": "ls" })), [""; 0]);
    assert_eq!(
        notes(json!({ "kind": "shell" })),
        ["an event of kind `shell` has `command`, and this one does not"]
    );
    assert_eq!(notes(json!({ "cmd": "ls" })), ["an event of `pre_tool_call` has no field `cmd`"]);
    let refused = |event: Value| point.examine(&event).expect_err("it is refused").code.to_string();
    assert_eq!(refused(json!({ "kind": "shel" })), "cli/usage");
    assert_eq!(refused(json!({ "paths": "a" })), "arguments/type");
}
