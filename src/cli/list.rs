//! `peasy list`: which features there are, what of them runs, and why the rest does not.

use super::output::{BAD, BOLD, DIM, GOOD, Output, WARN, first_line, paint, safe};
use super::policy::{GrantArguments, LimitArguments};
use super::workspace::{ReadFeature, Workspace, inactive};
use super::{Exit, PathArguments};
use crate::diagnostic::Diagnostic;
use crate::feature::catalog::Catalog;
use crate::feature::descriptor::{CapabilityRequest, FeatureDescriptor, HookDeclaration};
use crate::feature::report::{CapabilityDenial, FeatureInstallReport, FeatureState};
use clap::Args;
use serde::Serialize;
use std::fmt::{Display, Write};

/// Lists features: their tools, their hooks, what they were granted and why not more.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy list                     the features of this project and your own
  peasy list examples/ --trust   a folder, as if it were your own
  peasy list --json | jq '.features[].report.tools'")]
pub struct ListArguments {
    #[command(flatten)]
    paths: PathArguments,
    /// Print the list as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    grants: GrantArguments,
    #[command(flatten)]
    limits: LimitArguments,
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
    let workspace = Workspace::read(&arguments.paths.paths, &arguments.limits)?;
    workspace.require_some()?;
    let catalog = workspace.install(&arguments.grants)?;
    if arguments.json {
        let features = workspace.features.iter().map(|read| entry(read, &catalog)).collect();
        output.say_json(&Listing { features, problems: &workspace.problems });
    } else {
        for (index, read) in workspace.features.iter().enumerate() {
            if index > 0 {
                output.say("");
            }
            output.say(describe(read, &catalog).trim_end());
        }
        for problem in &workspace.problems {
            output.tell_picture(problem, None);
        }
    }
    Ok(workspace.problems.first().map_or(Exit::Done, Exit::of))
}

fn report_of<'a>(read: &ReadFeature, catalog: &'a Catalog) -> Option<&'a FeatureInstallReport> {
    let id = &read.script()?.descriptor.id;
    catalog.reports().iter().find(|report| report.feature == *id)
}

fn entry<'a>(read: &'a ReadFeature, catalog: &'a Catalog) -> Entry<'a> {
    let descriptor = read.script().map(|script| &script.descriptor);
    Entry {
        path: read.path(),
        version: descriptor.and_then(|descriptor| descriptor.version.as_deref()),
        requests: descriptor.map_or(&[], |descriptor| &descriptor.requests),
        report: report_of(read, catalog),
        errors: read.diagnostics.iter().filter(|problem| problem.is_error()).collect(),
    }
}

fn describe(read: &ReadFeature, catalog: &Catalog) -> String {
    match (read.script(), report_of(read, catalog)) {
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
        lines.add("inactive", paint(WARN, safe(&problem.message)));
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
    if !hook.filter.tools.is_empty() {
        let _ = write!(line, ", tools={}", hook.filter.tools.join("|"));
    }
    if !hook.filter.kinds.is_empty() {
        let kinds: Vec<_> = hook.filter.kinds.iter().map(|kind| kind.name()).collect();
        let _ = write!(line, ", kind={}", kinds.join("|"));
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
    let errors: Vec<_> = read.diagnostics.iter().filter(|problem| problem.is_error()).collect();
    let mut text = format!("{}  {}\n", paint(BOLD, safe(&read.path())), paint(BAD, "broken"));
    let mut lines = Lines(String::new());
    for problem in errors.iter().take(3) {
        lines.add("error", safe(&problem.to_string()));
    }
    text.push_str(&lines.0);
    let _ = writeln!(text, "  see all of it with `peasy check {}`", safe(&read.path()));
    text
}
