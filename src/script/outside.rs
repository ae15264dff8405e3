//! What a call gets from the world: recorded as it comes, or given again from a record.
//!
//! Host functions whose results the input of a call does not decide go through [`from`]. It stands at
//! their edge: what they do inside, and what that costs, is theirs. A call that asks nothing of the
//! world pays nothing here.

use super::frame::{self, CallerError, Native, Refusal, error, refusal};
use super::meter;
use super::value::{self, Budget};
use crate::diagnostic::Diagnostic;
use crate::feature::heard::{Given, Heard, Told};
use crate::feature::transaction::Transaction;
use rhai::{Dynamic, EvalAltResult, Variant};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The longest text that is recorded of what was asked; of a longer one, its hash.
const ASKED: usize = 200;

/// What lets something out into the world, after which nobody is asked anything.
const ACTS: [&str; 12] = [
    "exec::run",
    "fs::append",
    "fs::copy",
    "fs::make_folder",
    "fs::remove",
    "fs::rename",
    "fs::write",
    "http::request",
    "pod::message",
    "pod::restore",
    "pod::start",
    "pod::stop",
];

/// What one call gets from the world.
pub(crate) struct Outside {
    /// The bytes that may still be recorded.
    room: u64,
    heard: Heard,
    /// What is given in the place of the world.
    script: Option<Rehearsal>,
}

/// A record on its way back.
struct Rehearsal {
    heard: Heard,
    /// Which of it was given.
    used: Vec<bool>,
    /// Which moment of the clock comes next, and how often it was told.
    clock: (usize, u64),
}

impl Outside {
    pub fn of(host: &dyn Transaction) -> Self {
        let script = host.rehearsal().map(|heard| Rehearsal {
            used: vec![false; heard.given.len()],
            heard,
            clock: (0, 0),
        });
        Self { room: host.record_room(), heard: Heard::default(), script }
    }

    /// The wall clock, in milliseconds since the Unix epoch.
    pub fn clock(&mut self) -> i64 {
        if let Some(script) = &mut self.script {
            return script.clock();
        }
        let now = jiff::Timestamp::now().as_millisecond();
        if self.room > 0 && self.heard.lost.is_none() {
            match self.heard.clock.last_mut() {
                Some((last, times)) if *last == now => *times += 1,
                _ => {
                    if self.pay(CLOCK_COST) {
                        self.heard.clock.push((now, 1));
                    }
                }
            }
        }
        now
    }

    /// Takes room for something; where there is none left, nothing is recorded any more.
    fn pay(&mut self, bytes: u64) -> bool {
        match self.room.checked_sub(bytes) {
            Some(rest) => self.room = rest,
            None => self.heard.lose(TOO_MUCH),
        }
        self.heard.lost.is_none()
    }

    /// Tells the host what was heard, where something was.
    pub fn tell(self, host: &dyn Transaction) {
        if !self.heard.is_empty() {
            host.heard(self.heard);
        }
    }
}

/// The bytes that a moment of the clock takes in the log.
const CLOCK_COST: u64 = 24;

/// What stands in the record of a call that got more from its host than is kept.
pub(crate) const TOO_MUCH: &str = "it got more from its host than is kept on record";

impl Rehearsal {
    /// The next moment that the record holds; the last one stays.
    fn clock(&mut self) -> i64 {
        let (index, told) = self.clock;
        let Some((now, times)) = self.heard.clock.get(index).or(self.heard.clock.last()) else {
            return jiff::Timestamp::now().as_millisecond();
        };
        self.clock = if told + 1 >= *times { (index + 1, 0) } else { (index, told + 1) };
        *now
    }

    /// What was given before for the same question, in the order of before.
    fn find(&mut self, function: &str, asked: &Value) -> Option<&Given> {
        let given = &self.heard.given;
        let is_next = |index: &usize| {
            !self.used[*index]
                && given[*index].function == function
                && given[*index].asked == *asked
        };
        let index = (0..given.len()).find(is_next)?;
        self.used[index] = true;
        Some(&self.heard.given[index])
    }
}

/// Gets something from the world with `act`, or from the record of a call that is run again. `asked`
/// says what is asked for, without secrets.
///
/// # Errors
///
/// As `act`, or the record does not hold it; the script may catch that.
pub(crate) fn from<T: Variant + Clone>(
    function: &str,
    asked: impl FnOnce() -> Value,
    act: impl FnOnce() -> Native<T>,
) -> Native<T> {
    let (is_recorded, is_rehearsed) = frame::with(|frame| {
        let outside = frame.outside();
        Ok((outside.room > 0 && outside.heard.lost.is_none(), outside.script.is_some()))
    })?;
    if is_rehearsed {
        let asked = meter::handing_out(|| shortened(asked()));
        return rehearse(function, &asked);
    }
    if !is_recorded {
        return act();
    }
    let asked = meter::handing_out(|| shortened(asked()));
    let before = meter::operations();
    let (outcome, result) = split(act());
    let operations = meter::operations() - before;
    meter::handing_out(|| {
        let given = outcome.map(|outcome| Given {
            function: function.to_owned(),
            asked,
            outcome,
            operations,
        });
        frame::with(|frame| {
            let outside = frame.outside();
            match given {
                Some(given) if outside.pay(Heard::cost(&given)) => outside.heard.given.push(given),
                Some(_) => (),
                // A bound ended the call in the middle of it.
                None => outside.heard.lose("a limit ended it while its host was at work"),
            }
            Ok(())
        })
    })?;
    result.and_then(|value| {
        value.try_cast().ok_or_else(|| error("a host function gave a value of another type"))
    })
}

/// What is recorded of an outcome, and the outcome itself.
fn split<T: Variant + Clone>(result: Native<T>) -> (Option<Told>, Native<Dynamic>) {
    match result {
        Ok(value) => {
            let value = Dynamic::from(value);
            let json = meter::handing_out(|| value::to_json(&value, Budget::of_bytes(usize::MAX)));
            (json.ok().map(Told::Value), Ok(value))
        }
        Err(error) => (meter::handing_out(|| told(&error)), Err(error)),
    }
}

/// An error that a script may catch, as data; no limit is one.
fn told(error: &EvalAltResult) -> Option<Told> {
    let EvalAltResult::ErrorRuntime(thrown, _) = error else { return None };
    if let Some(refused) = thrown.read_lock::<Refusal>() {
        return Some(Told::Refused(Box::new(Diagnostic::clone(&refused.0))));
    }
    if thrown.is::<CallerError>() {
        return None;
    }
    Some(Told::Failed(thrown.clone().into_string().ok()?))
}

fn rehearse<T: Variant + Clone>(function: &str, asked: &Value) -> Native<T> {
    let given = meter::handing_out(|| {
        frame::with(|frame| {
            let script = frame.outside().script.as_mut();
            Ok(script.and_then(|script| script.find(function, asked)).cloned())
        })
    })?;
    let Some(given) = given else {
        let what = format!("{function} {asked}");
        return Err(frame::missed(&what));
    };
    meter::charge(given.operations)?;
    if ACTS.contains(&function) {
        frame::with(|frame| {
            frame.acted();
            Ok(())
        })?;
    }
    match given.outcome {
        Told::Value(json) => value::from_json(&json)?
            .try_cast()
            .ok_or_else(|| error("the record holds a value of another type")),
        Told::Refused(problem) => Err(meter::handing_out(|| refusal(*problem))),
        Told::Failed(text) => Err(error(text)),
    }
}

/// What was asked, with the hash of each text that is long.
fn shortened(asked: Value) -> Value {
    match asked {
        Value::String(text) if text.len() > ASKED => {
            let hash = Sha256::digest(text.as_bytes());
            let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("sha256:{hash}").into()
        }
        Value::Array(parts) => parts.into_iter().map(shortened).collect(),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, part)| (key, shortened(part))).collect())
        }
        other => other,
    }
}
