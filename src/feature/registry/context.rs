//! What a feature reaches while it is installed: registrars, sinks and services, all its own.
//!
//! Everything borrows from the install in progress, so none of it can be kept; what may be kept
//! ([`EventChannel`], [`FeatureNotifySink`], services) is handed out as a value of its own.

use crate::diagnostic::{Diagnostic, nearest};
use crate::feature::descriptor::{EventChannelDeclaration, FeatureDescriptor};
use crate::feature::event::Level;
use crate::feature::gate::{Delivery, EventChannel, FeatureNotifySink, Gate};
use crate::feature::grant::GrantSet;
use crate::feature::hook::{Hook, HookContribution};
use crate::feature::id::{ChannelName, FeatureId, ToolName};
use crate::feature::measure::{bound_diagnostic, shortened};
use crate::feature::service::{FeatureServiceProvider, HostServices};
use crate::feature::tool::{Tool, ToolContribution};
use crate::limit::{Limit, Limits};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What a feature may reach while it is installed. It holds no handle to the registry, the catalog,
/// the pod or other features, and no part of it outlives the install.
#[non_exhaustive]
pub struct FeatureInstallContext<'a> {
    /// Who is being installed.
    pub feature_id: &'a FeatureId,
    /// What it was granted.
    pub grants: &'a GrantSet,
    /// Takes its tools.
    pub tools: ToolRegistrar<'a>,
    /// Takes its hooks.
    pub hooks: HookRegistrar<'a>,
    /// Takes its events, and opens its channels.
    pub events: FeatureEventSink<'a>,
    /// Takes words to the user.
    pub notify: FeatureNotifySink,
    /// Takes what it has to say about its own install.
    pub diagnostics: FeatureDiagnosticSink<'a>,
    /// Hands out the services that its grants open.
    pub services: FeatureServiceProvider<'a>,
}

impl<'a> FeatureInstallContext<'a> {
    pub(super) fn new(
        descriptor: &'a FeatureDescriptor,
        grants: &'a GrantSet,
        skipped: &'a Skipped,
        services: &'a HostServices,
        limits: &'a Limits,
        gate: Arc<Gate>,
    ) -> Self {
        Self {
            feature_id: &descriptor.id,
            grants,
            tools: ToolRegistrar(Slots::new(
                ContributionKind::Tool,
                descriptor.tools.iter().map(|tool| &tool.name),
                &skipped.tools,
            )),
            hooks: HookRegistrar(Slots::new(
                ContributionKind::Hook,
                descriptor.hooks.iter().map(|hook| &hook.name),
                &skipped.hooks,
            )),
            events: FeatureEventSink {
                declared: &descriptor.channels,
                gate: Arc::clone(&gate),
                refused: Vec::new(),
            },
            notify: FeatureNotifySink::new(gate),
            diagnostics: FeatureDiagnosticSink { limits, list: Vec::new(), more: 0 },
            services: FeatureServiceProvider::new(services, &descriptor.id, grants),
        }
    }

    /// What came in through the context.
    pub(super) fn finish(self) -> Contributions {
        let refused = [self.tools.0.refused, self.hooks.0.refused, self.events.refused].concat();
        let mut diagnostics = self.diagnostics.finish();
        diagnostics.extend(refused.iter().map(RegistrationError::diagnostic));
        Contributions { tools: self.tools.0.installed, hooks: self.hooks.0.installed, diagnostics }
    }
}

/// The contributions that the plan leaves out.
#[derive(Default)]
pub(super) struct Skipped {
    pub tools: BTreeSet<ToolName>,
    pub hooks: BTreeSet<String>,
}

/// What one feature installed.
pub(super) struct Contributions {
    pub tools: BTreeMap<ToolName, Arc<dyn Tool>>,
    pub hooks: BTreeMap<String, Arc<dyn Hook>>,
    pub diagnostics: Vec<Diagnostic>,
}

/// What a contribution is, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContributionKind {
    /// A tool.
    Tool,
    /// A hook.
    Hook,
    /// An event channel.
    Channel,
}

impl fmt::Display for ContributionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tool => "tool",
            Self::Hook => "hook",
            Self::Channel => "channel",
        })
    }
}

/// Why a contribution was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The descriptor says nothing of it.
    #[error("the {kind} `{name}` is not declared; {}", undeclared_help(nearest.as_deref()))]
    Undeclared {
        /// What it is.
        kind: ContributionKind,
        /// What it was called.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// It was registered before.
    #[error("the {kind} `{name}` is registered twice; register it once")]
    Twice {
        /// What it is.
        kind: ContributionKind,
        /// What it was called.
        name: String,
    },
}

fn undeclared_help(nearest: Option<&str>) -> String {
    match nearest {
        Some(near) => format!("did you mean `{near}`?"),
        None => "add it to the descriptor".into(),
    }
}

impl RegistrationError {
    fn undeclared<'n>(
        kind: ContributionKind,
        name: &str,
        declared: impl Iterator<Item = &'n str>,
    ) -> Self {
        let near = nearest(name, declared).map(str::to_owned);
        Self::Undeclared { kind, name: shortened(name, super::MAX_TITLE), nearest: near }
    }

    /// The problem as data, its author's to mend: `registry/undeclared`, `registry/registered-twice`.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Undeclared { kind, name, nearest } => {
                let message = format!("the {kind} `{name}` is not declared");
                Diagnostic::author("registry/undeclared", message)
                    .help(undeclared_help(nearest.as_deref()))
            }
            Self::Twice { kind, name } => {
                let message = format!("the {kind} `{name}` is registered twice");
                Diagnostic::author("registry/registered-twice", message).help("register it once")
            }
        }
    }
}

/// What became of a registration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registered {
    /// It will be in the catalog if the rest of the install succeeds.
    Installed,
    /// The plan leaves it out, and the report says why. It was dropped.
    Skipped,
}

/// The declared contributions of one kind, and the code that was registered for them.
struct Slots<'a, K, V> {
    kind: ContributionKind,
    declared: Vec<&'a K>,
    skipped: &'a BTreeSet<K>,
    installed: BTreeMap<K, V>,
    refused: Vec<RegistrationError>,
}

impl<'a, K: Ord + AsRef<str>, V> Slots<'a, K, V> {
    fn new(
        kind: ContributionKind,
        declared: impl Iterator<Item = &'a K>,
        skipped: &'a BTreeSet<K>,
    ) -> Self {
        let (installed, refused) = Default::default();
        Self { kind, declared: declared.collect(), skipped, installed, refused }
    }

    fn register(&mut self, name: K, code: V) -> Result<Registered, RegistrationError> {
        let kind = self.kind;
        let refusal = if !self.declared.contains(&&name) {
            let declared = self.declared.iter().map(|declared| (*declared).as_ref());
            RegistrationError::undeclared(kind, name.as_ref(), declared)
        } else if self.skipped.contains(&name) {
            return Ok(Registered::Skipped);
        } else {
            match self.installed.entry(name) {
                Entry::Vacant(slot) => {
                    slot.insert(code);
                    return Ok(Registered::Installed);
                }
                Entry::Occupied(slot) => {
                    RegistrationError::Twice { kind, name: slot.key().as_ref().to_owned() }
                }
            }
        };
        self.refused.push(refusal.clone());
        Err(refusal)
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.declared.iter().any(|declared| (*declared).as_ref() == name)
            && !self.skipped.iter().any(|skipped| skipped.as_ref() == name)
    }
}

/// Takes the tools of one feature.
pub struct ToolRegistrar<'a>(Slots<'a, ToolName, Arc<dyn Tool>>);

impl ToolRegistrar<'_> {
    /// Adds a declared tool.
    ///
    /// # Errors
    ///
    /// The descriptor does not declare it, or it was registered before. The report says so even if
    /// the error is ignored.
    pub fn register(&mut self, tool: ToolContribution) -> Result<Registered, RegistrationError> {
        self.0.register(tool.name, tool.tool)
    }

    /// Whether the plan leaves `name` in, so that preparing it is worth the work.
    pub fn is_wanted(&self, name: &ToolName) -> bool {
        self.0.is_wanted(name.as_str())
    }
}

/// Takes the hooks of one feature.
pub struct HookRegistrar<'a>(Slots<'a, String, Arc<dyn Hook>>);

impl HookRegistrar<'_> {
    /// Adds a declared hook.
    ///
    /// # Errors
    ///
    /// The descriptor does not declare it, or it was registered before. The report says so even if
    /// the error is ignored.
    pub fn register(&mut self, hook: HookContribution) -> Result<Registered, RegistrationError> {
        self.0.register(hook.name, hook.hook)
    }

    /// Whether the plan leaves `name` in, so that preparing it is worth the work.
    pub fn is_wanted(&self, name: &str) -> bool {
        self.0.is_wanted(name)
    }
}

/// Opens the event channels of one feature, and takes events on its unnamed one.
pub struct FeatureEventSink<'a> {
    declared: &'a [EventChannelDeclaration],
    gate: Arc<Gate>,
    refused: Vec<RegistrationError>,
}

impl FeatureEventSink<'_> {
    /// Opens a declared channel. The handle may be kept; without the grant `emit` what goes into it
    /// is withheld.
    ///
    /// # Errors
    ///
    /// The descriptor does not declare it.
    pub fn declare(&mut self, channel: &ChannelName) -> Result<EventChannel, RegistrationError> {
        if self.declared.iter().any(|declared| declared.name == *channel) {
            return Ok(EventChannel::new(Arc::clone(&self.gate), Some(channel.clone())));
        }
        let names = self.declared.iter().map(|declared| declared.name.as_str());
        let refusal =
            RegistrationError::undeclared(ContributionKind::Channel, channel.as_str(), names);
        self.refused.push(refusal.clone());
        Err(refusal)
    }

    /// The feature's unnamed channel. The handle may be kept.
    pub fn unnamed(&self) -> EventChannel {
        EventChannel::new(Arc::clone(&self.gate), None)
    }

    /// A message for people on the unnamed channel. Needs `emit`.
    pub fn emit(&self, level: Level, summary: impl Into<String>) -> Delivery {
        self.unnamed().message(level, summary, None)
    }
}

/// Takes what one feature has to say about its own install: a bounded number of diagnostics, each of
/// bounded size.
pub struct FeatureDiagnosticSink<'a> {
    limits: &'a Limits,
    list: Vec<Diagnostic>,
    more: usize,
}

impl FeatureDiagnosticSink<'_> {
    /// Adds one to the install report.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        if (self.list.len() as u64) < self.limits.get(Limit::Diagnostics) {
            self.list.push(bound_diagnostic(diagnostic));
        } else {
            self.more += 1;
        }
    }

    fn finish(self) -> Vec<Diagnostic> {
        let mut list = self.list;
        if self.more > 0 {
            let text = format!("{} more diagnostics are not shown", self.more);
            list.push(Diagnostic::note(Limit::Diagnostics.code(), text));
        }
        list
    }
}
