//! `peasy list`: which features there are, what of them runs, and why the rest does not.

use super::output::{BAD, BOLD, DIM, GOOD, Output, WARN, first_line, paint, safe};
use super::workspace::{self, inactive};
use super::{Exit, ListingArguments, PolicyArguments, refused_as_json};
use crate::diagnostic::{Diagnostic, shell_word};
use crate::feature::descriptor::{CapabilityRequest, FeatureDescriptor, HookDeclaration};
use crate::feature::report::{CapabilityDenial, FeatureInstallReport, FeatureState};
use crate::workspace::ReadFeature;
use clap::Args;
use serde::Serialize;
use std::fmt::{Display, Write};

/// Lists features: their tools, their hooks, what they were granted and why not more.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy list                           the features of this project and your own
  peasy list .peasy/features/ --trust  a folder, as if it were your own
  peasy list --json | jq '.features[].report.tools'")]
pub struct ListArguments {
    #[command(flatten)]
    listing: ListingArguments,
    #[command(flatten)]
    policy: PolicyArguments,
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
    /// What became of it; none where it is broken.
    report: Option<&'a FeatureInstallReport>,
    /// What is wrong with a broken one.
    errors: Vec<&'a Diagnostic>,
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
    if !json {
        workspace.require_some()?;
    }
    let catalog = workspace::install(&workspace, &arguments.policy.grants, output)?;
    let all = workspace.features.iter().map(|read| (read, workspace.report_of(read, &catalog)));
    if *json {
        let features = all.map(|(read, report)| entry(read, report)).collect();
        output.say_json(&Listing { features, problems: &workspace.problems });
    } else {
        for (index, (read, report)) in all.enumerate() {
            if index > 0 {
                output.say("");
            }
            output.say(describe(read, report).trim_end());
        }
        workspace::tell_problems(&workspace, output);
    }
    Ok(Exit::of_first(&workspace.problems))
}

fn entry<'a>(read: &'a ReadFeature, report: Option<&'a FeatureInstallReport>) -> Entry<'a> {
    let descriptor = read.script().map(|script| &script.descriptor);
    Entry {
        path: read.path(),
        version: descriptor.and_then(|descriptor| descriptor.version.as_deref()),
        requests: descriptor.map_or(&[], |descriptor| &descriptor.requests),
        report,
        errors: read.errors().collect(),
    }
}

fn describe(read: &ReadFeature, report: Option<&FeatureInstallReport>) -> String {
    match (read.script(), report) {
        (Some(script), Some(report)) => {
            let mut lines = Lines(head(&script.descriptor, report, &read.path()));
            contributions(&script.descriptor, report, &mut lines);
            grants(report, &mut lines);
            lines.0
        }
        _ => broken(read),
    }
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

/// A hook with its place: `guard at pre_tool_call, kind=shell`.
pub(super) fn hook_line(hook: &HookDeclaration) -> String {
    let mut line = format!("{} at {}", hook.name, hook.point);
    if !hook.filter.is_empty() {
        let _ = write!(line, ", {}", hook.filter);
    }
    safe(&line)
}

fn grants(report: &FeatureInstallReport, lines: &mut Lines) {
    if !report.granted.is_empty() {
        let granted: Vec<_> = report.granted.iter().map(ToString::to_string).collect();
        lines.add("granted", granted.join(", "));
    }
    // What was said of a tool or hook need not be said again.
    let is_said = |problem: &Diagnostic| {
        report.skipped.iter().any(|skipped| skipped.why.help == problem.help)
    };
    let denied = report.denied.iter().map(CapabilityDenial::diagnostic);
    for problem in denied.filter(|problem| !is_said(problem)) {
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
