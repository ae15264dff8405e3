//! The contribution API: what a feature declares, what it is granted, what it installs.
//!
//! Scripts, built-ins, bridged servers and packages all come through here as the same descriptor
//! and the same contributions. Nothing in this module knows a script engine, MCP or packages, and
//! nothing hands out a handle to the host.

pub mod call;
pub mod capability;
pub mod catalog;
pub mod commons;
pub mod content;
pub mod descriptor;
pub mod event;
mod gate;
pub mod grant;
pub mod heard;
pub mod hook;
pub mod hook_event;
pub mod id;
pub(crate) mod measure;
pub mod permission;
pub mod question;
pub mod redact;
pub mod registry;
pub mod report;
pub mod schema;
pub mod secret;
pub mod service;
pub mod subpod;
#[cfg(test)]
pub(crate) mod testing;
pub mod tool;
pub mod transaction;

pub use call::{CallContext, Cancel, Conditions, Failure, Headroom, Outcome, Receipt};
pub use capability::{Capability, CapabilityError};
pub use catalog::{CallOptions, Catalog, InFlight, InstalledFeature, InstalledHook, InstalledTool};
pub use descriptor::{
    CapabilityRequest, EventChannelDeclaration, Example, FeatureDescriptor, FeatureRuntimeKind,
    HookDeclaration, Need, ToolDeclaration, ToolHints,
};
pub use grant::{GrantSet, HostPolicy, Verdict};
pub use hook::{
    Band, Decision, DecisionKind, EventKind, Hook, HookContribution, HookOutcome, HookPoint,
    HookThreads, ToolFilter, ToolGlob, ToolGlobError,
};
pub use hook_event::{EventShape, PostAssistant, PreRequest, ToolEvent, TurnEnd};
pub use id::{ChannelName, FeatureId, FeatureName, FeatureSource, NameError, ToolName};
pub use permission::{Permission, PermissionRule, Permissions};
pub use question::{Answer, Answers, Question, Wanted};
pub use registry::{
    Delivery, EventChannel, FeatureInstallContext, FeatureInstallError, FeatureModule,
    FeatureRegistryBuilder, InstallPlan, Registered, RegistrationError,
};
pub use report::{
    CapabilityDenial, ContributionName, FeatureInstallReport, FeatureState, SkippedContribution,
};
pub use service::{FeatureServiceProvider, HostService, HostServices, ServiceError};
pub use tool::{Tool, ToolContribution};
pub use transaction::{Act, CallStart, Detached, Ending, Scratch, Transaction};
