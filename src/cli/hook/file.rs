//! Where an agent keeps its hooks, and how one of ours stands there. Data and text; nothing that reads or
//! writes files.
//!
//! The files have one form in three agents: `hooks` holds a list for each event, of groups that each hold a
//! list of commands. What others put there stays to the letter.

use crate::agent_hook::{Agent, Happening};
use crate::cli::jsonc::{child, find, input, parse, written};
use crate::cli::program;
use crate::cli::scope::Scope;
use jsonc_parser::cst::{CstNode, CstObject};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The file of an agent; `None` where the environment names no home.
pub(super) fn place(agent: Agent, scope: Scope, project: &Path) -> Option<PathBuf> {
    let (variable, folder, user, of_project) = match agent {
        // The one of a project that is not shared: what is written holds on this machine.
        Agent::ClaudeCode => {
            ("CLAUDE_CONFIG_DIR", ".claude", "settings.json", ".claude/settings.local.json")
        }
        Agent::Codex => ("CODEX_HOME", ".codex", "hooks.json", ".codex/hooks.json"),
        Agent::Gemini => ("GEMINI_CONFIG_DIR", ".gemini", "settings.json", ".gemini/settings.json"),
    };
    match scope {
        Scope::User => Some(program::folder_of(variable, folder)?.join(user)),
        Scope::Project => Some(project.join(of_project)),
    }
}

/// What has to happen before the agent asks.
pub(super) fn then(agent: Agent) -> &'static str {
    match agent {
        Agent::ClaudeCode => "it is asked from now on; look at `/hooks` there",
        Agent::Codex => {
            "start Codex, open `/hooks` there and trust them; until then they do not run"
        }
        Agent::Gemini => "start Gemini CLI anew, and look at `/hooks panel` there",
    }
}

/// The events at which an agent is told to ask.
pub(super) fn events(agent: Agent) -> impl Iterator<Item = (&'static str, Happening)> {
    // A part of the agent that ends its work does not end a turn.
    agent.events().iter().copied().filter(|(name, _)| *name != "SubagentStop")
}

/// Seconds that an agent waits for an answer. Hooks have less, unless the user gave them more.
const PATIENCE: u64 = 60;

/// One of our hooks, as it stands in an agent's file.
pub(super) fn entry(agent: Agent, happening: Happening, command: &str) -> Value {
    let mut entry = json!({ "type": "command", "command": command });
    let Value::Object(fields) = &mut entry else { return entry };
    match agent {
        Agent::ClaudeCode => {
            fields.insert("timeout".to_owned(), PATIENCE.into());
            if happening == Happening::BeforeCall {
                // Without it, what cannot start or dies lets the call through.
                fields.insert("onFailure".to_owned(), "block".into());
            }
        }
        Agent::Codex => _ = fields.insert("timeout".to_owned(), PATIENCE.into()),
        Agent::Gemini => {
            fields.insert("name".to_owned(), "peasy".into());
            fields.insert("timeout".to_owned(), (PATIENCE * 1000).into());
        }
    }
    entry
}

/// Whether an entry is one of ours for an agent: it runs a program of the name `peasy`, with `hook` and the
/// agent's name.
fn is_ours(agent: Agent, entry: &Value) -> bool {
    let command = entry.get("command").and_then(Value::as_str).unwrap_or_default();
    let Some((before, _)) = command.split_once(&format!(" hook {}", agent.name())) else {
        return false;
    };
    let program = before.trim_end_matches(['\'', '"']);
    let name = program.rsplit(['/', '\\', ' ', '\'', '"']).next().unwrap_or_default();
    matches!(name, "peasy" | "peasy.exe")
}

/// The text of an agent's file in which ours stand at every event, and whether that changes it.
///
/// # Errors
///
/// What is wrong with the file.
pub(super) fn with(agent: Agent, text: &str, command: &str) -> Result<String, String> {
    let root = parse(text)?;
    let is_new = root.value().is_none();
    find(&root, &["hooks"])?;
    let hooks = root.object_value_or_set().object_value_or_set("hooks");
    for (event, happening) in events(agent) {
        let wanted = entry(agent, happening, command);
        let mut found = ours(agent, &hooks, event)?.into_iter();
        match found.next() {
            None => {
                let group = json!({ "hooks": [wanted] });
                hooks.array_value_or_set(event).append(input(&group));
            }
            Some(place) if place.entry.to_serde_value().as_ref() == Some(&wanted) => {}
            Some(place) => {
                if let Some(object) = place.entry.as_object() {
                    _ = object.replace_with(input(&wanted));
                }
            }
        }
        // One is enough; others are left over from an edit by hand.
        found.for_each(Place::remove);
    }
    Ok(written(&root, is_new))
}

/// The text without ours; `None` where there is none.
///
/// # Errors
///
/// What is wrong with the file.
pub(super) fn without(agent: Agent, text: &str) -> Result<Option<String>, String> {
    let root = parse(text)?;
    let Some(hooks) = find(&root, &["hooks"])? else { return Ok(None) };
    let mut is_changed = false;
    // Whatever an earlier version wrote is ours as well.
    for property in hooks.properties() {
        let Some(event) = property.decoded_name() else { continue };
        if property.array_value().is_none() {
            continue;
        }
        let found = ours(agent, &hooks, &event)?;
        if found.is_empty() {
            continue;
        }
        is_changed = true;
        found.into_iter().for_each(Place::remove);
        if property.array_value().is_some_and(|list| list.elements().is_empty()) {
            property.remove();
        }
    }
    if is_changed
        && hooks.properties().is_empty()
        && let Some(property) = child(&root.object_value_or_set(), "hooks")?
    {
        property.remove();
    }
    Ok(is_changed.then(|| written(&root, false)))
}

/// One of our entries, and the group that it stands in.
struct Place {
    group: CstObject,
    entry: CstNode,
}

impl Place {
    /// Takes the entry out, and its group where nothing else is in it.
    fn remove(self) {
        self.entry.remove();
        let is_empty =
            self.group.array_value("hooks").is_some_and(|list| list.elements().is_empty());
        if is_empty {
            self.group.remove();
        }
    }
}

/// Our entries at an event.
fn ours(agent: Agent, hooks: &CstObject, event: &str) -> Result<Vec<Place>, String> {
    let Some(property) = child(hooks, event)? else { return Ok(Vec::new()) };
    let groups = property.array_value().ok_or_else(|| format!("`{event}` in it is no list"))?;
    let mut found = Vec::new();
    for group in groups.elements() {
        let Some(group) = group.as_object() else { continue };
        let Some(entries) = group.array_value("hooks") else { continue };
        for entry in entries.elements() {
            if entry.to_serde_value().is_some_and(|value| is_ours(agent, &value)) {
                found.push(Place { group: group.clone(), entry });
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = "/opt/peasy hook claude-code";

    #[test]
    fn ours_comes_and_goes_and_the_rest_stays_to_the_letter() {
        for before in [
            "",
            "{}\n",
            "{\n  \"theme\": \"dark\"\n}\n",
            "// mine\n{\n    \"hooks\": {\n        \"PreToolUse\": [\n            { \"matcher\": \"Bash\", \"hooks\": \
             [{ \"type\": \"command\", \"command\": \"./own.sh\" }] }, // keep\n        ],\n    },\n}\n",
        ] {
            let agent = Agent::ClaudeCode;
            let after = with(agent, before, COMMAND).expect("it can be read");
            let value = parse(&after).expect("it is JSON").to_serde_value().expect("a value");
            for (event, happening) in events(agent) {
                let groups = value["hooks"][event].as_array().expect("a list");
                let last = &groups.last().expect("a group")["hooks"][0];
                assert_eq!(*last, entry(agent, happening, COMMAND), "{event}");
            }
            assert_eq!(with(agent, &after, COMMAND).as_ref(), Ok(&after), "twice is once");
            let moved =
                with(agent, &after, "'/a b/peasy' hook claude-code").expect("it can be read");
            assert!(!moved.contains("/opt/peasy") && moved.contains("/a b/peasy"), "{moved}");
            let back = without(agent, &moved).expect("it can be read").expect("ours was there");
            if before.contains("own.sh") {
                assert!(back.contains("./own.sh") && back.contains("// keep"), "{back}");
            }
            assert!(!back.contains("peasy"), "{back}");
            assert_eq!(without(agent, &back), Ok(None));
        }
    }

    #[test]
    fn only_ours_is_ours() {
        let ours = |command: &str| is_ours(Agent::Codex, &json!({ "command": command }));
        for command in [
            "peasy hook codex",
            "/opt/bin/peasy hook codex /a/guard.rhai",
            "'/a b/peasy' hook codex",
            "PEASY_HOME='/h' /opt/peasy hook codex",
            "C:\\bin\\peasy.exe hook codex",
        ] {
            assert!(ours(command), "{command}");
        }
        for command in ["peasy hook gemini", "notpeasy hook codex", "echo peasy", "peasy serve", ""]
        {
            assert!(!ours(command), "{command}");
        }
    }

    #[test]
    fn a_file_of_another_form_is_refused() {
        for text in [
            "[]",
            "{ \"hooks\": [] }",
            "{ \"hooks\": { \"PreToolUse\": {} } }",
            "{",
            "{ \"hooks\": {}, \"hooks\": {} }",
        ] {
            assert!(with(Agent::ClaudeCode, text, COMMAND).is_err(), "{text}");
        }
    }
}
