//! The session: the record of everything a model could see, and of why.

pub mod entry;
mod facts;
mod kept;
pub mod log;
mod read;
mod recover;
pub mod said;
#[expect(clippy::module_inception, reason = "the session is one of its parts")]
mod session;
mod tail;
#[cfg(test)]
mod tests;
mod transcript;
pub mod verify;

pub use entry::{Body, Entry, Line};
pub use log::{LogError, SessionLog};
pub use read::{Lines, Size, lines, load, sessions, size};
pub use recover::{INTERRUPTED, Recovered};
pub use said::{Reason, Spawned};
pub use session::{About, Answered, Asked, Session, SessionError, transcript};
pub use transcript::{Called, Content, Message, Transcript};
pub use verify::{Finding, Verified, verify};
