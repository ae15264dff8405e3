//! Around a call: `pre_tool_call`, where hooks may keep it from running, and `post_tool_call`, where
//! they may keep its result from the model.

use super::callee::{Callee, Installed};
use super::compose::{Composed, attributed};
use super::round::{Round, Told};
use super::walk::{Walk, Walked};
use super::wanting;
use crate::diagnostic::Diagnostic;
use crate::feature::call::{Failure, Outcome};
use crate::feature::catalog::{CallOptions, InstalledHook, InstalledTool, Ready};
use crate::feature::content::{Content, ResultForm};
use crate::feature::hook::{Decision, HookPoint};
use crate::feature::hook_event::ToolEvent;
use crate::feature::id::FeatureId;
use crate::feature::schema::Arguments;
use crate::pod::host::{Current, Shared};
use crate::pod::permission::{Gate, declined, unanswered};
use crate::pod::session::LogError;
use crate::pod::session::entry::Consent;
use serde_json::{Map, Value};
use std::sync::Arc;

/// What becomes of a call before it runs.
pub(in crate::pod) enum Before {
    /// It runs; with these arguments, where hooks gave it others.
    Run(Option<Arguments>),
    /// It does not run, and this is its result.
    Answer(Value),
    /// It does not run.
    Refuse(Failure),
}

/// Whether a hook is asked about calls of a tool.
fn wants(hook: &InstalledHook, tool: &InstalledTool) -> bool {
    let declaration = tool.declaration();
    let kind = ToolEvent::kind_of(declaration, tool.runtime());
    hook.declaration().filter.wants(Some(kind), Some(declaration.name.as_str()))
}

fn event_of(tool: &InstalledTool, arguments: &Map<String, Value>) -> ToolEvent {
    ToolEvent::of_tool(tool.declaration(), tool.runtime(), arguments)
}

/// Asks the hooks before a call, and gives with their texts for the model what comes of it.
///
/// # Errors
///
/// What was decided cannot be recorded; the call must not run.
pub(in crate::pod) fn before(
    shared: &Arc<Shared>,
    current: &Arc<Current>,
    call: &str,
    ready: &Ready<'_>,
    gate: &mut Gate<'_>,
    options: &CallOptions,
) -> Result<(Before, Vec<String>), LogError> {
    let point = HookPoint::PreToolCall;
    let tool = ready.tool();
    let wanted = wanting(&current.catalog, point, |hook| wants(hook, tool));
    let lost = current.catalog.lost(point);
    if wanted.is_empty() && lost.is_none() {
        return Ok((Before::Run(None), Vec::new()));
    }
    let round = Round::new(shared, current, call.to_owned(), point, options.clone());
    let first = Told::new(shared, event_of(tool, ready.arguments().as_map()).to_value())?;
    let callee = Installed::new(tool);
    let permissions = Arc::clone(gate.permissions());
    let Walked { composed, arguments, failed } = match lost {
        Some(problem) => Walked::failed(problem.clone().into()),
        None => Walk::new(round.clone(), callee, permissions, first.clone(), wanted).run(),
    };
    let mut notices = round.notices();
    let mut consents = Vec::new();
    let verdict = match (failed, composed) {
        (Some(failure), _) => Before::Refuse(failure),
        (None, composed) => settle(tool, composed, arguments, gate, &mut consents, &mut notices),
    };
    round.record(&first, &as_decision(&verdict), consents)?;
    Ok((verdict, notices))
}

/// What decisions that stand come to, with what a person answered.
fn settle(
    tool: &InstalledTool,
    composed: Composed,
    arguments: Option<Arguments>,
    gate: &mut Gate<'_>,
    consents: &mut Vec<Consent>,
    notices: &mut Vec<String>,
) -> Before {
    let name = tool.declaration().name.as_str();
    if let Some(said) = &composed.denied {
        let problem = Diagnostic::operator("hook/denied", said.attributed()).help(format!(
            "the hook `{}` of `{}` denies this call of `{name}`",
            said.hook, said.feature
        ));
        return Before::Refuse(problem.into());
    }
    for said in composed.questions {
        match gate.next() {
            Some(Consent::Given) => consents.push(Consent::Given),
            Some(refused) => {
                consents.push(refused);
                let problem = declined("hook/declined", name, refused);
                return Before::Refuse(
                    problem.help(format!("asked was: {}", said.attributed())).into(),
                );
            }
            None => return Before::Refuse(unanswered(Some(said.feature), said.text)),
        }
    }
    if let Some(arguments) = &arguments
        && let Err(failure) = gate.pass(tool, arguments.as_map())
    {
        return Before::Refuse(failure);
    }
    match composed.answer {
        Some((feature, value)) => {
            notices.push(attributed(&feature, &format!("answered in the place of `{name}`")));
            Before::Answer(value)
        }
        None => Before::Run(arguments),
    }
}

/// What comes of a call, as the log has it.
fn as_decision(verdict: &Before) -> Decision {
    match verdict {
        Before::Run(None) => Decision::Proceed,
        Before::Run(Some(arguments)) => {
            Decision::Rewrite { arguments: Value::Object(arguments.as_map().clone()) }
        }
        Before::Answer(value) => Decision::Answer { value: value.clone() },
        Before::Refuse(failure) => match &failure.question {
            Some(question) => Decision::Ask { question: question.text.clone() },
            None => Decision::Deny { reason: failure.to_string() },
        },
    }
}

/// Asks the hooks after a call that has a result, and changes its outcome as they decide. What the call
/// did stands.
pub(in crate::pod) fn after(
    shared: &Arc<Shared>,
    current: &Arc<Current>,
    call: &str,
    tool: &InstalledTool,
    arguments: &Map<String, Value>,
    options: &CallOptions,
    outcome: &mut Outcome,
) {
    let point = HookPoint::PostToolCall;
    let Ok(result) = &outcome.result else { return };
    let form = outcome.form;
    let wanted = wanting(&current.catalog, point, |hook| wants(hook, tool));
    if wanted.is_empty() && current.catalog.lost(point).is_none() {
        return;
    }
    let mut event = event_of(tool, arguments);
    event.result = Some(result.clone());
    let round = Round::new(shared, current, call.to_owned(), point, options.clone());
    match replaced(round, Installed::new(tool), wanted, event, form) {
        Ok((replaced, notices)) => {
            outcome.notices.extend(notices);
            match replaced {
                Ok(None) => {}
                Ok(Some((_, result, form))) => {
                    (outcome.result, outcome.form) = (Ok(result), form);
                }
                Err(failure) => outcome.result = Err(failure),
            }
        }
        Err(error) => outcome.result = Err(error.diagnostic().into()),
    }
}

/// The last hook's feature, the result that it gave, and how that is to be read.
pub(super) type Replacement = (FeatureId, Value, ResultForm);

/// What hooks put in the place of a result and who was the last, or why it is withheld; and their texts
/// for the model.
pub(super) type Replaced = (Result<Option<Replacement>, Failure>, Vec<String>);

/// Asks the hooks after a call, and records what they decided.
///
/// # Errors
///
/// It cannot be recorded; the result must not be seen.
pub(super) fn replaced(
    round: Round,
    callee: impl Callee,
    wanted: Vec<usize>,
    event: ToolEvent,
    form: ResultForm,
) -> Result<Replaced, LogError> {
    let first = Told::new(&round.shared, event.to_value())?;
    let (inner, tool, told) = (round.clone(), callee.name().to_owned(), first.clone());
    let asked = wanted.clone();
    let walked = match round.catalog().lost(round.point) {
        Some(problem) => Err(problem.clone()),
        None => round.on_one_thread(&wanted, move || {
            replacements(&inner, &callee, &asked, event, told, form)
        }),
    };
    let replaced = walked.unwrap_or_else(|problem| Err(withheld_by_host(&tool, problem)));
    let mut notices = round.notices();
    if let Ok(Some((feature, ..))) = &replaced {
        notices.push(attributed(feature, "replaced the result"));
    }
    let decision = match &replaced {
        Ok(None) => Decision::Proceed,
        Ok(Some((_, result, _))) => Decision::Replace { result: result.clone() },
        Err(failure) => Decision::Deny { reason: failure.to_string() },
    };
    round.record(&first, &decision, Vec::new())?;
    Ok((replaced, notices))
}

/// What hooks put in the place of a result, each after the one before, and who was the last.
fn replacements(
    round: &Round,
    callee: &impl Callee,
    wanted: &[usize],
    mut event: ToolEvent,
    mut told: Told,
    mut form: ResultForm,
) -> Result<Option<Replacement>, Failure> {
    let mut replaced = None;
    for index in wanted {
        let hook = round.hook(*index);
        let withheld = |failure| withheld(hook, callee.name(), failure);
        let Decision::Replace { result } = round.ask(*index, &told).map_err(withheld)? else {
            continue;
        };
        // What looks like content no more is a value like any other.
        if Content::read(&result).is_none() {
            form = ResultForm::Value;
        }
        let result = callee.fit_result(round.catalog(), result, form).map_err(|failure| {
            round.refuse(&failure);
            withheld(failure)
        })?;
        event.result = Some(result.clone());
        let next = Told::new(&round.shared, event.to_value());
        told = next.map_err(|error| withheld(error.diagnostic().into()))?;
        replaced = Some((hook.feature().clone(), result, form));
    }
    Ok(replaced)
}

fn withheld(hook: &InstalledHook, tool: &str, failure: Failure) -> Failure {
    let (feature, name) = (hook.feature(), &hook.declaration().name);
    let why = failure.diagnostics.first().map_or_else(String::new, |first| first.message.clone());
    let message = format!(
        "the result of `{tool}` is withheld, because the hook `{name}` of `{feature}` failed: {why}"
    );
    let problem = Diagnostic::operator("hook/withheld", message).help("what the call did stands");
    let diagnostics = std::iter::once(problem).chain(failure.diagnostics).collect();
    Failure { diagnostics, question: None }
}

fn withheld_by_host(tool: &str, problem: Diagnostic) -> Failure {
    let message = format!(
        "the result of `{tool}` is withheld, because its hooks could not be asked: {}",
        problem.message
    );
    let first = Diagnostic::operator("hook/withheld", message).help("what the call did stands");
    Failure { diagnostics: vec![first, problem], question: None }
}
