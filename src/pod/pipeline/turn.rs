//! The points of a turn: before a request, after the model's text, and before the turn ends.

use super::compose::attributed;
use super::round::{Round, Told};
use super::wanting;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Failure;
use crate::feature::catalog::CallOptions;
use crate::feature::hook::{Decision, HookPoint};
use crate::feature::id::FeatureId;
use crate::limit::Limit;
use crate::pod::host::{Current, Shared};
use serde_json::Value;
use std::sync::Arc;

/// What hooks had to say of a point of a turn, beside what they decided.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// The id of the event on record; `None` where no hook was asked.
    pub event: Option<String>,
    /// Texts for the model, with their authors; each is on record.
    pub notices: Vec<String>,
    /// Hooks that failed, and what could not be done as they wanted it.
    pub diagnostics: Vec<Diagnostic>,
}

/// Whether a request is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestVerdict {
    /// It is.
    Proceed,
    /// It is not.
    Stop {
        /// Why, with who says so.
        reason: String,
    },
}

/// Whether a turn ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndVerdict {
    /// It does.
    End,
    /// It goes on.
    Again {
        /// Why, as the model reads it, with who says so.
        reason: String,
    },
}

/// What each hook came to: whose it is, its name, its decision.
type Each = (FeatureId, String, Result<Decision, Failure>);

/// A round whose hooks were asked, the event, and what each came to.
type Asked = (Round, Told, Vec<Each>);

/// Asks the hooks of a point, as far as the first that is `enough`.
fn ask(
    shared: &Arc<Shared>,
    current: &Arc<Current>,
    point: HookPoint,
    event: Value,
    options: CallOptions,
    enough: fn(&Result<Decision, Failure>) -> bool,
) -> Option<Result<Asked, Diagnostic>> {
    if let Some(problem) = current.catalog.lost(point) {
        return Some(Err(problem.clone()));
    }
    let wanted = wanting(&current.catalog, point, |_| true);
    if wanted.is_empty() {
        return None;
    }
    let call = shared.log.next_call();
    let round = Round::new(shared, current, call, point, options);
    let told = match Told::new(shared, event) {
        Ok(told) => told,
        Err(error) => return Some(Err(error.diagnostic())),
    };
    let (inner, event, asked) = (round.clone(), told.clone(), wanted.clone());
    let each = round.on_one_thread(&wanted, move || {
        let mut each = Vec::new();
        for index in asked {
            let hook = inner.hook(index);
            let (feature, name) = (hook.feature().clone(), hook.declaration().name.clone());
            let came = inner.ask(index, &event);
            let is_enough = enough(&came);
            each.push((feature, name, came));
            if is_enough {
                break;
            }
        }
        each
    });
    Some(each.map(|each| (round, told, each)))
}

fn failed(feature: &FeatureId, hook: &str, failure: &Failure) -> Diagnostic {
    let why = failure.diagnostics.first();
    let text = why.map_or("", |first| first.message.as_str());
    let message = format!("the hook `{hook}` of `{feature}` failed: {text}");
    let mut problem = Diagnostic::operator("hook/failed", message);
    if let Some(first) = why {
        problem.file.clone_from(&first.file);
        problem.labels.clone_from(&first.labels);
        problem.help.clone_from(&first.help);
    }
    problem
}

/// Asks whether a request is sent. A hook that fails stops it.
pub(in crate::pod) fn pre_request(
    shared: &Arc<Shared>,
    current: &Arc<Current>,
    event: Value,
    options: CallOptions,
) -> (RequestVerdict, Heard) {
    let stops = |came: &Result<Decision, Failure>| !matches!(came, Ok(Decision::Proceed));
    let mut heard = Heard::default();
    let (round, told, each) =
        match ask(shared, current, HookPoint::PreRequest, event, options, stops) {
            None => return (RequestVerdict::Proceed, heard),
            Some(Ok(asked)) => asked,
            Some(Err(problem)) => {
                let reason =
                    format!("the hooks of the request could not be asked: {}", problem.message);
                heard.diagnostics.push(problem);
                return (RequestVerdict::Stop { reason }, heard);
            }
        };
    let mut verdict = RequestVerdict::Proceed;
    for (feature, hook, came) in &each {
        let reason = match came {
            Ok(Decision::Stop { reason }) => attributed(feature, reason),
            Ok(_) => continue,
            Err(failure) => {
                let problem = failed(feature, hook, failure);
                let reason = problem.message.clone();
                heard.diagnostics.push(problem);
                reason
            }
        };
        verdict = RequestVerdict::Stop { reason };
        break;
    }
    heard.event = Some(round.call.clone());
    heard.notices = round.notices();
    let decision = match &verdict {
        RequestVerdict::Proceed => Decision::Proceed,
        RequestVerdict::Stop { reason } => Decision::Stop { reason: reason.clone() },
    };
    if let Err(error) = round.record(&told, &decision, Vec::new()) {
        let problem = error.diagnostic();
        let reason = problem.message.clone();
        return (
            RequestVerdict::Stop { reason },
            Heard { diagnostics: vec![problem], ..Heard::default() },
        );
    }
    (verdict, heard)
}

/// Tells hooks of the model's text. It stands, whatever they do.
pub(in crate::pod) fn post_assistant(
    shared: &Arc<Shared>,
    current: &Arc<Current>,
    event: Value,
    options: CallOptions,
) -> Heard {
    let mut heard = Heard::default();
    let asked = ask(shared, current, HookPoint::PostAssistant, event, options, |_| false);
    let (round, told, each) = match asked {
        None => return heard,
        Some(Ok(asked)) => asked,
        Some(Err(problem)) => return Heard { diagnostics: vec![problem], ..heard },
    };
    for (feature, hook, came) in &each {
        heard.diagnostics.extend(came.as_ref().err().map(|failure| failed(feature, hook, failure)));
    }
    heard.event = Some(round.call.clone());
    heard.notices = round.notices();
    if let Err(error) = round.record(&told, &Decision::Proceed, Vec::new()) {
        return Heard { diagnostics: vec![error.diagnostic()], ..Heard::default() };
    }
    heard
}

/// Asks whether a turn ends. A hook that fails does not keep it going, and no hook does so more often
/// than [`Limit::Again`].
pub(in crate::pod) fn turn_end(
    shared: &Arc<Shared>,
    current: &Arc<Current>,
    event: Value,
    again: u64,
    options: CallOptions,
) -> (EndVerdict, Heard) {
    let mut heard = Heard::default();
    let asked = ask(shared, current, HookPoint::TurnEnd, event, options, |_| false);
    let (round, told, each) = match asked {
        None => return (EndVerdict::End, heard),
        Some(Ok(asked)) => asked,
        Some(Err(problem)) => {
            heard.diagnostics.push(problem);
            return (EndVerdict::End, heard);
        }
    };
    let mut reasons = Vec::new();
    for (feature, hook, came) in &each {
        match came {
            Ok(Decision::Again { reason }) => reasons.push(attributed(feature, reason)),
            Ok(_) => {}
            Err(failure) => heard.diagnostics.push(failed(feature, hook, failure)),
        }
    }
    let most = current.catalog.limits().get(Limit::Again);
    if !reasons.is_empty() && again >= most {
        let message =
            format!("the turn ends: hooks have made it go on {most} times, and no more may");
        heard.diagnostics.push(
            Diagnostic::author(Limit::Again.code(), message)
                .help("look in the hook at `event.again`, and stop where it does not help"),
        );
        reasons.clear();
    }
    let (verdict, decision) = match reasons.join("\n") {
        reason if reason.is_empty() => (EndVerdict::End, Decision::Proceed),
        reason => (EndVerdict::Again { reason: reason.clone() }, Decision::Again { reason }),
    };
    heard.event = Some(round.call.clone());
    heard.notices = round.notices();
    if let Err(error) = round.record(&told, &decision, Vec::new()) {
        return (
            EndVerdict::End,
            Heard { diagnostics: vec![error.diagnostic()], ..Heard::default() },
        );
    }
    (verdict, heard)
}
