//! The transcript: what the model sees, message by message, each with its reason.
//!
//! It is read from the log as it is asked for; nothing of it is kept. Nothing here decides what
//! stands.

use super::entry::{Body, Entry, Line};
use super::facts::{Facts, Live};
use super::log::LogError;
use super::read::{RawLines, load};
use super::said::Reason;
use crate::feature::call::Failure;
use serde::Serialize;
use serde_json::Value;
use std::cell::Cell;
use std::path::PathBuf;

/// One message of a transcript.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// The line of the log that it stands on.
    pub line: u64,
    /// The session whose log that is, where it is one that this one was forked off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// What it is.
    #[serde(flatten)]
    pub content: Content,
    /// Why the model sees it.
    pub because: String,
    /// Whether a secret was taken out of it before it was written, so that the model may have seen more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redacted: bool,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "role", rename_all = "snake_case")]
pub enum Content {
    /// What the model is told before everything else.
    Instructions {
        /// The text.
        text: String,
    },
    /// What a person wrote.
    User {
        /// A text, or what else the front takes.
        content: Value,
    },
    /// What the model wrote.
    Assistant {
        /// Its text.
        text: String,
        /// The tools that it calls.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        calls: Vec<Called>,
        /// What its provider wants to see again.
        #[serde(skip_serializing_if = "Option::is_none")]
        opaque: Option<Value>,
    },
    /// The result of a call that the model made, or why there is none.
    ToolResult {
        /// The model's name for the call.
        id: String,
        /// What is shown.
        shown: Value,
        /// Whether the call failed.
        is_error: bool,
    },
    /// A text for the model.
    Notice {
        /// The text.
        text: String,
    },
    /// What stands in the place of earlier messages.
    Summary {
        /// The text.
        text: String,
        /// How many messages it took the place of.
        facts: u64,
    },
}

/// A call that the model makes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Called {
    /// The model's name for it.
    pub id: String,
    /// The tool.
    pub tool: String,
    /// The arguments.
    pub arguments: Value,
}

/// The messages of a session, from first to last.
pub struct Transcript {
    logs: Vec<(PathBuf, Option<RawLines>)>,
    live: std::vec::IntoIter<Live>,
}

impl Transcript {
    pub(super) fn of(facts: &Facts) -> Result<Self, LogError> {
        let logs = facts.folders().iter().map(|folder| (folder.clone(), None)).collect();
        Ok(Self { logs, live: facts.live().to_vec().into_iter() })
    }

    /// How many messages are left.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether there are none left.
    pub fn is_empty(&self) -> bool {
        self.live.len() == 0
    }

    fn message(&mut self, live: Live) -> Result<Message, LogError> {
        let own = self.logs.len() - 1;
        let (folder, lines) = &mut self.logs[live.log];
        let folder = folder.clone();
        let lines = match lines {
            Some(lines) => lines,
            none => none.insert(RawLines::from(&folder, 0)?),
        };
        let lost = || LogError::Damaged(folder.clone());
        let line = lines.entry_at(live.at)?.ok_or_else(lost)?;
        let source = live.source.map(|at| lines.entry_at(at)?.ok_or_else(lost)).transpose()?;
        let teller = Teller { folder: &folder, is_redacted: Cell::new(false) };
        let (content, because) = teller.tell(line, source)?;
        let name = || folder.file_name().map(|name| name.to_string_lossy().into_owned());
        let session = if live.log == own { None } else { name() };
        let redacted = teller.is_redacted.get();
        Ok(Message { line: live.line, session, content, because, redacted })
    }
}

impl Iterator for Transcript {
    type Item = Result<Message, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        let live = self.live.next()?;
        Some(self.message(live))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.live.len(), Some(self.live.len()))
    }
}

struct Teller<'a> {
    folder: &'a std::path::Path,
    /// Whether one of the values that were read was redacted.
    is_redacted: Cell<bool>,
}

impl Teller<'_> {
    fn tell(&self, line: Line, source: Option<Line>) -> Result<(Content, String), LogError> {
        Ok(match line.entry {
            Entry::Instructions(said) => {
                (Content::Instructions { text: self.text(&said.text)? }, said.source)
            }
            Entry::User(said) => {
                (Content::User { content: self.value(&said.content)? }, "the user wrote it".into())
            }
            Entry::Assistant(said) => {
                let calls = said.calls.into_iter().map(|call| {
                    let arguments = self.value(&call.arguments)?;
                    Ok(Called { id: call.id, tool: call.tool, arguments })
                });
                let content = Content::Assistant {
                    text: self.text(&said.text)?,
                    calls: calls.collect::<Result<_, LogError>>()?,
                    opaque: said.opaque.as_ref().map(|body| self.value(body)).transpose()?,
                };
                (content, format!("the model answered request {}", said.request))
            }
            Entry::ToolResult(said) => {
                let (shown, is_error) = match (&said.shown, source.map(|line| line.entry)) {
                    (Some(shown), _) => {
                        (self.value(shown)?, matches!(said.reason, Reason::Host(_)))
                    }
                    (None, Some(Entry::Call { result: None, failure, .. })) => {
                        let failure = Failure { diagnostics: failure, question: None };
                        (Value::String(failure.to_string()), true)
                    }
                    (
                        None,
                        Some(
                            Entry::Call { result: Some(result), .. } | Entry::Intent { result, .. },
                        ),
                    ) => (self.value(&result)?, false),
                    (None, _) => return Err(LogError::Damaged(self.folder.to_owned())),
                };
                (Content::ToolResult { id: said.id, shown, is_error }, words(&said.reason))
            }
            Entry::Notice(said) => {
                let text = match (&said.text, source.map(|line| line.entry), &said.reason) {
                    (Some(text), ..) => self.text(text)?,
                    (None, Some(Entry::Done { notices, .. }), Reason::Sent(_, index)) => {
                        let index = usize::try_from(*index).unwrap_or(usize::MAX);
                        notices.get(index).cloned().unwrap_or_default()
                    }
                    _ => return Err(LogError::Damaged(self.folder.to_owned())),
                };
                (Content::Notice { text }, words(&said.reason))
            }
            Entry::Compaction(said) => {
                let text = self.text(&said.summary)?;
                (Content::Summary { text, facts: said.facts }, words(&said.reason))
            }
            _ => return Err(LogError::Damaged(self.folder.to_owned())),
        })
    }

    fn value(&self, body: &Body) -> Result<Value, LogError> {
        self.is_redacted.set(self.is_redacted.get() || body.is_redacted());
        load(self.folder, body)
    }

    fn text(&self, body: &Body) -> Result<String, LogError> {
        Ok(match self.value(body)? {
            Value::String(text) => text,
            other => other.to_string(),
        })
    }
}

/// A reason for people.
fn words(reason: &Reason) -> String {
    match reason {
        Reason::Call(call) => format!("the call {call}"),
        Reason::Sent(call, index) => format!("text {} of the call {call}", index + 1),
        Reason::Request(line) => format!("the model wrote it at request {line}"),
        Reason::Host(what) => format!("the host: {what}"),
    }
}
