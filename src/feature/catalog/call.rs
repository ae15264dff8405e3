//! One call of a tool: what is checked before it runs, and what is checked after.

use super::{CallOptions, Catalog, InFlight, InstalledFeature, InstalledTool, Place};
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::call::{CallContext, Failure, Outcome};
use crate::feature::capability::{Audience, Capability};
use crate::feature::content::ResultForm;
use crate::feature::event::Sink;
use crate::feature::gate::{Gate, Span};
use crate::feature::grant::GrantSet;
use crate::feature::measure::{
    bound_diagnostics, cut, json_char_bytes, prefix, shortened, value_bytes,
};
use crate::feature::schema::{Arguments, Subject, Type};
use crate::feature::transaction::{CallStart, Ending, Transaction};
use crate::limit::{Limit, Limits};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most bytes of an unknown name that are repeated to the caller.
const SHOWN_NAME: usize = 80;

pub(super) fn call(
    catalog: &Catalog,
    name: &str,
    arguments: Value,
    options: CallOptions,
) -> Outcome {
    let started = Instant::now();
    let mut outcome = match check(catalog, name, arguments, &options) {
        Ok(ready) => ready.run(options),
        Err((failure, bytes_in)) => refused(failure, bytes_in),
    };
    if outcome.receipt.elapsed.is_zero() {
        outcome.receipt.elapsed = started.elapsed();
    }
    outcome
}

/// A call whose arguments are checked. It holds its places in the count of calls until it is over.
pub(crate) struct Ready<'a> {
    tool: &'a InstalledTool,
    arguments: Arguments,
    bytes_in: u64,
    _places: [Place<'a>; 2],
}

/// A call that may run as far as the catalog is asked: the host has a word before it does.
pub(super) fn prepare<'a>(
    catalog: &'a Catalog,
    name: &str,
    arguments: Value,
    options: &CallOptions,
) -> Result<Ready<'a>, Box<Outcome>> {
    check(catalog, name, arguments, options)
        .map_err(|(failure, bytes_in)| Box::new(refused(failure, bytes_in)))
}

fn check<'a>(
    catalog: &'a Catalog,
    name: &str,
    arguments: Value,
    options: &CallOptions,
) -> Result<Ready<'a>, (Failure, u64)> {
    let early = |diagnostic: Diagnostic| (Failure::from(diagnostic), 0);
    let tool = catalog.tool(name).ok_or_else(|| early(unknown_tool(catalog, name)))?;
    if options.cancel.is_cancelled() {
        return Err(early(cancelled()));
    }
    let enter = |count: &'a InFlight, limits: &Limits| {
        let most = limits.get(Limit::InFlight);
        count.enter(most).ok_or_else(|| early(too_many_calls(most)))
    };
    let places = [
        enter(&catalog.in_flight, &catalog.limits)?,
        enter(&tool.feature.in_flight, &tool.limits)?,
    ];
    let most = tool.limits.get(Limit::Arguments);
    let bytes_in = value_bytes(&arguments, most).ok_or_else(|| early(arguments_too_large(most)))?;
    match fit(tool, arguments) {
        Ok(arguments) => Ok(Ready { tool, arguments, bytes_in, _places: places }),
        Err(failure) => Err((failure, bytes_in)),
    }
}

/// Arguments as the tool declares them.
fn fit(tool: &InstalledTool, arguments: Value) -> Result<Arguments, Failure> {
    tool.declaration().parameters.check_value(arguments).map_err(|mismatches| {
        let diagnostics = mismatches.into_iter().map(Diagnostic::from).collect();
        bounded(Failure { diagnostics, question: None }, &tool.limits)
    })
}

impl InstalledTool {
    /// Holds what a hook gives in the place of the arguments against what the tool declares.
    ///
    /// # Errors
    ///
    /// They are too large, or do not fit.
    pub(crate) fn fit(&self, arguments: Value) -> Result<Arguments, Failure> {
        let most = self.limits.get(Limit::Arguments);
        value_bytes(&arguments, most).ok_or_else(|| arguments_too_large(most))?;
        fit(self, arguments)
    }

    /// Holds what a hook gives in the place of the result against what the tool declares.
    ///
    /// # Errors
    ///
    /// It does not fit, or is too large.
    pub(crate) fn fit_result(&self, value: Value, form: ResultForm) -> Result<Value, Failure> {
        let checked = check_result(self, value, form, &self.limits);
        checked.map(|(value, _)| value).map_err(|failure| bounded(failure, &self.limits))
    }
}

impl<'a> Ready<'a> {
    /// What is called.
    pub(crate) fn tool(&self) -> &'a InstalledTool {
        self.tool
    }

    /// What it is called with.
    pub(crate) fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Puts other arguments in the place of those that were given.
    pub(crate) fn rewritten(self, arguments: Arguments) -> Self {
        Self { arguments, ..self }
    }

    /// An outcome of a call that does not run.
    pub(crate) fn ends_with(self, result: Result<Value, Failure>) -> Outcome {
        let mut outcome = match result {
            Ok(value) => Outcome::success(value),
            Err(failure) => Outcome::failure(bounded(failure, &self.tool.limits)),
        };
        outcome.receipt.bytes_in = self.bytes_in;
        outcome
    }

    /// Runs it.
    pub(crate) fn run(self, options: CallOptions) -> Outcome {
        let Self { tool, arguments, bytes_in, _places } = self;
        let gate = Gate::new(
            tool.feature.speaker.clone(),
            Arc::clone(&tool.limits),
            Span::Call,
            Arc::clone(&options.sink),
        );
        let gate = Arc::new(gate);
        let sink = Arc::clone(&gate) as Arc<dyn Sink>;
        let name = tool.declaration().name.as_str();
        let context = begin(&tool.feature, name, &tool.limits, sink, options);
        let run = AssertUnwindSafe(|| tool.code.call(arguments, &context));
        let outcome = catch_unwind(run).unwrap_or_else(|_| refused(panicked(tool).into(), 0));
        if gate.withheld() > 0 {
            tracing::debug!(feature = %tool.feature(), count = gate.withheld(), "events withheld");
        }
        seal(&*context.transaction, settle(tool, outcome, bytes_in))
    }
}

/// What a contribution runs under, known to the host from here on.
pub(super) fn begin(
    feature: &InstalledFeature,
    contribution: &str,
    limits: &Arc<Limits>,
    sink: Arc<dyn Sink>,
    options: CallOptions,
) -> CallContext {
    let CallOptions { cancel, conditions, transaction, answers, .. } = options;
    let deadline = Instant::now() + Duration::from_millis(limits.get(Limit::Time));
    let (id, limits) = (Arc::clone(&feature.speaker.feature), Arc::clone(limits));
    transaction.begin(&CallStart {
        feature: &id,
        contribution,
        grants: feature.grants(),
        limits: &limits,
        conditions,
        deadline,
    });
    CallContext { feature: id, limits, sink, cancel, conditions, deadline, transaction, answers }
}

/// Makes lasting what the call staged, or forgets it.
fn seal(transaction: &dyn Transaction, mut outcome: Outcome) -> Outcome {
    let Outcome { result, notices, receipt, .. } = &outcome;
    match result {
        Ok(result) => {
            if let Err(diagnostic) = transaction.commit(&Ending { result, notices, receipt }) {
                outcome.result = Err(diagnostic.into());
                outcome.notices.clear();
                outcome.receipt.bytes_out = 0;
            }
        }
        Err(_) => transaction.roll_back(),
    }
    outcome
}

/// Holds what came out of a tool against what it declared and what it may cost.
fn settle(tool: &InstalledTool, outcome: Outcome, bytes_in: u64) -> Outcome {
    let Outcome { result, form, notices, mut receipt } = outcome;
    let limits = &tool.limits;
    let result = result
        .and_then(|value| check_result(tool, value, form, limits))
        .map_err(|failure| bounded(failure, limits));
    receipt.bytes_in = bytes_in;
    receipt.bytes_out = result.as_ref().map_or(0, |(_, bytes)| *bytes);
    let result = result.map(|(value, _)| value);
    let notices = match result {
        Ok(_) => bound_notices(notices, tool.feature.grants(), limits),
        Err(_) => Vec::new(),
    };
    Outcome { result, form, notices, receipt }
}

/// The result as the caller gets it, and its bytes as JSON.
fn check_result(
    tool: &InstalledTool,
    value: Value,
    form: ResultForm,
    limits: &Limits,
) -> Result<(Value, u64), Failure> {
    let most = limits.get(Limit::Result);
    let kind = tool.declaration().returns.as_ref().unwrap_or(&Type::Any);
    let value = form.check(kind, value).map_err(|mismatches| {
        let problems = mismatches.into_iter().map(|each| each.into_diagnostic(Subject::Result));
        Failure {
            diagnostics: problems.map(|problem| tool.code.locate(problem)).collect(),
            question: None,
        }
    })?;
    if let Some(bytes) = value_bytes(&value, most) {
        return Ok((value, bytes));
    }
    match value {
        Value::String(text) => cut_result(&text, most).map(|cut| {
            let cut = Value::String(cut);
            let bytes = value_bytes(&cut, most).unwrap_or(most);
            (cut, bytes)
        }),
        _ => None,
    }
    .ok_or_else(|| tool.code.locate(result_too_large(most)).into())
}

/// The start of `text` and a line that says what is missing, together at most `most` bytes as JSON.
/// `None` where the line has no room.
fn cut_result(text: &str, most: u64) -> Option<String> {
    let line = |shown: usize| {
        let all = text.len();
        format!(
            "\n[cut: {shown} of {all} bytes shown; the rest was not kept, so ask for less at once]"
        )
    };
    let longest: u64 = line(text.len()).chars().map(json_char_bytes).sum();
    let room = most.checked_sub(longest + 2)?;
    let kept = prefix(text, room, json_char_bytes);
    Some(format!("{kept}{}", line(kept.len())))
}

/// What a call may tell the model: nothing without the grant, and no more than the bound.
pub(super) fn bound_notices(
    notices: Vec<String>,
    grants: &GrantSet,
    limits: &Limits,
) -> Vec<String> {
    if notices.is_empty() {
        return notices;
    }
    if !grants.covers(&Capability::Notify(Audience::Model)) {
        tracing::debug!(count = notices.len(), "notices to the model withheld");
        return Vec::new();
    }
    let mut left = limits.get(Limit::Notifications);
    let mut kept = Vec::new();
    for notice in notices {
        let whole = notice.len() as u64 <= left;
        let Some(text) = cut(notice, left, "\n[cut: limit/notifications]") else { break };
        left -= text.len() as u64;
        kept.push(text);
        if !whole {
            break;
        }
    }
    kept
}

/// Cuts what a failure says to a size that callers read. A failure without a reason gets one.
pub(super) fn bounded(mut failure: Failure, limits: &Limits) -> Failure {
    if failure.diagnostics.is_empty() {
        let message = "the call failed and did not say why";
        failure.diagnostics.push(Diagnostic::author("call/unexplained", message));
    }
    bound_diagnostics(&mut failure.diagnostics, limits);
    failure
}

fn refused(failure: Failure, bytes_in: u64) -> Outcome {
    let mut outcome = Outcome::failure(failure);
    outcome.receipt.bytes_in = bytes_in;
    outcome
}

pub(super) fn cancelled() -> Diagnostic {
    Diagnostic::caller("call/cancelled", "the call was cancelled before it began")
}

fn unknown_tool(catalog: &Catalog, name: &str) -> Diagnostic {
    let shown = shortened(name, SHOWN_NAME);
    let names = catalog.tools().map(|tool| tool.declaration().name.as_str());
    let help = match nearest(&shown, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "ask for the list of tools".into(),
    };
    Diagnostic::caller("call/unknown-tool", format!("there is no tool `{shown}`")).help(help)
}

fn too_many_calls(most: u64) -> Diagnostic {
    let message = format!("{most} calls are running or waiting, and no more may");
    Diagnostic::caller(Limit::InFlight.code(), message).help("wait for one to end, then try again")
}

fn arguments_too_large(most: u64) -> Diagnostic {
    let message = format!("the arguments have more than {most} bytes as JSON");
    Diagnostic::caller(Limit::Arguments.code(), message).help("send less at once")
}

fn result_too_large(most: u64) -> Diagnostic {
    let message = format!("the result has more than {most} bytes as JSON");
    Diagnostic::author(Limit::Result.code(), message).help("return less at once, or page by page")
}

fn panicked(tool: &InstalledTool) -> Diagnostic {
    let name = &tool.declaration().name;
    Diagnostic::host("host/panic", format!("the tool `{name}` of `{}` panicked", tool.feature()))
}
