//! `peasy replay`: what a session was, proved from its log, and recorded calls run again.

use super::Exit;
use super::log::{folder_of, options_of};
use super::output::{BAD, BOLD, DIM, GOOD, Output, WARN, count, paint, safe};
use super::policy::did_you_mean;
use super::progress::Watched;
use super::workspace::{self, SESSION};
use super::{LimitArguments, usage};
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::id::FeatureId;
use crate::pod::PodOptions;
use crate::pod::session::{
    Content, Entry, Finding, Line, Message, SessionError, lines, sessions, transcript, verify,
};
use crate::script::runtime::ScriptFeature;
use crate::workspace::replay::{Came, ReplayError, Replayed, Replayer, Verdict};
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

/// Proves what a session was, or runs recorded calls again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy replay                          the transcript of the session, each message with its reason
  peasy replay --calls                  run every recorded call again and compare
  peasy replay 18f3a2c1d-4              run one call again and show what differs
  peasy replay --with edited.rhai       what an edited feature would have given over the recorded calls

Nothing is sent, started or written: a call gets what it got when it was recorded.

Exit codes: 0 all is as recorded, 1 something differs or is not explained, 2 wrong use.")]
pub struct ReplayArguments {
    /// A session, or the id of a call as `peasy log show --json` has it.
    #[arg(value_name = "SESSION|CALL")]
    what: Option<String>,
    /// Run the recorded calls of this feature with the file in its place.
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// Run every recorded call of the session again.
    #[arg(long, conflicts_with = "with")]
    calls: bool,
    /// Show also what is the same.
    #[arg(long)]
    all: bool,
    /// The transcript as the model saw it after this line of the log.
    #[arg(long, value_name = "LINE", conflicts_with_all = ["with", "calls"])]
    at: Option<u64>,
    /// The session that a call is looked for in; in all of them where none is named.
    #[arg(long, value_name = "NAME")]
    session: Option<String>,
    /// Print what came of it as JSON.
    #[arg(long)]
    json: bool,
}

/// Replays.
///
/// # Errors
///
/// There is no such session or call, or it cannot be read.
pub fn run(arguments: &ReplayArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let named = arguments.what.as_deref();
    let is_session = |name: &str| folder_of(name).is_ok_and(|folder| folder.is_dir());
    match named {
        Some(call) if !is_session(call) => {
            if arguments.with.is_some() || arguments.calls || arguments.at.is_some() {
                return Err(no_session(call).into());
            }
            one(call, arguments, output)
        }
        named => {
            let name = named.or(arguments.session.as_deref()).unwrap_or(SESSION);
            let options = there_is(name)?;
            match &arguments.with {
                Some(file) => edited(file, &options, arguments, output),
                None if arguments.calls => every(&options, arguments, output),
                None => prove(&options, arguments, output),
            }
        }
    }
}

/// A session that there is.
fn there_is(name: &str) -> Result<PodOptions, Box<Diagnostic>> {
    match folder_of(name)?.is_dir() {
        true => options_of(name),
        false => Err(no_session(name).into()),
    }
}

fn no_session(name: &str) -> Diagnostic {
    let problem = Diagnostic::caller("log/none", format!("there is no session `{}`", safe(name)));
    tell_sessions(problem, name)
}

/// Says which sessions there are, and which of them was probably meant.
fn tell_sessions(problem: Diagnostic, given: &str) -> Diagnostic {
    let names = names().unwrap_or_default();
    if names.is_empty() {
        return problem.help(
            "nothing is on record yet; a log is begun by the first `peasy call` or `peasy serve`",
        );
    }
    let problem = match nearest(given, names.iter().map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean the session `{}`?", safe(near))),
        None => problem,
    };
    let shown: Vec<_> = names.iter().take(LISTED).map(|name| format!("`{}`", safe(name))).collect();
    let more = if names.len() > LISTED { ", …; `peasy log list` shows all" } else { "" };
    problem.help(format!("there are the sessions {}{more}", shown.join(", ")))
}

/// The sessions that there are, that of calls without a name first.
fn names() -> Result<Vec<String>, Box<Diagnostic>> {
    let usual = folder_of(SESSION)?;
    let all = usual.parent().unwrap_or(&usual);
    let mut names = sessions(all).map_err(|reason| {
        let message = format!("`{}` cannot be read: {reason}", all.display());
        Diagnostic::operator("log/failed", message)
    })?;
    names.sort_by_key(|name| name != SESSION);
    Ok(names)
}

/// What `--json` prints of a session.
#[derive(Serialize)]
struct Proof<'a> {
    session: &'a str,
    /// Whether the log is whole and explains every message.
    ok: bool,
    findings: Vec<Finding>,
    messages: Vec<Message>,
}

fn prove(
    options: &PodOptions,
    arguments: &ReplayArguments,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let folder = options.session_folder();
    let stores = options.stores();
    let mut watched = Watched::bytes("verified", &folder, output);
    let verified = verify(&folder, Some(&stores), &mut |bytes| watched.tell(bytes));
    watched.end();
    let verified = verified.map_err(|error| error.diagnostic())?;
    let messages = match transcript(&folder, arguments.at) {
        Ok(messages) => Some(messages),
        Err(SessionError::None(_)) => None,
        Err(error) => return Err(error.diagnostic().into()),
    };
    let exit = if verified.is_sound() { Exit::Done } else { Exit::Failed };
    if arguments.json {
        let messages = messages.into_iter().flatten().collect::<Result<Vec<_>, _>>();
        let messages = messages.map_err(|error| error.diagnostic())?;
        let (ok, findings) = (verified.is_sound(), verified.findings);
        output.say_json(&Proof { session: &options.session, ok, findings, messages });
        return Ok(exit);
    }
    let number = messages.as_ref().map(|messages| messages.len());
    for message in messages.into_iter().flatten() {
        say_message(&message.map_err(|error| error.diagnostic())?, output);
    }
    for finding in &verified.findings {
        let (line, problem) = (finding.line, safe(&finding.problem));
        output.say(format_args!("{} line {line}: {problem}", paint(BAD, "✗")));
    }
    let calls = count(verified.calls, "call");
    match (verified.is_sound(), number) {
        (false, _) => output.say(count(verified.findings.len(), "problem")),
        (true, Some(number)) => output.say(format_args!(
            "{} {} of the model, each explained by the log",
            paint(GOOD, "✓"),
            count(number, "message")
        )),
        (true, None) => output.say(format_args!(
            "{} the log is whole; it holds {calls} and no session of an agent",
            paint(GOOD, "✓")
        )),
    }
    Ok(exit)
}

fn say_message(message: &Message, output: &mut Output) {
    let (role, text) = match &message.content {
        Content::Instructions { text } => ("instructions", text.clone()),
        Content::User { content: Value::String(text) } => ("user", text.clone()),
        Content::User { content } => ("user", content.to_string()),
        Content::Assistant { text, calls, .. } => {
            let calls = calls.iter().map(|call| format!("{} {}", call.tool, call.arguments));
            let parts: Vec<_> =
                (!text.is_empty()).then(|| text.clone()).into_iter().chain(calls).collect();
            ("assistant", parts.join("\n"))
        }
        Content::ToolResult { shown: Value::String(text), .. } => ("result", text.clone()),
        Content::ToolResult { shown, .. } => ("result", shown.to_string()),
        Content::Notice { text } => ("notice", text.clone()),
        Content::Summary { text, .. } => ("summary", text.clone()),
    };
    let place = message.session.as_ref().map_or_else(String::new, |name| safe(name) + ":");
    let redacted = if message.redacted { ", and a secret was taken out of it" } else { "" };
    let because = format!("{place}{} — {}{redacted}", message.line, safe(&message.because));
    output.say(format_args!("{} {}", paint(BOLD, role), paint(DIM, because)));
    text.lines().for_each(|line| output.say(format_args!("  {}", safe(line))));
}

fn one(
    call: &str,
    arguments: &ReplayArguments,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let among = match &arguments.session {
        Some(name) => {
            there_is(name)?;
            vec![name.clone()]
        }
        None => names()?,
    };
    let mut found = None;
    for name in &among {
        match Replayer::new(&options_of(name)?.session_folder()).call(call) {
            Err(ReplayError::NoCall(_)) => (),
            other => {
                found = Some(other.map_err(|error| error.diagnostic())?);
                break;
            }
        }
    }
    let Some(replayed) = found else {
        return Err(no_call(call, arguments.session.as_deref(), &among).into());
    };
    if arguments.json {
        output.say_json(&replayed);
    } else {
        say(&replayed, true, output);
    }
    Ok(exit_of(&replayed.verdict))
}

/// What is said of a name that is neither a session nor a call.
fn no_call(given: &str, session: Option<&str>, among: &[String]) -> Diagnostic {
    let shown = safe(given);
    let problem = match session {
        Some(one) => format!("the session `{}` holds no call `{shown}` that is over", safe(one)),
        None => {
            format!("there is no session `{shown}`, and no recorded call of that id that is over")
        }
    };
    let problem = Diagnostic::caller("replay/no-call", problem);
    let Some(session) = among.first() else { return tell_sessions(problem, given) };
    let latest = latest_calls(session).unwrap_or_default();
    let problem = match latest.is_empty() {
        true => problem,
        false => problem.help(format!(
            "the latest calls of `{}` are {}",
            safe(session),
            latest.join(", ")
        )),
    };
    tell_sessions(problem, given)
}

/// The ids of the latest calls of a session that are over, each with what was called.
fn latest_calls(session: &str) -> Result<Vec<String>, Box<Diagnostic>> {
    let folder = options_of(session)?.session_folder();
    let mut latest = VecDeque::new();
    for line in lines(&folder).map_err(|error| error.diagnostic())? {
        if let Ok((Line { entry: Entry::Call { call, about, .. }, .. }, _))
        | Ok((Line { entry: Entry::Intent { call, about, .. }, .. }, _)) = line
        {
            if latest.len() == LISTED {
                latest.pop_front();
            }
            latest.push_back(format!("`{}` ({})", safe(&call), safe(&about.contribution)));
        }
    }
    Ok(latest.into())
}

/// How many names or calls a message lists.
const LISTED: usize = 5;

fn every(
    options: &PodOptions,
    arguments: &ReplayArguments,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let mut told = Told::new(arguments);
    let mut watched = Watched::lines("replayed", output);
    let replayed = Replayer::new(&options.session_folder())
        .all(|replayed| told.take(replayed, output), &mut |line| watched.tell(line));
    watched.end();
    replayed.map_err(|error| error.diagnostic())?;
    Ok(told.end("as recorded", output))
}

fn edited(
    file: &std::path::Path,
    options: &PodOptions,
    arguments: &ReplayArguments,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let feature = read(file, output)?;
    let mut replayer = Replayer::new(&options.session_folder());
    let called = replayer.called().map_err(|error| error.diagnostic())?;
    let of = whose(&feature, &called)?;
    let mut told = Told::new(arguments);
    let mut watched = Watched::lines("replayed", output);
    let replayed =
        replayer.with(feature, &of, |replayed| told.take(replayed, output), &mut |line| {
            watched.tell(line);
        });
    watched.end();
    replayed.map_err(|error| error.diagnostic())?;
    Ok(told.end(&format!("of {of} would be the same"), output))
}

/// Reads the edited feature.
fn read(
    file: &std::path::Path,
    output: &mut Output,
) -> Result<Arc<ScriptFeature>, Box<Diagnostic>> {
    let workspace = workspace::read(&[file.to_owned()], &LimitArguments::default())?;
    workspace.require_some()?;
    let [read] = workspace.features.as_slice() else {
        return Err(usage("`--with` takes one feature").help("name its file").into());
    };
    if let Some(feature) = &read.feature {
        return Ok(Arc::clone(feature));
    }
    workspace::tell_broken(&workspace, output);
    let problem = read.errors().next().cloned();
    Err(problem.unwrap_or_else(|| usage("the feature cannot be read")).into())
}

type Calls = BTreeMap<FeatureId, BTreeSet<String>>;

/// The feature of the record that the edited one stands for: that of its id, or of its name, or the one
/// that its tools and hooks were called of.
fn whose(feature: &ScriptFeature, called: &Calls) -> Result<FeatureId, Box<Diagnostic>> {
    let descriptor = &feature.script().descriptor;
    let id = &descriptor.id;
    if called.contains_key(id) {
        return Ok(id.clone());
    }
    let declared = || {
        let tools = descriptor.tools.iter().map(|tool| tool.name.as_str());
        tools.chain(descriptor.hooks.iter().map(|hook| hook.name.as_str()))
    };
    let named: Vec<_> = called.keys().filter(|known| known.name() == id.name()).collect();
    let shared: Vec<_> = called
        .iter()
        .filter(|(_, names)| declared().any(|name| names.contains(name)))
        .map(|(known, _)| known)
        .collect();
    match (named.as_slice(), shared.as_slice()) {
        ([one], _) | ([], [one]) => Ok((*one).clone()),
        _ => {
            let problem = usage(format!("no call of `{id}` is on record"));
            let names: Vec<_> = called.keys().map(ToString::to_string).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            Err(did_you_mean(problem, &id.to_string(), &names).into())
        }
    }
}

/// What is told of many calls.
struct Told<'a> {
    arguments: &'a ReplayArguments,
    same: usize,
    differing: usize,
    unknown: usize,
    left_out: usize,
}

impl<'a> Told<'a> {
    fn new(arguments: &'a ReplayArguments) -> Self {
        Self { arguments, same: 0, differing: 0, unknown: 0, left_out: 0 }
    }

    fn take(&mut self, replayed: Replayed, output: &mut Output) {
        match &replayed.verdict {
            Verdict::Same => self.same += 1,
            Verdict::Differs => self.differing += 1,
            Verdict::Unknown { .. } => self.unknown += 1,
            Verdict::NotReplayable { .. } => self.left_out += 1,
        }
        let is_shown = self.arguments.all || replayed.verdict != Verdict::Same;
        if self.arguments.json {
            // One object a line, as they come: a record may be long.
            if is_shown {
                output.say_result(&serde_json::to_string(&replayed).unwrap_or_default());
            }
        } else if is_shown {
            say(&replayed, self.arguments.all, output);
        }
    }

    fn end(self, same: &str, output: &mut Output) -> Exit {
        let Self { same: number, differing, unknown, left_out, .. } = self;
        let mut parts = vec![format!("{} {same}", count(number, "call"))];
        let more =
            [(differing, "differ"), (unknown, "cannot be told"), (left_out, "cannot be run again")];
        parts.extend(more.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")));
        output.tell(parts.join(", "));
        if differing > 0 { Exit::Failed } else { Exit::Done }
    }
}

fn exit_of(verdict: &Verdict) -> Exit {
    match verdict {
        Verdict::Same => Exit::Done,
        Verdict::Differs | Verdict::Unknown { .. } => Exit::Failed,
        Verdict::NotReplayable { .. } => Exit::Usage,
    }
}

/// Shows a call that was run again, and what differs as a diff.
fn say(replayed: &Replayed, is_whole: bool, output: &mut Output) {
    let Replayed { call, contribution, input, verdict, before, after, .. } = replayed;
    let (mark, word) = match verdict {
        Verdict::Same => (paint(GOOD, "="), "same".to_owned()),
        Verdict::Differs => (paint(BAD, "≠"), "differs".to_owned()),
        Verdict::Unknown { .. } => (paint(WARN, "?"), "cannot be told".to_owned()),
        Verdict::NotReplayable { why } => {
            (paint(DIM, "-"), format!("not run again: {}", safe(why)))
        }
    };
    let input: String = input.to_string().chars().take(SHOWN).collect();
    let about =
        format!("{} {} {}", paint(BOLD, safe(contribution)), safe(&input), paint(DIM, safe(call)));
    output.say(format_args!("{mark} {about}: {word}"));
    if let Verdict::Unknown { asks } = verdict {
        for ask in asks {
            output.say(format_args!("    asks for {}, which is not on record", safe(ask)));
        }
        return;
    }
    let empty = Came::default();
    let after = after.as_ref().unwrap_or(&empty);
    if *verdict == Verdict::Differs {
        for (part, old, new) in parts(before, after) {
            if old != new {
                output.say(format_args!("  {part}"));
                say_diff(&old, &new, output);
            }
        }
    } else if is_whole && *verdict == Verdict::Same {
        for (part, old, _) in parts(before, after).into_iter().filter(|(_, old, _)| !old.is_empty())
        {
            output.say(format_args!("  {part}"));
            old.lines().for_each(|line| output.say(format_args!("    {}", safe(line))));
        }
    }
}

/// Most characters of the input that are shown.
const SHOWN: usize = 60;

fn parts(before: &Came, after: &Came) -> [(&'static str, String, String); 4] {
    let result = |came: &Came| match &came.result {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => pretty(value),
    };
    let failure = |came: &Came| {
        let lines = came.failure.iter().map(|(code, message)| format!("{code}: {message}"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let notices = |came: &Came| came.notices.join("\n");
    let kept = |came: &Came| {
        if came.kept.is_empty() { String::new() } else { pretty(&came.kept.clone().into()) }
    };
    [
        ("result", result(before), result(after)),
        ("failure", failure(before), failure(after)),
        ("for the model", notices(before), notices(after)),
        ("kept in the store", kept(before), kept(after)),
    ]
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Lines around a change that are shown.
const AROUND: usize = 2;

/// What is between the lines at both ends that are the same.
fn say_diff(before: &str, after: &str, output: &mut Output) {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let head = before.iter().zip(&after).take_while(same).count();
    let most = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(most).take_while(same).count();
    let mut line = |style, sign, text: &str| {
        output.say(format_args!("    {}", paint(style, format_args!("{sign} {}", safe(text)))));
    };
    before[head.saturating_sub(AROUND)..head].iter().for_each(|text| line(DIM, ' ', text));
    before[head..before.len() - tail].iter().for_each(|text| line(BAD, '-', text));
    after[head..after.len() - tail].iter().for_each(|text| line(GOOD, '+', text));
    let rest = &before[before.len() - tail..];
    rest.iter().take(AROUND).for_each(|text| line(DIM, ' ', text));
}
