//! Independent calls from two clients against one, and the longest wait between two answers.

use crate::Result;
use crate::host::{self, Host};
use crate::report::{Report, Target};
use crate::rounds::{Rounds, micros};
use peasy::feature::catalog::Catalog;
use peasy::limit::Limits;
use serde_json::json;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

pub const ABOUT: &str = "independent calls of two features from two client threads against one \
                         from one thread; calls a second, hand-over included";

const ROUNDS: usize = 25;

/// What each client calls, how far it loops, and how often.
const CASES: [(&str, u32, usize, bool); 3] = [
    ("calls of about 1 ms", 6_000, 60, true),
    ("calls of about 300 µs", 2_000, 200, true),
    ("tiny calls", 1, 3_000, false),
];

/// One feature for each client, so that nothing of them is shared but the runtime.
const FEATURES: [(&str, &str); 2] = [("first", TOOL_A), ("second", TOOL_B)];
const TOOLS: [&str; 2] = ["spin_a", "spin_b"];
const TOOL_A: &str = include_str!("features/spin_a.rhai");
const TOOL_B: &str = include_str!("features/spin_b.rhai");

const ONE: usize = 0;
const TWO: usize = 1;
const STALL_ONE: usize = 2;
const STALL_TWO: usize = 3;
const PLAIN_ONE: usize = 4;
const PLAIN_TWO: usize = 5;
const PLAIN_STALL: usize = 6;

/// Measures each case in turn.
pub fn take(report: &mut Report) -> Result<()> {
    let catalog = Host::new(Limits::default())?.catalog(&FEATURES)?;
    for (what, steps, calls, with_target) in CASES {
        let rounds = Rounds::take(ROUNDS, || round(&catalog, steps, calls))?;
        print(report, what, &rounds, with_target);
    }
    Ok(())
}

fn round(catalog: &Catalog, steps: u32, calls: usize) -> Result<[f64; 7]> {
    let arguments = json!({ "n": steps }).to_string();
    let act = |client: usize| host::call(catalog, TOOLS[client], &arguments).map(drop);
    let one = clients(1, calls, &act)?;
    let two = clients(2, calls, &act)?;
    let plain = |_| {
        plain_work();
        Ok(())
    };
    let plain_one = clients(1, PLAIN_CALLS, &plain)?;
    let plain_two = clients(2, PLAIN_CALLS, &plain)?;
    Ok([one.rate, two.rate, one.stall, two.stall, plain_one.rate, plain_two.rate, plain_two.stall])
}

/// How often the plain work is done in one turn: some tens of milliseconds of it.
const PLAIN_CALLS: usize = 300;

/// Work without peasy, locks or memory: what the machine itself gives a second thread now.
fn plain_work() {
    let mut sum = 1_u64;
    for step in 0..100_000_u64 {
        sum = black_box(sum.wrapping_mul(31) ^ step);
    }
    black_box(sum);
}

/// What plain work must gain from a second thread for a turn to say something of peasy.
const QUIET: f64 = 1.8;

struct Turn {
    /// Calls in a second, of all clients together.
    rate: f64,
    /// The longest time between two answers to one client, in microseconds.
    stall: f64,
}

fn clients(
    count: usize,
    calls: usize,
    act: &(impl Fn(usize) -> Result<()> + Sync),
) -> Result<Turn> {
    let begun = Instant::now();
    let stalls = thread::scope(|scope| {
        let clients: Vec<_> = (0..count)
            .map(|client| scope.spawn(move || one_client(calls, || act(client))))
            .collect();
        let ended =
            clients.into_iter().map(|client| client.join().map_err(|_| "a client panicked"));
        ended.map(|stall| stall?).collect::<Result<Vec<_>>>()
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    let stall = stalls.into_iter().max().unwrap_or_default();
    Ok(Turn { rate: (count * calls) as f64 / seconds, stall: micros(stall) })
}

fn one_client(calls: usize, act: impl Fn() -> Result<()>) -> Result<Duration> {
    // The first call on a thread compiles; the answers begin with the second.
    act()?;
    let mut longest = Duration::ZERO;
    let mut before = Instant::now();
    for _ in 1..calls {
        act()?;
        longest = longest.max(before.elapsed());
        before = Instant::now();
    }
    Ok(longest)
}

fn print(report: &mut Report, what: &str, rounds: &Rounds<7>, with_target: bool) {
    let target = |target| if with_target { target } else { Target::None };
    let ratio = rounds.ratio(TWO, ONE);
    let rate = |side: usize| rounds.side(side).median;
    let beside = format!("two clients {:.0}/s, one {:.0}/s", rate(TWO), rate(ONE));
    report.spread(what, ratio, &beside, target(Target::AtLeast(1.8)));
    let plain = rounds.ratio(PLAIN_TWO, PLAIN_ONE);
    report.spread(
        &format!("{what}: two threads of plain Rust, same turns"),
        plain,
        "what the machine gave",
        Target::None,
    );
    let quiet = rounds.only(|round| round[PLAIN_TWO] / round[PLAIN_ONE] >= QUIET);
    report.spread(
        &format!("{what}: turns in which plain Rust got {QUIET}"),
        quiet.ratio(TWO, ONE),
        &format!("{} of {} turns", quiet.len(), rounds.len()),
        Target::None,
    );
    let stall = |side: usize| rounds.side(side);
    report.time(
        &format!("{what}: longest stall, two clients"),
        stall(STALL_TWO),
        "median of the turns",
        target(Target::Within(10_000.0)),
    );
    for (rest, side) in [("one client", STALL_ONE), ("two threads of plain Rust", PLAIN_STALL)] {
        report.time(&format!("{what}: longest stall, {rest}"), stall(side), "", Target::None);
    }
}
