//! The MCP front: offers the tools of a catalog to MCP clients.
//!
//! It translates between the protocol and the core and decides nothing: arguments are checked,
//! bounded and run behind [`Pod::call`](crate::pod::Pod::call). It knows no other front, and standard
//! output carries nothing but the protocol.
//!
//! A message is read ([`message`]), taken up ([`server`]) for the client that sent it ([`session`]), and
//! where it is a call, run ([`call`]). The transports bring messages and carry answers back.

mod ask;
mod call;
mod channel;
mod fixed;
mod http;
mod line;
mod list;
mod message;
mod output;
mod reply;
mod server;
mod session;
mod sink;
mod state;
mod stdio;

pub use fixed::FixedList;
pub use http::{HttpOptions, PATH, Token, TokenError, serve_http};
pub use list::ToolList;
pub use server::{FailureObserver, ServeError, ServeOptions};
pub use stdio::serve_stdio;
