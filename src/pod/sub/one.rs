//! One sub-pod that lives: its pod, its record, and the turn that it is at.

use super::record::Turns;
use super::{MOST_SUB_PODS, Responder, SubTurn, Tree, unpoisoned};
use crate::diagnostic::Diagnostic;
use crate::feature::call::Cancel;
use crate::feature::subpod::{MOST_TEXT, Narrowing, SubPodState, Working};
use crate::pod::background::Background;
use crate::pod::host::{Current, Pod, PodError};
use crate::pod::session::Session;
use crate::store::Owner;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A place among the sub-pods of a front's pod; it is free again when this is dropped.
pub(super) struct Place(Arc<Tree>);

impl Place {
    pub fn take(tree: &Arc<Tree>) -> Option<Self> {
        let add = |taken: usize| (taken < MOST_SUB_PODS).then_some(taken + 1);
        tree.count.fetch_update(Ordering::AcqRel, Ordering::Acquire, add).ok()?;
        Some(Self(Arc::clone(tree)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A sub-pod that lives.
pub(super) struct SubPod {
    id: String,
    /// The feature that started it.
    owner: Owner,
    pod: Pod,
    session: Session,
    scope: Narrowing,
    turn: Arc<Turn>,
}

/// The turn that a sub-pod is at. It stands apart, so that whoever sees that a turn is over finds nothing
/// held by it any more.
struct Turn {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// Ends the turn that is under way; `None` between turns.
    cancel: Option<Cancel>,
    /// It takes no messages any more.
    is_over: bool,
    turns: u64,
    last: Option<Result<String, Box<Diagnostic>>>,
    /// Free when it is over and its turn has ended.
    place: Option<Place>,
}

impl Turn {
    fn state(&self) -> MutexGuard<'_, State> {
        unpoisoned(&self.state)
    }

    fn ends(&self, answer: Option<Result<String, Diagnostic>>) {
        let mut state = self.state();
        state.cancel = None;
        if let Some(answer) = answer {
            state.turns += 1;
            state.last = Some(answer.map(bounded).map_err(Box::new));
        }
        if state.is_over {
            state.place = None;
        }
        drop(state);
        self.changed.notify_all();
    }
}

impl SubPod {
    pub fn new(
        id: String,
        owner: Owner,
        pod: Pod,
        session: Session,
        scope: Narrowing,
        place: Place,
    ) -> Self {
        let place = Some(place);
        let state = State { cancel: None, is_over: false, turns: 0, last: None, place };
        let turn = Arc::new(Turn { state: Mutex::new(state), changed: Condvar::new() });
        Self { id, owner, pod, session, scope, turn }
    }

    /// The same, where turns came before.
    pub fn after(self, before: Turns) -> Self {
        let mut state = self.turn.state();
        (state.turns, state.last) = (before.count, before.last);
        drop(state);
        self
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn owner(&self) -> &Owner {
        &self.owner
    }

    #[cfg(test)]
    pub fn pod(&self) -> &Pod {
        &self.pod
    }

    /// The name of the session that it is on record in.
    pub fn session_name(&self) -> &str {
        self.session.id()
    }

    /// Its parent can call this now.
    pub fn follow(&self, latest: &Current) -> Result<(), PodError> {
        self.pod.swap(Arc::new(latest.catalog.narrowed(&self.scope)), latest.features.clone())
    }

    /// It is at a message from now on.
    pub fn begin_turn(&self) -> Result<(), Diagnostic> {
        let mut state = self.turn.state();
        if state.is_over {
            let message = format!("the sub-pod `{}` was ended", self.id);
            return Err(Diagnostic::caller("pod/stopped", message)
                .help("bring it back with `pod::restore`"));
        }
        if state.cancel.is_some() {
            let message =
                format!("the sub-pod `{}` is at a message, and takes one at a time", self.id);
            return Err(Diagnostic::caller("pod/busy", message)
                .help("wait for its answer with `pod::wait`"));
        }
        (state.cancel, state.last) = (Some(Cancel::default()), None);
        Ok(())
    }

    /// The turn that was begun does not come about.
    pub fn give_up_turn(&self) {
        self.turn.ends(None);
    }

    /// Answers a message on a thread of its own.
    pub fn respond(
        self: &Arc<Self>,
        responder: Arc<dyn Responder>,
        message: String,
        background: &Background,
    ) -> Result<(), Diagnostic> {
        let (cancel, turns) = {
            let state = self.turn.state();
            (state.cancel.clone(), state.turns)
        };
        let Some(cancel) = cancel else { return Ok(()) };
        let (sub, turn) = (Arc::clone(self), Arc::clone(&self.turn));
        background.spawn(format!("sub-pod {}", self.id), move |_| {
            let asked = SubTurn {
                pod: &sub.pod,
                session: &sub.session,
                message: &message,
                turns,
                cancel: &cancel,
            };
            let answer = catch_unwind(AssertUnwindSafe(|| responder.respond(&asked)));
            let answer = answer.unwrap_or_else(|_| {
                // Its words go nowhere: they may hold what no report shows.
                Err(Diagnostic::host("host/panic", "what answers in sub-pods panicked"))
            });
            drop(sub);
            turn.ends(Some(answer));
        })
    }

    /// How it is.
    pub fn state(&self) -> SubPodState {
        self.state_within(Duration::ZERO)
    }

    /// How it is when its turn is over, or after so long.
    pub fn state_within(&self, patience: Duration) -> SubPodState {
        let until = Instant::now() + patience;
        let mut now = self.turn.state();
        while now.cancel.is_some() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.turn.changed.wait_timeout(now, left);
            now = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let state = match (&now.cancel, now.is_over) {
            (Some(_), _) => Working::Working,
            (None, true) => Working::Stopped,
            (None, false) => Working::Idle,
        };
        let session = self.session.id().to_owned();
        state_of(self.id.clone(), session, state, now.turns, now.last.clone())
    }

    /// Ends the turn that is under way; whether there was one.
    pub fn interrupt(&self) -> bool {
        self.turn.state().cancel.as_ref().map(Cancel::cancel).is_some()
    }

    /// Ends the turns that are under way here and below; how many.
    pub fn interrupt_all(&self) -> usize {
        usize::from(self.interrupt()) + self.pod.interrupt_below()
    }

    /// How it is, and how those below it are.
    pub fn states(&self) -> Vec<SubPodState> {
        std::iter::once(self.state()).chain(self.pod.sub_pods()).collect()
    }

    /// Ends the one below it that is on record there; whether it lived.
    pub fn stop_below(&self, session: &str) -> bool {
        self.pod.stop_below(session)
    }

    /// Takes no more messages, and ends what goes on here and below.
    pub fn end(&self) {
        let mut state = self.turn.state();
        state.is_over = true;
        match &state.cancel {
            Some(cancel) => cancel.cancel(),
            None => state.place = None,
        }
        drop(state);
        self.pod.end_below();
    }
}

/// How a sub-pod is, as a call is told.
pub(super) fn state_of(
    pod: String,
    session: String,
    state: Working,
    turns: u64,
    last: Option<Result<String, Box<Diagnostic>>>,
) -> SubPodState {
    let (text, failure) = match last {
        Some(Ok(text)) => (Some(bounded(text)), None),
        Some(Err(failure)) => (None, Some(failure)),
        None => (None, None),
    };
    SubPodState { pod, session, state, turns, text, failure }
}

/// An answer that a call can hold.
fn bounded(mut text: String) -> String {
    if text.len() > MOST_TEXT {
        let whole = text.len();
        let end = (0..=MOST_TEXT).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
        text.push_str(&format!(
            "\n[cut: {MOST_TEXT} of {whole} bytes shown; the rest is in its session]"
        ));
    }
    text
}
