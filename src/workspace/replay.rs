//! Running recorded calls again: as they were, or as an edited feature would have had them.
//!
//! A call is run from the log alone: the texts of its feature, its input, its clock and seed, and what
//! its host gave it then. Nothing here reaches a store, a file, a program or a network.

use crate::diagnostic::Diagnostic;
use crate::feature::call::Conditions;
use crate::feature::capability::SecretName;
use crate::feature::catalog::{CallOptions, Catalog, InstalledFeature};
use crate::feature::commons::{Commons, CommonsAnswer, CommonsAsk};
use crate::feature::grant::HostPolicy;
use crate::feature::heard::{Heard, Held, Told};
use crate::feature::id::FeatureId;
use crate::feature::redact::shape;
use crate::feature::registry::FeatureRegistryBuilder;
use crate::feature::secret::SecretText;
use crate::feature::subpod::Narrowing;
use crate::feature::transaction::{Act, CallStart, Detached, Ending, Transaction};
use crate::limit::Limits;
use crate::pod::session::entry::{CallEntry, FeatureEntry};
use crate::pod::session::said::Begin;
use crate::pod::session::{Body, Entry, INTERRUPTED, LogError, lines, load};
use crate::script::runtime::{RuntimeError, ScriptFeature, ScriptRuntime};
use crate::script::source::Pinned;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Why recorded calls cannot be run again.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Scripts cannot be run here.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// No entry has that id.
    #[error("the log holds no call `{0}` that is over")]
    NoCall(String),
}

impl ReplayError {
    /// The problem as data.
    pub fn diagnostic(&self) -> Diagnostic {
        let text = self.to_string();
        match self {
            Self::Log(error) => error.diagnostic(),
            Self::Runtime(_) => Diagnostic::host("host/no-meter", text),
            Self::NoCall(_) => Diagnostic::caller("replay/no-call", text)
                .help("`peasy log show --json` has the ids of calls, as `call`"),
        }
    }
}

/// What came of running a recorded call again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Replayed {
    /// The call.
    pub call: String,
    /// The line of the log that it was recorded on.
    pub line: u64,
    /// Whose it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feature: Option<FeatureId>,
    /// The tool or the hook.
    pub contribution: String,
    /// The arguments, or the event.
    pub input: Value,
    /// How the two compare.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What was recorded.
    pub before: Came,
    /// What comes of it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Came>,
}

/// How a call that was run again compares with its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Everything is as it was.
    Same,
    /// Something is not.
    Differs,
    /// It cannot be told: it asks for what the record does not hold.
    Unknown {
        /// What it asks for.
        asks: Vec<String>,
    },
    /// It cannot be run again.
    NotReplayable {
        /// Why.
        why: String,
    },
}

/// What came of a call, as far as its input and what it got decide it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Came {
    /// The result, or the decision of a hook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
    /// Why there is none: codes and messages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failure: Vec<(String, String)>,
    /// Its texts for the model.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// What it wrote to its store, by key.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub kept: Map<String, Value>,
}

impl Came {
    /// Takes out the keys that are known by their shape, as before anything is written.
    fn clean(&mut self) {
        let text = |text: &mut String| {
            if let Some(clean) = shape::without(text) {
                *text = clean;
            }
        };
        self.result = self.result.take().map(shape::cleaned);
        self.failure.iter_mut().for_each(|(_, message)| text(message));
        self.notices.iter_mut().for_each(text);
        if let Value::Object(kept) = shape::cleaned(std::mem::take(&mut self.kept).into()) {
            self.kept = kept;
        }
    }
}

/// Codes of ends that no record decides: they hang on the machine, the caller or the disk.
const CIRCUMSTANCES: [&str; 7] = [
    "limit/time",
    "call/cancelled",
    INTERRUPTED,
    "limit/in-flight",
    "store/busy",
    "log/full",
    "log/failed",
];

/// The latest calls with effects that the line of an event is held against.
const MOST_ENDED: usize = 1_024;

/// Of a call whose arguments were exchanged.
const REWRITTEN: &str = "a hook gave it other arguments than it was called with";

/// Of a call whose record is not all that there was.
const REDACTED: &str =
    "a secret was taken out of its record, and what comes of it without is something else";

/// A recorded call.
struct Recorded {
    call: String,
    line: u64,
    at: i64,
    about: CallEntry,
    result: Option<Body>,
    failure: Vec<Diagnostic>,
    notices: Vec<String>,
    /// Whether it is a hook that the line of its event tells of. Its texts are told there as they were
    /// shown, with its feature's name, so they are not compared.
    is_of_event: bool,
    /// Why what ran is not what was called.
    astray: Option<&'static str>,
}

impl Recorded {
    /// Whether a secret was taken out of what it was given, got or gave.
    fn is_redacted(&self) -> bool {
        let CallEntry { input, heard, kept, .. } = &self.about;
        [heard, kept, &self.result].into_iter().flatten().chain([input]).any(Body::is_redacted)
    }
}

/// Runs the calls of one log again.
pub struct Replayer {
    folder: PathBuf,
    /// The catalogs of the log, by their lines.
    catalogs: BTreeMap<u64, Body>,
    /// What was read of the last of them.
    features: Option<(u64, Vec<FeatureEntry>)>,
    /// Features that were made ready, by what made them.
    ready: HashMap<String, Result<Arc<Catalog>, String>>,
    /// What runs in the place of the recorded feature.
    edited: Option<Arc<ScriptFeature>>,
    /// What its parent left a sub-pod of the grants of tools.
    narrowing: Narrowing,
}

impl Replayer {
    /// For the log in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            catalogs: BTreeMap::new(),
            features: None,
            ready: HashMap::new(),
            edited: None,
            narrowing: Narrowing::default(),
        }
    }

    /// Runs one call again.
    ///
    /// # Errors
    ///
    /// There is none of that id that is over, or the log cannot be read.
    pub fn call(&mut self, id: &str) -> Result<Replayed, ReplayError> {
        let mut found = None;
        self.each(
            |call| call == id,
            |_, recorded| {
                found = Some(recorded);
                Ok(())
            },
            &mut |_| (),
        )?;
        let recorded = found.ok_or_else(|| ReplayError::NoCall(id.to_owned()))?;
        self.replay(recorded)
    }

    /// Runs every call again, and hands each to `take`. `progress` is told the line.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn all(
        &mut self,
        mut take: impl FnMut(Replayed),
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ReplayError> {
        self.each(
            |_| true,
            |replayer, recorded| {
                take(replayer.replay(recorded)?);
                Ok(())
            },
            progress,
        )
    }

    /// Runs every call that the feature `of` had again, with `feature` in its place.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn with(
        &mut self,
        feature: Arc<ScriptFeature>,
        of: &FeatureId,
        mut take: impl FnMut(Replayed),
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ReplayError> {
        self.edited = Some(feature);
        self.ready.clear();
        self.each(
            |_| true,
            |replayer, recorded| {
                if recorded.about.feature.as_ref() == Some(of) {
                    take(replayer.replay(recorded)?);
                }
                Ok(())
            },
            progress,
        )
    }

    /// The features whose calls are on record, with what was called of each.
    ///
    /// # Errors
    ///
    /// The log cannot be read.
    pub fn called(&self) -> Result<BTreeMap<FeatureId, BTreeSet<String>>, ReplayError> {
        let mut called: BTreeMap<FeatureId, BTreeSet<String>> = BTreeMap::new();
        for read in lines(&self.folder)? {
            if let Entry::Call { about, .. } | Entry::Intent { about, .. } = read?.0.entry
                && let Some(feature) = about.feature
            {
                called.entry(feature).or_default().insert(about.contribution);
            }
        }
        Ok(called)
    }

    /// Goes over the calls that are over, in the order of their ends.
    fn each(
        &mut self,
        is_wanted: impl Fn(&str) -> bool,
        mut act: impl FnMut(&mut Self, Recorded) -> Result<(), ReplayError>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), ReplayError> {
        let mut open: HashMap<String, Recorded> = HashMap::new();
        let mut rewritten = BTreeSet::new();
        let mut ended = BTreeSet::new();
        let mut catalog = None;
        for read in lines(&self.folder)? {
            let (line, _) = read?;
            progress(line.n);
            let (n, at) = (line.n, line.at);
            match line.entry {
                Entry::Catalog { features, .. } => {
                    self.catalogs.insert(n, features);
                    catalog = Some(n);
                }
                Entry::Session(Begin { spawned: Some(spawned), .. }) => {
                    self.narrowing = Narrowing { tools: None, ..spawned.scope };
                }
                Entry::Decision { call, event, now, seed, hooks, decision, .. } => {
                    let decision = load(&self.folder, &decision)?;
                    if decision["decision"] == "rewrite" {
                        rewritten.insert(call);
                    }
                    // Those that staged something have entries of their own.
                    for hook in hooks {
                        if ended.contains(&hook.call) || !is_wanted(&hook.call) {
                            continue;
                        }
                        let about = CallEntry {
                            feature: Some(hook.feature),
                            root: Some(PathBuf::new()),
                            contribution: hook.hook,
                            input: event.clone(),
                            now,
                            seed: Some(seed),
                            answers: Vec::new(),
                            catalog,
                            heard: hook.heard,
                            kept: None,
                        };
                        act(
                            self,
                            Recorded {
                                call: hook.call,
                                line: n,
                                at,
                                about,
                                result: hook.decision,
                                failure: hook.failure,
                                notices: Vec::new(),
                                is_of_event: true,
                                astray: None,
                            },
                        )?;
                    }
                    ended.clear();
                }
                Entry::Call { call, about, result, failure, .. } if is_wanted(&call) => {
                    let astray = rewritten.remove(&call).then_some(REWRITTEN);
                    let (notices, is_of_event) = (Vec::new(), false);
                    act(
                        self,
                        Recorded {
                            call,
                            line: n,
                            at,
                            about,
                            result,
                            failure,
                            notices,
                            is_of_event,
                            astray,
                        },
                    )?;
                }
                Entry::Intent { call, about, result, .. } if is_wanted(&call) => {
                    let astray = rewritten.remove(&call).then_some(REWRITTEN);
                    let recorded = Recorded {
                        call: call.clone(),
                        line: n,
                        at,
                        about,
                        result: Some(result),
                        failure: Vec::new(),
                        notices: Vec::new(),
                        is_of_event: false,
                        astray,
                    };
                    open.insert(call, recorded);
                }
                Entry::Done { call, notices, .. } => {
                    // The line of an event comes right after what its hooks staged.
                    if ended.len() >= MOST_ENDED {
                        ended.clear();
                    }
                    ended.insert(call.clone());
                    if let Some(recorded) = open.remove(&call) {
                        act(self, Recorded { notices, ..recorded })?;
                    }
                }
                Entry::Void { call, .. } => _ = open.remove(&call),
                _ => (),
            }
        }
        Ok(())
    }

    fn replay(&mut self, recorded: Recorded) -> Result<Replayed, ReplayError> {
        let is_redacted = recorded.is_redacted();
        let input = load(&self.folder, &recorded.about.input)?;
        let before = self.before(&recorded)?;
        let Recorded { call, line, at, about, is_of_event, astray, .. } = recorded;
        let (feature, contribution) = (about.feature.clone(), about.contribution.clone());
        let replayed = Replayed {
            call,
            line,
            feature,
            contribution,
            input,
            verdict: Verdict::Same,
            before,
            after: None,
        };
        let not = |why: String| {
            Ok(Replayed { verdict: Verdict::NotReplayable { why }, ..replayed.clone() })
        };
        if let Some((code, message)) = replayed.before.failure.first()
            && CIRCUMSTANCES.contains(&code.as_str())
        {
            return not(format!("its end hung on circumstances: {message}"));
        }
        if about.root.is_none() && about.feature.is_some() {
            return not(
                "it ended before it reached the feature: a rule, a hook or a person said so"
                    .to_owned(),
            );
        }
        if let Some(why) = astray {
            return not(why.to_owned());
        }
        let heard = self.heard(&about, at)?;
        if let Some(why) = heard.lost {
            return not(why);
        }
        let catalog = match self.ready(&about)? {
            Ok(catalog) => catalog,
            Err(why) => return not(why),
        };
        let (mut after, asks) = self.run(&catalog, &about, replayed.input.clone(), heard);
        if is_of_event {
            after.notices.clear();
        }
        // What is on record was cleaned; what comes of it now is as well.
        after.clean();
        let verdict = match () {
            () if !asks.is_empty() => Verdict::Unknown { asks },
            () if after == replayed.before => Verdict::Same,
            () if is_redacted => return not(REDACTED.to_owned()),
            () => Verdict::Differs,
        };
        Ok(Replayed { verdict, after: Some(after), ..replayed })
    }

    fn before(&self, recorded: &Recorded) -> Result<Came, ReplayError> {
        let load =
            |body: &Option<Body>| body.as_ref().map(|body| load(&self.folder, body)).transpose();
        let kept = match (&recorded.result, load(&recorded.about.kept)?) {
            (Some(_), Some(Value::Object(kept))) => kept,
            // What a call staged that failed was never kept.
            _ => Map::new(),
        };
        Ok(Came {
            result: load(&recorded.result)?,
            failure: recorded.failure.iter().map(said).collect(),
            notices: recorded.notices.clone(),
            kept,
        })
    }

    fn heard(&self, about: &CallEntry, at: i64) -> Result<Heard, ReplayError> {
        let mut heard: Heard = match &about.heard {
            None => Heard::default(),
            Some(body) => serde_json::from_value(load(&self.folder, body)?)
                .map_err(|_| LogError::Damaged(self.folder.clone()))?,
        };
        if heard.clock.is_empty() {
            // For one that looks at the clock now, and did not then.
            heard.clock.push((about.now.unwrap_or(at), 1));
        }
        Ok(heard)
    }

    /// The catalog that a call is run in, or why there is none.
    fn ready(&mut self, about: &CallEntry) -> Result<Result<Arc<Catalog>, String>, ReplayError> {
        let Some(id) = about.feature.clone() else {
            return Ok(Err("it was refused before it reached a feature".to_owned()));
        };
        let entry = match about.catalog {
            Some(line) => self.features(line)?.iter().find(|entry| entry.feature == id).cloned(),
            None => None,
        };
        let Some(entry) = entry else {
            return Ok(Err("the log does not hold the feature that it was a call of".to_owned()));
        };
        let key = json!([entry.feature, entry.digest, entry.grants, entry.limits]).to_string();
        if let Some(ready) = self.ready.get(&key) {
            return Ok(ready.clone());
        }
        let made = self.make(&entry)?;
        self.ready.insert(key, made.clone());
        Ok(made)
    }

    fn features(&mut self, line: u64) -> Result<&[FeatureEntry], ReplayError> {
        if self.features.as_ref().is_none_or(|(known, _)| *known != line) {
            let body = self.catalogs.get(&line);
            let value = body.map(|body| load(&self.folder, body)).transpose()?;
            let read = value.map(serde_json::from_value).transpose();
            let read = read.map_err(|_| LogError::Damaged(self.folder.clone()))?;
            self.features = Some((line, read.unwrap_or_default()));
        }
        Ok(self.features.as_ref().map_or(&[], |(_, features)| features))
    }

    fn make(&self, entry: &FeatureEntry) -> Result<Result<Arc<Catalog>, String>, ReplayError> {
        let mut limits = Limits::default();
        for &(limit, value) in &entry.limits {
            // They were chosen where they could be refused.
            let _ = limits.set(limit, value);
        }
        let feature = match &self.edited {
            Some(edited) => Arc::clone(edited),
            None => {
                let Some(source) = &entry.source else {
                    return Ok(Err("the log holds no source of the feature".to_owned()));
                };
                let pinned: Pinned = serde_json::from_value(load(&self.folder, source)?)
                    .map_err(|_| LogError::Damaged(self.folder.clone()))?;
                let runtime = ScriptRuntime::new(&limits)?;
                let read = runtime.read_pinned(pinned, entry.feature.source().clone());
                let Some(script) = read.script else {
                    let why = read.diagnostics.iter().find(|problem| problem.is_error());
                    let why = why.map_or_else(String::new, ToString::to_string);
                    return Ok(Err(format!(
                        "this version of peasy does not read its source: {why}"
                    )));
                };
                Arc::new(runtime.feature(script))
            }
        };
        let id = feature.script().descriptor.id.clone();
        // What it was granted, it gets, and whoever trusted it is taken at their word.
        let mut policy = HostPolicy::new().trust(id.clone());
        for capability in &entry.grants {
            policy = policy.grant(id.clone(), capability.clone());
        }
        let plan = FeatureRegistryBuilder::new(policy).limits(limits).shared_module(feature).plan();
        Ok(Ok(Arc::new(plan.into_catalog().narrowed(&self.narrowing))))
    }

    fn run(
        &self,
        catalog: &Catalog,
        about: &CallEntry,
        input: Value,
        heard: Heard,
    ) -> (Came, Vec<String>) {
        let rehearsed = Arc::new(Rehearsed { heard, state: Mutex::default() });
        let options = CallOptions {
            conditions: Conditions { now: about.now, seed: about.seed.unwrap_or_default() },
            transaction: Arc::clone(&rehearsed) as Arc<dyn Transaction>,
            answers: about.answers.clone().into(),
            ..CallOptions::default()
        };
        let name = about.contribution.as_str();
        let is_hook = |feature: &&InstalledFeature| {
            feature.descriptor().hooks.iter().any(|hook| hook.name == name)
        };
        // One feature alone is installed.
        let hooked = catalog.features().next().filter(is_hook);
        let (result, notices) = match hooked.filter(|_| catalog.tool(name).is_none()) {
            Some(feature) => {
                let outcome = catalog.decide(feature.id(), name, input, options);
                (outcome.decision.map(|decision| json!(decision)), outcome.notices)
            }
            None => {
                let outcome = catalog.call(name, input, options);
                (outcome.result, outcome.notices)
            }
        };
        let mut state = rehearsed.state();
        let asks = std::mem::take(&mut state.missed);
        let came = match result {
            Ok(result) => {
                let kept = std::mem::take(&mut state.staged).into_iter().map(as_json).collect();
                Came { result: Some(result), failure: Vec::new(), notices, kept }
            }
            Err(failure) => {
                Came { failure: failure.diagnostics.iter().map(said).collect(), ..Came::default() }
            }
        };
        (came, asks)
    }
}

fn said(problem: &Diagnostic) -> (String, String) {
    (problem.code.to_string(), problem.message.clone())
}

/// A key with its value, as the log has it.
fn as_json((key, text): (String, Option<String>)) -> (String, Value) {
    let value = text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
    (key, value.map_or(json!({ "removed": true }), |value| json!({ "value": value })))
}

/// The host of a call that is run again: a record, and what the call stages.
struct Rehearsed {
    heard: Heard,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    staged: BTreeMap<String, Option<String>>,
    /// What of the record was given.
    used: BTreeSet<usize>,
    /// What the record does not hold.
    missed: Vec<String>,
}

/// Most things that are listed of what a record does not hold.
const MOST_MISSED: usize = 20;

impl Rehearsed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was given to this question before, in the order of before.
    fn given(&self, function: &str, asked: &Value) -> Option<Told> {
        let mut state = self.state();
        let all = self.heard.given.iter().enumerate();
        let (index, given) = all
            .filter(|(index, _)| !state.used.contains(index))
            .find(|(_, given)| given.function == function && given.asked == *asked)?;
        state.used.insert(index);
        Some(given.outcome.clone())
    }

    fn refused(&self, function: &str, asked: &Value) -> Result<(), Diagnostic> {
        match self.given(function, asked) {
            Some(Told::Refused(problem)) => Err(*problem),
            _ => Ok(()),
        }
    }

    fn not_held<T>(&self, what: &str) -> Result<T, Diagnostic> {
        self.missed(what);
        let message = format!("the record of the call does not hold {what}");
        Err(Diagnostic::operator("replay/not-recorded", message))
    }
}

impl Transaction for Rehearsed {
    fn begin(&self, _: &CallStart<'_>) {}

    fn store_get(&self, key: &str) -> Result<Option<String>, Diagnostic> {
        self.refused("store::get", &json!([key]))?;
        let staged = self.state().staged.get(key).cloned();
        match (staged, self.heard.store.get(key)) {
            (Some(staged), _) => Ok(staged),
            (None, Some(Held::Text(text))) => Ok(Some(text.clone())),
            (None, Some(Held::Nothing)) => Ok(None),
            (None, _) => self.not_held(&format!("what the store held under `{key}`")),
        }
    }

    fn store_set(&self, key: &str, value: &str) -> Result<(), Diagnostic> {
        self.refused("store::set", &json!([key]))?;
        self.state().staged.insert(key.to_owned(), Some(value.to_owned()));
        Ok(())
    }

    fn store_delete(&self, key: &str) -> Result<bool, Diagnostic> {
        self.refused("store::delete", &json!([key]))?;
        let staged = self.state().staged.get(key).map(Option::is_some);
        let was_there = match (staged, self.heard.store.get(key)) {
            (Some(is_there), _) => is_there,
            (None, Some(held)) => *held != Held::Nothing,
            (None, None) => self.not_held(&format!("whether the store held `{key}`"))?,
        };
        self.state().staged.insert(key.to_owned(), None);
        Ok(was_there)
    }

    fn store_keys(&self, prefix: &str, most: usize) -> Result<Vec<String>, Diagnostic> {
        match self.given("store::keys", &json!([prefix, most])) {
            Some(Told::Value(keys)) => Ok(serde_json::from_value(keys).unwrap_or_default()),
            Some(Told::Refused(problem)) => Err(*problem),
            _ => self.not_held(&format!("the keys of the store that begin with `{prefix}`")),
        }
    }

    fn commons(&self, which: Commons, ask: &CommonsAsk) -> Result<CommonsAnswer, Diagnostic> {
        let asked = json!([which, ask]);
        match self.given("commons", &asked) {
            Some(Told::Value(answer)) => serde_json::from_value(answer)
                .map_err(|error| Diagnostic::host("replay/not-recorded", error.to_string())),
            Some(Told::Refused(problem)) => Err(*problem),
            _ => self.not_held(&format!("an answer of the memory or the work items to {asked}")),
        }
    }

    fn act(&self, act: &Act) -> Result<(), Diagnostic> {
        Detached.act(act)
    }

    fn secret(&self, name: &SecretName) -> Result<SecretText, Diagnostic> {
        Detached.secret(name)
    }

    fn workspace(&self) -> Option<&Path> {
        None
    }

    fn rehearsal(&self) -> Option<Heard> {
        Some(self.heard.clone())
    }

    fn missed(&self, what: &str) {
        let mut state = self.state();
        if state.missed.len() < MOST_MISSED {
            state.missed.push(what.to_owned());
        }
    }

    fn commit(&self, _: &Ending<'_>) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn roll_back(&self) {}
}
