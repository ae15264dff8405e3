//! `peasy hook`: asks hooks about an event of another agent, and writes into an agent's configuration that
//! it does so.

mod event;
mod file;
mod install;

pub use event::answer;
pub(super) use install::asked;

use super::Exit;
use super::output::Output;
use crate::agent_hook::Agent;
use crate::diagnostic::Diagnostic;
use clap::builder::PossibleValue;
use clap::{Args, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Asks hooks about an event of another agent.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
An agent starts this at its own hooks and writes the event to standard input, as JSON; the answer
goes to standard output in the agent's form. Hooks are those of the project and your own, or those
of the features that are named.

Examples:
  peasy hook install claude-code --dry-run            show what would be written
  peasy hook install codex                            for all your projects
  peasy hook install gemini guard.rhai --project      one feature, for this project
  peasy hook uninstall codex
  peasy hook < event.json                             what an agent would be answered"
)]
pub struct HookArguments {
    #[command(subcommand)]
    command: Option<HookCommand>,
    #[command(flatten)]
    event: EventArguments,
}

#[derive(Debug, Subcommand)]
enum HookCommand {
    /// Have an agent ask hooks at its events.
    Install(install::InstallArguments),
    /// Have it do so no longer.
    Uninstall(install::UninstallArguments),
}

/// Whose event it is, and whose hooks are asked.
#[derive(Debug, Args)]
pub struct EventArguments {
    /// Which agent tells of the event; without it the event's form tells.
    #[arg(value_enum)]
    agent: Option<Agent>,
    /// The features to ask; without them those of the project and your own.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

impl EventArguments {
    /// The arguments of a plain `peasy hook [AGENT] [PATH]…`; `None` for whatever else was typed.
    pub fn plain(words: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut words = words.into_iter().skip(1);
        if words.next()? != "hook" {
            return None;
        }
        let agent = match words.next() {
            Some(word) => Some(Agent::by_name(word.to_str()?)?),
            None => None,
        };
        let paths: Vec<PathBuf> = words.map(PathBuf::from).collect();
        let is_flag = |path: &PathBuf| path.as_os_str().as_encoded_bytes().starts_with(b"-");
        (!paths.iter().any(is_flag)).then_some(Self { agent, paths })
    }
}

impl ValueEnum for Agent {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// Answers an event, installs or uninstalls.
///
/// # Errors
///
/// A file cannot be read, understood or written.
pub fn run(arguments: &HookArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    match &arguments.command {
        None => answer(&arguments.event, output),
        Some(HookCommand::Install(arguments)) => install::install(arguments, output),
        Some(HookCommand::Uninstall(arguments)) => install::uninstall(arguments, output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_words_go_past_the_reading_of_commands() {
        let plain = |words: &[&str]| {
            let event = EventArguments::plain(words.iter().map(OsString::from))?;
            Some((event.agent, event.paths.len()))
        };
        assert_eq!(plain(&["peasy", "hook"]), Some((None, 0)));
        assert_eq!(plain(&["peasy", "hook", "codex"]), Some((Some(Agent::Codex), 0)));
        assert_eq!(plain(&["peasy", "hook", "gemini", "a", "b"]), Some((Some(Agent::Gemini), 2)));
        for words in [
            &["peasy"][..],
            &["peasy", "list"],
            &["peasy", "-v", "hook"],
            &["peasy", "hook", "--help"],
            &["peasy", "hook", "install", "codex"],
            &["peasy", "hook", "codex", "--help"],
        ] {
            assert_eq!(plain(words), None, "{words:?}");
        }
    }
}
