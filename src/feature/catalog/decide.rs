//! One hook on one event: its decision is held against its point, its bounds and its grants.

use super::call::{begin, bound_notices, bounded, cancelled};
use super::{CallOptions, Catalog, InstalledHook};
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::capability::{Audience, Capability, HookPower};
use crate::feature::gate::{Gate, Span};
use crate::feature::grant::grant_command;
use crate::feature::hook::{Decision, HookOutcome, HookPoint};
use crate::feature::id::FeatureId;
use crate::feature::measure::{bound_diagnostics, json_bytes, shortened};
use crate::feature::transaction::{Ending, Transaction};
use crate::limit::{Limit, Limits};
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

pub(super) fn decide(
    catalog: &Catalog,
    feature: &FeatureId,
    name: &str,
    event: Value,
    options: CallOptions,
) -> HookOutcome {
    let started = Instant::now();
    let found = HookPoint::ALL
        .into_iter()
        .flat_map(|point| catalog.hooks(point))
        .find(|hook| hook.declaration().name == name && hook.feature() == feature);
    let mut outcome = match found {
        None => failed(unknown_hook(catalog, feature, name)),
        Some(_) if options.cancel.is_cancelled() => failed(cancelled()),
        Some(hook) => run(hook, &Arc::new(event), &hook.limits, options),
    };
    if outcome.receipt.elapsed.is_zero() {
        outcome.receipt.elapsed = started.elapsed();
    }
    outcome
}

/// Asks an installed hook about an event that others are asked about as well, under bounds that are
/// lowered to what is left for all of them.
pub(super) fn ask(
    hook: &InstalledHook,
    event: &Arc<Value>,
    left: &[(Limit, u64)],
    options: CallOptions,
) -> HookOutcome {
    if options.cancel.is_cancelled() {
        return failed(cancelled());
    }
    run(hook, event, &Arc::new(hook.limits.lowered(left)), options)
}

fn run(
    hook: &InstalledHook,
    event: &Arc<Value>,
    limits: &Arc<Limits>,
    options: CallOptions,
) -> HookOutcome {
    let name = &hook.declaration().name;
    let speaker = hook.feature.speaker.clone();
    let sink = Arc::clone(&options.sink);
    let gate = Arc::new(Gate::new(speaker, Arc::clone(limits), Span::Call, sink));
    let context = begin(&hook.feature, name, limits, gate, options);
    let run = AssertUnwindSafe(|| hook.code.decide(event, &context));
    let outcome = catch_unwind(run).unwrap_or_else(|_| {
        let message = format!("the hook `{name}` of `{}` panicked", hook.feature());
        failed(Diagnostic::host("host/panic", message))
    });
    seal(&*context.transaction, settle(hook, outcome))
}

/// Makes lasting what the hook staged, or forgets it.
fn seal(transaction: &dyn Transaction, mut outcome: HookOutcome) -> HookOutcome {
    let HookOutcome { decision, notices, receipt, .. } = &outcome;
    let sealed = decision.as_ref().ok().map(|decision| {
        let result = serde_json::to_value(decision).unwrap_or_default();
        transaction.commit(&Ending { result: &result, notices, receipt })
    });
    match sealed {
        Some(Ok(())) => (),
        Some(Err(diagnostic)) => {
            outcome.decision = Err(diagnostic.into());
            outcome.notices.clear();
        }
        None => transaction.roll_back(),
    }
    outcome
}

fn settle(hook: &InstalledHook, outcome: HookOutcome) -> HookOutcome {
    let HookOutcome { decision, notices, mut diagnostics, mut receipt } = outcome;
    let decision = decision
        .and_then(|decision| match refusal(hook, &decision) {
            Some(diagnostic) => Err(diagnostic.into()),
            None => Ok(decision),
        })
        .map_err(|failure| bounded(failure, &hook.limits));
    bound_diagnostics(&mut diagnostics, &hook.limits);
    if let Ok(decision) = &decision {
        receipt.bytes_out = json_bytes(decision, u64::MAX).unwrap_or_default();
    }
    let notices = match decision {
        Ok(_) => bound_notices(notices, hook.feature.grants(), &hook.limits),
        Err(_) => Vec::new(),
    };
    HookOutcome { decision, notices, diagnostics, receipt }
}

/// Why a decision cannot stand.
fn refusal(hook: &InstalledHook, decision: &Decision) -> Option<Diagnostic> {
    not_allowed(hook, decision)
        .or_else(|| not_granted(hook, decision))
        .or_else(|| too_large(hook, decision))
}

fn not_allowed(hook: &InstalledHook, decision: &Decision) -> Option<Diagnostic> {
    let point = hook.declaration().point;
    if point.allows(decision) {
        return None;
    }
    let message = format!("`{}` means nothing at `{point}`", decision.name());
    let help = format!("return one of: {}", allowed(point));
    Some(Diagnostic::author("hook/decision-not-allowed", message).help(help))
}

fn not_granted(hook: &InstalledHook, decision: &Decision) -> Option<Diagnostic> {
    let needed = match decision {
        Decision::Rewrite { .. } => Capability::Hook(HookPower::RewriteArguments),
        Decision::Replace { .. } => Capability::Hook(HookPower::ReplaceResult),
        Decision::Again { .. } => Capability::Notify(Audience::Model),
        _ => return None,
    };
    if hook.feature.grants().covers(&needed) {
        return None;
    }
    let feature = hook.feature();
    let message =
        format!("`{}` needs `{needed}`, which is not granted to `{feature}`", decision.name());
    let diagnostic = Diagnostic::operator(needed.denial_code(), message);
    Some(diagnostic.help(format!("allow it with `{}`", grant_command(feature, &needed))))
}

/// A text that is too long is refused and never cut: half a question can ask for something else.
fn too_large(hook: &InstalledHook, decision: &Decision) -> Option<Diagnostic> {
    let (limit, fits) = match decision {
        Decision::Proceed => return None,
        Decision::Stop { reason: text }
        | Decision::Deny { reason: text }
        | Decision::Ask { question: text }
        | Decision::Again { reason: text } => {
            (Limit::Decision, text.len() as u64 <= hook.limits.get(Limit::Decision))
        }
        Decision::Rewrite { arguments: value } => {
            (Limit::Arguments, has_room(hook, Limit::Arguments, value))
        }
        Decision::Answer { value } | Decision::Replace { result: value } => {
            (Limit::Result, has_room(hook, Limit::Result, value))
        }
    };
    if fits {
        return None;
    }
    let most = hook.limits.get(limit);
    let message = format!("`{}` carries more than {most} {}", decision.name(), limit.unit());
    Some(Diagnostic::author(limit.code(), message).help("say it in fewer words"))
}

fn has_room(hook: &InstalledHook, limit: Limit, value: &Value) -> bool {
    json_bytes(value, hook.limits.get(limit)).is_some()
}

fn failed(diagnostic: Diagnostic) -> HookOutcome {
    HookOutcome::failure(diagnostic)
}

fn unknown_hook(catalog: &Catalog, feature: &FeatureId, name: &str) -> Diagnostic {
    let shown = shortened(name, super::super::registry::MAX_NAME);
    let names = HookPoint::ALL
        .into_iter()
        .flat_map(|point| catalog.hooks(point))
        .filter(|hook| hook.feature() == feature)
        .map(|hook| hook.declaration().name.as_str());
    let help = match nearest(&shown, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "ask for the list of hooks".into(),
    };
    let message = format!("`{feature}` has no hook `{shown}`");
    Diagnostic::caller("hook/unknown", message).help(help)
}

fn allowed(point: HookPoint) -> &'static str {
    match point {
        HookPoint::PreRequest => "proceed, stop",
        HookPoint::PostAssistant => "proceed",
        HookPoint::PreToolCall => "proceed, deny, answer, ask, rewrite",
        HookPoint::PostToolCall => "proceed, replace",
        HookPoint::TurnEnd => "proceed, again",
    }
}
