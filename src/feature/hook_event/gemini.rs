//! The tools of Gemini CLI, as events.
//!
//! Source: `packages/core/src/tools/definitions` and `docs/hooks/reference.md` of `google-gemini/gemini-cli`,
//! as of November 2026, with the names that earlier versions gave to arguments.

use super::{Told, ToolEvent};
use crate::feature::hook::EventKind;

/// The tool that is called, in the one view.
pub(super) fn event(told: Told) -> ToolEvent {
    let paths = match told.event.tool.as_str() {
        "run_shell_command" => {
            let command = told.text("command");
            return told.event.shell(command);
        }
        "web_fetch" => {
            // The pages stand in the prompt, up to twenty of them.
            let url = told
                .text("url")
                .unwrap_or_else(|| addresses(&told.text("prompt").unwrap_or_default()).join(" "));
            return told.event.fetch(url);
        }
        "read_file" | "write_file" | "replace" => {
            told.paths(&["file_path", "absolute_path", "path"])
        }
        "list_directory" | "glob" | "grep_search" | "search_file_content" => {
            told.paths(&["dir_path", "path"])
        }
        "read_many_files" => told.paths(&["include", "paths"]),
        name if name.starts_with("mcp_") => {
            return ToolEvent { kind: EventKind::Mcp, ..told.event };
        }
        _ => return told.event,
    };
    told.event.file(paths)
}

/// The addresses in a text: words that hold `://`, from their scheme on, without the marks around them.
fn addresses(text: &str) -> Vec<String> {
    let words = text.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"' | '\''));
    let address = |word: &str| {
        let scheme = word.find("://")?;
        let begin = word[..scheme]
            .rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.')))
            .map_or(0, |at| at + word[at..].chars().next().map_or(1, char::len_utf8));
        let whole = &word[begin..];
        Some(whole.trim_end_matches([',', ';', ')', ']', '.', '!', '?']).to_owned())
    };
    words.filter_map(address).collect()
}
