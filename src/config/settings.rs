//! What the user chose once for all commands: `config.toml` in the configuration folder.
//!
//! Flags of a command go before what stands here. What features may do is not chosen here but in the
//! [policy](super::policy).

use super::chat::ChatSettings;
use super::server::McpServer;
use crate::diagnostic::{Diagnostic, nearest};
use crate::limit::{Limit, Limits};
use crate::store::Durability;
use std::io;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item, Table};

/// The file below the configuration folder.
pub const FILE: &str = "config.toml";

/// Where calls of scripts run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// On threads of the host.
    #[default]
    Thread,
    /// In processes of their own, under a limit of memory.
    Process,
}

/// The settings of one user.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// When what is written has to be on the disk.
    pub durability: Durability,
    /// Where calls run.
    pub isolation: Isolation,
    /// The bounds of calls.
    pub limits: Limits,
    /// How the names of MCP clients begin that list tools once and never again; `None` where nobody
    /// chose.
    pub fixed_clients: Option<Vec<String>>,
    /// The servers whose tools are bridged, by name.
    pub servers: Vec<McpServer>,
    /// What holds for `peasy chat`.
    pub chat: ChatSettings,
}

/// Why the settings cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file system refused.
    #[error("the settings `{}` cannot be read: {reason}", file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// They are no settings.
    #[error("the settings `{}` cannot be understood: {problem}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong with them.
        problem: String,
    },
}

impl SettingsError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        let text = self.to_string();
        match self {
            Self::Io { .. } => Diagnostic::operator("config/unreadable", text)
                .help("check who owns the file and its folder"),
            Self::Malformed { .. } => Diagnostic::operator("config/settings", text)
                .help("mend it, or move it away to go on with the defaults"),
        }
    }
}

/// The keys of the file.
const KEYS: [&str; 6] = ["durability", "isolate", "limits", "fixed_clients", "mcp", "chat"];

impl Settings {
    /// Reads the settings below `folder`; where there are none, the defaults hold.
    ///
    /// # Errors
    ///
    /// The file cannot be read or understood.
    pub fn load(folder: &Path) -> Result<Self, SettingsError> {
        let file = folder.join(FILE);
        let text = read(&file)?;
        Self::parse(&text).map_err(|problem| SettingsError::Malformed { file, problem })
    }

    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let document: DocumentMut =
            text.parse().map_err(|error| super::toml_problem(text, &error))?;
        let mut settings = Self::default();
        for (key, item) in document.as_table() {
            match key {
                "durability" => {
                    let choices = [
                        ("always", Durability::Always),
                        ("group", Durability::Group),
                        ("never", Durability::Never),
                    ];
                    settings.durability = choice(key, item, &choices)?;
                }
                "isolate" => {
                    let choices = [("thread", Isolation::Thread), ("process", Isolation::Process)];
                    settings.isolation = choice(key, item, &choices)?;
                }
                "limits" => {
                    let table = item.as_table().ok_or("`limits` is no table; write `[limits]`")?;
                    limits(table, &mut settings.limits)?;
                }
                "fixed_clients" => settings.fixed_clients = Some(names(key, item)?),
                "mcp" => settings.servers = super::server::servers(item)?,
                "chat" => {
                    let table = item.as_table().ok_or("`chat` is no table; write `[chat]`")?;
                    settings.chat = super::chat::read(table)?;
                }
                other => return Err(unknown(other, &KEYS)),
            }
        }
        Ok(settings)
    }
}

/// The text of the file; none where there is no file.
pub(super) fn read(file: &Path) -> Result<String, SettingsError> {
    #[expect(clippy::disallowed_methods, reason = "reads the user's own settings")]
    match std::fs::read_to_string(file) {
        Err(reason) if reason.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(reason) => Err(SettingsError::Io { file: file.to_owned(), reason }),
        Ok(text) => Ok(text),
    }
}

fn choice<T: Copy>(key: &str, item: &Item, choices: &[(&str, T)]) -> Result<T, String> {
    let given = item.as_str();
    let found = choices.iter().find(|(name, _)| Some(*name) == given);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<_> = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect();
        format!("`{key}` is one of {}", names.join(", "))
    })
}

fn names(key: &str, item: &Item) -> Result<Vec<String>, String> {
    let names = item.as_array().and_then(|names| {
        names.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    });
    names.ok_or_else(|| format!("`{key}` is a list of texts, such as [\"codex\"]"))
}

fn limits(table: &Table, limits: &mut Limits) -> Result<(), String> {
    for (name, item) in table {
        let names: Vec<_> = Limit::all().map(Limit::name).collect();
        let limit = Limit::by_name(name).ok_or_else(|| unknown(name, &names))?;
        let text = item.as_integer().map(|number| number.to_string());
        let text = text.or_else(|| item.as_str().map(str::to_owned));
        let text = text.ok_or_else(|| {
            format!("`limits.{name}` is a whole number, or a text such as \"30s\" or \"64MiB\"")
        })?;
        let set = limit.parse_value(&text).and_then(|value| limits.set(limit, value));
        set.map_err(|error| error.to_string())?;
    }
    Ok(())
}

pub(super) fn unknown(given: &str, names: &[&str]) -> String {
    match nearest(given, names.iter().copied()) {
        Some(near) => format!("there is no setting `{given}`; did you mean `{near}`?"),
        None => format!("there is no setting `{given}`; there are: {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_people_write_them() {
        assert_eq!(Settings::parse(""), Ok(Settings::default()));
        let text = "# mine\ndurability = \"always\"\nisolate = \"process\"\nfixed_clients = [\"codex\"]\n[limits]\ntime = \"30s\"\noperations = 20_000_000\n";
        let settings = Settings::parse(text).expect("it is sound");
        assert_eq!(settings.durability, Durability::Always);
        assert_eq!(settings.isolation, Isolation::Process);
        assert_eq!(settings.fixed_clients, Some(vec!["codex".to_owned()]));
        assert_eq!(settings.limits.get(Limit::Time), 30_000);
        assert_eq!(settings.limits.get(Limit::Operations), 20_000_000);
    }

    #[test]
    fn what_cannot_be_chosen_is_told() {
        for (text, told) in [
            ("durabilty = \"group\"", "did you mean `durability`?"),
            ("durability = \"sometimes\"", "is one of \"always\", \"group\", \"never\""),
            ("durability = 1", "is one of"),
            ("isolate = true", "is one of \"thread\", \"process\""),
            ("limits = 3", "write `[limits]`"),
            ("[limits]\ntme = 3", "did you mean `time`?"),
            ("[limits]\ntime = 3.5", "a whole number"),
            ("[limits]\ntime = -3", "is not a value"),
            ("[limits]\ntime = 0", "cannot be 0"),
            ("[limits]\ntime = \"1000s\"", "above the ceiling"),
            ("fixed_clients = \"codex\"", "is a list of texts"),
            ("fixed_clients = [1]", "is a list of texts"),
            ("grants = []", "there are: durability, isolate, limits, fixed_clients, mcp, chat"),
            ("# one\nx = [1, oops]", "line 2, column 9: string values must be quoted"),
        ] {
            let problem = Settings::parse(text).expect_err(text);
            assert!(problem.contains(told), "{text}: {problem}");
        }
    }
}
