//! Ctrl-C: ends the turn of the model, and the program where there is none or where it is pressed twice.
//!
//! Everything that counts is in the log before it is shown, so that ending at once loses nothing. What a
//! turn runs is given a moment to end: the programs of a call are in groups of their own, which the call
//! ends and nobody else.

use crate::diagnostic::Diagnostic;
use crate::feature::call::Cancel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How a program ends that a person interrupted.
const INTERRUPTED: i32 = 130;

/// How long a turn that was cancelled may take to end the programs that it started.
const MOMENT: Duration = Duration::from_millis(500);

/// Listens for Ctrl-C.
pub(super) struct Interrupts(Arc<Turn>);

/// A turn is under way for as long as this lives.
pub(super) struct During(Arc<Turn>);

/// The turn that is under way.
#[derive(Default)]
struct Turn {
    cancel: Mutex<Option<Cancel>>,
    ended: Condvar,
}

impl Turn {
    fn lock(&self) -> MutexGuard<'_, Option<Cancel>> {
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancels the turn. Says whether there is one that was not cancelled before.
    fn cancel(&self) -> bool {
        let turn = self.lock();
        let turn = turn.as_ref().filter(|turn| !turn.is_cancelled());
        turn.inspect(|turn| turn.cancel()).is_some()
    }

    /// Waits for the end of the turn, or for as long as `most`. Says whether there is none any more.
    fn wait(&self, most: Duration) -> bool {
        let waited = self.ended.wait_timeout_while(self.lock(), most, |turn| turn.is_some());
        waited.unwrap_or_else(PoisonError::into_inner).0.is_none()
    }
}

impl Interrupts {
    /// Listens from now on. `also` is called where a turn is cancelled, `leave` before the program ends.
    ///
    /// # Errors
    ///
    /// The system gives no thread or no signals.
    pub fn listen(
        also: impl Fn() + Send + 'static,
        leave: impl Fn() + Send + 'static,
    ) -> Result<Self, Box<Diagnostic>> {
        let failed = |reason: std::io::Error| {
            Diagnostic::host("worker/client", format!("there is no way to hear Ctrl-C: {reason}"))
        };
        let turn = Arc::<Turn>::default();
        let heard = Arc::clone(&turn);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        // From here on nothing is missed, whenever the thread begins.
        let mut signals = runtime.block_on(async { signals() }).map_err(failed)?;
        let listening = move || {
            runtime.block_on(async {
                while signals.recv().await.is_some() {
                    if heard.cancel() {
                        also();
                        eprintln!("\ncancelling; once more ends the program");
                    } else {
                        eprintln!();
                        heard.wait(MOMENT);
                        leave();
                        end();
                    }
                }
            });
        };
        let thread = std::thread::Builder::new().name("peasy-interrupt".to_owned());
        thread.spawn(listening).map_err(failed)?;
        Ok(Self(turn))
    }

    /// Whether the turn that is under way was cancelled, at any moment.
    pub fn is_cancelled(&self) -> impl Fn() -> bool + Send + Sync + 'static {
        let turn = Arc::clone(&self.0);
        move || turn.lock().as_ref().is_some_and(Cancel::is_cancelled)
    }

    /// Ctrl-C cancels this until what is given back is dropped.
    pub fn during(&self, cancel: &Cancel) -> During {
        *self.0.lock() = Some(cancel.clone());
        During(Arc::clone(&self.0))
    }
}

impl Drop for During {
    fn drop(&mut self) {
        *self.0.lock() = None;
        self.0.ended.notify_all();
    }
}

#[cfg(unix)]
fn signals() -> std::io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn signals() -> std::io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}

#[expect(clippy::disallowed_methods, reason = "the thread that waits for a line cannot be woken")]
fn end() {
    std::process::exit(INTERRUPTED);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_turn_that_was_cancelled_is_waited_for() {
        let interrupts = Interrupts(Arc::default());
        let turn = Arc::clone(&interrupts.0);
        assert!(turn.wait(Duration::ZERO) && !turn.cancel(), "none is under way");
        let cancel = Cancel::default();
        let during = interrupts.during(&cancel);
        assert!(turn.cancel() && cancel.is_cancelled());
        assert!(!turn.cancel(), "the second time ends the program");
        assert!(!turn.wait(Duration::ZERO), "it is under way");
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| turn.wait(Duration::from_secs(3_600)));
            drop(during);
            assert!(waits.join().expect("no panic"), "it is over");
        });
    }
}
