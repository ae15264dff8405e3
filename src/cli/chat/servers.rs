//! The other MCP servers that the settings name, in a chat: their tools are the model's like all others.
//!
//! Nothing here decides what may be called; that is the pod's. A crate that is built without the bridge has
//! none.

use super::super::output::Output;
use super::ChatArguments;
#[cfg(feature = "bridge")]
use super::{
    super::gateway::{self, Gateway},
    screen::beside,
};
use crate::diagnostic::Diagnostic;
use crate::secret::Secrets;
use crate::workspace::Workspace;
use crate::workspace::reload::Reloading;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The servers of a chat, until this is dropped.
pub(super) struct Servers {
    #[cfg(feature = "bridge")]
    gateway: Option<Gateway>,
}

#[cfg(feature = "bridge")]
impl Servers {
    /// Starts those that are enabled, and puts them into the workspace. One question waits until they are
    /// up; a person at a terminal need not.
    ///
    /// # Errors
    ///
    /// The settings cannot be read, or there is no folder for them.
    pub fn open(
        arguments: &ChatArguments,
        workspace: &mut Workspace,
        secrets: &Secrets,
        output: &mut Output,
    ) -> Result<Self, Box<Diagnostic>> {
        let is_once = arguments.prompt.is_some();
        let gateway = match arguments.no_servers {
            true => None,
            false => gateway::open_named(workspace, secrets.clone(), is_once, output)?,
        };
        Ok(Self { gateway })
    }

    /// Whether there are any.
    pub fn is_any(&self) -> bool {
        self.gateway.is_some()
    }

    /// Exchanges the catalog whenever a server offers something else, and tells of it beside the line that
    /// is being written.
    pub fn follow(&self, reloading: &Reloading, waiting: Arc<AtomicBool>, output: &Output) {
        if let Some(gateway) = &self.gateway {
            gateway.follow(output.color(), move |tell| beside(&waiting, tell), reloading.signal());
        }
    }

    /// Ends them, for a program that ends at once.
    pub fn stopper(&self) -> impl Fn() + Send + 'static {
        let stop = self.gateway.as_ref().map(Gateway::stopper);
        move || stop.iter().for_each(|stop| stop())
    }
}

#[cfg(not(feature = "bridge"))]
impl Servers {
    /// There are none.
    pub fn open(
        _: &ChatArguments,
        _: &mut Workspace,
        _: &Secrets,
        _: &mut Output,
    ) -> Result<Self, Box<Diagnostic>> {
        Ok(Self {})
    }

    pub fn is_any(&self) -> bool {
        false
    }

    pub fn follow(&self, _: &Reloading, _: Arc<AtomicBool>, _: &Output) {}

    pub fn stopper(&self) -> impl Fn() + Send + 'static {
        || ()
    }
}
