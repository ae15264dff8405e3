//! `peasy dev`: reads features again as they are saved, runs their tests, and says what came of it.

use super::output::{DIM, Output, count, paint};
use super::reload::{Console, reloader};
use super::workspace::{self, inactive};
use super::{Exit, IsolationArguments, PathArguments, PolicyArguments};
use crate::diagnostic::Diagnostic;
use clap::Args;
use std::sync::Arc;

/// Watches features, and checks and tests each as it is saved.
#[derive(Debug, Args)]
#[command(after_help = "\
What a feature of a project was granted goes on through the saves that you make while this runs. Servers
(`peasy serve`) watch the same files by themselves.

Examples:
  peasy dev                    the features of this project and your own
  peasy dev greet.rhai")]
pub struct DevArguments {
    #[command(flatten)]
    paths: PathArguments,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    isolation: IsolationArguments,
}

/// Watches until it is interrupted, or until standard input ends where that is no terminal.
///
/// # Errors
///
/// There is nothing to watch, a flag cannot be understood, or the system gives no means to watch.
pub fn run(arguments: &DevArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let paths = &arguments.paths.paths;
    let isolation = arguments.isolation.isolate;
    let workspace = workspace::read_to_call(paths, &arguments.policy.limits, isolation)?;
    if !paths.is_empty() {
        workspace.require_some()?;
    }
    let catalog = workspace::install(&workspace, &arguments.policy.grants, output)?;
    workspace::tell_broken(&workspace, output);
    for problem in catalog.reports().iter().flat_map(inactive) {
        output.tell_picture(&problem, None);
    }
    let (features, tools) = (catalog.features().len(), catalog.tools().len());
    let pod = Arc::new(workspace::open_pod(&workspace, catalog, output)?);
    let console = Console::new(output, &workspace, || ());
    let mut reloader = reloader(&pod, workspace, paths, &arguments.policy.grants, &console);
    reloader.rebinds = true;
    let reloading = reloader.start()?;
    output.tell(format_args!(
        "watching {} with {}; {}",
        count(features, "feature"),
        count(tools, "tool"),
        paint(DIM, "Ctrl-C ends it")
    ));
    // Whoever started this in a pipe ends it by closing it; at a terminal, Ctrl-D does.
    let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
    drop(reloading);
    pod.close();
    Ok(Exit::Done)
}
