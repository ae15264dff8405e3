//! A server that is a program: started, written to, read, and ended with everything it started.
//!
//! It has a process group of its own, which is ended as a whole when the connection is. Writing never waits
//! longer than it may, whether the program reads or not; what it writes is read as it comes, so that it is
//! never held up by us, and of what it writes for people the end is kept. Whoever waits for an answer reads
//! by itself, so that no other thread has to be woken first; where nobody waits, a thread does.

use super::carrier::Carrier;
use super::fault::{Fault, words};
use super::inbox::{Inbox, Waiting};
use super::line::Lines;
use crate::diagnostic::Diagnostic;
use crate::feature::call::Cancel;
use crate::feature::id::FeatureName;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde_json::Value;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
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

/// How long after somebody waited for an answer the thread leaves reading to those who do.
const CALLED: Duration = Duration::from_millis(100);

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
    output: Arc<Output>,
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
            output: Arc::new(Output::new(stdout, inbox.most_bytes())),
            complaints: Arc::default(),
            inbox: Arc::clone(inbox),
        });
        let reading = Reading {
            process: Arc::downgrade(&process),
            inbox: Arc::clone(inbox),
            complaints: Arc::clone(&process.complaints),
            output: Arc::clone(&process.output),
            stderr: Some(stderr),
        };
        let thread = thread::Builder::new().name(format!("peasy-mcp-{server}"));
        thread.spawn(move || reading.run()).map_err(failed)?;
        Ok(process)
    }

    fn group(&self) -> MutexGuard<'_, Group> {
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

    fn wait(&self, waiting: &Waiting, until: Instant, cancel: &Cancel) -> Result<Value, Fault> {
        let answer = waiting.wait_by(until, cancel, |time| {
            self.output.called();
            match self.output.turn() {
                Some(mut turn) => turn.read(&self.output.pipe, time, &self.inbox, |reply| {
                    // One that reads nothing is noticed by whoever calls it.
                    let _ = self.send(None, reply, Instant::now() + REPLY);
                }),
                None => waiting.rest(time, || self.output.turn().is_some()),
            }
        });
        // The turn may be another's now.
        self.inbox.nudge(waiting.id);
        answer
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

/// The program's standard output: whoever has the turn reads.
struct Output {
    pipe: ChildStdout,
    turn: Mutex<Turn>,
    begun: Instant,
    /// When somebody waited for an answer, in milliseconds from the beginning.
    called: AtomicU64,
}

struct Turn {
    lines: Lines,
    piece: Vec<u8>,
    /// Why there is nothing more to read.
    over: Option<String>,
}

impl Output {
    fn new(pipe: ChildStdout, most: usize) -> Self {
        let turn = Turn { lines: Lines::new(most), piece: vec![0; PIECE], over: None };
        let called = AtomicU64::new(0);
        Self { pipe, turn: Mutex::new(turn), begun: Instant::now(), called }
    }

    fn since_begun(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Somebody waits for an answer.
    fn called(&self) {
        self.called.store(self.since_begun(), Ordering::Release);
    }

    /// Whether somebody waits for an answer, or has just done so.
    fn is_called(&self) -> bool {
        let called = self.called.load(Ordering::Acquire);
        let just = u64::try_from(CALLED.as_millis()).unwrap_or(u64::MAX);
        called > 0 && self.since_begun().saturating_sub(called) < just
    }

    /// The turn to read, where nobody has it and there is something left.
    fn turn(&self) -> Option<MutexGuard<'_, Turn>> {
        let turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        turn.over.is_none().then_some(turn)
    }

    /// Waits until whoever has the turn is done with it.
    fn wait_for_turn(&self) {
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Why there is nothing more to read, once that is so.
    fn over(&self) -> Option<String> {
        match self.turn.try_lock() {
            Ok(turn) => turn.over.clone(),
            Err(TryLockError::Poisoned(turn)) => turn.into_inner().over.clone(),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl Turn {
    /// Reads once, where there is something within that time; answers of ours go to `reply`.
    fn read(&mut self, pipe: &ChildStdout, time: Duration, inbox: &Inbox, reply: impl Fn(&[u8])) {
        let mut polled = [readable(pipe)];
        wait_for(&mut polled, Some(time));
        if polled[0].revents().is_empty() {
            return;
        }
        let length = match rustix::io::read(pipe, &mut self.piece[..]) {
            Ok(length) => length,
            Err(rustix::io::Errno::INTR) => return,
            Err(error) => {
                self.over = Some(io::Error::from(error).to_string());
                return;
            }
        };
        if length == 0 {
            self.over = Some("it closed its standard output".to_owned());
        }
        let (lines, over) = (&mut self.lines, &mut self.over);
        lines.feed(&self.piece[..length], |line| match inbox.take(line) {
            Ok(None) => (),
            Ok(Some(answer)) => reply(&answer),
            Err(how) => *over = Some(how),
        });
    }
}

/// The thread that reads where nobody waits for an answer, and what the program writes for people.
struct Reading {
    /// Only looked at to write back: whoever holds the connection decides when it ends.
    process: std::sync::Weak<Process>,
    inbox: Arc<Inbox>,
    complaints: Arc<Mutex<VecDeque<u8>>>,
    output: Arc<Output>,
    stderr: Option<ChildStderr>,
}

impl Reading {
    fn run(mut self) {
        let mut piece = vec![0; KEPT_COMPLAINTS];
        let how = loop {
            if let Some(how) = self.output.over() {
                break how;
            }
            let (has_output, has_complaint) = self.wait();
            if has_output {
                let Some(mut turn) = self.output.turn() else {
                    self.output.wait_for_turn();
                    continue;
                };
                turn.read(&self.output.pipe, Duration::ZERO, &self.inbox, |reply| {
                    if let Some(process) = self.process.upgrade() {
                        let _ = process.send(None, reply, Instant::now() + REPLY);
                    }
                });
            } else if has_complaint {
                self.hear_complaint(&mut piece);
            }
        };
        // What it said last is why it ended.
        while self.stderr.is_some() && self.is_complaining() {
            self.hear_complaint(&mut piece);
        }
        let ended = self.process.upgrade().and_then(|process| process.group().end());
        self.inbox.close(&ended.map_or(how, said));
    }

    /// Waits until there is something to read: of the protocol, unless others read that, or for people.
    fn wait(&self) -> (bool, bool) {
        let is_called = self.output.is_called();
        let output = (!is_called).then(|| readable(&self.output.pipe));
        let complaints = self.stderr.as_ref().map(readable);
        let has_output = output.is_some();
        let mut polled: Vec<_> = output.into_iter().chain(complaints).collect();
        wait_for(&mut polled, is_called.then_some(CALLED));
        let mut heard = polled.iter().map(|one| !one.revents().is_empty());
        let out = has_output && heard.next() == Some(true);
        (out, heard.next() == Some(true))
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
