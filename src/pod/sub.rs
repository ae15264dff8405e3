//! Sub-pods: sessions that the calls of a pod start below it, each a pod of its own.
//!
//! A sub-pod has the parent's catalog, narrowed, with all of its hooks, and the parent's permissions as they
//! are at each moment; its log is its own, and both logs name the other. A message is answered on a thread
//! of the background, so no call holds a lock or a sandbox while a model thinks. What answers is the front's
//! ([`Responder`]); nothing here knows a model.

mod one;
mod record;
#[cfg(test)]
mod tests;

use super::background::{Background, Ended};
use super::host::{Current, Pod, Shared};
use super::session::entry::Entry;
use super::session::said::Spawned;
use super::session::{About, Session, lines, sessions};
use super::sink::Bus;
use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::call::Cancel;
use crate::feature::capability::Capability;
use crate::feature::catalog::Catalog;
use crate::feature::grant::GrantSet;
use crate::feature::subpod::{
    MOST_NAME, Narrowing, PodAnswer, PodAsk, SpawnTerms, SubPodState, Working,
};
use crate::feature::transaction::{Act, PodDeed};
use crate::private;
use crate::store::Owner;
use one::{Place, SubPod};
use record::Turns;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How deep sub-pods of sub-pods may go.
pub const MOST_DEPTH: usize = 3;

/// How many sub-pods a pod may have at once, with those that they started.
pub const MOST_SUB_PODS: usize = 16;

/// How many sub-pods of one name are on record below one session.
const MOST_NUMBER: usize = 10_000;

/// How many that are on record are listed beside those that live.
const MOST_LISTED: usize = 100;

/// How many lines are looked at for the one that says where a session comes from.
const MOST_LINES: usize = 50;

/// The way in, as the record of a sub-pod has it.
const FRONT: &str = "pod";

/// What answers the messages to sub-pods: the front's model.
pub trait Responder: Send + Sync {
    /// Answers one message: what the model says in the end. It puts the message and all that comes of it on
    /// record in the turn's session, its end as well, calls tools through the turn's pod, and ends soon after
    /// it is cancelled.
    ///
    /// # Errors
    ///
    /// There is no answer, and why.
    fn respond(&self, turn: &SubTurn<'_>) -> Result<String, Diagnostic>;
}

/// One turn of a sub-pod.
pub struct SubTurn<'a> {
    /// The sub-pod, for its tools and hooks. Nobody can be asked in it: a call that ends with a question is
    /// denied.
    pub pod: &'a Pod,
    /// Where it is on record.
    pub session: &'a Session,
    /// The message.
    pub message: &'a str,
    /// How many turns came before it.
    pub turns: u64,
    /// Whether the turn has to end.
    pub cancel: &'a Cancel,
}

/// The sub-pods of one pod.
pub(super) struct SubPods {
    tree: Arc<Tree>,
    depth: usize,
    /// What the pod itself was left of the grants of tools; `None` is all.
    grants: Option<Vec<Capability>>,
    live: Mutex<Live>,
}

/// What a pod and everything below it share.
#[derive(Default)]
pub(super) struct Tree {
    responder: Mutex<Option<Arc<dyn Responder>>>,
    background: Background,
    bus: Mutex<Bus>,
    count: AtomicUsize,
}

struct Live {
    /// What the pod can call now.
    latest: Arc<Current>,
    pods: BTreeMap<String, Arc<SubPod>>,
}

/// On whose behalf something is asked.
pub(super) struct Asker<'a> {
    pub call: &'a str,
    pub owner: Owner,
    /// Puts an act on record, which may happen after that.
    pub act: &'a dyn Fn(Act) -> Result<(), Diagnostic>,
}

fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl SubPods {
    /// For a pod that is nobody's sub-pod.
    pub fn of_root(current: Arc<Current>) -> Self {
        Self::new(Arc::default(), 0, None, current)
    }

    fn new(
        tree: Arc<Tree>,
        depth: usize,
        grants: Option<Vec<Capability>>,
        latest: Arc<Current>,
    ) -> Self {
        Self { tree, depth, grants, live: Mutex::new(Live { latest, pods: BTreeMap::new() }) }
    }

    pub fn set_responder(&self, responder: Arc<dyn Responder>) {
        *unpoisoned(&self.tree.responder) = Some(responder);
    }

    /// Sub-pods speak to whoever listens to this.
    pub fn set_bus(&self, bus: Bus) {
        *unpoisoned(&self.tree.bus) = bus;
    }

    pub fn bus(&self) -> Bus {
        unpoisoned(&self.tree.bus).clone()
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        unpoisoned(&self.live)
    }

    /// The pod's catalog was exchanged: those below follow. One whose record cannot say so is ended, for the
    /// guards of before must not be all that it has.
    pub fn follow(&self, latest: &Arc<Current>) {
        let mut live = self.live();
        live.latest = Arc::clone(latest);
        live.pods.retain(|id, sub| {
            let followed = sub.follow(latest);
            if let Err(error) = &followed {
                tracing::error!(%error, pod = id, "a sub-pod was ended: it cannot follow a change");
                sub.end();
            }
            followed.is_ok()
        });
    }

    /// Ends all of them, and below them.
    pub fn end(&self) {
        let pods = std::mem::take(&mut self.live().pods);
        pods.values().for_each(|sub| sub.end());
    }

    fn all(&self) -> Vec<Arc<SubPod>> {
        self.live().pods.values().map(Arc::clone).collect()
    }

    /// Ends the turns that are under way in all of them, and below; how many.
    pub fn interrupt(&self) -> usize {
        self.all().iter().map(|sub| sub.interrupt_all()).sum()
    }

    /// How they are, and those below them.
    pub fn states(&self) -> Vec<SubPodState> {
        self.all().iter().flat_map(|sub| sub.states()).collect()
    }

    /// Ends the one that is on record in that session, here or below; whether it lived.
    pub fn stop(&self, session: &str) -> bool {
        let all = self.all();
        let Some(sub) = all.iter().find(|sub| sub.session_name() == session) else {
            return all.iter().any(|sub| sub.stop_below(session));
        };
        self.live().pods.remove(sub.id());
        sub.end();
        true
    }

    /// As [`Self::end`], and waits for their turns where this is the pod of a front.
    pub fn shut_down(&self, patience: Duration) -> Ended {
        self.end();
        match self.depth {
            0 => self.tree.background.shut_down(patience),
            _ => Ended::default(),
        }
    }

    /// Answers what a call asks.
    pub fn answer(
        &self,
        shared: &Arc<Shared>,
        asker: &Asker<'_>,
        ask: &PodAsk,
    ) -> Result<PodAnswer, Diagnostic> {
        let one = |state| Ok(PodAnswer::One(Box::new(state)));
        match ask {
            PodAsk::Spawn(terms) => one(self.spawn(shared, asker, terms)?.state()),
            PodAsk::Restore { pod } => one(self.restore(shared, asker, pod)?.state()),
            PodAsk::Message { pod, text } => {
                let responder = self.responder()?;
                let sub = self.find(shared, asker, pod)?;
                sub.begin_turn()?;
                let act =
                    Act::Pod { does: PodDeed::Message, session: sub.session_name().to_owned() };
                let begun = (asker.act)(act)
                    .and_then(|()| sub.respond(responder, text.clone(), &self.tree.background));
                begun.inspect_err(|_| sub.give_up_turn())?;
                one(sub.state())
            }
            PodAsk::Look { pod, patience } => {
                let sub = self.find(shared, asker, pod)?;
                one(sub.state_within(Duration::from_millis(*patience)))
            }
            PodAsk::Interrupt { pod } => {
                let sub = self.find(shared, asker, pod)?;
                self.does(asker, PodDeed::Interrupt, sub.session_name())?;
                Ok(PodAnswer::Done(sub.interrupt()))
            }
            PodAsk::Stop { pod } => {
                let Some(sub) = self.living(asker, pod) else {
                    // What is on record has nothing to end; what is not there is an error.
                    self.recorded(shared, asker, pod)?;
                    return Ok(PodAnswer::Done(false));
                };
                self.does(asker, PodDeed::Stop, sub.session_name())?;
                self.live().pods.remove(pod);
                sub.end();
                Ok(PodAnswer::Done(true))
            }
            PodAsk::List => self.list(shared, asker).map(PodAnswer::All),
        }
    }

    fn does(&self, asker: &Asker<'_>, does: PodDeed, session: &str) -> Result<(), Diagnostic> {
        (asker.act)(Act::Pod { does, session: session.to_owned() })
    }

    fn responder(&self) -> Result<Arc<dyn Responder>, Diagnostic> {
        unpoisoned(&self.tree.responder).clone().ok_or_else(|| {
            Diagnostic::operator("pod/no-model", "no model answers in sub-pods here")
                .help("use the tool in `peasy chat`, which has a model; `peasy call` and `peasy serve` have none")
        })
    }

    /// The sub-pod of that id which lives and is the asker's.
    fn living(&self, asker: &Asker<'_>, pod: &str) -> Option<Arc<SubPod>> {
        self.live().pods.get(pod).filter(|sub| *sub.owner() == asker.owner).map(Arc::clone)
    }

    /// As [`Self::living`], or why there is none.
    fn find(
        &self,
        shared: &Shared,
        asker: &Asker<'_>,
        pod: &str,
    ) -> Result<Arc<SubPod>, Diagnostic> {
        if let Some(sub) = self.living(asker, pod) {
            return Ok(sub);
        }
        self.recorded(shared, asker, pod)?;
        let message = format!("the sub-pod `{pod}` is stopped");
        Err(Diagnostic::caller("pod/stopped", message).help("bring it back with `pod::restore`"))
    }

    /// The record of a sub-pod that the asker started below this session.
    fn recorded(
        &self,
        shared: &Shared,
        asker: &Asker<'_>,
        pod: &str,
    ) -> Result<Spawned, Diagnostic> {
        let session = session_of(shared, pod);
        let spawned = is_id(pod).then(|| origin(shared, &session)).flatten();
        let parent = shared.log.name();
        spawned.filter(|spawned| spawned.is_of(&parent, &asker.owner)).ok_or_else(|| {
            let message = format!("this feature started no sub-pod `{pod}` in this session");
            let near = nearest(pod, self.live().pods.keys().map(String::as_str)).map(str::to_owned);
            let problem = Diagnostic::caller("pod/none", message);
            match near {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help("`pod::list` gives those that there are"),
            }
        })
    }

    fn spawn(
        &self,
        shared: &Arc<Shared>,
        asker: &Asker<'_>,
        terms: &SpawnTerms,
    ) -> Result<Arc<SubPod>, Diagnostic> {
        self.responder()?;
        if self.depth >= MOST_DEPTH {
            let message = format!("sub-pods go {MOST_DEPTH} deep, and this one is at the bottom");
            return Err(Diagnostic::caller("pod/too-deep", message)
                .help("let it do the work itself, or tell the one above"));
        }
        let place = self.place()?;
        let name = terms.name.as_deref().unwrap_or("pod");
        check_name(name)?;
        let latest = Arc::clone(&self.live().latest);
        check_tools(&latest.catalog, &terms.scope)?;
        let scope = self.bounded(&terms.scope);
        let id = new_id(shared, name)?;
        let session = session_of(shared, &id);
        self.does(asker, PodDeed::Spawn, &session)?;
        let pod = self.pod_below(shared, &latest, &session, &scope)?;
        let spawned = Spawned {
            session: shared.log.name(),
            call: asker.call.to_owned(),
            feature: asker.owner.feature.clone(),
            root: asker.owner.root.clone(),
            scope: scope.clone(),
        };
        let about = About { front: FRONT.to_owned(), agent: None, root: None };
        let log = Arc::clone(pod.log());
        let begun = Session::begin_below(log, &about, spawned).and_then(|session| {
            if let Some(text) = &terms.instructions {
                session
                    .append_instructions(text, &format!("the feature {}", asker.owner.feature))?;
            }
            Ok(session)
        });
        let record = begun.map_err(|error| error.diagnostic())?;
        self.keep(SubPod::new(id, asker.owner.clone(), pod, record, scope, place), &latest)
    }

    fn restore(
        &self,
        shared: &Arc<Shared>,
        asker: &Asker<'_>,
        pod: &str,
    ) -> Result<Arc<SubPod>, Diagnostic> {
        if let Some(sub) = self.living(asker, pod) {
            return Ok(sub);
        }
        self.responder()?;
        let Spawned { scope, .. } = self.recorded(shared, asker, pod)?;
        let place = self.place()?;
        let session = session_of(shared, pod);
        self.does(asker, PodDeed::Restore, &session)?;
        let latest = Arc::clone(&self.live().latest);
        let id = pod.to_owned();
        let pod = self.pod_below(shared, &latest, &session, &scope)?;
        let about = About { front: FRONT.to_owned(), agent: None, root: None };
        let turns = record::turns(pod.log().folder());
        let record = Session::resume(Arc::clone(pod.log()), &about);
        let record = record.map_err(|error| error.diagnostic())?;
        let sub = SubPod::new(id, asker.owner.clone(), pod, record, scope, place);
        self.keep(sub.after(turns), &latest)
    }

    /// What is on record as the most that a sub-pod has: no grant more than its parent, so that its record
    /// alone tells.
    fn bounded(&self, scope: &Narrowing) -> Narrowing {
        let grants = match (&self.grants, &scope.grants) {
            (Some(own), Some(given)) => {
                Some(GrantSet::of(own.iter().cloned()).narrowed(given).iter().cloned().collect())
            }
            (own, given) => given.clone().or_else(|| own.clone()),
        };
        Narrowing { tools: scope.tools.clone(), grants }
    }

    fn place(&self) -> Result<Place, Diagnostic> {
        Place::take(&self.tree).ok_or_else(|| {
            let message = format!("{MOST_SUB_PODS} sub-pods live already, and no more may");
            Diagnostic::caller("pod/too-many", message).help("end one with `pod::stop`")
        })
    }

    fn pod_below(
        &self,
        shared: &Arc<Shared>,
        of: &Current,
        session: &str,
        scope: &Narrowing,
    ) -> Result<Pod, Diagnostic> {
        let grants = scope.grants.clone();
        let below = |current| Self::new(Arc::clone(&self.tree), self.depth + 1, grants, current);
        Pod::below(shared, of, session, scope, below).map_err(|error| error.diagnostic())
    }

    /// Lets it live, with what the pod can call now; `made_of` is what it was made of.
    fn keep(&self, sub: SubPod, made_of: &Arc<Current>) -> Result<Arc<SubPod>, Diagnostic> {
        let mut live = self.live();
        if !Arc::ptr_eq(&live.latest, made_of) {
            sub.follow(&live.latest).map_err(|error| error.diagnostic())?;
        }
        let sub = Arc::new(sub);
        live.pods.insert(sub.id().to_owned(), Arc::clone(&sub));
        Ok(sub)
    }

    fn list(&self, shared: &Shared, asker: &Asker<'_>) -> Result<Vec<SubPodState>, Diagnostic> {
        let living = self.all();
        let is_own = |sub: &&Arc<SubPod>| *sub.owner() == asker.owner;
        let mut states: Vec<_> = living.iter().filter(is_own).map(|sub| sub.state()).collect();
        let parent = shared.log.name();
        let names = sessions(&folder(shared)).map_err(|reason| unreadable(shared, &reason))?;
        let stopped = names.into_iter().filter_map(|session| {
            let pod = session.strip_prefix(&format!("{parent}."))?.to_owned();
            let is_living = living.iter().any(|sub| sub.id() == pod);
            let spawned =
                (is_id(&pod) && !is_living).then(|| origin(shared, &session)).flatten()?;
            spawned.is_of(&parent, &asker.owner).then(|| {
                let Turns { count, last } = record::turns(&folder(shared).join(&session));
                one::state_of(pod, session, Working::Stopped, count, last)
            })
        });
        states.extend(stopped.take(MOST_LISTED));
        states.sort_by(|a, b| a.pod.cmp(&b.pod));
        Ok(states)
    }
}

/// The folder with the sessions of this host.
fn folder(shared: &Shared) -> PathBuf {
    shared.log.folder().parent().map(ToOwned::to_owned).unwrap_or_default()
}

/// The session of a sub-pod.
fn session_of(shared: &Shared, pod: &str) -> String {
    format!("{}.{pod}", shared.log.name())
}

/// Who started the session, if a call did.
fn origin(shared: &Shared, session: &str) -> Option<Spawned> {
    let lines = lines(&folder(shared).join(session)).ok()?;
    lines.take(MOST_LINES).find_map(|line| match line.ok()?.0.entry {
        Entry::Session(begin) => begin.spawned,
        _ => None,
    })
}

fn is_id(pod: &str) -> bool {
    let is_word = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !pod.is_empty() && pod.bytes().all(is_word)
}

fn check_name(name: &str) -> Result<(), Diagnostic> {
    let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
    if name.len() <= MOST_NAME && begins && is_id(name) {
        return Ok(());
    }
    let shown: String = name.chars().take(MOST_NAME).collect();
    let message = format!("`{shown}` is not a name of a sub-pod");
    Err(Diagnostic::caller("pod/terms", message)
        .help(format!("write up to {MOST_NAME} of `a-z 0-9 -`, a letter first, as in `reader`")))
}

/// A tool that is named and not there would be missed when it is needed.
fn check_tools(catalog: &Catalog, scope: &Narrowing) -> Result<(), Diagnostic> {
    let is_missing = |glob: &&str| !glob.contains(['*', '?', '[']) && catalog.tool(glob).is_none();
    let globs = scope.tools.iter().flatten().map(|glob| glob.as_str());
    let Some(missing) = globs.into_iter().find(|glob| is_missing(glob)) else { return Ok(()) };
    let names = catalog.tools().map(|tool| tool.declaration().name.as_str());
    let message = format!("there is no tool `{missing}` that a sub-pod could have");
    let problem = Diagnostic::caller("pod/terms", message);
    Err(match nearest(missing, names) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help("a sub-pod has the tools of its parent or fewer"),
    })
}

/// An id that no sub-pod of this session has had, whose folder is made.
fn new_id(shared: &Shared, name: &str) -> Result<String, Diagnostic> {
    let ids = (1..=MOST_NUMBER).map(|number| format!("{name}-{number}"));
    for id in ids {
        match private::make_new_folder(&folder(shared).join(session_of(shared, &id))) {
            Ok(()) => return Ok(id),
            Err(reason) if reason.kind() == io::ErrorKind::AlreadyExists => (),
            Err(reason) => return Err(unreadable(shared, &reason)),
        }
    }
    let message = format!("this session has had {MOST_NUMBER} sub-pods `{name}`, and no more may");
    Err(Diagnostic::caller("pod/too-many", message).help("give it another name"))
}

fn unreadable(shared: &Shared, reason: &io::Error) -> Diagnostic {
    let message =
        format!("the sessions in `{}` cannot be used: {reason}", folder(shared).display());
    Diagnostic::operator("log/failed", message).help("check the state folder and who may write it")
}
