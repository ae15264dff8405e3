//! A call in a warm process of its own against the same call on a thread.

use crate::Result;
use crate::host::{self, Host};
use crate::report::{Report, Target};
use crate::rounds::{Rounds, median_of};
use peasy::feature::catalog::Catalog;
use peasy::limit::Limits;
use peasy::script::isolate::Launch;
use serde_json::json;

pub const ABOUT: &str = "a call in a warm process of its own against the same call on a thread, \
                         hand-over included on both sides";

/// The word that makes this program a sandbox process.
pub const WORD: &str = "sandbox-process";

const FEATURE: &str = include_str!("features/bench.rhai");

const ROUNDS: usize = 25;
/// Calls whose median is one figure.
const CALLS: usize = 200;
/// Bytes of text.
const SIZES: [usize; 2] = [20, 10_000];

const PROCESS: usize = 0;
const THREAD: usize = 1;

/// Measures each size.
pub fn take(report: &mut Report) -> Result<()> {
    let thread = Host::new(Limits::default())?;
    let mut process = Host::new(Limits::default())?;
    let launch = Launch { program: std::env::current_exe()?, arguments: vec![WORD.into()] };
    process.runtime = process.runtime.isolated(launch)?;
    let feature = [("bench", FEATURE)];
    let (thread, process) = (thread.catalog(&feature)?, process.catalog(&feature)?);
    for bytes in SIZES {
        let text = "word ".repeat(bytes / 5);
        let arguments = json!({ "text": text }).to_string();
        let timed = |catalog: &Catalog| {
            median_of(CALLS, || {
                host::call(catalog, "word_count", &arguments).map(|answer| answer.whole)
            })
        };
        let rounds = Rounds::take(ROUNDS, || Ok([timed(&process)?, timed(&thread)?]))?;
        let sides = [("process", PROCESS), ("thread", THREAD)];
        report.ratio(&format!("{bytes} bytes"), &rounds, sides, Target::AtMost(10.0));
    }
    Ok(())
}
