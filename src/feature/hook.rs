//! Hook points, the decisions a hook may return, and the contribution that carries one.
//!
//! Hooks receive snapshots as data and return decisions as data. No decision carries a message of
//! the conversation, and none can allow what the host denied.

use super::call::{CallContext, Failure, Receipt};
use super::capability::{Audience, Capability, HookPower};
use crate::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Instant;

/// A place in the pod where a hook may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookPoint {
    /// Before a request goes to the model.
    PreRequest,
    /// After the model's text has arrived.
    PostAssistant,
    /// Before a tool runs.
    PreToolCall,
    /// After a tool ran.
    PostToolCall,
    /// Before the turn ends.
    TurnEnd,
}

impl HookPoint {
    /// Every point, in the order of a turn.
    pub const ALL: [Self; 5] = [
        Self::PreRequest,
        Self::PostAssistant,
        Self::PreToolCall,
        Self::PostToolCall,
        Self::TurnEnd,
    ];

    /// The name used by `@hook`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreRequest => "pre_request",
            Self::PostAssistant => "post_assistant",
            Self::PreToolCall => "pre_tool_call",
            Self::PostToolCall => "post_tool_call",
            Self::TurnEnd => "turn_end",
        }
    }

    /// Whether its event is about a tool, so that `tools=` and `kind=` can narrow it.
    pub fn is_about_tools(self) -> bool {
        matches!(self, Self::PreToolCall | Self::PostToolCall)
    }

    /// Whether something is kept back where a hook fails, so that one that is missing does so as well.
    pub fn is_guard(self) -> bool {
        matches!(self, Self::PreRequest | Self::PreToolCall | Self::PostToolCall)
    }

    /// What becomes of the event when the hook itself fails, in words.
    pub fn when_it_fails(self) -> &'static str {
        match self {
            Self::PreRequest => "the request is stopped",
            Self::PostAssistant => "the text stands",
            Self::PreToolCall => "the call is denied",
            Self::PostToolCall => "the result is withheld",
            Self::TurnEnd => "the turn ends",
        }
    }

    /// Whether the decision means anything here.
    pub fn allows(self, decision: &Decision) -> bool {
        self.takes(decision.kind())
    }

    /// Whether decisions of that kind mean anything here.
    pub fn takes(self, kind: DecisionKind) -> bool {
        match kind {
            DecisionKind::Proceed => true,
            DecisionKind::Stop => self == Self::PreRequest,
            DecisionKind::Deny
            | DecisionKind::Answer
            | DecisionKind::Ask
            | DecisionKind::Rewrite => self == Self::PreToolCall,
            DecisionKind::Replace => self == Self::PostToolCall,
            DecisionKind::Again => self == Self::TurnEnd,
        }
    }
}

impl fmt::Display for HookPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for HookPoint {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|point| point.name() == text).ok_or(())
    }
}

/// When a hook runs among the features: coarse on purpose, so that none can outbid another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Band {
    /// Before the others.
    Early,
    /// In between.
    #[default]
    Normal,
    /// After the others.
    Late,
}

/// As `band=` of `@hook` has it.
impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Early => "early",
            Self::Normal => "normal",
            Self::Late => "late",
        })
    }
}

/// What a tool event is about, the same for every agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// Runs a command.
    Shell,
    /// Touches files.
    File,
    /// Fetches a page.
    Fetch,
    /// Calls a tool of an MCP server.
    Mcp,
    /// Anything else.
    Other,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Shell, Self::File, Self::Fetch, Self::Mcp, Self::Other];

    /// The name used by `@hook … kind=` and by `event.kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shell => "shell",
            Self::File => "file",
            Self::Fetch => "fetch",
            Self::Mcp => "mcp",
            Self::Other => "other",
        }
    }

    /// The kind of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A pattern over the names of tools, as agents call them: `*` stands for any characters, `?` for
/// one, `[a-c]` for one of several. It fits a name as a whole, and case counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ToolGlob(glob::Pattern);

/// Most bytes of one [`ToolGlob`].
const MAX_GLOB: usize = 64;

/// Why a text is no [`ToolGlob`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a pattern of tool names; write 1 to {MAX_GLOB} characters of a name, with `*` for any, as in `fs_*`"
)]
pub struct ToolGlobError(String);

impl ToolGlob {
    /// Whether the tool of that name is meant.
    pub fn fits(&self, tool: &str) -> bool {
        self.0.matches(tool)
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for ToolGlob {
    type Err = ToolGlobError;

    fn from_str(text: &str) -> Result<Self, ToolGlobError> {
        let refused = || ToolGlobError(text.chars().take(MAX_GLOB).collect());
        if !(1..=MAX_GLOB).contains(&text.len()) {
            return Err(refused());
        }
        glob::Pattern::new(text).map(Self).map_err(|_| refused())
    }
}

impl fmt::Display for ToolGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for ToolGlob {
    type Error = ToolGlobError;

    fn try_from(text: String) -> Result<Self, ToolGlobError> {
        text.parse()
    }
}

impl From<ToolGlob> for String {
    fn from(glob: ToolGlob) -> Self {
        glob.as_str().to_owned()
    }
}

/// Which tool events a hook wants.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolFilter {
    /// Names of tools; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<ToolGlob>,
    /// Kinds; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<EventKind>,
}

impl ToolFilter {
    /// Whether every event passes.
    pub fn is_empty(&self) -> bool {
        self.tools.is_empty() && self.kinds.is_empty()
    }

    /// Whether a hook with this filter is asked about an event: its kind is one of the kinds, and its
    /// tool fits one of the names. An event that does not say what it is about is wanted, because a
    /// guard that is asked too often does less harm than one that is left out.
    pub fn wants(&self, kind: Option<EventKind>, tool: Option<&str>) -> bool {
        let of_kind = |kind| self.kinds.is_empty() || self.kinds.contains(&kind);
        let of_name = |tool| self.tools.is_empty() || self.tools.iter().any(|glob| glob.fits(tool));
        kind.is_none_or(of_kind) && tool.is_none_or(of_name)
    }
}

/// Written as `@hook` has it: `tools=fs_*,git_* kind=shell,file`; nothing where every event passes.
impl fmt::Display for ToolFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tools: Vec<_> = self.tools.iter().map(ToolGlob::as_str).collect();
        let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
        let options = [("tools", tools), ("kind", kinds)];
        let given = options.into_iter().filter(|(_, values)| !values.is_empty());
        for (index, (key, values)) in given.enumerate() {
            let gap = if index > 0 { " " } else { "" };
            write!(f, "{gap}{key}={}", values.join(","))?;
        }
        Ok(())
    }
}

/// What kind of decision: the word for it, where it comes from, and what it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DecisionKind {
    /// [`Decision::Proceed`]
    Proceed,
    /// [`Decision::Stop`]
    Stop,
    /// [`Decision::Deny`]
    Deny,
    /// [`Decision::Answer`]
    Answer,
    /// [`Decision::Ask`]
    Ask,
    /// [`Decision::Rewrite`]
    Rewrite,
    /// [`Decision::Replace`]
    Replace,
    /// [`Decision::Again`]
    Again,
}

impl DecisionKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Proceed,
        Self::Stop,
        Self::Deny,
        Self::Answer,
        Self::Ask,
        Self::Rewrite,
        Self::Replace,
        Self::Again,
    ];

    /// The word for it, as scripts and messages use it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proceed => "proceed",
            Self::Stop => "stop",
            Self::Deny => "deny",
            Self::Answer => "answer",
            Self::Ask => "ask",
            Self::Rewrite => "rewrite",
            Self::Replace => "replace",
            Self::Again => "again",
        }
    }

    /// How many arguments the function takes that makes one in a script.
    pub fn arguments(self) -> usize {
        usize::from(self != Self::Proceed)
    }

    /// The kind that a script makes by calling `name` with that many arguments.
    pub fn of_call(name: &str, arguments: usize) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name && kind.arguments() == arguments)
    }

    /// The capability that it takes beyond being a hook's.
    pub fn needs(self) -> Option<Capability> {
        match self {
            Self::Rewrite => Some(Capability::Hook(HookPower::RewriteArguments)),
            Self::Replace => Some(Capability::Hook(HookPower::ReplaceResult)),
            Self::Again => Some(Capability::Notify(Audience::Model)),
            _ => None,
        }
    }
}

/// What a hook returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "lowercase")]
pub enum Decision {
    /// Nothing against it.
    Proceed,
    /// The request is not sent.
    Stop {
        /// Why.
        reason: String,
    },
    /// The tool does not run.
    Deny {
        /// Why, as the model will read it.
        reason: String,
    },
    /// The tool does not run; the model gets this instead.
    Answer {
        /// The result in its place.
        value: Value,
    },
    /// A person decides.
    Ask {
        /// What to ask.
        question: String,
    },
    /// The tool runs with other arguments.
    Rewrite {
        /// The new arguments.
        arguments: Value,
    },
    /// The model gets another result.
    Replace {
        /// The new result.
        result: Value,
    },
    /// The turn goes on.
    Again {
        /// Why, as the model will read it.
        reason: String,
    },
}

impl Decision {
    /// What kind it is.
    pub fn kind(&self) -> DecisionKind {
        match self {
            Self::Proceed => DecisionKind::Proceed,
            Self::Stop { .. } => DecisionKind::Stop,
            Self::Deny { .. } => DecisionKind::Deny,
            Self::Answer { .. } => DecisionKind::Answer,
            Self::Ask { .. } => DecisionKind::Ask,
            Self::Rewrite { .. } => DecisionKind::Rewrite,
            Self::Replace { .. } => DecisionKind::Replace,
            Self::Again { .. } => DecisionKind::Again,
        }
    }

    /// The word for its kind.
    pub fn name(&self) -> &'static str {
        self.kind().name()
    }
}

/// What came of one hook on one event.
#[derive(Debug, Clone)]
pub struct HookOutcome {
    /// The decision, or why there is none. What a failure means is the pod's to say.
    pub decision: Result<Decision, Failure>,
    /// Text for the model that the hook staged; empty unless it decided.
    pub notices: Vec<String>,
    /// What the hook had to say beside it.
    pub diagnostics: Vec<Diagnostic>,
    /// What it cost.
    pub receipt: Receipt,
}

impl HookOutcome {
    /// A decision, at no cost that is known.
    pub fn decided(decision: Decision) -> Self {
        let (notices, diagnostics, receipt) = Default::default();
        Self { decision: Ok(decision), notices, diagnostics, receipt }
    }

    /// No decision, at no cost that is known.
    pub fn failure(failure: impl Into<Failure>) -> Self {
        let (notices, diagnostics, receipt) = Default::default();
        Self { decision: Err(failure.into()), notices, diagnostics, receipt }
    }
}

/// A hook that can be asked.
pub trait Hook: Send + Sync {
    /// Decides about an event. `event` is a snapshot, the same for every hook that is asked about it;
    /// nothing in it is a handle.
    fn decide(&self, event: &Arc<Value>, context: &CallContext) -> HookOutcome;

    /// The threads that the hook runs on, where it does not run on its caller's. The hooks of one event
    /// are then asked one after another on one of them, for one hand-over.
    fn threads(&self) -> Option<Arc<dyn HookThreads>> {
        None
    }
}

/// Threads that hooks run on.
pub trait HookThreads: Send + Sync {
    /// Does `work` on one of the threads and waits for it, until `deadline` and a little longer.
    ///
    /// # Errors
    ///
    /// No thread was free in time, or the work did not end: then it may still be running, and whoever
    /// gave it sees to it that what it does from then on counts for nothing.
    fn run(&self, deadline: Instant, work: Box<dyn FnOnce() + Send>) -> Result<(), Diagnostic>;
}

/// A hook and the name it was declared by.
#[derive(Clone)]
pub struct HookContribution {
    /// The declared name.
    pub name: String,
    /// What answers.
    pub hook: Arc<dyn Hook>,
}

impl HookContribution {
    /// A contribution for the hook declared as `name`.
    pub fn new(name: impl Into<String>, hook: impl Hook + 'static) -> Self {
        Self { name: name.into(), hook: Arc::new(hook) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(tools: &[&str], kinds: &[EventKind]) -> ToolFilter {
        let tools = tools.iter().map(|glob| glob.parse().expect("a glob")).collect();
        ToolFilter { tools, kinds: kinds.to_vec() }
    }

    #[test]
    fn a_hook_is_asked_about_what_it_listens_for() {
        use EventKind::{File, Shell};
        for (filter, kind, tool, expected) in [
            (filter(&[], &[]), Some(Shell), Some("bash"), true),
            (filter(&[], &[]), None, None, true),
            (filter(&[], &[Shell]), Some(Shell), Some("bash"), true),
            (filter(&[], &[Shell]), Some(File), Some("bash"), false),
            (filter(&[], &[Shell, File]), Some(File), None, true),
            (filter(&[], &[Shell]), None, None, true),
            (filter(&["fs_*", "git"], &[]), Some(File), Some("fs_write"), true),
            (filter(&["fs_*", "git"], &[]), Some(File), Some("git"), true),
            (filter(&["fs_*", "git"], &[]), Some(File), Some("git_push"), false),
            (filter(&["fs_*"], &[]), Some(File), Some("FS_write"), false),
            (filter(&["fs_*"], &[]), Some(File), Some("my_fs_write"), false),
            (filter(&["fs_*"], &[]), Some(File), None, true),
            (filter(&["bash"], &[Shell]), Some(File), Some("bash"), false),
            (filter(&["bash"], &[Shell]), Some(Shell), Some("zsh"), false),
            (filter(&["bash"], &[Shell]), Some(Shell), Some("bash"), true),
            (filter(&["mcp__*__read"], &[]), None, Some("mcp__disk/a__read"), true),
        ] {
            assert_eq!(filter.wants(kind, tool), expected, "{filter} {kind:?} {tool:?}");
        }
    }

    #[test]
    fn globs_are_parsed_once_and_bounded() {
        for text in ["a", "fs_*", "[ab]?", "*"] {
            assert_eq!(text.parse::<ToolGlob>().map(|glob| glob.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "***", "[", &"x".repeat(65)] {
            assert!(text.parse::<ToolGlob>().is_err(), "{text}");
        }
        let read = |json: &str| serde_json::from_str::<ToolFilter>(json);
        let read_back = read(r#"{ "tools": ["fs_*"], "kinds": ["shell"] }"#).expect("a filter");
        assert_eq!(read_back, filter(&["fs_*"], &[EventKind::Shell]));
        assert_eq!(read_back.to_string(), "tools=fs_* kind=shell");
        assert!(read(r#"{ "tools": ["["] }"#).is_err(), "a descriptor holds no glob that is none");
    }

    #[test]
    fn each_point_takes_its_kinds() {
        let taken = |point: HookPoint| {
            let kinds = DecisionKind::ALL.into_iter().filter(|kind| point.takes(*kind));
            kinds.map(DecisionKind::name).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(taken(HookPoint::PreRequest), "proceed stop");
        assert_eq!(taken(HookPoint::PostAssistant), "proceed");
        assert_eq!(taken(HookPoint::PreToolCall), "proceed deny answer ask rewrite");
        assert_eq!(taken(HookPoint::PostToolCall), "proceed replace");
        assert_eq!(taken(HookPoint::TurnEnd), "proceed again");
    }
}
