//! The clients whose configuration we know: where it lies, and how a server is written down there. Data,
//! and nothing that reads or writes.
//!
//! Sources: the documentation of each client as of November 2026.

use super::server::Server;
use crate::cli::scope::Scope;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// A client of MCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ClientName {
    /// Claude Code.
    ClaudeCode,
    /// Codex.
    Codex,
    /// Cursor.
    Cursor,
    /// Zed.
    Zed,
    /// opencode.
    Opencode,
    /// Visual Studio Code.
    #[value(name = "vscode")]
    VsCode,
}

/// The language of a file of configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON, with comments where the client allows them.
    Json,
    Toml,
}

/// One way in which a client writes servers down.
pub(super) struct Shape {
    /// The keys that lead to the object with a server for each name.
    pub keys: &'static [&'static str],
    /// A server as it stands there.
    pub entry: fn(&Server) -> Value,
}

/// What is known of a client.
pub(super) struct Client {
    /// What people call it.
    pub title: &'static str,
    pub format: Format,
    /// The shape that is written, and after it those that are written where the file has them already.
    pub shapes: &'static [Shape],
    /// The names that its file may have in a project; the first is made where none is there.
    project: &'static [&'static str],
    /// The same for all projects.
    user: fn(&Environment<'_>) -> Option<Vec<PathBuf>>,
    /// What has to happen before the client sees the change.
    pub then: &'static str,
}

/// The folders that the environment names.
pub(super) struct Environment<'a>(pub &'a dyn Fn(&str) -> Option<PathBuf>);

impl Environment<'_> {
    /// A folder that is absolute; another would be another in every project.
    fn folder(&self, name: &str) -> Option<PathBuf> {
        (self.0)(name).filter(|path| path.is_absolute())
    }

    fn home(&self, below: &str) -> Option<PathBuf> {
        let home = self.folder("HOME").or_else(|| self.folder("USERPROFILE"))?;
        Some(home.join(below))
    }

    /// The folder for configuration by the rules of freedesktop.org.
    fn config(&self, below: &str) -> Option<PathBuf> {
        let config = self.folder("XDG_CONFIG_HOME").or_else(|| self.home(".config"))?;
        Some(config.join(below))
    }
}

impl Client {
    pub fn of(name: ClientName) -> &'static Self {
        match name {
            ClientName::ClaudeCode => &CLAUDE_CODE,
            ClientName::Codex => &CODEX,
            ClientName::Cursor => &CURSOR,
            ClientName::Zed => &ZED,
            ClientName::Opencode => &OPENCODE,
            ClientName::VsCode => &VS_CODE,
        }
    }

    /// Its file for a scope: one that is there, or the one to make. `None` where the environment names
    /// no home.
    pub fn file(
        &self,
        scope: Scope,
        project: &Path,
        environment: &Environment<'_>,
    ) -> Option<PathBuf> {
        let files = match scope {
            Scope::User => (self.user)(environment)?,
            Scope::Project => self.project.iter().map(|name| project.join(name)).collect(),
        };
        let there = files.iter().find(|file| file.symlink_metadata().is_ok());
        there.or(files.first()).cloned()
    }
}

const CLAUDE_CODE: Client = Client {
    title: "Claude Code",
    format: Format::Json,
    shapes: &[Shape { keys: &["mcpServers"], entry: with_type }],
    project: &[".mcp.json"],
    user: |environment| {
        let own = environment.folder("CLAUDE_CONFIG_DIR").map(|own| own.join(".claude.json"));
        Some(vec![own.or_else(|| environment.home(".claude.json"))?])
    },
    then: "start Claude Code anew, and look at `/mcp` there",
};

const CODEX: Client = Client {
    title: "Codex",
    format: Format::Toml,
    shapes: &[Shape { keys: &["mcp_servers"], entry: plain }],
    // Codex reads it in projects that it trusts.
    project: &[".codex/config.toml"],
    user: |environment| {
        let own = environment.folder("CODEX_HOME").map(|own| own.join("config.toml"));
        Some(vec![own.or_else(|| environment.home(".codex/config.toml"))?])
    },
    then: "start Codex anew, and look at `/mcp` there",
};

const CURSOR: Client = Client {
    title: "Cursor",
    format: Format::Json,
    shapes: &[Shape { keys: &["mcpServers"], entry: with_type }],
    project: &[".cursor/mcp.json"],
    user: |environment| Some(vec![environment.home(".cursor/mcp.json")?]),
    then: "switch the server on in Cursor's settings, under MCP",
};

const ZED: Client = Client {
    title: "Zed",
    format: Format::Json,
    shapes: &[Shape { keys: &["context_servers"], entry: plain }],
    project: &[".zed/settings.json"],
    user: |environment| {
        let file = match cfg!(windows) {
            true => environment.folder("APPDATA")?.join("Zed/settings.json"),
            false if cfg!(target_os = "macos") => environment.home(".config/zed/settings.json")?,
            false => environment.config("zed/settings.json")?,
        };
        Some(vec![file])
    },
    then: "Zed starts it by itself; its dot in the agent's settings turns green",
};

const OPENCODE: Client = Client {
    title: "opencode",
    format: Format::Json,
    shapes: &[
        // Of version 1, and read by version 2 as well.
        Shape {
            keys: &["mcp"],
            entry: |server| in_one_list(server, &[("enabled", Value::Bool(true))]),
        },
        Shape { keys: &["mcp", "servers"], entry: |server| in_one_list(server, &[]) },
    ],
    project: &["opencode.json", "opencode.jsonc"],
    user: |environment| {
        let folder = environment.config("opencode")?;
        Some(["opencode.json", "opencode.jsonc"].map(|name| folder.join(name)).into())
    },
    then: "start opencode anew",
};

const VS_CODE: Client = Client {
    title: "Visual Studio Code",
    format: Format::Json,
    shapes: &[Shape { keys: &["servers"], entry: with_type }],
    project: &[".vscode/mcp.json"],
    user: |environment| {
        let file = match cfg!(windows) {
            true => environment.folder("APPDATA")?.join("Code/User/mcp.json"),
            false if cfg!(target_os = "macos") => {
                environment.home("Library/Application Support/Code/User/mcp.json")?
            }
            false => environment.config("Code/User/mcp.json")?,
        };
        Some(vec![file])
    },
    then: "press `Start` above the server's name in that file",
};

/// `command`, `args`, and `env` where there is something to set.
fn plain(server: &Server) -> Value {
    let mut entry = Map::new();
    entry.insert("command".into(), json!(server.command));
    entry.insert("args".into(), json!(server.arguments));
    add_variables(&mut entry, "env", server);
    Value::Object(entry)
}

/// The same with the transport before it.
fn with_type(server: &Server) -> Value {
    let Value::Object(rest) = plain(server) else { return Value::Null };
    let mut entry = Map::new();
    entry.insert("type".into(), json!("stdio"));
    entry.extend(rest);
    Value::Object(entry)
}

/// Program and arguments in one list.
fn in_one_list(server: &Server, more: &[(&str, Value)]) -> Value {
    let mut entry = Map::new();
    entry.insert("type".into(), json!("local"));
    let words: Vec<_> = std::iter::once(&server.command).chain(&server.arguments).collect();
    entry.insert("command".into(), json!(words));
    for (key, value) in more {
        entry.insert((*key).to_owned(), value.clone());
    }
    add_variables(&mut entry, "environment", server);
    Value::Object(entry)
}

fn add_variables(entry: &mut Map<String, Value>, key: &str, server: &Server) {
    if !server.variables.is_empty() {
        let variables = server.variables.iter().map(|(name, value)| (name.clone(), json!(value)));
        entry.insert(key.to_owned(), Value::Object(variables.collect()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_lies_where_its_client_looks() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = folder.path().join("home");
        let variable = |set: &[(&str, &str)], name: &str| {
            let set = set.iter().find(|(known, _)| *known == name);
            set.map(|(_, value)| home.join(value))
        };
        let file = |client, scope, set: &[(&str, &str)]| {
            let variable = |name: &str| variable(set, name);
            let file = Client::of(client).file(scope, Path::new("/p"), &Environment(&variable));
            let file = file.expect("a home is named");
            file.strip_prefix(&home).map(Path::to_owned).unwrap_or(file).display().to_string()
        };
        let at_home = [("HOME", "")];
        for (client, user, project) in [
            (ClientName::ClaudeCode, ".claude.json", "/p/.mcp.json"),
            (ClientName::Codex, ".codex/config.toml", "/p/.codex/config.toml"),
            (ClientName::Cursor, ".cursor/mcp.json", "/p/.cursor/mcp.json"),
            (ClientName::Opencode, ".config/opencode/opencode.json", "/p/opencode.json"),
        ] {
            assert_eq!(file(client, Scope::User, &at_home), user);
            assert_eq!(file(client, Scope::Project, &at_home), project);
        }
        if cfg!(target_os = "linux") {
            assert_eq!(file(ClientName::Zed, Scope::User, &at_home), ".config/zed/settings.json");
            let xdg = [("HOME", ""), ("XDG_CONFIG_HOME", "x")];
            assert_eq!(file(ClientName::VsCode, Scope::User, &xdg), "x/Code/User/mcp.json");
        }
        let own = [("HOME", ""), ("CODEX_HOME", "c"), ("CLAUDE_CONFIG_DIR", "d")];
        assert_eq!(file(ClientName::Codex, Scope::User, &own), "c/config.toml");
        assert_eq!(file(ClientName::ClaudeCode, Scope::User, &own), "d/.claude.json");
        let nowhere = Client::of(ClientName::Zed).file(
            Scope::User,
            Path::new("/p"),
            &Environment(&|_| Some(PathBuf::from("relative"))),
        );
        assert_eq!(nowhere, None);
    }
}
