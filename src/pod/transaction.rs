//! The host's side of one call: what it keeps, and the protocol by which that becomes lasting.

use super::commons::{self, Leased, Terms};
use super::host::{Current, Shared};
use super::journal::Journal;
use super::session::LogError;
use super::session::entry::{Body, CallEntry, Entry};
use super::sub::Asker;
use crate::diagnostic::Diagnostic;
use crate::feature::call::{Conditions, Outcome, Receipt};
use crate::feature::capability::{Capability, SecretName, StoreAccess};
use crate::feature::commons::{Commons, CommonsAnswer, CommonsAsk};
use crate::feature::grant::grant_command;
use crate::feature::heard;
use crate::feature::id::FeatureId;
use crate::feature::question::Answer;
use crate::feature::secret::SecretText;
use crate::feature::subpod::{PodAnswer, PodAsk};
use crate::feature::transaction::{Act, CallStart, Detached, Ending, Transaction};
use crate::limit::{Limit, Limits};
use crate::store::{Lease, Owner, StoreError, Stores};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The host's side of one call.
pub(super) struct PodTransaction {
    shared: Arc<Shared>,
    current: Arc<Current>,
    call: String,
    /// Whether the line of an event tells of it, so that it has one of its own only where it staged
    /// something.
    is_of_hook: bool,
    state: Mutex<State>,
}

struct State {
    about: CallEntry,
    begun: Option<Begun>,
    store: StoreState,
    commons: Leased,
    journal: Journal,
    /// Whether an act of it is on record, and with it what was called.
    has_acted: bool,
    /// What a hook got that staged nothing, for the line of its event.
    told: Option<Body>,
}

struct Begun {
    /// What of it a call may come to ask for, and whether it may only look.
    commons: Vec<(Commons, StoreAccess)>,
    owner: Owner,
    quota: u64,
    deadline: Instant,
}

enum StoreState {
    /// The call has not asked for it.
    Untouched,
    Leased(Box<Lease>),
    /// The call is over; nothing that still runs of it gets at the store.
    Closed,
}

impl PodTransaction {
    /// That of a call by itself.
    pub fn new(
        shared: &Arc<Shared>,
        current: &Arc<Current>,
        call: String,
        about: CallEntry,
    ) -> Self {
        let (shared, current) = (Arc::clone(shared), Arc::clone(current));
        Self { shared, current, call, is_of_hook: false, state: Mutex::new(State::new(about)) }
    }

    /// That of a hook which is asked about an event with others.
    pub fn of_hook(shared: &Arc<Shared>, current: &Arc<Current>, about: CallEntry) -> Self {
        let call = shared.log.next_call();
        Self { is_of_hook: true, ..Self::new(shared, current, call, about) }
    }

    /// The call's id.
    pub fn call(&self) -> &str {
        &self.call
    }

    /// Whose call it is, for one that may not come to run.
    pub fn is_about(&self, feature: &FeatureId) {
        self.state().about.feature = Some(feature.clone());
    }

    /// What is left of a person's answers for the tool itself, once its host has taken its own.
    pub fn is_answered(&self, answers: &[Answer]) {
        self.state().about.answers = answers.to_vec();
    }

    /// The outcome of a call that the catalog did not make lasting, once it is on record.
    pub fn recorded(&self, mut outcome: Outcome) -> Outcome {
        let recorded = match &outcome.result {
            Err(failure) => self.failed(&failure.diagnostics, &outcome.receipt),
            Ok(result) => {
                let log = &self.shared.log;
                log.body(result).and_then(|result| {
                    log.append(&Entry::Call {
                        call: self.call.clone(),
                        about: self.about()?,
                        result: Some(result),
                        failure: Vec::new(),
                        receipt: outcome.receipt,
                    })
                })
            }
        };
        if let Err(error) = recorded {
            outcome.result = Err(error.diagnostic().into());
        }
        outcome
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets `act` at the store, which the first of them locks, and notes what came of it.
    fn with_store<T>(
        &self,
        act: impl FnOnce(&mut Lease) -> Result<T, StoreError>,
        note: impl FnOnce(&mut Journal, &Result<T, Diagnostic>),
    ) -> Result<T, Diagnostic> {
        self.state().with_store(&self.shared.stores, act, note)
    }

    /// Records a call that failed.
    pub fn failed(&self, failure: &[Diagnostic], receipt: &Receipt) -> Result<(), LogError> {
        let about = self.about()?;
        self.shared.log.append(&Entry::Call {
            call: self.call.clone(),
            about,
            result: None,
            failure: failure.to_vec(),
            receipt: *receipt,
        })
    }

    /// What a hook got from its host, where the line of its event has to say it: where it staged nothing,
    /// or failed.
    ///
    /// # Errors
    ///
    /// It cannot be written.
    pub fn heard_of_hook(&self) -> Result<Option<Body>, LogError> {
        let (told, journal) = {
            let mut state = self.state();
            (state.told.take(), std::mem::take(&mut state.journal))
        };
        match (told, journal.into_values().0) {
            (Some(told), _) => Ok(Some(told)),
            (None, heard) => heard.map(|heard| self.shared.log.body(&heard)).transpose(),
        }
    }

    /// What was called, and what it got.
    fn about(&self) -> Result<CallEntry, LogError> {
        let (mut about, journal) = {
            let mut state = self.state();
            (state.about.clone(), std::mem::take(&mut state.journal))
        };
        let (heard, kept) = journal.into_values();
        about.heard = heard.map(|heard| self.shared.log.body(&heard)).transpose()?;
        about.kept = kept.map(|kept| self.shared.log.body(&kept)).transpose()?;
        Ok(about)
    }

    fn commit_staged(
        &self,
        about: CallEntry,
        lease: Lease,
        commons: Leased,
        result: Body,
        ending: &Ending<'_>,
    ) -> Result<(), Diagnostic> {
        let log = &self.shared.log;
        let call = || self.call.clone();
        let intent = Entry::Intent { call: call(), about, result, receipt: *ending.receipt };
        log.append(&intent).map_err(|error| error.diagnostic())?;
        step("intent");
        let (stores, owner) = (&self.shared.stores, lease.owner().clone());
        let prepared = commons.prepare(&self.call, &owner);
        step("prepared");
        let committed = prepared.and_then(|settling| {
            lease.commit(&self.call, ending.notices)?;
            Ok(settling)
        });
        let settling = match committed {
            Ok(settling) => settling,
            Err(error) => {
                let reason = error.to_string();
                // Where this cannot be written either, the next opening of the log finds it out.
                let _ = log.append(&Entry::Void { call: call(), reason });
                return Err(error.diagnostic());
            }
        };
        step("commit");
        commons::settle(stores, &settling);
        step("settled");
        let done = Entry::Done { call: call(), notices: ending.notices.to_vec(), recovered: false };
        log.append(&done).map_err(|error| {
            let diagnostic = error.diagnostic();
            diagnostic.help("what the call kept in its store is lasting; the reply was withheld")
        })?;
        step("done");
        Ok(())
    }
}

impl State {
    fn new(about: CallEntry) -> Self {
        let (commons, journal) = Default::default();
        let store = StoreState::Untouched;
        Self { about, begun: None, store, commons, journal, has_acted: false, told: None }
    }

    fn lease(&mut self, stores: &Stores) -> Result<&mut Lease, StoreError> {
        if let (StoreState::Untouched, Some(begun)) = (&self.store, &self.begun) {
            let lease = stores.lease(&begun.owner, begun.quota, begun.deadline)?;
            self.store = StoreState::Leased(Box::new(lease));
        }
        match &mut self.store {
            StoreState::Leased(lease) => Ok(&mut **lease),
            StoreState::Untouched | StoreState::Closed => Err(StoreError::Closed),
        }
    }

    /// As [`PodTransaction::with_store`].
    fn with_store<T>(
        &mut self,
        stores: &Stores,
        act: impl FnOnce(&mut Lease) -> Result<T, StoreError>,
        note: impl FnOnce(&mut Journal, &Result<T, Diagnostic>),
    ) -> Result<T, Diagnostic> {
        let done = match self.lease(stores) {
            Ok(lease) => act(lease).map_err(|error| lease.examined(error).diagnostic()),
            Err(error) => Err(error.diagnostic()),
        };
        note(&mut self.journal, &done);
        done
    }

    /// What the call has read already: the store is locked for it, and holds that still.
    fn again(&self, key: &str) -> Option<Option<String>> {
        matches!(self.store, StoreState::Leased(_)).then(|| self.journal.again(key)).flatten()
    }
}

impl State {
    /// Whether the call was granted what it asks; whatever asks has said so already.
    fn may_ask(&self, which: Commons, ask: &CommonsAsk) -> Result<(), Diagnostic> {
        // One that did not begin, or is over, is told so.
        let Some(begun) = &self.begun else { return Ok(()) };
        let granted = begun.commons.iter().find(|(commons, _)| *commons == which);
        let wanted = if ask.is_change() { StoreAccess::ReadWrite } else { StoreAccess::Read };
        match granted {
            Some((_, access)) if wanted == StoreAccess::Read || *access == wanted => Ok(()),
            _ => {
                let (wanted, feature) = (power_over(which, wanted), &begun.owner.feature);
                let message = format!("`{wanted}` is not granted to `{feature}`");
                Err(Diagnostic::operator(wanted.denial_code(), message)
                    .help(format!("allow it with `{}`", grant_command(feature, &wanted))))
            }
        }
    }

    fn on_commons(
        &mut self,
        leased: &mut Leased,
        which: Commons,
        ask: &CommonsAsk,
        shared: &Shared,
    ) -> Result<CommonsAnswer, StoreError> {
        let Some(begun) = &self.begun else { return Err(StoreError::Closed) };
        let granted: Vec<_> = begun.commons.iter().map(|(commons, _)| *commons).collect();
        let deadline = begun.deadline;
        // A bound that a feature lowers is one of its own store.
        let quota = begun.quota.max(Limits::default().get(Limit::Store));
        let (stores, project) = (&shared.stores, shared.project.as_path());
        let terms = Terms { stores, project, granted: &granted, quota, deadline };
        let own = self.lease(stores)?;
        leased.answer(which, ask, own, &terms)
    }
}

/// What has to be granted for a commons.
fn power_over(commons: Commons, access: StoreAccess) -> Capability {
    match commons {
        Commons::Memory => Capability::Memory(access),
        Commons::WorkItem => Capability::WorkItem(access),
    }
}

impl Transaction for PodTransaction {
    fn begin(&self, call: &CallStart<'_>) {
        let root = self.current.root(call.feature);
        let mut state = self.state();
        state.about.feature = Some(call.feature.clone());
        state.about.root = Some(root.clone());
        let Conditions { now, seed } = call.conditions;
        (state.about.now, state.about.seed) = (now, Some(seed));
        let access = |commons| {
            let mut most = [StoreAccess::ReadWrite, StoreAccess::Read].into_iter();
            most.find(|access| call.grants.covers(&power_over(commons, *access)))
        };
        let granted = Commons::ALL.into_iter();
        state.begun = Some(Begun {
            commons: granted.filter_map(|one| Some((one, access(one)?))).collect(),
            owner: Owner { feature: call.feature.clone(), root },
            quota: call.limits.get(Limit::Store),
            deadline: call.deadline,
        });
        state.journal = Journal::of(call.limits.get(Limit::Record));
    }

    fn store_get(&self, key: &str) -> Result<Option<String>, Diagnostic> {
        let mut state = self.state();
        match state.again(key) {
            Some(known) => Ok(known),
            None => state.with_store(
                &self.shared.stores,
                |lease| lease.get(key),
                |journal, read| journal.read(key, read),
            ),
        }
    }

    fn store_set(&self, key: &str, value: &str) -> Result<(), Diagnostic> {
        let (key, value): (Arc<str>, Arc<str>) = (key.into(), value.into());
        self.with_store(
            |lease| lease.set(Arc::clone(&key), Arc::clone(&value)),
            |journal, set| journal.set(&key, &value, set),
        )
    }

    fn store_delete(&self, key: &str) -> Result<bool, Diagnostic> {
        self.with_store(|lease| lease.delete(key), |journal, deleted| journal.deleted(key, deleted))
    }

    fn store_keys(&self, prefix: &str, most: usize) -> Result<Vec<String>, Diagnostic> {
        self.with_store(
            |lease| lease.keys(prefix, most),
            |journal, keys| journal.listed(prefix, most, keys),
        )
    }

    fn commons(&self, which: Commons, ask: &CommonsAsk) -> Result<CommonsAnswer, Diagnostic> {
        let mut state = self.state();
        state.may_ask(which, ask)?;
        let mut leased = std::mem::take(&mut state.commons);
        let answer = state.on_commons(&mut leased, which, ask, &self.shared);
        state.commons = leased;
        let answer = answer.map_err(|error| error.diagnostic());
        state.journal.shared(which, ask, &answer);
        answer
    }

    fn pod(&self, ask: &PodAsk) -> Result<PodAnswer, Diagnostic> {
        let owner = {
            let state = self.state();
            let is_over = matches!(state.store, StoreState::Closed);
            state.begun.as_ref().filter(|_| !is_over).map(|begun| begun.owner.clone())
        };
        let owner = owner.ok_or_else(over)?;
        let act = |act| self.act(&act);
        let asker = Asker { call: &self.call, owner, act: &act };
        self.shared.subs.answer(&self.shared, &asker, ask)
    }

    fn act(&self, act: &Act) -> Result<(), Diagnostic> {
        let (feature, begun) = {
            let state = self.state();
            let is_over = matches!(state.store, StoreState::Closed);
            let feature = state.about.feature.clone().filter(|_| !is_over);
            (feature, (!state.has_acted).then(|| Box::new(state.about.clone())))
        };
        let feature = feature.ok_or_else(over)?;
        let entry = Entry::Act { call: self.call.clone(), feature, act: act.clone(), begun };
        self.shared.log.append(&entry).map_err(|error| error.diagnostic())?;
        self.state().has_acted = true;
        step("act");
        Ok(())
    }

    fn secret(&self, name: &SecretName) -> Result<SecretText, Diagnostic> {
        let deadline = {
            let state = self.state();
            let is_over = matches!(state.store, StoreState::Closed);
            state.begun.as_ref().filter(|_| !is_over).map(|begun| begun.deadline)
        };
        let Some((secrets, deadline)) = self.shared.secrets.as_ref().zip(deadline) else {
            return Detached.secret(name);
        };
        secrets.read(name, deadline).map_err(|error| error.diagnostic())
    }

    fn workspace(&self) -> Option<&Path> {
        self.shared.workspace.as_deref()
    }

    fn closed(&self) -> &[PathBuf] {
        &self.shared.closed
    }

    fn record_room(&self) -> u64 {
        self.state().journal.room()
    }

    fn heard(&self, heard: heard::Heard) {
        self.state().journal.heard(heard);
    }

    fn commit(&self, ending: &Ending<'_>) -> Result<(), Diagnostic> {
        let log = &self.shared.log;
        let result = log.body(ending.result).map_err(|error| error.diagnostic())?;
        let about = self.about().map_err(|error| error.diagnostic())?;
        let mut state = self.state();
        if !ending.notices.is_empty() {
            state.lease(&self.shared.stores).map_err(|error| error.diagnostic())?;
        }
        if matches!(state.store, StoreState::Closed) {
            return Err(StoreError::Closed.diagnostic());
        }
        let store = std::mem::replace(&mut state.store, StoreState::Closed);
        let commons = std::mem::take(&mut state.commons);
        drop(state);
        match store {
            StoreState::Untouched | StoreState::Closed if self.is_of_hook => {
                self.state().told = about.heard;
                Ok(())
            }
            StoreState::Leased(lease)
                if self.is_of_hook
                    && !lease.is_changed()
                    && !commons.is_changed()
                    && ending.notices.is_empty() =>
            {
                drop(lease);
                self.state().told = about.heard;
                Ok(())
            }
            StoreState::Leased(lease)
                if lease.is_changed() || commons.is_changed() || !ending.notices.is_empty() =>
            {
                self.commit_staged(about, *lease, commons, result, ending)
            }
            _ => log
                .append(&Entry::Call {
                    call: self.call.clone(),
                    about,
                    result: Some(result),
                    failure: Vec::new(),
                    receipt: *ending.receipt,
                })
                .map_err(|error| error.diagnostic()),
        }
    }

    fn roll_back(&self) {
        // A thread that is still at the store is done with it in a moment: nothing there waits for
        // longer than the deadline, which has passed.
        let mut state = self.state();
        state.commons = Leased::default();
        state.store = StoreState::Closed;
    }
}

fn over() -> Diagnostic {
    Diagnostic::host("call/over", "the call is over; nothing is let out for it")
}

/// A named step of the commit, where tests end the process as a power cut would.
#[cfg(debug_assertions)]
fn step(name: &str) {
    use std::sync::OnceLock;
    static AT: OnceLock<Option<String>> = OnceLock::new();
    let at = AT.get_or_init(|| std::env::var("PEASY_TEST_DIE_AFTER").ok());
    if at.as_deref() == Some(name) {
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
fn step(_: &str) {}
