//! All limits on against all limits off.

use crate::Result;
use crate::allocator::uncounted;
use crate::host::{self, Host};
use crate::raw::{self, Raw, Woken};
use crate::report::{Report, Target};
use crate::rounds::{Rounds, median_of};
use peasy::feature::catalog::Catalog;
use peasy::limit::{Limit, Limits};
use serde_json::json;
use std::time::Duration;

pub const ABOUT: &str = "peasy with every limit (receipt.time) against engines of the same \
                         settings without a meter, a bound or a counted allocation";

const FEATURE: &str = include_str!("features/bench.rhai");

const ROUNDS: usize = 31;

/// Calls long enough that what comes before their first step does not count, and short enough that
/// most of them end before another program gets the processor.
const CASES: [(&str, &str, i64); 2] =
    [("loop of integers", "crunch", 2_000), ("loop that allocates", "gather", 1_000)];

const CALLS: usize = 30;

/// Measures both loops.
pub fn take(report: &mut Report) -> Result<()> {
    let limits = ceilings()?;
    let metered = Host::new(limits.clone())?.catalog(&[("bench", FEATURE)])?;
    let unbounded = Host::unbounded(limits)?.catalog(&[("bench", FEATURE)])?;
    for (what, tool, n) in CASES {
        let arguments = json!({ "n": n }).to_string();
        let bare = Raw::with_engine(raw::bare_engine(), FEATURE)?;
        // Woken for each call, as a sandbox thread is: who sleeps is scheduled sooner.
        let bare = Woken::new(bare, tool, &["n"], arguments.clone());
        let rounds = Rounds::take(ROUNDS, || {
            let on = median_of(CALLS, || sandbox_time(&metered, tool, &arguments))?;
            let off = uncounted(|| median_of(CALLS, || bare.call()))?;
            let unbounded =
                uncounted(|| median_of(CALLS, || sandbox_time(&unbounded, tool, &arguments)))?;
            Ok([on, off, unbounded])
        })?;
        let on = ("on", 0);
        report.ratio(what, &rounds, [on, ("off", 1)], Target::AtMost(1.1));
        let memory = format!("{what}: the memory bound alone");
        report.ratio(&memory, &rounds, [on, ("unbounded", 2)], Target::None);
    }
    Ok(())
}

/// Bounds that no call here comes near; they are in force all the same.
fn ceilings() -> Result<Limits> {
    let mut limits = Limits::default();
    for limit in [Limit::Operations, Limit::Time] {
        limits.set(limit, limit.ceiling())?;
    }
    Ok(limits)
}

fn sandbox_time(catalog: &Catalog, tool: &str, arguments: &str) -> Result<Duration> {
    host::call(catalog, tool, arguments).map(|answer| answer.receipt.time)
}
