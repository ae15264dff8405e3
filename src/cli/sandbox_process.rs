//! `peasy sandbox-process`: what `--isolate process` starts. Not for people.

use super::{Exit, Output};
use crate::config::settings::Isolation;
use crate::diagnostic::Diagnostic;
use crate::script::runtime::{RuntimeError, ScriptRuntime};

/// The command's name.
pub const NAME: &str = "sandbox-process";

/// Runs calls until the host that started this process is gone.
///
/// # Errors
///
/// Nobody did, or this system has no such processes.
#[cfg(unix)]
pub fn run(_: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    let served = crate::script::isolate::serve();
    served.map_err(|reason| super::usage(reason.to_string()))?;
    Ok(Exit::Done)
}

/// Elsewhere there are no such processes.
#[cfg(not(unix))]
pub fn run(_: &mut Output) -> Result<Exit, Box<Diagnostic>> {
    Err(super::usage("there is no `--isolate process` on this system").into())
}

/// `runtime` with calls that run where the user wants them.
///
/// # Errors
///
/// A process cannot be started.
pub(super) fn isolated(
    runtime: ScriptRuntime,
    isolation: Isolation,
) -> Result<ScriptRuntime, RuntimeError> {
    match isolation {
        Isolation::Thread => Ok(runtime),
        Isolation::Process => in_processes(runtime),
    }
}

#[cfg(unix)]
fn in_processes(runtime: ScriptRuntime) -> Result<ScriptRuntime, RuntimeError> {
    // On Linux this name leads to the running program even where its file was replaced since.
    let running = std::path::Path::new("/proc/self/exe");
    let program = if running.exists() { Ok(running.into()) } else { std::env::current_exe() };
    let program = program.map_err(|reason| RuntimeError::NoProcess(reason.to_string()))?;
    let launch = crate::script::isolate::Launch { program, arguments: vec![NAME.into()] };
    runtime.isolated(launch)
}

#[cfg(not(unix))]
fn in_processes(_: ScriptRuntime) -> Result<ScriptRuntime, RuntimeError> {
    Err(RuntimeError::NoProcess("there is no `--isolate process` on this system".to_owned()))
}
