//! `peasy log`: what was recorded of calls, and whether the record is whole.

use super::Exit;
use super::output::{BAD, BOLD, DIM, GOOD, Output, count, paint, safe};
use super::workspace::{SESSION, folders};
use crate::diagnostic::Diagnostic;
use crate::pod::PodOptions;
use crate::pod::session::entry::AgentSession;
use crate::pod::session::{Body, Entry, Line, Verified, read_lines, verify};
use crate::store::Durability;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write;

/// Shows and checks the record of calls.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy log show                  the latest calls
  peasy log show --last 0         all of them
  peasy log show --json | jq -r 'select(.kind == \"act\") | .url'
  peasy log verify                whether the record is whole and agrees with the stores")]
pub struct LogArguments {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Show what was recorded, the latest last.
    Show(ShowArguments),
    /// Check every line, side file and hash, and that log and stores agree.
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
struct SessionArguments {
    /// Which session's log.
    #[arg(long, value_name = "NAME", default_value = SESSION)]
    session: String,
}

#[derive(Debug, Args)]
struct ShowArguments {
    #[command(flatten)]
    session: SessionArguments,
    /// How many of the latest lines; 0 shows all.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    last: usize,
    /// Only lines of one call.
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// Print the lines as they are, one JSON object a line.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct VerifyArguments {
    #[command(flatten)]
    session: SessionArguments,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
}

/// Shows or checks.
///
/// # Errors
///
/// There is no such log, or it cannot be read.
pub fn run(arguments: &LogArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    match &arguments.command {
        LogCommand::Show(arguments) => show(arguments, output),
        LogCommand::Verify(arguments) => check(arguments, output),
    }
}

impl SessionArguments {
    fn options(&self) -> Result<PodOptions, Box<Diagnostic>> {
        let options = PodOptions {
            project: None,
            closed: Vec::new(),
            state: folders()?.state,
            session: self.session.clone(),
            durability: Durability::default(),
            workspace: None,
            secrets: None,
        };
        if options.session_folder().is_dir() {
            return Ok(options);
        }
        let message = format!("there is no log of the session `{}` yet", safe(&self.session));
        let problem = Diagnostic::operator("log/none", message);
        Err(problem.help("a log is begun by the first `peasy call` or `peasy serve`").into())
    }
}

fn show(arguments: &ShowArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let options = arguments.session.options()?;
    let wanted = |line: &Line| match &arguments.call {
        Some(call) => call_of(&line.entry) == Some(call),
        None => true,
    };
    let lines = read_lines(&options.session_folder()).map_err(|error| error.diagnostic())?;
    let lines: Vec<_> = lines.into_iter().filter(|(line, _)| wanted(line)).collect();
    let skipped = match arguments.last {
        0 => 0,
        last => lines.len().saturating_sub(last),
    };
    for (line, text) in &lines[skipped..] {
        if arguments.json {
            output.say_result(text);
        } else {
            output.say(sentence(line));
        }
    }
    if skipped > 0 && !arguments.json {
        let hint = format!("{} before; `--last 0` shows all", count(skipped, "line"));
        output.tell(paint(DIM, hint));
    }
    Ok(Exit::Done)
}

fn call_of(entry: &Entry) -> Option<&String> {
    match entry {
        Entry::Call { call, .. }
        | Entry::Intent { call, .. }
        | Entry::Done { call, .. }
        | Entry::Void { call, .. }
        | Entry::Act { call, .. }
        | Entry::Permission { call, .. }
        | Entry::Decision { call, .. } => Some(call),
        Entry::Open { .. } | Entry::Catalog { .. } | Entry::Cut { .. } => None,
    }
}

/// Most characters of a value that are shown.
const SHOWN: usize = 60;

/// One line for a person.
fn sentence(line: &Line) -> String {
    let time = jiff::Timestamp::from_millisecond(line.at).map(|time| time.to_string());
    let mut text = paint(DIM, format_args!("{:>5} {}", line.n, time.unwrap_or_default()));
    // Writing to a string cannot fail.
    let _ = match &line.entry {
        Entry::Open { version, durability, .. } => {
            write!(text, " opened by peasy {} ({})", safe(version), safe(durability))
        }
        Entry::Catalog { features, .. } => {
            let names: Vec<_> = features.iter().map(|one| one.feature.to_string()).collect();
            write!(text, " features: {}", names.join(", "))
        }
        Entry::Call { about, result: Some(result), .. } => {
            let name = paint(BOLD, safe(&about.contribution));
            write!(text, " {name} {} {} {}", short(&about.input), paint(GOOD, "→"), short(result))
        }
        Entry::Call { about, failure, .. } => {
            let name = paint(BOLD, safe(&about.contribution));
            let why = failure.first().map_or_else(String::new, ToString::to_string);
            write!(text, " {name} {} {} {}", short(&about.input), paint(BAD, "✗"), safe(&why))
        }
        Entry::Intent { call, about, result, .. } => {
            let name = paint(BOLD, safe(&about.contribution));
            let arrow = paint(GOOD, "→");
            write!(text, " {name} {} {arrow} {}", short(&about.input), short(result))
                .and_then(|()| write!(text, " {}", paint(DIM, format_args!("({})", safe(call)))))
        }
        Entry::Done { call, notices, recovered } => {
            let how = if *recovered { "found lasting" } else { "lasting" };
            write!(text, " {how} {}", paint(DIM, format_args!("({})", safe(call)))).and_then(|()| {
                notices
                    .iter()
                    .try_for_each(|notice| write!(text, "\n      for the model: {}", safe(notice)))
            })
        }
        Entry::Void { call, reason } => {
            write!(text, " void: {} {}", safe(reason), paint(DIM, format_args!("({})", safe(call))))
        }
        Entry::Act { feature, act, .. } => {
            write!(text, " {feature} {}", safe(&act.to_string()))
        }
        Entry::Permission { tool, verdict, rule, answer, agent, .. } => {
            let word = word_of(verdict);
            let name = paint(BOLD, safe(tool));
            let of = of_agent(agent.as_ref());
            write!(text, "{of} {name} {word} by {}", safe(rule)).and_then(|()| match answer {
                Some(answer) => write!(text, "; the person: {}", word_of(answer)),
                None => Ok(()),
            })
        }
        Entry::Decision { point, hooks, decision, answers, agent, .. } => {
            let (of, arrow) = (of_agent(agent.as_ref()), paint(GOOD, "→"));
            write!(text, "{of} {point} {arrow} {}", short(decision)).and_then(|()| {
                let answers: Vec<_> = answers.iter().map(word_of).collect();
                if !answers.is_empty() {
                    write!(text, "; the person: {}", answers.join(", "))?;
                }
                hooks.iter().try_for_each(|one| {
                    let name = paint(BOLD, safe(&one.hook));
                    write!(text, "\n      {name} of {}: ", one.feature)?;
                    match (&one.decision, one.failure.first()) {
                        (Some(made), _) => write!(text, "{}", short(made)),
                        (None, why) => {
                            let why = why.map_or_else(String::new, ToString::to_string);
                            write!(text, "{} {}", paint(BAD, "✗"), safe(&why))
                        }
                    }
                })
            })
        }
        Entry::Cut { bytes } => write!(text, " {bytes} bytes of an unfinished line were cut off"),
    };
    text
}

/// Whose event it was, where it was one of another agent.
fn of_agent(agent: Option<&AgentSession>) -> String {
    agent.map_or_else(String::new, |agent| format!(" {}", safe(&agent.name)))
}

/// The word by which a plain value is written in the log.
fn word_of(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

fn short(body: &Body) -> String {
    let text = match body {
        Body::Value(Value::String(text)) => text.clone(),
        Body::Value(value) => value.to_string(),
        Body::File { bytes, .. } => return paint(DIM, format_args!("[{bytes} bytes]")),
    };
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    safe(&shown)
}

fn check(arguments: &VerifyArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let options = arguments.session.options()?;
    let stores = options.stores();
    let verified = verify(&options.session_folder(), Some(&stores));
    let verified = verified.map_err(|error| error.diagnostic())?;
    let exit = if verified.is_sound() { Exit::Done } else { Exit::Failed };
    if arguments.json {
        output.say_json(&verified);
        return Ok(exit);
    }
    let Verified { lines, calls, committed, open, acts, findings } = &verified;
    for finding in findings {
        output.say(format_args!(
            "{} line {}: {}",
            paint(BAD, "✗"),
            finding.line,
            safe(&finding.problem)
        ));
    }
    let summary = format!(
        "{lines} lines, {calls} calls, {committed} of them with lasting effects, {acts} acts, {open} under way"
    );
    match findings.len() {
        0 => output.say(format_args!("{} the log is whole: {summary}", paint(GOOD, "✓"))),
        _ => output.say(format_args!("{}: {summary}", count(findings.len(), "problem"))),
    }
    Ok(exit)
}
