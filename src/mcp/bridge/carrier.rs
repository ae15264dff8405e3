//! What carries messages to a server: a program's standard input, or requests over HTTP.

use super::fault::Fault;
use super::inbox::Waiting;
use crate::feature::call::Cancel;
use serde_json::Value;
use std::time::Instant;

/// A way to a server. What the server says goes to the inbox that the carrier was made with.
pub(super) trait Carrier: Send + Sync {
    /// Sends a message; `id` is that of a request.
    ///
    /// # Errors
    ///
    /// It could not be sent in time, or the connection is over.
    fn send(&self, id: Option<u64>, message: &[u8], until: Instant) -> Result<(), Fault>;

    /// Waits for the answer to a request that was sent.
    ///
    /// # Errors
    ///
    /// As [`Waiting::wait`].
    fn wait(&self, waiting: &Waiting, until: Instant, cancel: &Cancel) -> Result<Value, Fault> {
        waiting.wait(until, cancel)
    }

    /// Both sides have agreed on a version of the protocol.
    fn agreed(&self, _version: &str) {}

    /// Whether the server can say something that nobody asked for.
    fn pushes(&self) -> bool {
        true
    }

    /// The last of what the server wrote for people.
    fn complaints(&self) -> String {
        String::new()
    }

    /// Ends the connection, and the program behind it.
    fn end(&self);
}
