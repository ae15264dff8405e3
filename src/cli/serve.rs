//! `peasy serve`: the tools of features for an MCP client, over standard input and output.
//!
//! Standard output carries the protocol and nothing else; whatever a person should know goes to
//! standard error.

use super::output::{Output, count};
use super::reload::{Console, reloader};
use super::workspace::{self, inactive};
use super::{Exit, IsolationArguments, PathArguments, PolicyArguments};
use crate::diagnostic::Diagnostic;
use crate::feature::call::Failure;
use crate::feature::catalog::InstalledTool;
use crate::mcp::{self, FailureObserver, ServeError, ToolList};
use clap::Args;
use std::sync::Arc;

/// Offers tools to an MCP client over standard input and output.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  claude mcp add greet -- peasy serve /path/to/greet.rhai
  codex mcp add greet -- peasy serve /path/to/greet.rhai

Clients start the server in a folder of their own choosing: give absolute paths.")]
pub struct ServeArguments {
    #[command(flatten)]
    paths: PathArguments,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    isolation: IsolationArguments,
    /// Go on with the features as they are now, whatever is saved.
    #[arg(long)]
    no_reload: bool,
}

/// Serves until the client closes standard input.
///
/// # Errors
///
/// A path that was named leads to no feature, a flag cannot be understood, or the protocol cannot
/// be served.
pub fn run(arguments: &ServeArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let workspace = workspace::read_to_call(
        &arguments.paths.paths,
        &arguments.policy.limits,
        arguments.isolation.isolate,
    )?;
    if !arguments.paths.paths.is_empty() {
        workspace.require_some()?;
    }
    let catalog = workspace::install(&workspace, &arguments.policy.grants, output)?;
    workspace::tell_broken(&workspace, output);
    let inactive = catalog.reports().iter().flat_map(inactive);
    for problem in inactive.chain(catalog.diagnostics().to_vec()) {
        output.tell_picture(&problem, None);
    }
    let tools = count(catalog.tools().len(), "tool");
    let features = count(catalog.features().len(), "feature");
    output.tell(format_args!("peasy serves {tools} of {features} over standard input and output"));

    let pod = Arc::new(workspace::open_pod(&workspace, catalog, output)?);
    let list = Arc::new(ToolList::new(Arc::clone(&pod)));
    let refreshed = Arc::clone(&list);
    let console = Console::new(output, &workspace, move || _ = refreshed.refresh());
    let reloading = match arguments.no_reload {
        true => None,
        false => {
            let paths = &arguments.paths.paths;
            let grants = &arguments.policy.grants;
            Some(reloader(&pod, workspace, paths, grants, &console).start())
        }
    };
    if let Some(Err(problem)) = &reloading {
        output.tell_picture(problem, None);
    }
    mcp::serve_stdio(list, Some(Arc::new(Pictures(console)))).map_err(|reason| stopped(&reason))?;
    Ok(Exit::Done)
}

/// Who must act where the server could not go on: a client that did not keep to the protocol, or we.
fn stopped(reason: &ServeError) -> Diagnostic {
    let message = format!("the server cannot go on: {reason}");
    match reason {
        ServeError::Handshake(_) => Diagnostic::operator("mcp/handshake", message)
            .help("start it from an MCP client, with both its ends connected"),
        ServeError::Threads(_) | ServeError::Stopped(_) => {
            Diagnostic::host("mcp/transport", message)
        }
    }
}

/// Draws what a feature's author must mend on standard error.
struct Pictures(Arc<Console>);

impl FailureObserver for Pictures {
    fn failed(&self, tool: &InstalledTool, failure: &Failure) {
        self.0.tell_of(tool.feature(), &failure.diagnostics);
    }
}
