//! Every script of `tests/attacks`, one after another in this process.
//!
//! Besides what the test holds, this says how late answers come, how long reading takes, and what
//! stays in memory. The first line of each attack says what it did to stock Rhai.

#![expect(clippy::disallowed_methods, reason = "reads the corpus")]

use crate::Result;
use crate::host::Host;
use crate::machine::{resident, sandboxes_end};
use crate::report::{Report, Target, time};
use crate::rounds::{Spread, micros};
use peasy::diagnostic::Severity;
use peasy::feature::call::Outcome;
use peasy::feature::catalog::{CallOptions, Catalog};
use peasy::limit::{Limit, Limits};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

pub const ABOUT: &str = "scripts that broke stock Rhai, in one process one after another";

/// How late an answer may be, in microseconds.
const MOST_LATE: f64 = 100_000.0;

/// What may stay in use after all attacks, beside what receipts report as leaked, in MiB.
const MOST_MEMORY: f64 = 64.0;

/// The deadlines in milliseconds: the default, and one that more attacks run into.
const DEADLINES: [u64; 2] = [5_000, 200];

/// Runs the corpus once for each deadline.
pub fn take(report: &mut Report) -> Result<()> {
    let corpus = corpus()?;
    for deadline in DEADLINES {
        let mut limits = Limits::default();
        limits.set(Limit::Time, deadline)?;
        if deadline < Limit::Time.default_value() {
            // Time is to be what ends them.
            limits.set(Limit::Operations, Limit::Operations.ceiling())?;
        }
        run(report, &corpus, &limits)?;
    }
    Ok(())
}

/// The attacks by name, each as a feature with one tool.
fn corpus() -> Result<Vec<(String, String)>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attacks");
    let mut corpus = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let at = text.find("fn attack(").ok_or("an attack without `fn attack(`")?;
        let text = format!("{}\n/// Attacks.\n/// @tool\n{}", &text[..at], &text[at..]);
        let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
        corpus.push((name, text));
    }
    corpus.sort();
    Ok(corpus)
}

/// What was seen over the corpus.
#[derive(Default)]
struct Seen {
    codes: BTreeMap<String, usize>,
    /// By how much each answered call passed its deadline, in microseconds, with its name.
    late: Vec<(f64, String)>,
    reading: Vec<(f64, String)>,
    refused: usize,
    quarantined: usize,
    abandoned: usize,
    leaked: u64,
}

fn run(report: &mut Report, corpus: &[(String, String)], limits: &Limits) -> Result<()> {
    let host = Host::new(limits.clone())?;
    let mut seen = Seen::default();
    let before = resident()?;
    for (name, text) in corpus {
        attack(&host, name, text, &mut seen)?;
    }
    let after = resident()?;
    drop(host);
    sandboxes_end()?;
    print(report, &seen, limits.get(Limit::Time), [before, after, resident()?]);
    Ok(())
}

fn attack(host: &Host, name: &str, text: &str, seen: &mut Seen) -> Result<()> {
    let location = host.write(name, text)?;
    let begun = Instant::now();
    let outcome = host.runtime.read(&[location]).pop().ok_or("reading gave no answer")?;
    seen.reading.push((micros(begun.elapsed()), name.to_owned()));
    let Some(script) = outcome.script else {
        seen.refused += 1;
        let error = outcome.diagnostics.iter().find(|one| one.severity == Severity::Error);
        let code = error.map_or("unexplained".into(), |one| one.code.clone());
        seen.count(&format!("when read: {code}"));
        return Ok(());
    };
    let catalog = host.install(vec![script]);
    if catalog.tool("attack").is_none() {
        seen.refused += 1;
        seen.count("when planned");
        return Ok(());
    }
    let begun = Instant::now();
    let outcome = call(&catalog, json!({ "input": { "n": 1000 } }));
    let time = micros(begun.elapsed());
    let deadline = host.limits.get(Limit::Time) as f64 * 1e3;
    seen.late.push((time - deadline, name.to_owned()));
    seen.count(&code(&outcome));
    seen.leaked += outcome.receipt.leaked_memory;
    seen.abandoned = seen.abandoned.max(host.runtime.abandoned_threads());
    seen.quarantined += usize::from(is_suspect(&outcome) && is_quarantined(&catalog));
    Ok(())
}

impl Seen {
    fn count(&mut self, code: &str) {
        *self.codes.entry(code.to_owned()).or_default() += 1;
    }
}

fn call(catalog: &Catalog, arguments: Value) -> Outcome {
    catalog.call("attack", arguments, CallOptions::default())
}

/// Whether asking again is worth the time: only what leaks or hangs is put aside.
fn is_suspect(outcome: &Outcome) -> bool {
    outcome.receipt.leaked_memory > 64 * 1024 || outcome.receipt.operations == 0
}

fn is_quarantined(catalog: &Catalog) -> bool {
    code(&call(catalog, json!({ "input": null }))) == "feature/quarantined"
}

fn code(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(_) => "a result".to_owned(),
        Err(failure) => {
            failure.diagnostics.first().map_or("unexplained".into(), |one| one.code.to_string())
        }
    }
}

fn print(report: &mut Report, seen: &Seen, deadline: u64, memory: [u64; 3]) {
    let what = |text: &str| format!("deadline {deadline} ms: {text}");
    let (worst, name) = greatest(&seen.late);
    let late = seen.late.iter().filter(|(time, _)| *time > 0.0).count();
    let beside = format!("{name}; {late} of {} calls ended after it", seen.late.len());
    report.time(
        &what("worst lateness"),
        Spread { median: worst, least: worst, greatest: worst },
        &beside,
        Target::Within(MOST_LATE),
    );
    let abandoned = seen.abandoned as f64;
    report.number(&what("abandoned threads"), abandoned, "", "", Target::AtMost(0.0));
    let [before, after, ended] = memory.map(|bytes| mebibytes(bytes as f64));
    let leaked = mebibytes(seen.leaked as f64);
    let beside = format!(
        "{:.1} MiB grown, {leaked:.1} reported as leaked; {:.1} grown once the threads end",
        after - before,
        ended - before
    );
    let unexplained = after - before - leaked;
    // A later pass begins with what the first one left, and finds its memory already there.
    let is_first = deadline == DEADLINES[0];
    let target = if is_first { Target::AtMost(MOST_MEMORY) } else { Target::None };
    report.number(&what("memory kept beside reported leaks"), unexplained, " MiB", &beside, target);
    let (reading, name) = greatest(&seen.reading);
    report.number(&what("quarantined"), seen.quarantined as f64, "", "", Target::None);
    report.note(&format!("reading took {} at worst ({name})", time(reading)));
    let codes: Vec<_> = seen.codes.iter().map(|(code, count)| format!("{count} {code}")).collect();
    report.note(&format!("{} refused before a call; outcomes: {}", seen.refused, codes.join(", ")));
}

fn mebibytes(bytes: f64) -> f64 {
    bytes / 1024.0 / 1024.0
}

fn greatest(figures: &[(f64, String)]) -> (f64, &str) {
    figures
        .iter()
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or((0.0, "none"), |(figure, name)| (*figure, name.as_str()))
}
