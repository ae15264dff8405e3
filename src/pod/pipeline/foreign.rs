//! Around a call that an agent makes of a tool of its own: whether it may run, and what the model sees of
//! its result. The agent runs it, and asks the person where one has to be asked.

use super::call::replaced;
use super::compose::{Composed, attributed};
use super::round::{Round, Told};
use super::turn::Heard;
use super::walk::{Walk, Walked};
use super::wanting;
use crate::diagnostic::Diagnostic;
use crate::feature::catalog::CallOptions;
use crate::feature::content::ResultForm;
use crate::feature::hook::{Decision, HookPoint};
use crate::feature::hook_event::{ForeignCall, ToolEvent};
use crate::feature::id::FeatureId;
use crate::feature::permission::{Permission, Permissions, Ruling};
use crate::pod::host::{Current, Shared};
use crate::pod::permission::{denied, question};
use crate::pod::session::{Entry, LogError};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What becomes of a call before it runs.
#[derive(Debug, Clone, PartialEq)]
pub enum CallVerdict {
    /// Nothing stands against it. That is no permission: the agent's own rules hold.
    Proceed,
    /// It does not run.
    Deny {
        /// Why, with who says so.
        reason: String,
    },
    /// A person decides.
    Ask {
        /// What to ask, with who asks.
        question: String,
    },
    /// It does not run, and the model gets this in its place.
    Answer {
        /// Who answers.
        feature: FeatureId,
        /// The result.
        value: Value,
    },
}

/// What comes of a call, and what there is to say beside it.
#[derive(Debug, Clone)]
pub struct Judged {
    /// What becomes of it.
    pub verdict: CallVerdict,
    /// The arguments that it runs with in the place of its own, where it does.
    pub arguments: Option<Map<String, Value>>,
    /// Texts of hooks.
    pub heard: Heard,
}

/// What the model sees of a result.
#[derive(Debug, Clone, PartialEq)]
pub enum ResultVerdict {
    /// The result.
    Stands,
    /// Another.
    Replace {
        /// The last hook that replaced it.
        feature: FeatureId,
        /// The new result.
        result: Value,
    },
    /// None. What the call did stands.
    Withhold {
        /// Why, with who says so.
        reason: String,
    },
}

impl Judged {
    fn denied(reason: String) -> Self {
        let verdict = CallVerdict::Deny { reason };
        Self { verdict, arguments: None, heard: Heard::default() }
    }

    /// What could not be recorded does not happen.
    fn unrecorded(error: &LogError) -> Self {
        let problem = error.diagnostic();
        let mut judged = Self::denied(problem.message.clone());
        judged.heard.diagnostics.push(problem);
        judged
    }
}

/// The hooks at a point that listen for calls such as this.
fn listeners(current: &Current, point: HookPoint, event: &ToolEvent) -> Vec<usize> {
    wanting(&current.catalog, point, |hook| {
        hook.declaration().filter.wants(Some(event.kind), Some(&event.tool))
    })
}

/// Holds a call against the rules, and then asks the hooks before it.
pub(in crate::pod) fn judge(
    shared: &Arc<Shared>,
    current: &Arc<Current>,
    call: &ForeignCall,
    options: CallOptions,
) -> Judged {
    let id = shared.log.next_call();
    let permissions = shared.permissions();
    let mut questions = Vec::new();
    match ruled(shared, &permissions, &id, call, &call.event().args) {
        Ok(None) => {}
        Ok(Some(Ruled::Ask(question))) => questions.push(question),
        Ok(Some(Ruled::Deny(reason))) => return Judged::denied(reason),
        Err(error) => return Judged::unrecorded(&error),
    }
    let wanted = listeners(current, HookPoint::PreToolCall, call.event());
    let lost = current.catalog.lost(HookPoint::PreToolCall);
    if wanted.is_empty() && lost.is_none() {
        let verdict = verdict(Composed::default(), questions);
        return Judged { verdict, arguments: None, heard: Heard::default() };
    }
    let round = Round::new(shared, current, id.clone(), HookPoint::PreToolCall, options);
    let first = match Told::new(shared, call.event().to_value()) {
        Ok(first) => first,
        Err(error) => return Judged::unrecorded(&error),
    };
    let rules = Arc::clone(&permissions);
    let Walked { composed, arguments, failed } = match lost {
        Some(problem) => Walked::failed(problem.clone().into()),
        None => Walk::new(round.clone(), call.clone(), rules, first.clone(), wanted).run(),
    };
    let mut judged = match failed {
        Some(failure) => Judged {
            verdict: CallVerdict::Deny { reason: failure.to_string() },
            arguments: None,
            heard: Heard { diagnostics: failure.diagnostics, ..Heard::default() },
        },
        None => {
            let ruled = arguments.as_ref().map(|map| ruled(shared, &permissions, &id, call, map));
            match ruled.transpose().map(Option::flatten) {
                Ok(Some(Ruled::Ask(question))) => questions.push(question),
                Ok(Some(Ruled::Deny(reason))) => return Judged::denied(reason),
                Ok(None) => {}
                Err(error) => return Judged::unrecorded(&error),
            }
            let verdict = verdict(composed, questions);
            Judged { verdict, arguments, heard: Heard::default() }
        }
    };
    judged.heard.notices = round.notices();
    match round.record(&first, &judged.as_decision(), Vec::new()) {
        Ok(()) => judged,
        Err(error) => Judged::unrecorded(&error),
    }
}

/// What the rules say of a call that they do not allow.
enum Ruled {
    Ask(String),
    Deny(String),
}

/// Holds arguments against the rules; what is not plainly allowed is on record.
fn ruled(
    shared: &Shared,
    permissions: &Permissions,
    id: &str,
    call: &ForeignCall,
    arguments: &Map<String, Value>,
) -> Result<Option<Ruled>, LogError> {
    let tool = &call.event().tool;
    let ruling: Ruling<'_> = permissions.decide(tool, false, arguments);
    let ruled = match ruling.permission {
        Permission::Allow => return Ok(None),
        Permission::Ask => match question(tool, arguments) {
            Ok(question) => Ruled::Ask(question),
            Err(problem) => Ruled::Deny(problem.message),
        },
        Permission::Deny => Ruled::Deny(denied(tool, &ruling).message),
    };
    shared.log.append(&Entry::Permission {
        call: id.to_owned(),
        tool: tool.clone(),
        verdict: ruling.permission,
        rule: ruling.to_string(),
        answer: None,
        agent: shared.agent(),
    })?;
    Ok(Some(ruled))
}

/// What decisions that stand come to. An answer goes before questions: with it the call does not run,
/// whatever a person says.
fn verdict(composed: Composed, mut questions: Vec<String>) -> CallVerdict {
    if let Some(said) = composed.denied {
        return CallVerdict::Deny { reason: said.attributed() };
    }
    if let Some((feature, value)) = composed.answer {
        return CallVerdict::Answer { feature, value };
    }
    questions.extend(composed.questions.iter().map(super::compose::Said::attributed));
    match questions.is_empty() {
        true => CallVerdict::Proceed,
        false => CallVerdict::Ask { question: questions.join("\n") },
    }
}

impl Judged {
    /// What comes of the call, as the log has it.
    fn as_decision(&self) -> Decision {
        match (&self.verdict, &self.arguments) {
            (CallVerdict::Proceed, None) => Decision::Proceed,
            (CallVerdict::Proceed, Some(arguments)) => {
                Decision::Rewrite { arguments: Value::Object(arguments.clone()) }
            }
            (CallVerdict::Deny { reason }, _) => Decision::Deny { reason: reason.clone() },
            (CallVerdict::Ask { question }, _) => Decision::Ask { question: question.clone() },
            (CallVerdict::Answer { value, .. }, _) => Decision::Answer { value: value.clone() },
        }
    }
}

/// Asks the hooks after a call what the model sees of its result.
pub(in crate::pod) fn judge_result(
    shared: &Arc<Shared>,
    current: &Arc<Current>,
    call: &ForeignCall,
    options: CallOptions,
) -> (ResultVerdict, Heard) {
    let point = HookPoint::PostToolCall;
    let event = call.event().clone();
    let wanted = listeners(current, point, &event);
    if wanted.is_empty() && current.catalog.lost(point).is_none() {
        return (ResultVerdict::Stands, Heard::default());
    }
    let round = Round::new(shared, current, shared.log.next_call(), point, options);
    let withheld = |problems: Vec<Diagnostic>| {
        let reason = problems.first().map_or_else(String::new, |first| first.message.clone());
        let heard = Heard { diagnostics: problems, ..Heard::default() };
        (ResultVerdict::Withhold { reason }, heard)
    };
    match replaced(round, call.clone(), wanted, event, ResultForm::Value) {
        Err(error) => withheld(vec![error.diagnostic()]),
        Ok((Err(failure), notices)) => {
            let (verdict, heard) = withheld(failure.diagnostics);
            (verdict, Heard { notices, ..heard })
        }
        Ok((Ok(None), notices)) => (ResultVerdict::Stands, Heard { notices, ..Heard::default() }),
        Ok((Ok(Some((feature, result, _))), notices)) => {
            // Who replaced it is told with the result.
            let own = attributed(&feature, "replaced the result");
            let notices = notices.into_iter().filter(|text| *text != own).collect();
            (ResultVerdict::Replace { feature, result }, Heard { notices, ..Heard::default() })
        }
    }
}
