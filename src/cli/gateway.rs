//! Other MCP servers beside the features of a command: started, and put into its workspace.

use super::ColorWhen;
use super::output::{Output, count};
use super::workspace::{folders, settings};
use crate::config::server::McpServer;
use crate::diagnostic::Diagnostic;
use crate::mcp::bridge::{Bridge, BridgeOptions, Bridged, Lifecycle, ServerStatus};
use crate::secret::Secrets;
use crate::workspace::{Companion, Companions, Workspace};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How long a start waits for servers. What comes up later is in the catalog then.
const PATIENCE: Duration = Duration::from_secs(2);

/// The servers of a command, until this is dropped.
pub(super) struct Gateway(Arc<Servers>);

/// The user's servers, whose features belong to the folder of the user's settings.
struct Servers {
    bridge: Bridge,
    root: PathBuf,
}

impl Companions for Servers {
    fn now(&self) -> Vec<Companion> {
        let companion = |Bridged { id, module, digest, limits }| {
            let root = self.root.clone();
            Companion { id, module, root, digest, limits }
        };
        self.bridge.features().into_iter().map(companion).collect()
    }
}

/// Starts the servers that the user's settings name, waits for them a little, and puts them into the
/// workspace.
///
/// # Errors
///
/// The settings cannot be read, or there is no folder for them.
pub(super) fn open(
    workspace: &mut Workspace,
    output: &mut Output,
) -> Result<Gateway, Box<Diagnostic>> {
    let servers = settings()?.servers;
    if !servers.iter().any(|server| server.enabled) {
        output.tell("no other servers are named; add one with `peasy mcp add NAME -- COMMAND`");
    }
    let secrets = Secrets::new(folders()?.config);
    start(&servers, secrets, PATIENCE, workspace, output)
}

/// As [`open`], where settings that name no server are nothing to speak of. What is read of `secrets` is
/// known to whoever shares them. With `waits` it waits as long as the slowest server may take to come up.
///
/// # Errors
///
/// As [`open`].
#[cfg(feature = "worker")]
pub(super) fn open_named(
    workspace: &mut Workspace,
    secrets: Secrets,
    waits: bool,
    output: &mut Output,
) -> Result<Option<Gateway>, Box<Diagnostic>> {
    let servers = settings()?.servers;
    let enabled = servers.iter().filter(|server| server.enabled);
    let Some(longest) = enabled.map(|server| server.start_timeout).max() else { return Ok(None) };
    let patience = if waits { longest } else { PATIENCE };
    start(&servers, secrets, patience, workspace, output).map(Some)
}

fn start(
    servers: &[McpServer],
    secrets: Secrets,
    patience: Duration,
    workspace: &mut Workspace,
    output: &mut Output,
) -> Result<Gateway, Box<Diagnostic>> {
    let folders = folders()?;
    let options = BridgeOptions::new(Some(secrets), workspace.limits.clone());
    let bridge = Bridge::start(servers, options);
    bridge.wait(patience);
    // What is wrong with one that is up is in the report of its feature.
    for status in bridge.statuses().iter().filter(|status| status.lifecycle == Lifecycle::Starting)
    {
        let name = &status.name;
        output.tell(format_args!("the server `{name}` is not up yet; its tools come when it is"));
    }
    let root = folders.config.canonicalize().unwrap_or(folders.config);
    let servers = Arc::new(Servers { bridge, root });
    workspace.companions = Some(Arc::clone(&servers) as Arc<dyn Companions>);
    Ok(Gateway(servers))
}

/// Others may hold on to the servers; they end with their command all the same.
impl Drop for Gateway {
    fn drop(&mut self) {
        self.0.bridge.stop();
    }
}

/// What is worth a line where it changes.
fn seen(statuses: &[ServerStatus]) -> Vec<(Lifecycle, usize)> {
    statuses.iter().map(|status| (status.lifecycle, status.tools.len())).collect()
}

fn tell(status: &ServerStatus, output: &mut Output) {
    let tools = count(status.tools.len(), "tool");
    output.tell(format_args!("the server `{}` is {}, with {tools}", status.name, status.lifecycle));
    if status.lifecycle != Lifecycle::Ready {
        status.problems.iter().for_each(|problem| output.tell_picture(problem, None));
    }
}

impl Gateway {
    /// Calls `signal` whenever a server offers something else, and says on standard error which do, each
    /// time within `beside`.
    pub fn follow(
        &self,
        color: ColorWhen,
        beside: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
        signal: impl Fn() + Send + Sync + 'static,
    ) {
        let servers = Arc::downgrade(&self.0);
        let seen = Mutex::new(seen(&self.0.bridge.statuses()));
        self.0.bridge.on_change(move || {
            signal();
            let Some(servers) = servers.upgrade() else { return };
            let statuses = servers.bridge.statuses();
            let now = self::seen(&statuses);
            let before = {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::replace(&mut *seen, now)
            };
            let changed = statuses.iter().zip(before);
            let changed = changed
                .filter(|(status, before)| (status.lifecycle, status.tools.len()) != *before);
            let changed: Vec<_> = changed.map(|(status, _)| status).collect();
            if !changed.is_empty() {
                let mut output = Output::new(color);
                beside(&mut || changed.iter().for_each(|status| tell(status, &mut output)));
            }
        });
    }

    /// Ends the servers of a program that ends at once.
    #[cfg(feature = "worker")]
    pub fn stopper(&self) -> impl Fn() + Send + Sync + 'static {
        let servers = Arc::clone(&self.0);
        move || servers.bridge.stop()
    }
}
