//! `peasy trust`: the features of a project get what features of the user's own get.

use super::grant::apply;
use super::output::{BOLD, GOOD, Output, paint, safe};
use super::{Exit, subject, usage};
use crate::config::policy::Change;
use crate::diagnostic::Diagnostic;
use crate::feature::id::FeatureSource;
use crate::script::runtime::is_project_root;
use clap::Args;
use std::path::{Path, PathBuf};

/// Trusts a project: its features get `store`, `emit` and `notify:user`, and its hooks run.
#[derive(Debug, Args)]
#[command(after_help = "\
Read the features first. Everything else they ask for is still granted one by one.

Examples:
  peasy trust                 the project of the folder you are in
  peasy trust ~/work/site
  peasy trust project:deploy  the project of that feature
  peasy trust --undo")]
pub struct TrustCommand {
    /// A folder of the project, or one of its features; the current folder without it.
    project: Option<String>,
    /// Trust it no longer.
    #[arg(long)]
    undo: bool,
}

/// Trusts.
///
/// # Errors
///
/// There is no project, or the policy cannot be written.
pub fn run(arguments: &TrustCommand, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let root = root(arguments.project.as_deref())?;
    let shown = paint(BOLD, safe(&root.display().to_string()));
    let changed = apply(&[Change::Trust(root, !arguments.undo)])?;
    let state = match (arguments.undo, changed) {
        (false, 0) => "was trusted already",
        (false, _) => "is trusted",
        (true, 0) => "was not trusted",
        (true, _) => "is no longer trusted",
    };
    output.say(format_args!("{} {shown} {state}", paint(GOOD, "✓")));
    Ok(Exit::Done)
}

fn root(project: Option<&str>) -> Result<PathBuf, Box<Diagnostic>> {
    let word = project.unwrap_or(".");
    let folder = Path::new(word);
    if !folder.is_dir() {
        let found = subject::find(word)?;
        return match found.subject.id.source() {
            FeatureSource::Project => Ok(found.subject.root),
            _ => Err(usage(format!("`{}` belongs to no project", found.subject.id))
                .help("features of your own are trusted already")
                .into()),
        };
    }
    let real = folder
        .canonicalize()
        .map_err(|reason| usage(format!("`{word}` cannot be followed: {reason}")))?;
    let root = real.ancestors().find(|folder| is_project_root(folder)).map(Path::to_owned);
    root.ok_or_else(|| {
        usage(format!("`{}` is in no project", real.display()))
            .help("a project has a `.peasy` folder, or is a checkout of a version control system")
            .into()
    })
}
