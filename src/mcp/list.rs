//! The tools as a client lists them, and who hears when they change.
//!
//! The list is written once a catalog and kept as the text that clients get. A reload that changes
//! nothing that a client caches is told to nobody.

use super::message::json;
use super::reply;
use crate::feature::catalog::InstalledTool;
use crate::feature::descriptor::ToolDeclaration;
use crate::pod::Pod;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::ScopedJoinHandle;

/// Fewer tools than this are written sooner than a thread has begun.
const FEWEST: usize = 200;

/// The tools of a pod, kept as a client lists them.
pub struct ToolList {
    pod: Arc<Pod>,
    /// In the catalog's order, which is the same each time: JSON, with commas between the tools.
    tools: RwLock<Arc<str>>,
    listeners: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    next: u64,
    all: Vec<(u64, Arc<Listener>)>,
}

/// Is called after each change. Must not block: a reload waits for it.
type Listener = dyn Fn() + Send + Sync;

/// Somebody listens for as long as this lives.
pub(super) struct Listening {
    tools: Arc<ToolList>,
    number: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.tools.listeners().all.retain(|(number, _)| *number != self.number);
    }
}

impl ToolList {
    /// The tools as they are now.
    pub fn new(pod: Arc<Pod>) -> Self {
        let tools = RwLock::new(tools_of(&pod));
        Self { pod, tools, listeners: Mutex::default() }
    }

    /// Looks at the catalog that stands now. Clients are told where something that they list is
    /// another; whether that is so.
    pub fn refresh(&self) -> bool {
        {
            // Held while the catalog is looked at, so that an older one never comes after a newer.
            let mut tools = self.tools.write().unwrap_or_else(PoisonError::into_inner);
            let fresh = tools_of(&self.pod);
            if *tools == fresh {
                return false;
            }
            *tools = fresh;
        }
        let listeners = self.listeners().all.clone();
        for (_, listener) in listeners {
            listener();
        }
        true
    }

    pub(super) fn pod(&self) -> &Arc<Pod> {
        &self.pod
    }

    /// The tools as JSON, with commas between them.
    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.tools.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets `listener` be called at each change, until what is given back is dropped.
    pub(super) fn listen(self: &Arc<Self>, listener: Arc<Listener>) -> Listening {
        let mut listeners = self.listeners();
        let number = listeners.next;
        listeners.next += 1;
        listeners.all.push((number, listener));
        Listening { tools: Arc::clone(self), number }
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tools_of(pod: &Pod) -> Arc<str> {
    let catalog = pod.catalog();
    let tools: Vec<_> = catalog.tools().map(InstalledTool::declaration).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = tools.len().div_ceil(threads).max(FEWEST);
    let text = |part: &[&ToolDeclaration]| {
        let mut text = String::new();
        for tool in part {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(&json(&reply::tool(tool)));
        }
        text
    };
    let parts: Vec<_> = std::thread::scope(|scope| {
        let mut shares = tools.chunks(share);
        let first = shares.next().unwrap_or_default();
        let others: Vec<_> = shares.map(|part| scope.spawn(move || text(part))).collect();
        let join = |other: ScopedJoinHandle<'_, String>| {
            other.join().unwrap_or_else(|panic| resume_unwind(panic))
        };
        std::iter::once(text(first)).chain(others.into_iter().map(join)).collect()
    });
    parts.join(",").into()
}
