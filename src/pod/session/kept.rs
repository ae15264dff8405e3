//! Whether the stores of features hold what the log says of them, and nothing else.
//!
//! A store remembers its latest calls by their ids. Held against it are the latest calls of the log that
//! ended, and what the last of them kept; and each call that a store remembers has to have its intent in the
//! log of its process. Stores are only looked at: nothing is locked, moved or made here.

use super::entry::{Body, Entry, StoreChange};
use super::read::{RawLines, load, sessions};
use super::verify::instance_of;
use crate::feature::redact::shape;
use crate::store::{Look, Looked, Owner, StoreError, Stores};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::path::Path;

/// The latest calls of an owner that are held against its store, which remembers a thousand.
const LATEST: usize = 900;

/// What is known of a log while it is read.
#[derive(Default)]
pub(super) struct Kept {
    /// The stores as they were before the log was read.
    before: Vec<Looked<Remembered>>,
    /// The calls of those that have no intent yet.
    unseen: HashSet<String>,
    /// The processes that opened the log.
    instances: HashSet<String>,
    /// The latest calls that have an end, by their stores.
    ended: BTreeMap<Option<Owner>, VecDeque<Ended>>,
}

/// The calls that a store remembers.
struct Remembered {
    feature: String,
    calls: Vec<String>,
}

/// An intent that has its end.
pub(super) struct Ended {
    /// The line of the intent.
    pub line: u64,
    /// When it ended.
    pub at: i64,
    pub call: String,
    pub end: End,
    /// What it staged in its store.
    pub kept: Option<Body>,
}

#[derive(PartialEq, Eq, Clone, Copy)]
pub(super) enum End {
    Done,
    Void,
}

/// What comparing has found.
#[derive(Default)]
pub(super) struct Found {
    /// How many stores were looked at.
    pub stores: u64,
    /// What is wrong, with the line that says otherwise; 0 for none.
    pub problems: Vec<(u64, String)>,
    /// What is no fault of this log.
    pub notes: Vec<String>,
}

/// What the logs beside this one say.
#[derive(Default)]
struct Others {
    instances: HashSet<String>,
    /// When a store was set aside or cleared, the last time.
    emptied: BTreeMap<Owner, i64>,
}

impl Kept {
    /// Remembers what the stores hold now.
    pub fn look(&mut self, stores: &Stores) {
        let looked = stores.look_at_all(|look| {
            Ok(Remembered { feature: look.feature()?, calls: look.calls()?.0 })
        });
        self.before = match looked {
            Ok(looked) => looked,
            Err(error) => vec![Err((stores.folder().to_owned(), error))],
        };
        let calls = self.before.iter().flatten().flat_map(|store| &store.calls);
        self.unseen = calls.filter(|call| is_call(call)).cloned().collect();
    }

    pub fn opened(&mut self, instance: String) {
        self.instances.insert(instance);
    }

    pub fn intent(&mut self, call: &str) {
        self.unseen.remove(call);
    }

    /// What a store held before is not to be looked for in it any more.
    pub fn store(&mut self, owner: &Owner, change: &StoreChange) {
        if is_emptied(change) {
            self.ended.remove(&Some(owner.clone()));
        }
    }

    pub fn has_ended(&self, call: &str) -> bool {
        self.ended.values().flatten().any(|ended| ended.call == call)
    }

    pub fn ended(&mut self, owner: Option<Owner>, call: Ended) {
        let ended = self.ended.entry(owner).or_default();
        if ended.len() == LATEST {
            ended.pop_front();
        }
        ended.push_back(call);
    }

    /// Holds the stores against what was read. `folder` is that of the log.
    pub fn compare(&mut self, stores: &Stores, folder: &Path) -> Found {
        let mut found = Found::default();
        let mut others = None;
        for (owner, calls) in &mut self.ended {
            let Some(owner) = owner else { continue };
            let calls = calls.make_contiguous();
            calls.sort_by_key(|call| call.line);
            found.stores += 1;
            compare(stores, owner, calls, folder, &mut others, &mut found);
        }
        for store in &self.before {
            match store {
                Ok(store) => self.strangers(store, folder, &mut others, &mut found),
                Err((_, error)) => found.problem(0, error.to_string()),
            }
        }
        found
    }

    /// Calls that a store remembers and the log of their process lacks.
    fn strangers(
        &self,
        store: &Remembered,
        folder: &Path,
        others: &mut Option<Others>,
        found: &mut Found,
    ) {
        let feature = &store.feature;
        let mut older = 0;
        let mut lacking = Vec::new();
        for call in store.calls.iter().filter(|call| is_call(call)) {
            if !self.unseen.contains(call) {
                // What came before one that is here may be of a log that was put away as a whole.
                older += lacking.len();
                lacking.clear();
            } else if self.instances.contains(instance_of(call)) {
                found.problem(
                    0,
                    format!(
                        "the store of `{feature}` holds the call `{call}`, and the log lacks it"
                    ),
                );
            } else if !Others::of(others, folder).instances.contains(instance_of(call)) {
                lacking.push(call);
            }
        }
        let is_begun = self.knows_some(store);
        if let Some(last) = lacking.last().filter(|_| is_begun) {
            let calls = count(lacking.len());
            found.problem(0, format!("the store of `{feature}` holds {calls} that no log has, the latest `{last}`: lines at the end of a log were taken away"));
        } else {
            older += lacking.len();
        }
        if older > 0 {
            let calls = count(older);
            found.notes.push(format!("the store of `{feature}` holds {calls} of processes that no log knows: a log was put away or removed"));
        }
    }

    /// Whether the log has any call that the store remembers.
    fn knows_some(&self, store: &Remembered) -> bool {
        store.calls.iter().any(|call| is_call(call) && !self.unseen.contains(call))
    }
}

impl Found {
    fn problem(&mut self, line: u64, problem: String) {
        self.problems.push((line, problem));
    }
}

/// Holds the ends of an owner's calls, in their order, against what its store remembers: no void call, and
/// each that is done, as far back as the store remembers; and the last with what it kept.
fn compare(
    stores: &Stores,
    owner: &Owner,
    calls: &[Ended],
    folder: &Path,
    others: &mut Option<Others>,
    found: &mut Found,
) {
    let feature = &owner.feature;
    let newest = calls.iter().rfind(|call| call.end == End::Done);
    let looked = stores.look(owner, |look| {
        let (calls, is_all) = look.calls()?;
        let changed = match calls.last().zip(newest) {
            Some((last, newest)) if *last == newest.call => changed_key(look, newest, folder)?,
            _ => None,
        };
        Ok((calls, is_all, changed))
    });
    let (known, is_all, changed) = match looked {
        Ok(Some(looked)) => looked,
        Ok(None) => (Vec::new(), true, None),
        // Told of with all that cannot be read.
        Err(StoreError::Broken(_) | StoreError::Newer { .. }) => return,
        Err(error) => {
            let line = newest.map_or(0, |newest| newest.line);
            let problem = format!("the store of `{feature}` cannot be read: {error}");
            return found.problem(line, problem);
        }
    };
    let known: HashSet<&str> = known.iter().map(String::as_str).collect();
    let mut knows_older = is_all;
    let mut missing = Vec::new();
    for ended in calls {
        let (call, line, is_known) = (&ended.call, ended.line, known.contains(&*ended.call));
        match ended.end {
            End::Void if is_known => {
                found.problem(
                    line,
                    format!("the call `{call}` is void, and the store of `{feature}` holds it"),
                );
            }
            End::Done if !is_known && knows_older => missing.push(ended),
            End::Done => knows_older |= is_known,
            End::Void => (),
        }
    }
    if !missing.is_empty() {
        // What another process set aside, or a person cleared, stands in the log of that.
        let emptied = Others::of(others, folder).emptied.get(owner).copied();
        missing.retain(|ended| emptied.is_none_or(|at| at < ended.at));
    }
    match missing.as_slice() {
        [] => (),
        [Ended { call, line, .. }] => {
            let problem =
                format!("the call `{call}` is done, and the store of `{feature}` lacks it");
            found.problem(*line, problem);
        }
        [.., Ended { call, line, .. }] => {
            let calls = count(missing.len());
            found.problem(*line, format!("the store of `{feature}` lacks {calls} that are done, the latest `{call}`: it was emptied, removed or exchanged"));
        }
    }
    if let Some((key, newest)) = changed.zip(newest) {
        let call = &newest.call;
        found.problem(newest.line, format!("the store of `{feature}` does not hold under `{key}` what the call `{call}` kept, its last"));
    }
}

/// A key that does not hold what the last call of a store kept there.
fn changed_key(look: &Look<'_>, last: &Ended, folder: &Path) -> Result<Option<String>, StoreError> {
    let is_redacted = last.kept.as_ref().is_some_and(Body::is_redacted);
    // A side file that was changed is told of elsewhere.
    let Some(Ok(Value::Object(kept))) = last.kept.as_ref().map(|kept| load(folder, kept)) else {
        return Ok(None);
    };
    for (key, change) in kept {
        if is_redacted && has_mark(&key) {
            // The store has it under a name that the log does not hold.
            continue;
        }
        let held = look.get(&key)?;
        let is_same = match (change.get("value"), held) {
            (None, held) => held.is_none(),
            (Some(_), None) => false,
            (Some(value), Some(text)) => {
                let held = serde_json::from_str(&text).unwrap_or(Value::String(text));
                // The log holds no secret, whatever the store does.
                is_same(&held, value)
                    || is_redacted && is_same_but_for_secrets(&shape::cleaned(held), value)
            }
        };
        if !is_same {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// As [`is_same`], where `written` was cleaned of the secrets that its call had spent. What those were is not
/// known any more, so a text with one in it is taken for the same.
fn is_same_but_for_secrets(held: &Value, written: &Value) -> bool {
    is_alike(held, written, |text| text.contains(SECRET))
}

/// What stands in the place of a secret that was spent.
const SECRET: &str = "[secret ";

/// Whether something was taken out of a text before it was written.
fn has_mark(text: &str) -> bool {
    text.contains(SECRET) || text.contains("[redacted: ")
}

/// Whether two values are the same but for what writing and reading a number takes off it.
fn is_same(one: &Value, other: &Value) -> bool {
    is_alike(one, other, |_| false)
}

/// As [`is_same`]; a text of the other that `is_any` knows may be any text of the one.
fn is_alike(one: &Value, other: &Value, is_any: fn(&str) -> bool) -> bool {
    match (one, other) {
        (_, Value::String(text)) if is_any(text) => one.is_string(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len()
                && one.iter().zip(other).all(|(one, other)| is_alike(one, other, is_any))
        }
        (Value::Object(one), Value::Object(other)) => {
            let has =
                |(key, value)| other.get(key).is_some_and(|other| is_alike(value, other, is_any));
            one.len() == other.len() && one.iter().all(has)
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) =
                (one.as_f64().unwrap_or_default(), other.as_f64().unwrap_or_default());
            (one - other).abs() <= one.abs() * 4.0 * f64::EPSILON
        }
        _ => one == other,
    }
}

fn is_emptied(change: &StoreChange) -> bool {
    matches!(change, StoreChange::SetAside { .. } | StoreChange::Cleared { .. })
}

/// Whether it is one of a call and not of a person, who has `peasy store`.
fn is_call(id: &str) -> bool {
    !id.contains('/')
}

fn count(calls: usize) -> String {
    match calls {
        1 => "a call".to_owned(),
        calls => format!("{calls} calls"),
    }
}

impl Others {
    /// Reads the other logs, the first time that somebody asks. What cannot be read says nothing.
    fn of<'a>(others: &'a mut Option<Self>, folder: &Path) -> &'a Self {
        others.get_or_insert_with(|| {
            let mut read = Self::default();
            let all = folder.parent().unwrap_or(folder);
            for session in sessions(all).unwrap_or_default() {
                let other = all.join(session);
                if other != folder {
                    read.read(&other);
                }
            }
            read
        })
    }

    fn read(&mut self, folder: &Path) {
        let Ok(mut lines) = RawLines::from(folder, 0) else { return };
        while let Ok(Some(raw)) = lines.next() {
            let text = std::str::from_utf8(raw.text).unwrap_or_default();
            if !text.contains(r#""kind":"open""#) && !text.contains(r#""kind":"store""#) {
                continue;
            }
            let Ok(line) = serde_json::from_str::<super::Line>(text) else { continue };
            match line.entry {
                Entry::Open { instance, .. } => _ = self.instances.insert(instance),
                Entry::Store { feature, root, change } if is_emptied(&change) => {
                    self.emptied.insert(Owner { feature, root }, line.at);
                }
                _ => (),
            }
        }
    }
}
