//! `peasy call`: one call of one tool, or one event for one hook.

use super::argument::{self, Expected};
use super::ask::{self, Asking};
use super::describe::usage_line;
use super::event::{Recorder, TerminalSink};
use super::output::{DIM, Output, count, paint, safe};
use super::policy::did_you_mean;
use super::{Exit, IsolationArguments, PolicyArguments, refused_as_json, usage, workspace};
use super::{consent, content};
use crate::diagnostic::{Blame, Diagnostic, Severity, nearest, shell_word};
use crate::feature::call::{Conditions, Failure, Outcome, Receipt};
use crate::feature::capability::Capability;
use crate::feature::catalog::{CallOptions, Catalog};
use crate::feature::content::ResultForm;
use crate::feature::descriptor::{FeatureDescriptor, HookDeclaration, ToolDeclaration};
use crate::feature::event::{FeatureEvent, Sink};
use crate::feature::hook::{Decision, HookOutcome};
use crate::feature::hook_event::Examined;
use crate::feature::id::FeatureId;
use crate::feature::report::ContributionName;
use crate::pod::Pod;
use crate::workspace::{ReadFeature, Workspace, place};
use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Calls a tool, or asks a hook about an event.
#[derive(Debug, Args)]
#[command(after_help = "\
Arguments are read by the tool's types:
  name=World         a string takes the text as it is, anything else is JSON
  tags=a tags=b      a list, item by item; tags='[\"a\",\"b\"]' is the same, tags='[]' is empty
  place.city=Rome    a field of an object
  text=@notes.txt    the text of a file; @- is standard input, @@ is one @
  '{\"name\": \"World\"}'  all arguments as one JSON object; `-` reads it from standard input

Examples:
  peasy call greet.rhai name=World
  peasy call greet.rhai greet '{\"name\": \"World\", \"loud\": true}'
  peasy call guard.rhai guard kind=shell command='rm -rf ~'
  peasy call count_words text=@README.md --receipt --limit time=10s

Exit codes: 0 done, 1 the feature failed, 2 wrong use or arguments, 3 denied, 4 our fault.")]
pub struct CallArguments {
    /// A path to a feature, or the name of a feature or a tool.
    #[arg(value_name = "FILE|FEATURE")]
    target: String,
    /// The tool or hook, where the feature has several; then its arguments.
    #[arg(value_name = "[TOOL] key=value…|JSON|-")]
    words: Vec<String>,
    /// Print result, notices, events and receipt as JSON.
    #[arg(long)]
    json: bool,
    /// Say on standard error what the call cost.
    #[arg(long)]
    receipt: bool,
    /// An answer to a question of the tool, in the order of its questions, or `NAME=…` of the one with that
    /// name: yes, no, a text, or a JSON object for a form.
    #[arg(long = "answer", value_name = "ANSWER")]
    answers: Vec<String>,
    /// The time that the script sees, such as `2026-01-01T00:00:00Z`.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    now: Option<i64>,
    /// The seed of the script's random numbers.
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    #[command(flatten)]
    policy: PolicyArguments,
    #[command(flatten)]
    isolation: IsolationArguments,
}

/// Milliseconds since the epoch, a timestamp, or a day.
fn parse_time(text: &str) -> Result<i64, String> {
    if let Ok(milliseconds) = text.parse() {
        return Ok(milliseconds);
    }
    let time = text.parse::<jiff::Timestamp>().or_else(|_| {
        let day = text.parse::<jiff::civil::Date>()?;
        Ok::<_, jiff::Error>(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp())
    });
    time.map(jiff::Timestamp::as_millisecond).map_err(|_| {
        "write a time as in `2026-01-01T00:00:00Z`, a day, or milliseconds since 1970".to_owned()
    })
}

/// Calls, and prints what came of it.
///
/// # Errors
///
/// There is no such tool, it is not active, or a word cannot be understood.
pub fn run(arguments: &CallArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let outcome = execute(arguments, output);
    refused_as_json(outcome, arguments.json, |problem| {
        output.say_json(&Printed::refused(problem));
    })
}

fn execute(arguments: &CallArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let is_path = place::is_path(&arguments.target);
    let paths: Vec<PathBuf> = if is_path { vec![(&arguments.target).into()] } else { Vec::new() };
    let workspace =
        workspace::read_to_call(&paths, &arguments.policy.limits, arguments.isolation.isolate)?;
    let beside = place::beside(&arguments.target).filter(|_| !is_path);
    workspace.require_some().map_err(|problem| with_file(problem, beside.as_deref()))?;
    let (chosen, words) = match choose(&workspace, arguments, is_path) {
        Ok(chosen) => chosen,
        Err(problem) => {
            let problem = with_file(problem, beside.as_deref());
            return not_found(&workspace, problem, arguments, output);
        }
    };
    let catalog = active_catalog(&workspace, &chosen, arguments, output)?;
    let value = argument::collect(words, chosen.expected()).map_err(|problem| {
        problem.help(format!(
            "usage: peasy call {} {}",
            shell_word(&arguments.target),
            chosen.usage()
        ))
    })?;
    let pod = workspace::open_pod(&workspace, catalog, output)?;
    let call = Call { arguments, workspace: &workspace, pod: &pod, chosen: &chosen };
    Ok(match chosen.contribution {
        Contribution::Tool(tool) => call.tool(tool, &value, output)?,
        Contribution::Hook(hook) => {
            let says_nothing = value.as_object().is_none_or(Map::is_empty);
            if let Some(kind) = hook.filter.kinds.first().filter(|_| says_nothing) {
                return Err(about_nothing(hook, kind.name()).into());
            }
            let examined = hook.point.examine(&value)?;
            match unheard(hook, &examined) {
                Some(note) => call.proceed(hook, &note, output),
                None => call.hook(hook, value, examined.notes, output),
            }
        }
    })
}

/// A catalog in which the chosen contribution runs. What it lacks is asked for, where a person can
/// answer.
///
/// # Errors
///
/// It lacks something, and the person does not allow it or nobody is asked.
fn active_catalog(
    workspace: &Workspace,
    chosen: &Chosen<'_>,
    arguments: &CallArguments,
    output: &mut Output,
) -> Result<Catalog, Box<Diagnostic>> {
    let mut grants = arguments.policy.grants.clone();
    loop {
        let catalog = workspace::install(workspace, &grants, output)?;
        let Err(problem) = chosen.require_active(&catalog) else { return Ok(catalog) };
        if arguments.json
            || !consent::ask(workspace, chosen.feature, &problem, &mut grants, output)?
        {
            return Err(problem);
        }
    }
}

/// A bare name that a file of this folder has.
fn with_file(problem: Box<Diagnostic>, file: Option<&str>) -> Box<Diagnostic> {
    match file {
        Some(file) => {
            Box::new(problem.help(format!("for the file of this folder, write `{file}`")))
        }
        None => problem,
    }
}

fn about_nothing(hook: &HookDeclaration, kind: &str) -> Diagnostic {
    let message = format!(
        "the event says nothing of what is called, and `{}` listens for {}",
        hook.name, hook.filter
    );
    let field = match kind {
        "shell" => " command=…",
        "file" => " path=…",
        "fetch" => " url=…",
        _ => "",
    };
    usage(message).help(format!("give it, as in `kind={kind}{field}`"))
}

/// Says why a hook would not be asked about an event: it listens for others.
fn unheard(hook: &HookDeclaration, event: &Examined) -> Option<Diagnostic> {
    if !hook.point.is_about_tools() || hook.filter.wants(event.kind, event.tool.as_deref()) {
        return None;
    }
    let message =
        format!("`{}` is not asked about this event: it listens for {}", hook.name, hook.filter);
    let note = Diagnostic::new(Severity::Note, Blame::Caller, "hook/not-asked", message);
    Some(note.help("where no hook is asked, the agent goes on"))
}

/// What was asked for may stand in a feature that is broken: that is then the reason.
fn not_found(
    workspace: &Workspace,
    problem: Box<Diagnostic>,
    arguments: &CallArguments,
    output: &mut Output,
) -> Result<Exit, Box<Diagnostic>> {
    let broken: Vec<_> = workspace.features.iter().filter(|read| read.is_broken()).collect();
    let is_all = broken.len() == workspace.features.len();
    let is_meant = |read: &&&Arc<ReadFeature>| is_all || is_named(read, &arguments.target);
    let meant: Vec<_> = broken
        .iter()
        .filter(is_meant)
        .flat_map(|read| read.errors().map(|problem| (problem, read.text_of(problem))))
        .collect();
    let Some((first, _)) = meant.first() else {
        return Err(match broken.len() {
            0 => problem,
            // Others than this are not what the person asked about.
            few => Box::new(problem.help(format!(
                "{} broken and left aside; `peasy check` shows what is wrong",
                if few == 1 { "a feature is".to_owned() } else { format!("{few} features are") }
            ))),
        });
    };
    if arguments.json {
        return Err((*first).clone().into());
    }
    for (problem, text) in &meant {
        output.tell_picture(problem, text.as_deref());
    }
    Ok(Exit::of(first))
}

/// Whether a feature that cannot be read is probably the one of that name: its file or folder has it, or its
/// text speaks of it.
fn is_named(read: &ReadFeature, name: &str) -> bool {
    let path = &read.location.path;
    let names = [path.file_stem(), path.parent().and_then(Path::file_name)];
    names.into_iter().flatten().any(|part| part == name) || read.speaks_of(name)
}

/// What is to be called.
struct Chosen<'a> {
    feature: &'a FeatureDescriptor,
    contribution: Contribution<'a>,
}

#[derive(Clone, Copy)]
enum Contribution<'a> {
    Tool(&'a ToolDeclaration),
    Hook(&'a HookDeclaration),
}

impl<'a> Contribution<'a> {
    fn name(self) -> &'a str {
        match self {
            Self::Tool(tool) => tool.name.as_str(),
            Self::Hook(hook) => &hook.name,
        }
    }
}

fn contributions(feature: &FeatureDescriptor) -> impl Iterator<Item = Contribution<'_>> {
    let tools = feature.tools.iter().map(Contribution::Tool);
    tools.chain(feature.hooks.iter().map(Contribution::Hook))
}

/// The contribution that the words mean, and the words that are left for it.
fn choose<'a>(
    workspace: &'a Workspace,
    arguments: &'a CallArguments,
    is_path: bool,
) -> Result<(Chosen<'a>, &'a [String]), Box<Diagnostic>> {
    let target = arguments.target.as_str();
    let words = arguments.words.as_slice();
    let all: Vec<&FeatureDescriptor> = workspace.descriptors().collect();
    if is_path {
        return among(&all, target, words);
    }
    let named: Vec<_> = all
        .iter()
        .copied()
        .filter(|feature| feature.id.name().as_str() == target || feature.id.to_string() == target)
        .collect();
    if !named.is_empty() {
        return among(&named, target, words);
    }
    // The name of a tool says enough.
    match find(&all, target).as_slice() {
        [] => {
            let features = all.iter().map(|feature| feature.id.name().as_str());
            let names: Vec<_> = features.chain(every(&all).map(|(_, one)| one.name())).collect();
            let problem = usage(format!("there is no feature or tool `{target}` here"));
            Err(did_you_mean(problem, target, &names).into())
        }
        found => Ok((one(found, target)?, words)),
    }
}

fn among<'a>(
    features: &[&'a FeatureDescriptor],
    target: &str,
    words: &'a [String],
) -> Result<(Chosen<'a>, &'a [String]), Box<Diagnostic>> {
    if let Some((name, rest)) = words.split_first().filter(|(word, _)| !argument::is_argument(word))
    {
        return match find(features, name).as_slice() {
            [] if name.starts_with("--") || is_spread(name, rest) => {
                Err(not_a_name(name, rest).into())
            }
            [] => Err(unknown_contribution(features, target, name).into()),
            found => Ok((one(found, name)?, rest)),
        };
    }
    let all: Vec<_> = every(features).collect();
    let tools: Vec<_> =
        all.iter().filter(|(_, one)| matches!(one, Contribution::Tool(_))).collect();
    let only = match (tools.as_slice(), all.as_slice()) {
        ([only], _) => *only,
        ([], [only]) => only,
        _ => return Err(which(&all, target).into()),
    };
    Ok((Chosen { feature: only.0, contribution: only.1 }, words))
}

/// Whether words are one argument with gaps in it: `name = x`, `name: x`.
fn is_spread(name: &str, rest: &[String]) -> bool {
    name.ends_with(':') || rest.first().is_some_and(|word| word.starts_with('='))
}

/// What to write where an argument has the form of another program's.
fn not_a_name(name: &str, rest: &[String]) -> Diagnostic {
    let problem = usage(format!("`{name}` is not an argument"));
    let key = name.trim_start_matches('-').trim_end_matches(':');
    let value = rest.iter().map(|word| word.trim_start_matches('=')).find(|word| !word.is_empty());
    match key.split_once('=') {
        Some((key, value)) => problem.help(format!("write `{key}={}`", shell_word(value))),
        None => problem.help(format!(
            "write `{key}={}`, in one word",
            value.map_or_else(|| "…".to_owned(), shell_word)
        )),
    }
}

fn every<'a>(
    features: &[&'a FeatureDescriptor],
) -> impl Iterator<Item = (&'a FeatureDescriptor, Contribution<'a>)> {
    features
        .iter()
        .copied()
        .flat_map(|feature| contributions(feature).map(move |one| (feature, one)))
}

type Found<'a> = (&'a FeatureDescriptor, Contribution<'a>);

fn find<'a>(features: &[&'a FeatureDescriptor], name: &str) -> Vec<Found<'a>> {
    every(features).filter(|(_, one)| one.name() == name).collect()
}

fn one<'a>(found: &[Found<'a>], name: &str) -> Result<Chosen<'a>, Box<Diagnostic>> {
    match *found {
        [(feature, contribution)] => Ok(Chosen { feature, contribution }),
        _ => {
            let ids: Vec<_> =
                found.iter().map(|(feature, _)| format!("`{}`", feature.id)).collect();
            Err(usage(format!("`{name}` is in {}", ids.join(" and ")))
                .help("name the file of the one you mean")
                .into())
        }
    }
}

fn which(all: &[Found<'_>], target: &str) -> Diagnostic {
    if all.is_empty() {
        return usage(format!("`{target}` has no tool and no hook"))
            .help("put `/// @tool` above a function");
    }
    let mut names: Vec<_> = all.iter().map(|(_, one)| one.name()).collect();
    names.sort_unstable();
    let repeats = names.windows(2).any(|pair| pair[0] == pair[1]);
    let names: Vec<_> = all
        .iter()
        .map(|(feature, one)| match repeats {
            true => format!("{} ({})", one.name(), feature.id),
            false => one.name().to_owned(),
        })
        .collect();
    usage(format!("`{target}` has several tools and hooks; say which"))
        .help(format!("it has: {}", names.join(", ")))
}

fn unknown_contribution(features: &[&FeatureDescriptor], target: &str, name: &str) -> Diagnostic {
    let names: Vec<_> = every(features).map(|(_, one)| one.name()).collect();
    let problem = usage(format!("`{target}` has no tool or hook `{name}`"));
    match nearest(name, names.iter().copied()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => {
            let problem = problem.help(format!("it has: {}", names.join(", ")));
            match every(features).collect::<Vec<_>>().as_slice() {
                [(_, Contribution::Tool(tool))] => {
                    let target = shell_word(target);
                    problem.help(format!("usage: peasy call {target} {}", usage_line(tool)))
                }
                _ => problem,
            }
        }
    }
}

impl<'a> Chosen<'a> {
    fn expected(&self) -> Expected<'a> {
        match self.contribution {
            Contribution::Tool(tool) => Expected::Tool(&tool.parameters),
            Contribution::Hook(hook) => Expected::Event(hook.point),
        }
    }

    fn usage(&self) -> String {
        match self.contribution {
            Contribution::Tool(tool) => usage_line(tool),
            Contribution::Hook(hook) => format!("{} kind=shell command='ls'", hook.name),
        }
    }

    fn is(&self, name: &ContributionName) -> bool {
        match (name, self.contribution) {
            (ContributionName::Tool { name }, Contribution::Tool(tool)) => *name == tool.name,
            (ContributionName::Hook { name, .. }, Contribution::Hook(hook)) => *name == hook.name,
            _ => false,
        }
    }

    /// Says why it cannot be called, where it cannot.
    fn require_active(&self, catalog: &Catalog) -> Result<(), Box<Diagnostic>> {
        let Some(report) = catalog.report(&self.feature.id) else { return Ok(()) };
        if let Some(skipped) = report.skipped.iter().find(|skipped| self.is(&skipped.contribution))
        {
            return Err(skipped.why.clone().into());
        }
        match report.diagnostics.first() {
            Some(why) if !report.is_enabled() => Err(why.clone().into()),
            _ => Ok(()),
        }
    }
}

/// One call on its way.
struct Call<'a> {
    arguments: &'a CallArguments,
    workspace: &'a Workspace,
    pod: &'a Pod,
    chosen: &'a Chosen<'a>,
}

/// What `--json` prints.
#[derive(Default, Serialize)]
struct Printed<'a> {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    feature: Option<&'a FeatureId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hook: Option<&'a str>,
    /// What a tool gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a Value>,
    /// How the result is to be read.
    #[serde(skip_serializing_if = "ResultForm::is_value")]
    form: ResultForm,
    /// What a hook decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<&'a Decision>,
    /// Why there is no result, the first being the reason; or what a hook said beside its decision.
    diagnostics: &'a [Diagnostic],
    /// Texts for the model.
    notices: &'a [String],
    events: Vec<FeatureEvent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
}

impl<'a> Printed<'a> {
    fn refused(problem: &'a Diagnostic) -> Self {
        Self { diagnostics: std::slice::from_ref(problem), ..Self::default() }
    }
}

fn tell_notices(notices: &[String], output: &mut Output) {
    for notice in notices {
        output.tell(format_args!("{} {}", paint(DIM, "for the model:"), safe(notice)));
    }
}

impl Call<'_> {
    fn tool(
        &self,
        tool: &ToolDeclaration,
        value: &Value,
        output: &mut Output,
    ) -> Result<Exit, Box<Diagnostic>> {
        let name = tool.name.as_str();
        let (outcome, events) = self.ask_and_run(name, value, output)?;
        let Outcome { result, form, notices, receipt } = &outcome;
        let exit = result.as_ref().err().map_or(Exit::Done, exit_of);
        if self.arguments.json {
            output.say_json(&Printed {
                ok: result.is_ok(),
                feature: Some(&self.chosen.feature.id),
                tool: Some(name),
                result: result.as_ref().ok(),
                form: *form,
                diagnostics: result.as_ref().err().map_or(&[], |failure| &failure.diagnostics),
                notices,
                events,
                receipt: Some(*receipt),
                ..Printed::default()
            });
            return Ok(exit);
        }
        if let Some(content) = outcome.content() {
            content::show(&content, output);
            tell_notices(notices, output);
            self.tell_cost(receipt, output);
            return Ok(exit);
        }
        match result {
            Ok(Value::String(text)) => output.say_result(text),
            Ok(value) => output.say_json(value),
            Err(failure) => self.tell_failure(failure, output),
        }
        tell_notices(notices, output);
        self.tell_cost(receipt, output);
        Ok(exit)
    }

    /// Runs a tool, and again with each answer that it asks for, where there is one.
    fn ask_and_run(
        &self,
        name: &str,
        value: &Value,
        output: &mut Output,
    ) -> Result<(Outcome, Vec<FeatureEvent>), Box<Diagnostic>> {
        let mut asking = Asking::new(&self.arguments.answers, !self.arguments.json);
        let conditions = self.conditions();
        loop {
            let answers = asking.answers();
            let call = |options| {
                self.pod.call(name, value.clone(), CallOptions { conditions, answers, ..options })
            };
            let (outcome, events) = self.run(output, call);
            let question = outcome.result.as_ref().err().and_then(|why| why.question.as_deref());
            let again = match question {
                Some(question) => asking.answer(question, output)?,
                None => false,
            };
            if !again {
                asking.tell_left(output);
                return Ok((outcome, events));
            }
        }
    }

    /// The clock and the seed. One that may ask sees the same clock each time that it runs.
    fn conditions(&self) -> Conditions {
        let asks = self.chosen.feature.requests.iter();
        let asks = asks.map(|request| &request.capability).any(|one| *one == Capability::Ask);
        let now = || asks.then(|| jiff::Timestamp::now().as_millisecond());
        let seed = self.arguments.seed.unwrap_or(CallOptions::default().conditions.seed);
        Conditions { now: self.arguments.now.or_else(now), seed }
    }

    fn hook(
        &self,
        hook: &HookDeclaration,
        value: Value,
        noted: Vec<Diagnostic>,
        output: &mut Output,
    ) -> Exit {
        let feature = &self.chosen.feature.id;
        let ask = |options| self.pod.decide(feature, &hook.name, value, options);
        let (outcome, events) = self.run(output, ask);
        let HookOutcome { decision, notices, diagnostics, receipt } = &outcome;
        let exit = decision.as_ref().err().map_or(Exit::Done, exit_of);
        if self.arguments.json {
            let said = decision.as_ref().err().map_or(diagnostics, |why| &why.diagnostics);
            let all: Vec<Diagnostic> = said.iter().cloned().chain(noted).collect();
            output.say_json(&Printed {
                ok: decision.is_ok(),
                feature: Some(feature),
                hook: Some(&hook.name),
                decision: decision.as_ref().ok(),
                diagnostics: &all,
                notices,
                events,
                receipt: Some(*receipt),
                ..Printed::default()
            });
            return exit;
        }
        for said in noted.iter().chain(diagnostics) {
            output.tell_picture(said, None);
        }
        match decision {
            Ok(decision) => output.say(decision_line(decision)),
            Err(failure) => {
                self.tell_failure(failure, output);
                output.tell(format_args!(
                    "where an agent asks a hook that fails, {}",
                    hook.point.when_it_fails()
                ));
            }
        }
        tell_notices(notices, output);
        self.tell_cost(receipt, output);
        exit
    }

    /// What comes of an event that the hook is not asked about.
    fn proceed(&self, hook: &HookDeclaration, note: &Diagnostic, output: &mut Output) -> Exit {
        if self.arguments.json {
            output.say_json(&Printed {
                ok: true,
                feature: Some(&self.chosen.feature.id),
                hook: Some(&hook.name),
                decision: Some(&Decision::Proceed),
                diagnostics: std::slice::from_ref(note),
                ..Printed::default()
            });
        } else {
            output.tell_picture(note, None);
            output.say(decision_line(&Decision::Proceed));
        }
        Exit::Done
    }

    /// Runs the call with a sink that fits the output, and hands back what a recorder kept.
    fn run<T>(
        &self,
        output: &Output,
        call: impl FnOnce(CallOptions) -> T,
    ) -> (T, Vec<FeatureEvent>) {
        let conditions = self.conditions();
        let options =
            |sink: Arc<dyn Sink>| CallOptions { sink, conditions, ..CallOptions::default() };
        if self.arguments.json {
            let recorder = Arc::new(Recorder::default());
            let outcome = call(options(recorder.clone()));
            return (outcome, recorder.events());
        }
        let terminal = Arc::new(TerminalSink::new(output));
        let outcome = call(options(terminal.clone()));
        terminal.finish();
        (outcome, Vec::new())
    }

    fn read(&self) -> Option<&ReadFeature> {
        self.workspace.feature(&self.chosen.feature.id)
    }

    fn tell_failure(&self, failure: &Failure, output: &mut Output) {
        for problem in &failure.diagnostics {
            let text = self.read().and_then(|read| read.text_of(problem));
            output.tell_picture(problem, text.as_deref());
        }
        if let Some(question) = &failure.question {
            output.tell(format_args!("answer it with `{}`", ask::example(question)));
        }
        let is_argument = |problem: &Diagnostic| problem.code.starts_with("arguments/");
        if failure.diagnostics.iter().any(is_argument) {
            let target = shell_word(&safe(&self.arguments.target));
            output.tell(format_args!("\nusage: peasy call {target} {}", self.chosen.usage()));
        }
    }

    /// What the call cost, where that was asked for, and what of it went nowhere.
    fn tell_cost(&self, receipt: &Receipt, output: &mut Output) {
        if receipt.dropped_messages > 0 {
            let dropped = count(receipt.dropped_messages, "message");
            output.tell(format_args!("note: {dropped} went nowhere"));
            let catalog = self.pod.catalog();
            let report = catalog.report(&self.chosen.feature.id);
            for denial in report.into_iter().flat_map(|report| &report.denied) {
                output.tell_picture(&denial.diagnostic(), None);
            }
        }
        if self.arguments.receipt {
            output.tell(paint(DIM, receipt_line(receipt)));
        }
    }
}

fn exit_of(failure: &Failure) -> Exit {
    failure.diagnostics.first().map_or(Exit::Fault, Exit::of)
}

fn receipt_line(receipt: &Receipt) -> String {
    format!(
        "receipt: {} operations, {:.1} ms ({:.1} ms with waiting), {} KiB at most, {} bytes in, {} bytes out",
        receipt.operations,
        receipt.time.as_secs_f64() * 1e3,
        receipt.elapsed.as_secs_f64() * 1e3,
        receipt.peak_memory.div_ceil(1024),
        receipt.bytes_in,
        receipt.bytes_out,
    )
}

fn decision_line(decision: &Decision) -> String {
    let (word, text) = match decision {
        Decision::Proceed => return "proceed".to_owned(),
        Decision::Stop { reason } => ("stop", reason.clone()),
        Decision::Deny { reason } => ("deny", reason.clone()),
        Decision::Answer { value } => ("answer", value.to_string()),
        Decision::Ask { question } => ("ask", question.clone()),
        Decision::Rewrite { arguments } => ("rewrite", arguments.to_string()),
        Decision::Replace { result } => ("replace", result.to_string()),
        Decision::Again { reason } => ("again", reason.clone()),
    };
    format!("{word}: {}", safe(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for text in
            ["1767225600000", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", "2026-01-01"]
        {
            assert_eq!(parse_time(text), Ok(1_767_225_600_000), "{text}");
        }
        assert!(parse_time("tomorrow").is_err());
    }
}
