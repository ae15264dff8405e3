//! What a log holds: numbered lines, each with the hash of the one before it.

use super::said;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Receipt;
use crate::feature::capability::Capability;
use crate::feature::hook::HookPoint;
use crate::feature::id::FeatureId;
use crate::feature::permission::Permission;
use crate::feature::question::Answer;
use crate::feature::transaction::Act;
use crate::limit::Limit;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};

/// The hash before the first line.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The major version of the format. It grows where an older peasy could not read on: entries and
/// fields that it does not know are no reason, for it passes over them.
pub const FORMAT: u32 = 1;

/// Most bytes of a value that stands in the line itself; a larger one has a file of its own.
pub const INLINE: usize = 4 * 1024;

/// One line, as it is read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The number, from 1 and without gaps.
    pub n: u64,
    /// When it was written, in milliseconds since the Unix epoch.
    pub at: i64,
    /// The hash of the line before.
    pub prev: String,
    /// What happened.
    #[serde(flatten)]
    pub entry: Entry,
    /// SHA-256 in hexadecimal of the line without this field.
    pub hash: String,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A process opened the log.
    Open {
        /// Which; every call of its carries this name.
        instance: String,
        /// The version of peasy.
        version: String,
        /// When lines have to be on the disk.
        durability: String,
        /// The major version of the format, [`FORMAT`].
        #[serde(default = "first_format")]
        format: u32,
    },
    /// The features that calls reach from here on.
    Catalog {
        /// Which process.
        instance: String,
        /// Each as a [`FeatureEntry`]: a catalog that was recorded before takes no room.
        features: Body,
    },
    /// A call ended, and had nothing to make lasting.
    Call {
        /// Its id.
        call: String,
        /// What was called, and with what.
        #[serde(flatten)]
        about: CallEntry,
        /// The result, where there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<Body>,
        /// Why there is none.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        failure: Vec<Diagnostic>,
        /// What it cost.
        receipt: Receipt,
    },
    /// A call is about to make lasting what it staged.
    Intent {
        /// Its id.
        call: String,
        /// What was called, and with what.
        #[serde(flatten)]
        about: CallEntry,
        /// The result.
        result: Body,
        /// What it cost.
        receipt: Receipt,
    },
    /// What the call of an intent staged is lasting.
    Done {
        /// Its id.
        call: String,
        /// Its texts for the model.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        notices: Vec<String>,
        /// Whether this was found out when the log was opened again; the reply went to nobody.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        recovered: bool,
    },
    /// Nothing of what the call of an intent staged has happened.
    Void {
        /// Its id.
        call: String,
        /// Why.
        reason: String,
    },
    /// An act on the outside world is about to happen.
    Act {
        /// The call.
        call: String,
        /// Whose.
        feature: FeatureId,
        /// What.
        #[serde(flatten)]
        act: Act,
        /// What was called, and with what: with the first act of a call, so that it is on record whose
        /// act it was, should its process end before the call does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        begun: Option<Box<CallEntry>>,
    },
    /// A store is about to be changed by something else than a call.
    Store {
        /// Whose.
        feature: FeatureId,
        /// The folder that the feature belongs to.
        #[serde(serialize_with = "as_text")]
        root: PathBuf,
        /// How.
        #[serde(flatten)]
        change: StoreChange,
    },
    /// What the user's or the project's rules, or a person, said of a call. Only what is not plainly
    /// allowed is written, before it takes effect.
    Permission {
        /// The call.
        call: String,
        /// The tool.
        tool: String,
        /// What the rules say.
        verdict: Permission,
        /// The rule that says so, and whose it is, in words.
        rule: String,
        /// What a person answered to it, where one was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        answer: Option<Consent>,
        /// The agent whose call it is, where it is not one of this host's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentSession>,
    },
    /// The hooks that listen for an event were asked. Written before what they decided takes effect;
    /// an event that nobody listens for has none.
    Decision {
        /// The call that the event is about; where it is about none, an id of the event's own.
        call: String,
        /// Where it happened.
        point: HookPoint,
        /// The event as the first of them saw it: so it holds the original of whatever a decision
        /// takes the place of.
        event: Body,
        /// The clock that the hooks saw; `None` was the system's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        now: Option<i64>,
        /// The seed of their random numbers.
        seed: u64,
        /// What each of them decided, in the order in which they were asked.
        hooks: Vec<Decided>,
        /// What comes of it all, a [`Decision`] as JSON, with the texts as they are shown.
        ///
        /// [`Decision`]: crate::feature::hook::Decision
        decision: Body,
        /// What a person answered to the questions of the hooks, in their order.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        answers: Vec<Consent>,
        /// The agent that told of the event, where it happened outside of this host.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        agent: Option<AgentSession>,
    },
    /// The last line was not whole and was cut off.
    Cut {
        /// Its bytes.
        bytes: u64,
    },
    /// An agent's session begins.
    Session(said::Begin),
    /// It goes on.
    Resumed(said::Resumed),
    /// What the model is told before everything else.
    Instructions(said::Instructions),
    /// What a person wrote.
    User(said::UserMessage),
    /// The model is asked.
    Request(said::Request),
    /// What it answered.
    Assistant(said::AssistantMessage),
    /// What it is shown of a call.
    ToolResult(said::ToolResult),
    /// A text for it.
    Notice(said::Notice),
    /// Facts give place to a summary.
    Compaction(said::Compaction),
    /// What a request cost.
    Usage(said::Usage),
    /// The model's turn is over.
    TurnEnd(said::TurnEnd),
    /// A request came to nothing.
    Trouble(said::Trouble),
    /// An entry of a version that knows more. It is never written.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// A path as JSON has it. One that is not UTF-8 has signs in the place of what is none; no store is kept for it.
fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

fn some_as_text<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => as_text(path, serializer),
        None => serializer.serialize_none(),
    }
}

impl Entry {
    /// Whether it holds texts of features, programs, people or models beside its bodies.
    pub(super) fn has_texts(&self) -> bool {
        match self {
            Self::Call { about, failure, .. } => !failure.is_empty() || !about.answers.is_empty(),
            Self::Intent { about, .. } => !about.answers.is_empty(),
            Self::Done { notices, .. } => !notices.is_empty(),
            Self::Decision { hooks, .. } => hooks.iter().any(|hook| {
                !(hook.failure.is_empty() && hook.said.is_empty() && hook.notices.is_empty())
            }),
            Self::Void { .. }
            | Self::Act { .. }
            | Self::Permission { .. }
            | Self::Store { .. }
            | Self::Instructions(_)
            | Self::ToolResult(_)
            | Self::Notice(_)
            | Self::Compaction(_)
            | Self::Assistant(_)
            | Self::Trouble(_) => true,
            Self::Open { .. }
            | Self::Catalog { .. }
            | Self::Cut { .. }
            | Self::Session(_)
            | Self::Resumed(_)
            | Self::User(_)
            | Self::Request(_)
            | Self::Usage(_)
            | Self::TurnEnd(_)
            | Self::Unknown => false,
        }
    }
}

fn first_format() -> u32 {
    1
}

/// What becomes of a store beside calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum StoreChange {
    /// It is damaged and gets another name; the next call begins with an empty one.
    SetAside {
        /// The file from then on.
        #[serde(serialize_with = "as_text")]
        file: PathBuf,
    },
    /// A person removes everything.
    Cleared {
        /// How many keys it had.
        keys: u64,
    },
    /// A person sets a value.
    Set {
        /// Its key.
        key: String,
    },
    /// A person sets values.
    Imported {
        /// How many.
        keys: u64,
    },
    /// A change that a newer version knows. It is never written.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// In words, for people: `has `n` set by a person`.
impl fmt::Display for StoreChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetAside { file } => {
                write!(f, "is damaged and set aside as {}", file.display())
            }
            Self::Cleared { keys } => write!(f, "is cleared by a person; keys: {keys}"),
            Self::Set { key } => write!(f, "has `{key}` set by a person"),
            Self::Imported { keys } => write!(f, "takes what a person imports; keys: {keys}"),
            Self::Unknown => f.write_str("changes in a way that a newer version knows"),
        }
    }
}

/// A session of another agent, whose events are told to this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentSession {
    /// Which agent, such as `claude-code`.
    pub name: String,
    /// The session, by the agent's own name for it.
    pub session: String,
    /// The call of a tool, by the agent's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
}

/// What a person answered to a question of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consent {
    /// Yes.
    Given,
    /// No.
    Declined,
    /// Nothing.
    Dismissed,
}

/// What one hook decided about one event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decided {
    /// The id of what it staged: its store's writes and its texts for the model have an intent and an
    /// end under it.
    pub call: String,
    /// Whose it is.
    pub feature: FeatureId,
    /// Its name.
    pub hook: String,
    /// The decision as it made it; `None` where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Body>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failure: Vec<Diagnostic>,
    /// What it said beside its decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Diagnostic>,
    /// Its texts for the model, as they are shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// What it cost.
    pub receipt: Receipt,
    /// What it got from its host that the event does not decide, a [`Heard`]; left out where that is
    /// nothing, and where it stands with its intent.
    ///
    /// [`Heard`]: crate::feature::heard::Heard
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Body>,
}

/// A feature of a catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureEntry {
    /// Which.
    pub feature: FeatureId,
    /// The folder that it belongs to.
    #[serde(serialize_with = "as_text")]
    pub root: PathBuf,
    /// SHA-256 of its source and imports; empty for one that has none.
    pub digest: String,
    /// Its descriptor.
    pub descriptor: Body,
    /// The texts of its source and imports, as whoever read them wants them back; `None` for one that
    /// has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Body>,
    /// What it was granted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Capability>,
    /// The bounds of its calls that are not the usual ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<(Limit, u64)>,
}

/// What was called, and with what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallEntry {
    /// Whose; `None` for a name that nobody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<FeatureId>,
    /// The folder that the feature belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "some_as_text")]
    pub root: Option<PathBuf>,
    /// The tool or the hook.
    pub contribution: String,
    /// The arguments, or the event.
    pub input: Body,
    /// The clock that the script saw, in milliseconds since the Unix epoch; `None` was the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<i64>,
    /// The seed of its random numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// What a person answered when it was run before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// The line of the catalog that it was called in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<u64>,
    /// What it got from its host that its input does not decide, a [`Heard`]; left out where that is
    /// nothing.
    ///
    /// [`Heard`]: crate::feature::heard::Heard
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Body>,
    /// What it staged in its store, by key: `{"value": …}`, or `{"removed": true}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Body>,
}

/// A value: in the line, or in a file beside the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Here.
    Value(Value),
    /// Here, and a secret was taken out of it before it was written.
    Redacted(Value),
    /// In the file that is named for the SHA-256 of its text.
    File {
        /// The hash, in hexadecimal.
        sha256: String,
        /// Its bytes.
        bytes: u64,
        /// Whether a secret was taken out of it before it was written.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        redacted: bool,
    },
}

impl Body {
    /// Whether it is not all that there was: a secret was taken out of it.
    pub fn is_redacted(&self) -> bool {
        matches!(self, Self::Redacted(_) | Self::File { redacted: true, .. })
    }
}

/// The hash of a text, in hexadecimal.
pub fn hash_of(text: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    Sha256::digest(text).iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The bytes of `,"hash":"…"}` at the end of a line.
const HASH_FIELD: usize = r#","hash":"#.len() + 1 + 64 + 2;

/// The line of an entry, without the line break, and its hash.
pub(super) fn write(n: u64, at: i64, prev: &str, entry: &Entry) -> (String, String) {
    #[derive(Serialize)]
    struct Unhashed<'a> {
        n: u64,
        at: i64,
        prev: &'a str,
        #[serde(flatten)]
        entry: &'a Entry,
    }
    let mut line = serde_json::to_string(&Unhashed { n, at, prev, entry })
        .expect("an entry has text keys and finite numbers only");
    let hash = hash_of(line.as_bytes());
    line.pop();
    line.push_str(r#","hash":""#);
    line.push_str(&hash);
    line.push_str("\"}");
    (line, hash)
}

/// Whether the hash at the end of a line is that of the rest, and which it is.
pub(super) fn check_hash(line: &str) -> Option<&str> {
    let (text, field) = line.split_at_checked(line.len().checked_sub(HASH_FIELD)?)?;
    let hash = field.strip_prefix(r#","hash":""#)?.strip_suffix("\"}")?;
    (hash_of(format!("{text}}}").as_bytes()) == hash).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_line_reads_back_as_it_was_written() {
        let entry =
            Entry::Done { call: "c-1".into(), notices: vec!["é\n".into()], recovered: true };
        let (line, hash) = write(7, -3, GENESIS, &entry);
        assert!(!line.contains('\n'));
        assert_eq!(check_hash(&line), Some(hash.as_str()));
        let read: Line = serde_json::from_str(&line).expect("a line");
        assert_eq!(read, Line { n: 7, at: -3, prev: GENESIS.into(), entry, hash });
    }

    proptest! {
        #[test]
        fn no_byte_of_a_line_changes_unseen(at in 0..400_usize, flip in 1..=255_u8) {
            let entry = Entry::Void { call: "c-1".into(), reason: "x".repeat(200) };
            let mut bytes = write(1, 0, GENESIS, &entry).0.into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let line = String::from_utf8_lossy(&bytes);
            prop_assert_eq!(check_hash(&line), None);
        }
    }
}
