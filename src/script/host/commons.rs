//! What the modules `memory` and `workitem` share: entries with numbers, kept by the host.
//!
//! Every look is paid for by what comes back. Nothing here knows where entries lie.

use super::json;
use crate::feature::commons::{Commons, CommonsAnswer, CommonsAsk, MOST_NUMBER, key_of};
use crate::script::frame::{self, Native, error};
use crate::script::meter;
use rhai::Dynamic;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The operations that one look costs, beside what comes back.
const COST: u64 = 50;

/// The operations that a search costs.
const SEARCH: u64 = 2_000;

/// How many entries are looked at together.
const PAGE: usize = 50;

/// Most words of a search that count, and the longest of them in bytes.
const MOST_WORDS: usize = 16;
const MAX_WORD: usize = 64;

pub(super) fn ask(commons: Commons, ask: &CommonsAsk) -> Native<CommonsAnswer> {
    meter::charge(if matches!(ask, CommonsAsk::Search { .. }) { SEARCH } else { COST })?;
    let answer = frame::ask_host(|host| host.commons(commons, ask))?;
    match &answer {
        CommonsAnswer::Value(Some(value)) => meter::charge_bytes(value.len())?,
        CommonsAnswer::Entries(entries) => {
            for (_, value) in entries {
                meter::charge(1)?;
                meter::charge_bytes(value.len())?;
            }
        }
        _ => (),
    }
    Ok(answer)
}

/// A number for a new entry; none is given twice, nor again after its entry was removed.
pub(super) fn new_number(commons: Commons) -> Native<u64> {
    let last: u64 = get(commons, 0)?.unwrap_or(0);
    let next = last + 1;
    if next >= MOST_NUMBER {
        return Err(error("there are no numbers left"));
    }
    set(commons, 0, &next, "")?;
    Ok(next)
}

pub(super) fn get<T: DeserializeOwned>(commons: Commons, number: u64) -> Native<Option<T>> {
    match ask(commons, &CommonsAsk::Get(key_of(number)))? {
        CommonsAnswer::Value(Some(value)) => read(&value).map(Some),
        _ => Ok(None),
    }
}

pub(super) fn set(commons: Commons, number: u64, value: &impl Serialize, words: &str) -> Native {
    let value = serde_json::to_string(value).map_err(|reason| error(reason.to_string()))?;
    meter::charge_bytes((value.len() + words.len()).saturating_mul(4))?;
    let set = CommonsAsk::Set { key: key_of(number), value, words: words.to_owned() };
    ask(commons, &set).map(drop)
}

pub(super) fn delete(commons: Commons, number: u64) -> Native<bool> {
    Ok(ask(commons, &CommonsAsk::Delete(key_of(number)))? == CommonsAnswer::Done(true))
}

/// The entries with numbers below `below` that are wanted, the newest first.
pub(super) fn newest<T: DeserializeOwned>(
    commons: Commons,
    mut below: u64,
    most: usize,
    is_wanted: impl Fn(&T) -> bool,
    number_of: impl Fn(&T) -> u64,
) -> Native<Vec<T>> {
    let mut found = Vec::new();
    while found.len() < most {
        let page = CommonsAsk::Entries { below, most: PAGE };
        let CommonsAnswer::Entries(entries) = ask(commons, &page)? else { break };
        let is_last = entries.len() < PAGE;
        for (_, value) in entries {
            let entry: T = read(&value)?;
            below = number_of(&entry);
            if found.len() < most && is_wanted(&entry) {
                found.push(entry);
            }
        }
        if is_last {
            break;
        }
    }
    Ok(found)
}

/// The entries that have the words of `text`, the best first.
pub(super) fn search<T: DeserializeOwned>(
    commons: Commons,
    text: &str,
    most: usize,
    is_wanted: impl Fn(&T) -> bool,
) -> Native<Vec<T>> {
    meter::charge_bytes(text.len())?;
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<String> = words
        .take(MOST_WORDS)
        .map(|word| crate::script::value::prefix(word, MAX_WORD).to_owned())
        .collect();
    if words.is_empty() {
        return Err(error("the search has no words; write some of those that the text may hold"));
    }
    // What is filtered out afterwards takes the place of others.
    let search = CommonsAsk::Search { words, most: most.saturating_mul(4).min(200) };
    let CommonsAnswer::Entries(entries) = ask(commons, &search)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for (_, value) in entries {
        let entry: T = read(&value)?;
        if found.len() < most && is_wanted(&entry) {
            found.push(entry);
        }
    }
    Ok(found)
}

fn read<T: DeserializeOwned>(value: &str) -> Native<T> {
    serde_json::from_str(value).map_err(|reason| {
        error(format!("an entry cannot be read, and may be of a newer version: {reason}"))
    })
}

/// A value as scripts see it.
pub(super) fn shown(value: &impl Serialize) -> Native<Dynamic> {
    let text = serde_json::to_string(value).map_err(|reason| error(reason.to_string()))?;
    meter::charge_bytes(text.len())?;
    json::parse_text(&text)
}

/// A text within its bounds, in characters.
pub(super) fn text(name: &str, given: &str, least: usize, most: usize) -> Native<String> {
    meter::charge_bytes(given.len())?;
    let length = given.chars().count();
    if (least..=most).contains(&length) {
        return Ok(given.to_owned());
    }
    Err(error(format!("`{name}` has {length} characters; write {least} to {most}")))
}

/// Short names, each once: the tags of a note, the labels of a work item.
pub(super) fn names(name: &str, given: Option<Vec<rhai::ImmutableString>>) -> Native<Vec<String>> {
    const MOST: usize = 16;
    let mut names = Vec::new();
    for one in given.unwrap_or_default() {
        let one = text(name, one.trim(), 1, 50)?;
        if !names.contains(&one) {
            names.push(one);
        }
    }
    if names.len() > MOST {
        return Err(error(format!("{} `{name}` are given, and {MOST} may be", names.len())));
    }
    Ok(names)
}

/// How many entries are wanted.
pub(super) fn most(given: Option<i64>) -> Native<usize> {
    let given = given.unwrap_or(20);
    usize::try_from(given)
        .ok()
        .filter(|most| (1..=200).contains(most))
        .ok_or_else(|| error(format!("`most` is {given}; write 1 to 200")))
}

/// A number as scripts give it; one that cannot be is one that nothing has.
pub(super) fn number(given: i64) -> u64 {
    u64::try_from(given)
        .ok()
        .filter(|number| (1..MOST_NUMBER).contains(number))
        .unwrap_or(MOST_NUMBER)
}

/// Below which number to begin.
pub(super) fn below(given: Option<i64>) -> u64 {
    given.map_or(MOST_NUMBER, number)
}

/// The name of the feature that runs, for what it writes.
pub(super) fn author() -> Native<String> {
    frame::with(|frame| Ok(frame.feature().to_string()))
}
