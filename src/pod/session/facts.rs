//! What the model can see, derived from the log: which facts stand, and whether each is explained.
//!
//! A session that goes on, `peasy log verify` and `peasy replay` all come from here, so that there is
//! one truth. Lines are taken one after the other; what is kept of them grows with what the model
//! sees, which its context bounds, and not with the length of the log. Nothing here writes.

use super::log::LogError;
use super::read::RawLines;
use super::said::{Parent, Reason};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The latest calls that a fact may be explained by.
const RECENT: usize = 4_096;

/// Most sessions that one goes back over.
const MOST_ANCESTORS: usize = 64;

/// How a problem with what a request shows begins.
pub(super) const SHOWS: &str = "the request shows";

/// Where a fact, and the entry that holds its text, stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Live {
    /// Which log of [`Facts::folders`].
    pub log: usize,
    /// The line's number.
    pub line: u64,
    /// Where it begins in the file.
    pub at: u64,
    hash: [u8; 32],
    /// Where the entry begins that has the text, if the fact has none of its own.
    pub source: Option<u64>,
}

/// The facts that stand after some line of a log.
pub(super) struct Facts {
    /// The folder of the session, after those that it was forked off, the eldest first.
    folders: Vec<PathBuf>,
    /// Where the next line begins.
    at: u64,
    /// The number of the last line.
    line: u64,
    hash: String,
    live: Vec<Live>,
    fold: [u8; 32],
    recent: Recent,
    /// Calls of the model that it was shown no result of.
    open: BTreeSet<String>,
    /// The line of the last request, until it is answered.
    request: Option<u64>,
    catalog: u64,
    session: Option<String>,
}

/// The latest calls, by their ids.
#[derive(Default)]
struct Recent {
    calls: HashMap<String, Known>,
    order: VecDeque<String>,
}

/// What the log says of a call.
#[derive(Default, Clone, Copy)]
struct Known {
    /// Where the entry with its result, or with why there is none, begins.
    result: Option<u64>,
    /// Whether it is over.
    is_over: bool,
    /// Where the entry with its texts for the model begins, and how many they are.
    texts: Option<(u64, u64)>,
}

/// What counts of a line. Everything else is passed over.
#[derive(Deserialize)]
pub(super) struct Said<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    hash: Cow<'a, str>,
    #[serde(borrow)]
    call: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    session: Option<Cow<'a, str>>,
    #[serde(borrow)]
    digest: Option<Cow<'a, str>>,
    parent: Option<Parent>,
    reason: Option<Why>,
    request: Option<u64>,
    #[serde(default)]
    calls: Vec<Called>,
    #[serde(default)]
    notices: Vec<IgnoredAny>,
    shown: Option<IgnoredAny>,
    text: Option<IgnoredAny>,
    from: Option<u64>,
    facts: Option<u64>,
}

/// A reason; `void` has one that is a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Why {
    Reason(Reason),
    Other(IgnoredAny),
}

#[derive(Deserialize)]
struct Called {
    id: String,
}

impl<'a> Said<'a> {
    pub fn read(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    fn reason(&self) -> Option<&Reason> {
        match self.reason.as_ref()? {
            Why::Reason(reason) => Some(reason),
            Why::Other(_) => None,
        }
    }

    /// Whether the model sees it from then on.
    pub fn is_fact(&self) -> bool {
        matches!(
            &*self.kind,
            "instructions" | "user" | "assistant" | "tool_result" | "notice" | "compaction"
        )
    }
}

/// Where a line stands.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub line: u64,
    pub at: u64,
}

impl Facts {
    pub fn new(folder: &Path) -> Self {
        Self {
            folders: vec![folder.to_owned()],
            at: 0,
            line: 0,
            hash: String::new(),
            live: Vec::new(),
            fold: [0; 32],
            recent: Recent::default(),
            open: BTreeSet::new(),
            request: None,
            catalog: 0,
            session: None,
        }
    }

    /// The folders that [`Live::log`] counts.
    pub fn folders(&self) -> &[PathBuf] {
        &self.folders
    }

    /// What the model sees, in order.
    pub fn live(&self) -> &[Live] {
        &self.live
    }

    /// The id of the session, once it has begun.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }

    /// The line of the catalog that stands; 0 before the first.
    pub fn catalog(&self) -> u64 {
        self.catalog
    }

    /// The calls of the model that it was shown no result of.
    pub fn open(&self) -> impl Iterator<Item = &str> {
        self.open.iter().map(String::as_str)
    }

    /// The number of the last line.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Its hash.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The fold of the hashes of what the model sees.
    pub fn digest(&self) -> String {
        hexadecimal(&self.fold)
    }

    /// How many texts for the model a call has, as far as the log knows by now.
    pub fn texts_of(&self, call: &str) -> u64 {
        self.recent.calls.get(call).and_then(|known| known.texts).map_or(0, |(_, count)| count)
    }

    /// Reads what was written since, up to the line `last`, and gives what is wrong with it.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn catch_up(&mut self, last: u64) -> Result<Vec<(u64, String)>, LogError> {
        let mut problems = Vec::new();
        let folder = self.folders.last().cloned().unwrap_or_default();
        if super::read::length(&folder).is_ok_and(|length| length == self.at) {
            return Ok(problems);
        }
        let mut lines = RawLines::from(&folder, self.at)?;
        while self.line < last {
            let Some(raw) = lines.next()? else { break };
            if !raw.is_whole {
                break;
            }
            let (at, end) = (raw.at, raw.at + raw.text.len() as u64 + 1);
            let place = Place { line: self.line + 1, at };
            match Said::read(raw.text) {
                Some(said) => {
                    problems.extend(self.take(&said, place)?.map(|problem| (place.line, problem)));
                }
                None => self.line += 1,
            }
            self.at = end;
        }
        Ok(problems)
    }

    /// Takes the next line, and gives what is wrong with it.
    ///
    /// # Errors
    ///
    /// The log of a session that this one was forked off cannot be read.
    pub fn take(&mut self, said: &Said<'_>, place: Place) -> Result<Option<String>, LogError> {
        self.line = place.line;
        self.at = place.at;
        self.hash = said.hash.to_string();
        let problem = self.problem(said);
        match &*said.kind {
            "call" | "intent" | "done" | "void" | "permission" | "decision" => {
                if let Some(call) = &said.call {
                    self.recent.note(call, said, place.at);
                }
            }
            "catalog" => self.catalog = place.line,
            "session" => {
                self.session = said.session.as_deref().map(str::to_owned);
                if let Some(parent) = &said.parent {
                    return Ok(problem.or(self.inherit(parent)?));
                }
            }
            "request" => self.request = Some(place.line),
            "trouble" if said.request == self.request => self.request = None,
            "assistant" => {
                self.request = None;
                self.open.extend(said.calls.iter().map(|call| call.id.clone()));
            }
            "tool_result" => {
                if let Some(id) = &said.id {
                    self.open.remove(&**id);
                }
            }
            _ => (),
        }
        match &*said.kind {
            // One that replaces what does not stand replaces nothing.
            "compaction" => {
                if let Some(range) = self.range(said) {
                    self.live.drain(range.clone());
                    self.add(said, place, range.start);
                }
            }
            _ if said.is_fact() => self.add(said, place, self.live.len()),
            _ => (),
        }
        Ok(problem)
    }

    /// What would be wrong with this line if it came next.
    pub fn problem(&self, said: &Said<'_>) -> Option<String> {
        let reason = said.reason();
        match &*said.kind {
            "session" if self.session.is_some() => {
                Some("a session begins where one has begun".to_owned())
            }
            "assistant" if said.request.is_none() || said.request != self.request => {
                Some("the model answers, and was not asked".to_owned())
            }
            "assistant" => {
                let ids: BTreeSet<&str> = said.calls.iter().map(|call| &*call.id).collect();
                (ids.len() < said.calls.len() || ids.iter().any(|id| self.open.contains(*id)))
                    .then(|| "the model names two calls alike".to_owned())
            }
            "tool_result" => {
                let id = said.id.as_deref().unwrap_or_default();
                if !self.open.contains(id) {
                    return Some(format!(
                        "`{id}` is shown a result, and the model called no such tool"
                    ));
                }
                self.unexplained(reason?, said.shown.is_some())
            }
            "notice" => self.unexplained(reason?, said.text.is_some()),
            "request" => self.unfounded(said),
            "compaction" if self.range(said).is_none() => {
                Some("what is summarised does not stand".to_owned())
            }
            "compaction" => self.unexplained(reason?, true),
            _ => None,
        }
    }

    /// Why a reason explains nothing.
    fn unexplained(&self, reason: &Reason, has_text: bool) -> Option<String> {
        match reason {
            Reason::Host(what) if what.is_empty() => Some("the host gives no reason".to_owned()),
            Reason::Host(_) => (!has_text).then(|| "the host says nothing".to_owned()),
            Reason::Request(_) => (!has_text).then(|| "the model says nothing".to_owned()),
            Reason::Call(call) => match self.recent.calls.get(call) {
                None => Some(format!("no entry of the call `{call}` comes before")),
                // A refusal stands where there was no call, and has its text with it.
                Some(known) if !known.is_over && !has_text => {
                    Some(format!("the call `{call}` is not over"))
                }
                Some(_) => None,
            },
            Reason::Sent(call, index) => {
                let count = self.texts_of(call);
                (*index >= count).then(|| {
                    format!("the call `{call}` has {count} texts for the model, and none is number {index}")
                })
            }
        }
    }

    /// Whether a request shows the model what the log says that it sees.
    fn unfounded(&self, said: &Said<'_>) -> Option<String> {
        let (facts, known) = (said.facts.unwrap_or_default(), self.live.len() as u64);
        if facts != known {
            return Some(format!("{SHOWS} {facts} facts, and {known} stand"));
        }
        if said.digest.as_deref() != Some(&*self.digest()) {
            return Some(format!("{SHOWS} other facts than those that stand"));
        }
        self.open.first().map(|id| format!("the request leaves the call `{id}` without a result"))
    }

    /// The facts that a compaction replaces, where they stand.
    fn range(&self, said: &Said<'_>) -> Option<Range<usize>> {
        let number = |number: Option<u64>| usize::try_from(number?).ok();
        let (from, facts) = (number(said.from)?, number(said.facts)?);
        let end = from.checked_add(facts).filter(|end| facts > 0 && *end <= self.live.len())?;
        Some(from..end)
    }

    fn add(&mut self, said: &Said<'_>, place: Place, index: usize) {
        let source = match said.reason() {
            Some(Reason::Call(call)) if said.shown.is_none() => {
                self.recent.calls.get(call).and_then(|known| known.result)
            }
            Some(Reason::Sent(call, _)) => {
                self.recent.calls.get(call).and_then(|known| known.texts).map(|(at, _)| at)
            }
            _ => None,
        };
        let hash = bytes_of(&said.hash);
        let log = self.folders.len() - 1;
        let is_last = index == self.live.len();
        self.live.insert(index, Live { log, line: place.line, at: place.at, hash, source });
        self.fold = match is_last && said.kind != "compaction" {
            true => folded(&self.fold, &hash),
            false => self.live.iter().fold([0; 32], |fold, live| folded(&fold, &live.hash)),
        };
    }

    /// Takes over the facts of the session that this one was forked off.
    fn inherit(&mut self, parent: &Parent) -> Result<Option<String>, LogError> {
        let own = self.folders.last().cloned().unwrap_or_default();
        let is_name = !parent.session.contains(['/', '\\']) && !parent.session.starts_with('.');
        let Some(folder) = own.parent().filter(|_| is_name).map(|all| all.join(&parent.session))
        else {
            return Ok(Some(format!("`{}` is no session", parent.session)));
        };
        if self.folders.len() >= MOST_ANCESTORS || self.folders.contains(&folder) {
            return Ok(Some("the session was forked off itself".to_owned()));
        }
        let mut before = Self::new(&folder);
        before.folders = [&self.folders[..self.folders.len() - 1], &[folder]].concat();
        let problems = match before.catch_up(parent.line) {
            Ok(problems) => problems,
            Err(error) => return Ok(Some(format!("the session that it was forked off: {error}"))),
        };
        if before.line != parent.line || before.hash != parent.hash {
            return Ok(Some(format!(
                "line {} of `{}`, where it was forked off, is not what it was",
                parent.line, parent.session
            )));
        }
        (self.live, self.fold, self.open) = (before.live, before.fold, before.open);
        self.folders = [&before.folders[..], &[own]].concat();
        Ok(problems
            .into_iter()
            .next()
            .map(|(line, problem)| format!("line {line} of `{}`: {problem}", parent.session)))
    }
}

impl Recent {
    fn note(&mut self, call: &str, said: &Said<'_>, at: u64) {
        if !self.calls.contains_key(call) {
            if self.order.len() == RECENT
                && let Some(oldest) = self.order.pop_front()
            {
                self.calls.remove(&oldest);
            }
            self.order.push_back(call.to_owned());
        }
        let known = self.calls.entry(call.to_owned()).or_default();
        match &*said.kind {
            "call" => (known.result, known.is_over) = (Some(at), true),
            "intent" => known.result = Some(at),
            "done" => {
                known.is_over = true;
                known.texts = Some((at, said.notices.len() as u64));
            }
            // Its result is nobody's.
            "void" => known.result = None,
            _ => (),
        }
    }
}

fn folded(fold: &[u8; 32], hash: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update(fold).chain_update(hash).finalize().into()
}

fn bytes_of(hash: &str) -> [u8; 32] {
    let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default() as u8;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(hash.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0]) << 4 | digit(pair[1]);
    }
    bytes
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
