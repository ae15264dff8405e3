//! The bounds of a worker.

use super::retry::{Pause, Wait};
use std::sync::Arc;

/// What a worker may do in one turn.
#[derive(Debug, Clone)]
pub struct WorkerSettings {
    /// Most requests of one turn.
    pub max_rounds: u64,
    /// Most bytes of one answer, its calls included. What is longer is cut.
    pub max_output: usize,
    /// Most bytes that the model is shown of one result. What is longer is cut.
    pub max_result: usize,
    /// Most tokens that the model may write at once; `None` leaves that to its provider.
    pub max_tokens: Option<u32>,
    /// Most tools of one answer that run at the same time.
    pub parallel: usize,
    /// Most tools that one answer may call. The rest is told so.
    pub max_calls: usize,
    /// How often a request is made again after it came to nothing.
    pub retries: u32,
    /// How many tokens the session may have before it is summarised; `None` is never.
    pub compact_at: Option<u64>,
    /// How the time between two attempts passes.
    pub pause: Arc<dyn Pause>,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            max_rounds: 50,
            max_output: 256 * 1024,
            max_result: 64 * 1024,
            max_tokens: None,
            parallel: 8,
            max_calls: 64,
            retries: 4,
            compact_at: Some(120_000),
            pause: Arc::new(Wait),
        }
    }
}
