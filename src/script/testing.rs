//! Runs a feature's `@test` functions and `@example` calls, each on its own.
//!
//! Everything the feature requests counts as granted, the clock stands still, the seed is fixed,
//! and what it emits goes nowhere: a test says the same wherever it runs.

use super::call::Entry;
use super::frame::Role;
use super::invoke::{Given, Returned, Runnable};
use super::runtime::{ScriptRuntime, ToolResult};
use super::script::{Script, TestEntry};
use crate::diagnostic::{Diagnostic, Span};
use crate::feature::call::{CallContext, Cancel, Conditions, Receipt};
use crate::feature::descriptor::{Example, ToolDeclaration};
use crate::feature::event::Silent;
use crate::feature::grant::GrantSet;
use crate::feature::schema::{Mismatch, Subject};
use crate::feature::transaction::Scratch;
use crate::limit::{Limit, Limits};
use rhai::Dynamic;
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The moment at which all tests run: 2026-01-01T00:00:00Z.
const CLOCK: i64 = 1_767_225_600_000;

/// The seed of all tests.
const SEED: u64 = 1;

/// What came of one test.
#[derive(Debug, Clone, Serialize)]
pub struct TestResult {
    /// The test's function, or `tool example 1`.
    pub name: String,
    /// Where it stands.
    pub file: String,
    /// The line, from 1; 0 where it is not known.
    pub line: u32,
    /// Why it failed; `None` when it passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Diagnostic>,
    /// What it cost.
    pub receipt: Receipt,
}

impl TestResult {
    /// Whether it holds.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// Which tests to run, and what to do after each.
pub struct TestRun<'a> {
    /// Runs only tests whose name contains this.
    pub filter: Option<&'a str>,
    /// The bounds of each test.
    pub limits: &'a Limits,
}

/// What came of tests that were given little time.
#[derive(Debug, Clone, Default)]
pub struct Hurried {
    /// Those that failed.
    pub failures: Vec<TestResult>,
    /// Those that there was no time for.
    pub left: usize,
}

impl ScriptRuntime {
    /// Runs the tests and the examples of a script, in source order.
    pub fn test(&self, script: &Script, run: &TestRun<'_>) -> Vec<TestResult> {
        let runnable = self.test_runnable(script);
        let cases = cases(script, |name| run.filter.is_none_or(|filter| name.contains(filter)));
        cases.iter().map(|case| case.run(script, &runnable, run.limits)).collect()
    }

    /// Runs as many of the tests and examples as there is time for, in source order. One that is ended
    /// because time is up has not failed.
    pub fn test_within(&self, script: &Script, limits: &Limits, time: Duration) -> Hurried {
        let cases = cases(script, |_| true);
        let mut hurried = Hurried { failures: Vec::new(), left: cases.len() };
        if cases.is_empty() {
            return hurried;
        }
        let runnable = self.test_runnable(script);
        let until = Instant::now() + time;
        for case in cases {
            let left = until.saturating_duration_since(Instant::now());
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            if left == 0 {
                break;
            }
            let result = case.run(script, &runnable, &limits.lowered(&[(Limit::Time, left)]));
            let is_late = Instant::now() >= until
                && result.failure.as_ref().is_some_and(|why| why.code == Limit::Time.code());
            if is_late || result.failure.as_ref().is_some_and(Diagnostic::is_passing) {
                break;
            }
            hurried.left -= 1;
            hurried.failures.extend((!result.passed()).then_some(result));
        }
        hurried
    }

    /// The script with everything that it asks for.
    fn test_runnable(&self, script: &Script) -> Arc<Runnable> {
        let descriptor = &script.descriptor;
        let requested = descriptor.requests.iter().map(|request| request.capability.clone());
        let channels = descriptor.channels.iter().map(|channel| channel.name.clone()).collect();
        self.runnable(script, GrantSet::of(requested), channels)
    }
}

/// One test or example, before it runs.
struct Planned<'a> {
    name: String,
    entry: Entry,
    what: What<'a>,
}

enum What<'a> {
    Test(&'a TestEntry),
    Example(&'a ToolDeclaration, &'a Example),
}

/// The tests and examples whose names are wanted, in source order.
fn cases(script: &Script, is_wanted: impl Fn(&str) -> bool) -> Vec<Planned<'_>> {
    let mut planned = Vec::new();
    for (declaration, tool) in script.descriptor.tools.iter().zip(&script.tools) {
        for (index, example) in declaration.examples.iter().enumerate() {
            let (function, arity) = (tool.function.clone(), tool.parameters.len());
            planned.extend(example.result.is_some().then(|| Planned {
                name: format!("{} example {}", declaration.name, index + 1),
                entry: Entry { module: None, function, arity },
                what: What::Example(declaration, example),
            }));
        }
    }
    planned.extend(script.tests.iter().map(|test| {
        let (module, function) = (test.module.clone(), test.function.clone());
        let entry = Entry { module, function, arity: 0 };
        Planned { name: test.function.clone(), entry, what: What::Test(test) }
    }));
    planned.retain(|one| is_wanted(&one.name));
    planned
}

impl Planned<'_> {
    fn run(&self, script: &Script, runnable: &Arc<Runnable>, limits: &Limits) -> TestResult {
        let case = Case { script, runnable, limits, entry: &self.entry };
        match self.what {
            What::Test(test) => case.test(test.file.clone(), test.line),
            What::Example(declaration, example) => {
                case.example(self.name.clone(), declaration, example)
            }
        }
    }
}

/// What a test returns says nothing.
impl Returned for () {
    const ROLE: Role = Role::Test;

    fn of(_: &Dynamic, _: &Limits) -> Result<Self, Diagnostic> {
        Ok(())
    }
}

struct Case<'a> {
    script: &'a Script,
    runnable: &'a Arc<Runnable>,
    limits: &'a Limits,
    entry: &'a Entry,
}

impl Case<'_> {
    fn context(&self, limits: Limits) -> CallContext {
        let deadline = Instant::now() + Duration::from_millis(limits.get(Limit::Time));
        CallContext {
            feature: Arc::new(self.script.descriptor.id.clone()),
            limits: Arc::new(limits),
            sink: Arc::new(Silent),
            cancel: Cancel::default(),
            answers: Arc::new([]),
            conditions: Conditions { now: Some(CLOCK), seed: SEED },
            deadline,
            transaction: Arc::new(Scratch::default()),
        }
    }

    fn test(&self, file: String, line: u32) -> TestResult {
        let limits = self.limits.lowered(&self.script.descriptor.limits);
        let invocation = self.runnable.invoke::<()>(
            self.entry,
            Given::Arguments(Vec::new()),
            &self.context(limits),
        );
        let failure = invocation.result.err().and_then(first);
        let receipt = invocation.receipt;
        TestResult { name: self.entry.function.clone(), file, line, failure, receipt }
    }

    fn example(
        &self,
        name: String,
        declaration: &ToolDeclaration,
        example: &Example,
    ) -> TestResult {
        let line = example.line.unwrap_or(0);
        let (outcome, receipt) = self.run_example(declaration, example);
        let failure = outcome.err().map(|diagnostic| self.point(diagnostic, line));
        TestResult { name, file: self.script.tree.main.name.clone(), line, failure, receipt }
    }

    fn run_example(
        &self,
        declaration: &ToolDeclaration,
        example: &Example,
    ) -> (Result<(), Diagnostic>, Receipt) {
        let arguments = match declaration.parameters.check(example.arguments.clone()) {
            Ok(arguments) => arguments,
            Err(mismatches) => {
                return (Err(worst(mismatches, Subject::Arguments)), Receipt::default());
            }
        };
        let limits =
            self.limits.lowered(&self.script.descriptor.limits).lowered(&declaration.limits);
        let arguments = arguments.into_values().collect();
        let invocation = self.runnable.invoke::<ToolResult>(
            self.entry,
            Given::Arguments(arguments),
            &self.context(limits),
        );
        let outcome = match invocation.result {
            Err(failure) => Err(first(failure).unwrap_or_else(|| {
                Diagnostic::host("host/empty-failure", "the call failed without a reason")
            })),
            Ok(result) => compare(declaration, example, result),
        };
        (outcome, invocation.receipt)
    }

    /// Points at the example where the failure has no place of its own.
    fn point(&self, diagnostic: Diagnostic, line: u32) -> Diagnostic {
        if !diagnostic.labels.is_empty() || line == 0 {
            return diagnostic;
        }
        let file = &self.script.tree.main;
        let text = file.text.lines().nth(line as usize - 1).unwrap_or_default();
        let column = text.find('@').map_or(1, |byte| text[..byte].chars().count() + 1);
        let length = text.chars().count().saturating_sub(column - 1);
        diagnostic.in_file(file.name.clone()).at(Span::new(line as usize, column, length), "")
    }
}

fn first(failure: crate::feature::call::Failure) -> Option<Diagnostic> {
    failure.diagnostics.into_iter().next()
}

/// The first of what a check found; it found at least one.
fn worst(mismatches: Vec<Mismatch>, subject: Subject) -> Diagnostic {
    mismatches.into_iter().next().map_or_else(
        || Diagnostic::host("host/empty-failure", "a check failed without a reason"),
        |mismatch| mismatch.into_diagnostic(subject),
    )
}

fn compare(
    declaration: &ToolDeclaration,
    example: &Example,
    ToolResult { value, form }: ToolResult,
) -> Result<(), Diagnostic> {
    let result = match &declaration.returns {
        None => value,
        Some(kind) => {
            form.check(kind, value).map_err(|mismatches| worst(mismatches, Subject::Result))?
        }
    };
    let expected = example.result.as_ref().unwrap_or(&Value::Null);
    if same(expected, &result) {
        return Ok(());
    }
    Err(Diagnostic::author("test/example", "the example gives another result")
        .help(format!("it gives {}", brief(&result)))
        .help(format!("it should give {}", brief(expected))))
}

/// Equality of JSON values in which a number is a number: `2` and `2.0` are the same.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            left == right || left.as_f64() == right.as_f64()
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

fn brief(value: &Value) -> String {
    let mut text = value.to_string();
    if let Some((end, _)) = text.char_indices().nth(300) {
        text.truncate(end);
        text.push('…');
    }
    text
}
