//! The cost of one call, against the raw call of the same function.

use crate::host::{self, Answer, Host};
use crate::raw::{Raw, Woken};
use crate::report::{Report, Target, time};
use crate::rounds::{Rounds, Spread, median_of, micros};
use crate::{Problem, Result};
use peasy::feature::catalog::Catalog;
use peasy::limit::Limits;
use serde_json::{Value, json};
use std::time::Instant;

pub const ABOUT: &str = "one call, JSON text to JSON text, limits and receipt on, without the \
                         hand-over, against a raw `call_fn` of the same body";

/// The tool of the peers' bench, and a function that only loops.
const FEATURE: &str = include_str!("features/bench.rhai");

/// The same `word_count` as it would be written with peasy's own helpers.
const IDIOM: &str = include_str!("features/idiom.rhai");

const ROUNDS: usize = 31;

/// Which calls are timed, in the words of both sides.
struct Case {
    what: &'static str,
    tool: &'static str,
    function: &'static str,
    names: &'static [&'static str],
    arguments: Value,
    calls: usize,
    /// Whether the body is the same on both sides, and the target holds.
    same_body: bool,
}

fn cases() -> Vec<Case> {
    let words = |what, bytes, unique: bool, calls| Case {
        what,
        tool: "word_count",
        function: "word_count",
        names: &["text", "unique"],
        arguments: json!({ "text": text(bytes), "unique": unique }),
        calls,
        same_body: true,
    };
    let crunch = Case {
        what: "loop of 1,000 steps",
        tool: "crunch",
        function: "crunch",
        names: &["n"],
        arguments: json!({ "n": 1_000 }),
        calls: 40,
        same_body: true,
    };
    let idiom = |what, bytes, calls| Case {
        tool: "word_count_idiom",
        same_body: false,
        ..words(what, bytes, false, calls)
    };
    vec![
        words("word_count, 20 B", 20, false, 200),
        words("word_count, 1 KB", 1_000, false, 100),
        words("word_count, 10 KB", 10_000, false, 40),
        words("word_count unique, 1 KB", 1_000, true, 40),
        crunch,
        idiom("word_count with text::words, 20 B", 20, 200),
        idiom("word_count with text::words, 10 KB", 10_000, 40),
    ]
}

/// About `bytes` bytes of words.
fn text(bytes: usize) -> String {
    let words = ["to", "be", "or", "not", "that", "is", "the", "question", "whether", "nobler"];
    let mut text = String::new();
    for word in words.iter().cycle() {
        if text.len() + word.len() > bytes {
            break;
        }
        text.push_str(word);
        text.push(' ');
    }
    text.truncate(text.trim_end().len());
    text
}

/// Measures each case in turn.
pub fn take(report: &mut Report) -> Result<()> {
    let host = Host::new(Limits::default())?;
    let catalog = host.catalog(&[("bench", FEATURE), ("idiom", IDIOM)])?;
    for case in cases() {
        one(report, &catalog, &case)?;
    }
    Ok(())
}

const WORKED: usize = 0;
const SANDBOX: usize = 1;
const HAND_OVER: usize = 2;
const WOKEN: usize = 3;
const TIGHT: usize = 4;

fn one(report: &mut Report, catalog: &Catalog, case: &Case) -> Result<()> {
    let arguments = case.arguments.to_string();
    let raw = Raw::new(FEATURE)?;
    agree(case, catalog, &raw, &arguments)?;
    let woken = Woken::new(Raw::new(FEATURE)?, case.function, case.names, arguments.clone());
    let rounds = Rounds::take(ROUNDS, || {
        let [worked, sandbox, hand_over] = peasy(catalog, case, &arguments)?;
        let woken = median_of(case.calls, || woken.call())?;
        let tight = median_of(case.calls, || {
            let begun = Instant::now();
            raw.call(case.function, case.names, &arguments)?;
            Ok(begun.elapsed())
        })?;
        Ok([worked, sandbox, hand_over, woken, tight])
    })?;
    print(report, case, &rounds);
    Ok(())
}

fn peasy(catalog: &Catalog, case: &Case, arguments: &str) -> Result<[f64; 3]> {
    let answers = (0..case.calls)
        .map(|_| host::call(catalog, case.tool, arguments))
        .collect::<Result<Vec<_>>>()?;
    let median = |of: fn(&Answer) -> std::time::Duration| {
        Spread::of(answers.iter().map(|answer| micros(of(answer))).collect()).median
    };
    Ok([median(Answer::worked), median(|answer| answer.receipt.time), median(Answer::hand_over)])
}

/// Both sides must say the same before their times mean anything.
fn agree(case: &Case, catalog: &Catalog, raw: &Raw, arguments: &str) -> Result<()> {
    let ours: Value = serde_json::from_str(&host::call(catalog, case.tool, arguments)?.text)?;
    let theirs: Value = serde_json::from_str(&raw.call(case.function, case.names, arguments)?)?;
    if ours == theirs {
        return Ok(());
    }
    Err(Problem::from(format!("{}: {ours} on one side, {theirs} on the other", case.what)))
}

fn print(report: &mut Report, case: &Case, rounds: &Rounds<5>) {
    let target = if case.same_body { Target::AtMost(1.5) } else { Target::None };
    let what = |rest: &str| format!("{}{rest}", case.what);
    let worked = ("peasy", WORKED);
    report.ratio(&what(""), rounds, [worked, ("raw", TIGHT)], target);
    let woken = what(": raw on a woken thread");
    report.ratio(&woken, rounds, [worked, ("raw", WOKEN)], Target::None);
    report.ratio(
        &what(": receipt.time alone"),
        rounds,
        [("peasy", SANDBOX), ("raw", TIGHT)],
        Target::None,
    );
    let hand_over = rounds.side(HAND_OVER);
    let beside = format!("beside {} of work", time(rounds.side(WORKED).median));
    report.time(&what(": hand-over"), hand_over, &beside, Target::None);
}
