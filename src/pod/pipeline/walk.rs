//! The hooks before one call, asked one after another about the arguments that would run.
//!
//! What runs is what every hook saw: who came before a rewrite is asked again. Nothing here knows
//! where a tool comes from, and nothing runs it.

use super::callee::Callee;
use super::compose::{Composed, Next};
use super::round::{Round, Told};
use crate::diagnostic::Diagnostic;
use crate::feature::call::Failure;
use crate::feature::catalog::InstalledHook;
use crate::feature::content::ResultForm;
use crate::feature::hook::Decision;
use crate::feature::id::FeatureId;
use crate::feature::permission::{Permission, Permissions};
use crate::pod::permission::denied;
use serde_json::Value;
use std::sync::Arc;

/// The hooks of one call, asked one after another.
pub(super) struct Walk<C: Callee> {
    round: Round,
    callee: C,
    permissions: Arc<Permissions>,
    /// The event with the arguments that would run now.
    told: Told,
    wanted: Vec<usize>,
    /// The decision of each that stands, for the arguments that it was last asked about.
    standing: Vec<Decision>,
    arguments: Option<C::Arguments>,
}

/// What the hooks of one call came to.
pub(super) struct Walked<A> {
    /// Their decisions.
    pub composed: Composed,
    /// The arguments that run in the place of those that were given.
    pub arguments: Option<A>,
    /// Why the call must not run, whatever they decided.
    pub failed: Option<Failure>,
}

impl<A> Walked<A> {
    /// A call that must not run, whatever hooks would have decided.
    pub fn failed(failure: Failure) -> Self {
        Self { composed: Composed::default(), arguments: None, failed: Some(failure) }
    }
}

impl<C: Callee> Walk<C> {
    pub fn new(
        round: Round,
        callee: C,
        permissions: Arc<Permissions>,
        told: Told,
        wanted: Vec<usize>,
    ) -> Self {
        let standing = vec![Decision::Proceed; wanted.len()];
        Self { round, callee, permissions, told, wanted, standing, arguments: None }
    }

    /// Asks them all, on one thread.
    pub fn run(self) -> Walked<C::Arguments> {
        let (round, wanted) = (self.round.clone(), self.wanted.clone());
        let name = self.callee.name().to_owned();
        let walked = round.on_one_thread(&wanted, move || self.all());
        walked.unwrap_or_else(|problem| Walked::failed(lost(&name, problem)))
    }

    fn all(mut self) -> Walked<C::Arguments> {
        let mut rewritten_at = None;
        for place in 0..self.wanted.len() {
            match self.ask(place) {
                Ok(Next::GoOn) => {}
                Ok(Next::Settled) => return self.walked(),
                Ok(Next::Rewrite(arguments)) => {
                    if let Err(failure) = self.rewrite(place, arguments) {
                        return Walked::failed(failure);
                    }
                    rewritten_at = Some(place);
                }
                Err(failure) => return Walked::failed(failure),
            }
        }
        // Those that came before saw other arguments than those that would run.
        for place in 0..rewritten_at.unwrap_or(0) {
            match self.ask(place) {
                Ok(Next::GoOn) => {}
                Ok(Next::Settled) => return self.walked(),
                Ok(Next::Rewrite(arguments)) => {
                    let stands = self.arguments.as_ref().map(C::as_map);
                    if arguments.as_object() != stands {
                        return Walked::failed(self.refuse(place, conflict().into()));
                    }
                }
                Err(failure) => return Walked::failed(failure),
            }
        }
        self.walked()
    }

    fn hook(&self, place: usize) -> &InstalledHook {
        self.round.hook(self.wanted[place])
    }

    /// Asks one, and says how it goes on. A denial settles it; whatever else stands is put together at
    /// the end.
    fn ask(&mut self, place: usize) -> Result<Next, Failure> {
        let mut decision = match self.round.ask(self.wanted[place], &self.told) {
            Ok(decision) => decision,
            Err(failure) => return Err(self.failed(place, failure)),
        };
        if let Decision::Answer { value } = decision {
            match self.callee.fit_result(self.round.catalog(), value, ResultForm::Value) {
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

    /// Arguments that the tool and the rules take, and the event with them.
    fn fit(&self, arguments: Value) -> Result<(C::Arguments, Told), Failure> {
        let arguments = self.callee.fit(self.round.catalog(), arguments)?;
        let (name, map) = (self.callee.name(), C::as_map(&arguments));
        let ruling = self.permissions.decide(name, self.callee.asks(), map);
        if ruling.permission == Permission::Deny {
            return Err(denied(name, &ruling).into());
        }
        let event = self.callee.event(self.round.catalog(), map)?.to_value();
        let told = Told::new(&self.round.shared, event).map_err(|error| error.diagnostic())?;
        Ok((arguments, told))
    }

    /// Takes other arguments, if the tool and the rules do.
    fn rewrite(&mut self, place: usize, arguments: Value) -> Result<(), Failure> {
        let fitted = self.fit(arguments);
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
        why_refused(hook.feature(), &hook.declaration().name, self.callee.name(), failure)
    }

    fn walked(self) -> Walked<C::Arguments> {
        let mut composed = Composed::default();
        for (place, decision) in self.standing.iter().enumerate() {
            let hook = self.hook(place);
            composed.add(hook.feature(), &hook.declaration().name, decision.clone());
        }
        Walked { composed, arguments: self.arguments, failed: None }
    }
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

fn lost(name: &str, problem: Diagnostic) -> Failure {
    let message =
        format!("`{name}` is denied, because its hooks could not be asked: {}", problem.message);
    let first = Diagnostic::operator("hook/failed", message);
    Failure { diagnostics: vec![first, problem], question: None }
}
