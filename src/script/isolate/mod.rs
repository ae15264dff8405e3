//! Calls in processes of their own, where the user wants a guarantee: a call that aborts, hangs or
//! takes all memory ends its process and nothing else.
//!
//! The host keeps a few processes warm and gives each one call at a time ([`process`]); the process
//! runs it on a sandbox thread as the host would ([`mod@serve`]), and asks the host for whatever a call
//! asks of its host ([`wire`]). Reading and checking scripts stays with the host: nothing runs there.
//!
//! This is no boundary of the operating system: the process has the rights of the user, and only
//! its memory is bounded.

#[cfg(unix)]
pub(super) mod process;
#[cfg(unix)]
mod serve;
#[cfg(unix)]
mod wire;

#[cfg(unix)]
pub use process::Launch;
#[cfg(unix)]
pub use serve::serve;

/// Elsewhere there are none.
#[cfg(not(unix))]
pub(super) mod process {
    #[derive(Clone)]
    pub(crate) enum Processes {}
}
