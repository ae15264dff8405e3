//! The host's side: processes kept warm, one call at a time each.

pub(crate) use super::wire::Ended;
use super::wire::{CallOrder, Line, Order, Text, Word, is_metered};
use crate::feature::call::CallContext;
use crate::feature::id::ChannelName;
use crate::script::call::{Entry, Program};
use crate::script::frame::Role;
use crate::script::invoke::MemoryBound;
use crate::script::sandbox::{GRACE, stack_size};
use serde_json::Value;
use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How often a waiting caller looks at its deadline and at whether the call was cancelled.
const LOOK: Duration = Duration::from_millis(10);

/// How long a process may take no bytes, before it counts as dead.
const DEAF: Duration = Duration::from_secs(10);

/// Calls after which a process is replaced, so that what leaks slowly does not last.
const MOST_CALLS: u32 = 10_000;

/// Address space that a process takes before its first call: the program, its libraries, and what
/// the allocator reserves for each thread.
const BASE_SPACE: u64 = 512 << 20;

/// What a process keeps of the host's environment. What else stands there is the host's affair, its
/// secrets most of all.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    #[cfg(debug_assertions)]
    super::serve::MISBEHAVE,
];

/// How a sandbox process is started: a program that calls [`super::serve()`].
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

/// Why a process gave no outcome.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// It could not be started.
    #[error("a sandbox process could not be started: {0}")]
    NoProcess(io::Error),
    /// It is something else, or another version of it.
    #[error("the program that was started is no sandbox process of this version")]
    Stranger,
    /// It does not say that it can be called.
    #[error("the sandbox process that was started did not answer in time")]
    Silent,
    /// None was free in time.
    #[error("no sandbox process was free before the deadline")]
    Busy,
    /// It did not end its call in time, and was ended.
    #[error("the call did not stop at its deadline, and its process was ended")]
    Overdue,
    /// It ended in the middle of its call.
    #[error("the process of the call ended: {0}")]
    Died(String),
}

/// Processes for calls. Clones share them; they end with the last clone.
#[derive(Clone)]
pub(crate) struct Processes {
    pool: Arc<Pool>,
}

struct Pool {
    launch: Launch,
    memory: u64,
    bound: MemoryBound,
    most: usize,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Process>,
    /// Idle ones and those that run a call.
    count: usize,
}

struct Process {
    child: Child,
    line: Line,
    /// Tells which call is to be cancelled; the process ends where this is gone.
    control: UnixStream,
    is_ready: bool,
    /// The programs that it was told, by their address, which each holds on to.
    told: HashMap<usize, (u64, Weak<Program>)>,
    last_number: u64,
    calls: u32,
}

impl Processes {
    /// At most `most` processes for calls of at most `memory` bytes each; the first is started now.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub fn new(
        launch: Launch,
        most: usize,
        memory: u64,
        bound: MemoryBound,
    ) -> Result<Self, ProcessError> {
        let (state, freed) = Default::default();
        let pool = Pool { launch, memory, bound, most: most.max(1), state, freed };
        let first = pool.start()?;
        pool.give_back(first, 1);
        Ok(Self { pool: Arc::new(pool) })
    }

    /// Calls a function in a process, and answers what it asks of its host.
    ///
    /// # Errors
    ///
    /// There is no process, or none in time, or it did not live to the end of the call.
    pub fn call(
        &self,
        program: &Arc<Program>,
        channels: &[ChannelName],
        role: Role,
        entry: &Entry,
        arguments: Vec<Value>,
        context: &CallContext,
    ) -> Result<Ended, ProcessError> {
        let mut process = self.pool.take(context.deadline)?;
        // Whatever becomes of this one, a panic of the host's included, its place is not lost.
        let place = Place(self);
        let ended = process.make_ready(context.deadline).and_then(|()| {
            let number = process.tell(program, channels)?;
            process.calls += 1;
            let call = u64::from(process.calls);
            let order = CallOrder::new(call, number, role, entry, arguments, context);
            process.run(order, context)
        });
        match ended {
            Ok(ended) if ended.is_worn || process.calls >= MOST_CALLS => Ok(ended),
            Ok(ended) => {
                std::mem::forget(place);
                self.pool.give_back(process, 0);
                Ok(ended)
            }
            Err(error) => Err(error),
        }
    }

    /// Starts another for one that has ended, while the caller goes on.
    fn replace(&self) {
        let pool = Arc::clone(&self.pool);
        let start = move || match pool.start() {
            Ok(process) => pool.give_back(process, 0),
            Err(reason) => {
                tracing::warn!(%reason, "no sandbox process took the place of another");
                pool.let_go();
            }
        };
        if thread::Builder::new().name("peasy-start".to_owned()).spawn(start).is_err() {
            self.pool.let_go();
        }
    }
}

/// The place of a process that is at a call: another takes it when this is dropped.
struct Place<'a>(&'a Processes);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.replace();
    }
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process that waits for a call, or a new one where there may be more.
    fn take(&self, deadline: Instant) -> Result<Process, ProcessError> {
        let mut state = self.state();
        loop {
            while let Some(mut process) = state.idle.pop() {
                if process.lives() {
                    return Ok(process);
                }
                state.count -= 1;
            }
            if state.count < self.most {
                state.count += 1;
                drop(state);
                return self.start().inspect_err(|_| self.let_go());
            }
            let wait = deadline.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Err(ProcessError::Busy);
            }
            let waited = self.freed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn give_back(&self, process: Process, new: usize) {
        let mut state = self.state();
        state.count += new;
        state.idle.push(process);
        drop(state);
        self.freed.notify_one();
    }

    /// There is one process less.
    fn let_go(&self) {
        self.state().count -= 1;
        self.freed.notify_one();
    }

    #[expect(clippy::disallowed_methods, reason = "starts the program that the host named")]
    fn start(&self) -> Result<Process, ProcessError> {
        let pair = || {
            let (ours, theirs) = UnixStream::pair()?;
            ours.set_read_timeout(Some(LOOK))?;
            // One that reads nothing at all is as good as dead.
            ours.set_write_timeout(Some(DEAF))?;
            let control = UnixStream::pair()?;
            Ok((ours, theirs, control))
        };
        let (ours, theirs, (control, their_control)) = pair().map_err(ProcessError::NoProcess)?;
        let kept = KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        let child = Command::new(&self.launch.program)
            .args(&self.launch.arguments)
            .env_clear()
            .envs(kept)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            // The host's own may carry a protocol.
            .stdout(Stdio::from(OwnedFd::from(their_control)))
            // What ends the host from a terminal ends it, and a process ends with its host.
            .process_group(0)
            .spawn()
            .map_err(ProcessError::NoProcess)?;
        let mut process = Process {
            child,
            line: Line::new(ours),
            control,
            is_ready: false,
            told: HashMap::new(),
            last_number: 0,
            calls: 0,
        };
        let begin = Order::Begin {
            memory: self.memory,
            address_space: BASE_SPACE + stack_size(self.memory) as u64 + 2 * self.memory,
            is_metered: is_metered(self.bound),
        };
        process.line.send(&begin).map_err(|_| process.died())?;
        Ok(process)
    }
}

impl Process {
    fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it can be called.
    fn make_ready(&mut self, deadline: Instant) -> Result<(), ProcessError> {
        while !self.is_ready {
            match self.line.receive() {
                Ok(Some(Word::Ready(version))) if version == env!("CARGO_PKG_VERSION") => {
                    self.is_ready = true;
                }
                Ok(None) if Instant::now() < deadline => {}
                Ok(None) => return Err(ProcessError::Silent),
                Ok(_) => return Err(ProcessError::Stranger),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(self.died());
                }
                Err(_) => return Err(ProcessError::Stranger),
            }
        }
        Ok(())
    }

    /// The number of a program, which the process is told where it does not know it.
    fn tell(
        &mut self,
        program: &Arc<Program>,
        channels: &[ChannelName],
    ) -> Result<u64, ProcessError> {
        let key = Arc::as_ptr(program).addr();
        if let Some((number, _)) = self.told.get(&key) {
            return Ok(*number);
        }
        let is_gone =
            |(_, (_, program)): &(&usize, &(u64, Weak<Program>))| program.strong_count() == 0;
        let gone: Vec<u64> = self.told.iter().filter(is_gone).map(|(_, (n, _))| *n).collect();
        self.told.retain(|_, (_, program)| program.strong_count() > 0);
        self.last_number += 1;
        let number = self.last_number;
        let text = Box::new(Text::of(program, channels));
        let told = (|| {
            if !gone.is_empty() {
                self.line.send(&Order::Forget(gone))?;
            }
            self.line.send(&Order::Load { number, program: text })
        })();
        told.map_err(|_| self.died())?;
        self.told.insert(key, (number, Arc::downgrade(program)));
        Ok(number)
    }

    fn run(&mut self, order: CallOrder, context: &CallContext) -> Result<Ended, ProcessError> {
        let call = order.number;
        let sent = self.line.send(&Order::Call(Box::new(order)));
        sent.map_err(|_| self.died())?;
        let host = &*context.transaction;
        let mut is_cancelled = false;
        loop {
            let word = self.line.receive().map_err(|_| self.died())?;
            let answer = match word {
                Some(Word::Ended(ended)) => return Ok(*ended),
                Some(Word::Event(event)) => {
                    context.sink.emit(event);
                    None
                }
                Some(Word::Ask(ask)) => Some(Order::Answer(ask.put_to(host))),
                Some(Word::Ready(_)) => return Err(ProcessError::Stranger),
                None => None,
            };
            if let Some(answer) = answer {
                self.line.send(&answer).map_err(|_| self.died())?;
            }
            if context.cancel.is_cancelled() && !is_cancelled {
                is_cancelled = true;
                let told = self.control.write_all(&call.to_le_bytes());
                told.map_err(|_| self.died())?;
            }
            if Instant::now() > context.deadline + GRACE {
                return Err(ProcessError::Overdue);
            }
        }
    }

    /// How it ended, where it is known to be of no use.
    fn died(&mut self) -> ProcessError {
        // It closed its end, or is ended by this.
        let _ = self.child.kill();
        let how = match self.child.wait() {
            Ok(status) => said(status),
            Err(reason) => reason.to_string(),
        };
        ProcessError::Died(how)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(6), _) => "it aborted (signal 6), as it does where memory runs out".to_owned(),
        (Some(signal), _) => format!("signal {signal}"),
        (_, Some(code)) => format!("exit code {code}"),
        _ => status.to_string(),
    }
}
