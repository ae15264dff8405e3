//! One round of questions to hooks about one event: within its budget, on one thread.
//!
//! Each hook is a transaction of its own. A round that does not end in time is given up: what its
//! thread does from then on counts for nothing.

use super::compose::attributed;
use crate::diagnostic::{Diagnostic, Severity};
use crate::feature::call::{Conditions, Failure};
use crate::feature::catalog::{CallOptions, Catalog, InstalledHook};
use crate::feature::event::{EventBody, FeatureEvent, Level};
use crate::feature::hook::{Decision, HookOutcome, HookPoint, HookThreads};
use crate::feature::transaction::Transaction;
use crate::limit::{Limit, Limits};
use crate::pod::host::{Current, Shared};
use crate::pod::session::entry::{Body, CallEntry, Decided};
use crate::pod::session::{Entry, LogError};
use crate::pod::transaction::PodTransaction;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// An event as hooks see it, and as the log holds it.
#[derive(Clone)]
pub(super) struct Told {
    pub value: Arc<Value>,
    pub body: Body,
}

impl Told {
    pub fn new(shared: &Shared, value: Value) -> Result<Self, LogError> {
        let body = shared.log.body(&value)?;
        Ok(Self { value: Arc::new(value), body })
    }
}

/// What a hook decided, or why it did not.
pub(super) type Came = Result<Decision, Failure>;

/// Questions to hooks about one event.
#[derive(Clone)]
pub(super) struct Round {
    pub shared: Arc<Shared>,
    pub current: Arc<Current>,
    /// The call that the event is about.
    pub call: String,
    pub point: HookPoint,
    pub options: CallOptions,
    budget: Budget,
    state: Arc<Mutex<State>>,
}

/// What all the hooks of one event may spend together.
#[derive(Clone, Copy)]
struct Budget {
    until: Instant,
    time: u64,
    operations: u64,
}

#[derive(Default)]
struct State {
    decided: Vec<Decided>,
    spent: u64,
    /// Nobody waits for the round any more.
    is_over: bool,
    running: Option<Arc<PodTransaction>>,
}

impl Round {
    pub fn new(
        shared: &Arc<Shared>,
        current: &Arc<Current>,
        call: String,
        point: HookPoint,
        options: CallOptions,
    ) -> Self {
        let limits: &Limits = current.catalog.limits();
        let time = limits.get(Limit::EventTime);
        let budget = Budget {
            until: Instant::now() + Duration::from_millis(time),
            time,
            operations: limits.get(Limit::EventOperations),
        };
        let (shared, current) = (Arc::clone(shared), Arc::clone(current));
        Self { shared, current, call, point, options, budget, state: Arc::default() }
    }

    pub fn catalog(&self) -> &Catalog {
        &self.current.catalog
    }

    pub fn hook(&self, index: usize) -> &InstalledHook {
        self.catalog().hook_at(self.point, index)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The texts for the model of the hooks that decided, as they are shown.
    pub fn notices(&self) -> Vec<String> {
        self.state().decided.iter().flat_map(|one| one.notices.clone()).collect()
    }

    /// Does `work` on a thread that the hooks share, where they run on threads of their own.
    ///
    /// # Errors
    ///
    /// There was no thread in time, or the work did not end in time.
    pub fn on_one_thread<T: Send + 'static>(
        &self,
        hooks: &[usize],
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Diagnostic> {
        let threads = hooks.iter().find_map(|index| self.hook(*index).threads());
        let Some(threads) = threads else { return Ok(work()) };
        let result = Arc::new(Mutex::new(None));
        let slot = Arc::clone(&result);
        let work = Box::new(move || {
            let done = work();
            *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        });
        if let Err(problem) = HookThreads::run(&*threads, self.budget.until, work) {
            self.give_up();
            return Err(problem);
        }
        let done = result.lock().unwrap_or_else(PoisonError::into_inner).take();
        done.ok_or_else(|| Diagnostic::host("host/lost", "what hooks decided was lost"))
    }

    fn give_up(&self) {
        let running = {
            let mut state = self.state();
            state.is_over = true;
            state.running.take()
        };
        if let Some(running) = running {
            running.roll_back();
        }
    }

    /// Asks one hook, and keeps what it decided for the log.
    pub fn ask(&self, index: usize, event: &Told) -> Came {
        let hook = self.hook(index);
        let (feature, name) = (hook.feature(), hook.declaration().name.as_str());
        let transaction = self.transaction(name, &event.body);
        let call = transaction.call().to_owned();
        let left = match self.left() {
            Ok(left) => left,
            Err(problem) => return self.fail(hook, call, problem),
        };
        {
            let mut state = self.state();
            if state.is_over {
                return Err(over().into());
            }
            state.running = Some(Arc::clone(&transaction));
        }
        let host = Arc::clone(&transaction) as Arc<dyn Transaction>;
        let answers = Arc::new([]);
        let options = CallOptions { transaction: host, answers, ..self.options.clone() };
        let began = Instant::now();
        let outcome = self.catalog().ask(hook, &event.value, &left, options);
        self.shared.hooks.count(feature, name, self.point, &outcome, began.elapsed());
        self.settle(hook, call, transaction.heard_of_hook(), outcome)
    }

    fn settle(
        &self,
        hook: &InstalledHook,
        call: String,
        heard: Result<Option<Body>, LogError>,
        outcome: HookOutcome,
    ) -> Came {
        let HookOutcome { decision, notices, diagnostics, receipt } = outcome;
        let feature = hook.feature();
        for said in &diagnostics {
            self.say(hook, said);
        }
        let body = decision.as_ref().ok().map(|decision| {
            let value = serde_json::to_value(decision).unwrap_or_default();
            self.shared.log.body(&value)
        });
        let (body, heard, decision) = match (body.transpose(), heard) {
            (Ok(body), Ok(heard)) => (body, heard, decision),
            (Err(error), _) | (_, Err(error)) => (None, None, Err(error.diagnostic().into())),
        };
        let failure = decision.as_ref().err().map(|why| why.diagnostics.clone());
        let mut state = self.state();
        state.running = None;
        if state.is_over {
            return Err(over().into());
        }
        state.spent = state.spent.saturating_add(receipt.operations);
        state.decided.push(Decided {
            call,
            feature: feature.clone(),
            hook: hook.declaration().name.clone(),
            decision: body,
            failure: failure.unwrap_or_default(),
            said: diagnostics,
            notices: notices.iter().map(|text| attributed(feature, text)).collect(),
            receipt,
            heard,
        });
        decision
    }

    /// A hook that is not asked, and so fails.
    fn fail(&self, hook: &InstalledHook, call: String, problem: Diagnostic) -> Came {
        self.settle(hook, call, Ok(None), HookOutcome::failure(problem))
    }

    /// Takes back the decision of the hook that was asked last: what it carries cannot stand.
    pub fn refuse(&self, failure: &Failure) {
        if let Some(last) = self.state().decided.last_mut() {
            last.failure.clone_from(&failure.diagnostics);
        }
    }

    /// What a hook says beside its decision goes to whoever follows the call.
    fn say(&self, hook: &InstalledHook, said: &Diagnostic) {
        let level = match said.severity {
            Severity::Note => Level::Info,
            Severity::Warning => Level::Warn,
            Severity::Error => Level::Error,
        };
        let body = EventBody::Log { level, text: said.message.clone() };
        let event = FeatureEvent { feature: hook.feature().clone(), channel: None, body };
        self.options.sink.emit(event);
    }

    /// What is left of the budget, as bounds of the next hook.
    fn left(&self) -> Result<[(Limit, u64); 2], Diagnostic> {
        let spent = self.state().spent;
        let Budget { until, time, operations } = self.budget;
        let passed = |limit: Limit, most: u64| {
            let message = format!(
                "the hooks of this event have spent {most} {} together, and no more may be asked",
                limit.unit()
            );
            Diagnostic::author(limit.code(), message)
                .help(format!("make them cheaper, or raise it with `--limit {limit}=…`"))
        };
        let left = until.saturating_duration_since(Instant::now()).as_millis();
        let left = u64::try_from(left).unwrap_or(u64::MAX);
        if left == 0 {
            return Err(passed(Limit::EventTime, time));
        }
        match operations.checked_sub(spent) {
            None | Some(0) => Err(passed(Limit::EventOperations, operations)),
            Some(more) => Ok([(Limit::Time, left), (Limit::Operations, more)]),
        }
    }

    fn transaction(&self, hook: &str, event: &Body) -> Arc<PodTransaction> {
        let Conditions { now, seed } = self.options.conditions;
        let about = CallEntry {
            feature: None,
            root: None,
            contribution: hook.to_owned(),
            input: event.clone(),
            now,
            seed: Some(seed),
            answers: Vec::new(),
            catalog: Some(self.current.line),
            heard: None,
            kept: None,
        };
        Arc::new(PodTransaction::of_hook(&self.shared, &self.current, about))
    }

    /// Writes down what every hook decided and what comes of it, before it does.
    ///
    /// # Errors
    ///
    /// It cannot be written; then it must not happen.
    pub fn record(
        &self,
        event: &Told,
        decision: &Decision,
        answers: Vec<crate::pod::session::entry::Consent>,
    ) -> Result<(), LogError> {
        let decision = serde_json::to_value(decision).unwrap_or_default();
        let Conditions { now, seed } = self.options.conditions;
        let entry = Entry::Decision {
            call: self.call.clone(),
            point: self.point,
            event: event.body.clone(),
            now,
            seed,
            hooks: std::mem::take(&mut self.state().decided),
            decision: self.shared.log.body(&decision)?,
            answers,
            agent: self.shared.agent(),
        };
        self.shared.log.append(&entry)
    }
}

fn over() -> Diagnostic {
    Diagnostic::host("call/over", "the event is over; nothing of its hooks counts any more")
}
