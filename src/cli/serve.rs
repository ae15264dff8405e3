//! `peasy serve`: the tools of features for MCP clients, over standard input and output or over HTTP.
//!
//! Standard output carries the protocol and nothing else; whatever a person should know goes to
//! standard error.

use super::output::{Output, count};
use super::reload::{Console, reloader};
use super::{Exit, IsolationArguments, PathArguments, PolicyArguments, usage};
use super::{waiting, workspace};
use crate::config::token;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Failure;
use crate::feature::catalog::InstalledTool;
use crate::mcp::{
    self, FailureObserver, FixedList, HttpOptions, PATH, ServeError, ServeOptions, Token, ToolList,
};
use clap::{Args, ValueEnum};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// Where HTTP is spoken where nobody says where.
const PORT: u16 = 7327;

/// The variable that holds a token.
const TOKEN: &str = "PEASY_TOKEN";

/// How long clients may keep a list of tools that nobody watches, in milliseconds.
const KEPT: u64 = 60_000;

/// Offers tools to MCP clients over standard input and output, or over HTTP.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  claude mcp add greet -- peasy serve /path/to/greet.rhai
  codex mcp add greet -- peasy serve /path/to/greet.rhai

Over HTTP, until it is told to end:
  peasy serve /path/to/greet.rhai --http
  claude mcp add greet --transport http http://127.0.0.1:7327/mcp

Clients start the server in a folder of their own choosing: give absolute paths.
A token for HTTP comes from --token-file or the variable PEASY_TOKEN.")]
pub struct ServeArguments {
    #[command(flatten)]
    paths: PathArguments,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    isolation: IsolationArguments,
    /// Offer the tools of other MCP servers as well: those that your settings name.
    ///
    /// They pass the same checks and the same log as tools of your own. `peasy mcp servers` lists them.
    #[cfg(feature = "bridge")]
    #[arg(long)]
    gateway: bool,
    /// Go on with the features as they are now, whatever is saved.
    #[arg(long)]
    no_reload: bool,
    #[command(flatten)]
    http: HttpArguments,
    /// Offer `peasy_call` and `peasy_tools` as well, for clients that list tools once and never again.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    peasy_call: When,
}

/// Whether the two tools for clients that never list again are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    /// To Codex, or to the clients that the settings name.
    Auto,
    /// To all clients.
    Always,
    /// To none.
    Never,
}

/// Where and for whom HTTP is spoken.
#[derive(Debug, Args)]
struct HttpArguments {
    /// Speak HTTP, at 127.0.0.1:7327 or at this address: HOST:PORT, or a port alone.
    #[arg(
        long,
        value_name = "ADDRESS",
        num_args = 0..=1,
        default_missing_value = "127.0.0.1:7327",
        value_parser = address
    )]
    http: Option<SocketAddr>,
    /// The file of the token that clients have to send; it is made where it is missing.
    #[arg(long, value_name = "FILE", requires = "http")]
    token_file: Option<PathBuf>,
    /// Let other machines connect. Needs a token.
    #[arg(long, requires = "http")]
    remote: bool,
    /// A host that requests may name, beside those of this machine: NAME or NAME:PORT.
    #[arg(long = "host", value_name = "HOST", requires = "http")]
    hosts: Vec<String>,
    /// An origin of web pages that may send requests, beside those of this machine.
    #[arg(long = "origin", value_name = "ORIGIN", requires = "http")]
    origins: Vec<String>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if let Ok(port) = text.trim_start_matches(':').parse() {
        return Ok(SocketAddr::new(here, port));
    }
    if let Some(port) = text.strip_prefix("localhost:").and_then(|port| port.parse().ok()) {
        return Ok(SocketAddr::new(here, port));
    }
    if let Ok(host) = text.parse() {
        return Ok(SocketAddr::new(host, PORT));
    }
    text.parse().map_err(|_| {
        format!("it is no address, as in 127.0.0.1:{PORT}; a path goes before `--http`")
    })
}

/// Serves until the client closes standard input, or the process is told to end.
///
/// # Errors
///
/// A path that was named leads to no feature, a flag cannot be understood, or the protocol cannot
/// be served.
pub fn run(arguments: &ServeArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let http = http_options(&arguments.http)?;
    #[cfg_attr(not(feature = "bridge"), allow(unused_mut))]
    let mut workspace = workspace::read_to_call(
        &arguments.paths.paths,
        &arguments.policy.limits,
        arguments.isolation.isolate,
    )?;
    if !arguments.paths.paths.is_empty() {
        workspace.require_some()?;
    }
    #[cfg(feature = "bridge")]
    let gateway = match arguments.gateway {
        true => {
            if arguments.paths.paths.is_empty() {
                // Other servers are reason enough to serve.
                workspace.problems.retain(|problem| problem.code != "cli/no-features");
            }
            Some(super::gateway::open(&mut workspace, output)?)
        }
        false => None,
    };
    let catalog = workspace::install(&workspace, &arguments.policy.grants, output)?;
    workspace::tell_broken(&workspace, output);
    waiting::tell(&catalog, &arguments.paths.paths, output);
    let tools = count(catalog.tools().len(), "tool");
    let features = count(catalog.features().len(), "feature");
    let what = format!("peasy serves {tools} of {features}");
    if http.is_none() {
        output.tell(format_args!("{what} over standard input and output"));
    }

    let pod = Arc::new(workspace::open_pod(&workspace, catalog, output)?);
    let list = Arc::new(ToolList::new(Arc::clone(&pod)));
    let refreshed = Arc::clone(&list);
    let console = Console::new(output, &workspace, move || _ = refreshed.refresh());
    let paths = &arguments.paths.paths;
    let grants = &arguments.policy.grants;
    let reloader = reloader(&pod, workspace, paths, grants, &console);
    let reloading = match arguments.no_reload {
        true => reloader.start_unwatched(),
        false => reloader.start(),
    };
    match &reloading {
        Ok(_reloading) =>
        {
            #[cfg(feature = "bridge")]
            if let Some(gateway) = &gateway {
                let color = match output.is_coloured() {
                    true => super::ColorWhen::Always,
                    false => super::ColorWhen::Never,
                };
                gateway.follow(color, |tell| tell(), _reloading.signal());
            }
        }
        Err(problem) => output.tell_picture(problem, None),
    }
    let options = ServeOptions {
        observer: Some(Arc::new(Pictures(console))),
        fixed: fixed_list(arguments.peasy_call)?,
        keep: if reloading.is_ok() && !arguments.no_reload { 0 } else { KEPT },
    };
    let served = match http {
        None => mcp::serve_stdio(list, options),
        Some(http) => {
            let has_token = http.token.is_some();
            mcp::serve_http(list, options, http, |address| {
                output.tell(format_args!("{what} at http://{address}{PATH}"));
                if !has_token {
                    output.tell("  without a token: every program of this machine may call them");
                }
            })
        }
    };
    pod.close();
    served.map_err(|reason| stopped(&reason))?;
    Ok(Exit::Done)
}

fn fixed_list(when: When) -> Result<FixedList, Box<Diagnostic>> {
    match when {
        When::Always => Ok(FixedList::Always),
        When::Never => Ok(FixedList::Never),
        When::Auto => {
            let clients = workspace::settings()?.fixed_clients;
            Ok(clients.map_or_else(FixedList::default, FixedList::Clients))
        }
    }
}

fn http_options(arguments: &HttpArguments) -> Result<Option<HttpOptions>, Box<Diagnostic>> {
    let Some(address) = arguments.http else { return Ok(None) };
    let text = match &arguments.token_file {
        Some(file) => {
            Some(token::read_or_make(file, Token::draw).map_err(|error| error.diagnostic())?)
        }
        None => std::env::var(TOKEN).ok().filter(|token| !token.is_empty()),
    };
    let token = text.map(|text| Token::new(&text)).transpose().map_err(|error| {
        Diagnostic::operator("mcp/token", error.to_string())
            .help("name a file that does not exist with `--token-file`, and a token is made for it")
    })?;
    let is_here = address.ip().is_loopback();
    if !is_here && !arguments.remote {
        let message = format!("`{address}` can be reached by other machines");
        let help = format!("give `--remote` if that is meant, or listen at 127.0.0.1:{PORT}");
        return Err(Box::new(usage(message).help(help)));
    }
    if !is_here && token.is_none() {
        let message =
            format!("`{address}` can be reached by other machines, and there is no token");
        let help = format!("give `--token-file FILE`, or set {TOKEN}");
        return Err(Box::new(usage(message).help(help)));
    }
    let (hosts, origins) = (arguments.hosts.clone(), arguments.origins.clone());
    Ok(Some(HttpOptions { address, token, hosts, origins }))
}

/// Who must act where the server could not go on: whoever started it, or we.
fn stopped(reason: &ServeError) -> Diagnostic {
    let message = format!("the server cannot go on: {reason}");
    match reason {
        ServeError::Handshake(_) => Diagnostic::operator("mcp/handshake", message)
            .help("start it from an MCP client, with both its ends connected"),
        ServeError::Address { .. } => Diagnostic::operator("mcp/address", message)
            .help("choose another port with `--http PORT`, or end what listens there"),
        ServeError::System(_) => Diagnostic::host("mcp/transport", message),
    }
}

/// Draws what a feature's author must mend on standard error.
struct Pictures(Arc<Console>);

impl FailureObserver for Pictures {
    fn failed(&self, tool: &InstalledTool, failure: &Failure) {
        self.0.tell_of(tool.feature(), &failure.diagnostics);
    }
}
