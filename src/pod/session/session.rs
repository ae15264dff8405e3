//! An agent's session: what a worker puts on record, and the transcript that comes of it.
//!
//! The transcript is read from the log and kept nowhere else, so what the model sees and what is on
//! record cannot differ. A fact that the log does not explain is refused and not written.

use super::entry::{Body, Entry};
use super::facts::{Facts, Said};
use super::log::{FILE, LogError, SessionLog, io_error};
use super::read::RawLines;
use super::said::{
    AssistantMessage, Begin, Compaction, Instructions, Notice, Parent, Reason, Request, Resumed,
    Spawned, ToolCall, ToolResult, Trouble, TurnEnd, Usage, UserMessage,
};
use super::transcript::Transcript;
use crate::diagnostic::Diagnostic;
use crate::private;
use serde_json::Value;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why something cannot be done with a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The log cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Another process goes on with it.
    #[error("the session `{0}` is in the hands of another process")]
    InUse(String),
    /// There is none.
    #[error("the log `{0}` holds no session of an agent")]
    None(String),
    /// There is one already.
    #[error("the log `{0}` holds a session; one log holds one")]
    Begun(String),
    /// The line is none that a session can be forked off at.
    #[error("the session `{session}` cannot be forked off at line {line}: {reason}")]
    Fork {
        /// Of which.
        session: String,
        /// Where.
        line: u64,
        /// Why not.
        reason: String,
    },
    /// The model would see what nothing in the log explains.
    #[error("the model would see what the log does not explain: {0}")]
    Unexplained(String),
}

impl SessionError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        let text = self.to_string();
        match self {
            Self::Log(error) => error.diagnostic(),
            Self::InUse(_) => Diagnostic::operator("session/in-use", text)
                .help("end that process, or fork the session off"),
            Self::None(_) | Self::Begun(_) => Diagnostic::operator("session/none", text)
                .help("`peasy log list` shows the sessions that there are"),
            Self::Fork { .. } => Diagnostic::caller("session/fork", text)
                .help("fork at the end of a turn; `peasy log show --last 0` shows the lines"),
            Self::Unexplained(_) => Diagnostic::host("session/unexplained", text),
        }
    }
}

/// Who has a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The way in, such as `chat`.
    pub front: String,
    /// The agent, where the front knows one.
    pub agent: Option<String>,
    /// The folder that it works in, where the front tells; one whose name is not UTF-8 is not written down.
    pub root: Option<PathBuf>,
}

/// What a model is asked with, beside the facts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// Whose model.
    pub provider: String,
    /// Which.
    pub model: String,
    /// The definitions of the tools that it is given.
    pub tools: Option<Value>,
    /// What else it is given.
    pub settings: Option<Value>,
}

/// What a model answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answered {
    /// Its text.
    pub text: String,
    /// The tools that it calls: its name for the call, the tool, the arguments.
    pub calls: Vec<(String, String, Value)>,
    /// What its provider wants to see again, as it came.
    pub opaque: Option<Value>,
    /// Why it ended, in its provider's words.
    pub stop: Option<String>,
}

/// One session of an agent, in the hands of this process. It is safe to share.
pub struct Session {
    log: Arc<SessionLog>,
    id: String,
    facts: Mutex<Facts>,
    _lock: File,
}

/// The file that the process locks which goes on with a session.
const LOCK: &str = "session.lock";

/// Definitions of tools and settings are the same at most requests: what is longer than this stands in
/// a file of its own, once.
const REPEATED: usize = 256;

/// What is shown of a call whose process ended before it.
const INTERRUPTED: &str = "session/interrupted";

impl Session {
    /// Begins a session in a log that holds none.
    ///
    /// # Errors
    ///
    /// It holds one, or cannot be read or written.
    pub fn begin(log: Arc<SessionLog>, about: &About) -> Result<Self, SessionError> {
        Self::start(log, about, None, None)
    }

    /// Begins the session of a sub-pod, which a call of another session started.
    ///
    /// # Errors
    ///
    /// As [`Self::begin`].
    pub(in crate::pod) fn begin_below(
        log: Arc<SessionLog>,
        about: &About,
        spawned: Spawned,
    ) -> Result<Self, SessionError> {
        Self::start(log, about, None, Some(spawned))
    }

    /// Begins a session that goes on from the line `at` of another, or from its end. Its facts up to
    /// there are facts of the new one, and are not copied: the other one has to stay where it is,
    /// beside this one.
    ///
    /// # Errors
    ///
    /// At that line a turn is under way, or there is no such session.
    pub fn fork(
        log: Arc<SessionLog>,
        parent: &Path,
        at: Option<u64>,
        about: &About,
    ) -> Result<Self, SessionError> {
        let name = name_of(parent);
        let mut facts = Facts::new(parent);
        facts.catch_up(at.unwrap_or(u64::MAX))?;
        let line = facts.line();
        let refused = |reason: &str| SessionError::Fork {
            session: name.clone(),
            line: at.unwrap_or(line),
            reason: reason.to_owned(),
        };
        if facts.session().is_none() {
            return Err(SessionError::None(name));
        }
        if at.is_some_and(|at| at != line || at == 0) {
            return Err(refused("there is no such line"));
        }
        if let Some(id) = facts.open().next() {
            return Err(refused(&format!("the model waits for the result of the call `{id}`")));
        }
        let hash = facts.hash().to_owned();
        let same = log.folder().parent() == parent.parent() && log.folder() != parent;
        if !same {
            return Err(refused("a fork lies beside it, in a folder of its own"));
        }
        Self::start(log, about, Some(Parent { session: name, line, hash }), None)
    }

    fn start(
        log: Arc<SessionLog>,
        about: &About,
        parent: Option<Parent>,
        spawned: Option<Spawned>,
    ) -> Result<Self, SessionError> {
        let id = name_of(log.folder());
        let session = Self::take_hold(log, id)?;
        if session.facts().session().is_some() {
            return Err(SessionError::Begun(session.id.clone()));
        }
        session.append(Entry::Session(Begin {
            session: session.id.clone(),
            front: about.front.clone(),
            agent: about.agent.clone(),
            root: about.root.clone().filter(|root| root.to_str().is_some()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            parent,
            spawned,
        }))?;
        Ok(session)
    }

    /// Goes on with the session of a log. Calls that the model was shown no result of, because the
    /// process ended, are shown one that says so.
    ///
    /// # Errors
    ///
    /// There is none, another process has it, or the log cannot be read or written.
    pub fn resume(log: Arc<SessionLog>, about: &About) -> Result<Self, SessionError> {
        let id = name_of(log.folder());
        let session = Self::take_hold(log, id)?;
        if session.facts().session().is_none() {
            return Err(SessionError::None(session.id.clone()));
        }
        session.append(Entry::Resumed(Resumed {
            instance: session.log.instance().to_owned(),
            front: about.front.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }))?;
        session.close_open_calls()?;
        Ok(session)
    }

    fn take_hold(log: Arc<SessionLog>, id: String) -> Result<Self, SessionError> {
        let path = log.folder().join(LOCK);
        let lock = private::options().write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(io_error(&path, "opened"))?;
        if lock.try_lock().is_err() {
            return Err(SessionError::InUse(id));
        }
        let mut facts = Facts::new(log.folder());
        facts.catch_up(u64::MAX)?;
        Ok(Self { log, id, facts: Mutex::new(facts), _lock: lock })
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its id, which is the name of its folder.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The log that it is on record in.
    pub fn log(&self) -> &Arc<SessionLog> {
        &self.log
    }

    /// The calls of the model that it was shown no result of, by its names for them.
    pub fn open_calls(&self) -> Vec<String> {
        let _ = self.facts().catch_up(u64::MAX);
        self.facts().open().map(str::to_owned).collect()
    }

    /// What the model sees now, read from the log.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn transcript(&self) -> Result<Transcript, SessionError> {
        let mut facts = self.facts();
        facts.catch_up(u64::MAX)?;
        Ok(Transcript::of(&facts)?)
    }

    /// What the model is told before everything else, and where that comes from.
    ///
    /// # Errors
    ///
    /// It cannot be recorded; the model does not see it.
    pub fn append_instructions(&self, text: &str, source: &str) -> Result<u64, SessionError> {
        let text = self.body(&text.into())?;
        self.append(Entry::Instructions(Instructions { text, source: source.to_owned() }))
    }

    /// What a person wrote.
    ///
    /// # Errors
    ///
    /// It cannot be recorded; the model does not see it.
    pub fn append_user(&self, content: &Value) -> Result<u64, SessionError> {
        let content = self.body(content)?;
        self.append(Entry::User(UserMessage { content }))
    }

    /// The model is about to be asked, with the facts as they stand. Gives the request's number.
    ///
    /// # Errors
    ///
    /// It cannot be recorded, or a call of the model has no result yet; the request is not made.
    pub fn append_request(&self, asked: &Asked) -> Result<u64, SessionError> {
        let repeated = |value: &Option<Value>| {
            value.as_ref().map(|value| self.log.body_above(value, REPEATED)).transpose()
        };
        let (tools, settings) = (repeated(&asked.tools)?, repeated(&asked.settings)?);
        self.append_with(|facts| {
            Entry::Request(Request {
                provider: asked.provider.clone(),
                model: asked.model.clone(),
                catalog: facts.catalog(),
                tools,
                settings,
                facts: facts.live().len() as u64,
                digest: facts.digest(),
            })
        })
    }

    /// What the model answered to the latest request.
    ///
    /// # Errors
    ///
    /// It cannot be recorded, it names two calls alike, or `request` is not the latest.
    pub fn append_assistant(&self, request: u64, answer: &Answered) -> Result<u64, SessionError> {
        let calls = answer.calls.iter().map(|(id, tool, arguments)| {
            let (id, tool) = (id.clone(), tool.clone());
            Ok(ToolCall { id, tool, arguments: self.body(arguments)? })
        });
        let calls = calls.collect::<Result<_, SessionError>>()?;
        let opaque = answer.opaque.as_ref().map(|value| self.body(value)).transpose()?;
        let text = self.body(&answer.text.as_str().into())?;
        let stop = answer.stop.clone();
        self.append(Entry::Assistant(AssistantMessage { request, text, calls, opaque, stop }))
    }

    /// What the model is shown of its call `id`: what the log holds of the recorded call `call`, its
    /// result or why there is none.
    ///
    /// # Errors
    ///
    /// The call is not on record or not over, or the model made no such call.
    pub fn append_tool_result(&self, id: &str, call: &str) -> Result<u64, SessionError> {
        self.append(Entry::ToolResult(ToolResult {
            id: id.to_owned(),
            reason: Reason::Call(call.to_owned()),
            shown: None,
        }))
    }

    /// What the model is shown of its call `id` in the place of a result: what was decided of the
    /// recorded call ([`Reason::Call`]), or what the host says ([`Reason::Host`]).
    ///
    /// # Errors
    ///
    /// The reason explains nothing, or the model made no such call.
    pub fn append_tool_answer(
        &self,
        id: &str,
        shown: &Value,
        reason: Reason,
    ) -> Result<u64, SessionError> {
        let shown = Some(self.body(shown)?);
        self.append(Entry::ToolResult(ToolResult { id: id.to_owned(), reason, shown }))
    }

    /// The texts that a recorded call sent to the model become visible to it. Says how many they are.
    ///
    /// # Errors
    ///
    /// They cannot be recorded.
    pub fn append_notices_of(&self, call: &str) -> Result<u64, SessionError> {
        let count = {
            let mut facts = self.facts();
            facts.catch_up(u64::MAX)?;
            facts.texts_of(call)
        };
        for index in 0..count {
            let reason = Reason::Sent(call.to_owned(), index);
            self.append(Entry::Notice(Notice { reason, text: None }))?;
        }
        Ok(count)
    }

    /// A text that the model is shown, such as why a turn goes on.
    ///
    /// # Errors
    ///
    /// The reason explains nothing, or it cannot be recorded.
    pub fn append_notice(&self, text: &str, reason: Reason) -> Result<u64, SessionError> {
        let text = Some(self.body(&text.into())?);
        self.append(Entry::Notice(Notice { reason, text }))
    }

    /// A summary takes the place of `facts` messages of the transcript, behind the first `from` of them.
    /// `reason` says who made it.
    ///
    /// # Errors
    ///
    /// They do not stand, or it cannot be recorded.
    pub fn append_compaction(
        &self,
        from: usize,
        facts: usize,
        summary: &str,
        reason: Reason,
    ) -> Result<u64, SessionError> {
        let summary = self.body(&summary.into())?;
        let (from, facts) = (from as u64, facts as u64);
        self.append(Entry::Compaction(Compaction { from, facts, summary, reason }))
    }

    /// What a request cost.
    ///
    /// # Errors
    ///
    /// It cannot be recorded.
    pub fn append_usage(&self, usage: Usage) -> Result<u64, SessionError> {
        self.append(Entry::Usage(usage))
    }

    /// The model's turn is over.
    ///
    /// # Errors
    ///
    /// It cannot be recorded.
    pub fn append_turn_end(&self, why: &str) -> Result<u64, SessionError> {
        self.append(Entry::TurnEnd(TurnEnd { why: why.to_owned() }))
    }

    /// A request came to nothing, or something else went wrong. The model sees nothing of it.
    ///
    /// # Errors
    ///
    /// It cannot be recorded.
    pub fn append_trouble(
        &self,
        request: Option<u64>,
        failure: Vec<Diagnostic>,
    ) -> Result<u64, SessionError> {
        self.append(Entry::Trouble(Trouble { request, failure }))
    }

    fn close_open_calls(&self) -> Result<(), SessionError> {
        for id in self.open_calls() {
            let shown = "The session was interrupted before this call's result was on record. \
                         It may have happened, in part or whole.";
            let reason = Reason::Host(INTERRUPTED.to_owned());
            self.append_tool_answer(&id, &shown.into(), reason)?;
        }
        Ok(())
    }

    fn body(&self, value: &Value) -> Result<Body, SessionError> {
        Ok(self.log.body(value)?)
    }

    fn append(&self, entry: Entry) -> Result<u64, SessionError> {
        self.append_with(|_| entry)
    }

    /// Writes an entry that the log as it stands explains.
    fn append_with(&self, entry: impl FnOnce(&Facts) -> Entry) -> Result<u64, SessionError> {
        let mut facts = self.facts();
        facts.catch_up(u64::MAX)?;
        let entry = entry(&facts);
        let text = serde_json::to_vec(&entry).expect("an entry has text keys and finite numbers");
        if let Some(problem) = Said::read(&text).and_then(|said| facts.problem(&said)) {
            return Err(SessionError::Unexplained(problem));
        }
        let line = self.log.record(&entry)?;
        facts.catch_up(u64::MAX)?;
        Ok(line)
    }
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The transcript of the session in `folder`, as the model sees it after the line `at`, or now.
///
/// # Errors
///
/// There is no session, or the log cannot be read.
pub fn transcript(folder: &Path, at: Option<u64>) -> Result<Transcript, SessionError> {
    // Says that there is no such file, where there is none.
    RawLines::from(folder, 0).map_err(|_| SessionError::None(name_of(folder)))?;
    let mut facts = Facts::new(folder);
    facts.catch_up(at.unwrap_or(u64::MAX))?;
    match facts.session() {
        Some(_) => Ok(Transcript::of(&facts)?),
        None => Err(SessionError::None(folder.join(FILE).display().to_string())),
    }
}
