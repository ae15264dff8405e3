//! Around a call: `pre_tool_call`, where hooks may keep it from running, and `post_tool_call`, where
//! they may keep its result from the model.

use super::compose::{Composed, Next, attributed};
use super::round::{Round, Told};
use super::wanting;
use crate::diagnostic::Diagnostic;
use crate::feature::call::{Failure, Outcome};
use crate::feature::catalog::{CallOptions, InstalledHook, InstalledTool, Ready};
use crate::feature::content::{Content, ResultForm};
use crate::feature::hook::{Decision, HookPoint};
use crate::feature::hook_event::ToolEvent;
use crate::feature::id::FeatureId;
use crate::feature::permission::{Permission, Permissions};
use crate::feature::schema::Arguments;
use crate::pod::host::{Current, Shared};
use crate::pod::permission::{Gate, declined, denied, unanswered};
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
    if wanted.is_empty() {
        return Ok((Before::Run(None), Vec::new()));
    }
    let round = Round::new(shared, current, call.to_owned(), point, options.clone());
    let first = Told::new(shared, event_of(tool, ready.arguments().as_map()).to_value())?;
    let walk = Walk {
        round: round.clone(),
        tool: tool.declaration().name.to_string(),
        permissions: Arc::clone(gate.permissions()),
        told: first.clone(),
        standing: vec![Decision::Proceed; wanted.len()],
        wanted: wanted.clone(),
        arguments: None,
    };
    let walked = round.on_one_thread(&wanted, move || walk.all());
    let Walked { composed, arguments, failed } = walked.unwrap_or_else(|problem| Walked {
        failed: Some(lost(tool, problem)),
        ..Walked::default()
    });
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

/// The hooks of one call, asked one after another.
struct Walk {
    round: Round,
    tool: String,
    permissions: Arc<Permissions>,
    /// The event with the arguments that would run now.
    told: Told,
    wanted: Vec<usize>,
    /// The decision of each that stands, for the arguments that it was last asked about.
    standing: Vec<Decision>,
    arguments: Option<Arguments>,
}

#[derive(Default)]
struct Walked {
    composed: Composed,
    arguments: Option<Arguments>,
    failed: Option<Failure>,
}

impl Walk {
    fn all(mut self) -> Walked {
        let mut rewritten_at = None;
        for place in 0..self.wanted.len() {
            match self.ask(place) {
                Ok(Next::GoOn) => {}
                Ok(Next::Settled) => return self.walked(),
                Ok(Next::Rewrite(arguments)) => {
                    if let Err(failure) = self.rewrite(place, arguments) {
                        return failed(failure);
                    }
                    rewritten_at = Some(place);
                }
                Err(failure) => return failed(failure),
            }
        }
        // Those that came before saw other arguments than those that would run.
        for place in 0..rewritten_at.unwrap_or(0) {
            match self.ask(place) {
                Ok(Next::GoOn) => {}
                Ok(Next::Settled) => return self.walked(),
                Ok(Next::Rewrite(arguments)) => {
                    let stands = self.arguments.as_ref().map(Arguments::as_map);
                    if arguments.as_object() != stands {
                        return failed(self.refuse(place, conflict().into()));
                    }
                }
                Err(failure) => return failed(failure),
            }
        }
        self.walked()
    }

    fn hook(&self, place: usize) -> &InstalledHook {
        self.round.hook(self.wanted[place])
    }

    fn installed(&self) -> Result<&InstalledTool, Failure> {
        let lost =
            || Diagnostic::host("host/lost", format!("`{}` is not there any more", self.tool));
        self.round.catalog().tool(&self.tool).ok_or_else(|| lost().into())
    }

    /// Asks one, and says how it goes on. A denial settles it; whatever else stands is put together at
    /// the end.
    fn ask(&mut self, place: usize) -> Result<Next, Failure> {
        let mut decision = match self.round.ask(self.wanted[place], &self.told) {
            Ok(decision) => decision,
            Err(failure) => return Err(self.failed(place, failure)),
        };
        if let Decision::Answer { value } = decision {
            let fitted =
                self.installed().and_then(|tool| tool.fit_result(value, ResultForm::Value));
            match fitted {
                Ok(value) => decision = Decision::Answer { value },
                Err(failure) => return Err(self.refuse(place, failure)),
            }
        }
        let next = match &decision {
            Decision::Rewrite { arguments } => Next::Rewrite(arguments.clone()),
            Decision::Deny { .. } => Next::Settled,
            _ => Next::GoOn,
        };
        self.standing[place] = decision;
        Ok(next)
    }

    /// Takes other arguments, if the tool and the rules do.
    fn rewrite(&mut self, place: usize, arguments: Value) -> Result<(), Failure> {
        let fitted = self.installed().and_then(|tool| {
            let arguments = tool.fit(arguments)?;
            let declaration = tool.declaration();
            let ruling = self.permissions.decide(
                declaration.name.as_str(),
                declaration.asks,
                arguments.as_map(),
            );
            if ruling.permission == Permission::Deny {
                return Err(denied(declaration.name.as_str(), &ruling).into());
            }
            let event = event_of(tool, arguments.as_map()).to_value();
            let told = Told::new(&self.round.shared, event).map_err(|error| error.diagnostic())?;
            Ok((arguments, told))
        });
        match fitted {
            Ok((arguments, told)) => {
                (self.arguments, self.told) = (Some(arguments), told);
                Ok(())
            }
            Err(failure) => Err(self.refuse(place, failure)),
        }
    }

    /// What the decision of a hook carries cannot stand: the hook has failed.
    fn refuse(&self, place: usize, failure: Failure) -> Failure {
        self.round.refuse(&failure);
        self.failed(place, failure)
    }

    fn failed(&self, place: usize, failure: Failure) -> Failure {
        let hook = self.hook(place);
        why_refused(hook.feature(), &hook.declaration().name, &self.tool, failure)
    }

    fn walked(self) -> Walked {
        let mut composed = Composed::default();
        for (place, decision) in self.standing.iter().enumerate() {
            let hook = self.hook(place);
            composed.add(hook.feature(), &hook.declaration().name, decision.clone());
        }
        Walked { composed, arguments: self.arguments, failed: None }
    }
}

fn failed(failure: Failure) -> Walked {
    Walked { failed: Some(failure), ..Walked::default() }
}

fn conflict() -> Diagnostic {
    let message = "the hook rewrites arguments that another hook has rewritten after it";
    Diagnostic::author("hook/rewrite-conflict", message)
        .help("give one of the two the band `late`, or let one rewrite what the other leaves alone")
}

/// Where the caller or the host ended it, that is the reason; else the hook is.
fn is_from_outside(failure: &Failure) -> bool {
    failure.diagnostics.first().is_some_and(|first| {
        first.code == "call/cancelled" || first.code.starts_with("permission/")
    })
}

fn why_refused(feature: &FeatureId, hook: &str, tool: &str, failure: Failure) -> Failure {
    if is_from_outside(&failure) {
        return failure;
    }
    let why = failure.diagnostics.first().map_or_else(String::new, |first| first.message.clone());
    let message =
        format!("`{tool}` is denied, because the hook `{hook}` of `{feature}` failed: {why}");
    let problem = Diagnostic::operator("hook/failed", message)
        .help(format!("mend the hook, or go on without it: `peasy disable {}`", feature.name()));
    let diagnostics = std::iter::once(problem).chain(failure.diagnostics).collect();
    Failure { diagnostics, question: None }
}

fn lost(tool: &InstalledTool, problem: Diagnostic) -> Failure {
    let name = &tool.declaration().name;
    let message =
        format!("`{name}` is denied, because its hooks could not be asked: {}", problem.message);
    let first = Diagnostic::operator("hook/failed", message);
    Failure { diagnostics: vec![first, problem], question: None }
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
    if wanted.is_empty() {
        return;
    }
    let mut event = event_of(tool, arguments);
    event.result = Some(result.clone());
    let round = Round::new(shared, current, call.to_owned(), point, options.clone());
    let decided = (|| {
        let first = Told::new(shared, event.to_value())?;
        let (inner, name) = (round.clone(), tool.declaration().name.to_string());
        let (asked, told) = (wanted.clone(), first.clone());
        let walked = round
            .on_one_thread(&wanted, move || replacements(&inner, &name, &asked, event, told, form));
        let replaced = walked.unwrap_or_else(|problem| Err(withheld_by_host(tool, problem)));
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
        Ok::<_, LogError>((replaced, notices))
    })();
    match decided {
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

/// What hooks put in the place of a result, each after the one before, and who was the last.
fn replacements(
    round: &Round,
    tool: &str,
    wanted: &[usize],
    mut event: ToolEvent,
    mut told: Told,
    mut form: ResultForm,
) -> Result<Option<(FeatureId, Value, ResultForm)>, Failure> {
    let mut replaced = None;
    for index in wanted {
        let hook = round.hook(*index);
        let withheld = |failure| withheld(hook, tool, failure);
        let Decision::Replace { result } = round.ask(*index, &told).map_err(withheld)? else {
            continue;
        };
        // What looks like content no more is a value like any other.
        if Content::read(&result).is_none() {
            form = ResultForm::Value;
        }
        let fitted = match round.catalog().tool(tool) {
            Some(tool) => tool.fit_result(result, form),
            None => Err(Diagnostic::host("host/lost", "the tool is not there any more").into()),
        };
        let result = fitted.map_err(|failure| {
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

fn withheld_by_host(tool: &InstalledTool, problem: Diagnostic) -> Failure {
    let name = &tool.declaration().name;
    let message = format!(
        "the result of `{name}` is withheld, because its hooks could not be asked: {}",
        problem.message
    );
    let first = Diagnostic::operator("hook/withheld", message).help("what the call did stands");
    Failure { diagnostics: vec![first, problem], question: None }
}
