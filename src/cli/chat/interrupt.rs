//! Ctrl-C: ends the turn of the model, and the program where there is none or where it is pressed twice.
//!
//! Everything that counts is in the log before it is shown, so that ending at once loses nothing.

use crate::diagnostic::Diagnostic;
use crate::feature::call::Cancel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How a program ends that a person interrupted.
const INTERRUPTED: i32 = 130;

/// Listens for Ctrl-C.
pub(super) struct Interrupts(Arc<Mutex<Option<Cancel>>>);

/// A turn is under way for as long as this lives.
pub(super) struct During(Arc<Mutex<Option<Cancel>>>);

fn lock(turn: &Mutex<Option<Cancel>>) -> MutexGuard<'_, Option<Cancel>> {
    turn.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Interrupts {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// The system gives no thread or no signals.
    pub fn listen() -> Result<Self, Box<Diagnostic>> {
        let failed = |reason: std::io::Error| {
            Diagnostic::host("worker/client", format!("there is no way to hear Ctrl-C: {reason}"))
        };
        let turn = Arc::new(Mutex::new(None::<Cancel>));
        let heard = Arc::clone(&turn);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(failed)?;
        // From here on nothing is missed, whenever the thread begins.
        let mut signals = runtime.block_on(async { signals() }).map_err(failed)?;
        let listening = move || {
            runtime.block_on(async {
                while signals.recv().await.is_some() {
                    match &*lock(&heard) {
                        Some(turn) if !turn.is_cancelled() => {
                            turn.cancel();
                            eprintln!("\ncancelling; once more ends the program");
                        }
                        _ => end(),
                    }
                }
            });
        };
        let thread = std::thread::Builder::new().name("peasy-interrupt".to_owned());
        thread.spawn(listening).map_err(failed)?;
        Ok(Self(turn))
    }

    /// Ctrl-C cancels this until what is given back is dropped.
    pub fn during(&self, cancel: &Cancel) -> During {
        *lock(&self.0) = Some(cancel.clone());
        During(Arc::clone(&self.0))
    }
}

impl Drop for During {
    fn drop(&mut self) {
        *lock(&self.0) = None;
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
    eprintln!();
    std::process::exit(INTERRUPTED);
}
