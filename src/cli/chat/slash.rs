//! What a person may say to the program instead of the model: `/help` and its like.

use super::super::list::hook_line;
use super::super::output::{BOLD, DIM, Output, count, first_line, paint, safe};
use super::super::usage;
use super::super::workspace::inactive;
use super::Chat;
use super::screen::Screen;
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::call::Cancel;
use crate::worker::provider::ModelName;
use crate::worker::{Tokens, Worker};
use crate::workspace::reload::Reloading;
use std::fmt::Display;
use std::sync::Arc;

/// Whether the chat goes on.
pub(super) enum Next {
    GoOn,
    Quit,
}

/// The commands, and what each is for.
const COMMANDS: [(&str, &str); 12] = [
    ("features", "the features, and whether they run"),
    ("report", "what every feature was granted, and what of it does not run and why"),
    ("grants", "what each feature was granted"),
    ("tools", "what the model can call"),
    ("hooks", "the hooks: how often they were asked, and how long they took"),
    ("reload", "look at all features again now"),
    ("model", "which model; with PROVIDER/NAME another from now on"),
    ("compact", "have the model write a summary in the place of what came before"),
    ("pods", "the sub-pods that live; with `stop NAME` ends one"),
    ("usage", "what the session has cost"),
    ("help", "these commands"),
    ("quit", "end; Ctrl-D does as well"),
];

pub(super) fn run(
    chat: &mut Chat,
    command: &str,
    reloading: Option<&Reloading>,
    screen: &Screen<'_>,
    output: &mut Output,
) -> Result<Next, Box<Diagnostic>> {
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    match (name, rest.trim()) {
        ("features", _) => features(chat, output),
        ("report", _) => report(chat, output),
        ("grants", _) => grants(chat, output),
        ("tools", _) => tools(chat, output),
        ("hooks", _) => hooks(chat, output),
        ("reload", _) => match reloading {
            Some(reloading) => {
                reloading.look();
                output.tell(paint(DIM, "looking at the features; what changed is told"));
            }
            None => output.tell("the features cannot be looked at again here"),
        },
        ("model", "") => output.say(safe(&chat.provider.full_name().to_string())),
        ("model", name) => {
            let name = ModelName::parse(name)?;
            // An address belongs to its provider.
            let is_same = name.provider() == chat.provider.full_name().provider();
            let base_url = chat.base_url.as_deref().filter(|_| is_same);
            chat.provider = Arc::new(chat.keys.provider(name, base_url)?);
            chat.answer_below();
            output.say(safe(&chat.provider.full_name().to_string()));
        }
        ("compact", _) => {
            let cancel = Cancel::default();
            let _turn = chat.interrupts.during(&cancel);
            let worker =
                Worker::new(&chat.pod, &chat.session, &*chat.provider, &chat.settings, screen);
            let facts = worker.compact(&cancel).map_err(|error| error.diagnostic())?;
            if facts == 0 {
                output.tell("nothing was summarised");
            } else {
                (chat.tally.context, chat.tally.unsummarised) = (0, 0);
            }
        }
        ("pods", "") => pods(chat, output),
        ("pods", rest) => match rest.strip_prefix("stop").map(str::trim) {
            Some(name) if !name.is_empty() => stop_pod(chat, name, output)?,
            _ => return Err(usage("write `/pods`, or `/pods stop NAME`").into()),
        },
        ("usage", _) => tell_usage(chat, output),
        ("help", _) => {
            for (name, about) in COMMANDS {
                row(output, &format!("/{name}"), about);
            }
        }
        ("quit" | "exit" | "q", _) => return Ok(Next::Quit),
        (other, _) => {
            let names = COMMANDS.iter().map(|(name, _)| *name);
            let help = match nearest(other, names) {
                Some(near) => format!("did you mean `/{near}`?"),
                None => "`/help` lists the commands".to_owned(),
            };
            return Err(usage(format!("there is no command `/{}`", safe(other))).help(help).into());
        }
    }
    Ok(Next::GoOn)
}

fn row(output: &mut Output, name: &str, about: impl Display) {
    output.say(format_args!("{} {about}", paint(BOLD, format_args!("{name:<12}"))));
}

fn features(chat: &Chat, output: &mut Output) {
    for report in chat.pod.catalog().reports() {
        let (tools, hooks) = (count(report.tools.len(), "tool"), count(report.hooks.len(), "hook"));
        let about = format!("{}, {tools}, {hooks}", report.state);
        row(output, &report.feature.to_string(), about);
    }
}

fn grants(chat: &Chat, output: &mut Output) {
    for report in chat.pod.catalog().reports() {
        let granted: Vec<_> = report.granted.iter().map(ToString::to_string).collect();
        let granted = if granted.is_empty() { "nothing".to_owned() } else { granted.join(", ") };
        row(output, &report.feature.to_string(), safe(&granted));
    }
}

fn report(chat: &Chat, output: &mut Output) {
    features(chat, output);
    grants(chat, output);
    for report in chat.pod.catalog().reports() {
        for problem in inactive(report) {
            output.say_picture(&problem, None);
        }
        for denial in &report.denied {
            output.say_picture(&denial.diagnostic(), None);
        }
    }
}

fn tools(chat: &Chat, output: &mut Output) {
    for tool in chat.pod.catalog().tools() {
        let tool = tool.declaration();
        row(output, tool.name.as_str(), first_line(&tool.description));
    }
}

fn hooks(chat: &Chat, output: &mut Output) {
    let asked = chat.pod.hook_report();
    let catalog = chat.pod.catalog();
    let features = catalog.features().flat_map(|feature| {
        let descriptor = feature.descriptor();
        descriptor.hooks.iter().map(|hook| (descriptor.id.clone(), hook.clone()))
    });
    for (id, hook) in features.collect::<Vec<_>>() {
        let of = asked.iter().find(|report| report.feature == id && report.hook == hook.name);
        let (times, failures, total) =
            of.map_or((0, 0, 0), |report| (report.asked, report.failures, report.total_us));
        let cost = format!(
            "asked {times} times, {failures} failures, {:.1} ms in all",
            total as f64 / 1e3
        );
        row(output, &id.to_string(), format_args!("{} {}", hook_line(&hook), paint(DIM, cost)));
    }
}

/// The names of sub-pods, without the session that they are all below.
fn pods(chat: &Chat, output: &mut Output) {
    let all = chat.pod.sub_pods();
    if all.is_empty() {
        output.tell("no sub-pods live");
    }
    for one in all {
        let failure = one.failure.map(|failure| format!("; {}", safe(&failure.message)));
        let turns = count(one.turns, "turn");
        let about =
            format!("{}, {turns}{}", one.state.name(), failure.as_deref().unwrap_or_default());
        row(output, &safe(below(chat, &one.session)), about);
    }
}

fn below<'a>(chat: &Chat, session: &'a str) -> &'a str {
    session
        .strip_prefix(chat.session.id())
        .and_then(|name| name.strip_prefix('.'))
        .unwrap_or(session)
}

fn stop_pod(chat: &Chat, name: &str, output: &mut Output) -> Result<(), Box<Diagnostic>> {
    if chat.pod.stop_below(&format!("{}.{name}", chat.session.id())) {
        output.tell(format_args!("{} is ended; its record stays", safe(name)));
        return Ok(());
    }
    let all = chat.pod.sub_pods();
    let names = all.iter().map(|one| below(chat, &one.session));
    let help = match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`/pods` lists those that live".to_owned(),
    };
    Err(usage(format!("no sub-pod `{}` lives", safe(name))).help(help).into())
}

fn tell_usage(chat: &Chat, output: &mut Output) {
    let tokens = chat.tally.tokens;
    row(output, "turns", chat.tally.turns);
    row(
        output,
        "tokens",
        format_args!(
            "{} read ({} of them from a cache), {} written",
            tokens.input, tokens.cached, tokens.output
        ),
    );
    let mut below = chat.tally.below;
    below += chat.below.spent();
    if below != Tokens::default() {
        row(
            output,
            "sub-pods",
            format_args!(
                "{} read ({} of them from a cache), {} written",
                below.input, below.cached, below.output
            ),
        );
    }
    let most = match chat.settings.compact_at {
        Some(most) => format!("; a summary is made at {most}"),
        None => String::new(),
    };
    row(output, "now", format_args!("{} tokens{most}", chat.tally.context));
}
