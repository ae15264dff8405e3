//! What is known of one client, and its requests that are not answered yet.
//!
//! A request stands here from when it is taken up until it is answered, is cancelled, or the client is
//! gone; so a cancelled one gets no answer, and an end can wait for those that are under way. Nothing
//! here runs anything.

use super::call::Call;
use super::channel::Channel;
use super::list::Listening;
use super::message::{Reply, RequestId};
use super::sink::LogLevel;
use crate::feature::call::Cancel;
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Most questions of one client that wait for a person.
const MOST_QUESTIONS: usize = 64;

/// What a client said of itself in the handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    /// The version that was agreed on.
    pub version: &'static str,
    /// Whether it asks people.
    pub can_ask: bool,
    /// Whether it lists tools once and never again.
    pub is_fixed: bool,
}

/// One client. Over HTTP in the stateless era, one request.
pub(super) struct Session {
    state: Mutex<State>,
    /// Something ended.
    ended: Condvar,
}

struct State {
    client: Option<Client>,
    level: LogLevel,
    open: HashMap<RequestId, Open>,
    /// How many requests a thread is at.
    running: usize,
    /// The number of the last question.
    questions: i64,
    /// For as long as the session lives.
    listening: Vec<Listening>,
}

/// A request without an answer.
enum Open {
    Running(Cancel),
    /// A person was asked, and this goes on with the answer.
    Asking(i64, Box<Call>),
    Listening(Arc<dyn Channel>, Listening),
}

impl Default for Session {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                client: None,
                level: LogLevel::Info,
                open: HashMap::new(),
                running: 0,
                questions: 0,
                listening: Vec::new(),
            }),
            ended: Condvar::new(),
        }
    }
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn client(&self) -> Option<Client> {
        self.state().client
    }

    pub fn agree(&self, client: Client) {
        self.state().client = Some(client);
    }

    pub fn level(&self) -> LogLevel {
        self.state().level
    }

    pub fn set_level(&self, level: LogLevel) {
        self.state().level = level;
    }

    /// Keeps a listener for as long as the session lives, in the place of those before.
    pub fn keep(&self, listening: Listening) {
        let before = std::mem::replace(&mut self.state().listening, vec![listening]);
        // Outside of the lock: leaving takes that of the list.
        drop(before);
    }

    /// Takes a request up; whether its id was free.
    pub fn begin(&self, id: &RequestId, cancel: &Cancel) -> bool {
        let mut state = self.state();
        if state.open.contains_key(id) {
            return false;
        }
        state.open.insert(id.clone(), Open::Running(cancel.clone()));
        state.running += 1;
        true
    }

    /// Whether a request that runs is still wanted. It stands here no longer, so that its id is free
    /// again before the client has the answer.
    pub fn finish(&self, id: &RequestId, cancel: &Cancel) -> bool {
        let mut state = self.state();
        let is_it = state.is_running(id, cancel);
        if is_it {
            state.open.remove(id);
        }
        is_it
    }

    /// The thread that was at a request is done with it, and the answer is out of our hands.
    pub fn leave(&self) {
        self.state().running -= 1;
        self.ended.notify_all();
    }

    /// Lets a call wait for a person; gives the number of the question. `None` where nobody wants the
    /// call any more, or too many wait.
    pub fn ask(
        &self,
        id: &RequestId,
        cancel: &Cancel,
        call: impl FnOnce(i64) -> Box<Call>,
    ) -> bool {
        let mut state = self.state();
        let waiting = state.open.values().filter(|open| matches!(open, Open::Asking(..))).count();
        if waiting >= MOST_QUESTIONS || !state.is_running(id, cancel) {
            return false;
        }
        state.questions += 1;
        let number = state.questions;
        state.open.insert(id.clone(), Open::Asking(number, call(number)));
        state.running -= 1;
        drop(state);
        self.ended.notify_all();
        true
    }

    /// The call that waits for the answer to that question. It runs from here on.
    pub fn answered(&self, number: i64) -> Option<Box<Call>> {
        let mut state = self.state();
        let is_it = |open: &Open| matches!(open, Open::Asking(asked, _) if *asked == number);
        let id = state.open.iter().find(|(_, open)| is_it(open))?.0.clone();
        state.resume(&id)
    }

    /// The calls that wait for a person, where nobody will answer any more.
    pub fn unanswered(&self) -> Vec<Call> {
        let mut state = self.state();
        let asking = |open: &Open| matches!(open, Open::Asking(..));
        let ids: Vec<_> =
            state.open.iter().filter(|(_, open)| asking(open)).map(|(id, _)| id.clone()).collect();
        ids.iter().filter_map(|id| state.resume(id)).map(|call| *call).collect()
    }

    /// Takes up a request that is answered when the session ends; whether its id was free.
    pub fn listen(&self, id: &RequestId, channel: Arc<dyn Channel>, listening: Listening) -> bool {
        let mut state = self.state();
        if state.open.contains_key(id) {
            return false;
        }
        state.open.insert(id.clone(), Open::Listening(channel, listening));
        true
    }

    /// The client no longer wants that request.
    pub fn cancel(&self, id: &RequestId) {
        let cancelled = self.state().open.remove(id);
        // What it held is let go outside of the lock.
        if let Some(Open::Running(cancel)) = &cancelled {
            cancel.cancel();
        }
    }

    /// Nobody waits at this end for what a person answers to that request.
    pub fn forget_question(&self, id: &RequestId) {
        let mut state = self.state();
        if matches!(state.open.get(id), Some(Open::Asking(..))) {
            let call = state.open.remove(id);
            drop(state);
            drop(call);
        }
    }

    /// The client no longer wants anything.
    pub fn cancel_all(&self) {
        let mut state = self.state();
        let (open, listening) =
            (std::mem::take(&mut state.open), std::mem::take(&mut state.listening));
        drop(state);
        for open in open.values() {
            if let Open::Running(cancel) = open {
                cancel.cancel();
            }
        }
        drop((open, listening));
    }

    /// Stops what runs; each gets its answer.
    pub fn stop_all(&self) {
        for open in self.state().open.values() {
            if let Open::Running(cancel) = open {
                cancel.cancel();
            }
        }
    }

    /// Ends what goes on until the session ends, each with the reply that `last` gives.
    pub fn end_listening(&self, last: impl Fn(&RequestId) -> Reply) {
        let mut state = self.state();
        let open = std::mem::take(&mut state.open);
        let (listening, others) =
            open.into_iter().partition(|(_, open)| matches!(open, Open::Listening(..)));
        state.open = others;
        drop(state);
        let listening: HashMap<RequestId, Open> = listening;
        for (id, open) in listening {
            if let Open::Listening(channel, listening) = open {
                drop(listening);
                channel.end(Some(last(&id)));
            }
        }
        self.ended.notify_all();
    }

    /// Whether nothing runs, at the latest after `most`.
    pub fn wait_until_idle(&self, most: Option<Duration>) -> bool {
        let deadline = most.map(|most| Instant::now() + most);
        let mut state = self.state();
        while state.running > 0 {
            state = match deadline {
                None => self.ended.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    let waited = self.ended.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }
}

impl State {
    /// Whether that very request runs; another may have come under its id.
    fn is_running(&self, id: &RequestId, cancel: &Cancel) -> bool {
        matches!(self.open.get(id), Some(Open::Running(running))
            if Arc::ptr_eq(&running.flag(), &cancel.flag()))
    }

    /// Turns a call that waits into one that runs.
    fn resume(&mut self, id: &RequestId) -> Option<Box<Call>> {
        match self.open.remove(id)? {
            Open::Asking(_, call) => {
                self.open.insert(id.clone(), Open::Running(call.cancel().clone()));
                self.running += 1;
                Some(call)
            }
            other => {
                self.open.insert(id.clone(), other);
                None
            }
        }
    }
}
