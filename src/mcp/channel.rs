//! Where messages to a client go: what both transports have in common.

use super::message::Reply;

/// The way back to whoever sent a request.
pub(super) trait Channel: Send + Sync {
    /// Sends a notification, or a request of ours, before the answer. Never waits for the client: a
    /// script does.
    fn tell(&self, text: String);

    /// Sends the answer; `None` where the request gets none. It is the last of its request. May wait
    /// for a client that reads slowly.
    fn end(&self, reply: Option<Reply>);
}
