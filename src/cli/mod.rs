//! The command line: what may be typed, where output goes, and with which code it ends.
//!
//! One file a command. Commands read features, ask the core, and print; they decide nothing that
//! the core decides, and no front but this one writes to the terminal.

pub mod call;
#[cfg(feature = "worker")]
pub mod chat;
pub mod check;
#[cfg(feature = "mcp")]
pub mod client;
pub mod completions;
pub mod describe;
pub mod dev;
pub mod doctor;
pub mod enable;
pub mod fmt;
pub mod grant;
pub mod hook;
pub mod init;
pub mod list;
pub mod log;
pub mod new;
pub mod permission;
pub mod replay;
pub mod sandbox_process;
pub mod secret;
#[cfg(feature = "mcp")]
pub mod serve;
#[cfg(feature = "bridge")]
pub mod servers;
pub mod store;
pub mod test;
pub mod trust;

mod argument;
mod ask;
mod consent;
mod content;
mod event;
mod exit;
#[cfg(feature = "bridge")]
mod gateway;
mod jsonc;
mod output;
mod policy;
mod program;
mod progress;
mod reload;
mod replace;
mod scope;
mod subject;
#[cfg(any(feature = "mcp", feature = "worker"))]
mod waiting;
mod workspace;

pub use exit::Exit;
pub use output::Output;
pub use policy::{GrantArguments, IsolationArguments, LimitArguments};

use crate::diagnostic::Diagnostic;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

/// Everything that may be typed.
#[derive(Debug, Parser)]
#[command(
    name = "peasy",
    version,
    about = "Small sandboxed Rhai scripts that give an LLM agent new tools and hooks",
    long_about = "peasy runs features: small Rhai scripts that give an LLM agent new tools and hooks.\n\n\
        A feature gets only what you grant it and runs under hard limits.",
    after_help = GUIDE,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Arguments {
    /// What holds for every command.
    #[command(flatten)]
    pub global: GlobalArguments,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// What was typed; ends the process where that is no command, with what to write instead.
    pub fn read() -> Self {
        let is_call = std::env::args().skip(1).any(|word| word == "call");
        Self::try_parse().unwrap_or_else(|error| {
            if is_call { without_dashes(error).exit() } else { error.exit() }
        })
    }
}

/// Where an argument of a tool was written as a flag, `--name=x`, says how it is written.
fn without_dashes(mut error: clap::Error) -> clap::Error {
    if error.kind() != ErrorKind::UnknownArgument || error.get(ContextKind::SuggestedArg).is_some()
    {
        return error;
    }
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let Some(name) = given.strip_prefix("--") else { return error };
    let tip = format!("arguments of a tool have no dashes: write `{name}=…`");
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    error
}

const GUIDE: &str = "\
Try it:
  peasy new greet                          write a feature to begin with
  peasy check greet.rhai                   find every mistake in it
  peasy call greet.rhai greet name=World   call its tool
  peasy test greet.rhai                    run its tests and examples
  peasy serve greet.rhai                   offer its tools to an MCP client

Without a PATH, commands look in `.peasy/features` of the project and in your own
features folder, `~/.config/peasy/features` (or `$PEASY_HOME/features`).

Exit codes: 0 done, 1 the feature failed, 2 wrong use or arguments, 3 denied, 4 our fault.";

/// What holds for every command.
#[derive(Debug, Default, Args)]
pub struct GlobalArguments {
    /// When to use colours.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: ColorWhen,
    /// Say what is done on standard error; twice for more, three times for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a small, complete feature to begin with.
    New(new::NewArguments),
    /// Make the folder of a project's features.
    Init(init::InitArguments),
    /// Find every mistake in features, without running them.
    Check(check::CheckArguments),
    /// List features: their tools, their hooks, what they were granted and why not more.
    List(list::ListArguments),
    /// Show what a feature or a tool declares: schemas, examples, limits.
    Describe(describe::DescribeArguments),
    /// Call a tool, or ask a hook about an event.
    Call(call::CallArguments),
    /// Talk with a model that calls the tools of features.
    #[cfg(feature = "worker")]
    Chat(chat::ChatArguments),
    /// Run the tests and examples of features.
    Test(test::TestArguments),
    /// Lay scripts out in one way, without changing what they mean.
    Fmt(fmt::FmtArguments),
    /// Let a feature do what it asks for.
    Grant(grant::GrantCommand),
    /// Take back what a feature was granted.
    Revoke(grant::RevokeCommand),
    /// Trust a project: its features get what your own get.
    Trust(trust::TrustCommand),
    /// Switch a feature on again.
    Enable(enable::SwitchCommand),
    /// Switch a feature off, without taking back its grants.
    Disable(enable::SwitchCommand),
    /// Ask hooks about an event of another agent, or have an agent do so.
    Hook(hook::HookArguments),
    /// Decide for each call whether it may run: allow, ask or deny.
    Permission(permission::PermissionArguments),
    /// Show, check and export the record of sessions and calls.
    Log(log::LogArguments),
    /// Prove what a session was, or run recorded calls again.
    Replay(replay::ReplayArguments),
    /// Look at what features keep, and change it.
    Store(store::StoreArguments),
    /// Watch features, and check and test each as it is saved.
    Dev(dev::DevArguments),
    /// Keep secrets that features may spend and not see.
    Secret(secret::SecretArguments),
    /// Offer tools to an MCP client over standard input and output.
    #[cfg(feature = "mcp")]
    Serve(serve::ServeArguments),
    /// Look at everything that peasy needs, and say what is wrong and what to do.
    Doctor(doctor::DoctorArguments),
    /// Write peasy down in the configuration of MCP clients.
    #[cfg(feature = "mcp")]
    Mcp(client::McpArguments),
    /// Print what a shell needs to complete commands and flags.
    Completions(completions::CompletionsArguments),
    /// Run calls for another peasy, which starts this for `--isolate process`.
    #[command(name = sandbox_process::NAME, hide = true)]
    SandboxProcess,
}

/// Which features a command is about.
#[derive(Debug, Args)]
pub struct PathArguments {
    /// A `.rhai` file, a folder with a `main.rhai`, or a folder of features.
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
}

/// Which features a command is about, and how it answers.
#[derive(Debug, Args)]
pub struct ListingArguments {
    #[command(flatten)]
    places: PathArguments,
    /// Print JSON instead, whatever comes of it.
    #[arg(long)]
    json: bool,
}

/// What is decided for the features of one command.
#[derive(Debug, Clone, Default, Args)]
pub struct PolicyArguments {
    #[command(flatten)]
    grants: GrantArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

/// Runs a command and says how the process ends.
///
/// A command's error is shown on standard error; a panic of ours ends with [`Exit::Fault`].
pub fn run(
    global: &GlobalArguments,
    command: impl FnOnce(&mut Output) -> Result<Exit, Box<Diagnostic>>,
) -> ExitCode {
    let mut output = Output::new(global.color);
    trace(global.verbose, &output);
    let outcome = catch_unwind(AssertUnwindSafe(|| command(&mut output)));
    let exit = match outcome {
        Ok(Ok(exit)) => exit,
        Ok(Err(problem)) => {
            output.tell_picture(&problem, None);
            Exit::of(&problem)
        }
        // The panic itself was printed where it happened.
        Err(_) => Exit::Fault,
    };
    output.finish(exit).into()
}

fn trace(verbose: u8, output: &Output) {
    let wanted = match verbose {
        0 => return,
        1 => "peasy=info",
        2 => "peasy=debug,hyper=info",
        // The bus that keyrings answer on shows what travels on it, and clients of HTTP their headers.
        _ => "trace,zbus=info,h2=info,hyper=info,hyper_util=info,reqwest=info,genai=info",
    };
    // A second call, as in tests, finds one in place already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(wanted)
        .with_writer(std::io::stderr)
        .with_ansi(output.is_coloured())
        .try_init();
}

/// Answers in JSON also where a command could not do what it is for: `print` gives its shape with
/// the problem in it.
fn refused_as_json(
    outcome: Result<Exit, Box<Diagnostic>>,
    json: bool,
    print: impl FnOnce(&Diagnostic),
) -> Result<Exit, Box<Diagnostic>> {
    match outcome {
        Err(problem) if json => {
            print(&problem);
            Ok(Exit::of(&problem))
        }
        outcome => outcome,
    }
}

/// A wrong use of the command line: exit 2.
fn usage(message: impl Into<String>) -> Diagnostic {
    Diagnostic::caller("cli/usage", message)
}
