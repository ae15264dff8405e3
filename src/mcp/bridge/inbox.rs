//! Requests that wait for an answer, and whoever else should hear what a server says.
//!
//! Nobody here waits for the server but the caller of [`Waiting::wait`], and nothing that a server sends is
//! kept but the answers that somebody waits for: a flood fills nothing.

use super::fault::{Fault, words};
use super::line::Line;
use super::wire::{self, Said};
use crate::feature::call::Cancel;
use crate::feature::event::{EventBody, FeatureEvent, Level, Sink};
use crate::feature::id::FeatureId;
use crate::feature::redact::Redactor;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often somebody who waits looks whether the call was cancelled.
const LOOK: Duration = Duration::from_millis(20);

/// Lines that are no messages, before a connection counts as broken. Servers print a few by mistake.
const MOST_GARBAGE: u64 = 1_000;

/// Characters of a message for the log that are kept.
const MOST_LOG: usize = 4_000;

/// Requests beyond tools that are remembered by name.
const MOST_BEYOND: usize = 8;

/// Who hears of what belongs to no call.
pub(super) trait Listener: Send + Sync {
    /// The server says that its tools are others now.
    fn tools_changed(&self);
    /// The connection is over.
    fn closed(&self);
}

/// Where events of a call go.
#[derive(Clone)]
pub(super) struct Live {
    pub feature: Arc<FeatureId>,
    pub sink: Arc<dyn Sink>,
}

impl Live {
    fn emit(&self, body: EventBody) {
        let feature = FeatureId::clone(&self.feature);
        self.sink.emit(FeatureEvent { feature, channel: None, body });
    }
}

/// What one connection waits for.
pub(super) struct Inbox {
    state: Mutex<State>,
    next: AtomicU64,
    garbage: AtomicU64,
    most_bytes: usize,
    redactor: Redactor,
    listener: Arc<dyn Listener>,
}

#[derive(Default)]
struct State {
    waiting: BTreeMap<u64, Arc<Slot>>,
    /// How the connection ended.
    closed: Option<String>,
    /// What the server wanted that is not bridged.
    beyond: Vec<String>,
    /// A line that was no message.
    garbage: Option<String>,
}

#[derive(Default)]
struct Slot {
    answer: Mutex<Option<Result<Value, Fault>>>,
    ready: Condvar,
    live: Option<Live>,
}

impl Slot {
    fn answer(&self) -> MutexGuard<'_, Option<Result<Value, Fault>>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, answer: Result<Value, Fault>) {
        *self.answer() = Some(answer);
        self.ready.notify_one();
    }
}

/// A request that was not answered yet. Nobody answers it once this is dropped.
pub(super) struct Waiting {
    pub id: u64,
    inbox: Arc<Inbox>,
    slot: Arc<Slot>,
    begun: Instant,
}

impl Inbox {
    /// An empty one for answers of at most `most_bytes`.
    pub fn new(most_bytes: usize, redactor: Redactor, listener: Arc<dyn Listener>) -> Arc<Self> {
        let (state, garbage) = Default::default();
        let next = AtomicU64::new(1);
        Arc::new(Self { state, next, garbage, most_bytes, redactor, listener })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The most bytes of one message.
    pub fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// A text without the secrets that the server was given.
    pub fn clean(&self, text: &str) -> String {
        self.redactor.clean_text(text)
    }

    /// Opens a request.
    ///
    /// # Errors
    ///
    /// The connection is over.
    pub fn open(self: &Arc<Self>, live: Option<Live>) -> Result<Waiting, Fault> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let slot = Arc::new(Slot { live, ..Slot::default() });
        let mut state = self.state();
        if let Some(how) = &state.closed {
            return Err(Fault::Gone(how.clone()));
        }
        state.waiting.insert(id, Arc::clone(&slot));
        drop(state);
        Ok(Waiting { id, inbox: Arc::clone(self), slot, begun: Instant::now() })
    }

    /// Whether a request waits.
    pub fn is_waiting(&self, id: u64) -> bool {
        self.state().waiting.contains_key(&id)
    }

    /// How many requests wait.
    pub fn count(&self) -> usize {
        self.state().waiting.len()
    }

    /// Wakes somebody who waits, but not the one of that id.
    pub fn nudge(&self, but: u64) {
        let slot = {
            let state = self.state();
            let mut others = state.waiting.iter().filter(|(id, _)| **id != but);
            others.next().map(|(_, slot)| Arc::clone(slot))
        };
        if let Some(slot) = slot {
            // Whoever is about to rest holds this until it does.
            drop(slot.answer());
            slot.ready.notify_one();
        }
    }

    /// Ends a request by its id.
    pub fn fail(&self, id: u64, fault: Fault) {
        self.settle(id, Err(fault));
    }

    fn settle(&self, id: u64, answer: Result<Value, Fault>) {
        let slot = self.state().waiting.remove(&id);
        // One that nobody waits for any more is late.
        if let Some(slot) = slot {
            slot.put(answer);
        }
    }

    /// Ends every request: the connection is over.
    pub fn close(&self, how: &str) {
        let mut state = self.state();
        if state.closed.is_some() {
            return;
        }
        state.closed = Some(how.to_owned());
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        for slot in waiting.into_values() {
            slot.put(Err(Fault::Gone(how.to_owned())));
        }
        self.listener.closed();
    }

    /// How the connection ended, if it did.
    pub fn closed(&self) -> Option<String> {
        self.state().closed.clone()
    }

    /// What the server wanted that is not bridged, and a line of it that was no message.
    pub fn oddities(&self) -> (Vec<String>, Option<String>) {
        let state = self.state();
        (state.beyond.clone(), state.garbage.clone())
    }

    /// Takes a line. What has to be written back, if anything.
    ///
    /// # Errors
    ///
    /// The server has said so much that is no message that the connection is of no use.
    pub fn take(&self, line: Line) -> Result<Option<Vec<u8>>, String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match line {
            Line::TooLong { head, tail } => {
                let id = wire::stray_id(&text(&head), &text(&tail));
                if let Some(id) = id {
                    self.fail(id, Fault::TooLarge(self.most_bytes));
                    return Ok(None);
                }
                self.refuse(&self.clean(&text(&head)), "")
            }
            Line::Whole(bytes) => {
                // Bytes that are no text are replaced, so that the rest of the answer is not lost.
                let line = String::from_utf8_lossy(&bytes);
                match wire::read(line.trim()) {
                    Some(said) => Ok(self.hear(self.cleaned(said))),
                    None => {
                        let line = self.clean(line.trim());
                        self.refuse(&line, &line)
                    }
                }
            }
        }
    }

    /// What was said without the secrets that the server was given, whichever way it wrote them: once it is
    /// read, no escape hides one.
    fn cleaned(&self, said: Said) -> Said {
        let redactor = &self.redactor;
        if redactor.forms() == 0 {
            return said;
        }
        match said {
            Said::Answer(id, Ok(result)) => Said::Answer(id, Ok(redactor.clean_value(result))),
            Said::Answer(id, Err((code, message))) => {
                Said::Answer(id, Err((code, redactor.clean_text(&message))))
            }
            // It gets its own id back.
            Said::Request(id, method) => Said::Request(id, redactor.clean_text(&method)),
            Said::Notification(method, parameters) => {
                Said::Notification(method, redactor.clean_value(parameters))
            }
        }
    }

    fn refuse(&self, head: &str, tail: &str) -> Result<Option<Vec<u8>>, String> {
        let shown = words(head, 120);
        if let Some(id) = wire::stray_id(head, tail) {
            self.fail(id, Fault::Malformed(format!("`{shown}`")));
        }
        self.state().garbage.get_or_insert_with(|| shown.clone());
        if self.garbage.fetch_add(1, Ordering::Relaxed) >= MOST_GARBAGE {
            return Err(format!(
                "it wrote {MOST_GARBAGE} lines that are no messages, as `{shown}`"
            ));
        }
        Ok(None)
    }

    fn hear(&self, said: Said) -> Option<Vec<u8>> {
        match said {
            Said::Answer(id, Ok(result)) => self.settle(id, Ok(result)),
            Said::Answer(id, Err((code, message))) => {
                self.fail(id, Fault::Refused { code, message })
            }
            Said::Request(id, method) => {
                if method != "ping" {
                    let mut state = self.state();
                    let method = words(&method, 80);
                    if state.beyond.len() < MOST_BEYOND && !state.beyond.contains(&method) {
                        state.beyond.push(method);
                    }
                }
                return Some(wire::answer(&id, &method));
            }
            Said::Notification(method, parameters) => self.notice(&method, &parameters),
        }
        None
    }

    fn notice(&self, method: &str, parameters: &Value) {
        match method {
            "notifications/tools/list_changed" => self.listener.tools_changed(),
            "notifications/progress" => {
                let token = &parameters["progressToken"];
                let id = token.as_u64().or_else(|| token.as_str()?.parse().ok());
                let slot = id.and_then(|id| self.state().waiting.get(&id).cloned());
                if let Some(live) = slot.as_ref().and_then(|slot| slot.live.as_ref()) {
                    live.emit(EventBody::Progress {
                        done: parameters["progress"].as_f64().unwrap_or_default(),
                        total: parameters["total"].as_f64(),
                        text: parameters["message"].as_str().map(|text| words(text, MOST_LOG)),
                    });
                }
            }
            "notifications/message" => {
                // It names no call: it belongs to the oldest that is under way.
                let live = self.state().waiting.values().find_map(|slot| slot.live.clone());
                if let Some(live) = live {
                    live.emit(message(parameters));
                }
            }
            _ => (),
        }
    }
}

/// A message for the log, in the levels that features have.
fn message(parameters: &Value) -> EventBody {
    let level = match parameters["level"].as_str() {
        Some("debug") => Level::Debug,
        Some("warning") => Level::Warn,
        Some("error" | "critical" | "alert" | "emergency") => Level::Error,
        _ => Level::Info,
    };
    let text = match &parameters["data"] {
        Value::String(text) => words(text, MOST_LOG),
        data => words(&data.to_string(), MOST_LOG),
    };
    EventBody::Log { level, text }
}

impl Waiting {
    /// Waits for the answer, until somebody cancels or it is too late.
    ///
    /// # Errors
    ///
    /// There is none.
    pub fn wait(&self, until: Instant, cancel: &Cancel) -> Result<Value, Fault> {
        self.wait_by(until, cancel, |time| self.rest(time, || false))
    }

    /// As [`Self::wait`], where `pause` passes the time, or brings the answer: for no longer than it is told.
    ///
    /// # Errors
    ///
    /// There is no answer.
    pub fn wait_by(
        &self,
        until: Instant,
        cancel: &Cancel,
        mut pause: impl FnMut(Duration),
    ) -> Result<Value, Fault> {
        loop {
            if let Some(answer) = self.slot.answer().take() {
                return answer;
            }
            if cancel.is_cancelled() {
                return Err(Fault::Cancelled);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::Late(self.begun.elapsed()));
            }
            pause(left.min(LOOK));
        }
    }

    /// Does nothing until the answer is there, somebody [nudges](Inbox::nudge), or the time is over; unless
    /// there is something to do, which is asked when no nudge can be missed any more.
    pub fn rest(&self, time: Duration, has_work: impl FnOnce() -> bool) {
        let answer = self.slot.answer();
        if answer.is_none() && !has_work() {
            let _ = self.slot.ready.wait_timeout(answer, time);
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.inbox.state().waiting.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Deaf;

    impl Listener for Deaf {
        fn tools_changed(&self) {}
        fn closed(&self) {}
    }

    #[test]
    fn a_secret_is_taken_out_however_the_server_writes_it() {
        let mut redactor = Redactor::default();
        redactor.add(&"key".parse().expect("a name"), "abc/def&ghi\"jkl");
        let inbox = Inbox::new(10_000, redactor, Arc::new(Deaf));
        for written in [
            r#"abc/def&ghi\"jkl"#,
            r#"abc\/def&ghi\"jkl"#,
            r#"\u0061bc/def\u0026ghi\u0022jkl"#,
            "abc%2Fdef%26ghi%22jkl",
            "YWJjL2RlZiZnaGkiamts",
        ] {
            let waiting = inbox.open(None).expect("it is open");
            let line = format!(
                r#"{{"jsonrpc":"2.0","id":{},"result":{{"t":"a {written}"}}}}"#,
                waiting.id
            );
            assert_eq!(inbox.take(Line::Whole(line.into_bytes())), Ok(None));
            let answer = waiting.wait(Instant::now(), &Cancel::default());
            assert_eq!(answer.ok(), Some(json!({ "t": "a [secret key]" })), "{written}");
        }
        let garbage = br#"it is abc/def&ghi"jkl"#.to_vec();
        assert_eq!(inbox.take(Line::Whole(garbage)), Ok(None));
        assert_eq!(inbox.oddities().1.as_deref(), Some("it is [secret key]"));
    }
}
