//! `peasy secret`: the secrets that features may spend, for the user to keep and to forget.
//!
//! Nothing here shows one, and none is taken from the command line, where other programs read it.

use super::output::{BOLD, DIM, GOOD, Output, WARN, paint, safe};
use super::workspace::folders;
use super::{Exit, usage};
use crate::config::policy::Policy;
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::capability::{Capability, CapabilityError, SecretName};
use crate::feature::secret::{MAX_BYTES, SecretText};
use crate::secret::{SecretError, Secrets, Source};
use clap::{Args, Subcommand};
use serde::Serialize;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Keeps secrets that features may spend and not see.
#[derive(Debug, Args)]
#[command(after_help = "\
A feature that asks for `secret=NAME@HOST` and is granted it can spend the secret in requests to
that host. It never sees it: what the host repeats of it is taken out of the answer.

Examples:
  peasy secret set API_KEY                     type it; kept in a file that you alone may read
  peasy secret set API_KEY < key.txt
  peasy secret set API_KEY --env WEATHER_KEY   in this variable, wherever peasy is started
  peasy secret set API_KEY --file ~/.weather   in this file, which you alone may read
  peasy secret set API_KEY --keyring           type it; kept in the keyring of the system
  peasy secret list")]
pub struct SecretArguments {
    #[command(subcommand)]
    command: SecretCommand,
}

#[derive(Debug, Subcommand)]
enum SecretCommand {
    /// Keep a secret, or say where it is.
    Set(SetArguments),
    /// List the names: where each secret is, and which features may spend it.
    List {
        /// Print JSON instead.
        #[arg(long)]
        json: bool,
    },
    /// Forget a secret.
    Remove {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
struct SetArguments {
    /// The name that features ask for it by.
    name: String,
    /// It is in this variable of the environment.
    #[arg(long, value_name = "VARIABLE", group = "source")]
    env: Option<String>,
    /// It is in this file, which you alone may read.
    #[arg(long, value_name = "PATH", group = "source")]
    file: Option<PathBuf>,
    /// Keep it in the keyring of the system.
    #[arg(long, group = "source")]
    keyring: bool,
}

/// One secret of a listing.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    /// Whether it can be spent now.
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Diagnostic>,
    granted: Vec<Granted>,
}

/// A feature that may spend a secret.
#[derive(Debug, Serialize)]
struct Granted {
    feature: String,
    root: PathBuf,
    host: String,
}

#[derive(Debug, Serialize)]
struct Listing {
    secrets: Vec<Listed>,
}

/// How long a keyring is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Does what was asked.
///
/// # Errors
///
/// There is no such secret, or it cannot be kept.
pub fn run(arguments: &SecretArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let config = folders()?.config;
    let secrets = Secrets::new(&config);
    match &arguments.command {
        SecretCommand::Set(arguments) => set(arguments, &secrets, output),
        SecretCommand::List { json } => list(&secrets, &config, *json, output),
        SecretCommand::Remove { name } => remove(&parse(name)?, &secrets, output),
    }
}

fn parse(name: &str) -> Result<SecretName, Box<Diagnostic>> {
    name.parse().map_err(|reason: CapabilityError| usage(reason.to_string()).into())
}

fn failed(error: SecretError) -> Box<Diagnostic> {
    error.diagnostic().into()
}

fn set(
    arguments: &SetArguments,
    secrets: &Secrets,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let name = parse(&arguments.name)?;
    let place = if let Some(variable) = &arguments.env {
        secrets.point(&name, &Source::Environment(variable_name(variable)?)).map_err(failed)?;
        format!("is in the variable {}", safe(variable))
    } else if let Some(file) = &arguments.file {
        let file = file.canonicalize().map_err(|reason| {
            usage(format!("the file `{}` cannot be used: {reason}", file.display()))
        })?;
        if file.to_str().is_none() {
            return Err(usage("the name of the file is not UTF-8").into());
        }
        secrets.point(&name, &Source::File(file.clone())).map_err(failed)?;
        format!("is in the file {}", safe(&file.display().to_string()))
    } else {
        let text = ask(&name)?;
        match arguments.keyring {
            true => secrets.keep_in_keyring(&name, &text).map_err(failed)?,
            false => secrets.keep(&name, &text).map_err(failed)?,
        }
        let place =
            if arguments.keyring { "the keyring" } else { "a file that you alone may read" };
        format!("is kept in {place}")
    };
    output.say(format_args!("{} {} {place}", paint(GOOD, "✓"), paint(BOLD, &name)));
    if let Err(problem) = secrets.read(&name, Instant::now() + PATIENCE) {
        let mut problem = problem.diagnostic();
        problem.severity = crate::diagnostic::Severity::Warning;
        output.tell_picture(&problem, None);
    }
    Ok(Exit::Done)
}

fn variable_name(given: &str) -> Result<String, Box<Diagnostic>> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !given.is_empty() && given.chars().all(is_word) {
        return Ok(given.to_owned());
    }
    let problem = usage("`--env` takes the name of a variable, not what is in it");
    Err(problem.help("write the name alone, as in `--env WEATHER_KEY`").into())
}

/// Reads a secret: from a terminal without showing it, else all of standard input.
fn ask(name: &SecretName) -> Result<SecretText, Box<Diagnostic>> {
    let unread = |reason: io::Error| usage(format!("the secret cannot be read: {reason}"));
    let text = if io::stdin().is_terminal() {
        Zeroizing::new(rpassword::prompt_password(format!("{name}: ")).map_err(unread)?)
    } else {
        // Room for all that a secret may have, so that growing leaves no copy of it behind.
        let mut text = Zeroizing::new(String::with_capacity(MAX_BYTES + 64));
        io::stdin().take(MAX_BYTES as u64 + 32).read_to_string(&mut text).map_err(unread)?;
        text
    };
    SecretText::new(text).map_err(|reason| {
        Diagnostic::operator("secret/unusable", format!("this is no secret for `{name}`: {reason}"))
            .into()
    })
}

fn list(
    secrets: &Secrets,
    config: &Path,
    json: bool,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let known = secrets.list().map_err(failed)?;
    let policy = Policy::load(config).map_err(|error| error.diagnostic())?;
    let listed = known.into_iter().map(|(name, source)| {
        let problem = secrets.read(&name, Instant::now() + PATIENCE).err();
        let (word, place) = words(&source);
        Listed {
            granted: granted(&policy, &name),
            name: name.to_string(),
            source: word,
            place,
            ready: problem.is_none(),
            problem: problem.map(|problem| problem.diagnostic()),
        }
    });
    let listing = Listing { secrets: listed.collect() };
    if json {
        output.say_json(&listing);
        return Ok(Exit::Done);
    }
    for one in &listing.secrets {
        let place =
            one.place.as_deref().map_or_else(String::new, |place| format!(" {}", safe(place)));
        output.say(format_args!("{}  {}{place}", paint(BOLD, &one.name), one.source));
        if let Some(problem) = &one.problem {
            output.say(format_args!("  {} {}", paint(WARN, "!"), safe(&problem.message)));
        }
        for Granted { feature, root, host } in &one.granted {
            let root = paint(DIM, format_args!("({})", safe(&root.display().to_string())));
            output.say(format_args!("  {feature} spends it at {host} {root}"));
        }
    }
    if listing.secrets.is_empty() {
        output.tell("no secrets yet; `peasy secret set NAME` keeps one");
    }
    Ok(Exit::Done)
}

fn words(source: &Source) -> (&'static str, Option<String>) {
    match source {
        Source::Environment(variable) => ("env", Some(variable.clone())),
        Source::File(file) => ("file", Some(file.display().to_string())),
        Source::Kept => ("kept", None),
        Source::Keyring => ("keyring", None),
    }
}

fn granted(policy: &Policy, wanted: &SecretName) -> Vec<Granted> {
    let of_name = policy.grants().filter_map(|(feature, root, capability)| match capability {
        Capability::Secret { name, host } if name == wanted => {
            let (feature, host) = (feature.to_string(), host.to_string());
            Some(Granted { feature, root: root.to_owned(), host })
        }
        _ => None,
    });
    of_name.collect()
}

fn remove(
    name: &SecretName,
    secrets: &Secrets,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    if secrets.remove(name).map_err(failed)? {
        output.say(format_args!("{} {} is forgotten", paint(GOOD, "✓"), paint(BOLD, name)));
        return Ok(Exit::Done);
    }
    let known = secrets.list().map_err(failed)?;
    let names: Vec<_> = known.iter().map(|(name, _)| name.to_string()).collect();
    let problem = failed(SecretError::Missing(name.clone()));
    Err(match nearest(name.as_str(), names.iter().map(String::as_str)) {
        Some(near) => {
            let message = problem.message.clone();
            Diagnostic::operator("secret/missing", message).help(format!("did you mean `{near}`?"))
        }
        None => *problem,
    }
    .into())
}
