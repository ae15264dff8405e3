//! The MCP front: offers the tools of a catalog to an MCP client.
//!
//! It translates between the protocol and the core and decides nothing: arguments are checked,
//! bounded and run behind [`Catalog::call`](crate::feature::Catalog::call). It knows no other front,
//! and standard output carries nothing but the protocol.

mod list;
mod reply;
mod server;
mod sink;
mod stdio;

pub use list::ToolList;
pub use server::{FailureObserver, ServeError, serve_stdio};
