//! Whether a log is what was written, from its first line to its last.

#![expect(clippy::disallowed_methods, reason = "the log owns its folder")]

use super::entry::{Body, CallEntry, Entry, GENESIS, Line, check_hash, hash_of};
use super::log::{BODIES, FILE, LogError, io_error};
use super::recover::is_alive;
use crate::store::{Owner, Stores};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, Instant};

/// What a look at a whole log has found.
#[derive(Debug, Default, Serialize)]
pub struct Verified {
    /// Its lines.
    pub lines: u64,
    /// Calls that ended, well or not.
    pub calls: u64,
    /// Calls whose effects are lasting.
    pub committed: u64,
    /// Calls of living processes that are under way.
    pub open: u64,
    /// Acts on the outside world.
    pub acts: u64,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

impl Verified {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The line in the file, from 1; 0 for what belongs to none.
    pub line: u64,
    /// What.
    pub problem: String,
}

/// How long to wait for a store that a living call has locked.
const PATIENCE: Duration = Duration::from_secs(10);

/// The latest calls of an owner that are looked up; a store remembers a thousand.
const LOOKED_UP: usize = 900;

/// Most findings that are listed.
const MOST_FINDINGS: usize = 100;

/// Reads the log in `folder` from its first line to its last: numbers, hashes, side files, that each
/// intent has one end, and that the stores remember the calls that ended last.
///
/// # Errors
///
/// The file cannot be read.
pub fn verify(folder: &Path, stores: Option<&Stores>) -> Result<Verified, LogError> {
    let path = folder.join(FILE);
    let file = File::open(&path).map_err(io_error(&path, "opened"))?;
    let mut check = Check {
        folder,
        verified: Verified::default(),
        prev: GENESIS.to_owned(),
        ends: BTreeMap::new(),
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).map_err(io_error(&path, "read"))? == 0 {
            break;
        }
        check.line(&line);
    }
    check.finish(stores);
    Ok(check.verified)
}

struct Check<'a> {
    folder: &'a Path,
    verified: Verified,
    prev: String,
    /// What became of each intent, and on which line it stands.
    ends: BTreeMap<String, Intent>,
}

struct Intent {
    line: u64,
    owner: Option<Owner>,
    end: Option<End>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum End {
    Done,
    Void,
}

impl Check<'_> {
    fn find(&mut self, line: u64, problem: impl Into<String>) {
        if self.verified.findings.len() < MOST_FINDINGS {
            self.verified.findings.push(Finding { line, problem: problem.into() });
        }
    }

    fn line(&mut self, bytes: &[u8]) {
        self.verified.lines += 1;
        let place = self.verified.lines;
        let Some(text) = bytes.strip_suffix(b"\n") else {
            return self.find(place, "the line is not whole; the next to open the log cuts it off");
        };
        let Ok(text) = std::str::from_utf8(text) else {
            return self.find(place, "the line is not UTF-8");
        };
        let Some(hash) = check_hash(text) else {
            return self.find(place, "the line does not have the hash of its text; it was changed");
        };
        let hash = hash.to_owned();
        match serde_json::from_str::<Line>(text) {
            Err(error) => self.find(place, format!("the line is no entry: {error}")),
            Ok(line) => {
                if line.n != place {
                    self.find(place, format!("the line has the number {}", line.n));
                }
                if line.prev != self.prev {
                    self.find(place, "the line does not follow the one before; lines are missing or were exchanged");
                }
                self.entry(place, line.entry);
            }
        }
        self.prev = hash;
    }

    fn entry(&mut self, place: u64, entry: Entry) {
        match entry {
            Entry::Call { about, result, .. } => {
                self.verified.calls += 1;
                self.bodies(place, &about, result.as_ref());
            }
            Entry::Intent { call, about, result, .. } => {
                self.verified.calls += 1;
                self.bodies(place, &about, Some(&result));
                let owner = about.feature.zip(about.root);
                let owner = owner.map(|(feature, root)| Owner { feature, root });
                let intent = Intent { line: place, owner, end: None };
                if self.ends.insert(call.clone(), intent).is_some() {
                    self.find(place, format!("the call `{call}` has two intents"));
                }
            }
            Entry::Done { call, .. } => self.end(place, &call, End::Done),
            Entry::Void { call, .. } => self.end(place, &call, End::Void),
            Entry::Catalog { features, .. } => {
                for feature in features {
                    self.body(place, &feature.descriptor);
                }
            }
            Entry::Act { .. } => self.verified.acts += 1,
            Entry::Decision { event, hooks, decision, .. } => {
                self.body(place, &event);
                self.body(place, &decision);
                for made in hooks.iter().filter_map(|hook| hook.decision.as_ref()) {
                    self.body(place, made);
                }
            }
            Entry::Permission { .. } | Entry::Open { .. } | Entry::Cut { .. } => (),
        }
    }

    fn end(&mut self, place: u64, call: &str, end: End) {
        let problem = match self.ends.get_mut(call) {
            None => Some(format!("the call `{call}` ends and has no intent")),
            Some(intent) if intent.end.is_some() => Some(format!("the call `{call}` ends twice")),
            Some(intent) => {
                intent.end = Some(end);
                None
            }
        };
        if let Some(problem) = problem {
            self.find(place, problem);
        } else if end == End::Done {
            self.verified.committed += 1;
        }
    }

    fn bodies(&mut self, place: u64, about: &CallEntry, result: Option<&Body>) {
        self.body(place, &about.input);
        if let Some(result) = result {
            self.body(place, result);
        }
    }

    fn body(&mut self, place: u64, body: &Body) {
        let Body::File { sha256, .. } = body else { return };
        let is_name = sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_name {
            return self.find(place, format!("`{sha256}` is not the name of a side file"));
        }
        match std::fs::read(self.folder.join(BODIES).join(sha256)) {
            Err(error) => {
                self.find(place, format!("the side file `{sha256}` cannot be read: {error}"))
            }
            Ok(text) if hash_of(&text) != *sha256 => {
                self.find(place, format!("the side file `{sha256}` was changed"));
            }
            Ok(_) => (),
        }
    }

    fn finish(&mut self, stores: Option<&Stores>) {
        let mut problems = Vec::new();
        let mut by_owner: BTreeMap<Owner, Vec<Ended>> = BTreeMap::new();
        for (call, intent) in &self.ends {
            match intent.end {
                None => {
                    let instance = call.rsplit_once('-').map_or("", |(instance, _)| instance);
                    if is_alive(self.folder, instance) {
                        self.verified.open += 1;
                    } else {
                        problems.push((
                            intent.line,
                            format!(
                                "the call `{call}` has no end; open the log once to bring it to one"
                            ),
                        ));
                    }
                }
                Some(end) => {
                    if let Some(owner) = &intent.owner {
                        let ended = Ended { line: intent.line, call: call.clone(), end };
                        by_owner.entry(owner.clone()).or_default().push(ended);
                    }
                }
            }
        }
        if let Some(stores) = stores {
            for (owner, mut calls) in by_owner {
                calls.sort_by_key(|call| call.line);
                compare(stores, &owner, &calls, &mut problems);
            }
        }
        for (line, problem) in problems {
            self.find(line, problem);
        }
    }
}

/// An intent that has its end.
struct Ended {
    line: u64,
    call: String,
    end: End,
}

/// Holds the ends of an owner's calls, in their order, against what its store remembers: no void
/// call, and of those that are done the latest without a gap.
fn compare(stores: &Stores, owner: &Owner, calls: &[Ended], problems: &mut Vec<(u64, String)>) {
    let mut knows_older = false;
    for ended in &calls[calls.len().saturating_sub(LOOKED_UP)..] {
        let Ended { line, call, end } = ended;
        let known = match stores.committed(owner, call, Instant::now() + PATIENCE) {
            Ok(known) => known.is_some(),
            Err(error) => {
                let problem = format!("the store of `{}` cannot be asked: {error}", owner.feature);
                return problems.push((*line, problem));
            }
        };
        let feature = &owner.feature;
        match (end, known) {
            (End::Void, true) => problems.push((
                *line,
                format!("the call `{call}` is void, and the store of `{feature}` holds it"),
            )),
            (End::Done, false) if knows_older => problems.push((
                *line,
                format!("the call `{call}` is done, and the store of `{feature}` lacks it"),
            )),
            (End::Done, known) => knows_older |= known,
            (End::Void, false) => (),
        }
    }
}
