//! `peasy test`: the `@test` functions and `@example` calls of features.

use super::output::{BAD, BOLD, DIM, GOOD, Output, WARN, paint, safe};
use super::policy::{IsolationArguments, LimitArguments};
use super::workspace;
use super::{Exit, ListingArguments, refused_as_json};
use crate::diagnostic::Diagnostic;
use crate::script::testing::{TestResult, TestRun};
use crate::workspace::ReadFeature;
use clap::Args;
use serde::Serialize;

/// Runs the tests and examples of features.
#[derive(Debug, Args)]
#[command(after_help = "\
Tests see an empty store, a clock that stands still and a fixed seed, and everything that the
feature requests counts as granted.

Examples:
  peasy test greet.rhai
  peasy test .peasy/features --filter example
  peasy test --json | jq .failed")]
pub struct TestArguments {
    #[command(flatten)]
    listing: ListingArguments,
    /// Run only tests whose name contains this.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    #[command(flatten)]
    limits: LimitArguments,
    #[command(flatten)]
    isolation: IsolationArguments,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Results<'a> {
    features: Vec<Tested<'a>>,
    /// Paths that lead to no feature.
    problems: &'a [Diagnostic],
    passed: usize,
    failed: usize,
}

/// One feature and its tests.
#[derive(Serialize)]
struct Tested<'a> {
    path: String,
    /// The feature's id; none where it is broken.
    feature: Option<String>,
    tests: Vec<TestResult>,
    /// What is wrong with a broken one.
    errors: Vec<&'a Diagnostic>,
    #[serde(skip)]
    read: &'a ReadFeature,
}

/// Tests, and prints what came of each.
///
/// # Errors
///
/// There is nothing to test, or a flag cannot be understood.
pub fn run(arguments: &TestArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let outcome = execute(arguments, output);
    refused_as_json(outcome, arguments.listing.json, |problem| {
        output.say_json(&Results::new(std::slice::from_ref(problem)));
    })
}

fn execute(arguments: &TestArguments, output: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let ListingArguments { places, json } = &arguments.listing;
    let mut workspace =
        workspace::read_to_call(&places.paths, &arguments.limits, arguments.isolation.isolate)?;
    if places.paths.is_empty() {
        workspace.leave_out_built_ins();
    }
    if !json {
        workspace.require_some()?;
    }
    let run = TestRun { filter: arguments.filter.as_deref(), limits: &workspace.limits };
    let mut results = Results::new(&workspace.problems);
    for read in &workspace.features {
        let tests = read.script().map(|script| workspace.runtime.test(script, &run));
        let tested = Tested {
            path: read.path(),
            feature: read.id().map(ToString::to_string),
            tests: tests.unwrap_or_default(),
            errors: read.errors().collect(),
            read,
        };
        results.passed += tested.tests.iter().filter(|test| test.passed()).count();
        results.failed += tested.tests.iter().filter(|test| !test.passed()).count();
        if !json {
            print(&tested, arguments.filter.is_some(), output);
        }
        results.features.push(tested);
    }
    let broken = workspace.features.iter().filter(|read| read.is_broken()).count();
    if *json {
        output.say_json(&results);
    } else {
        close(&results, broken, arguments, output);
    }
    let has_failed = results.failed + broken > 0;
    Ok(if has_failed { Exit::Failed } else { Exit::of_first(&workspace.problems) })
}

impl<'a> Results<'a> {
    fn new(problems: &'a [Diagnostic]) -> Self {
        Self { features: Vec::new(), problems, passed: 0, failed: 0 }
    }
}

fn print(tested: &Tested<'_>, is_filtered: bool, output: &mut Output) {
    if is_filtered && tested.tests.is_empty() && tested.errors.is_empty() {
        return;
    }
    let path = paint(BOLD, safe(&tested.path));
    match &tested.feature {
        Some(feature) => output.say(format_args!("{path} {}", paint(DIM, feature))),
        None => output.say(format_args!("{path} {}", paint(BAD, "broken"))),
    }
    for problem in &tested.errors {
        output.say_picture(problem, tested.read.text_of(problem).as_deref());
    }
    if tested.errors.is_empty() && tested.tests.is_empty() {
        let hint = "no tests; put `/// @test` above a function, or give a tool an `@example`";
        output.say(format_args!("  {}", paint(WARN, hint)));
    }
    for test in &tested.tests {
        match &test.failure {
            None => output.say(format_args!("  {}     {}", paint(GOOD, "ok"), safe(&test.name))),
            Some(failure) => {
                output.say(format_args!("  {} {}", paint(BAD, "FAILED"), safe(&test.name)));
                output.say_picture(failure, tested.read.text_of(failure).as_deref());
            }
        }
    }
}

fn close(results: &Results<'_>, broken: usize, arguments: &TestArguments, output: &mut Output) {
    for problem in results.problems {
        output.tell_picture(problem, None);
    }
    if let Some(filter) = arguments.filter.as_ref().filter(|_| results.passed + results.failed == 0)
    {
        output.tell(format_args!("note: no test has `{}` in its name", safe(filter)));
    }
    if broken > 0 {
        let noun = if broken == 1 { "feature is" } else { "features are" };
        output.tell(format_args!(
            "{}: {broken} {noun} broken and could not be tested",
            paint(BAD, "error")
        ));
    }
    output.say(format_args!("{} passed, {} failed", results.passed, results.failed));
}
