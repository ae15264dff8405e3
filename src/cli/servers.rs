//! `peasy mcp servers`, `add` and `remove`: the other MCP servers that `peasy serve --gateway` and
//! `peasy chat` bridge.

use super::output::{BAD, BOLD, DIM, GOOD, Output, WARN, count, paint, safe};
use super::workspace::{folders, settings};
use super::{Exit, refused_as_json, usage};
use crate::config::server::{self, Changed, McpServer, Reach, Spelled};
use crate::config::settings::FILE;
use crate::diagnostic::{Blame, Diagnostic, nearest};
use crate::feature::id::FeatureName;
use crate::mcp::bridge::{Bridge, BridgeOptions, Lifecycle, Pace, ServerStatus};
use crate::secret::Secrets;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// What is done about other servers.
#[derive(Debug, Subcommand)]
pub enum ServersCommand {
    /// Start the servers that your settings name, and list how they are and what they offer.
    Servers(ListArguments),
    /// Name a server in your settings.
    Add(AddArguments),
    /// Take a server out of your settings.
    Remove(RemoveArguments),
}

/// Which servers are looked at.
#[derive(Debug, Args)]
#[command(after_help = "\
Each server is started, asked for its tools, and ended again. `peasy serve --gateway` and
`peasy chat` offer the tools of those that are enabled.

Examples:
  peasy mcp servers
  peasy mcp servers github --json | jq '.servers[].tools'")]
pub struct ListArguments {
    /// These servers alone.
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Print JSON instead, whatever comes of it.
    #[arg(long)]
    json: bool,
}

/// A server to be named.
#[derive(Debug, Args)]
#[command(after_help = "\
A value `secret:NAME` stands for a secret that `peasy secret set NAME` keeps, so that no key
stands in the file. What else a server may have (`tools`, `rename`, `timeout`) is for you to
write into the file.

Examples:
  peasy mcp add everything -- npx -y @modelcontextprotocol/server-everything
  peasy mcp add github --env TOKEN=secret:GITHUB -- github-mcp-server stdio
  peasy mcp add docs --url https://mcp.example.com/mcp --header 'Authorization=Bearer secret:DOCS'")]
pub struct AddArguments {
    /// What you call it: lower-case letters, digits and `-`.
    name: String,
    /// The address of a server that is reached over HTTP.
    #[arg(long, conflicts_with_all = ["command", "env", "cwd"], required_unless_present = "command")]
    url: Option<String>,
    /// A header of every request; may be repeated.
    #[arg(long = "header", value_name = "NAME=VALUE", requires = "url")]
    headers: Vec<String>,
    /// A variable of the program's environment; may be repeated.
    #[arg(long = "env", value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// The folder that the program works in; an absolute path.
    #[arg(long, value_name = "FOLDER")]
    cwd: Option<PathBuf>,
    /// The program and its arguments, behind `--`.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// A server to be taken out.
#[derive(Debug, Args)]
pub struct RemoveArguments {
    /// What you call it.
    name: String,
}

/// Does it.
///
/// # Errors
///
/// The settings cannot be read, understood or written, or a server is not there.
pub fn run(command: &ServersCommand, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    match command {
        ServersCommand::Servers(arguments) => {
            let outcome = list(arguments, output);
            refused_as_json(outcome, arguments.json, |problem| {
                let problems = std::slice::from_ref(problem);
                output.say_json(&Listing { servers: Vec::new(), disabled: Vec::new(), problems });
            })
        }
        ServersCommand::Add(arguments) => add(arguments, output),
        ServersCommand::Remove(arguments) => remove(arguments, output),
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Listing<'a> {
    servers: Vec<ServerStatus>,
    /// Servers that are switched off.
    disabled: Vec<FeatureName>,
    /// What kept them from being looked at.
    problems: &'a [Diagnostic],
}

fn list(arguments: &ListArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let settings = settings()?;
    let mut servers = settings.servers;
    for name in &arguments.names {
        if !servers.iter().any(|server| server.name.as_str() == name) {
            return Err(unknown(name, &servers).into());
        }
    }
    servers.retain(|server| {
        arguments.names.is_empty()
            || arguments.names.iter().any(|name| server.name.as_str() == name)
    });
    let longest =
        servers.iter().filter(|server| server.enabled).map(|server| server.start_timeout).max();
    let secrets = Some(Secrets::new(folders()?.config));
    // Whoever looks wants to see what is wrong, not what comes of trying often.
    let pace = Pace { most_restarts: 0, ..Pace::default() };
    let options = BridgeOptions::new(secrets, settings.limits).pace(pace);
    let bridge = Bridge::start(&servers, options);
    bridge.wait(longest.unwrap_or_default() + Duration::from_secs(1));
    let statuses = bridge.statuses();
    drop(bridge);
    let disabled: Vec<_> =
        servers.into_iter().filter(|server| !server.enabled).map(|server| server.name).collect();
    let is_failed = statuses.iter().any(|status| status.lifecycle != Lifecycle::Ready);
    if arguments.json {
        output.say_json(&Listing { servers: statuses, disabled, problems: &[] });
    } else {
        show(&statuses, &disabled, output);
    }
    Ok(if is_failed { Exit::Failed } else { Exit::Done })
}

fn show(statuses: &[ServerStatus], disabled: &[FeatureName], output: &mut Output) {
    for (index, status) in statuses.iter().enumerate() {
        if index > 0 {
            output.say("");
        }
        let style = match status.lifecycle {
            Lifecycle::Ready => GOOD,
            Lifecycle::Starting | Lifecycle::Degraded => WARN,
            Lifecycle::Failed | Lifecycle::Stopped => BAD,
        };
        let name = paint(BOLD, &status.name);
        let reach = paint(DIM, safe(&status.reach));
        output.say(format_args!("{name}  {}  {reach}", paint(style, status.lifecycle)));
        if let Some(title) = &status.title {
            let version = status.version.as_deref().unwrap_or_default();
            output.say(format_args!("  {}", safe(format!("{title} {version}").trim_end())));
        }
        if !status.tools.is_empty() {
            let names: Vec<_> = status.tools.iter().map(ToString::to_string).collect();
            let tools = count(names.len(), "tool");
            output.say(format_args!("  {}: {}", paint(DIM, tools), names.join(", ")));
        }
        for problem in &status.problems {
            let style = if problem.is_error() { BAD } else { WARN };
            output.say(format_args!("  {}", paint(style, safe(&problem.message))));
            for help in &problem.help {
                output.say(format_args!("    {}", safe(help)));
            }
        }
    }
    for name in disabled {
        output.say(format_args!("{}  {}", paint(BOLD, name), paint(WARN, "disabled")));
    }
    if statuses.is_empty() && disabled.is_empty() {
        output.say("no servers are named; add one with `peasy mcp add NAME -- COMMAND`");
    }
}

fn unknown(name: &str, servers: &[McpServer]) -> Diagnostic {
    let problem = usage(format!("there is no server `{name}` in your settings"));
    let names = servers.iter().map(|server| server.name.as_str());
    match nearest(name, names) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("`peasy mcp servers` lists those that there are"),
    }
}

fn name(text: &str) -> Result<FeatureName, Box<Diagnostic>> {
    text.parse().map_err(|_| {
        usage(format!("`{text}` is no name of a server"))
            .help("write 1 to 64 of `a-z 0-9 -`, beginning with a letter")
            .into()
    })
}

fn add(arguments: &AddArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let name = name(&arguments.name)?;
    let reach = match (&arguments.url, arguments.command.split_first()) {
        (Some(url), _) => {
            Reach::Http { url: url.clone(), headers: pairs("--header", &arguments.headers)? }
        }
        (None, Some((command, args))) => Reach::Program {
            command: command.clone(),
            args: args.to_vec(),
            env: pairs("--env", &arguments.env)?,
            cwd: arguments.cwd.clone(),
        },
        (None, None) => {
            return Err(usage("there is no command").help("write it behind `--`").into());
        }
    };
    if let Some(folder) = arguments.cwd.as_ref().filter(|folder| !folder.is_absolute()) {
        let message = format!("`--cwd {}` is no absolute path", folder.display());
        return Err(usage(message)
            .help("clients start servers in folders of their own choosing")
            .into());
    }
    let folder = folders()?.config;
    let added = server::add(&folder, &McpServer::new(name.clone(), reach));
    match added.map_err(|error| error.diagnostic())? {
        Changed::Nothing => {
            Err(usage(format!("there is a server `{name}` already; it stays as it is"))
                .help(format!("take it out first with `peasy mcp remove {name}`"))
                .into())
        }
        _ => {
            let file = folder.join(FILE);
            output.say(format_args!("{name} stands in {}", safe(&file.display().to_string())));
            output.tell(format_args!("look at what it offers with `peasy mcp servers {name}`"));
            Ok(Exit::Done)
        }
    }
}

fn pairs(flag: &str, given: &[String]) -> Result<Vec<(String, Spelled)>, Box<Diagnostic>> {
    let pair = |text: &String| {
        let (name, value) =
            text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                usage(format!("`{flag} {text}` is not complete"))
                    .help(format!("write `{flag} NAME=VALUE`"))
            })?;
        let value = Spelled::parse(value).map_err(usage)?;
        Ok((name.to_owned(), value))
    };
    given.iter().map(pair).collect()
}

fn remove(arguments: &RemoveArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let name = name(&arguments.name)?;
    let folder = folders()?.config;
    match server::remove(&folder, &name).map_err(|error| error.diagnostic())? {
        Changed::Removed => {
            output.say(format_args!("{name} is taken out"));
            Ok(Exit::Done)
        }
        _ => {
            let mut problem = unknown(name.as_str(), &settings()?.servers);
            problem.blame = Blame::Caller;
            Err(problem.into())
        }
    }
}
