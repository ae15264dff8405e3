//! What a call got from its host and what it staged, gathered on its way and written with its entry.
//!
//! Of each key the first look is kept, and nothing that the call wrote there itself: so the record says
//! what the store held before. Nothing here reads or writes a store.

use crate::diagnostic::Diagnostic;
use crate::feature::commons::{Commons, CommonsAnswer, CommonsAsk};
use crate::feature::heard::{Given, Heard, Held, Told};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The record of one call while it runs.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The bytes that may still be kept.
    room: u64,
    heard: Heard,
    /// What the call wrote, by key; `None` for what it removed.
    staged: BTreeMap<String, Option<String>>,
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
        match self.room.checked_sub(bytes as u64 + OVERHEAD) {
            Some(rest) => self.room = rest,
            None => self.lose(TOO_MUCH),
        }
        self.heard.lost.is_none()
    }

    fn lose(&mut self, why: &str) {
        self.heard.lose(why);
        self.staged.clear();
        self.given.clear();
        self.room = 0;
    }

    pub fn read(&mut self, key: &str, read: &Result<Option<String>, Diagnostic>) {
        match read {
            Err(problem) => self.refused("store::get", json!([key]), problem),
            Ok(_) if self.staged.contains_key(key) => (),
            Ok(value) => {
                let is_new =
                    !matches!(self.heard.store.get(key), Some(Held::Text(_) | Held::Nothing));
                if is_new && self.pay(key.len() + value.as_ref().map_or(0, String::len)) {
                    let held = value.clone().map_or(Held::Nothing, Held::Text);
                    self.heard.store.insert(key.to_owned(), held);
                }
            }
        }
    }

    pub fn set(&mut self, key: &str, value: &str, set: &Result<(), Diagnostic>) {
        match set {
            Err(problem) => self.refused("store::set", json!([key]), problem),
            Ok(()) => {
                // What is set again and again is kept once.
                if let Some(Some(before)) = self.staged.get(key) {
                    self.room += (key.len() + before.len()) as u64 + OVERHEAD;
                }
                if self.pay(key.len() + value.len()) {
                    self.staged.insert(key.to_owned(), Some(value.to_owned()));
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
                    self.heard.store.entry(key.to_owned()).or_insert(held);
                }
                self.staged.insert(key.to_owned(), None);
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
        let heard = (!self.heard.is_empty()).then(|| serde_json::to_value(&self.heard).ok());
        let staged: Option<BTreeMap<_, Value>> =
            (!self.staged.is_empty()).then(|| self.staged.into_iter().map(as_json).collect());
        (heard.flatten(), staged.and_then(|staged| serde_json::to_value(staged).ok()))
    }
}

/// A key with its value as JSON; the text of one that is none, which no script writes.
fn as_json((key, text): (String, Option<String>)) -> (String, Value) {
    let value = text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
    (key, value.map_or(json!({ "removed": true }), |value| json!({ "value": value })))
}
