//! `peasy list`: which features there are, what of them runs, and why the rest does not.

use super::output::{BAD, BOLD, DIM, GOOD, Output, WARN, first_line, paint, safe};
use super::workspace::{self, inactive};
use super::{Exit, ListingArguments, PolicyArguments, refused_as_json};
use crate::builtin;
use crate::diagnostic::{Diagnostic, shell_word};
use crate::feature::catalog::Catalog;
use crate::feature::descriptor::{CapabilityRequest, FeatureDescriptor, HookDeclaration};
use crate::feature::grant::HostPolicy;
use crate::feature::hook::Band;
use crate::feature::id::FeatureSource;
use crate::feature::report::{CapabilityDenial, FeatureInstallReport, FeatureState};
use crate::script::runtime::Location;
use crate::workspace::{ReadFeature, Workspace};
use clap::Args;
use serde::Serialize;
use std::fmt::{Display, Write};
use std::path::PathBuf;
use std::sync::Arc;

/// Lists features: their tools, their hooks, what they were granted and why not more.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy list                           the features of this project and your own
  peasy list .peasy/features/ --trust  a folder, as if it were your own
  peasy list --all                     what is built in as well
  peasy list --json | jq '.features[].report.tools'")]
pub struct ListArguments {
    #[command(flatten)]
    listing: ListingArguments,
    #[command(flatten)]
    policy: PolicyArguments,
    /// List what is built in as well, granted something or not.
    #[arg(long)]
    all: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Listing<'a> {
    features: Vec<Entry<'a>>,
    /// Paths that lead to no feature.
    problems: &'a [Diagnostic],
}

/// One feature of the list.
#[derive(Serialize)]
struct Entry<'a> {
    path: String,
    /// None where the feature is broken.
    version: Option<&'a str>,
    /// What it asks for.
    requests: &'a [CapabilityRequest],
    /// Where its hooks listen; in the report are those that do.
    hooks: Vec<HookEntry<'a>>,
    /// What became of it; none where it is broken.
    report: Option<&'a FeatureInstallReport>,
    /// What is wrong with a broken one.
    errors: Vec<&'a Diagnostic>,
}

/// One hook of a feature.
#[derive(Serialize)]
struct HookEntry<'a> {
    /// Name, point, filter, band, and what it requires.
    #[serde(flatten)]
    declaration: &'a HookDeclaration,
    /// Whether it is asked.
    active: bool,
}

/// Lists.
///
/// # Errors
///
/// There is nothing to list, or a flag cannot be understood.
pub fn run(arguments: &ListArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let outcome = execute(arguments, output);
    refused_as_json(outcome, arguments.listing.json, |problem| {
        let problems = std::slice::from_ref(problem);
        output.say_json(&Listing { features: Vec::new(), problems });
    })
}

fn execute(arguments: &ListArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let ListingArguments { places, json } = &arguments.listing;
    let workspace = workspace::read(&places.paths, &arguments.policy.limits)?;
    if !json && !arguments.all {
        workspace.require_some()?;
    }
    let catalog = workspace::install(&workspace, &arguments.policy.grants, output)?;
    let off = built_in_and_off(&workspace);
    let built_in = match arguments.all {
        // They are no part of what runs, so they stand for themselves.
        true if !off.is_empty() => Some(workspace::read(&off, &arguments.policy.limits)?),
        _ => None,
    };
    let built_in_catalog = built_in.as_ref().map(|read| read.install(HostPolicy::new(), None));
    let reported = |workspace: &'_ Workspace, catalog: &'_ Catalog| -> Vec<_> {
        let features = workspace.features.iter();
        features
            .map(|read| (Arc::clone(read), workspace.report_of(read, catalog).cloned()))
            .collect()
    };
    let mut all = reported(&workspace, &catalog);
    if let Some((built_in, catalog)) = built_in.as_ref().zip(built_in_catalog.as_ref()) {
        all.extend(reported(built_in, catalog));
    }
    if *json {
        let features = all.iter().map(|(read, report)| entry(read, report.as_ref())).collect();
        output.say_json(&Listing { features, problems: &workspace.problems });
    } else {
        for (index, (read, report)) in all.iter().enumerate() {
            if index > 0 {
                output.say("");
            }
            output.say(describe(read, report.as_ref()).trim_end());
        }
        if places.paths.is_empty() && !arguments.all && !off.is_empty() {
            let names: Vec<_> = off.iter().map(|name| name.display().to_string()).collect();
            let line = format!("built in, and off: {}; see `peasy list --all`", names.join(", "));
            output.say(format_args!("\n{}", paint(DIM, line)));
        }
        if !arguments.all {
            workspace::tell_problems(&workspace, output);
        }
    }
    // What is built in is there, if nothing else is.
    let problems =
        workspace.problems.iter().filter(|one| !arguments.all || one.code != "cli/no-features");
    Ok(Exit::of_first(&problems.cloned().collect::<Vec<_>>()))
}

/// What is built in and not among the features that were read.
fn built_in_and_off(workspace: &Workspace) -> Vec<PathBuf> {
    let is_read = |path: &PathBuf| workspace.features.iter().any(|one| one.location.path == *path);
    let all = builtin::names().map(|name| Location::built_in(name).path);
    all.filter(|path| !is_read(path)).collect()
}

fn entry<'a>(read: &'a ReadFeature, report: Option<&'a FeatureInstallReport>) -> Entry<'a> {
    let descriptor = read.script().map(|script| &script.descriptor);
    let hooks = descriptor.map_or(&[][..], |descriptor| &descriptor.hooks).iter();
    let is_active =
        |hook: &HookDeclaration| report.is_some_and(|report| report.hooks.contains(&hook.name));
    Entry {
        hooks: hooks
            .map(|declaration| HookEntry { declaration, active: is_active(declaration) })
            .collect(),
        path: read.path(),
        version: descriptor.and_then(|descriptor| descriptor.version.as_deref()),
        requests: descriptor.map_or(&[], |descriptor| &descriptor.requests),
        report,
        errors: read.errors().collect(),
    }
}

fn describe(read: &ReadFeature, report: Option<&FeatureInstallReport>) -> String {
    match (read.script(), report) {
        (Some(script), Some(report)) if is_off(read, report) => off(&script.descriptor, report),
        (Some(script), Some(report)) => {
            let mut lines = Lines(head(&script.descriptor, report, &read.path()));
            contributions(&script.descriptor, report, &mut lines);
            grants(report, &mut lines);
            lines.0
        }
        _ => broken(read),
    }
}

/// Whether it is built in and was granted nothing.
fn is_off(read: &ReadFeature, report: &FeatureInstallReport) -> bool {
    read.location.source == FeatureSource::Builtin && report.state == FeatureState::Inactive
}

/// What a feature would offer that is built in and off, and what turns it on.
fn off(descriptor: &FeatureDescriptor, report: &FeatureInstallReport) -> String {
    let mut lines = Lines(format!("{}  {}\n", paint(BOLD, &descriptor.id), paint(DIM, "off")));
    let _ = writeln!(lines.0, "  {}", first_line(&descriptor.description));
    let names: Vec<_> = descriptor.tools.iter().map(|tool| tool.name.as_str()).collect();
    lines.add("offers", names.join(", "));
    for denial in &report.denied {
        let asked =
            descriptor.requests.iter().find(|request| request.capability == denial.capability);
        let reason = asked.map(|request| first_line(&request.reason)).unwrap_or_default();
        lines.add("wants", format_args!("`{}`: {reason}", denial.command));
    }
    lines.0
}

/// Lines of a listing, each with a word in front.
struct Lines(String);

impl Lines {
    fn add(&mut self, word: &str, text: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "  {} {text}", paint(DIM, format_args!("{word:<8}")));
    }
}

fn head(descriptor: &FeatureDescriptor, report: &FeatureInstallReport, path: &str) -> String {
    let mut head = paint(BOLD, &descriptor.id);
    if let Some(version) = &descriptor.version {
        let _ = write!(head, " {}", safe(version));
    }
    let state = match report.state {
        FeatureState::Enabled => paint(GOOD, report.state),
        FeatureState::Inactive | FeatureState::Disabled => paint(WARN, report.state),
        FeatureState::Refused | FeatureState::Failed => paint(BAD, report.state),
    };
    let _ = writeln!(head, "  {state}  {}", paint(DIM, safe(path)));
    let about = first_line(&descriptor.description);
    if !about.is_empty() {
        let _ = writeln!(head, "  {about}");
    }
    head
}

fn contributions(descriptor: &FeatureDescriptor, report: &FeatureInstallReport, lines: &mut Lines) {
    for tool in descriptor.tools.iter().filter(|tool| report.tools.contains(&tool.name)) {
        lines.add("tool", named(tool.name.as_str(), &tool.description));
    }
    for hook in descriptor.hooks.iter().filter(|hook| report.hooks.contains(&hook.name)) {
        lines.add("hook", named(&hook_line(hook), &hook.description));
    }
    for problem in inactive(report) {
        let style = if problem.is_error() { BAD } else { WARN };
        lines.add("inactive", paint(style, safe(&problem.message)));
        problem.help.iter().for_each(|help| lines.add("", safe(help)));
    }
}

fn named(name: &str, description: &str) -> String {
    match first_line(description) {
        about if about.is_empty() => name.to_owned(),
        about => format!("{name}: {about}"),
    }
}

/// A hook with its place, and with what it may do there beyond restricting:
/// `guard at pre_tool_call, kind=shell, early, with hook:pre_tool_call:rewrite`.
pub(super) fn hook_line(hook: &HookDeclaration) -> String {
    let mut line = format!("{} at {}", hook.name, hook.point);
    if !hook.filter.is_empty() {
        let _ = write!(line, ", {}", hook.filter);
    }
    if hook.band != Band::Normal {
        let _ = write!(line, ", {}", hook.band);
    }
    let powers: Vec<_> = hook.requires.iter().map(ToString::to_string).collect();
    if !powers.is_empty() {
        let _ = write!(line, ", with {}", powers.join(", "));
    }
    safe(&line)
}

fn grants(report: &FeatureInstallReport, lines: &mut Lines) {
    if !report.granted.is_empty() {
        let granted: Vec<_> = report.granted.iter().map(ToString::to_string).collect();
        lines.add("granted", granted.join(", "));
    }
    // What was said of a tool or hook need not be said again.
    let helps: Vec<_> = report.skipped.iter().flat_map(|skipped| &skipped.why.help).collect();
    let is_said = |denial: &&CapabilityDenial| {
        let word = format!(" {}", shell_word(&denial.capability.to_string()));
        let allows = |help: &&String| {
            let mut behind = help.split(&word).skip(1);
            help.contains(&denial.command) || behind.any(|rest| rest.starts_with([' ', '`']))
        };
        helps.iter().any(allows)
    };
    let denied = report.denied.iter().filter(|denial| !is_said(denial));
    for problem in denied.map(CapabilityDenial::diagnostic) {
        let help = problem.help.join("; ");
        lines.add("denied", format_args!("{}; {}", safe(&problem.message), safe(&help)));
    }
}

fn broken(read: &ReadFeature) -> String {
    let mut text = format!("{}  {}\n", paint(BOLD, safe(&read.path())), paint(BAD, "broken"));
    let mut lines = Lines(String::new());
    for problem in read.errors().take(3) {
        lines.add("error", safe(&problem.to_string()));
    }
    text.push_str(&lines.0);
    let path = shell_word(&safe(&read.path()));
    let _ = writeln!(text, "  see all of it with `peasy check {path}`");
    text
}
