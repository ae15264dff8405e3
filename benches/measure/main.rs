//! What peasy costs, as ratios taken in one run: `cargo bench --bench measure -- [NAME]…`.
//!
//! Every ratio is taken side by side, turn by turn, and printed as the median over the turns with
//! the least and the greatest; the last column holds it against its target. Nothing here fails: a
//! figure is for reading, not for a test. `docs/measures.md` says what each measure compares.

mod agent;
mod allocator;
mod attacks;
mod call;
mod client;
mod gateway;
mod hooks;
mod host;
mod idle;
mod isolate;
mod limits;
mod load;
mod machine;
mod peers;
mod raw;
mod reload;
mod report;
mod rounds;
mod server;
mod session;
mod start;
mod store;
mod threads;
mod words;

use report::Report;
use std::process::{Command, ExitCode};

/// Counts allocations, as a program that embeds the crate does, for both sides of every ratio.
#[global_allocator]
static ALLOCATOR: allocator::Switch = allocator::Switch;

/// What went wrong where a figure should be.
type Problem = Box<dyn std::error::Error + Send + Sync>;

/// A figure, or why there is none.
type Result<T, E = Problem> = std::result::Result<T, E>;

/// One measure: its name on the command line, what it says, and how it is taken.
struct Measure {
    name: &'static str,
    about: &'static str,
    take: fn(&mut Report) -> Result<()>,
}

const MEASURES: [Measure; 16] = [
    Measure { name: "attacks", about: attacks::ABOUT, take: attacks::take },
    Measure { name: "call", about: call::ABOUT, take: call::take },
    Measure { name: "limits", about: limits::ABOUT, take: limits::take },
    Measure { name: "threads", about: threads::ABOUT, take: threads::take },
    Measure { name: "words", about: words::ABOUT, take: words::take },
    Measure { name: "store", about: store::ABOUT, take: store::take },
    Measure { name: "hooks", about: hooks::ABOUT, take: hooks::take },
    Measure { name: "agent", about: agent::ABOUT, take: agent::take },
    Measure { name: "isolate", about: isolate::ABOUT, take: isolate::take },
    Measure { name: "gateway", about: gateway::ABOUT, take: gateway::take },
    Measure { name: "load", about: load::ABOUT, take: load::take },
    Measure { name: "session", about: session::ABOUT, take: session::take },
    Measure { name: "start", about: start::ABOUT, take: start::take },
    Measure { name: "idle", about: idle::ABOUT, take: idle::take },
    Measure { name: "peers", about: peers::ABOUT, take: peers::take },
    Measure { name: "reload", about: reload::ABOUT, take: reload::take },
];

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(isolate::WORD) {
        return serve_calls();
    }
    if std::env::args().nth(1).as_deref() == Some(gateway::WORD) {
        return match gateway::echo() {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        };
    }
    // Cargo adds flags of its own, such as `--bench`.
    let names: Vec<_> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let Some(unknown) = names.iter().find(|name| MEASURES.iter().all(|one| one.name != **name)) {
        let known = MEASURES.map(|measure| measure.name).join(", ");
        eprintln!("there is no measure `{unknown}`; the measures are: {known}");
        return ExitCode::from(2);
    }
    let wanted = |one: &&Measure| names.is_empty() || names.iter().any(|name| name == one.name);
    let measures: Vec<_> = MEASURES.iter().filter(wanted).collect();
    if let [measure] = measures[..] {
        take(measure);
        return ExitCode::SUCCESS;
    }
    for measure in measures {
        if let Err(problem) = take_apart(measure) {
            eprintln!("{}: {problem}", measure.name);
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// What this program does as a sandbox process of its own.
fn serve_calls() -> ExitCode {
    peasy::script::sandbox::quiet_panics();
    peasy::script::meter::settle_allocator();
    match peasy::script::isolate::serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{}: {problem}", isolate::WORD);
            ExitCode::FAILURE
        }
    }
}

fn take(measure: &Measure) {
    peasy::script::sandbox::quiet_panics();
    peasy::script::meter::settle_allocator();
    let mut report = Report::default();
    report.begin(measure.name, measure.about);
    if let Err(problem) = (measure.take)(&mut report) {
        report.note(&format!("not measured: {problem}"));
    }
    report.end();
}

/// Takes one measure in a process of its own: a heap that others have grown makes the next ones
/// faster, `words` by a tenth after `attacks`.
#[expect(clippy::disallowed_methods, reason = "starts itself")]
fn take_apart(measure: &Measure) -> Result<()> {
    let status = Command::new(std::env::current_exe()?).arg(measure.name).status()?;
    if status.success() { Ok(()) } else { Err(format!("its process ended with {status}").into()) }
}
