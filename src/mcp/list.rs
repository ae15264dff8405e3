//! The tools as a client lists them, and who hears when they change.
//!
//! A reload that changes nothing that a client caches is told to nobody.

use super::reply;
use crate::pod::Pod;
use rmcp::model::Tool;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::watch;

/// The tools of a pod, kept as a client lists them.
pub struct ToolList {
    pod: Arc<Pod>,
    /// In the catalog's order, which is the same each time.
    tools: RwLock<Arc<Vec<Tool>>>,
    /// Counts the changes.
    changes: watch::Sender<u64>,
}

impl ToolList {
    /// The tools as they are now.
    pub fn new(pod: Arc<Pod>) -> Self {
        let tools = RwLock::new(Arc::new(tools_of(&pod)));
        Self { pod, tools, changes: watch::Sender::new(0) }
    }

    /// Looks at the catalog that stands now. Clients are told where something that they list is
    /// another; whether that is so.
    pub fn refresh(&self) -> bool {
        let fresh = tools_of(&self.pod);
        let mut tools = self.tools.write().unwrap_or_else(PoisonError::into_inner);
        if **tools == fresh {
            return false;
        }
        *tools = Arc::new(fresh);
        drop(tools);
        self.changes.send_modify(|count| *count += 1);
        true
    }

    pub(super) fn pod(&self) -> &Arc<Pod> {
        &self.pod
    }

    pub(super) fn tools(&self) -> Arc<Vec<Tool>> {
        Arc::clone(&self.tools.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes from now on.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

fn tools_of(pod: &Pod) -> Vec<Tool> {
    pod.catalog().tools().map(|tool| reply::tool(tool.declaration())).collect()
}
