//! What a feature keeps, against SQLite alone; and a call that commits, against its parts.

use crate::Result;
use crate::host::Host;
use crate::report::{Report, Target};
use crate::rounds::{Rounds, Spread, median_of, micros};
use peasy::feature::catalog::CallOptions;
use peasy::limit::Limits;
use peasy::pod::{Pod, PodOptions};
use peasy::store::Durability;
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const ABOUT: &str = "store::get and store::set (receipt.time a step) against rusqlite, and a \
                         call that commits against a transaction and two appended lines, all \
                         without waiting for the disk";

const FEATURE: &str = include_str!("features/store.rhai");

const ROUNDS: usize = 21;
/// Steps in one call.
const STEPS: u32 = 1_000;
/// Calls whose median is one figure.
const CALLS: usize = 40;

/// Lines about as long as those of an intent and of its end.
const LINES: [usize; 2] = [520, 220];

const GET: usize = 0;
const RAW_GET: usize = 1;
const SET: usize = 2;
const RAW_SET: usize = 3;
const COMMIT: usize = 4;
const PARTS: usize = 5;
const PLAIN: usize = 6;

/// Measures both.
pub fn take(report: &mut Report) -> Result<()> {
    let host = Host::new(Limits::default())?;
    let state = TempDir::new()?;
    let pod = open(&host, state.path())?;
    let raw = Raw::new(state.path())?;
    call(&pod, "sets", json!({ "n": 1 }))?;
    let rounds = Rounds::take(ROUNDS, || {
        let steps = json!({ "n": STEPS });
        let each = |time: Duration| micros(time) / f64::from(STEPS);
        let timed = |tool: &str| -> Result<f64> {
            let times = (0..3).map(|_| call(&pod, tool, steps.clone()).map(|(time, _)| each(time)));
            Ok(Spread::of(times.collect::<Result<_>>()?).median)
        };
        Ok([
            timed("gets")?,
            each(raw.gets()?),
            timed("sets")?,
            each(raw.sets()?),
            median_of(CALLS, || call(&pod, "add", json!({})).map(|(_, whole)| whole))?,
            median_of(CALLS, || raw.commit())?,
            median_of(CALLS, || call(&pod, "nothing", json!({})).map(|(_, whole)| whole))?,
        ])
    })?;
    let two = Target::AtMost(2.0);
    report.ratio("store::get", &rounds, [("peasy", GET), ("rusqlite", RAW_GET)], two);
    report.ratio("store::set", &rounds, [("peasy", SET), ("rusqlite", RAW_SET)], two);
    let commit = [("peasy", COMMIT), ("parts", PARTS)];
    report.ratio(
        "a call that commits, without the hand-over",
        &rounds,
        commit,
        Target::AtMost(1.3),
    );
    let plain = [("commits", COMMIT), ("plain", PLAIN)];
    report.ratio("the same against a call without effects", &rounds, plain, Target::None);
    Ok(())
}

fn open(host: &Host, state: &Path) -> Result<Pod> {
    let catalog = host.catalog(&[("store", FEATURE)])?;
    let options = PodOptions {
        state: state.to_owned(),
        session: "bench".to_owned(),
        durability: Durability::Group,
        workspace: None,
        closed: Vec::new(),
        secrets: None,
    };
    Pod::open(&options, Arc::new(catalog), HashMap::new()).map_err(|error| error.to_string().into())
}

/// The time on the sandbox thread, and the whole without the hand-over.
fn call(pod: &Pod, tool: &str, arguments: Value) -> Result<(Duration, Duration)> {
    let begun = Instant::now();
    let outcome = pod.call(tool, arguments, CallOptions::default());
    let whole = begun.elapsed();
    outcome.result?;
    let receipt = outcome.receipt;
    Ok((receipt.time, whole.saturating_sub(receipt.elapsed.saturating_sub(receipt.time))))
}

/// SQLite with the settings of a store, and a file like a log.
struct Raw {
    connection: Connection,
    log: File,
}

impl Raw {
    fn new(folder: &Path) -> Result<Self> {
        let connection = Connection::open(folder.join("raw.sqlite"))?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch(
            "PRAGMA synchronous = NORMAL;
             CREATE TABLE entry (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
             INSERT INTO entry VALUES ('key', '1')",
        )?;
        let log = OpenOptions::new().append(true).create(true).open(folder.join("raw.log"))?;
        Ok(Self { connection, log })
    }

    fn in_transaction(&self, act: impl Fn(u32) -> Result<()>, times: u32) -> Result<Duration> {
        let begun = Instant::now();
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        (0..times).try_for_each(act)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(begun.elapsed())
    }

    fn gets(&self) -> Result<Duration> {
        let get = |_| {
            let mut get =
                self.connection.prepare_cached("SELECT value FROM entry WHERE key = ?1")?;
            let found = get.query_row(["key"], |row| row.get::<_, String>(0)).optional()?;
            std::hint::black_box(found);
            Ok(())
        };
        self.in_transaction(get, STEPS)
    }

    fn set(&self, value: u32) -> Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO entry VALUES (?1, ?2)")?
            .execute(("key", value.to_string()))?;
        Ok(())
    }

    fn sets(&self) -> Result<Duration> {
        self.in_transaction(|value| self.set(value), STEPS)
    }

    fn commit(&self) -> Result<Duration> {
        let begun = Instant::now();
        self.in_transaction(|value| self.set(value), 1)?;
        for length in LINES {
            (&self.log).write_all(&vec![b'x'; length])?;
        }
        Ok(begun.elapsed())
    }
}
