//! Reading, planning and installing a thousand features, against compiling their texts.

use crate::Result;
use crate::host::{self, Host};
use crate::machine::processor_time;
use crate::raw;
use crate::report::{Report, Target, time};
use crate::rounds::{Rounds, micros};
use crate::server::feature;
use peasy::limit::Limits;
use peasy::script::runtime::Location;
use rhai::{Engine, OptimizationLevel};
use std::time::Instant;

pub const ABOUT: &str = "reading (from files, on all processors), planning and installing 1,000 \
                         features of thirty lines against compiling the same texts in one thread";

const ROUNDS: usize = 11;
const FEATURES: usize = 1_000;

const PEASY: usize = 0;
const READ: usize = 1;
const PLAN: usize = 2;
const NONE: usize = 3;
const DEFAULT: usize = 4;
const PEASY_CPU: usize = 5;
const NONE_CPU: usize = 6;

/// Measures the load as wall time and as processor time.
pub fn take(report: &mut Report) -> Result<()> {
    let host = Host::new(Limits::default())?;
    let texts: Vec<_> = (0..FEATURES).map(feature).collect();
    let locations = texts
        .iter()
        .enumerate()
        .map(|(index, text)| host.write(&format!("feature-{index:04}"), text))
        .collect::<Result<Vec<_>>>()?;
    let mut plain = raw::engine();
    plain.set_optimization_level(OptimizationLevel::None);
    let optimizing = raw::engine();
    let rounds = Rounds::take(ROUNDS, || {
        let (ours, our_cpu) = with_cpu(|| load(&host, &locations))?;
        let (none, none_cpu) = with_cpu(|| compile(&plain, &texts))?;
        let default = compile(&optimizing, &texts)?;
        let [read, plan] = ours;
        Ok([read + plan, read, plan, none, default, our_cpu, none_cpu])
    })?;
    print(report, &rounds);
    Ok(())
}

/// The microseconds of reading, and those of planning and installing.
fn load(host: &Host, locations: &[Location]) -> Result<[f64; 2]> {
    let begun = Instant::now();
    let outcomes = host.runtime.read(locations);
    let scripts = outcomes.into_iter().map(host::accepted).collect::<Result<Vec<_>>>()?;
    let read = begun.elapsed();
    let catalog = host.install(scripts);
    let all = begun.elapsed();
    if catalog.tools().len() != FEATURES {
        return Err(format!("{} tools were installed", catalog.tools().len()).into());
    }
    Ok([micros(read), micros(all - read)])
}

fn compile(engine: &Engine, texts: &[String]) -> Result<f64> {
    let begun = Instant::now();
    let trees = texts.iter().map(|text| engine.compile(text)).collect::<Result<Vec<_>, _>>()?;
    let time = begun.elapsed();
    drop(trees);
    Ok(micros(time))
}

/// The result, and the microseconds of processor time that this process spent on it, its sandbox
/// threads included.
fn with_cpu<T>(act: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
    let before = processor_time()?;
    let result = act()?;
    Ok((result, processor_time()? - before))
}

fn print(report: &mut Report, rounds: &Rounds<7>) {
    let parts = format!(
        "reading {}, planning and installing {}",
        time(rounds.side(READ).median),
        time(rounds.side(PLAN).median)
    );
    let ours = ("peasy", PEASY);
    report.ratio("wall time", rounds, [ours, ("raw", NONE)], Target::AtMost(1.5));
    let cpu = [("peasy", PEASY_CPU), ("raw", NONE_CPU)];
    report.ratio("processor time of all threads", rounds, cpu, Target::None);
    let default = [ours, ("raw", DEFAULT)];
    report.ratio("wall time, raw with its default optimization", rounds, default, Target::None);
    report.note(&parts);
}
