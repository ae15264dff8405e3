//! The session: the record of everything a model could see, and of why.

pub mod entry;
pub mod log;
mod recover;
mod tail;
#[cfg(test)]
mod tests;
pub mod verify;

pub use entry::{Body, Entry, Line};
pub use log::{LogError, SessionLog, read_lines};
pub use recover::Recovered;
pub use verify::{Finding, Verified, verify};
