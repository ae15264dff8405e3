//! What a client is told to start: this program, with paths that hold from any folder.

use crate::cli::program;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A command that serves features.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub command: String,
    pub arguments: Vec<String>,
    /// What the environment of the client may lack.
    pub variables: Vec<(String, String)>,
}

impl Server {
    /// This program, serving `paths`, which are absolute.
    ///
    /// # Errors
    ///
    /// The program's path or one of `paths` cannot be written down as text, or is not known.
    pub fn here(paths: &[PathBuf]) -> Result<Self, String> {
        let mut arguments = vec!["serve".to_owned()];
        for path in paths {
            arguments.push(program::text(path)?);
        }
        let (command, variables) = (program::path()?, program::variables());
        Ok(Self { command, arguments, variables })
    }
}

/// A server as some client has it written down.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(in crate::cli) struct Written {
    pub command: String,
    pub arguments: Vec<String>,
}

impl Written {
    /// Reads an entry of any client; `None` for one that starts no program.
    pub fn of(entry: &Value) -> Option<Self> {
        let words = |value: &Value| -> Vec<String> {
            let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
            list.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
        };
        match entry.get("command")? {
            Value::String(command) => {
                let arguments = entry.get("args").map(words).unwrap_or_default();
                Some(Self { command: command.clone(), arguments })
            }
            list => {
                let mut words = words(list).into_iter();
                Some(Self { command: words.next()?, arguments: words.collect() })
            }
        }
    }

    /// Whether it runs peasy.
    pub fn is_ours(&self) -> bool {
        let stem = Path::new(&self.command).file_stem();
        stem.is_some_and(|stem| stem == "peasy")
            && self.arguments.iter().any(|word| word == "serve")
    }

    /// What keeps it from starting, where that can be told from here.
    pub fn problem(&self) -> Option<String> {
        let command = Path::new(&self.command);
        if command.is_absolute() && !command.exists() {
            return Some(format!("there is no program `{}`", self.command));
        }
        let served = self.arguments.iter().skip_while(|word| *word != "serve").skip(1);
        let paths = served.filter(|word| Path::new(word).is_absolute());
        let gone = paths.into_iter().find(|path| !Path::new(path).exists())?;
        Some(format!("there is no `{gone}`, which it serves"))
    }

    /// What may keep it from starting: a name that is looked for where the client looks.
    pub fn doubt(&self) -> Option<String> {
        (!Path::new(&self.command).is_absolute()).then(|| {
            format!(
                "`{}` is looked for in the search path of the client, which may be another",
                self.command
            )
        })
    }

    /// The command as one would type it.
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.command).chain(&self.arguments);
        words.map(|word| crate::diagnostic::shell_word(word)).collect::<Vec<_>>().join(" ")
    }
}
