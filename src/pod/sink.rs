//! Live events: what features say while they run, to everybody who listens to the pod.
//!
//! A listener has a bounded buffer. One that does not keep up loses the oldest events and learns how
//! many; no feature waits for it. What a model reads never comes through here.

use crate::feature::event::{FeatureEvent, Sink};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// Most events that wait for a listener.
pub const MOST_WAITING: usize = 1_024;

/// Where the events of one pod go. Clones share the listeners.
#[derive(Clone, Default)]
pub struct Bus(Arc<Listeners>);

#[derive(Default)]
struct Listeners {
    /// How many there are, so that a pod nobody listens to takes no lock.
    count: AtomicUsize,
    queues: Mutex<Vec<Weak<Queue>>>,
}

#[derive(Default)]
struct Queue {
    state: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    events: VecDeque<FeatureEvent>,
    dropped: u64,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hears the events of a pod from the moment that it was made.
pub struct Listener {
    queue: Arc<Queue>,
    listeners: Arc<Listeners>,
}

impl Bus {
    /// Listens from now on.
    pub fn listen(&self) -> Listener {
        let queue = Arc::new(Queue::default());
        let mut queues = self.0.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.push(Arc::downgrade(&queue));
        self.0.count.fetch_add(1, Ordering::Release);
        Listener { queue, listeners: Arc::clone(&self.0) }
    }

    /// A sink for what is said outside of calls.
    pub fn sink(&self) -> Arc<dyn Sink> {
        Arc::new(self.clone())
    }

    /// A sink for a call: its own, and everybody who listens.
    pub(super) fn beside(&self, own: Arc<dyn Sink>) -> Arc<dyn Sink> {
        Arc::new(Beside { own, bus: self.clone() })
    }
}

impl Sink for Bus {
    fn emit(&self, event: FeatureEvent) {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let queues: Vec<_> = {
            let queues = self.0.queues.lock().unwrap_or_else(PoisonError::into_inner);
            queues.iter().filter_map(Weak::upgrade).collect()
        };
        for queue in queues {
            let mut state = queue.state();
            if state.events.len() >= MOST_WAITING {
                state.events.pop_front();
                state.dropped += 1;
            }
            state.events.push_back(event.clone());
            drop(state);
            queue.wake.notify_one();
        }
    }
}

struct Beside {
    own: Arc<dyn Sink>,
    bus: Bus,
}

impl Sink for Beside {
    fn emit(&self, event: FeatureEvent) {
        if self.bus.0.count.load(Ordering::Acquire) > 0 {
            self.bus.emit(event.clone());
        }
        self.own.emit(event);
    }
}

impl Listener {
    /// The next event, where one waits.
    pub fn try_next(&self) -> Option<FeatureEvent> {
        self.queue.state().events.pop_front()
    }

    /// The next event; `None` where none comes within `patience`.
    pub fn next_within(&self, patience: Duration) -> Option<FeatureEvent> {
        let until = Instant::now() + patience;
        let mut state = self.queue.state();
        loop {
            if let Some(event) = state.events.pop_front() {
                return Some(event);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.queue.wake.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// How many events were lost since this was asked last, because they were not taken in time.
    pub fn dropped(&self) -> u64 {
        std::mem::take(&mut self.queue.state().dropped)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut queues = self.listeners.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| !std::ptr::eq(queue.as_ptr(), Arc::as_ptr(&self.queue)));
        self.listeners.count.store(queues.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::event::{EventBody, Silent};

    fn notice(text: impl ToString) -> FeatureEvent {
        let feature = "user:a".parse().expect("an id");
        FeatureEvent { feature, channel: None, body: EventBody::Notice { text: text.to_string() } }
    }

    fn texts(listener: &Listener) -> Vec<String> {
        let text = |event: FeatureEvent| match event.body {
            EventBody::Notice { text } => text,
            other => format!("{other:?}"),
        };
        std::iter::from_fn(|| listener.try_next()).map(text).collect()
    }

    #[test]
    fn everybody_who_listens_hears_what_is_said_from_then_on() {
        let bus = Bus::default();
        bus.emit(notice("nobody hears this"));
        let first = bus.listen();
        bus.sink().emit(notice(1));
        let second = bus.listen();
        bus.beside(Arc::new(Silent)).emit(notice(2));
        assert_eq!(texts(&first), ["1", "2"]);
        assert_eq!(texts(&second), ["2"]);
        drop(first);
        bus.emit(notice(3));
        assert_eq!(texts(&second), ["3"]);
        assert_eq!(second.next_within(Duration::ZERO), None);
    }

    #[test]
    fn a_listener_that_does_not_keep_up_loses_the_oldest_and_learns_how_many() {
        let bus = Bus::default();
        let (slow, quick) = (bus.listen(), bus.listen());
        for n in 0..MOST_WAITING + 3 {
            bus.emit(notice(n));
            assert_eq!(texts(&quick), [n.to_string()]);
        }
        let kept = texts(&slow);
        assert_eq!((kept.len(), kept[0].as_str()), (MOST_WAITING, "3"));
        assert_eq!((slow.dropped(), slow.dropped(), quick.dropped()), (3, 0, 0));
    }

    #[test]
    fn an_event_wakes_whoever_waits() {
        let bus = Bus::default();
        let listener = bus.listen();
        let waits = std::thread::spawn(move || listener.next_within(Duration::from_secs(60)));
        bus.emit(notice("now"));
        assert_eq!(waits.join().expect("it waits"), Some(notice("now")));
    }
}
