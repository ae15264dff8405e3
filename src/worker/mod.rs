//! The worker: the loop between a person, a model and the tools of a pod.
//!
//! A turn begins with what a person wrote and ends when the model calls no more tools. Everything that
//! the model is shown is read from the session's log, and is in the log before it is shown; tools are
//! called through the pod alone, past its permissions and hooks. Nothing here knows a terminal, and only
//! [`provider`] knows a model's provider.

mod attempt;
mod audience;
mod call;
mod compact;
mod model;
pub mod provider;
mod retry;
mod settings;
mod shown;
mod subpod;
mod turn;

pub use audience::{Audience, Event, Silent};
pub use model::{Answer, Fault, Model, ModelError, Piece, Request, Tokens, Tool};
pub use retry::Pause;
pub use settings::WorkerSettings;
pub use subpod::{Follower, ModelResponder};
pub use turn::{End, Turned, Worker, WorkerError};
