//! What a feature declares: plain data, read without running any of its code.
//!
//! Nothing in a descriptor is trusted; the planner in [`super::registry`] holds it against policy.

use super::capability::Capability;
use super::hook::{Band, HookPoint, ToolFilter};
use super::hook_event::EventShape;
use super::id::{ChannelName, FeatureId, ToolName};
use super::schema::{Parameters, Type};
use crate::limit::Limit;
use serde::{Deserialize, Serialize};

/// What a feature says it offers and asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureDescriptor {
    /// Source-qualified identity.
    pub id: FeatureId,
    /// A title for people; the name where the feature gives none.
    pub title: String,
    /// The version, as the author writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the feature is for, as Markdown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What runs it.
    pub runtime: FeatureRuntimeKind,
    /// What it asks for.
    #[serde(default)]
    pub requests: Vec<CapabilityRequest>,
    /// The tools it offers, in source order.
    #[serde(default)]
    pub tools: Vec<ToolDeclaration>,
    /// The hooks it offers, in source order.
    #[serde(default)]
    pub hooks: Vec<HookDeclaration>,
    /// The event channels it emits to.
    #[serde(default)]
    pub channels: Vec<EventChannelDeclaration>,
    /// Bounds it lowers for all of its calls.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<(Limit, u64)>,
}

impl FeatureDescriptor {
    /// A descriptor that declares nothing yet.
    pub fn new(id: FeatureId, runtime: FeatureRuntimeKind) -> Self {
        Self {
            title: id.name().to_string(),
            id,
            version: None,
            description: String::new(),
            runtime,
            requests: Vec::new(),
            tools: Vec::new(),
            hooks: Vec::new(),
            channels: Vec::new(),
            limits: Vec::new(),
        }
    }

    /// Gives back memory that nothing needs: descriptors are kept for as long as their features are
    /// installed, and most are never called.
    pub fn shrink_to_fit(&mut self) {
        self.description.shrink_to_fit();
        self.requests.shrink_to_fit();
        self.channels.shrink_to_fit();
        self.hooks.shrink_to_fit();
        self.tools.shrink_to_fit();
        for tool in &mut self.tools {
            tool.description.shrink_to_fit();
            tool.parameters.shrink_to_fit();
            if let Some(returns) = &mut tool.returns {
                returns.shrink_to_fit();
            }
            tool.examples.shrink_to_fit();
            tool.requires.shrink_to_fit();
        }
    }

    /// Adds a request.
    #[must_use]
    pub fn request(mut self, request: CapabilityRequest) -> Self {
        self.requests.push(request);
        self
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: ToolDeclaration) -> Self {
        self.tools.push(tool);
        self
    }

    /// Adds a hook.
    #[must_use]
    pub fn hook(mut self, hook: HookDeclaration) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Adds an event channel.
    #[must_use]
    pub fn channel(mut self, channel: EventChannelDeclaration) -> Self {
        self.channels.push(channel);
        self
    }
}

/// What runs a feature. Nothing downstream decides by it; reports show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureRuntimeKind {
    /// A part of this program.
    Builtin,
    /// A Rhai script.
    Script,
    /// Another MCP server's tools.
    McpBridge,
    /// An installed package.
    Package,
}

/// One thing a feature asks the host for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapabilityRequest {
    /// What is asked for.
    pub capability: Capability,
    /// Whether the tools that need it can do without.
    pub need: Need,
    /// Why, in the author's words; shown where the user is asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl CapabilityRequest {
    /// A request without which the contributions that reach it are skipped.
    pub fn required(capability: Capability, reason: impl Into<String>) -> Self {
        Self { capability, need: Need::Required, reason: reason.into() }
    }

    /// A request that the feature can do without.
    pub fn optional(capability: Capability, reason: impl Into<String>) -> Self {
        Self { capability, need: Need::Optional, reason: reason.into() }
    }
}

/// Whether a request can be denied without skipping anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// `@request`
    Required,
    /// `@request?`
    Optional,
}

/// One tool, as a model will see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolDeclaration {
    /// The name a model calls it by.
    pub name: ToolName,
    /// A title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it does, as the model reads it.
    pub description: String,
    /// What it takes.
    #[serde(default)]
    pub parameters: Parameters,
    /// What it gives; `None` where the author does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returns: Option<Type>,
    /// What a client may assume about its effects.
    #[serde(default, skip_serializing_if = "ToolHints::is_empty")]
    pub hints: ToolHints,
    /// Calls shown to people, and run as tests where they give a result.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
    /// Bounds lowered for this tool alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<(Limit, u64)>,
    /// What its call graph reaches: each must be granted, or be asked for optionally.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Capability>,
    /// Which arguments say what the events of its calls are about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventShape>,
    /// Whether a person is asked before each call, where no permission says otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asks: bool,
}

impl ToolDeclaration {
    /// A tool that takes nothing and says nothing about its result yet.
    pub fn new(name: ToolName, description: impl Into<String>) -> Self {
        Self {
            name,
            title: None,
            description: description.into(),
            parameters: Parameters::default(),
            returns: None,
            hints: ToolHints::default(),
            examples: Vec::new(),
            limits: Vec::new(),
            requires: Vec::new(),
            event: None,
            asks: false,
        }
    }
}

/// What a tool does to the world, as the MCP annotations of the same names.
///
/// Source: Model Context Protocol, `ToolAnnotations`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolHints {
    /// Changes nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
    /// May destroy something.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub destructive: bool,
    /// Calling it twice is calling it once.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
    /// Talks to things outside the host.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub open_world: bool,
}

impl ToolHints {
    /// Whether nothing is claimed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A call written down by the author.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The arguments.
    pub arguments: serde_json::Map<String, serde_json::Value>,
    /// What must come out; `None` makes it documentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
    /// The line of the source where it stands, for labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// One hook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HookDeclaration {
    /// The name within the feature: the function's.
    pub name: String,
    /// Where it listens.
    pub point: HookPoint,
    /// Which tool events it wants; empty is all.
    #[serde(default, skip_serializing_if = "ToolFilter::is_empty")]
    pub filter: ToolFilter,
    /// When it runs among the features.
    #[serde(default)]
    pub band: Band,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Bounds lowered for this hook alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<(Limit, u64)>,
    /// What its call graph reaches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Capability>,
}

impl HookDeclaration {
    /// A hook that wants every event at `point`, in the normal band.
    pub fn new(name: impl Into<String>, point: HookPoint) -> Self {
        Self {
            name: name.into(),
            point,
            filter: ToolFilter::default(),
            band: Band::default(),
            description: String::new(),
            limits: Vec::new(),
            requires: Vec::new(),
        }
    }
}

/// A named stream of a feature's events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventChannelDeclaration {
    /// The name.
    pub name: ChannelName,
    /// What goes through it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

impl EventChannelDeclaration {
    /// A channel without a description.
    pub fn new(name: ChannelName) -> Self {
        Self { name, description: String::new() }
    }
}
