//! Capabilities: the powers of the host that a feature may ask for, each parsed once into a type.
//!
//! A capability can say whether it covers another, what two have in common, and how it is written.
//! Nothing here decides who gets one; [`super::grant`] does.

mod host;
mod path;

pub use host::{Breadth, Endpoint, HostError, HostName, HostPattern, Port};
pub use path::{GlobError, PathGlob, PathRoot};

use super::hook::HookPoint;
use crate::diagnostic::{Diagnostic, nearest};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Most bytes of one capability as text.
pub const MAX_BYTES: usize = 512;

/// How much of a store is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StoreAccess {
    /// Look only.
    Read,
    /// Look and change.
    ReadWrite,
}

impl StoreAccess {
    fn covers(self, other: Self) -> bool {
        self >= other
    }
}

/// What may be done with a path. Writing does not include reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FsAccess {
    /// Read files and list folders.
    Read,
    /// Create, change and remove files.
    Write,
}

/// Who a notification is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// The model: the text enters the conversation.
    Model,
    /// The person at the host.
    User,
}

/// What may be done with other pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PodAct {
    /// Start one.
    Spawn,
    /// Talk to one.
    Message,
    /// Bring one back.
    Restore,
}

/// What a hook may change beyond restricting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HookPower {
    /// The arguments of a tool call before it runs.
    RewriteArguments,
    /// The result of a tool call before the model reads it.
    ReplaceResult,
}

macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $error:ident, $accepts:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// It as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = CapabilityError;

            fn from_str(text: &str) -> Result<Self, CapabilityError> {
                let accepts: fn(&str) -> bool = $accepts;
                let short = (1..=64).contains(&text.len());
                if short && accepts(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(CapabilityError::$error(text.into()))
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

word! {
    /// A program by its name, as in `git`; where it is found is the host's to say.
    ProgramName, Program, |text| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
            && !text.starts_with(['-', '.'])
    }
}

word! {
    /// The name a secret is kept under; never the secret.
    SecretName, Secret, |text| {
        text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    }
}

word! {
    /// A capability of the provider socket, as in `image`.
    ProviderName, Provider, |text| {
        text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
            && text.starts_with(|c: char| c.is_ascii_lowercase())
    }
}

/// A power whose scope a request may leave to the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scoped {
    /// Which files are read.
    FsRead,
    /// Which files are written.
    FsWrite,
    /// Which programs are run.
    Exec,
    /// Which hosts are reached.
    Http,
}

impl Scoped {
    /// The power without its scope: `fs:read`.
    pub fn head(self) -> &'static str {
        match self {
            Self::FsRead => "fs:read",
            Self::FsWrite => "fs:write",
            Self::Exec => "exec",
            Self::Http => "http",
        }
    }

    /// How it is written with a scope: `fs:read=GLOB`.
    pub fn form(self) -> &'static str {
        match self {
            Self::FsRead => "fs:read=GLOB",
            Self::FsWrite => "fs:write=GLOB",
            Self::Exec => "exec=PROGRAM",
            Self::Http => "http=HOST",
        }
    }
}

/// One power of the host, as asked for or as granted.
///
/// `tool` and `hook:POINT` are not among them: declaring a tool or a hook is the request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Capability {
    /// `store`, `store:read`: the feature's own durable state.
    Store(StoreAccess),
    /// `emit`: events for people.
    Emit,
    /// `notify:model`, `notify:user`.
    Notify(Audience),
    /// `fs:read=GLOB`, `fs:write=GLOB`.
    Fs {
        /// What may be done.
        access: FsAccess,
        /// With which paths.
        paths: PathGlob,
    },
    /// `exec=PROGRAM`.
    Exec(ProgramName),
    /// `http=HOST`.
    Http(HostPattern),
    /// `secret=NAME@HOST`: spent at that host and nowhere else.
    Secret {
        /// Which.
        name: SecretName,
        /// Where it may be spent.
        host: Endpoint,
    },
    /// `ask`: a question to the person at the host.
    Ask,
    /// `provider=NAME`: a paid capability through the socket.
    Provider(ProviderName),
    /// `workitem`, `workitem:read`.
    WorkItem(StoreAccess),
    /// `memory`, `memory:read`.
    Memory(StoreAccess),
    /// `pod:spawn`, `pod:message`, `pod:restore`.
    Pod(PodAct),
    /// `hook:pre_tool_call:rewrite`, `hook:post_tool_call:replace`.
    Hook(HookPower),
    /// `fs:read`, `exec`, … without a scope: whatever of it the user grants by name. Only features that
    /// are built in may ask for it, and nobody is granted it as it stands.
    Open(Scoped),
}

/// Why a text is not a capability.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapabilityError {
    /// There is none of that name.
    #[error("`{given}` is not a capability; {}", suggest(nearest.as_deref(), KNOWN))]
    Unknown {
        /// What was given.
        given: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// There is one of that name, written otherwise.
    #[error("`{given}` is not a form of `{kind}`; {}", suggest(nearest.as_deref(), forms))]
    Form {
        /// What was given.
        given: String,
        /// The word before `:` and `=`.
        kind: &'static str,
        /// How it is written.
        forms: &'static str,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// It comes with the declaration.
    #[error(
        "`{0}` needs no request; declaring the tool or the hook is the request, so leave it out"
    )]
    Implied(String),
    /// Too many bytes.
    #[error("the capability has {0} bytes and may have {MAX_BYTES}; shorten it")]
    TooLong(usize),
    /// The program of `exec`.
    #[error(
        "`{0}` is not a program; write its name alone, without folders and arguments, as in `exec=git`"
    )]
    Program(String),
    /// The name of `secret`.
    #[error(
        "`{0}` is not the name of a secret; write 1 to 64 of `A-Z a-z 0-9 _ -`, as in `secret=API_KEY@api.example.com`"
    )]
    Secret(String),
    /// The name of `provider`.
    #[error("`{0}` is not a provider; write 1 to 64 of `a-z 0-9 . _ -`, as in `provider=image`")]
    Provider(String),
    /// The host of `http` or `secret`.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The path of `fs`.
    #[error(transparent)]
    Path(#[from] GlobError),
}

const KNOWN: &str = "write one of `store`, `emit`, `notify:user`, `notify:model`, `fs:read=GLOB`, \
    `fs:write=GLOB`, `exec=PROGRAM`, `http=HOST`, `secret=NAME@HOST`, `ask`, `provider=NAME`, \
    `workitem`, `memory`, `pod:spawn`";

/// The first words and how each is written.
const FORMS: [(&str, &str); 13] = [
    ("store", "write `store` or `store:read`"),
    ("emit", "write `emit` alone"),
    ("notify", "write `notify:user` or `notify:model`"),
    ("fs", "write `fs:read=GLOB` or `fs:write=GLOB`, as in `fs:read=src/**`"),
    ("exec", "write `exec=PROGRAM`, as in `exec=git`"),
    ("http", "write `http=HOST`, as in `http=api.example.com`"),
    ("secret", "write `secret=NAME@HOST`, as in `secret=API_KEY@api.example.com`"),
    ("ask", "write `ask` alone"),
    ("provider", "write `provider=NAME`, as in `provider=image`"),
    ("workitem", "write `workitem` or `workitem:read`"),
    ("memory", "write `memory` or `memory:read`"),
    ("pod", "write `pod:spawn`, `pod:message` or `pod:restore`"),
    ("hook", "write `hook:pre_tool_call:rewrite` or `hook:post_tool_call:replace`"),
];

/// Everything that may stand before `=`, for slips of the finger.
const HEADS: [&str; 20] = [
    "store",
    "store:read",
    "emit",
    "notify:user",
    "notify:model",
    "fs:read",
    "fs:write",
    "exec",
    "http",
    "secret",
    "ask",
    "provider",
    "workitem",
    "workitem:read",
    "memory",
    "memory:read",
    "pod:spawn",
    "pod:message",
    "pod:restore",
    "hook:pre_tool_call:rewrite",
];

fn suggest(nearest: Option<&str>, otherwise: &str) -> String {
    nearest.map_or_else(|| otherwise.to_owned(), |near| format!("did you mean `{near}`?"))
}

impl CapabilityError {
    /// The problem as data, for the author who wrote the request: `capability/unknown` where there
    /// is no such power, `capability/malformed` where it is written wrongly.
    pub fn diagnostic(&self) -> Diagnostic {
        let code = match self {
            Self::Unknown { .. } => "capability/unknown",
            _ => "capability/malformed",
        };
        let text = self.to_string();
        match text.split_once("; ") {
            Some((message, help)) => Diagnostic::author(code, message).help(help),
            None => Diagnostic::author(code, text),
        }
    }
}

impl Capability {
    /// Whether holding this is enough to be allowed `other`. Says no where it cannot tell.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Store(a), Self::Store(b))
            | (Self::WorkItem(a), Self::WorkItem(b))
            | (Self::Memory(a), Self::Memory(b)) => a.covers(*b),
            (Self::Fs { access: a, paths: p }, Self::Fs { access: b, paths: q }) => {
                a == b && p.covers(q)
            }
            (Self::Http(a), Self::Http(b)) => a.covers(b),
            (Self::Secret { name: a, host: p }, Self::Secret { name: b, host: q }) => {
                a == b && p.covers(q)
            }
            (Self::Open(open), other) => Some(*open) == other.scoped(),
            (a, b) => a == b,
        }
    }

    /// Whether it leaves its scope to the user.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }

    /// The power of which it is a part, where a request may leave the scope to the user.
    fn scoped(&self) -> Option<Scoped> {
        Some(match self {
            Self::Open(open) => *open,
            Self::Fs { access: FsAccess::Read, .. } => Scoped::FsRead,
            Self::Fs { access: FsAccess::Write, .. } => Scoped::FsWrite,
            Self::Exec(_) => Scoped::Exec,
            Self::Http(_) => Scoped::Http,
            _ => return None,
        })
    }

    /// Reads a capability that says its scope, as every request of a script and every grant does.
    ///
    /// # Errors
    ///
    /// As [`Self::from_str`], and where the scope is left open.
    pub fn with_scope(text: &str) -> Result<Self, CapabilityError> {
        match text.parse()? {
            Self::Open(open) => Err(explain(text, open.head())),
            capability => Ok(capability),
        }
    }

    /// The part of the request `other` that a grant of this allows: covered by both. `None` where
    /// they have nothing in common, or where that cannot be told.
    pub fn narrow(&self, other: &Self) -> Option<Self> {
        if self.covers(other) {
            return Some(other.clone());
        }
        if other.covers(self) {
            return Some(self.clone());
        }
        match (self, other) {
            (Self::Http(a), Self::Http(b)) => a.narrow(b).map(Self::Http),
            (Self::Secret { name, host: p }, Self::Secret { name: other, host: q })
                if name == other =>
            {
                p.narrow(q).map(|host| Self::Secret { name: name.clone(), host })
            }
            _ => None,
        }
    }

    /// The word before `:` and `=`; with `grant/` before it, the code of its denial.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Store(_) => "store",
            Self::Emit => "emit",
            Self::Notify(_) => "notify",
            Self::Fs { .. } => "fs",
            Self::Exec(_) => "exec",
            Self::Http(_) => "http",
            Self::Secret { .. } => "secret",
            Self::Ask => "ask",
            Self::Provider(_) => "provider",
            Self::WorkItem(_) => "workitem",
            Self::Memory(_) => "memory",
            Self::Pod(_) => "pod",
            Self::Hook(_) => "hook",
            Self::Open(Scoped::FsRead | Scoped::FsWrite) => "fs",
            Self::Open(Scoped::Exec) => "exec",
            Self::Open(Scoped::Http) => "http",
        }
    }

    /// The host module it opens to scripts; none for what only decides about decisions.
    pub fn module(&self) -> Option<&'static str> {
        (!matches!(self, Self::Hook(_))).then(|| self.kind())
    }

    /// The code of a denial: `grant/http`.
    pub fn denial_code(&self) -> &'static str {
        match self.kind() {
            "store" => "grant/store",
            "emit" => "grant/emit",
            "notify" => "grant/notify",
            "fs" => "grant/fs",
            "exec" => "grant/exec",
            "http" => "grant/http",
            "secret" => "grant/secret",
            "ask" => "grant/ask",
            "provider" => "grant/provider",
            "workitem" => "grant/workitem",
            "memory" => "grant/memory",
            "pod" => "grant/pod",
            _ => "grant/hook",
        }
    }

    /// Whether features of the user's own get it without asking: their own state, and words to the
    /// user (DESIGN: policy).
    pub fn is_harmless(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Emit | Self::Notify(Audience::User))
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = |f: &mut fmt::Formatter<'_>, access: &StoreAccess| match access {
            StoreAccess::ReadWrite => f.write_str(self.kind()),
            StoreAccess::Read => write!(f, "{}:read", self.kind()),
        };
        match self {
            Self::Store(access) | Self::WorkItem(access) | Self::Memory(access) => store(f, access),
            Self::Emit => f.write_str("emit"),
            Self::Notify(Audience::Model) => f.write_str("notify:model"),
            Self::Notify(Audience::User) => f.write_str("notify:user"),
            Self::Fs { access: FsAccess::Read, paths } => write!(f, "fs:read={paths}"),
            Self::Fs { access: FsAccess::Write, paths } => write!(f, "fs:write={paths}"),
            Self::Exec(program) => write!(f, "exec={program}"),
            Self::Http(host) => write!(f, "http={host}"),
            Self::Secret { name, host } => write!(f, "secret={name}@{host}"),
            Self::Ask => f.write_str("ask"),
            Self::Provider(name) => write!(f, "provider={name}"),
            Self::Pod(PodAct::Spawn) => f.write_str("pod:spawn"),
            Self::Pod(PodAct::Message) => f.write_str("pod:message"),
            Self::Pod(PodAct::Restore) => f.write_str("pod:restore"),
            Self::Hook(HookPower::RewriteArguments) => f.write_str("hook:pre_tool_call:rewrite"),
            Self::Hook(HookPower::ReplaceResult) => f.write_str("hook:post_tool_call:replace"),
            Self::Open(open) => f.write_str(open.head()),
        }
    }
}

impl FromStr for Capability {
    type Err = CapabilityError;

    fn from_str(text: &str) -> Result<Self, CapabilityError> {
        if text.len() > MAX_BYTES {
            return Err(CapabilityError::TooLong(text.len()));
        }
        let (head, value) = match text.split_once('=') {
            Some((head, value)) => (head, Some(value)),
            None => (text, None),
        };
        match value {
            Some(value) => parse_valued(head, value),
            None => parse_plain(head),
        }
        .unwrap_or_else(|| Err(explain(text, head)))
    }
}

fn parse_plain(head: &str) -> Option<Result<Capability, CapabilityError>> {
    Some(Ok(match head {
        "store" => Capability::Store(StoreAccess::ReadWrite),
        "store:read" => Capability::Store(StoreAccess::Read),
        "emit" => Capability::Emit,
        "notify:model" => Capability::Notify(Audience::Model),
        "notify:user" => Capability::Notify(Audience::User),
        "ask" => Capability::Ask,
        "workitem" => Capability::WorkItem(StoreAccess::ReadWrite),
        "workitem:read" => Capability::WorkItem(StoreAccess::Read),
        "memory" => Capability::Memory(StoreAccess::ReadWrite),
        "memory:read" => Capability::Memory(StoreAccess::Read),
        "pod:spawn" => Capability::Pod(PodAct::Spawn),
        "pod:message" => Capability::Pod(PodAct::Message),
        "pod:restore" => Capability::Pod(PodAct::Restore),
        "hook:pre_tool_call:rewrite" => Capability::Hook(HookPower::RewriteArguments),
        "hook:post_tool_call:replace" => Capability::Hook(HookPower::ReplaceResult),
        "fs:read" => Capability::Open(Scoped::FsRead),
        "fs:write" => Capability::Open(Scoped::FsWrite),
        "exec" => Capability::Open(Scoped::Exec),
        "http" => Capability::Open(Scoped::Http),
        _ => return None,
    }))
}

fn parse_valued(head: &str, value: &str) -> Option<Result<Capability, CapabilityError>> {
    let fs = |access| Ok(Capability::Fs { access, paths: value.parse()? });
    Some(match head {
        "fs:read" => fs(FsAccess::Read),
        "fs:write" => fs(FsAccess::Write),
        "exec" => value.parse().map(Capability::Exec),
        "http" => value.parse().map(Capability::Http).map_err(CapabilityError::from),
        "secret" => return parse_secret(value),
        "provider" => value.parse().map(Capability::Provider),
        _ => return None,
    })
}

fn parse_secret(value: &str) -> Option<Result<Capability, CapabilityError>> {
    let (name, host) = value.split_once('@')?;
    Some(name.parse().and_then(|name| Ok(Capability::Secret { name, host: host.parse()? })))
}

/// Finds the most helpful thing to say about a text that is none of the forms.
fn explain(text: &str, head: &str) -> CapabilityError {
    let point = head.strip_prefix("hook:").unwrap_or_default();
    if matches!(head, "tool" | "hook") || point.parse::<HookPoint>().is_ok() {
        return CapabilityError::Implied(text.into());
    }
    let near = nearest(head, HEADS).filter(|near| *near != head).map(str::to_owned);
    let first = head.split(':').next().unwrap_or_default();
    match FORMS.into_iter().find(|(kind, _)| *kind == first) {
        Some((kind, forms)) => {
            let near = near.filter(|near| near.contains(':') && head.contains(':'));
            CapabilityError::Form { given: text.into(), kind, forms, nearest: near }
        }
        None => CapabilityError::Unknown { given: text.into(), nearest: near },
    }
}

impl TryFrom<String> for Capability {
    type Error = CapabilityError;

    fn try_from(text: String) -> Result<Self, CapabilityError> {
        text.parse()
    }
}

impl From<Capability> for String {
    fn from(capability: Capability) -> Self {
        capability.to_string()
    }
}

#[cfg(test)]
mod tests;
