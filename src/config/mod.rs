//! Where peasy keeps what lasts: the user's configuration, and the state of features and sessions.
//!
//! Policy lives with the user, never in a project, so every folder here is absolute and the user's.

pub mod chat;
pub mod known;
pub mod permission;
pub mod policy;
pub mod server;
pub mod settings;
pub mod token;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What keeps a text from being TOML, in one line: ``line 4, column 11: unclosed array table, expected `]` ``.
fn toml_problem(text: &str, error: &toml_edit::TomlError) -> String {
    let message = error.message().trim().replace('\n', ", ");
    let Some(span) = error.span() else { return message };
    let before = text.get(..span.start).unwrap_or(text);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {}, column {column}: {message}", line_of(text, span.start))
}

/// The line of a place in a text, from 1.
fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// The folders of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Configuration, policy and the user's own features: `PEASY_HOME`, or `peasy` below
    /// `XDG_CONFIG_HOME`, or `~/.config/peasy`.
    pub config: PathBuf,
    /// Stores and sessions: `PEASY_STATE`, or `state` below `PEASY_HOME`, or `peasy` below
    /// `XDG_STATE_HOME`, or `~/.local/state/peasy`.
    pub state: PathBuf,
    /// What can be made anew at any time: `cache` below `PEASY_HOME`, or `peasy` below
    /// `XDG_CACHE_HOME`, or `~/.cache/peasy`; `None` where the environment names none.
    pub cache: Option<PathBuf>,
}

impl Folders {
    /// The folders of this process's user; `None` where the environment names none.
    pub fn of_user() -> Option<Self> {
        Self::from_environment(|name| std::env::var_os(name))
    }

    /// As [`Self::of_user`], from any environment. A folder that is not absolute does not count.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let folder =
            |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let below = |name: &str, rest: &str| folder(name).map(|path| path.join(rest));
        let home = folder("PEASY_HOME");
        let config = home
            .clone()
            .or_else(|| below("XDG_CONFIG_HOME", "peasy"))
            .or_else(|| below("HOME", ".config/peasy"))?;
        let state = folder("PEASY_STATE")
            .or_else(|| home.as_ref().map(|home| home.join("state")))
            .or_else(|| below("XDG_STATE_HOME", "peasy"))
            .or_else(|| below("HOME", ".local/state/peasy"))?;
        let cache = home
            .map(|home| home.join("cache"))
            .or_else(|| below("XDG_CACHE_HOME", "peasy"))
            .or_else(|| below("HOME", ".cache/peasy"));
        Some(Self { config, state, cache })
    }

    /// Every folder that some environment of this user's would name: those of another are peasy's own
    /// as well.
    pub fn all_of_user() -> Vec<PathBuf> {
        Self::all_from_environment(|name| std::env::var_os(name))
    }

    /// As [`Self::all_of_user`], from any environment.
    pub fn all_from_environment(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
        let rules = [
            ("PEASY_HOME", ""),
            ("PEASY_STATE", ""),
            ("XDG_CONFIG_HOME", "peasy"),
            ("XDG_STATE_HOME", "peasy"),
            ("XDG_CACHE_HOME", "peasy"),
            ("HOME", ".config/peasy"),
            ("HOME", ".local/state/peasy"),
            ("HOME", ".cache/peasy"),
        ];
        let folders = rules.into_iter().filter_map(|(name, rest)| {
            Some(PathBuf::from(variable(name)?).iter().chain(Path::new(rest)).collect::<PathBuf>())
        });
        folders.filter(|folder| folder.is_absolute()).collect()
    }

    /// The folder of the user's own features.
    pub fn features(&self) -> PathBuf {
        self.config.join("features")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(set: &[(&str, &str)]) -> Option<[String; 3]> {
        let variable = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        let folders = Folders::from_environment(variable)?;
        let all = [folders.config, folders.state, folders.cache.unwrap_or_default()];
        Some(all.map(|folder| folder.display().to_string()))
    }

    #[test]
    fn the_nearest_variable_names_a_folder() {
        let [config, state, cache] =
            ["/h/.config/peasy", "/h/.local/state/peasy", "/h/.cache/peasy"];
        for (set, expected) in [
            (&[("HOME", "/h")][..], [config, state, cache]),
            (&[("HOME", "/h"), ("PEASY_HOME", "/p")], ["/p", "/p/state", "/p/cache"]),
            (&[("PEASY_HOME", "/p"), ("PEASY_STATE", "/s")], ["/p", "/s", "/p/cache"]),
            (&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")], ["/c/peasy", state, cache]),
            (&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")], [config, "/s/peasy", cache]),
            (&[("HOME", "/h"), ("XDG_CACHE_HOME", "/k")], [config, state, "/k/peasy"]),
            (&[("HOME", "/h"), ("PEASY_HOME", "p")], [config, state, cache]),
        ] {
            assert_eq!(folders(set), Some(expected.map(str::to_owned)), "{set:?}");
        }
        assert_eq!(folders(&[("HOME", "relative")]), None);
    }
}
