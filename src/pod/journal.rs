//! What a call got from its host and what it staged, gathered on its way and written with its entry.
//!
//! Of each key the first look is kept, and nothing that the call wrote there itself: so the record says
//! what the store held before. Nothing here reads or writes a store.

use crate::diagnostic::Diagnostic;
use crate::feature::commons::{Commons, CommonsAnswer, CommonsAsk};
use crate::feature::heard::{Given, Heard, Held, Told};
use foldhash::fast::RandomState;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The record of one call while it runs.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The bytes that may still be kept.
    room: u64,
    /// Of the store nothing until the call is over.
    heard: Heard,
    /// What the store held at the first look at a key.
    held: HashMap<String, Held, RandomState>,
    /// What the call wrote, by key; `None` for what it removed.
    staged: HashMap<Arc<str>, Option<Arc<str>>, RandomState>,
    /// What the store gave besides values, in order.
    given: Vec<Given>,
}

/// What a key costs beside its bytes.
const OVERHEAD: u64 = 16;

/// What stands in the record of a call that got more than is kept.
const TOO_MUCH: &str = "it got more from its host than is kept on record";

impl Journal {
    pub fn of(room: u64) -> Self {
        Self { room, ..Self::default() }
    }

    /// The bytes that may still be kept.
    pub fn room(&self) -> u64 {
        self.room
    }

    fn pay(&mut self, bytes: usize) -> bool {
        if self.heard.lost.is_some() || self.room == 0 {
            return false;
        }
        // No room at all is that of a call of which nothing is kept.
        match self.room.checked_sub(bytes as u64 + OVERHEAD) {
            Some(rest) if rest > 0 => self.room = rest,
            _ => self.lose(TOO_MUCH),
        }
        self.heard.lost.is_none()
    }

    fn lose(&mut self, why: &str) {
        self.heard.lose(why);
        self.held.clear();
        self.staged.clear();
        self.given.clear();
        self.room = 0;
    }

    /// What a look gave that [`Self::again`] knew nothing of.
    pub fn read(&mut self, key: &str, read: &Result<Option<String>, Diagnostic>) {
        match read {
            Err(problem) => self.refused("store::get", json!([key]), problem),
            Ok(_) if self.staged.contains_key(key) => (),
            Ok(value) => {
                if self.pay(key.len() + value.as_ref().map_or(0, String::len)) {
                    let held = value.clone().map_or(Held::Nothing, Held::Text);
                    self.held.insert(key.to_owned(), held);
                }
            }
        }
    }

    /// What the call read under a key and has not changed since; `None` where it has to look.
    pub fn again(&self, key: &str) -> Option<Option<String>> {
        if self.staged.contains_key(key) {
            return None;
        }
        match self.held.get(key)? {
            Held::Nothing => Some(None),
            Held::Text(text) => Some(Some(text.clone())),
            Held::Something => None,
        }
    }

    pub fn set(&mut self, key: &Arc<str>, value: &Arc<str>, set: &Result<(), Diagnostic>) {
        match set {
            Err(problem) => self.refused("store::set", json!([&**key]), problem),
            Ok(()) => {
                // What is set again and again is kept once.
                if let Some(Some(before)) = self.staged.get(key) {
                    self.room += (key.len() + before.len()) as u64 + OVERHEAD;
                }
                if self.pay(key.len() + value.len()) {
                    self.staged.insert(Arc::clone(key), Some(Arc::clone(value)));
                }
            }
        }
    }

    pub fn deleted(&mut self, key: &str, deleted: &Result<bool, Diagnostic>) {
        match deleted {
            Err(problem) => self.refused("store::delete", json!([key]), problem),
            Ok(was_there) => {
                if !self.pay(2 * key.len()) {
                    return;
                }
                if !self.staged.contains_key(key) {
                    let held = if *was_there { Held::Something } else { Held::Nothing };
                    self.held.entry(key.to_owned()).or_insert(held);
                }
                self.staged.insert(Arc::from(key), None);
            }
        }
    }

    pub fn listed(&mut self, prefix: &str, most: usize, keys: &Result<Vec<String>, Diagnostic>) {
        match keys {
            Err(problem) => self.refused("store::keys", json!([prefix, most]), problem),
            Ok(keys) => {
                if self.pay(prefix.len() + keys.iter().map(|key| key.len() + 3).sum::<usize>()) {
                    self.give("store::keys", json!([prefix, most]), Told::Value(json!(keys)));
                }
            }
        }
    }

    /// What the memory or the work items said: their looks and changes are kept in one order.
    pub fn shared(
        &mut self,
        which: Commons,
        ask: &CommonsAsk,
        answer: &Result<CommonsAnswer, Diagnostic>,
    ) {
        if self.room == 0 {
            return;
        }
        let (asked, outcome) = (
            json!([which, ask]),
            match answer {
                Ok(answer) => Told::Value(json!(answer)),
                Err(problem) => Told::Refused(Box::new(problem.clone())),
            },
        );
        let given = Given { function: "commons".to_owned(), asked, outcome, operations: 0 };
        if self.pay(usize::try_from(Heard::cost(&given)).unwrap_or(usize::MAX)) {
            self.given.push(given);
        }
    }

    fn refused(&mut self, function: &str, asked: Value, problem: &Diagnostic) {
        if self.pay(problem.message.len() + 256) {
            self.give(function, asked, Told::Refused(Box::new(problem.clone())));
        }
    }

    fn give(&mut self, function: &str, asked: Value, outcome: Told) {
        let function = function.to_owned();
        self.given.push(Given { function, asked, outcome, operations: 0 });
    }

    /// What the script got beside its store.
    pub fn heard(&mut self, heard: Heard) {
        match &heard.lost {
            Some(why) => self.lose(&why.clone()),
            None if self.heard.lost.is_none() => {
                self.heard.clock = heard.clock;
                self.heard.given = heard.given;
            }
            None => (),
        }
    }

    /// What is written with the call, where there is something: what it got, and what it staged.
    pub fn into_values(mut self) -> (Option<Value>, Option<Value>) {
        self.heard.given.append(&mut self.given);
        self.heard.store.extend(self.held);
        let heard = (!self.heard.is_empty()).then(|| serde_json::to_value(&self.heard).ok());
        let staged: Option<BTreeMap<_, Value>> =
            (!self.staged.is_empty()).then(|| self.staged.into_iter().map(as_json).collect());
        (heard.flatten(), staged.and_then(|staged| serde_json::to_value(staged).ok()))
    }
}

/// A key with its value as JSON; the text of one that is none, which no script writes.
fn as_json((key, text): (Arc<str>, Option<Arc<str>>)) -> (String, Value) {
    let value = text.map(|text| {
        serde_json::from_str(&text).unwrap_or_else(|_| Value::String(String::from(&*text)))
    });
    (
        String::from(&*key),
        value.map_or(json!({ "removed": true }), |value| json!({ "value": value })),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Arc<str> {
        Arc::from(text)
    }

    #[test]
    fn what_was_read_is_known_until_the_call_changes_it() {
        let mut journal = Journal::of(10_000);
        assert_eq!(journal.again("a"), None, "nobody looked");
        journal.read("a", &Ok(Some("1".to_owned())));
        journal.read("b", &Ok(None));
        assert_eq!(journal.again("a"), Some(Some("1".to_owned())));
        assert_eq!(journal.again("b"), Some(None));

        journal.set(&text("a"), &text("2"), &Ok(()));
        journal.deleted("b", &Ok(false));
        assert_eq!((journal.again("a"), journal.again("b")), (None, None), "the store knows");
        journal.read("a", &Ok(Some("2".to_owned())));
        assert_eq!(journal.again("a"), None, "what the call wrote itself is no first look");

        let (heard, staged) = journal.into_values();
        assert_eq!(heard, Some(json!({ "store": { "a": { "text": "1" }, "b": "nothing" } })));
        assert_eq!(staged, Some(json!({ "a": { "value": 2 }, "b": { "removed": true } })));
    }

    #[test]
    fn a_record_that_is_full_says_so_and_knows_nothing_any_more() {
        let room = ("a".len() + "1".len()) as u64 + OVERHEAD;
        for (room, is_kept) in [(room + 1, true), (room, false), (room - 1, false)] {
            let mut journal = Journal::of(room);
            journal.read("a", &Ok(Some("1".to_owned())));
            assert_eq!(journal.again("a").is_some(), is_kept, "{room}");
            journal.set(&text("a"), &text("2"), &Ok(()));
            assert_eq!(journal.again("a"), None, "{room}");
            let (heard, staged) = journal.into_values();
            assert_eq!((heard, staged), (Some(json!({ "lost": TOO_MUCH })), None), "{room}");
        }
        let mut nothing = Journal::of(0);
        nothing.read("a", &Ok(None));
        assert_eq!(nothing.into_values(), (None, None), "of some calls nothing is kept");
    }
}
