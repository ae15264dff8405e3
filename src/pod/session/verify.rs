//! Whether a log is what was written, from its first line to its last.

#![expect(clippy::disallowed_methods, reason = "the log owns its folder")]

use super::entry::{
    Body, CallEntry, Entry, FORMAT, FeatureEntry, GENESIS, Line, check_hash, hash_of,
};
use super::facts::{Facts, Place, SHOWS, Said};
use super::kept::{End, Ended, Kept};
use super::log::{BODIES, LogError};
use super::read::{RawLine, RawLines, is_name};
use super::recover::is_alive;
use super::said::{self, AssistantMessage};
use crate::store::{Owner, Stores};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

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
    /// Stores that were held against the log.
    pub stores: u64,
    /// What a model could see; all of it was explained.
    pub facts: u64,
    /// Requests to a model.
    pub requests: u64,
    /// Entries of a newer version, which this one passes over.
    pub unknown: u64,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
    /// What to know, and what is no fault of this log.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
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

/// Most findings that are listed.
const MOST_FINDINGS: usize = 100;

/// Side files that were found whole lately and are not read again.
const MOST_CHECKED: usize = 4_096;

/// Reads the log in `folder` from its first line to its last: numbers, hashes, side files, that each
/// intent has one end, that the stores hold what the calls kept that ended last and no call that the log
/// lacks, and that each fact which a model could see is explained by an entry before it. `progress` is
/// told how many bytes were read. Nothing is made, moved or changed, whatever is found.
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
        acting: BTreeMap::new(),
        kept: Kept::default(),
        facts: Facts::new(folder),
        checked: HashSet::new(),
        is_astray: false,
    };
    // Before the log: each call that a store holds by now has its intent there.
    if let Some(stores) = stores {
        check.kept.look(stores);
    }
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
    /// Calls that let something out and have neither an intent nor an end, with the line of their first act.
    acting: BTreeMap<String, u64>,
    /// What the stores have to hold.
    kept: Kept,
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
    kept: Option<Body>,
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
                self.entry(place, line.at, line.entry);
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

    fn entry(&mut self, place: u64, at: i64, entry: Entry) {
        match entry {
            Entry::Call { call, about, result, .. } => {
                self.verified.calls += 1;
                self.acting.remove(&call);
                self.bodies(place, &about, result.as_ref());
            }
            Entry::Intent { call, about, result, .. } => {
                self.verified.calls += 1;
                self.acting.remove(&call);
                self.bodies(place, &about, Some(&result));
                let owner = about.feature.clone().zip(about.root.clone());
                let owner = owner.map(|(feature, root)| Owner { feature, root });
                self.kept.intent(&call);
                let is_known = self.kept.has_ended(&call);
                let intent = Intent { line: place, owner, kept: about.kept };
                if self.open.insert(call.clone(), intent).is_some() || is_known {
                    self.find(place, format!("the call `{call}` has two intents"));
                }
            }
            Entry::Done { call, .. } => self.end(place, at, call, End::Done),
            Entry::Void { call, .. } => self.end(place, at, call, End::Void),
            Entry::Store { feature, root, change } => {
                self.kept.store(&Owner { feature, root }, &change);
            }
            Entry::Catalog { features, .. } => self.catalog(place, &features),
            Entry::Act { call, begun, .. } => {
                self.verified.acts += 1;
                if let Some(about) = begun {
                    self.bodies(place, &about, None);
                    self.acting.insert(call, place);
                }
            }
            Entry::Open { instance, format, .. } if format <= FORMAT => self.kept.opened(instance),
            Entry::Open { format, .. } => {
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
                for hook in &hooks {
                    self.acting.remove(&hook.call);
                    for made in [&hook.decision, &hook.heard].into_iter().flatten() {
                        self.body(place, made);
                    }
                }
            }
            Entry::Permission { .. }
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

    fn end(&mut self, place: u64, at: i64, call: String, end: End) {
        let Some(intent) = self.open.remove(&call) else {
            return match self.kept.has_ended(&call) {
                true => self.find(place, format!("the call `{call}` ends twice")),
                false => self.find(place, format!("the call `{call}` ends and has no intent")),
            };
        };
        if end == End::Done {
            self.verified.committed += 1;
        }
        let Intent { line, owner, kept } = intent;
        self.kept.ended(owner, Ended { line, at, call, end, kept });
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
        let intents = self.open.iter().map(|(call, intent)| (call, intent.line));
        for (call, line) in intents.chain(self.acting.iter().map(|(call, line)| (call, *line))) {
            if is_alive(self.folder, instance_of(call)) {
                self.verified.open += 1;
            } else {
                let problem = format!(
                    "the call `{call}` has no end; the next `peasy call` or `peasy serve` brings it to one"
                );
                problems.push((line, problem));
            }
        }
        if let Some(stores) = stores {
            let found = self.kept.compare(stores, self.folder);
            self.verified.stores = found.stores;
            self.verified.notes = found.notes;
            problems.extend(found.problems);
        }
        problems.sort();
        for (line, problem) in problems {
            self.find(line, problem);
        }
    }
}

/// The process that a call is one of.
pub(super) fn instance_of(call: &str) -> &str {
    call.rsplit_once('-').map_or("", |(instance, _)| instance)
}
