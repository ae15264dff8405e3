//! What is kept for all features of a place together: the memory, and the work items.
//!
//! A call looks at it and stages changes through its [`super::transaction::Transaction`], under the rules of
//! its own store: it sees what it staged, nobody else does, and all of it becomes lasting with the call or
//! nothing. Here it is said what can be asked and answered; who keeps it, and where, is the host's.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Commons {
    /// `memory`
    Memory,
    /// `workitem`
    WorkItem,
}

impl Commons {
    /// Both, in the order in which a call locks them.
    pub const ALL: [Self; 2] = [Self::Memory, Self::WorkItem];

    /// The name of the feature that is built in and works on it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::WorkItem => "work-item",
        }
    }
}

/// What the keys of entries begin with; so many digits follow that their order is that of the numbers.
const KEY: &str = "entry/";

/// The highest number of an entry.
pub const MOST_NUMBER: u64 = 999_999_999_999;

/// The key of the entry with that number; 0 is the entry that counts the others.
pub fn key_of(number: u64) -> String {
    format!("{KEY}{:012}", number.min(MOST_NUMBER))
}

/// The number of an entry.
pub fn number_of(key: &str) -> Option<u64> {
    key.strip_prefix(KEY)?.parse().ok().filter(|number| *number <= MOST_NUMBER)
}

/// What a call asks. Every key is one of [`key_of`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommonsAsk {
    /// The value under a key.
    Get(String),
    /// Keeps a value, a JSON text, under a key.
    Set {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The words by which it is found.
        words: String,
    },
    /// Removes a key.
    Delete(String),
    /// The entries, that with the highest number first.
    Entries {
        /// Only those with numbers below this one.
        below: u64,
        /// How many at most.
        most: usize,
    },
    /// The entries that have all or most of these words, the best first.
    Search {
        /// The words; each may be the beginning of one.
        words: Vec<String>,
        /// How many at most.
        most: usize,
    },
}

impl CommonsAsk {
    /// Whether it stages something.
    pub fn is_change(&self) -> bool {
        matches!(self, Self::Set { .. } | Self::Delete(_))
    }
}

/// What the host answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommonsAnswer {
    /// A value, where there is one.
    Value(Option<String>),
    /// Whether there was something to do.
    Done(bool),
    /// Keys and values.
    Entries(Vec<(String, String)>),
}

/// A commons in memory alone, for tests. It finds words without knowing their forms.
#[derive(Debug, Default)]
pub(super) struct Loose(BTreeMap<String, (String, String)>);

impl Loose {
    pub fn answer(&mut self, ask: &CommonsAsk) -> CommonsAnswer {
        match ask {
            CommonsAsk::Get(key) => {
                CommonsAnswer::Value(self.0.get(key).map(|(value, _)| value.clone()))
            }
            CommonsAsk::Set { key, value, words } => {
                self.0.insert(key.clone(), (value.clone(), words.to_lowercase()));
                CommonsAnswer::Done(true)
            }
            CommonsAsk::Delete(key) => CommonsAnswer::Done(self.0.remove(key).is_some()),
            CommonsAsk::Entries { below, most } => {
                let entries = self.0.range(key_of(1)..key_of(*below)).rev().take(*most);
                let entries = entries.map(|(key, (value, _))| (key.clone(), value.clone()));
                CommonsAnswer::Entries(entries.collect())
            }
            CommonsAsk::Search { words, most } => CommonsAnswer::Entries(self.search(words, *most)),
        }
    }

    fn search(&self, words: &[String], most: usize) -> Vec<(String, String)> {
        let hits = |text: &str| {
            let has = |word: &&String| {
                let word = word.to_lowercase();
                text.split(|c: char| !c.is_alphanumeric()).any(|one| one.starts_with(&word))
            };
            words.iter().filter(has).count()
        };
        let mut found: Vec<_> = self
            .0
            .iter()
            .map(|(key, (value, text))| (hits(text), key, value))
            .filter(|(hits, ..)| *hits > 0)
            .collect();
        found.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        found.into_iter().take(most).map(|(_, key, value)| (key.clone(), value.clone())).collect()
    }
}
