//! The registry: modules become a plan, a plan becomes a [`Catalog`].
//!
//! Planning reads descriptors and policy and has no effects; installing runs each feature's own
//! `install`, which reaches the host through the typed registrars of its context and nothing else.
//! Nothing here calls a tool or asks a hook.

mod bounds;
mod context;
mod install;
mod plan;
#[cfg(test)]
mod tests;

pub use super::catalog::{CallOptions, Catalog, InFlight};
pub use super::gate::{Delivery, EventChannel, FeatureNotifySink};
pub use bounds::{
    MAX_CHANNELS, MAX_DESCRIPTION, MAX_EXAMPLES, MAX_FILTERS, MAX_HOOKS, MAX_LIMITS, MAX_NAME,
    MAX_REQUESTS, MAX_REQUIRES, MAX_SCHEMA, MAX_TITLE, MAX_TOOLS,
};
pub use context::{
    FeatureDiagnosticSink, FeatureEventSink, FeatureInstallContext, HookRegistrar, Registered,
    RegistrationError, ToolRegistrar,
};
pub use plan::InstallPlan;

use super::descriptor::FeatureDescriptor;
use super::event::{Silent, Sink};
use super::grant::HostPolicy;
use super::id::{FeatureId, ToolName};
use super::service::{HostServices, ServiceError};
use crate::diagnostic::Diagnostic;
use crate::limit::Limits;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A feature as Rust code. Scripts, bridged servers and packages come through the same two methods.
pub trait FeatureModule: Send + Sync + 'static {
    /// What it declares. Called once, while planning; must have no effects.
    fn descriptor(&self) -> FeatureDescriptor;

    /// As [`Self::descriptor`], for a module that holds it to share.
    fn shared_descriptor(&self) -> Arc<FeatureDescriptor> {
        Arc::new(self.descriptor())
    }

    /// How its user gives one of its tools another name, where another feature has declared the name
    /// as well; a next step of the refusal.
    fn rename_help(&self, _tool: &ToolName) -> Option<String> {
        None
    }

    /// Wires what it declared into the host. Called once, after planning, and only if something of
    /// the feature will run.
    ///
    /// # Errors
    ///
    /// Whatever keeps the feature from running. It is then disabled as a whole, its report says why,
    /// and the others go on; the same happens when it panics.
    fn install(&self, context: &mut FeatureInstallContext<'_>) -> Result<(), FeatureInstallError>;
}

/// Why a feature could not be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureInstallError {
    /// A contribution was refused.
    #[error(transparent)]
    Registration(#[from] RegistrationError),
    /// A service was refused.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Anything else the feature has to say.
    #[error("{0}")]
    Failed(Box<Diagnostic>),
}

impl FeatureInstallError {
    /// A failure in the feature's own words, its author's to mend: `install/failed`.
    pub fn failed(message: impl Into<String>) -> Self {
        Diagnostic::author("install/failed", message).into()
    }

    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Registration(error) => error.diagnostic(),
            Self::Service(error) => error.diagnostic(),
            Self::Failed(diagnostic) => Diagnostic::clone(diagnostic),
        }
    }
}

impl From<Diagnostic> for FeatureInstallError {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Failed(Box::new(diagnostic))
    }
}

/// Collects features, and what the host and its user have decided.
///
/// The order in which modules are added makes no difference.
pub struct FeatureRegistryBuilder {
    modules: Vec<Arc<dyn FeatureModule>>,
    policy: HostPolicy,
    limits: Limits,
    limits_of: BTreeMap<FeatureId, Limits>,
    services: HostServices,
    sink: Arc<dyn Sink>,
    in_flight: InFlight,
}

impl Default for FeatureRegistryBuilder {
    fn default() -> Self {
        Self::new(HostPolicy::default())
    }
}

impl FeatureRegistryBuilder {
    /// A registry without features, services or a sink, under `policy` and the default limits.
    pub fn new(policy: HostPolicy) -> Self {
        Self {
            modules: Vec::new(),
            policy,
            limits: Limits::default(),
            limits_of: BTreeMap::new(),
            services: HostServices::default(),
            sink: Arc::new(Silent),
            in_flight: InFlight::default(),
        }
    }

    /// Adds a feature.
    #[must_use]
    pub fn module(self, module: impl FeatureModule) -> Self {
        self.shared_module(Arc::new(module))
    }

    /// Adds a feature that others hold as well.
    #[must_use]
    pub fn shared_module(mut self, module: Arc<dyn FeatureModule>) -> Self {
        self.modules.push(module);
        self
    }

    /// Sets the bounds of calls, as the user chose them.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the bounds of one feature's calls, in place of those of all, as the user chose them for it.
    #[must_use]
    pub fn limits_of(mut self, feature: FeatureId, limits: Limits) -> Self {
        self.limits_of.insert(feature, limits);
        self
    }

    /// Sets what the host offers.
    #[must_use]
    pub fn services(mut self, services: HostServices) -> Self {
        self.services = services;
        self
    }

    /// Sets where events go that are emitted outside of calls.
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.sink = sink;
        self
    }

    /// Goes on counting calls where an earlier catalog of the same host does, so that a reload
    /// cannot double what may run at once.
    #[must_use]
    pub fn in_flight(mut self, in_flight: InFlight) -> Self {
        self.in_flight = in_flight;
        self
    }

    /// Decides what will be installed. Asks every module for its descriptor and does nothing else.
    pub fn plan(self) -> InstallPlan {
        plan::plan(self)
    }
}
