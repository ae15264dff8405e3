//! The most frequent words of a long text, against CPython.
//!
//! Python times its own function in its own process, which is kept and fed over a pipe.

#![expect(clippy::disallowed_methods, reason = "starts the Python that it is compared with")]

use crate::host::{self, Host};
use crate::report::{Report, Target};
use crate::rounds::{Rounds, micros};
use crate::{Problem, Result};
use peasy::feature::catalog::Catalog;
use peasy::limit::Limits;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub const ABOUT: &str = "the ten most frequent words of 100 KB, peasy with text:: and list:: \
                         against CPython's Counter; the best of several on both sides, by turns";

const FEATURE: &str = include_str!("features/words.rhai");
const PROGRAM: &str = include_str!("features/words.py");

const ROUNDS: usize = 15;
const REPEAT: usize = 7;
const BYTES: usize = 100_000;

/// Measures, or says that there is no Python.
pub fn take(report: &mut Report) -> Result<()> {
    let Ok(mut python) = Python::start() else {
        report.note("skipped: there is no `python3` to compare with");
        return Ok(());
    };
    let catalog = Host::new(Limits::default())?.catalog(&[("words", FEATURE)])?;
    let arguments = json!({ "text": text(), "most": 10 }).to_string();
    agree(&catalog, &mut python, &arguments)?;
    let rounds = Rounds::take(ROUNDS, || {
        let [sandbox, worked] = best(&catalog, &arguments)?;
        let answer = python.ask(&arguments)?;
        Ok([sandbox, worked, answer.function, answer.whole])
    })?;
    let pair = |ours, theirs| [("peasy", ours), ("CPython", theirs)];
    report.ratio("JSON text to JSON text", &rounds, pair(1, 3), Target::AtMost(1.5));
    report.ratio(
        "receipt.time against the function alone",
        &rounds,
        pair(0, 2),
        Target::AtMost(1.5),
    );
    Ok(())
}

fn best(catalog: &Catalog, arguments: &str) -> Result<[f64; 2]> {
    let mut least = [f64::INFINITY; 2];
    for _ in 0..REPEAT {
        let answer = host::call(catalog, "top_words", arguments)?;
        least[0] = least[0].min(micros(answer.receipt.time));
        least[1] = least[1].min(micros(answer.worked()));
    }
    Ok(least)
}

/// Words of uneven frequency, as in a language: the n-th of 3,000 about 1/n as often as the first.
fn text() -> String {
    let mut random = fastrand::Rng::with_seed(1);
    let mut text = String::with_capacity(BYTES + 16);
    while text.len() < BYTES {
        let rank = (3_000_f64.powf(random.f64()) - 1.0).floor();
        let word =
            format!("{}{rank}", ["the", "Of", "peasy", "features", "And"][rank as usize % 5]);
        text.push_str(&word);
        text.push(if random.u8(..) < 20 { '\n' } else { ' ' });
    }
    text
}

fn agree(catalog: &Catalog, python: &mut Python, arguments: &str) -> Result<()> {
    let ours: Value = serde_json::from_str(&host::call(catalog, "top_words", arguments)?.text)?;
    let theirs = python.ask(arguments)?.result;
    if ours == theirs {
        return Ok(());
    }
    Err(Problem::from(format!("{ours} on one side, {theirs} on the other")))
}

/// What Python said, times in microseconds.
struct Timed {
    function: f64,
    whole: f64,
    result: Value,
}

struct Python {
    process: Child,
    requests: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Python {
    fn start() -> Result<Self> {
        let mut process = Command::new("python3")
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = process.stdin.take();
        let answers = process.stdout.take().ok_or("Python has no output")?;
        Ok(Self { process, requests, answers: BufReader::new(answers) })
    }

    fn ask(&mut self, arguments: &str) -> Result<Timed> {
        let request = json!({ "arguments": arguments, "repeat": REPEAT });
        let pipe = self.requests.as_mut().ok_or("Python has no input")?;
        writeln!(pipe, "{request}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        let time = |name: &str| {
            let nanoseconds = answer[name].as_f64().ok_or("Python gave no time")?;
            Ok::<_, Problem>(nanoseconds / 1e3)
        };
        Ok(Timed {
            function: time("function")?,
            whole: time("whole")?,
            result: answer["result"].clone(),
        })
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It ends when its input does.
        self.requests = None;
        let _ = self.process.wait();
    }
}
