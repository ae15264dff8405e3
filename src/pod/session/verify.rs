//! Whether a log is what was written, from its first line to its last.

#![expect(clippy::disallowed_methods, reason = "the log owns its folder")]

use super::entry::{
    Body, CallEntry, Entry, FORMAT, FeatureEntry, GENESIS, Line, check_hash, hash_of,
};
use super::facts::{Facts, Place, SHOWS, Said};
use super::log::{BODIES, LogError};
use super::read::{RawLine, RawLines, is_name};
use super::recover::is_alive;
use super::said::{self, AssistantMessage};
use crate::store::{Owner, Stores};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet, VecDeque};
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
    /// What a model could see; all of it was explained.
    pub facts: u64,
    /// Requests to a model.
    pub requests: u64,
    /// Entries of a newer version, which this one passes over.
    pub unknown: u64,
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

/// Side files that were found whole lately and are not read again.
const MOST_CHECKED: usize = 4_096;

/// Reads the log in `folder` from its first line to its last: numbers, hashes, side files, that each
/// intent has one end, that the stores remember the calls that ended last, and that each fact which a
/// model could see is explained by an entry before it. `progress` is told how many bytes were read.
///
/// # Errors
///
/// The file cannot be read.
pub fn verify(
    folder: &Path,
    stores: Option<&Stores>,
    progress: &mut dyn FnMut(u64),
) -> Result<Verified, LogError> {
    let mut check = Check {
        folder,
        verified: Verified::default(),
        prev: GENESIS.to_owned(),
        open: BTreeMap::new(),
        ended: BTreeMap::new(),
        facts: Facts::new(folder),
        checked: HashSet::new(),
        is_astray: false,
    };
    let mut lines = RawLines::from(folder, 0)?;
    while let Some(raw) = lines.next()? {
        check.line(&raw)?;
        if check.verified.lines.is_multiple_of(256) {
            progress(raw.at);
        }
    }
    check.finish(stores);
    Ok(check.verified)
}

struct Check<'a> {
    folder: &'a Path,
    verified: Verified,
    prev: String,
    /// Intents that have no end yet.
    open: BTreeMap<String, Intent>,
    /// The latest that have one, by their stores.
    ended: BTreeMap<Option<Owner>, VecDeque<Ended>>,
    /// What a model could see.
    facts: Facts,
    /// Side files that are whole.
    checked: HashSet<String>,
    /// Whether a request showed other facts than those that stand: one fact that is lost makes all
    /// later requests do so.
    is_astray: bool,
}

struct Intent {
    line: u64,
    owner: Option<Owner>,
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

    fn line(&mut self, raw: &RawLine<'_>) -> Result<(), LogError> {
        self.verified.lines += 1;
        let place = self.verified.lines;
        if !raw.is_whole {
            self.find(place, "the line is not whole; the next to open the log cuts it off");
            return Ok(());
        }
        let Ok(text) = std::str::from_utf8(raw.text) else {
            self.find(place, "the line is not UTF-8");
            return Ok(());
        };
        let Some(hash) = check_hash(text) else {
            self.find(place, "the line does not have the hash of its text; it was changed");
            return Ok(());
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
        if let Some(said) = Said::read(raw.text) {
            if said.is_fact() {
                self.verified.facts += 1;
            }
            if let Some(problem) = self.facts.take(&said, Place { line: place, at: raw.at })? {
                let is_shown = problem.starts_with(SHOWS);
                if !(is_shown && std::mem::replace(&mut self.is_astray, is_shown)) {
                    self.find(place, problem);
                }
            }
        }
        self.prev = hash;
        Ok(())
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
                let is_known = self.has_ended(&call);
                if self.open.insert(call.clone(), Intent { line: place, owner }).is_some()
                    || is_known
                {
                    self.find(place, format!("the call `{call}` has two intents"));
                }
            }
            Entry::Done { call, .. } => self.end(place, call, End::Done),
            Entry::Void { call, .. } => self.end(place, call, End::Void),
            Entry::Catalog { features, .. } => self.catalog(place, &features),
            Entry::Act { .. } => self.verified.acts += 1,
            Entry::Open { format, .. } if format > FORMAT => {
                self.find(place, format!("the log has the format {format}, and {FORMAT} is the newest that is known here"));
            }
            Entry::Unknown => self.verified.unknown += 1,
            Entry::Request(said::Request { tools, settings, .. }) => {
                self.verified.requests += 1;
                for body in tools.iter().chain(&settings) {
                    self.body(place, body);
                }
            }
            Entry::Assistant(AssistantMessage { text, calls, opaque, .. }) => {
                self.body(place, &text);
                for body in calls.iter().map(|call| &call.arguments).chain(&opaque) {
                    self.body(place, body);
                }
            }
            Entry::Instructions(said::Instructions { text: body, .. })
            | Entry::User(said::UserMessage { content: body })
            | Entry::ToolResult(said::ToolResult { shown: Some(body), .. })
            | Entry::Notice(said::Notice { text: Some(body), .. })
            | Entry::Compaction(said::Compaction { summary: body, .. }) => self.body(place, &body),
            Entry::Decision { event, hooks, decision, .. } => {
                self.body(place, &event);
                self.body(place, &decision);
                for made in hooks.iter().flat_map(|hook| [&hook.decision, &hook.heard]).flatten() {
                    self.body(place, made);
                }
            }
            Entry::Permission { .. }
            | Entry::Open { .. }
            | Entry::Cut { .. }
            | Entry::Session(_)
            | Entry::Resumed(_)
            | Entry::ToolResult(_)
            | Entry::Notice(_)
            | Entry::Usage(_)
            | Entry::TurnEnd(_)
            | Entry::Trouble(_) => (),
        }
    }

    fn catalog(&mut self, place: u64, features: &Body) {
        if let Body::File { sha256, .. } = features
            && self.checked.contains(sha256)
        {
            // So is what it names.
            return;
        }
        self.body(place, features);
        let Ok(features) = super::load(self.folder, features) else { return };
        match serde_json::from_value::<Vec<FeatureEntry>>(features) {
            Err(error) => self.find(place, format!("the catalog is none: {error}")),
            Ok(features) => {
                for body in features
                    .iter()
                    .flat_map(|one| std::iter::once(&one.descriptor).chain(&one.source))
                {
                    self.body(place, body);
                }
            }
        }
    }

    fn has_ended(&self, call: &str) -> bool {
        self.ended.values().flatten().any(|ended| ended.call == call)
    }

    fn end(&mut self, place: u64, call: String, end: End) {
        let Some(intent) = self.open.remove(&call) else {
            return match self.has_ended(&call) {
                true => self.find(place, format!("the call `{call}` ends twice")),
                false => self.find(place, format!("the call `{call}` ends and has no intent")),
            };
        };
        if end == End::Done {
            self.verified.committed += 1;
        }
        let ended = self.ended.entry(intent.owner).or_default();
        if ended.len() == LOOKED_UP {
            ended.pop_front();
        }
        ended.push_back(Ended { line: intent.line, call, end });
    }

    fn bodies(&mut self, place: u64, about: &CallEntry, result: Option<&Body>) {
        for body in [Some(&about.input), about.heard.as_ref(), about.kept.as_ref(), result] {
            body.into_iter().for_each(|body| self.body(place, body));
        }
    }

    fn body(&mut self, place: u64, body: &Body) {
        let Body::File { sha256, .. } = body else { return };
        if self.checked.contains(sha256) {
            return;
        }
        if !is_name(sha256) {
            return self.find(place, format!("`{sha256}` is not the name of a side file"));
        }
        match std::fs::read(self.folder.join(BODIES).join(sha256)) {
            Err(error) => {
                self.find(place, format!("the side file `{sha256}` cannot be read: {error}"))
            }
            Ok(text) if hash_of(&text) != *sha256 => {
                self.find(place, format!("the side file `{sha256}` was changed"));
            }
            Ok(_) => {
                if self.checked.len() >= MOST_CHECKED {
                    self.checked.clear();
                }
                self.checked.insert(sha256.clone());
            }
        }
    }

    fn finish(&mut self, stores: Option<&Stores>) {
        let mut problems = Vec::new();
        for (call, intent) in &self.open {
            let instance = call.rsplit_once('-').map_or("", |(instance, _)| instance);
            if is_alive(self.folder, instance) {
                self.verified.open += 1;
            } else {
                let problem =
                    format!("the call `{call}` has no end; open the log once to bring it to one");
                problems.push((intent.line, problem));
            }
        }
        for (owner, calls) in &mut self.ended {
            if let (Some(stores), Some(owner)) = (stores, owner) {
                let calls = calls.make_contiguous();
                calls.sort_by_key(|call| call.line);
                compare(stores, owner, calls, &mut problems);
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
    for ended in calls {
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
