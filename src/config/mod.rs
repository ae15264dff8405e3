//! Where peasy keeps what lasts: the user's configuration, and the state of features and sessions.
//!
//! Policy lives with the user, never in a project, so every folder here is absolute and the user's.

pub mod known;
pub mod permission;
pub mod policy;
pub mod settings;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folders of one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// Configuration, policy and the user's own features: `PEASY_HOME`, or `peasy` below
    /// `XDG_CONFIG_HOME`, or `~/.config/peasy`.
    pub config: PathBuf,
    /// Stores and sessions: `PEASY_STATE`, or `state` below `PEASY_HOME`, or `peasy` below
    /// `XDG_STATE_HOME`, or `~/.local/state/peasy`.
    pub state: PathBuf,
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
            .or_else(|| home.map(|home| home.join("state")))
            .or_else(|| below("XDG_STATE_HOME", "peasy"))
            .or_else(|| below("HOME", ".local/state/peasy"))?;
        Some(Self { config, state })
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
            ("HOME", ".config/peasy"),
            ("HOME", ".local/state/peasy"),
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

    fn folders(set: &[(&str, &str)]) -> Option<[String; 2]> {
        let variable = |name: &str| {
            set.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        let folders = Folders::from_environment(variable)?;
        Some([folders.config.display().to_string(), folders.state.display().to_string()])
    }

    #[test]
    fn the_nearest_variable_names_a_folder() {
        for (set, config, state) in [
            (&[("HOME", "/h")][..], "/h/.config/peasy", "/h/.local/state/peasy"),
            (&[("HOME", "/h"), ("PEASY_HOME", "/p")], "/p", "/p/state"),
            (&[("PEASY_HOME", "/p"), ("PEASY_STATE", "/s")], "/p", "/s"),
            (&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/c")], "/c/peasy", "/h/.local/state/peasy"),
            (&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")], "/h/.config/peasy", "/s/peasy"),
            (&[("HOME", "/h"), ("PEASY_HOME", "p")], "/h/.config/peasy", "/h/.local/state/peasy"),
        ] {
            assert_eq!(folders(set), Some([config.to_owned(), state.to_owned()]), "{set:?}");
        }
        assert_eq!(folders(&[("HOME", "relative")]), None);
    }
}
