//! What a feature keeps, against SQLite alone; and a call that commits, against its parts.

#![expect(clippy::disallowed_methods, reason = "makes folders of its own")]

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

pub const ABOUT: &str = "store::get and store::set (receipt.time a step) against rusqlite; and a \
                         call that commits against a transaction and two appended lines, once \
                         waiting for the disk at each of the three and once not at all";

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
const SYNCED: usize = 7;
const SYNCED_PARTS: usize = 8;
const SET_MANY: usize = 9;
const RAW_SET_MANY: usize = 10;
const GET_MANY: usize = 11;
const RAW_GET_MANY: usize = 12;
const LOOP: usize = 13;

/// Calls that wait for the disk, whose median is one figure.
const SYNCED_CALLS: usize = 10;

/// Measures both.
pub fn take(report: &mut Report) -> Result<()> {
    let host = Host::new(Limits::default())?;
    let state = TempDir::new()?;
    let pod = open(&host, &state.path().join("group"), Durability::Group)?;
    let synced = open(&host, &state.path().join("always"), Durability::Always)?;
    let raw = Raw::new(&state.path().join("raw"), false)?;
    let synced_raw = Raw::new(&state.path().join("raw-always"), true)?;
    for pod in [&pod, &synced] {
        call(pod, "sets", json!({ "n": 1 }))?;
    }
    let rounds = Rounds::take(ROUNDS, || {
        let steps = json!({ "n": STEPS });
        let each = |time: Duration| micros(time) / f64::from(STEPS);
        let timed = |tool: &str| -> Result<f64> {
            let times = (0..3).map(|_| call(&pod, tool, steps.clone()).map(|(time, _)| each(time)));
            Ok(Spread::of(times.collect::<Result<_>>()?).median)
        };
        Ok([
            timed("gets")?,
            each(raw.gets(|_| "key".to_owned())?),
            timed("sets")?,
            each(raw.sets(|_| "key".to_owned())?),
            median_of(CALLS, || call(&pod, "add", json!({})).map(|(_, whole)| whole))?,
            median_of(CALLS, || raw.commit())?,
            median_of(CALLS, || call(&pod, "nothing", json!({})).map(|(_, whole)| whole))?,
            median_of(SYNCED_CALLS, || call(&synced, "add", json!({})).map(|(_, whole)| whole))?,
            median_of(SYNCED_CALLS, || synced_raw.commit())?,
            timed("sets_many")?,
            each(raw.sets(|step| format!("key/{step}"))?),
            timed("gets_many")?,
            each(raw.gets(|step| format!("key/{step}"))?),
            timed("loops")?,
        ])
    })?;
    let two = Target::AtMost(2.0);
    report.ratio("store::get", &rounds, [("peasy", GET), ("rusqlite", RAW_GET)], two);
    let many = [("peasy", GET_MANY), ("rusqlite", RAW_GET_MANY)];
    report.ratio("store::get, each step another key", &rounds, many, two);
    report.ratio("store::set", &rounds, [("peasy", SET), ("rusqlite", RAW_SET)], two);
    let many = [("peasy", SET_MANY), ("rusqlite", RAW_SET_MANY)];
    report.ratio("store::set, each step another key", &rounds, many, two);
    let alone = [("loop", LOOP), ("rusqlite", RAW_SET_MANY)];
    report.ratio("the script's loop that makes those keys", &rounds, alone, Target::None);
    let synced = [("peasy", SYNCED), ("parts", SYNCED_PARTS)];
    let target = Target::AtMost(1.3);
    report.ratio("a call that commits, `always`, without the hand-over", &rounds, synced, target);
    let commit = [("peasy", COMMIT), ("parts", PARTS)];
    report.ratio("the same, `group`", &rounds, commit, Target::None);
    let plain = [("commits", COMMIT), ("plain", PLAIN)];
    report.ratio("`group` against a call without effects", &rounds, plain, Target::None);
    Ok(())
}

fn open(host: &Host, state: &Path, durability: Durability) -> Result<Pod> {
    let catalog = host.catalog(&[("store", FEATURE)])?;
    let options = PodOptions {
        project: None,
        state: state.to_owned(),
        session: "bench".to_owned(),
        durability,
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
    waits: bool,
}

impl Raw {
    fn new(folder: &Path, waits: bool) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let connection = Connection::open(folder.join("raw.sqlite"))?;
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
        connection.execute_batch(
            "CREATE TABLE entry (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
             INSERT INTO entry VALUES ('key', '1');
             CREATE TABLE committed (number INTEGER PRIMARY KEY, call TEXT NOT NULL)",
        )?;
        let level = if waits { "FULL" } else { "NORMAL" };
        connection.execute_batch(&format!("PRAGMA synchronous = {level}"))?;
        let log = OpenOptions::new().append(true).create(true).open(folder.join("raw.log"))?;
        Ok(Self { connection, log, waits })
    }

    fn in_transaction(&self, act: impl Fn(u32) -> Result<()>, times: u32) -> Result<Duration> {
        let begun = Instant::now();
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        (0..times).try_for_each(act)?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(begun.elapsed())
    }

    fn gets(&self, key: impl Fn(u32) -> String) -> Result<Duration> {
        let get = |step| {
            let mut get =
                self.connection.prepare_cached("SELECT value FROM entry WHERE key = ?1")?;
            let found = get.query_row([key(step)], |row| row.get::<_, String>(0)).optional()?;
            std::hint::black_box(found);
            Ok(())
        };
        self.in_transaction(get, STEPS)
    }

    fn set(&self, key: &str, value: u32) -> Result<()> {
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO entry VALUES (?1, ?2)")?
            .execute((key, value.to_string()))?;
        Ok(())
    }

    fn append(&self, length: usize) -> Result<()> {
        (&self.log).write_all(&vec![b'x'; length])?;
        if self.waits {
            self.log.sync_data()?;
        }
        Ok(())
    }

    fn sets(&self, key: impl Fn(u32) -> String) -> Result<Duration> {
        self.in_transaction(|value| self.set(&key(value), value), STEPS)
    }

    /// As the protocol has it: a line, a transaction with the call's id, another line.
    fn commit(&self) -> Result<Duration> {
        let begun = Instant::now();
        self.append(LINES[0])?;
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        self.set("key", 1)?;
        self.connection
            .prepare_cached("INSERT INTO committed (call) VALUES (?1)")?
            .execute(["1a1fad8b2c50b0faf59-1"])?;
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        self.append(LINES[1])?;
        Ok(begun.elapsed())
    }
}
