//! The tools of Codex, as events.
//!
//! Source: `codex-rs/hooks` and `codex-rs/core` of `openai/codex`, as of November 2026: whatever shell tool a
//! model has, its hooks are told of `Bash` with a `command`; an edit is `apply_patch` with the patch as its
//! `command`. The names that models know are read as well.

use super::{Told, ToolEvent, command_line};
use crate::feature::hook::EventKind;
use serde_json::Value;

/// The tool that is called, in the one view.
pub(super) fn event(told: Told) -> ToolEvent {
    let paths = match told.event.tool.as_str() {
        "Bash" | "shell" | "shell_command" | "local_shell" | "exec_command" | "unified_exec" => {
            let command = ["command", "cmd", "input"];
            let command = command.iter().find_map(|name| told.event.args.get(*name));
            let command = command.map(shell_command);
            return told.event.shell(command);
        }
        "apply_patch" | "Edit" | "Write" => {
            let patch = told.text("command").or_else(|| told.text("input")).unwrap_or_default();
            let paths = patched(&patch);
            // A patch that cannot be read may touch anything below the folder.
            if paths.is_empty() { told.paths(&["path", "file_path"]) } else { paths }
        }
        "view_image" | "read_file" | "list_dir" | "grep_files" => {
            told.paths(&["path", "file_path", "dir_path"])
        }
        name if name.starts_with("mcp__") => {
            return ToolEvent { kind: EventKind::Mcp, ..told.event };
        }
        _ => return told.event,
    };
    told.event.file(paths)
}

/// A command as a person would type it: what a list hands to a shell is what the shell runs.
fn shell_command(value: &Value) -> String {
    if let Value::Array(words) = value
        && let [_, Value::String(flag), Value::String(script)] = words.as_slice()
        && matches!(flag.as_str(), "-c" | "-lc" | "-Command")
    {
        return script.clone();
    }
    command_line(value)
}

/// The files that a patch names.
fn patched(patch: &str) -> Vec<String> {
    const HEADS: [&str; 4] =
        ["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];
    let named = patch.lines().filter_map(|line| {
        let line = line.trim_start();
        HEADS.iter().find_map(|head| line.strip_prefix(head))
    });
    named.map(|path| path.trim_end().to_owned()).collect()
}
