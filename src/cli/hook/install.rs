//! `peasy hook install` and `uninstall`: what an agent starts at its events is written into its
//! configuration, and taken out again.

use super::file;
use crate::agent_hook::Agent;
use crate::cli::output::{BOLD, DIM, GOOD, Output, paint, safe};
use crate::cli::policy::LimitArguments;
use crate::cli::replace::{read, replace};
use crate::cli::scope::{Scope, ScopeArguments};
use crate::cli::{Exit, program, usage, workspace};
use crate::diagnostic::{Diagnostic, Severity, shell_word};
use crate::script::runtime::is_project_root;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
struct PlaceArguments {
    /// Which agent.
    #[arg(value_enum)]
    agent: Agent,
    #[command(flatten)]
    scope: ScopeArguments,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What is written names this program by an absolute path, and asks the hooks of the project that the
agent works in and your own, or those of the features that are named. What else stands in the file
stays as it is, comments too.

Examples:
  peasy hook install claude-code --dry-run
  peasy hook install codex ~/guards/shell-guard.rhai")]
pub(super) struct InstallArguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// The features to ask; without them those of each project and your own.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct UninstallArguments {
    #[command(flatten)]
    place: PlaceArguments,
}

/// The file of an agent, and what stands in it.
struct Opened {
    agent: Agent,
    file: PathBuf,
    /// The text as it is on the disk; `None` where there is no file.
    text: Option<String>,
}

/// A byte order mark, which some editors of Windows write.
const MARK: char = '\u{feff}';

impl PlaceArguments {
    fn open(&self) -> Result<Opened, Box<Diagnostic>> {
        Opened::open(self.agent, self.scope.scope())
    }

    /// The flags that lead to the same file.
    fn words(&self) -> String {
        self.scope.words(self.agent.name())
    }
}

impl Opened {
    fn open(agent: Agent, scope: Scope) -> Result<Self, Box<Diagnostic>> {
        let here = std::env::current_dir()
            .map_err(|reason| usage(format!("the current folder cannot be found: {reason}")))?;
        let root = here.ancestors().find(|folder| is_project_root(folder)).unwrap_or(&here);
        let file = file::place(agent, scope, root).ok_or_else(|| {
            let message = "there is no home folder to find the agent's configuration in";
            Diagnostic::operator("config/no-home", message).help("set `HOME` to an absolute path")
        })?;
        let text = read(&file).map_err(|reason| {
            let message = format!("`{}` cannot be read: {reason}", file.display());
            Diagnostic::operator("config/unreadable", message)
                .help("check who owns the file and its folder")
        })?;
        Ok(Self { agent, file, text })
    }

    fn text(&self) -> &str {
        let text = self.text.as_deref().unwrap_or_default();
        text.strip_prefix(MARK).unwrap_or(text)
    }

    fn name(&self) -> String {
        safe(&self.file.display().to_string())
    }

    fn malformed(&self, why: &str) -> Diagnostic {
        let message = format!("`{}` cannot be understood: {why}", self.file.display());
        Diagnostic::operator("config/agent-file", message).help(format!(
            "mend it first, as {} needs it; nothing in it was changed",
            self.agent.title()
        ))
    }

    /// Writes the new text, or shows the difference.
    fn put(&self, new: &str, is_dry: bool, output: &mut Output) -> Result<(), Box<Diagnostic>> {
        if is_dry {
            let name = self.file.display().to_string();
            output.say_result(&crate::script::differences(self.text(), new, &name));
            output.tell(paint(DIM, "nothing was changed; without `--dry-run` it is"));
            return Ok(());
        }
        let mark = self.text.as_ref().is_some_and(|text| text.starts_with(MARK));
        let new = format!("{}{new}", if mark { "\u{feff}" } else { "" });
        replace(&self.file, self.text.as_deref(), &new).map_err(|reason| {
            let message = format!("`{}` cannot be written: {reason}", self.file.display());
            Diagnostic::operator("cli/unwritable", message)
                .help("nothing in it was changed; check who owns the file and its folder")
        })?;
        Ok(())
    }
}

/// Has an agent ask hooks at its events.
///
/// # Errors
///
/// There are no such features, or the file cannot be read, understood or written.
pub(super) fn install(
    arguments: &InstallArguments,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let place = &arguments.place;
    let command = command(place.agent, &arguments.paths, output)?;
    let opened = place.open()?;
    let new =
        file::with(place.agent, opened.text(), &command).map_err(|why| opened.malformed(&why))?;
    if new == opened.text() {
        output.say(format_args!("it stands in {} already; nothing was changed", opened.name()));
        return Ok(Exit::Done);
    }
    opened.put(&new, place.scope.dry_run, output)?;
    if place.scope.dry_run {
        return Ok(Exit::Done);
    }
    let title = place.agent.title();
    let events: Vec<_> = file::events(place.agent).map(|(name, _)| name).collect();
    output.say(format_args!(
        "{} {title}: changed {}",
        paint(GOOD, "✓"),
        paint(BOLD, opened.name())
    ));
    output.say(format_args!("  it starts  {}", safe(&command)));
    output.say(format_args!("  at         {}", events.join(", ")));
    output.say(format_args!("  next       {}", file::then(place.agent)));
    output.say(format_args!("  undo       peasy hook uninstall {}", place.words()));
    Ok(Exit::Done)
}

/// The command line that the agent starts, for the shell that it starts it with.
fn command(
    agent: Agent,
    paths: &[PathBuf],
    output: &mut Output,
) -> Result<String, Box<Diagnostic>> {
    if !paths.is_empty() {
        let features = workspace::read(paths, &LimitArguments::default())?;
        if let Some(problem) = features.problems.iter().find(|problem| problem.is_error()) {
            return Err(problem.clone().into());
        }
        workspace::tell_broken(&features, output);
        // A hook that does not run guards nothing, whatever is installed.
        let folders = workspace::folders()?;
        let (policy, _) = features.policy(&folders).map_err(|error| error.diagnostic())?;
        let catalog = features.install(policy, None);
        for problem in catalog.reports().iter().flat_map(workspace::inactive) {
            output.tell_picture(&problem, None);
        }
    }
    let mut words = vec![shell_word(&program::path().map_err(usage)?), "hook".to_owned()];
    words.push(agent.name().to_owned());
    for path in paths {
        words.push(shell_word(&absolute(path)?));
    }
    let line = words.join(" ");
    if cfg!(windows) {
        return Ok(line);
    }
    // An agent that a desktop starts has none of what a shell sets.
    let set = program::variables().into_iter();
    let set = set.map(|(name, value)| format!("{name}={} ", shell_word(&value)));
    Ok(set.chain([line]).collect())
}

fn absolute(path: &Path) -> Result<String, Box<Diagnostic>> {
    let real = path
        .canonicalize()
        .map_err(|reason| usage(format!("`{}` cannot be followed: {reason}", path.display())))?;
    Ok(program::text(&real).map_err(usage)?)
}

/// The agents that ask peasy, each with the file that says so, and the files that cannot be read or understood.
pub(in crate::cli) fn asked() -> (Vec<(Agent, PathBuf)>, Vec<Diagnostic>) {
    let (mut all, mut problems) = (Vec::new(), Vec::new());
    for agent in Agent::ALL {
        for scope in [Scope::User, Scope::Project] {
            let found = Opened::open(agent, scope).and_then(|opened| {
                let without = file::without(agent, opened.text());
                Ok((without.map_err(|why| opened.malformed(&why))?.is_some(), opened.file))
            });
            match found {
                Ok((true, file)) => all.push((agent, file)),
                Ok((false, _)) => (),
                // Without a home there is nothing to look at, and one agent's file is not another's.
                Err(problem) if problem.code == "config/no-home" => (),
                Err(mut problem) => {
                    problem.severity = Severity::Warning;
                    problems.push(*problem);
                }
            }
        }
    }
    (all, problems)
}

/// Has an agent ask no longer.
///
/// # Errors
///
/// It does not ask, or the file cannot be read, understood or written.
pub(super) fn uninstall(
    arguments: &UninstallArguments,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let place = &arguments.place;
    let opened = place.open()?;
    let new = file::without(place.agent, opened.text()).map_err(|why| opened.malformed(&why))?;
    let Some(new) = new else {
        let title = place.agent.title();
        output.say(format_args!(
            "{title} does not ask peasy in {}; nothing was changed",
            opened.name()
        ));
        return Ok(Exit::Done);
    };
    opened.put(&new, place.scope.dry_run, output)?;
    if !place.scope.dry_run {
        let title = place.agent.title();
        let mark = paint(GOOD, "✓");
        output.say(format_args!("{mark} {title}: changed {}", paint(BOLD, opened.name())));
    }
    Ok(Exit::Done)
}
