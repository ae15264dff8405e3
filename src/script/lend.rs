//! Several calls on one sandbox thread for one hand-over: what the hooks of one event are.
//!
//! While work that was handed over as a whole runs on a sandbox thread, what the thread keeps is lent:
//! a call that is made from there is run in place. Nothing here decides what is called.

use super::call::Instances;
use super::explain;
use super::invoke::Runnable;
use super::sandbox::{Sandbox, SandboxError};
use super::value;
use crate::diagnostic::Diagnostic;
use crate::feature::hook::HookThreads;
use crate::limit::Limits;
use rhai::Dynamic;
use serde_json::Value;
use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Which program is at work, for whoever has to say whose call did not end.
type AtWork = Arc<Mutex<Option<Arc<Runnable>>>>;

/// What a thread lends to the calls that are made on it.
struct Lent {
    sandbox: Sandbox,
    instances: Instances,
    at_work: AtWork,
    /// The event that was converted last, as every hook that is asked about it gets a copy.
    event: Option<(Arc<Value>, Dynamic)>,
}

thread_local! {
    static LENT: RefCell<Option<Lent>> = const { RefCell::new(None) };
}

/// The threads of a sandbox, for hooks.
pub(super) struct Threads {
    pub sandbox: Sandbox,
    pub limits: Arc<Limits>,
}

impl HookThreads for Threads {
    fn run(&self, deadline: Instant, work: Box<dyn FnOnce() + Send>) -> Result<(), Diagnostic> {
        if is_lent(&self.sandbox) {
            work();
            return Ok(());
        }
        let at_work = AtWork::default();
        let (told, sandbox) = (Arc::clone(&at_work), self.sandbox.clone());
        let run = self.sandbox.run(deadline, move |instances| {
            let lent =
                Lent { sandbox, instances: std::mem::take(instances), at_work: told, event: None };
            LENT.set(Some(lent));
            // Whatever the work does, a panic included, the thread gets back what is its own.
            let back = GiveBack(instances);
            work();
            drop(back);
        });
        run.map_err(|error| {
            let diagnostic = explain::sandbox(&error, &self.limits);
            if let SandboxError::Overdue(job) = error {
                let at_work = at_work.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(runnable) = at_work {
                    runnable.health.is_overdue(job);
                }
            }
            diagnostic
        })
    }
}

struct GiveBack<'a>(&'a mut Instances);

impl Drop for GiveBack<'_> {
    fn drop(&mut self) {
        if let Some(lent) = LENT.take() {
            *self.0 = lent.instances;
        }
    }
}

/// Whether this is a thread of the sandbox that lends what it keeps.
fn is_lent(sandbox: &Sandbox) -> bool {
    LENT.with_borrow(|lent| lent.as_ref().is_some_and(|lent| lent.sandbox.is(sandbox)))
}

/// Runs `call` in place, where this thread lends what it keeps; gives it back where it does not.
pub(super) fn run<T, F: FnOnce(&mut Instances) -> T>(
    runnable: &Arc<Runnable>,
    call: F,
) -> Result<T, F> {
    if !is_lent(&runnable.sandbox) {
        return Err(call);
    }
    let Some(lent) = LENT.take() else { return Err(call) };
    let Lent { sandbox, mut instances, at_work, event } = lent;
    let tell = |what: Option<Arc<Runnable>>| {
        *at_work.lock().unwrap_or_else(PoisonError::into_inner) = what;
    };
    tell(Some(Arc::clone(runnable)));
    // While the call runs, only the event is there: a call of a call goes to another thread.
    KEPT.set(Kept { keeps: true, event });
    let result = call(&mut instances);
    let Kept { event, .. } = KEPT.take();
    tell(None);
    if instances.is_worn() {
        // What a call that was ended left half done is not for the next.
        instances.clear();
    }
    LENT.set(Some(Lent { sandbox, instances, at_work, event }));
    Ok(result)
}

/// The event that the hooks on this thread are asked about.
#[derive(Default)]
struct Kept {
    /// Whether a call that was lent this thread runs.
    keeps: bool,
    event: Option<(Arc<Value>, Dynamic)>,
}

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept { keeps: false, event: None }) };
}

/// Converts an event once for all the hooks that are asked about it on this thread. To be called
/// outside of a call's bounds, for what is kept is no call's.
pub(super) fn keep(event: &Arc<Value>) {
    let is_needed = KEPT.with_borrow(|kept| {
        let known = kept.event.as_ref().is_some_and(|(known, _)| Arc::ptr_eq(known, event));
        kept.keeps && !known
    });
    if is_needed {
        // One that cannot be converted is tried again within the bounds of the call, which then says why.
        let value = value::from_json(event).ok().map(|value| (Arc::clone(event), value));
        KEPT.with_borrow_mut(|kept| kept.event = value);
    }
}

/// The event as a script value: a copy of what is kept, or converted anew.
///
/// # Errors
///
/// It is too large for the running call.
pub(super) fn event(event: &Arc<Value>) -> super::frame::Native<Dynamic> {
    let kept = KEPT.with_borrow(|kept| match &kept.event {
        Some((known, value)) if Arc::ptr_eq(known, event) => Some(value.clone()),
        _ => None,
    });
    kept.map_or_else(|| value::from_json(event), Ok)
}
