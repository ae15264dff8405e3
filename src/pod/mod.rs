//! The pod: the host of one session. It runs the calls of a catalog as transactions, and has a log.
//!
//! What a feature keeps, what it sends to the model and what it lets out into the world passes
//! through here and is on record before anybody sees it. Nothing here knows scripts or fronts.

mod host;
mod journal;
pub mod session;

pub use host::{CallId, Features, OnRecord, Pod, PodError, PodOptions};
