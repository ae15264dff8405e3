//! Work that goes on beside calls, under the host's lifecycle: it is asked to stop when the host ends,
//! waited for within a bound, and what it panics with is reported and ends nothing else.

use crate::diagnostic::Diagnostic;
use crate::feature::capability::Capability;
use crate::feature::service::HostService;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Most pieces of work at once.
pub const MOST_WORK: usize = 64;

/// Work in the background of one host. Clones share it.
///
/// It is a service as well: a feature written in Rust asks for it while it is installed. It needs no grant,
/// for code of this program could start threads without it; what such work says goes through the
/// feature's own channels, under its grants.
#[derive(Clone, Default)]
pub struct Background(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_stopping: bool,
    next: u64,
    running: Vec<(u64, String)>,
    problems: Vec<Diagnostic>,
}

/// Tells a piece of work when it has to stop.
pub struct Stop(Arc<Shared>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stop {
    /// Whether the host ends.
    pub fn is_asked(&self) -> bool {
        self.0.state().is_stopping
    }

    /// Waits, at most for `time`; whether the host ends.
    pub fn wait(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut state = self.0.state();
        while !state.is_stopping {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

/// What became of the work when a host ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// What did not end in time, by name; it goes on until the process ends.
    pub abandoned: Vec<String>,
    /// What panicked since the host began, and could not be started.
    pub problems: Vec<Diagnostic>,
}

impl Background {
    /// Starts work on a thread of its own. It ends soon after its [`Stop`] says so.
    ///
    /// # Errors
    ///
    /// The host ends (`background/stopping`), too much runs already (`background/full`), or the system
    /// has no thread (`host/no-thread`).
    pub fn spawn(
        &self,
        name: impl Into<String>,
        work: impl FnOnce(&Stop) + Send + 'static,
    ) -> Result<(), Diagnostic> {
        let name: String = name.into().chars().take(64).collect();
        let number = self.admit(&name)?;
        let (shared, about) = (Arc::clone(&self.0), name.clone());
        let run = move || {
            let stop = Stop(Arc::clone(&shared));
            let panicked = catch_unwind(AssertUnwindSafe(|| work(&stop))).is_err();
            let mut state = shared.state();
            state.running.retain(|(running, _)| *running != number);
            if panicked {
                tracing::error!(work = about, "work in the background panicked");
                // Its words go nowhere: they may hold what no report shows.
                let message = format!("the work `{about}` in the background panicked");
                state.problems.push(Diagnostic::host("background/panic", message));
            }
            drop(state);
            shared.changed.notify_all();
        };
        let thread = thread::Builder::new().name(format!("peasy-work-{number}"));
        thread.spawn(run).map(drop).map_err(|reason| {
            self.0.state().running.retain(|(running, _)| *running != number);
            let message = format!("no thread could be started for `{name}`: {reason}");
            Diagnostic::operator("host/no-thread", message)
        })
    }

    fn admit(&self, name: &str) -> Result<u64, Diagnostic> {
        let mut state = self.0.state();
        if state.is_stopping {
            let message = format!("`{name}` is not started: the host ends");
            return Err(Diagnostic::host("background/stopping", message));
        }
        if state.running.len() >= MOST_WORK {
            let message =
                format!("`{name}` is not started: {MOST_WORK} pieces of work run already");
            return Err(Diagnostic::author("background/full", message)
                .help("let one piece of work do what several do"));
        }
        state.next += 1;
        let number = state.next;
        state.running.push((number, name.to_owned()));
        Ok(number)
    }

    /// The work that runs, by name.
    pub fn running(&self) -> Vec<String> {
        self.0.state().running.iter().map(|(_, name)| name.clone()).collect()
    }

    /// What went wrong so far.
    pub fn problems(&self) -> Vec<Diagnostic> {
        self.0.state().problems.clone()
    }

    /// Asks all work to stop, and waits for it, at most for `patience`. No more is started.
    pub fn shut_down(&self, patience: Duration) -> Ended {
        let until = Instant::now() + patience;
        let mut state = self.0.state();
        state.is_stopping = true;
        self.0.changed.notify_all();
        while !state.running.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.0.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ended {
            abandoned: state.running.iter().map(|(_, name)| name.clone()).collect(),
            problems: state.problems.clone(),
        }
    }
}

impl HostService for Background {
    const NAME: &'static str = "background work";

    /// Nothing opens it; the word says what such work is mostly for.
    fn capability() -> Capability {
        Capability::Emit
    }

    fn admits(_: &crate::feature::grant::GrantSet) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn work_is_asked_to_stop_and_waited_for() {
        let background = Background::default();
        let (tell, told) = channel();
        let work = move |stop: &Stop| {
            tell.send("began").expect("the test listens");
            assert!(stop.wait(LONG) && stop.is_asked());
            tell.send("ended").expect("the test listens");
        };
        background.spawn("watch", work).expect("a thread");
        assert_eq!(told.recv(), Ok("began"));
        assert_eq!(background.running(), ["watch"]);
        assert_eq!(background.shut_down(LONG), Ended::default());
        assert_eq!(told.recv(), Ok("ended"));
        let late = background.spawn("late", |_| ()).expect_err("it ends");
        assert_eq!(late.code, "background/stopping");
    }

    #[test]
    fn a_panic_is_reported_without_its_words_and_ends_nothing_else() {
        let background = Background::default();
        let (go_on, waits) = channel::<()>();
        background.spawn("other", move |_| _ = waits.recv()).expect("a thread");
        background.spawn("broken", |_| std::panic::panic_any("secret")).expect("a thread");
        drop(go_on);
        let ended = background.shut_down(LONG);
        assert!(ended.abandoned.is_empty());
        let [problem] = &ended.problems[..] else { panic!("{ended:?}") };
        assert_eq!(problem.code, "background/panic");
        assert!(!problem.to_string().contains("secret"));
    }

    #[test]
    fn what_does_not_stop_is_abandoned_by_name() {
        let background = Background::default();
        let (go_on, waits) = channel::<()>();
        background.spawn("stubborn", move |_| _ = waits.recv()).expect("a thread");
        assert_eq!(background.shut_down(Duration::ZERO).abandoned, ["stubborn"]);
        drop(go_on);
        assert!(background.shut_down(LONG).abandoned.is_empty());
    }

    #[test]
    fn there_is_a_bound_on_work() {
        let background = Background::default();
        for n in 0..MOST_WORK {
            background.spawn(n.to_string(), |stop| _ = stop.wait(LONG)).expect("a thread");
        }
        assert_eq!(background.spawn("more", |_| ()).expect_err("full").code, "background/full");
        assert!(background.shut_down(LONG).abandoned.is_empty());
    }
}
