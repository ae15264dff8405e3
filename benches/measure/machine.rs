//! What Linux says of this process: memory and processor time.

#![expect(clippy::disallowed_methods, reason = "reads /proc")]

use crate::Result;
use peasy::script::sandbox::THREAD_NAME;
use std::thread;
use std::time::{Duration, Instant};

/// Resident bytes of this process.
pub fn resident() -> Result<u64> {
    resident_of("self")
}

/// Resident bytes of a process, by its number.
pub fn resident_of(process: &str) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

/// The processor time that the threads alive now have used so far, in microseconds.
pub fn processor_time() -> Result<f64> {
    let mut nanoseconds = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        // A thread may end while it is looked at.
        if let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) {
            nanoseconds += text.split(' ').next().unwrap_or("0").parse::<f64>()?;
        }
    }
    Ok(nanoseconds / 1e3)
}

/// Waits until no sandbox thread is left, for a second at most.
pub fn sandboxes_end() -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(1) && has_sandbox_thread()? {
        thread::yield_now();
    }
    Ok(())
}

fn has_sandbox_thread() -> Result<bool> {
    for task in std::fs::read_dir("/proc/self/task")? {
        if let Ok(name) = std::fs::read_to_string(task?.path().join("comm"))
            && name.trim() == THREAD_NAME
        {
            return Ok(true);
        }
    }
    Ok(false)
}
