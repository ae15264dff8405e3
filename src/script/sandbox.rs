//! The threads that scripts run on: large stacks, one job at a time, and an answer by the deadline.
//!
//! Compiling, running, converting and dropping script values all happen here, under
//! `catch_unwind`. A caller waits for its job until the deadline and a little longer; when the job
//! does not end by then (a native call that cannot be interrupted), the caller gets its answer all
//! the same, the thread is abandoned and counted, and another takes its place. Nothing here knows
//! what a job does.

use super::call::Instances;
use super::meter;
use std::any::Any;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// The name of every sandbox thread; panics there are caught and reported by the caller.
pub const THREAD_NAME: &str = "peasy-sandbox";

/// How long past its deadline a job may take to end: one native step that was under way.
pub(crate) const GRACE: Duration = Duration::from_millis(80);

/// How long past that a job may still run before its thread counts as abandoned: a slow native step
/// on a busy machine ends, a hang does not.
const PATIENCE: Duration = Duration::from_secs(2);

/// The smallest stack of a sandbox thread. Virtual: pages are used only where a script recurses.
const MIN_STACK: usize = 256 << 20;

/// Bytes of stack for each byte of the memory bound.
///
/// The deepest value that fits a bound of `m` bytes nests a level for each 72 of them (two
/// allocations with their overhead). Dropping, cloning or hashing it natively recurses once a
/// level, and the largest such frame takes less than 1 KiB in a build without optimization.
const STACK_PER_MEMORY: usize = 16;

/// Bytes of the stack of a thread for calls that may hold `memory` bytes.
pub(crate) fn stack_size(memory: u64) -> usize {
    let bytes = usize::try_from(memory).unwrap_or(usize::MAX);
    bytes.saturating_mul(STACK_PER_MEMORY).max(MIN_STACK)
}

/// Runs jobs on threads of its own. Clones share the threads, which end with the last clone.
#[derive(Clone)]
pub struct Sandbox {
    pool: Arc<Pool>,
    /// Closes the pool with the last handle, for the threads hold the pool itself.
    _handles: Arc<Handles>,
}

struct Handles(Arc<Pool>);

impl Drop for Handles {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.wake.notify_all();
    }
}

struct Pool {
    state: Mutex<State>,
    wake: Condvar,
    stack: usize,
    memory: u64,
    size: usize,
    /// The interrupts of threads that have ended, for those that come. They live as long as the
    /// program, for a caller that is late may still write to one.
    interrupts: Mutex<Vec<&'static AtomicU64>>,
    /// Jobs that were given up and may still run.
    overdue: Mutex<Vec<Overdue>>,
}

/// A job that nobody waits for any more.
#[derive(Debug, Clone)]
pub(crate) struct Overdue {
    ticket: Arc<Ticket>,
    since: Instant,
}

impl Overdue {
    /// Whether it runs to this moment.
    pub(crate) fn is_running(&self) -> bool {
        self.ticket.state.load(Ordering::Acquire) != Ticket::ENDED
    }

    /// Whether it runs and has run for so long that it will not end.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.is_running() && self.since.elapsed() > PATIENCE
    }
}

#[derive(Default)]
struct State {
    queue: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

struct Job {
    run: Box<dyn FnOnce(&mut Instances) + Send>,
    ticket: Arc<Ticket>,
}

/// What caller and thread know of one job. Both move its state on by compare-and-exchange only, so
/// that a job is either answered or given up, never both.
#[derive(Debug)]
struct Ticket {
    /// Never the number of another job.
    number: u64,
    state: AtomicU8,
    /// The interrupt of the thread that runs it.
    interrupt: OnceLock<&'static AtomicU64>,
}

impl Ticket {
    const QUEUED: u8 = 0;
    const RUNNING: u8 = 1;
    const DONE: u8 = 2;
    /// Nobody waits any more: a queued job is skipped, a running one ends its thread.
    const GIVEN_UP: u8 = 3;
    /// It was given up, and has ended since.
    const ENDED: u8 = 4;

    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            state: AtomicU8::new(Self::QUEUED),
            interrupt: OnceLock::new(),
        }
    }

    fn advance(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Why a job gave no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SandboxError {
    /// The job was never begun: all threads were busy until the deadline.
    #[error("no sandbox thread was free before the deadline")]
    Busy,
    /// The job did not end in time.
    #[error("the call did not stop at its deadline")]
    Overdue(Overdue),
    /// The job panicked.
    #[error("a native function panicked: {0}")]
    Panicked(String),
    /// The operating system gave no thread.
    #[error("no sandbox thread could be started: {0}")]
    NoThread(#[from] std::io::Error),
}

impl Sandbox {
    /// A sandbox of at most `size` threads for calls of at most `memory` bytes each. Threads start
    /// when they are needed.
    pub fn new(size: usize, memory: u64) -> Self {
        let pool = Arc::new(Pool {
            state: Mutex::default(),
            wake: Condvar::new(),
            stack: stack_size(memory),
            memory,
            size: size.max(1),
            interrupts: Mutex::default(),
            overdue: Mutex::default(),
        });
        Self { _handles: Arc::new(Handles(Arc::clone(&pool))), pool }
    }

    /// A sandbox with a thread for each processor.
    pub fn with_memory(memory: u64) -> Self {
        Self::new(thread::available_parallelism().map_or(2, usize::from), memory)
    }

    /// The bytes that a call may hold here, whatever its limits say: the stacks are made for it.
    pub(crate) fn memory(&self) -> u64 {
        self.pool.memory
    }

    /// Whether both have the same threads.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.pool, &other.pool)
    }

    /// How many jobs run at the same time.
    pub(crate) fn size(&self) -> usize {
        self.pool.size
    }

    /// Threads whose native call did not return long after its deadline, and has not since.
    pub fn abandoned(&self) -> usize {
        let mut overdue = self.pool.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        overdue.retain(Overdue::is_running);
        overdue.iter().filter(|job| job.is_abandoned()).count()
    }

    /// Runs `job` on a sandbox thread, and does not wait for it. It must not panic.
    ///
    /// # Errors
    ///
    /// There is no thread.
    #[cfg(unix)]
    pub(crate) fn start(
        &self,
        job: impl FnOnce(&mut Instances) + Send + 'static,
    ) -> Result<(), SandboxError> {
        self.pool.submit(Job { run: Box::new(job), ticket: Arc::new(Ticket::new()) })
    }

    /// Runs `job` on a sandbox thread and waits for it until `deadline` and a little longer.
    ///
    /// # Errors
    ///
    /// There was no thread in time, the job panicked, or it did not end.
    pub(crate) fn run<T: Send + 'static>(
        &self,
        deadline: Instant,
        job: impl FnOnce(&mut Instances) -> T + Send + 'static,
    ) -> Result<T, SandboxError> {
        let (reply, answer) = mpsc::sync_channel(1);
        let ticket = Arc::new(Ticket::new());
        let run = Box::new(move |instances: &mut Instances| {
            let result = catch_unwind(AssertUnwindSafe(|| job(&mut *instances)));
            if result.is_err() {
                // A panic may have left kept state in the middle of a change.
                instances.clear();
            }
            // The caller may have left.
            let _ = reply.send(result.map_err(|payload| panic_text(&*payload)));
        });
        self.pool.submit(Job { run, ticket: Arc::clone(&ticket) })?;
        let wait = deadline.saturating_duration_since(Instant::now());
        if let Ok(result) = answer.recv_timeout(wait) {
            return result.map_err(SandboxError::Panicked);
        }
        if let Some(interrupt) = ticket.interrupt.get() {
            // The job's next step sees its number there. Should the thread be at another job by
            // now, the number is not that job's, and does not take the place of a later one.
            interrupt.fetch_max(ticket.number, Ordering::Relaxed);
        }
        if let Ok(result) = answer.recv_timeout(GRACE) {
            return result.map_err(SandboxError::Panicked);
        }
        if ticket.advance(Ticket::QUEUED, Ticket::GIVEN_UP) {
            return Err(SandboxError::Busy);
        }
        if ticket.advance(Ticket::RUNNING, Ticket::GIVEN_UP) {
            return Err(SandboxError::Overdue(self.pool.give_up(ticket)));
        }
        // It ended in this very moment, and the thread sends before it says so.
        answer
            .recv()
            .unwrap_or_else(|_| Err("the answer was lost".to_owned()))
            .map_err(SandboxError::Panicked)
    }
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds the lock; a poisoned one is as good as another.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(self: &Arc<Self>, job: Job) -> Result<(), SandboxError> {
        let mut state = self.state();
        state.queue.push_back(job);
        if state.idle >= state.queue.len() {
            drop(state);
            self.wake.notify_one();
            return Ok(());
        }
        if state.threads < self.size {
            state.threads += 1;
            drop(state);
            if let Err(reason) = self.start() {
                let mut state = self.state();
                state.threads -= 1;
                if state.threads == 0 {
                    state.queue.pop_back();
                    return Err(reason.into());
                }
            }
        }
        Ok(())
    }

    fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let pool = Arc::clone(self);
        thread::Builder::new()
            .name(THREAD_NAME.to_owned())
            .stack_size(self.stack)
            .spawn(move || pool.work())
            .map(drop)
    }

    fn work(self: Arc<Self>) {
        meter::widen_heap();
        let interrupt = self.interrupts().pop();
        let interrupt = interrupt.unwrap_or_else(|| Box::leak(Box::new(AtomicU64::new(0))));
        self.run_jobs(interrupt);
        self.interrupts().push(interrupt);
    }

    fn interrupts(&self) -> MutexGuard<'_, Vec<&'static AtomicU64>> {
        self.interrupts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_jobs(self: &Arc<Self>, interrupt: &'static AtomicU64) {
        let mut instances = Instances::default();
        while let Some(job) = self.next() {
            meter::take_up(job.ticket.number, interrupt);
            let _ = job.ticket.interrupt.set(interrupt);
            if !job.ticket.advance(Ticket::QUEUED, Ticket::RUNNING) {
                continue;
            }
            (job.run)(&mut instances);
            if !job.ticket.advance(Ticket::RUNNING, Ticket::DONE) {
                // Given up; another thread took this one's place.
                job.ticket.advance(Ticket::GIVEN_UP, Ticket::ENDED);
                return;
            }
            if instances.is_worn() {
                self.retire();
                drop(instances);
                return meter::give_back();
            }
        }
    }

    /// Gives up this thread's place, or leaves it to another where jobs are waiting.
    fn retire(self: &Arc<Self>) {
        let mut state = self.state();
        if state.queue.is_empty() || self.start().is_err() {
            state.threads -= 1;
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state();
        loop {
            if let Some(job) = state.queue.pop_front() {
                return Some(job);
            }
            if state.closed {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn give_up(self: &Arc<Self>, ticket: Arc<Ticket>) -> Overdue {
        if let Err(reason) = self.start() {
            tracing::error!(%reason, "no thread could take the place of one that is overdue");
            self.state().threads -= 1;
        }
        let overdue = Overdue { ticket, since: Instant::now() };
        let mut jobs = self.overdue.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(Overdue::is_running);
        jobs.push(overdue.clone());
        overdue
    }
}

/// The words of a panic.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no text".to_owned())
}

/// Keeps panics on sandbox threads off standard error: they are caught, and the call that met one
/// reports it. Panics elsewhere are printed as before. For programs, not for libraries.
pub fn quiet_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if thread::current().name() == Some(THREAD_NAME) {
            tracing::debug!(%info, "a native function panicked in the sandbox");
        } else {
            before(info);
        }
    }));
}
