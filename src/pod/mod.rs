//! The pod: the host of one session. It runs the calls of a catalog as transactions, past the user's
//! permissions and the features' hooks, and has a log.
//!
//! What a feature keeps, what it sends to the model, what its hooks decide and what it lets out into the
//! world passes through here and is on record before anybody sees it. No front calls a tool around it. Nothing here knows scripts or fronts.

mod background;
mod catalog;
mod commons;
mod host;
mod journal;
mod permission;
mod pipeline;
pub mod session;
mod sink;
mod sub;
mod transaction;

pub use background::{Background, Ended, MOST_WORK, Stop};
pub use host::{
    CallId, Features, Moment, OnRecord, Pod, PodError, PodOptions, sessions_folder, stores_folder,
};
pub use pipeline::{
    CallVerdict, EndVerdict, Heard, HookReport, Judged, RequestVerdict, ResultVerdict,
};
pub use sink::{Bus, Listener, MOST_WAITING};
pub use sub::{MOST_DEPTH, MOST_SUB_PODS, Responder, SubTurn};
