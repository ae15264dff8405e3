//! What the host and a sandbox process say to each other of calls: framed JSON over one socket.
//!
//! The host gives orders and answers questions; the process asks, tells events, and ends a call. A
//! frame is the length of its JSON in four bytes, little-endian, and the JSON.

use crate::diagnostic::Diagnostic;
use crate::feature::call::{CallContext, Failure, Receipt};
use crate::feature::capability::{Capability, SecretName};
use crate::feature::commons::{Commons, CommonsAsk};
use crate::feature::event::FeatureEvent;
use crate::feature::grant::GrantSet;
use crate::feature::heard::Heard;
use crate::feature::id::{ChannelName, FeatureId};
use crate::feature::question::Answer;
use crate::feature::subpod::PodAsk;
use crate::feature::transaction::{Act, Transaction};
use crate::limit::{Limit, Limits};
use crate::script::call::{Entry, Program};
use crate::script::frame::Role;
use crate::script::invoke::MemoryBound;
use crate::script::source::{ImportEdge, SourceFile, SourceTree};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most bytes of one frame: arguments and results have ceilings far below.
const MOST_FRAME: usize = 256 << 20;

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;

/// What the host tells a sandbox process.
#[derive(Serialize, Deserialize)]
pub(super) enum Order {
    /// The first: what its calls may hold, and what the process may.
    Begin { memory: u64, address_space: u64, is_metered: bool },
    /// A program that calls will name by its number.
    Load { number: u64, program: Box<Text> },
    /// No call will name these programs any more.
    Forget(Vec<u64>),
    /// A call. The next begins when this one has ended.
    Call(Box<CallOrder>),
    /// What the host says to what was asked.
    Answer(Result<Value, Diagnostic>),
}

/// What a sandbox process tells the host.
#[derive(Serialize, Deserialize)]
pub(super) enum Word {
    /// The first: it can be called, and has this version.
    Ready(String),
    /// The script needs something of its host, and waits.
    Ask(Ask),
    /// A live event.
    Event(FeatureEvent),
    /// The call has ended.
    Ended(Box<Ended>),
}

/// What a script asks of its host: a function of [`Transaction`] each.
#[derive(Serialize, Deserialize)]
pub(super) enum Ask {
    StoreGet(String),
    StoreSet(String, String),
    StoreDelete(String),
    StoreKeys(String, usize),
    Commons(Commons, CommonsAsk),
    Pod(PodAsk),
    Act(Act),
    Secret(String),
    Heard(Box<Heard>),
}

impl Ask {
    /// Asks the host, and gives its answer as data.
    pub fn put_to(self, host: &dyn Transaction) -> Result<Value, Diagnostic> {
        match self {
            Self::StoreGet(key) => host.store_get(&key).map(Value::from),
            Self::StoreSet(key, value) => host.store_set(&key, &value).map(Value::from),
            Self::StoreDelete(key) => host.store_delete(&key).map(Value::from),
            Self::StoreKeys(prefix, most) => host.store_keys(&prefix, most).map(Value::from),
            Self::Commons(commons, ask) => host
                .commons(commons, &ask)
                .map(|answer| serde_json::to_value(answer).unwrap_or_default()),
            Self::Pod(ask) => {
                host.pod(&ask).map(|answer| serde_json::to_value(answer).unwrap_or_default())
            }
            Self::Act(act) => host.act(&act).map(Value::from),
            Self::Secret(name) => {
                let name: SecretName = name.parse().map_err(|_| unknown_secret())?;
                // It goes to the other end of a socket that nobody else holds.
                host.secret(&name).map(|secret| Value::from(secret.expose()))
            }
            Self::Heard(heard) => {
                host.heard(*heard);
                Ok(Value::Null)
            }
        }
    }
}

fn unknown_secret() -> Diagnostic {
    Diagnostic::host("host/lost", "a sandbox process asks for a secret by no name")
}

/// A program as text.
#[derive(Serialize, Deserialize)]
pub(super) struct Text {
    main: FileText,
    modules: Vec<(String, FileText)>,
    imports: Vec<ImportEdge>,
    digest: String,
    grants: Vec<Capability>,
    requested: Vec<Capability>,
    pub channels: Vec<ChannelName>,
}

#[derive(Serialize, Deserialize)]
struct FileText {
    name: String,
    path: String,
    text: String,
}

impl FileText {
    fn of(file: &SourceFile) -> Self {
        // The path is for messages alone: what is imported was read before.
        let path = file.path.display().to_string();
        Self { name: file.name.clone(), path, text: file.text.to_string() }
    }

    fn file(self) -> Arc<SourceFile> {
        Arc::new(SourceFile { name: self.name, path: self.path.into(), text: self.text.into() })
    }
}

impl Text {
    pub fn of(program: &Program, channels: &[ChannelName]) -> Self {
        let SourceTree { main, modules, imports, digest, root: _ } = &*program.tree;
        let modules = modules.iter().map(|(key, file)| (key.clone(), FileText::of(file)));
        Self {
            main: FileText::of(main),
            modules: modules.collect(),
            imports: imports.clone(),
            digest: digest.clone(),
            grants: program.grants.iter().cloned().collect(),
            requested: program.requested.clone(),
            channels: channels.to_vec(),
        }
    }

    pub fn program(self) -> Program {
        let modules = self.modules.into_iter().map(|(key, file)| (key, file.file()));
        let tree = SourceTree {
            main: self.main.file(),
            modules: modules.collect(),
            imports: self.imports,
            digest: self.digest,
            // Nothing is read from there any more.
            root: Default::default(),
        };
        Program {
            tree: Arc::new(tree),
            grants: Arc::new(GrantSet::of(self.grants)),
            requested: self.requested,
        }
    }
}

/// One call.
#[derive(Serialize, Deserialize)]
pub(super) struct CallOrder {
    /// By which it is cancelled; no other call of the process has it.
    pub number: u64,
    pub program: u64,
    pub role: Role,
    pub entry: Entry,
    pub arguments: Vec<Value>,
    pub feature: FeatureId,
    limits: Vec<(Limit, u64)>,
    pub now: Option<i64>,
    pub seed: u64,
    pub answers: Vec<Answer>,
    pub time_left: Duration,
    pub workspace: Option<PathBuf>,
    pub closed: Vec<PathBuf>,
    pub record_room: u64,
}

impl CallOrder {
    pub fn new(
        number: u64,
        program: u64,
        role: Role,
        entry: &Entry,
        arguments: Vec<Value>,
        context: &CallContext,
    ) -> Self {
        Self {
            number,
            program,
            role,
            entry: entry.clone(),
            arguments,
            feature: (*context.feature).clone(),
            limits: Limit::all().map(|limit| (limit, context.limits.get(limit))).collect(),
            now: context.conditions.now,
            seed: context.conditions.seed,
            answers: context.answers.to_vec(),
            time_left: context.deadline.saturating_duration_since(Instant::now()),
            workspace: context.transaction.workspace().map(Path::to_owned),
            closed: context.transaction.closed().to_vec(),
            record_room: context.transaction.record_room(),
        }
    }

    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        for &(limit, value) in &self.limits {
            // They were chosen where they could be refused.
            let _ = limits.set(limit, value);
        }
        limits
    }
}

/// What came of a call.
#[derive(Serialize, Deserialize)]
pub(crate) struct Ended {
    pub result: Result<Value, Failure>,
    pub notices: Vec<String>,
    pub diagnostics: Vec<Diagnostic>,
    pub receipt: Receipt,
    /// Whether the call left its process in a state that only a new one does not have.
    pub is_worn: bool,
}

/// How the bound of memory is told.
pub(super) fn is_metered(bound: MemoryBound) -> bool {
    bound == MemoryBound::Metered
}

/// One end of the socket.
pub(super) struct Line {
    stream: UnixStream,
    /// What was read and is not a whole frame yet.
    read: Vec<u8>,
    chunk: Box<[u8]>,
}

impl Line {
    pub fn new(stream: UnixStream) -> Self {
        Self { stream, read: Vec::new(), chunk: vec![0; CHUNK].into() }
    }

    /// Sends one frame, whole.
    ///
    /// # Errors
    ///
    /// The other end is gone, or does not read for as long as the socket waits.
    pub fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut frame = vec![0; size_of::<u32>()];
        serde_json::to_writer(&mut frame, message)?;
        let length = frame.len() - size_of::<u32>();
        let length = u32::try_from(length).map_err(|_| io::ErrorKind::InvalidInput)?;
        frame[..size_of::<u32>()].copy_from_slice(&length.to_le_bytes());
        self.stream.write_all(&frame)
    }

    /// The next frame; `None` where none came for as long as the socket waits.
    ///
    /// # Errors
    ///
    /// The other end is gone (`UnexpectedEof`), or sent what is no frame.
    pub fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(frame) = self.take_frame()? {
                return Ok(Some(frame));
            }
            match self.stream.read(&mut self.chunk) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.read.extend_from_slice(&self.chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    fn take_frame<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let Some((head, rest)) = self.read.split_first_chunk() else { return Ok(None) };
        let length = usize::try_from(u32::from_le_bytes(*head)).unwrap_or(usize::MAX);
        if length > MOST_FRAME {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some(frame) = rest.get(..length) else { return Ok(None) };
        let frame = serde_json::from_slice(frame)?;
        self.read.drain(..size_of::<u32>() + length);
        // A long frame is no reason to hold that much for ever.
        if self.read.is_empty() && self.read.capacity() > 4 * CHUNK {
            self.read = Vec::new();
        }
        Ok(Some(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> (Line, Line) {
        let (one, other) = UnixStream::pair().expect("a pair of sockets");
        (Line::new(one), Line::new(other))
    }

    #[test]
    fn frames_arrive_whole_and_in_order() {
        let (mut host, mut process) = lines();
        let long = "ü".repeat(100_000);
        let asked = Ask::StoreSet("key".to_owned(), long.clone());
        let sender = std::thread::spawn(move || {
            process.send(&Word::Ready("1".to_owned())).expect("it is read");
            process.send(&Word::Ask(asked)).expect("it is read");
        });
        assert!(matches!(host.receive(), Ok(Some(Word::Ready(version))) if version == "1"));
        let Ok(Some(Word::Ask(Ask::StoreSet(key, value)))) = host.receive() else {
            panic!("the second frame")
        };
        assert_eq!((key.as_str(), value), ("key", long));
        sender.join().expect("it sent");
        let gone = host.receive::<Word>().map(drop).expect_err("the other end is gone");
        assert_eq!(gone.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        for bytes in [&b"\xff\xff\xff\xff"[..], b"\x02\0\0\0{}", b"\x01\0\0\0["] {
            let (mut host, process) = lines();
            (&process.stream).write_all(bytes).expect("it fits the socket");
            assert!(host.receive::<Word>().is_err(), "{bytes:?}");
        }
        let (mut host, process) = lines();
        (&process.stream).write_all(b"\x08\0\0\0{\"Rea").expect("it fits the socket");
        host.stream.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
        assert!(matches!(host.receive::<Word>(), Ok(None)), "a frame that is not whole yet");
    }
}
