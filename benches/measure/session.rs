//! A session of ten thousand calls: recorded, verified, resumed, and what that holds in memory.

use crate::Result;
use crate::machine::resident;
use crate::report::{Report, Target};
use crate::rounds::{Rounds, micros};
use peasy::feature::call::Receipt;
use peasy::pod::session::entry::CallEntry;
use peasy::pod::session::{About, Answered, Asked, Entry, Reason, Session, SessionLog, verify};
use peasy::store::Durability;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub const ABOUT: &str = "a session of 10,000 calls that is compacted every 100: recording one, verifying \
                         and resuming all, against a tenth of it";

const ROUNDS: usize = 7;
const CALLS: usize = 10_000;
/// Messages that stand before they give place to a summary.
const COMPACTED: usize = 300;

/// Measures sessions of both lengths.
pub fn take(report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (short, long) = (folder.path().join("short"), folder.path().join("long"));
    record(&short, CALLS / 10)?;
    let begun = Instant::now();
    record(&long, CALLS)?;
    let recorded = micros(begun.elapsed()) / CALLS as f64;
    let before = resident()?;
    let rounds = Rounds::take(ROUNDS, || {
        Ok([time(|| check(&short))?, time(|| check(&long))?, time(|| resume(&long))?])
    })?;
    let after = resident()?;
    report.number("recording a turn with one call", recorded, " µs", "", Target::None);
    report.time("verifying 1,000 calls", rounds.side(0), "", Target::None);
    report.time("verifying 10,000 calls", rounds.side(1), "", Target::Within(1e6));
    report.time("resuming them", rounds.side(2), "", Target::Within(1e6));
    let grown = after.saturating_sub(before) as f64 / f64::from(1 << 20);
    report.number("memory that it takes", grown, " MiB", "", Target::AtMost(8.0));
    Ok(())
}

fn time(act: impl FnOnce() -> Result<()>) -> Result<f64> {
    let begun = Instant::now();
    act()?;
    Ok(micros(begun.elapsed()))
}

fn check(folder: &Path) -> Result<()> {
    let verified = verify(folder, None, &mut |_| ())?;
    if verified.is_sound() { Ok(()) } else { Err(format!("{:?}", verified.findings).into()) }
}

fn resume(folder: &Path) -> Result<()> {
    let log = Arc::new(SessionLog::open(folder, Durability::Never)?);
    Session::resume(log, &about())?;
    Ok(())
}

fn about() -> About {
    About { front: "measure".into(), agent: None, root: None }
}

fn record(folder: &Path, calls: usize) -> Result<()> {
    let log = Arc::new(SessionLog::open(folder, Durability::Never)?);
    let session = Session::begin(Arc::clone(&log), &about())?;
    let asked = Asked { provider: "test".into(), model: "tiny".into(), ..Asked::default() };
    for number in 0..calls {
        session.append_user(&json!(format!("Question {number}.")))?;
        let request = session.append_request(&asked)?;
        let id = format!("c{number}");
        let calls = vec![(id.clone(), "add".to_owned(), json!({ "by": number }))];
        session.append_assistant(request, &Answered { calls, ..Answered::default() })?;
        let call = log.next_call();
        log.append(&Entry::Call {
            call: call.clone(),
            about: CallEntry {
                feature: Some("user:counter".parse()?),
                root: Some(folder.to_owned()),
                contribution: "add".into(),
                input: log.body(&json!({ "by": number }))?,
                now: None,
                seed: Some(number as u64),
                answers: Vec::new(),
                catalog: Some(1),
                heard: None,
                kept: None,
            },
            result: Some(log.body(&json!({ "sum": number, "text": "x".repeat(200) }))?),
            failure: Vec::new(),
            receipt: Receipt::default(),
        })?;
        session.append_tool_result(&id, &call)?;
        if session.transcript()?.len() > COMPACTED {
            let made = Reason::Host("measure".into());
            session.append_compaction(0, COMPACTED, "What was before.", made)?;
        }
    }
    Ok(())
}
