//! One event of an agent: read from standard input, put to the hooks, answered on standard output.
//!
//! An agent waits for this at every step, so nothing is read, opened or compiled here that the event does
//! not need. Whatever goes wrong denies a call that is about to run, stops a prompt and withholds a result that
//! a hook would perhaps have been asked about, and says why; everything else goes on, and the person is told.

use super::EventArguments;
use crate::agent_hook::{self, Again, Answer, Happening, Told, Verdict};
use crate::cli::output::Output;
use crate::cli::{Exit, usage, workspace};
use crate::config::Folders;
use crate::diagnostic::Diagnostic;
use crate::feature::catalog::Catalog;
use crate::feature::hook::HookPoint;
use crate::feature::permission::{Permission, Permissions};
use crate::feature::report::ContributionName;
use crate::workspace::{ReadFeature, Workspace};
use std::io::{IsTerminal, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// Most bytes of an event.
const MOST: u64 = 64 << 20;

/// Variables by which agents name the folder of their project, which stays where it is when the agent goes
/// into another.
const PROJECT: [&str; 2] = ["CLAUDE_PROJECT_DIR", "GEMINI_PROJECT_DIR"];

/// Answers one event.
///
/// # Errors
///
/// There is no event, because a person typed this.
pub fn answer(arguments: &EventArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let input = std::io::stdin();
    if input.is_terminal() {
        return Err(usage("`peasy hook` reads an event of an agent from standard input")
            .help("have an agent do so with `peasy hook install AGENT`")
            .into());
    }
    let told = match read(input.lock()).and_then(|text| Told::read(&text, arguments.agent)) {
        Ok(told) => told,
        // Nobody knows what it is about. Every agent takes this exit for a denial, with the reason.
        Err(problem) => return Ok(blocked(&problem, output)),
    };
    if told.happening.is_none() {
        return Ok(Exit::Done);
    }
    // As they were meant where the agent started this.
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let paths: Vec<_> = arguments.paths.iter().map(absolute).collect();
    enter(&told);
    let judged = catch_unwind(AssertUnwindSafe(|| judge(&told, &paths, output)));
    let answer = match judged {
        Ok(Ok(answer)) => answer,
        Ok(Err(problem)) => agent_hook::unasked(&told, &problem),
        Err(_) => {
            let problem = Diagnostic::host("host/panic", "peasy panicked; please report it");
            agent_hook::unasked(&told, &problem)
        }
    };
    if let Some(answer) = answer.in_form_of(&told) {
        output.say_result(&answer.to_string());
    }
    Ok(Exit::Done)
}

fn read(input: impl Read) -> Result<Vec<u8>, Diagnostic> {
    let mut text = Vec::new();
    let unreadable = |reason| {
        Diagnostic::caller("hook/event", format!("the event of the agent cannot be read: {reason}"))
    };
    input.take(MOST + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MOST {
        let message = format!("the event of the agent has more than {} MiB", MOST >> 20);
        return Err(Diagnostic::caller("hook/event", message));
    }
    Ok(text)
}

/// The exit by which every agent knows a denial whose form is not its own.
fn blocked(problem: &Diagnostic, output: &mut Output) -> Exit {
    output.tell_picture(problem, None);
    Exit::Usage
}

/// Goes where the agent's project is: relative paths of features and scripts begin there.
fn enter(told: &Told) {
    let named = PROJECT.iter().filter_map(std::env::var_os).map(PathBuf::from);
    let folder = told.folder().map(PathBuf::from);
    for folder in named.chain(folder).filter(|folder| folder.is_absolute()) {
        // Where none can be entered, the agent's own folder is this process's.
        if std::env::set_current_dir(&folder).is_ok() {
            return;
        }
    }
}

/// Asks whoever listens.
fn judge(told: &Told, paths: &[PathBuf], output: &mut Output) -> Result<Answer, Box<Diagnostic>> {
    let folders = workspace::folders()?;
    let mut features = workspace::read_for_once(paths)?;
    if !paths.is_empty()
        && let Some(problem) = features.problems.iter().find(|problem| problem.is_error())
    {
        return Err(problem.clone().into());
    }
    let Some(happening) = told.happening.filter(|happening| *happening != Happening::Start) else {
        return start(&features, &folders);
    };
    let points = happening.points();
    features.keep(|descriptor| descriptor.hooks.iter().any(|hook| points.contains(&hook.point)));
    let is_heard_of =
        |read: &ReadFeature| !read.is_broken() || points.iter().any(|point| read.may_hook(*point));
    if matches!(happening, Happening::Request | Happening::AfterCall)
        && !features.features.iter().any(|read| is_heard_of(read))
    {
        // Nobody listens, whatever else is wrong; before a call there are rules as well, and the end of a turn
        // is kept back by nothing.
        return Ok(Answer::new(Verdict::Proceed));
    }
    let (policy, _) = features.policy(&folders).map_err(|error| error.diagnostic())?;
    let catalog = features.install(policy, None);
    if let Some(problem) = points.iter().find_map(|point| catalog.lost(*point)) {
        return Err(problem.clone().into());
    }
    let (permissions, _) = features.permissions(Some(&folders))?;
    if !is_heard(told, happening, &catalog, &permissions) {
        return Ok(Answer::new(Verdict::Proceed));
    }
    features.runtime.warm_up();
    let session = told.session();
    let again = Again::of(&folders.state, &session);
    let pod = workspace::open_pod(&features, catalog, output)?.for_agent(session);
    let answer = agent_hook::ask(&pod, told, &again);
    pod.end_at_once();
    Ok(answer)
}

/// Whether a hook or a rule has anything to say of the event. Where none has, nothing is opened.
fn is_heard(
    told: &Told,
    happening: Happening,
    catalog: &Catalog,
    permissions: &Permissions,
) -> bool {
    let call = match happening {
        Happening::BeforeCall | Happening::AfterCall => match told.call() {
            Ok(call) => Some(call),
            // What cannot be understood is told where it is put to the hooks.
            Err(_) => {
                let is_hooked = |point: &HookPoint| catalog.hooks(*point).len() > 0;
                return happening == Happening::BeforeCall
                    || happening.points().iter().any(is_hooked);
            }
        },
        _ => None,
    };
    let event = call.as_ref().map(|call| call.event());
    let (kind, tool) = (event.map(|event| event.kind), event.map(|event| event.tool.as_str()));
    let mut hooks = happening.points().iter().flat_map(|point| catalog.hooks(*point));
    if hooks.any(|hook| hook.declaration().filter.wants(kind, tool)) {
        return true;
    }
    happening == Happening::BeforeCall
        && event.is_some_and(|event| {
            let ruling = permissions.decide(&event.tool, false, &event.args);
            ruling.permission != Permission::Allow
        })
}

/// What the person should know when a session begins: guards that do not run.
fn start(features: &Workspace, folders: &Folders) -> Result<Answer, Box<Diagnostic>> {
    let mut answer = Answer::new(Verdict::Proceed);
    let broken = features.features.iter().filter(|read| read.is_broken());
    for read in broken.filter(|read| HookPoint::ALL.iter().any(|point| read.may_hook(*point))) {
        let why = read.errors().next().map_or_else(String::new, ToString::to_string);
        answer.messages.push(format!("peasy: `{}` is broken: {why}", read.path()));
    }
    let (policy, _) = features.policy(folders).map_err(|error| error.diagnostic())?;
    let catalog = features.install(policy, None);
    for report in catalog.reports() {
        let hooks = report.skipped.iter().filter_map(|skipped| match &skipped.contribution {
            ContributionName::Hook { name, .. } => Some((name, &skipped.why)),
            ContributionName::Tool { .. } => None,
        });
        for (name, why) in hooks {
            let help = why.help.first().map_or_else(String::new, |help| format!("; {help}"));
            answer.messages.push(format!(
                "peasy: the hook `{name}` of `{}` does not run: {}{help}",
                report.feature, why.message
            ));
        }
    }
    Ok(answer)
}
