//! The host of a session: what can be called at the moment, and the way of each call.

use super::background::{Background, Ended, Stop};
use super::catalog;
use super::permission::Gate;
use super::pipeline::{
    self, Before, EndVerdict, Heard, HookReport, Judged, Reports, RequestVerdict, ResultVerdict,
};
use super::session::entry::{AgentSession, CallEntry, StoreChange};
use super::session::{LogError, Recovered, SessionLog};
use super::sink::{Bus, Listener};
use super::sub::{Responder, SubPods};
use super::transaction::PodTransaction;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Outcome;
use crate::feature::catalog::{CallOptions, Catalog, Ready};
use crate::feature::hook::{HookOutcome, HookPoint};
use crate::feature::hook_event::{ForeignCall, PostAssistant, PreRequest, TurnEnd};
use crate::feature::id::FeatureId;
use crate::feature::permission::Permissions;
use crate::feature::subpod::{Narrowing, SubPodState};
use crate::feature::transaction::{Detached, Transaction};
use crate::secret::Secrets;
use crate::store::{Durability, Stores};
use serde_json::Value;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// What a pod is made of.
#[derive(Debug, Clone)]
pub struct PodOptions {
    /// The folder for everything that has to last: stores and sessions.
    pub state: PathBuf,
    /// The name of the session, a folder below `state`.
    pub session: String,
    /// When what is written has to be on the disk.
    pub durability: Durability,
    /// The folder that relative paths of scripts begin at.
    pub workspace: Option<PathBuf>,
    /// The folder that the memory and the work items belong to; the workspace, where none is given.
    pub project: Option<PathBuf>,
    /// Where the user keeps secrets.
    pub secrets: Option<Secrets>,
    /// Folders that no grant opens to a feature, absolute, beside `state`.
    pub closed: Vec<PathBuf>,
}

/// Why there is no pod.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    /// The log cannot be opened.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl PodError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Log(error) => error.diagnostic(),
        }
    }
}

/// The host of one session.
pub struct Pod {
    current: RwLock<Arc<Current>>,
    shared: Arc<Shared>,
    recovered: Recovered,
    bus: Bus,
    background: Background,
}

/// How long a pod that is dropped waits for its background work.
const FAREWELL: Duration = Duration::from_secs(1);

/// Most characters of a name that nobody has that are recorded.
const MOST_NAME: usize = 128;

/// What can be called at one moment. A call keeps what it began with.
pub(super) struct Current {
    pub catalog: Arc<Catalog>,
    /// What is on record of each feature.
    pub features: Features,
    /// The line of the log that says all this.
    pub line: u64,
}

pub(super) struct Shared {
    pub log: Arc<SessionLog>,
    pub hooks: Reports,
    pub stores: Arc<Stores>,
    pub workspace: Option<PathBuf>,
    pub secrets: Option<Secrets>,
    pub closed: Vec<PathBuf>,
    /// Those of sub-pods are the same, whatever they are at the moment.
    permissions: Arc<RwLock<Arc<Permissions>>>,
    /// The folder that the memory and the work items belong to.
    pub project: PathBuf,
    /// The agent whose events are told to this host.
    agent: OnceLock<AgentSession>,
    /// The sessions that its calls started.
    pub subs: SubPods,
}

impl Shared {
    /// The agent whose events are told to this host, for the log.
    pub fn agent(&self) -> Option<AgentSession> {
        self.agent.get().cloned()
    }

    /// The rules for calls that begin now.
    pub fn permissions(&self) -> Arc<Permissions> {
        Arc::clone(&self.permissions.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What the log says of each feature beside its descriptor.
pub type Features = HashMap<FeatureId, OnRecord>;

/// What the log says of one feature beside its descriptor.
#[derive(Clone, Default)]
pub struct OnRecord {
    /// The folder that it belongs to.
    pub root: PathBuf,
    /// SHA-256 of its source and imports; empty for one that has none.
    pub digest: String,
    /// Gives the texts of both, as whoever read them wants them back.
    pub source: Option<Arc<dyn Fn() -> Value + Send + Sync>>,
}

impl std::fmt::Debug for OnRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { root, digest, .. } = self;
        f.debug_struct("OnRecord")
            .field("root", root)
            .field("digest", digest)
            .finish_non_exhaustive()
    }
}

/// What can be called at one moment.
#[derive(Clone)]
pub struct Moment(Arc<Current>);

impl Moment {
    /// Everything that was installed then.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.0.catalog
    }
}

/// The id of a call on record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(String);

impl CallId {
    /// As the log has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CallId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder of stores below a state folder.
pub(crate) const STORES: &str = "store";
/// The folder of sessions below a state folder.
pub(crate) const SESSIONS: &str = "session";

/// The folder with a folder for each session, below the state folder.
pub fn sessions_folder(state: &Path) -> PathBuf {
    state.join(SESSIONS)
}

/// The folder with the stores of features, below the state folder.
pub fn stores_folder(state: &Path) -> PathBuf {
    state.join(STORES)
}

impl PodOptions {
    /// The folder of the session.
    pub fn session_folder(&self) -> PathBuf {
        self.state.join(SESSIONS).join(&self.session)
    }

    /// The stores of features.
    pub fn stores(&self) -> Stores {
        Stores::new(self.state.join(STORES), self.durability)
    }
}

impl Pod {
    /// Opens the session's log, brings to an end what a process that died left open, and records the
    /// catalog.
    ///
    /// # Errors
    ///
    /// The log cannot be opened or written.
    pub fn open(
        options: &PodOptions,
        catalog: Arc<Catalog>,
        features: Features,
    ) -> Result<Self, PodError> {
        let log = SessionLog::open(&options.session_folder(), options.durability)?;
        let exposed = options.secrets.as_ref().map(Secrets::exposed).cloned();
        let log = Arc::new(log.without(exposed.unwrap_or_default()));
        let stores = Arc::new(options.stores());
        let committed = Arc::clone(&stores);
        log.sync_first(move || committed.sync());
        let witness = Arc::downgrade(&log);
        stores.tell_before_setting_aside(move |owner, file| {
            // Whose log is gone keeps nothing any more that could be lost.
            let Some(log) = witness.upgrade() else { return Ok(()) };
            let change = StoreChange::SetAside { file: file.to_owned() };
            log.store_changes(owner, change).map_err(io::Error::other)
        });
        let recovered = log.recover(&stores)?;
        let line = catalog::record(&log, &catalog, &features)?;
        let (workspace, secrets) = (options.workspace.clone(), options.secrets.clone());
        let mut closed = options.closed.clone();
        closed.extend(std::path::absolute(&options.state));
        let project = options.project.clone().or_else(|| workspace.clone()).unwrap_or_default();
        let (hooks, permissions, agent) = Default::default();
        let current = Arc::new(Current { catalog, features, line });
        let subs = SubPods::of_root(Arc::clone(&current));
        let shared = Shared {
            log,
            hooks,
            stores,
            workspace,
            secrets,
            closed,
            permissions,
            project,
            agent,
            subs,
        };
        let (bus, background) = Default::default();
        Ok(Self {
            current: RwLock::new(current),
            shared: Arc::new(shared),
            recovered,
            bus,
            background,
        })
    }

    /// The pod of the session `session`, which lies beside that of `parent` and was started there. It has
    /// of `current` what `scope` leaves, and all else of its parent but the record.
    pub(super) fn below(
        parent: &Shared,
        current: &Current,
        session: &str,
        scope: &Narrowing,
        subs: impl FnOnce(Arc<Current>) -> SubPods,
    ) -> Result<Self, PodError> {
        let durability = parent.log.durability();
        let log = SessionLog::open(&parent.log.folder().with_file_name(session), durability)?;
        let stores = Arc::clone(&parent.stores);
        let committed = Arc::clone(&stores);
        log.sync_first(move || committed.sync());
        // First: what is recovered is written to it.
        let exposed = parent.secrets.as_ref().map(Secrets::exposed).cloned();
        let log = log.without(exposed.unwrap_or_default());
        let recovered = log.recover(&stores)?;
        let catalog = Arc::new(current.catalog.narrowed(scope));
        let features = current.features.clone();
        let line = catalog::record(&log, &catalog, &features)?;
        let current = Arc::new(Current { catalog, features, line });
        let subs = subs(Arc::clone(&current));
        let bus = subs.bus();
        let shared = Shared {
            log: Arc::new(log),
            hooks: parent.hooks.clone(),
            stores,
            workspace: parent.workspace.clone(),
            secrets: parent.secrets.clone(),
            closed: parent.closed.clone(),
            permissions: Arc::clone(&parent.permissions),
            project: parent.project.clone(),
            agent: OnceLock::new(),
            subs,
        };
        Ok(Self {
            current: RwLock::new(current),
            shared: Arc::new(shared),
            recovered,
            bus,
            background: Background::default(),
        })
    }

    /// Says what answers the messages to sub-pods. Without it none can be started.
    pub fn set_responder(&self, responder: Arc<dyn Responder>) {
        self.shared.subs.set_responder(responder);
    }

    #[cfg(test)]
    pub(super) fn shared_subs(&self) -> &SubPods {
        &self.shared.subs
    }

    /// Ends the turns that sub-pods are at, at every depth; how many. They can be messaged again.
    pub fn interrupt_below(&self) -> usize {
        self.shared.subs.interrupt()
    }

    /// How the sub-pods are that live, at every depth.
    pub fn sub_pods(&self) -> Vec<SubPodState> {
        self.shared.subs.states()
    }

    /// Ends the sub-pod that is on record in that session, and those below it; whether it lived. The feature
    /// that started it can restore it.
    pub fn stop_below(&self, session: &str) -> bool {
        self.shared.subs.stop(session)
    }

    /// Ends the sub-pods, and those below them.
    pub(super) fn end_below(&self) {
        self.shared.subs.end();
    }

    /// The same pod, whose listeners hear what goes to `bus` as well: what features say outside of calls,
    /// where the catalog was made with its sink.
    #[must_use]
    pub fn with_bus(mut self, bus: Bus) -> Self {
        self.shared.subs.set_bus(bus.clone());
        self.bus = bus;
        self
    }

    /// The same pod, with background work that features were given as a service before it was opened.
    #[must_use]
    pub fn with_background(mut self, background: Background) -> Self {
        self.background = background;
        self
    }

    /// Sets the rules that each call is held against from now on. Without any, a tool runs unless it asks
    /// by itself.
    pub fn set_permissions(&self, permissions: Permissions) {
        *self.shared.permissions.write().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(permissions);
    }

    /// The rules that calls are held against now.
    pub fn permissions(&self) -> Arc<Permissions> {
        self.shared.permissions()
    }

    /// Hears what features say from now on, in every call and outside of calls.
    pub fn listen(&self) -> Listener {
        self.bus.listen()
    }

    /// Starts work in the background, which is asked to stop when the pod ends.
    ///
    /// # Errors
    ///
    /// As [`Background::spawn`].
    pub fn spawn(
        &self,
        name: impl Into<String>,
        work: impl FnOnce(&Stop) + Send + 'static,
    ) -> Result<(), Diagnostic> {
        self.background.spawn(name, work)
    }

    /// Asks the work in the background to stop, and waits for it, at most for `patience`. Calls still
    /// work; a pod that is dropped does this with a patience of a second.
    pub fn shut_down(&self, patience: Duration) -> Ended {
        let until = Instant::now() + patience;
        let below = self.shared.subs.shut_down(patience);
        let mut ended = self.background.shut_down(until.saturating_duration_since(Instant::now()));
        ended.abandoned.extend(below.abandoned);
        ended.problems.extend(below.problems);
        ended
    }

    /// Ends a pod whose process ends at once and was asked about one event. Its lines are in the log; unless
    /// they speak of a store, nobody waits until they are on the disk, but under [`Durability::Always`].
    pub fn end_at_once(self) {
        if self.shared.stores.is_untouched() {
            self.shared.log.leave();
        }
    }

    /// Ends a pod that others still hold, at the end of its process: no call is taken any more. Work in the
    /// background ends, lines go to the disk, and where nothing runs on nobody has to look for calls that
    /// were left open.
    pub fn close(&self) {
        let is_still = self.end_background() && self.catalog().in_flight().count() == 0;
        self.shared.log.close(is_still);
    }

    /// Whether all of it stopped.
    fn end_background(&self) -> bool {
        let ended = self.shut_down(FAREWELL);
        for name in &ended.abandoned {
            tracing::warn!(work = name, "work in the background did not stop, and was left behind");
        }
        ended.abandoned.is_empty()
    }

    /// What each hook did and what it cost, since the pod was opened.
    pub fn hook_report(&self) -> Vec<HookReport> {
        self.shared.hooks.list()
    }

    /// What can be called from now on.
    pub fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.current().catalog)
    }

    /// Puts another catalog in the place of the one that stands, in one step, and records it before.
    /// Calls that are under way end on the one that they began with.
    ///
    /// # Errors
    ///
    /// The log cannot be written; the catalog stands as it was.
    pub fn swap(&self, catalog: Arc<Catalog>, features: Features) -> Result<(), PodError> {
        let line = catalog::record(&self.shared.log, &catalog, &features)?;
        let new = Arc::new(Current { catalog, features, line });
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        self.shared.subs.follow(&new);
        Ok(())
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was brought to an end when the log was opened.
    pub fn recovered(&self) -> &Recovered {
        &self.recovered
    }

    /// The session's log, for an agent's session that is to be on record in it.
    pub fn log(&self) -> &Arc<SessionLog> {
        &self.shared.log
    }

    /// The id that a call will have on record, for whoever refers to it there.
    pub fn next_call(&self) -> CallId {
        CallId(self.shared.log.next_call())
    }

    /// Calls a tool: its arguments are checked, then the permissions, then the hooks before it are
    /// asked; it runs, and the hooks after it are asked. Everything is on record before the outcome is
    /// given back.
    ///
    /// A call that a person has to be asked about ends with a question and code `ask/unanswered`, and is
    /// run again with the answer in its options. One that is not allowed ends with `permission/…` or
    /// `hook/…`, and did not run; a result that a hook withholds ends with `hook/withheld`, and what the
    /// call did stands.
    pub fn call(&self, name: &str, arguments: Value, options: CallOptions) -> Outcome {
        self.call_as(self.next_call(), name, arguments, options)
    }

    /// As [`Self::call`], under an id of [`Self::next_call`].
    pub fn call_as(
        &self,
        id: CallId,
        name: &str,
        arguments: Value,
        options: CallOptions,
    ) -> Outcome {
        self.call_at(&self.moment(), id, name, arguments, options)
    }

    /// What can be called now, for calls that belong to this moment, whatever is swapped in before they
    /// are made: a model calls what it was offered.
    pub fn moment(&self) -> Moment {
        Moment(self.current())
    }

    /// As [`Self::call_as`], of what could be called at `moment`.
    pub fn call_at(
        &self,
        moment: &Moment,
        id: CallId,
        name: &str,
        arguments: Value,
        options: CallOptions,
    ) -> Outcome {
        let started = Instant::now();
        let current = Arc::clone(&moment.0);
        let (transaction, options) = match self.begin(&current, id, name, &arguments, options) {
            Ok(begun) => begun,
            Err(error) => return Outcome::failure(error.diagnostic()),
        };
        let mut outcome = match current.catalog.prepare(name, arguments, &options) {
            Ok(ready) => self.call_ready(&current, &transaction, ready, options),
            Err(outcome) => transaction.recorded(*outcome),
        };
        if outcome.receipt.elapsed.is_zero() {
            outcome.receipt.elapsed = started.elapsed();
        }
        outcome
    }

    /// The rest of a call whose arguments are checked.
    fn call_ready(
        &self,
        current: &Arc<Current>,
        transaction: &PodTransaction,
        ready: Ready<'_>,
        mut options: CallOptions,
    ) -> Outcome {
        let (shared, call, tool) = (&self.shared, transaction.call(), ready.tool());
        transaction.is_about(tool.feature());
        let mut gate = Gate::new(shared, call, Arc::clone(&options.answers));
        if let Err(failure) = gate.pass(tool, ready.arguments().as_map()) {
            return transaction.recorded(ready.ends_with(Err(failure)));
        }
        let asked = pipeline::before(shared, current, call, &ready, &mut gate, &options);
        let (verdict, notices) = match asked {
            Ok(asked) => asked,
            Err(error) => return ready.ends_with(Err(error.diagnostic().into())),
        };
        options.answers = gate.rest();
        transaction.is_answered(&options.answers);
        let ready = match verdict {
            Before::Run(None) => ready,
            Before::Run(Some(arguments)) => ready.rewritten(arguments),
            Before::Answer(value) => {
                let outcome = transaction.recorded(ready.ends_with(Ok(value)));
                return with_notices(outcome, notices);
            }
            Before::Refuse(failure) => {
                let outcome = transaction.recorded(ready.ends_with(Err(failure)));
                return with_notices(outcome, notices);
            }
        };
        let has_listener = current.catalog.is_guarded(HookPoint::PostToolCall);
        let arguments = has_listener.then(|| ready.arguments().as_map().clone());
        let hook_options = has_listener
            .then(|| CallOptions { transaction: Arc::new(Detached), ..options.clone() });
        let mut outcome = ready.run(options);
        if outcome.result.is_err() {
            return with_notices(transaction.recorded(outcome), notices);
        }
        if let Some((arguments, options)) = arguments.as_ref().zip(hook_options.as_ref()) {
            pipeline::after(shared, current, call, tool, arguments, options, &mut outcome);
        }
        with_notices(outcome, notices)
    }

    /// Asks the hooks whether a request goes to the model, and records what they decided.
    pub fn pre_request(&self, event: &PreRequest, options: CallOptions) -> (RequestVerdict, Heard) {
        let options = self.heard(options);
        pipeline::pre_request(&self.shared, &self.current(), event.to_value(), options)
    }

    /// Tells the hooks of the model's text, and records that they were asked.
    pub fn post_assistant(&self, event: &PostAssistant, options: CallOptions) -> Heard {
        let options = self.heard(options);
        pipeline::post_assistant(&self.shared, &self.current(), event.to_value(), options)
    }

    /// Asks the hooks whether the turn ends, and records what they decided. `event.again` is how often
    /// they made it go on already: at the bound it ends, whatever they say.
    pub fn turn_end(&self, event: &TurnEnd, options: CallOptions) -> (EndVerdict, Heard) {
        let options = self.heard(options);
        let (shared, current) = (&self.shared, self.current());
        pipeline::turn_end(shared, &current, event.to_value(), event.again, options)
    }

    /// The same pod, for the events of a session of another agent, which the log names.
    #[must_use]
    pub fn for_agent(self, agent: AgentSession) -> Self {
        // It is the first: nobody else makes a pod of a pod.
        let _ = self.shared.agent.set(agent);
        self
    }

    /// Holds a call that an agent is about to make against the rules and the hooks, and records what
    /// comes of it. Nothing runs here, and nobody is asked: a question is the agent's to ask.
    pub fn judge(&self, call: &ForeignCall, options: CallOptions) -> Judged {
        let options = self.heard(options);
        pipeline::judge(&self.shared, &self.current(), call, options)
    }

    /// Asks the hooks about what a call of an agent gave, and records what they decided.
    pub fn judge_result(&self, call: &ForeignCall, options: CallOptions) -> (ResultVerdict, Heard) {
        let options = self.heard(options);
        pipeline::judge_result(&self.shared, &self.current(), call, options)
    }

    /// The options of a call, with everybody who listens to the pod beside its own sink.
    fn heard(&self, options: CallOptions) -> CallOptions {
        let sink = self.bus.beside(Arc::clone(&options.sink));
        CallOptions { sink, ..options }
    }

    /// Asks a hook about an event, and records its decision before it is given back.
    pub fn decide(
        &self,
        feature: &FeatureId,
        hook: &str,
        event: Value,
        options: CallOptions,
    ) -> HookOutcome {
        let current = self.current();
        let id = self.next_call();
        let (transaction, options) = match self.begin(&current, id, hook, &event, options) {
            Ok(begun) => begun,
            Err(error) => return HookOutcome::failure(error.diagnostic()),
        };
        let mut outcome = current.catalog.decide(feature, hook, event, options);
        if let Err(failure) = &outcome.decision
            && let Err(error) = transaction.failed(&failure.diagnostics, &outcome.receipt)
        {
            outcome.decision = Err(error.diagnostic().into());
        }
        outcome
    }

    fn begin(
        &self,
        current: &Arc<Current>,
        id: CallId,
        contribution: &str,
        input: &Value,
        options: CallOptions,
    ) -> Result<(Arc<PodTransaction>, CallOptions), LogError> {
        let conditions = options.conditions;
        let about = CallEntry {
            feature: None,
            root: None,
            contribution: contribution.chars().take(MOST_NAME).collect(),
            input: self.shared.log.body(input)?,
            now: conditions.now,
            seed: Some(conditions.seed),
            answers: options.answers.to_vec(),
            catalog: Some(current.line),
            heard: None,
            kept: None,
        };
        let transaction = Arc::new(PodTransaction::new(&self.shared, current, id.0, about));
        let host = Arc::clone(&transaction) as Arc<dyn Transaction>;
        Ok((transaction, CallOptions { transaction: host, ..self.heard(options) }))
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.end_background();
    }
}

/// Texts for the model of hooks stand after the call's own, whether it ran or not.
fn with_notices(mut outcome: Outcome, notices: Vec<String>) -> Outcome {
    outcome.notices.extend(notices);
    outcome
}

impl Current {
    /// The folder that a feature belongs to.
    pub fn root(&self, feature: &FeatureId) -> PathBuf {
        self.features.get(feature).map(|on_record| on_record.root.clone()).unwrap_or_default()
    }
}
