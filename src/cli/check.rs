//! `peasy check`: every problem of every feature in one pass. Runs no script.

use super::output::{BAD, DIM, GOOD, Output, count, paint};
use super::policy::{GrantArguments, LimitArguments};
use super::workspace::{ReadFeature, Workspace, inactive};
use super::{Exit, PathArguments};
use crate::diagnostic::{Blame, Diagnostic, Severity};
use clap::Args;
use serde::Serialize;

/// Finds every mistake in features, without running them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  peasy check greet.rhai
  peasy check .peasy/features --deny-warnings
  peasy check --json | jq '.features[].diagnostics'")]
pub struct CheckArguments {
    #[command(flatten)]
    paths: PathArguments,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
    /// Fail on warnings as well.
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    grants: GrantArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    features: Vec<Checked<'a>>,
    /// Problems that belong to no feature that could be read.
    problems: &'a [Diagnostic],
    errors: usize,
    warnings: usize,
}

/// One feature and everything that was found.
#[derive(Serialize)]
struct Checked<'a> {
    path: String,
    /// The feature's id; none where it is broken.
    feature: Option<String>,
    ok: bool,
    diagnostics: Vec<Diagnostic>,
    #[serde(skip)]
    read: &'a ReadFeature,
}

/// Checks, and prints what was found.
///
/// # Errors
///
/// There is nothing to check, or a flag cannot be understood.
pub fn run(arguments: &CheckArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let workspace = Workspace::read(&arguments.paths.paths, &arguments.limits)?;
    workspace.require_some()?;
    let catalog = workspace.install(&arguments.grants)?;
    let features: Vec<Checked<'_>> = workspace
        .features
        .iter()
        .map(|read| {
            let id = read.script().map(|script| &script.descriptor.id);
            let reports = catalog.reports().iter().filter(|report| Some(&report.feature) == id);
            let mut diagnostics = read.diagnostics.clone();
            diagnostics.extend(reports.flat_map(inactive));
            Checked {
                path: read.path(),
                feature: id.map(ToString::to_string),
                ok: !diagnostics.iter().any(Diagnostic::is_error),
                diagnostics,
                read,
            }
        })
        .collect();
    let all = || features.iter().flat_map(|one| &one.diagnostics).chain(&workspace.problems);
    let number = |severity| all().filter(|problem| problem.severity == severity).count();
    // What waits for a grant is the user's to decide and no fault of the feature.
    let denied = all()
        .any(|problem| problem.severity == Severity::Warning && problem.blame == Blame::Author);
    let report = Report {
        errors: number(Severity::Error),
        warnings: number(Severity::Warning),
        problems: &workspace.problems,
        features,
    };
    if arguments.json {
        output.say_json(&report);
    } else {
        print(&report, output);
    }
    Ok(exit(&report, denied && arguments.deny_warnings))
}

fn print(report: &Report<'_>, output: &mut Output) {
    for checked in &report.features {
        for problem in &checked.diagnostics {
            output.say_picture(problem, checked.read.text_of(problem).as_deref());
        }
    }
    for problem in report.problems {
        output.say_picture(problem, None);
    }
    let checked = count(report.features.len(), "feature");
    if report.errors + report.warnings == 0 {
        return output.say(format_args!("{checked} checked: {}", paint(GOOD, "no problems")));
    }
    let errors = count(report.errors, "error");
    let errors = if report.errors > 0 { paint(BAD, errors) } else { paint(DIM, errors) };
    output.say(format_args!("{checked} checked: {errors}, {}", count(report.warnings, "warning")));
}

fn exit(report: &Report<'_>, denied: bool) -> Exit {
    let is_authors = |checked: &Checked<'_>| {
        let mut errors = checked.diagnostics.iter().filter(|problem| problem.is_error());
        errors.any(|problem| problem.blame != Blame::Host)
    };
    if report.features.iter().any(is_authors) || denied {
        Exit::Failed
    } else {
        let mut rest =
            report.features.iter().flat_map(|one| &one.diagnostics).chain(report.problems);
        rest.find(|problem| problem.is_error()).map_or(Exit::Done, Exit::of)
    }
}
