//! A call as a transaction: intent in the log, effects in the store, the end in the log, the reply.

use super::background::{Background, Ended, Stop};
use super::commons::{self, Leased, Terms};
use super::journal::Journal;
use super::permission::Gate;
use super::pipeline::{
    self, Before, EndVerdict, Heard, HookReport, Judged, Reports, RequestVerdict, ResultVerdict,
};
use super::session::entry::{AgentSession, Body, CallEntry, Entry, FeatureEntry, StoreChange};
use super::session::{LogError, Recovered, SessionLog};
use super::sink::{Bus, Listener};
use super::sub::{Asker, Responder, SubPods};
use crate::diagnostic::Diagnostic;
use crate::feature::call::{Conditions, Outcome, Receipt};
use crate::feature::capability::{Capability, SecretName, StoreAccess};
use crate::feature::catalog::{CallOptions, Catalog, Ready};
use crate::feature::commons::{Commons, CommonsAnswer, CommonsAsk};
use crate::feature::grant::grant_command;
use crate::feature::heard;
use crate::feature::hook::{HookOutcome, HookPoint};
use crate::feature::hook_event::{ForeignCall, PostAssistant, PreRequest, TurnEnd};
use crate::feature::id::FeatureId;
use crate::feature::permission::Permissions;
use crate::feature::question::Answer;
use crate::feature::secret::SecretText;
use crate::feature::subpod::{Narrowing, PodAnswer, PodAsk, SubPodState};
use crate::feature::transaction::{Act, CallStart, Detached, Ending, Transaction};
use crate::limit::{Limit, Limits};
use crate::secret::Secrets;
use crate::store::{Durability, Lease, Owner, StoreError, Stores};
use serde_json::Value;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
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
    stores: Arc<Stores>,
    workspace: Option<PathBuf>,
    secrets: Option<Secrets>,
    closed: Vec<PathBuf>,
    /// Those of sub-pods are the same, whatever they are at the moment.
    permissions: Arc<RwLock<Arc<Permissions>>>,
    /// The folder that the memory and the work items belong to.
    project: PathBuf,
    /// The agent whose events are told to this host.
    agent: OnceLock<AgentSession>,
    /// The sessions that its calls started.
    subs: SubPods,
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
        let line = record(&log, &catalog, &features)?;
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
        let line = record(&log, &catalog, &features)?;
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
        let line = record(&self.shared.log, &catalog, &features)?;
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
        let transaction = Arc::new(PodTransaction {
            shared: Arc::clone(&self.shared),
            current: Arc::clone(current),
            call: id.0,
            is_of_hook: false,
            state: Mutex::new(State::new(about)),
        });
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
    fn root(&self, feature: &FeatureId) -> PathBuf {
        self.features.get(feature).map(|on_record| on_record.root.clone()).unwrap_or_default()
    }
}

/// Writes down what can be called, and gives the line. What was written down before is named by its
/// hash, so that a reload adds no more than what it changed.
fn record(log: &SessionLog, catalog: &Catalog, features: &Features) -> Result<u64, LogError> {
    let key = key_of(catalog, features);
    let known = key.as_ref().and_then(|key| log.remembered(key));
    let features = match known {
        Some(known) => known,
        None => {
            let written = write_features(log, catalog, features)?;
            if let Some(key) = key {
                log.remember(&key, &written);
            }
            written
        }
    };
    log.record(&Entry::Catalog { instance: log.instance().to_owned(), features })
}

/// All that a catalog on record is made of: a digest stands for the source, and with the version of
/// peasy for the descriptor that was read from it. `None` where a path is no text.
fn key_of(catalog: &Catalog, features: &Features) -> Option<String> {
    let usual = Limits::default();
    let parts = catalog.features().map(|feature| {
        let on_record = features.get(feature.id());
        let digest = on_record.map_or("", |on_record| on_record.digest.as_str());
        let descriptor = digest.is_empty().then(|| feature.descriptor());
        let root = on_record.map(|on_record| on_record.root.to_string_lossy());
        let grants: Vec<_> = feature.grants().iter().collect();
        (feature.id(), root, digest, descriptor, grants, unusual(feature.limits(), &usual))
    });
    serde_json::to_string(&(env!("CARGO_PKG_VERSION"), parts.collect::<Vec<_>>())).ok()
}

/// The bounds that are not the usual ones.
fn unusual(limits: &Limits, usual: &Limits) -> Vec<(Limit, u64)> {
    let all = Limit::all().map(|limit| (limit, limits.get(limit)));
    all.filter(|(limit, value)| usual.get(*limit) != *value).collect()
}

fn write_features(
    log: &SessionLog,
    catalog: &Catalog,
    features: &Features,
) -> Result<Body, LogError> {
    let usual = Limits::default();
    let entries = catalog.features().map(|feature| {
        let OnRecord { root, digest, source } =
            features.get(feature.id()).cloned().unwrap_or_default();
        let descriptor = serde_json::to_value(feature.descriptor()).unwrap_or_default();
        Ok(FeatureEntry {
            feature: feature.id().clone(),
            root,
            digest,
            descriptor: log.body_of_feature(&descriptor, REPEATED)?,
            source: source.map(|source| log.body_of_feature(&source(), REPEATED)).transpose()?,
            grants: feature.grants().iter().cloned().collect(),
            limits: unusual(feature.limits(), &usual),
        })
    });
    let features = entries.collect::<Result<Vec<_>, LogError>>()?;
    let features = serde_json::to_value(features).unwrap_or_default();
    log.body_of_feature(&features, REPEATED)
}

/// Descriptors, sources and the list of them are the same from one opening to the next: what is longer
/// than this stands in a file of its own, once.
const REPEATED: usize = 256;

/// Most characters of a name that nobody has that are recorded.
const MOST_NAME: usize = 128;

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
    /// That of a hook which is asked about an event with others.
    pub fn of_hook(shared: &Arc<Shared>, current: &Arc<Current>, about: CallEntry) -> Self {
        let (shared, current) = (Arc::clone(shared), Arc::clone(current));
        let call = shared.log.next_call();
        let state = Mutex::new(State::new(about));
        Self { shared, current, call, is_of_hook: true, state }
    }

    /// The call's id.
    pub fn call(&self) -> &str {
        &self.call
    }

    /// Whose call it is, for one that may not come to run.
    fn is_about(&self, feature: &FeatureId) {
        self.state().about.feature = Some(feature.clone());
    }

    /// What is left of a person's answers for the tool itself, once its host has taken its own.
    fn is_answered(&self, answers: &[Answer]) {
        self.state().about.answers = answers.to_vec();
    }

    /// The outcome of a call that the catalog did not make lasting, once it is on record.
    fn recorded(&self, mut outcome: Outcome) -> Outcome {
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
    fn failed(&self, failure: &[Diagnostic], receipt: &Receipt) -> Result<(), LogError> {
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
