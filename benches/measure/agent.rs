//! What an agent waits for at each of its hooks: the whole process, from its start to its end.

#![expect(clippy::disallowed_methods, reason = "starts the processes that it measures")]

use crate::Result;
use crate::report::{Report, Target, time};
use crate::rounds::{Rounds, Spread, micros};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

pub const ABOUT: &str = "`peasy hook` with the shell guard of `scripts/`, which denies and is on record, \
                         against `true` and against the same guard in Python";

const ROUNDS: usize = 200;
/// What the process may take beyond twice the time of `true`, in microseconds.
const ALLOWANCE: f64 = 5_000.0;

const TRUE: usize = 0;
const PEASY: usize = 1;
const QUIET: usize = 2;
const PYTHON: usize = 3;

/// Measures all of them, turn by turn.
pub fn take(report: &mut Report) -> Result<()> {
    let folder = tempfile::TempDir::new()?;
    let features = folder.path().join("features");
    fs::create_dir_all(&features)?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::copy(root.join("scripts/shell-guard.rhai"), features.join("shell-guard.rhai"))?;
    let guard = root.join("benches/measure/guard.py");
    let peasy = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_peasy"));
        command.args(["hook", "claude-code"]).env_clear().env("PEASY_HOME", folder.path());
        command.current_dir(folder.path());
        command
    };
    let python = || {
        let mut command = Command::new("python3");
        command.arg(&guard).env_clear().env("PATH", "/usr/bin:/bin");
        command
    };
    let event = |tool: &str, command: &str| {
        format!(
            "{{\"session_id\":\"s\",\"cwd\":\"/\",\"hook_event_name\":\"PreToolUse\",\"tool_name\":\"{tool}\",\
             \"tool_input\":{{\"command\":\"{command}\"}}}}"
        )
    };
    let (denied, other) = (event("Bash", "rm -rf ~"), event("Read", "x"));
    let has_python = run(python(), &denied).is_ok_and(|(_, answer)| answer.contains("deny"));
    let mut beyond = Vec::new();
    let rounds = Rounds::take(ROUNDS, || {
        let (nothing, _) = run(Command::new("true"), &denied)?;
        let (took, answer) = run(peasy(), &denied)?;
        if !answer.contains("\"deny\"") {
            return Err(format!("the guard does not deny: {answer}").into());
        }
        let (quiet, answer) = run(peasy(), &other)?;
        if !answer.is_empty() {
            return Err(format!("the guard is asked about other tools: {answer}").into());
        }
        let other = if has_python { run(python(), &denied)?.0 } else { f64::NAN };
        beyond.push(took - 2.0 * nothing);
        Ok([nothing, took, quiet, other])
    })?;
    let beside = format!(
        "peasy {}, true {}",
        time(rounds.side(PEASY).median),
        time(rounds.side(TRUE).median)
    );
    let target = Target::Within(ALLOWANCE);
    report.time("a denial, beyond twice the time of `true`", Spread::of(beyond), &beside, target);
    if has_python {
        let sides = [("peasy", PEASY), ("python", PYTHON)];
        report.ratio("a denial against the guard in Python", &rounds, sides, Target::AtMost(0.2));
    } else {
        report.note("there is no Python to compare with");
    }
    let sides = [("unheard", QUIET), ("true", TRUE)];
    report.ratio("an event that nobody hooks against `true`", &rounds, sides, Target::None);
    Ok(())
}

/// Runs a command over an event; the time of the whole process in microseconds, and what it answers.
fn run(mut command: Command, event: &str) -> Result<(f64, String)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let begun = Instant::now();
    let mut child = command.spawn()?;
    // `true` may be gone before it is written to.
    let _ = child.stdin.take().map(|mut pipe| pipe.write_all(event.as_bytes()));
    let output = child.wait_with_output()?;
    let took = micros(begun.elapsed());
    Ok((took, String::from_utf8_lossy(&output.stdout).into_owned()))
}
