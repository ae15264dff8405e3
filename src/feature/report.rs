//! What became of one feature: what it was granted, what of it runs, and why the rest does not.
//!
//! Reports are data for logs, listings and people. Capabilities name secrets and never hold one.

use super::capability::Capability;
use super::descriptor::{FeatureRuntimeKind, Need};
use super::hook::HookPoint;
use super::id::{FeatureId, ToolName};
use crate::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The install report of one feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureInstallReport {
    /// Which feature.
    pub feature: FeatureId,
    /// Its title for people.
    pub title: String,
    /// What runs it.
    pub runtime: FeatureRuntimeKind,
    /// Whether anything of it runs, and if not, for what kind of reason.
    pub state: FeatureState,
    /// What it was granted.
    #[serde(default)]
    pub granted: Vec<Capability>,
    /// What it asked for in vain, in whole or in part.
    #[serde(default)]
    pub denied: Vec<CapabilityDenial>,
    /// The tools that are in the catalog.
    #[serde(default)]
    pub tools: Vec<ToolName>,
    /// The hooks that are in the catalog.
    #[serde(default)]
    pub hooks: Vec<String>,
    /// What was declared and is not in the catalog.
    #[serde(default)]
    pub skipped: Vec<SkippedContribution>,
    /// Everything else there is to say.
    #[serde(default)]
    pub diagnostics: Vec<Diagnostic>,
}

impl FeatureInstallReport {
    /// Whether the feature runs.
    pub fn is_enabled(&self) -> bool {
        self.state == FeatureState::Enabled
    }

    /// Says so where everything that was declared was skipped.
    pub(super) fn settle_state(&mut self) {
        let nothing = self.tools.is_empty() && self.hooks.is_empty();
        if self.is_enabled() && nothing && !self.skipped.is_empty() {
            self.state = FeatureState::Inactive;
        }
    }

    /// Every problem in the report: why contributions were skipped, then the rest.
    pub fn problems(&self) -> impl Iterator<Item = &Diagnostic> {
        self.skipped.iter().map(|skipped| &skipped.why).chain(&self.diagnostics)
    }
}

/// Whether a feature runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureState {
    /// It runs, perhaps without some contributions.
    Enabled,
    /// It declares contributions, and every one was skipped.
    Inactive,
    /// The user switched it off.
    Disabled,
    /// Its descriptor was refused.
    Refused,
    /// Its own code failed while it was installed.
    Failed,
}

impl fmt::Display for FeatureState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enabled => "enabled",
            Self::Inactive => "inactive",
            Self::Disabled => "disabled",
            Self::Refused => "refused",
            Self::Failed => "failed",
        })
    }
}

/// A request that was not granted, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityDenial {
    /// What was asked for.
    pub capability: Capability,
    /// Whether the feature can do without.
    pub need: Need,
    /// Why, in one sentence without a full stop.
    pub reason: String,
    /// The command that would allow it.
    pub command: String,
}

impl CapabilityDenial {
    /// The problem as data: `grant/http`, for whoever runs the host. An error where the feature needs
    /// the capability, a note where it can do without.
    pub fn diagnostic(&self) -> Diagnostic {
        let mut diagnostic =
            Diagnostic::operator(self.capability.denial_code(), self.reason.clone())
                .help(format!("allow it with `{}`", self.command));
        if self.need == Need::Optional {
            diagnostic.severity = crate::diagnostic::Severity::Note;
        }
        diagnostic
    }
}

/// A contribution that was declared and is not in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedContribution {
    /// Which.
    pub contribution: ContributionName,
    /// Why not.
    pub why: Diagnostic,
}

/// A tool or a hook by its declared name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ContributionName {
    /// A tool.
    Tool {
        /// Its name, as a model would call it.
        name: ToolName,
    },
    /// A hook. That a guard does not run should be said loudly.
    Hook {
        /// Its name within the feature.
        name: String,
        /// Where it would listen.
        point: HookPoint,
    },
}

impl fmt::Display for ContributionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool { name } => write!(f, "tool `{name}`"),
            Self::Hook { name, point } => write!(f, "hook `{name}` at `{point}`"),
        }
    }
}
