//! `peasy log`: what was recorded of calls, and whether the record is whole.

use super::Exit;
use super::output::{BAD, BOLD, DIM, GOOD, Output, count, paint, safe};
use super::workspace::{SESSION, folders};
use crate::diagnostic::Diagnostic;
use crate::pod::PodOptions;
use crate::pod::session::Reason;
use crate::pod::session::said::{Notice, ToolResult};
use crate::pod::session::{Body, Entry, Line, Verified, lines, load, verify};
use crate::store::Durability;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt::Write;
use std::path::Path;

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
    let folder = options.session_folder();
    let mut print = |line: &Line, text: &str| match arguments.json {
        true => output.say_result(text),
        false => output.say(sentence(line, &folder)),
    };
    let (mut latest, mut skipped) = (VecDeque::new(), 0);
    for read in lines(&folder).map_err(|error| error.diagnostic())? {
        let (line, text) = read.map_err(|error| error.diagnostic())?;
        if !wanted(&line) {
            continue;
        }
        if arguments.last == 0 {
            print(&line, &text);
            continue;
        }
        if latest.len() == arguments.last {
            latest.pop_front();
            skipped += 1;
        }
        latest.push_back((line, text));
    }
    latest.iter().for_each(|(line, text)| print(line, text));
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
        | Entry::Act { call, .. } => Some(call),
        Entry::ToolResult(ToolResult { reason: Reason::Call(call), .. })
        | Entry::Notice(Notice { reason: Reason::Sent(call, _), .. }) => Some(call),
        _ => None,
    }
}

/// Most characters of a value that are shown.
const SHOWN: usize = 60;

/// One line for a person.
fn sentence(line: &Line, folder: &Path) -> String {
    let time = jiff::Timestamp::from_millisecond(line.at).map(|time| time.to_string());
    let mut text = paint(DIM, format_args!("{:>5} {}", line.n, time.unwrap_or_default()));
    // Writing to a string cannot fail.
    let _ = match &line.entry {
        Entry::Open { version, durability, .. } => {
            write!(text, " opened by peasy {} ({})", safe(version), safe(durability))
        }
        Entry::Catalog { features, .. } => {
            write!(text, " features: {}", safe(&names_of(features, folder)))
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
        Entry::Cut { bytes } => write!(text, " {bytes} bytes of an unfinished line were cut off"),
        other => write!(text, " {}", said(other)),
    };
    text
}

/// The ids of the features of a catalog.
fn names_of(features: &Body, folder: &Path) -> String {
    let features = load(folder, features).unwrap_or_default();
    let names = features.as_array().into_iter().flatten().filter_map(|one| one["feature"].as_str());
    names.collect::<Vec<_>>().join(", ")
}

/// What an entry of an agent's session says.
fn said(entry: &Entry) -> String {
    let name = |text: &str| paint(BOLD, text);
    let why = |reason: &Reason| match reason {
        Reason::Call(call) => paint(DIM, format_args!("({})", safe(call))),
        Reason::Sent(call, index) => {
            paint(DIM, format_args!("(text {} of {})", index + 1, safe(call)))
        }
        Reason::Request(line) => paint(DIM, format_args!("(request {line})")),
        Reason::Host(what) => paint(DIM, format_args!("({})", safe(what))),
    };
    match entry {
        Entry::Session(begin) => {
            let from = begin.parent.as_ref().map_or_else(String::new, |parent| {
                format!(", from line {} of {}", parent.line, safe(&parent.session))
            });
            format!("session {} of {}{from}", safe(&begin.session), safe(&begin.front))
        }
        Entry::Resumed(resumed) => format!("resumed by {}", safe(&resumed.front)),
        Entry::Instructions(said) => format!("{} {}", name("instructions"), short(&said.text)),
        Entry::User(said) => format!("{} {}", name("user"), short(&said.content)),
        Entry::Request(request) => {
            let (provider, model) = (safe(&request.provider), safe(&request.model));
            format!("asks {provider} {model} with {} messages", request.facts)
        }
        Entry::Assistant(said) => {
            let tools: Vec<_> = said.calls.iter().map(|call| safe(&call.tool)).collect();
            let calls = if tools.is_empty() {
                String::new()
            } else {
                format!(" calls {}", tools.join(", "))
            };
            format!("{} {}{calls}", name("assistant"), short(&said.text))
        }
        Entry::ToolResult(said) => {
            let shown = said.shown.as_ref().map_or_else(String::new, |shown| short(shown) + " ");
            format!("{} {shown}{}", name("result"), why(&said.reason))
        }
        Entry::Notice(said) => {
            let text = said.text.as_ref().map_or_else(String::new, |text| short(text) + " ");
            format!("{} {text}{}", name("notice"), why(&said.reason))
        }
        Entry::Compaction(said) => {
            let (facts, summary) = (said.facts, short(&said.summary));
            format!("{} of {facts} messages: {summary} {}", name("summary"), why(&said.reason))
        }
        Entry::Usage(usage) => format!("{} tokens in, {} out", usage.input, usage.output),
        Entry::TurnEnd(end) => format!("the turn ends: {}", safe(&end.why)),
        Entry::Trouble(trouble) => {
            let why = trouble.failure.first().map_or_else(String::new, ToString::to_string);
            format!("{} {}", paint(BAD, "✗"), safe(&why))
        }
        _ => "an entry of a newer version of peasy".to_owned(),
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
    let verified = verify(&options.session_folder(), Some(&stores), &mut |_| ());
    let verified = verified.map_err(|error| error.diagnostic())?;
    let exit = if verified.is_sound() { Exit::Done } else { Exit::Failed };
    if arguments.json {
        output.say_json(&verified);
        return Ok(exit);
    }
    let Verified { lines, calls, committed, open, acts, facts, requests, unknown, findings } =
        &verified;
    for finding in findings {
        output.say(format_args!(
            "{} line {}: {}",
            paint(BAD, "✗"),
            finding.line,
            safe(&finding.problem)
        ));
    }
    let mut summary = format!(
        "{lines} lines, {calls} calls, {committed} of them with lasting effects, {acts} acts, {open} under way"
    );
    // Writing to a string cannot fail.
    if *requests + *facts > 0 {
        let _ = write!(summary, ", {facts} facts and {requests} requests of a model");
    }
    if *unknown > 0 {
        let _ = write!(summary, ", {unknown} entries of a newer version");
    }
    match findings.len() {
        0 => output.say(format_args!("{} the log is whole: {summary}", paint(GOOD, "✓"))),
        _ => output.say(format_args!("{}: {summary}", count(findings.len(), "problem"))),
    }
    Ok(exit)
}
