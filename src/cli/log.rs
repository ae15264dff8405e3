//! `peasy log`: what was recorded of sessions and calls, and whether the record is whole.

use super::output::{BAD, BOLD, DIM, GOOD, Output, count, paint, safe};
use super::progress::Watched;
use super::workspace::{SESSION, folders};
use super::{Exit, usage};
use crate::diagnostic::Diagnostic;
use crate::pod::PodOptions;
use crate::pod::session::entry::{AgentSession, CallEntry};
use crate::pod::session::said::{Notice, ToolResult};
use crate::pod::session::{Body, Entry, Line, Verified, lines, load, verify};
use crate::pod::session::{Reason, Size, sessions, size};
use crate::store::Durability;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Shows, checks and exports the record of sessions and calls.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy log show                  the latest calls
  peasy log show --last 0         all of them
  peasy log show --json | jq -r 'select(.kind == \"act\") | .url'
  peasy log verify                whether the record is whole and agrees with the stores
  peasy log list                  the sessions that there are
  peasy log export --format markdown > session.md")]
pub struct LogArguments {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Debug, Subcommand)]
enum LogCommand {
    /// Show what was recorded, the latest last.
    Show(ShowArguments),
    /// Check every line, side file and hash, that each message of a model is explained, and that log
    /// and stores agree.
    Verify(VerifyArguments),
    /// List sessions: what they hold, and how much.
    List(ListArguments),
    /// Print a session whole, with what lies in files beside it.
    Export(ExportArguments),
}

#[derive(Debug, Args)]
struct ListArguments {
    /// Print JSON instead.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ExportArguments {
    /// Which session.
    #[arg(value_name = "SESSION", default_value = SESSION)]
    session: String,
    /// JSON holds every entry; Markdown is for reading.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "json")]
    format: ExportFormat,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// One array of entries.
    Json,
    /// Headings and text.
    Markdown,
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
        LogCommand::List(arguments) => list(arguments, output),
        LogCommand::Export(arguments) => export(arguments, output),
    }
}

/// The folder of a session, there or not.
///
/// # Errors
///
/// The name is none of a session.
pub(super) fn folder_of(session: &str) -> Result<PathBuf, Box<Diagnostic>> {
    if session.is_empty() || session.starts_with('.') || session.contains(['/', '\\', '\0']) {
        let problem = usage(format!("`{}` is not the name of a session", safe(session)));
        return Err(problem.help("`peasy log list` shows the sessions that there are").into());
    }
    Ok(options(session)?.session_folder())
}

fn options(session: &str) -> Result<PodOptions, Box<Diagnostic>> {
    Ok(PodOptions {
        project: None,
        closed: Vec::new(),
        state: folders()?.state,
        session: session.to_owned(),
        durability: Durability::default(),
        workspace: None,
        secrets: None,
    })
}

/// Where a session that there is lies.
///
/// # Errors
///
/// There is none of that name.
pub(super) fn options_of(session: &str) -> Result<PodOptions, Box<Diagnostic>> {
    if folder_of(session)?.is_dir() {
        return options(session);
    }
    let message = format!("there is no log of the session `{}` yet", safe(session));
    let problem = Diagnostic::operator("log/none", message);
    Err(problem.help("a log is begun by the first `peasy call` or `peasy serve`").into())
}

impl SessionArguments {
    fn options(&self) -> Result<PodOptions, Box<Diagnostic>> {
        options_of(&self.session)
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
    let (mut latest, mut skipped, mut is_found) = (VecDeque::new(), 0, false);
    for read in lines(&folder).map_err(|error| error.diagnostic())? {
        let (line, text) = read.map_err(|error| error.diagnostic())?;
        if !wanted(&line) {
            continue;
        }
        is_found = true;
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
    if let Some(call) = arguments.call.as_ref().filter(|_| !is_found) {
        let message = format!(
            "the log of `{}` holds no call `{}`",
            safe(&arguments.session.session),
            safe(call)
        );
        return Err(Diagnostic::caller("replay/no-call", message)
            .help("`peasy log show` has the ids of calls at the end of their lines")
            .into());
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
        | Entry::Act { call, .. }
        | Entry::Permission { call, .. }
        | Entry::Decision { call, .. } => Some(call),
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
        Entry::Call { call, about, result: Some(result), .. }
        | Entry::Intent { call, about, result, .. } => {
            let arrow = paint(GOOD, "→");
            write!(text, " {} {arrow} {} {}", called(about), short(result), id(call))
        }
        Entry::Call { call, about, failure, .. } => {
            let why = failure.first().map_or_else(String::new, ToString::to_string);
            write!(text, " {} {} {} {}", called(about), paint(BAD, "✗"), safe(&why), id(call))
        }
        Entry::Done { call, notices, recovered } => {
            let how = if *recovered { "found lasting" } else { "lasting" };
            write!(text, " {how} {}", id(call)).and_then(|()| {
                notices
                    .iter()
                    .try_for_each(|notice| write!(text, "\n      for the model: {}", safe(notice)))
            })
        }
        Entry::Void { call, reason } => write!(text, " void: {} {}", safe(reason), id(call)),
        Entry::Act { call, feature, act, begun } => {
            let of =
                begun.as_ref().map_or_else(String::new, |about| format!(" in {}", called(about)));
            write!(text, " {feature} {}{of} {}", safe(&act.to_string()), id(call))
        }
        Entry::Store { feature, change, .. } => {
            write!(text, " the store of {feature} {}", safe(&change.to_string()))
        }
        Entry::Permission { call, tool, verdict, rule, answer, agent } => {
            let word = word_of(verdict);
            let name = paint(BOLD, safe(tool));
            let of = of_agent(agent.as_ref());
            write!(text, "{of} {name} {word} by {}", safe(rule))
                .and_then(|()| match answer {
                    Some(answer) => write!(text, "; the person: {}", word_of(answer)),
                    None => Ok(()),
                })
                .and_then(|()| write!(text, " {}", id(call)))
        }
        Entry::Decision { call, point, hooks, event, decision, answers, agent, .. } => {
            let (of, arrow) = (of_agent(agent.as_ref()), paint(GOOD, "→"));
            let about = about(event, folder);
            write!(text, "{of} {point}{about} {arrow} {} {}", short(decision), id(call)).and_then(
                |()| {
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
                },
            )
        }
        Entry::Cut { bytes } => write!(text, " {bytes} bytes of an unfinished line were cut off"),
        other => write!(text, " {}", said(other)),
    };
    text
}

/// What the event of a tool is about: its name, and the command, path or address where it has one.
fn about(event: &Body, folder: &Path) -> String {
    let event = load(folder, event).unwrap_or_default();
    let Some(tool) = event["tool"].as_str() else { return String::new() };
    let of = ["command", "path", "url"].into_iter().find_map(|name| event[name].as_str());
    let of = of.map_or_else(String::new, |text| format!(" {}", cut(text)));
    format!(" {}{of}", paint(BOLD, safe(tool)))
}

/// A contribution and its input.
fn called(about: &CallEntry) -> String {
    format!("{} {}", paint(BOLD, safe(&about.contribution)), short(&about.input))
}

/// The id of a call, for `--call`, `peasy replay` and the other lines of the same call.
fn id(call: &str) -> String {
    paint(DIM, format_args!("({})", safe(call)))
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
            let by = begin.spawned.as_ref().map_or_else(String::new, |by| {
                let (call, session) = (safe(&by.call), safe(&by.session));
                format!(", started by {} in the call {call} of {session}", by.feature)
            });
            format!("session {} of {}{from}{by}", safe(&begin.session), safe(&begin.front))
        }
        Entry::Resumed(resumed) => format!("resumed by {}", safe(&resumed.front)),
        Entry::Instructions(said) => format!("{} {}", name("instructions"), short(&said.text)),
        Entry::User(said) => format!("{} {}", name("user"), short(&said.content)),
        Entry::Request(request) => {
            let (provider, model) = (safe(&request.provider), safe(&request.model));
            format!("asks {provider} {model} with {}", count(request.facts, "message"))
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
            let (facts, summary) = (count(said.facts, "message"), short(&said.summary));
            format!("{} of {facts}: {summary} {}", name("summary"), why(&said.reason))
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
        Body::Value(Value::String(text)) | Body::Redacted(Value::String(text)) => text.clone(),
        Body::Value(value) | Body::Redacted(value) => value.to_string(),
        Body::File { bytes, .. } => return paint(DIM, format_args!("[{bytes} bytes]")),
    };
    cut(&text)
}

/// The beginning of a text, in one line.
fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    safe(&shown.replace('\n', "⏎"))
}

fn check(arguments: &VerifyArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let options = arguments.session.options()?;
    let stores = options.stores();
    let folder = options.session_folder();
    let mut watched = Watched::bytes("verified", &folder, output);
    let verified = verify(&folder, Some(&stores), &mut |bytes| watched.tell(bytes));
    watched.end();
    let verified = verified.map_err(|error| error.diagnostic())?;
    let exit = if verified.is_sound() { Exit::Done } else { Exit::Failed };
    if arguments.json {
        output.say_json(&verified);
        return Ok(exit);
    }
    let Verified { lines, calls, committed, open, acts, stores, .. } = &verified;
    let Verified { facts, requests, unknown, findings, notes, .. } = &verified;
    for finding in findings {
        let (mark, problem) = (paint(BAD, "✗"), safe(&finding.problem));
        match finding.line {
            0 => output.say(format_args!("{mark} {problem}")),
            line => output.say(format_args!("{mark} line {line}: {problem}")),
        }
    }
    for note in notes {
        output.say(format_args!("{} {}", paint(DIM, "note:"), safe(note)));
    }
    let mut summary = format!(
        "{}, {}, {committed} of them with lasting effects, {}, {open} under way",
        count(*lines, "line"),
        count(*calls, "call"),
        count(*acts, "act"),
    );
    // Writing to a string cannot fail.
    if *requests + *facts > 0 {
        let (facts, requests) = (count(*facts, "fact"), count(*requests, "request"));
        let _ = write!(summary, ", {facts} and {requests} of a model");
    }
    if *unknown > 0 {
        let _ = write!(summary, ", {unknown} entries of a newer version");
    }
    let session = &arguments.session.session;
    let agrees = match stores {
        0 => String::new(),
        1 => " and agrees with the store of its calls".to_owned(),
        stores => format!(" and agrees with the {stores} stores of its calls"),
    };
    let whole = format!("the log of `{}` is whole{agrees}", safe(session));
    match findings.len() {
        0 => output.say(format_args!("{} {whole}: {summary}", paint(GOOD, "✓"))),
        number => {
            let found = count(number, "problem");
            output.say(format_args!("{found} of the log of `{}`: {summary}", safe(session)));
        }
    }
    Ok(exit)
}

/// What `peasy log list` says of one session.
#[derive(Debug, Serialize)]
struct Listed {
    session: String,
    /// The way in of an agent's session.
    #[serde(skip_serializing_if = "Option::is_none")]
    front: Option<String>,
    /// The session that it was forked off.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<String>,
    lines: u64,
    calls: u64,
    requests: u64,
    /// Tokens that models read and wrote.
    tokens: u64,
    #[serde(flatten)]
    size: Size,
}

fn list(arguments: &ListArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let all = options(SESSION)?.session_folder();
    let all = all.parent().unwrap_or(&all);
    let failed = |reason: std::io::Error| {
        Diagnostic::operator("log/failed", format!("`{}` cannot be read: {reason}", all.display()))
    };
    let mut listed = Vec::new();
    for session in sessions(all).map_err(failed)? {
        let folder = all.join(&session);
        let size = size(&folder).map_err(failed)?;
        listed.push(look_at(session, &folder, size)?);
    }
    listed.sort_by_key(|one| std::cmp::Reverse(one.size.written));
    if arguments.json {
        output.say_json(&listed);
        return Ok(Exit::Done);
    }
    if listed.is_empty() {
        output.tell(
            "there is no session yet; a log is begun by the first `peasy call` or `peasy serve`",
        );
    }
    for Listed { session, front, parent, lines, calls, requests, tokens, size } in &listed {
        let time = jiff::Timestamp::from_millisecond(size.written).map(|time| time.to_string());
        let (lines, calls) = (count(*lines, "line"), count(*calls, "call"));
        let mut text = format!("{} {lines}, {calls}", paint(BOLD, safe(session)));
        // Writing to a string cannot fail.
        if *requests > 0 {
            let (requests, tokens) = (count(*requests, "request"), count(*tokens, "token"));
            let _ = write!(text, ", {requests}, {tokens}");
        }
        if let Some(front) = front {
            let _ = write!(text, ", of {}", safe(front));
        }
        if let Some(parent) = parent {
            let _ = write!(text, ", from {}", safe(parent));
        }
        let kib = (size.log + size.bodies).div_ceil(1024);
        let about = format_args!("{kib} KiB, {}", time.unwrap_or_default());
        output.say(format_args!("{text} {}", paint(DIM, about)));
    }
    Ok(Exit::Done)
}

fn look_at(session: String, folder: &Path, size: Size) -> Result<Listed, Box<Diagnostic>> {
    let (front, parent) = (None, None);
    let (lines, calls, requests, tokens) = (0, 0, 0, 0);
    let mut listed = Listed { session, front, parent, lines, calls, requests, tokens, size };
    for read in self::lines(folder).map_err(|error| error.diagnostic())? {
        let (line, _) = read.map_err(|error| error.diagnostic())?;
        listed.lines += 1;
        match line.entry {
            Entry::Call { .. } | Entry::Intent { .. } => listed.calls += 1,
            Entry::Request(_) => listed.requests += 1,
            Entry::Usage(usage) => listed.tokens += usage.input + usage.output,
            Entry::Session(begin) => {
                listed.front = Some(begin.front);
                listed.parent = begin.parent.map(|parent| parent.session);
            }
            _ => (),
        }
    }
    Ok(listed)
}

fn export(arguments: &ExportArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let folder = options_of(&arguments.session)?.session_folder();
    let read = lines(&folder).map_err(|error| error.diagnostic())?;
    match arguments.format {
        ExportFormat::Json => {
            // Entry by entry: a log may be longer than memory.
            let mut before = "[";
            for line in read {
                let (_, text) = line.map_err(|error| error.diagnostic())?;
                let mut entry: Value = serde_json::from_str(&text).unwrap_or_default();
                unfold(&mut entry, &folder)?;
                output.say_result(&format!("{before}{entry}"));
                before = ",";
            }
            output.say_result(if before == "[" { "[]" } else { "]" });
        }
        ExportFormat::Markdown => {
            output.say_result(&format!("# Session {}", safe(&arguments.session)));
            for line in read {
                let (line, _) = line.map_err(|error| error.diagnostic())?;
                if let Some(text) = paragraph(&line, &folder)? {
                    output.say_result(&format!("\n{}", text.trim_end()));
                }
            }
        }
    }
    Ok(Exit::Done)
}

/// Puts values in the place of the bodies of an entry.
fn unfold(value: &mut Value, folder: &Path) -> Result<(), Box<Diagnostic>> {
    const BODIES: [&str; 15] = [
        "input",
        "result",
        "heard",
        "kept",
        "features",
        "descriptor",
        "source",
        "text",
        "content",
        "tools",
        "settings",
        "opaque",
        "arguments",
        "shown",
        "summary",
    ];
    // Lists of entries that have bodies themselves.
    const LISTS: [&str; 2] = ["features", "calls"];
    let Some(fields) = value.as_object_mut() else { return Ok(()) };
    if let Some(begun) = fields.get_mut("begun") {
        unfold(begun, folder)?;
    }
    for (name, field) in fields.iter_mut() {
        let is_body = field.as_object().is_some_and(|body| {
            body.len() == 1 && (body.contains_key("value") || body.contains_key("file"))
        });
        if is_body
            && BODIES.contains(&name.as_str())
            && let Ok(body) = serde_json::from_value::<Body>(field.clone())
        {
            *field = load(folder, &body).map_err(|error| error.diagnostic())?;
        }
        if LISTS.contains(&name.as_str()) {
            for part in field.as_array_mut().into_iter().flatten() {
                unfold(part, folder)?;
            }
        }
    }
    Ok(())
}

/// An entry as a paragraph of Markdown, which a blank line parts from the one before; `None` for what says
/// nothing to a reader.
fn paragraph(line: &Line, folder: &Path) -> Result<Option<String>, Box<Diagnostic>> {
    let value = |body: &Body| load(folder, body).map_err(|error| error.diagnostic());
    let plain = |body: &Body| -> Result<String, Box<Diagnostic>> {
        Ok(match value(body)? {
            Value::String(text) => text,
            other => fenced(&serde_json::to_string_pretty(&other).unwrap_or_default(), "json"),
        })
    };
    let call = |about: &CallEntry, came: String| -> Result<String, Box<Diagnostic>> {
        let input = serde_json::to_string_pretty(&value(&about.input)?).unwrap_or_default();
        let input = fenced(&input, "json");
        Ok(format!("### `{}`\n\n{input}\n\n{came}", about.contribution))
    };
    Ok(Some(match &line.entry {
        Entry::Instructions(said) => format!("## Instructions\n\n{}", plain(&said.text)?),
        Entry::User(said) => format!("## User\n\n{}", plain(&said.content)?),
        Entry::Assistant(said) => {
            let calls = said.calls.iter().map(|call| {
                Ok(format!("- calls `{}` with `{}`\n", call.tool, value(&call.arguments)?))
            });
            let calls = calls.collect::<Result<String, Box<Diagnostic>>>()?;
            let text = plain(&said.text)?;
            let parts = ["## Assistant", text.trim_end(), calls.trim_end()];
            let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
            parts.join("\n\n")
        }
        Entry::ToolResult(said) => match &said.shown {
            Some(shown) => format!("Result: {}", plain(shown)?),
            None => return Ok(None),
        },
        Entry::Notice(said) => match &said.text {
            Some(text) => format!("> {}", plain(text)?.replace('\n', "\n> ")),
            None => return Ok(None),
        },
        Entry::Compaction(said) => {
            let facts = count(said.facts, "message");
            format!("## Summary of {facts}\n\n{}", plain(&said.summary)?)
        }
        Entry::Call { about, result: Some(result), .. } | Entry::Intent { about, result, .. } => {
            call(about, plain(result)?)?
        }
        Entry::Call { about, failure, .. } => {
            let why: Vec<_> = failure.iter().map(ToString::to_string).collect();
            call(about, fenced(&why.join("\n"), "text"))?
        }
        Entry::Done { notices, .. } if !notices.is_empty() => {
            let notices = notices.iter().map(|text| format!("> {}", text.replace('\n', "\n> ")));
            notices.collect::<Vec<_>>().join("\n\n")
        }
        Entry::Act { feature, act, .. } => format!("- `{feature}` {act}"),
        Entry::Store { feature, change, .. } => format!("- the store of `{feature}` {change}"),
        _ => return Ok(None),
    }))
}

/// A block that its text cannot end.
fn fenced(text: &str, kind: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest + 1));
    format!("{fence}{kind}\n{text}\n{fence}")
}
