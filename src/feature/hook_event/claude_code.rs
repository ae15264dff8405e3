//! The tools of Claude Code, as events.
//!
//! Source: the tools reference and the hooks reference at `code.claude.com/docs`, as of November 2026.

use super::{Told, ToolEvent};
use crate::feature::hook::EventKind;

/// The tool that is called, in the one view.
pub(super) fn event(told: Told) -> ToolEvent {
    let paths = match told.event.tool.as_str() {
        "Bash" | "PowerShell" | "Monitor" => {
            let command = told.text("command");
            return told.event.shell(command);
        }
        "WebFetch" => {
            let url = told.text("url").unwrap_or_default();
            return told.event.fetch(url);
        }
        "Read" | "Write" | "Edit" | "MultiEdit" => told.paths(&["file_path"]),
        "NotebookEdit" | "NotebookRead" => told.paths(&["notebook_path"]),
        // Without a path they look in the folder that the agent works in.
        "Glob" | "Grep" | "LS" => told.paths(&["path"]),
        "LSP" => told.paths(&["filePath", "file_path"]),
        name if name.starts_with("mcp__") => {
            return ToolEvent { kind: EventKind::Mcp, ..told.event };
        }
        _ => return told.event,
    };
    told.event.file(paths)
}
