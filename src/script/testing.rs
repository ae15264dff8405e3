//! Runs a feature's `@test` functions and `@example` calls, each on its own.
//!
//! Everything the feature requests counts as granted, the clock stands still, the seed is fixed,
//! and what it emits goes nowhere: a test says the same wherever it runs.

use super::call::Entry;
use super::frame::Role;
use super::invoke::{Returned, Runnable};
use super::runtime::ScriptRuntime;
use super::script::Script;
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

impl ScriptRuntime {
    /// Runs the tests and the examples of a script, in source order.
    pub fn test(&self, script: &Script, run: &TestRun<'_>) -> Vec<TestResult> {
        let descriptor = &script.descriptor;
        let requested = descriptor.requests.iter().map(|request| request.capability.clone());
        let channels = descriptor.channels.iter().map(|channel| channel.name.clone()).collect();
        let runnable = self.runnable(script, GrantSet::of(requested), channels);
        let mut results = Vec::new();
        let wanted = |name: &str| run.filter.is_none_or(|filter| name.contains(filter));
        for (declaration, entry) in descriptor.tools.iter().zip(&script.tools) {
            let entry = Entry {
                module: None,
                function: entry.function.clone(),
                arity: entry.parameters.len(),
            };
            for (index, example) in declaration.examples.iter().enumerate() {
                let name = format!("{} example {}", declaration.name, index + 1);
                if example.result.is_some() && wanted(&name) {
                    let case = Case { script, runnable: &runnable, run, entry: &entry };
                    results.push(case.example(name, declaration, example));
                }
            }
        }
        for test in &script.tests {
            if wanted(&test.function) {
                let entry = Entry {
                    module: test.module.clone(),
                    function: test.function.clone(),
                    arity: 0,
                };
                let case = Case { script, runnable: &runnable, run, entry: &entry };
                results.push(case.test(test.file.clone(), test.line));
            }
        }
        results
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
    run: &'a TestRun<'a>,
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
            conditions: Conditions { now: Some(CLOCK), seed: SEED },
            deadline,
            transaction: Arc::new(Scratch::default()),
        }
    }

    fn test(&self, file: String, line: u32) -> TestResult {
        let limits = self.run.limits.lowered(&self.script.descriptor.limits);
        let invocation = self.runnable.invoke::<()>(self.entry, Vec::new(), &self.context(limits));
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
            self.run.limits.lowered(&self.script.descriptor.limits).lowered(&declaration.limits);
        let arguments = arguments.into_values().collect();
        let invocation =
            self.runnable.invoke::<Value>(self.entry, arguments, &self.context(limits));
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
    result: Value,
) -> Result<(), Diagnostic> {
    let result = match &declaration.returns {
        None => result,
        Some(kind) => {
            kind.check(result).map_err(|mismatches| worst(mismatches, Subject::Result))?
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
