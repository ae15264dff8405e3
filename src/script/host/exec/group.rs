//! A running program with everything it started: fed, read, timed and ended as one.
//!
//! The group is ended when its first process is, when time is up, and when anything here fails:
//! by the one signal that no program can refuse, and before the first process is let go of, so that
//! the number of the group is still its own. A process that makes a group of its own is not found
//! by that; it holds none of our pipes open for us, because reading ends with the first process.

use crate::diagnostic::Diagnostic;
use crate::script::frame::{Native, refusal};
use crate::script::meter;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use std::time::{Duration, Instant};

/// How long to wait between two looks at a program that says nothing: at first, and later. The
/// bounds of the call are looked at as often as the latter.
const SHORT: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_millis(20);

/// Operations that one look at the bounds costs. As many as lie between two looks at the clock, so
/// that each sees the deadline of the call.
const LOOK: u64 = 256;

/// Bytes that are moved at once.
const PIECE: usize = 16 * 1024;

/// Bytes that are still read after the end: as much as a pipe holds, whoever else may write to it.
const REST: usize = 1 << 20;

/// How long a process that was killed is waited for.
const FAREWELL: Duration = Duration::from_millis(500);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Exited(i32),
    Killed(i32),
    /// It waits for a terminal, and was ended.
    Stopped,
}

/// What came of a program.
pub(super) struct Ended {
    pub ending: Ending,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Whether there was more to read than was kept.
    pub is_cut: bool,
    pub has_timed_out: bool,
}

/// A process group. Dropping it ends it.
pub(super) struct Group {
    child: Child,
    leader: Option<Pid>,
}

impl Group {
    /// Starts a program as the leader of a group of its own.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self { child, leader })
    }

    /// Feeds and reads the program until it ends, at the latest at `until`.
    ///
    /// # Errors
    ///
    /// A bound of the call is passed, or the system gives up.
    pub fn finish(mut self, input: &[u8], most: usize, until: Option<Instant>) -> Native<Ended> {
        let mut pipes = Pipes::take(&mut self.child, input, most).map_err(lost)?;
        let started = Instant::now();
        let mut next_look = started;
        let mut has_timed_out = false;
        let mut has_stopped = false;
        loop {
            let now = Instant::now();
            // A program may say a word at a time: that is no reason to look more often.
            if now >= next_look {
                meter::charge(LOOK)?;
                next_look = now + LONG;
            }
            match self.look() {
                Look::Running => (),
                Look::Over => break,
                Look::Stopped => {
                    has_stopped = true;
                    break;
                }
            }
            if until.is_some_and(|until| now >= until) {
                has_timed_out = true;
                break;
            }
            let pause = if started.elapsed() < 20 * SHORT { SHORT } else { LONG };
            let left = until.map_or(pause, |until| until.saturating_duration_since(now));
            pipes.wait(pause.min(left))?;
        }
        self.kill();
        pipes.rest()?;
        let status = self.bury().ok_or_else(|| lost(io::ErrorKind::TimedOut.into()))?;
        let ending = match (has_stopped, status.code(), status.signal()) {
            (true, ..) => Ending::Stopped,
            (_, Some(code), _) => Ending::Exited(code),
            (.., signal) => Ending::Killed(signal.unwrap_or_default()),
        };
        let is_cut = pipes.stdout.is_cut || pipes.stderr.is_cut;
        let (stdout, stderr) = (pipes.stdout.kept, pipes.stderr.kept);
        Ok(Ended { ending, stdout, stderr, is_cut, has_timed_out })
    }

    /// Looks at the first process, and leaves it to be waited for: until then nobody else gets its
    /// number.
    fn look(&self) -> Look {
        let Some(leader) = self.leader else { return Look::Over };
        let options = WaitIdOptions::EXITED
            | WaitIdOptions::STOPPED
            | WaitIdOptions::NOHANG
            | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(leader), options) {
            Ok(None) | Err(Errno::INTR) => Look::Running,
            Ok(Some(status)) if status.stopped() => Look::Stopped,
            Ok(Some(_)) | Err(_) => Look::Over,
        }
    }

    fn kill(&self) {
        if let Some(leader) = self.leader {
            // An error means that there is nothing left to end.
            let _ = kill_process_group(leader, Signal::KILL);
            // It may have gone to another group, ours for one.
            let _ = kill_process(leader, Signal::KILL);
        }
    }

    /// Takes leave of the first process, which was killed or is over.
    fn bury(&mut self) -> Option<std::process::ExitStatus> {
        let until = Instant::now() + FAREWELL;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                // Its number may be somebody else's from now on.
                self.leader = None;
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            pause(SHORT);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.leader.is_some() {
            self.kill();
            self.bury();
        }
    }
}

enum Look {
    Running,
    Over,
    Stopped,
}

/// The ends of a program's pipes that are ours; none of them waits.
struct Pipes<'a> {
    stdin: Option<ChildStdin>,
    input: &'a [u8],
    stdout: Output<ChildStdout>,
    stderr: Output<ChildStderr>,
}

impl<'a> Pipes<'a> {
    fn take(child: &mut Child, input: &'a [u8], most: usize) -> io::Result<Self> {
        let stdin = child.stdin.take();
        let pipes = Self {
            stdin,
            input,
            stdout: Output::new(child.stdout.take(), most),
            stderr: Output::new(child.stderr.take(), most),
        };
        pipes.stdin.as_ref().map_or(Ok(()), unblock)?;
        pipes.stdout.pipe.as_ref().map_or(Ok(()), unblock)?;
        pipes.stderr.pipe.as_ref().map_or(Ok(()), unblock)?;
        Ok(pipes)
    }

    /// Waits until something can be moved, and moves it.
    fn wait(&mut self, at_most: Duration) -> Native {
        if self.input.is_empty() {
            self.stdin = None;
        }
        let stdin = self.stdin.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::OUT));
        let stdout = self.stdout.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        let stderr = self.stderr.pipe.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN));
        let mut polled: Vec<_> = [stdin, stdout, stderr].into_iter().flatten().collect();
        wait_for(&mut polled, at_most);
        drop(polled);
        self.feed();
        self.stdout.read(PIECE)?;
        self.stderr.read(PIECE)?;
        Ok(())
    }

    fn feed(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        match stdin.write(&self.input[..self.input.len().min(PIECE)]) {
            Ok(length) => self.input = &self.input[length..],
            Err(error) if is_later(&error) => (),
            // It reads no more; what is left is its own loss.
            Err(_) => self.input = &[],
        }
    }

    /// Reads what is left in the pipes after the end.
    fn rest(&mut self) -> Native {
        self.stdin = None;
        self.stdout.drain()?;
        self.stderr.drain()
    }
}

struct Output<P> {
    pipe: Option<P>,
    kept: Vec<u8>,
    most: usize,
    is_cut: bool,
}

impl<P: Read> Output<P> {
    fn new(pipe: Option<P>, most: usize) -> Self {
        Self { pipe, kept: Vec::new(), most, is_cut: false }
    }

    /// Reads what is there, at most `bytes`, and says how much it was.
    fn read(&mut self, bytes: usize) -> Native<usize> {
        let Some(pipe) = &mut self.pipe else { return Ok(0) };
        let mut piece = [0; PIECE];
        let bytes = bytes.min(PIECE);
        match pipe.read(&mut piece[..bytes]) {
            Ok(0) => self.pipe = None,
            Ok(length) => {
                meter::charge_bytes(length)?;
                let room = self.most - self.kept.len();
                self.is_cut |= length > room;
                self.kept.extend_from_slice(&piece[..length.min(room)]);
                return Ok(length);
            }
            Err(error) if is_later(&error) => (),
            Err(_) => self.pipe = None,
        }
        Ok(0)
    }

    fn drain(&mut self) -> Native {
        let mut left = REST;
        while left > 0 {
            match self.read(left)? {
                0 => break,
                length => left -= length,
            }
        }
        Ok(())
    }
}

fn unblock(pipe: &impl AsFd) -> io::Result<()> {
    Ok(fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?)
}

fn is_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

fn wait_for(polled: &mut [PollFd<'_>], at_most: Duration) {
    let nanoseconds = i64::from(at_most.subsec_nanos());
    let seconds = i64::try_from(at_most.as_secs()).unwrap_or(i64::MAX);
    // Whatever it says, the next look finds out what is so.
    let _ = poll(polled, Some(&Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ }));
}

/// Waits for nothing but time.
fn pause(time: Duration) {
    wait_for(&mut [], time);
}

fn lost(error: io::Error) -> Box<rhai::EvalAltResult> {
    let message = format!("the program was started and cannot be followed: {error}");
    refusal(Diagnostic::operator("exec/failed", message))
}
