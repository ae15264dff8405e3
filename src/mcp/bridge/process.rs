//! A server that is a program: started, written to, read, and ended with everything it started.
//!
//! It has a process group of its own, which is ended as a whole when the connection is. Writing never waits
//! longer than it may, whether the program reads or not; what it writes is read as it comes, so that it is
//! never held up by us, and of what it writes for people the end is kept.

use super::carrier::Carrier;
use super::fault::{Fault, words};
use super::inbox::Inbox;
use super::line::Lines;
use crate::diagnostic::Diagnostic;
use crate::feature::id::FeatureName;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// Bytes that are kept of what a program writes for people.
const KEPT_COMPLAINTS: usize = 8 * 1024;

/// How long a program may take to end by itself when it is told to.
const FAREWELL: Duration = Duration::from_millis(500);

/// How long to wait between two looks at a program that is about to end.
const LOOK: Duration = Duration::from_millis(5);

/// How long the answer to something that a server wants may take to be written.
const REPLY: Duration = Duration::from_secs(2);

/// The variables of the environment that a program needs to be found, to find its folders, and to speak.
/// What else stands in ours, keys most of all, is not for it.
const KEPT: [&str; 10] =
    ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "TZ", "TMPDIR", "TERM"];

/// What is started.
pub(super) struct Launch {
    pub command: String,
    pub args: Vec<String>,
    pub env: Vec<(String, OsString)>,
    pub cwd: Option<PathBuf>,
}

/// A program that runs.
pub(super) struct Process {
    group: Mutex<Group>,
    input: Input,
    complaints: Arc<Mutex<VecDeque<u8>>>,
    inbox: Arc<Inbox>,
}

impl Process {
    /// Starts a program, and reads what it writes from now on.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(
        server: &FeatureName,
        launch: &Launch,
        inbox: &Arc<Inbox>,
    ) -> Result<Arc<Self>, Diagnostic> {
        let failed = |reason: io::Error| {
            let shown = words(&launch.command, 200);
            let message = format!("the server `{server}` cannot be started: `{shown}`: {reason}");
            let problem = Diagnostic::operator("bridge/start", message);
            match reason.kind() {
                io::ErrorKind::NotFound => problem.help(format!(
                    "install it, or correct `command` and `cwd` under `[mcp.servers.{server}]`"
                )),
                _ => problem,
            }
        };
        let mut child = spawn(launch).map_err(failed)?;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut group = Group::of(child);
        let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
            group.end();
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let process = Arc::new(Self {
            group: Mutex::new(group),
            input: Input::new(stdin).map_err(failed)?,
            complaints: Arc::default(),
            inbox: Arc::clone(inbox),
        });
        let reading = Reading {
            process: Arc::downgrade(&process),
            inbox: Arc::clone(inbox),
            complaints: Arc::clone(&process.complaints),
            stdout,
            stderr: Some(stderr),
        };
        let thread = thread::Builder::new().name(format!("peasy-mcp-{server}"));
        thread.spawn(move || reading.run()).map_err(failed)?;
        Ok(process)
    }

    fn group(&self) -> std::sync::MutexGuard<'_, Group> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "starts the programs that the user's settings name")]
fn spawn(launch: &Launch) -> io::Result<Child> {
    let mut command = Command::new(&launch.command);
    let kept = KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    command
        .args(&launch.args)
        .env_clear()
        .envs(kept)
        .envs(launch.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(folder) = &launch.cwd {
        command.current_dir(folder);
    }
    command.spawn()
}

impl Carrier for Process {
    fn send(&self, _: Option<u64>, message: &[u8], until: Instant) -> Result<(), Fault> {
        self.input.write(message, until).map_err(|problem| match problem {
            Unwritten::Late => Fault::Late(Duration::ZERO),
            // Half a message was written: nothing that follows would be understood.
            Unwritten::Broken => {
                self.inbox.close("it reads no more");
                Fault::Gone("it reads no more".to_owned())
            }
        })
    }

    fn complaints(&self) -> String {
        let kept = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: Vec<u8> = kept.iter().copied().collect();
        self.inbox.clean(String::from_utf8_lossy(&bytes).trim())
    }

    fn end(&self) {
        self.input.close();
        let status = self.group().end();
        self.inbox.close(&status.map_or_else(|| "it was ended".to_owned(), said));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// The first process and all it started.
struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    fn of(child: Child) -> Self {
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Self { child, leader }
    }

    /// Waits a moment for the first process, then ends the group before it is let go of: until then nobody
    /// else gets its number. How it ended, where it had done so by itself.
    fn end(&mut self) -> Option<ExitStatus> {
        let leader = self.leader?;
        let until = Instant::now() + FAREWELL;
        let mut is_over = is_over(leader);
        while !is_over && Instant::now() < until {
            pause(LOOK);
            is_over = self::is_over(leader);
        }
        // An error means that there is nothing left to end.
        let _ = kill_process_group(leader, Signal::KILL);
        self.leader = None;
        let status = self.child.wait().ok();
        status.filter(|_| is_over)
    }
}

/// Whether a process has ended; it is left to be waited for.
fn is_over(process: Pid) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(process), options), Ok(None) | Err(rustix::io::Errno::INTR))
}

fn said(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("it ended with exit code {code}"),
        (_, Some(signal)) => format!("it was ended by signal {signal}"),
        _ => "it ended".to_owned(),
    }
}

/// Why a message was not written.
enum Unwritten {
    /// Not a byte of it: others were at it too long.
    Late,
    /// The program reads no more, or not in time.
    Broken,
}

/// The program's standard input: one message at a time, each within its time.
struct Input {
    pipe: Mutex<Pipe>,
    free: Condvar,
}

enum Pipe {
    Free(ChildStdin),
    Taken,
    Closed,
}

impl Input {
    fn new(pipe: ChildStdin) -> io::Result<Self> {
        fcntl_setfl(&pipe, fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        Ok(Self { pipe: Mutex::new(Pipe::Free(pipe)), free: Condvar::new() })
    }

    fn write(&self, message: &[u8], until: Instant) -> Result<(), Unwritten> {
        let mut pipe = self.take(until)?;
        let written = write_all(&mut pipe, message, until);
        let mut state = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        *state = match (&*state, &written) {
            (Pipe::Taken, Ok(())) => Pipe::Free(pipe),
            _ => Pipe::Closed,
        };
        drop(state);
        self.free.notify_one();
        written
    }

    fn take(&self, until: Instant) -> Result<ChildStdin, Unwritten> {
        let mut state = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match std::mem::replace(&mut *state, Pipe::Taken) {
                Pipe::Free(pipe) => return Ok(pipe),
                Pipe::Closed => {
                    *state = Pipe::Closed;
                    return Err(Unwritten::Broken);
                }
                Pipe::Taken => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(Unwritten::Late);
                    }
                    let waited = self.free.wait_timeout(state, left);
                    state = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
    }

    fn close(&self) {
        *self.pipe.lock().unwrap_or_else(PoisonError::into_inner) = Pipe::Closed;
        self.free.notify_all();
    }
}

fn write_all(pipe: &mut ChildStdin, mut rest: &[u8], until: Instant) -> Result<(), Unwritten> {
    while !rest.is_empty() {
        match pipe.write(rest) {
            Ok(0) => return Err(Unwritten::Broken),
            Ok(length) => rest = &rest[length..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(Unwritten::Broken);
                }
                wait_for(&mut [PollFd::new(pipe, PollFlags::OUT)], Some(left));
            }
            Err(_) => return Err(Unwritten::Broken),
        }
    }
    Ok(())
}

/// The thread that reads.
struct Reading {
    /// Only looked at to write back: whoever holds the connection decides when it ends.
    process: std::sync::Weak<Process>,
    inbox: Arc<Inbox>,
    complaints: Arc<Mutex<VecDeque<u8>>>,
    stdout: ChildStdout,
    stderr: Option<ChildStderr>,
}

impl Reading {
    fn run(mut self) {
        let mut lines = Lines::new(self.inbox.most_bytes());
        let mut piece = vec![0; PIECE];
        let how = loop {
            match self.wait() {
                (true, _) => match self.stdout.read(&mut piece) {
                    Ok(0) => break "it closed its standard output".to_owned(),
                    Ok(length) => {
                        if let Err(how) = self.take(&mut lines, &piece[..length]) {
                            break how;
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                    Err(error) => break error.to_string(),
                },
                (_, true) => self.hear_complaint(&mut piece),
                _ => (),
            }
        };
        // What it said last is why it ended.
        while self.stderr.is_some() && self.is_complaining() {
            self.hear_complaint(&mut piece);
        }
        let ended = self.process.upgrade().and_then(|process| process.group().end());
        self.inbox.close(&ended.map_or(how, said));
    }

    /// Waits until there is something to read: of the protocol, or for people.
    fn wait(&self) -> (bool, bool) {
        let Some(stderr) = &self.stderr else { return (true, false) };
        let mut polled = [readable(&self.stdout), readable(stderr)];
        wait_for(&mut polled, None);
        let [out, complaint] = polled.map(|one| !one.revents().is_empty());
        (out, complaint)
    }

    fn is_complaining(&self) -> bool {
        let Some(stderr) = &self.stderr else { return false };
        let mut polled = [readable(stderr)];
        wait_for(&mut polled, Some(Duration::ZERO));
        polled[0].revents().contains(PollFlags::IN)
    }

    fn hear_complaint(&mut self, piece: &mut [u8]) {
        let Some(stderr) = &mut self.stderr else { return };
        match stderr.read(piece) {
            Ok(0) => self.stderr = None,
            Ok(length) => {
                let mut kept = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend(&piece[..length]);
                let above = kept.len().saturating_sub(KEPT_COMPLAINTS);
                kept.drain(..above);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(_) => self.stderr = None,
        }
    }

    fn take(&self, lines: &mut Lines, piece: &[u8]) -> Result<(), String> {
        let mut broken = None;
        lines.feed(piece, |line| match self.inbox.take(line) {
            Ok(None) => (),
            Ok(Some(reply)) => {
                if let Some(process) = self.process.upgrade() {
                    // One that reads nothing is noticed by whoever calls it.
                    let _ = process.send(None, &reply, Instant::now() + REPLY);
                }
            }
            Err(how) => broken = Some(how),
        });
        broken.map_or(Ok(()), Err)
    }
}

fn readable(pipe: &impl AsFd) -> PollFd<'_> {
    PollFd::new(pipe, PollFlags::IN)
}

fn wait_for(polled: &mut [PollFd<'_>], at_most: Option<Duration>) {
    let timeout = at_most.map(|at_most| Timespec {
        tv_sec: i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(at_most.subsec_nanos()) as _,
    });
    // Whatever it says, the next look finds out what is so.
    let _ = poll(polled, timeout.as_ref());
}

/// Waits for nothing but time.
fn pause(time: Duration) {
    wait_for(&mut [], Some(time));
}
