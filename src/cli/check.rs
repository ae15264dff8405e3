//! `peasy check`: every problem of every feature in one pass. Runs no script.

use super::output::{BAD, DIM, GOOD, Output, count, paint};
use super::workspace::{self, inactive};
use super::{Exit, ListingArguments, PolicyArguments, refused_as_json};
use crate::diagnostic::{Blame, Diagnostic, Severity};
use crate::workspace::ReadFeature;
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
    listing: ListingArguments,
    /// Fail on warnings as well. What waits for a grant is no fault of a feature and does not count.
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    policy: PolicyArguments,
}

/// What `--json` prints.
#[derive(Default, Serialize)]
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
    let outcome = execute(arguments, output);
    refused_as_json(outcome, arguments.listing.json, |problem| {
        let problems = std::slice::from_ref(problem);
        output.say_json(&Report { problems, errors: 1, ..Report::default() });
    })
}

fn execute(arguments: &CheckArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let ListingArguments { places, json } = &arguments.listing;
    let mut workspace = workspace::read(&places.paths, &arguments.policy.limits)?;
    if places.paths.is_empty() {
        workspace.leave_out_built_ins();
    }
    if !json {
        workspace.require_some()?;
    }
    let catalog = workspace::install(&workspace, &arguments.policy.grants, output)?;
    let features: Vec<Checked<'_>> = workspace
        .features
        .iter()
        .map(|read| {
            let mut diagnostics = read.diagnostics.clone();
            let report = workspace.report_of(read, &catalog);
            diagnostics.extend(
                report.into_iter().flat_map(inactive).map(|problem| in_file(problem, read)),
            );
            Checked {
                path: read.path(),
                feature: read.id().map(ToString::to_string),
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
    if *json {
        output.say_json(&report);
    } else {
        print(&report, output);
    }
    Ok(exit(&report, denied && arguments.deny_warnings))
}

/// A problem of what was installed, with the file that it is about.
fn in_file(problem: Diagnostic, read: &ReadFeature) -> Diagnostic {
    if problem.file.is_some() { problem } else { problem.in_file(read.path()) }
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
        Exit::of_first(
            report.features.iter().flat_map(|one| &one.diagnostics).chain(report.problems),
        )
    }
}
