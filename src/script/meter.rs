//! What a call has spent on this thread: operations, time and memory, checked at every step.
//!
//! The engine's own counters restart inside callbacks and its data-size limits make growth
//! quadratic, so both stay off; [`tick`] runs at every engine step and natives pay for their work
//! with [`charge`] and [`reserve`] before they do it. Once a bound is passed the kill is sticky:
//! whatever a script or a native makes of the first refusal, every further step refuses too, and
//! the call ends with that limit. Nothing here knows what a value is.

use crate::limit::Limit;
use rhai::{Dynamic, EvalAltResult, Position};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What one allocation costs beside its bytes: the allocator's header and rounding.
///
/// Counting it keeps small allocations honest, and bounds how deeply values can nest: a level of
/// nesting is at least two allocations, so the memory bound is a depth bound too.
const ALLOCATION_OVERHEAD: usize = 16;

/// Steps between two looks at the clock.
const CLOCK_INTERVAL: u64 = 256;

/// A counting allocator over the system's: how many bytes each thread holds.
///
/// The `peasy` binary installs it. A program that embeds the crate installs it as well:
///
/// ```
/// #[global_allocator]
/// static METER: peasy::Meter = peasy::Meter;
/// # assert!(peasy::Meter::is_installed());
/// ```
///
/// Without it, memory cannot be bounded and calls are refused unless the host opts out.
#[derive(Debug, Default, Clone, Copy)]
pub struct Meter;

/// What one thread has allocated and what its call may still do. Each field is a cell of its own,
/// so that a step touches only what it needs.
struct Gauge {
    /// Bytes this thread allocated and has not freed; negative where it freed another's.
    live: Cell<isize>,
    peak: Cell<isize>,
    /// The live count at which memory runs out; `isize::MAX` where memory is not bounded.
    max_live: Cell<isize>,
    /// The live count when the call began.
    base: Cell<isize>,
    /// Bytes that the running call handed out for good: its result, its events.
    handed_out: Cell<isize>,
    operations: Cell<u64>,
    max_operations: Cell<u64>,
    /// The operation at which to look closer: at the clock, or at what ran out.
    next_look: Cell<u64>,
    over: Cell<Option<End>>,
    /// Holds the number of the job that should end, for whoever waits for it to write.
    interrupt: Cell<&'static AtomicU64>,
    /// The number of the job that runs.
    job: Cell<u64>,
    deadline: Cell<Option<Instant>>,
}

/// The interrupt of a thread that nobody interrupts: no job has this number.
static NEVER: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Without a destructor: the allocator counts here, and registering one may allocate.
    static GAUGE: Gauge = const { Gauge::idle() };
    /// The flag by which the caller ends the running call.
    static STOP: RefCell<Option<Arc<AtomicBool>>> = const { RefCell::new(None) };
}

const _: () = assert!(!std::mem::needs_drop::<Gauge>());

impl Gauge {
    const fn idle() -> Self {
        Self {
            live: Cell::new(0),
            peak: Cell::new(0),
            max_live: Cell::new(isize::MAX),
            base: Cell::new(0),
            handed_out: Cell::new(0),
            operations: Cell::new(0),
            max_operations: Cell::new(u64::MAX),
            next_look: Cell::new(u64::MAX),
            over: Cell::new(None),
            interrupt: Cell::new(&NEVER),
            job: Cell::new(u64::MAX),
            deadline: Cell::new(None),
        }
    }

    fn count(&self, change: isize) {
        let live = self.live.get().wrapping_add(change);
        self.live.set(live);
        if live > self.peak.get() {
            self.peak.set(live);
        }
    }

    /// Spends operations; `Some` ends the call.
    fn spend(&self, operations: u64) -> Option<End> {
        let spent = self.operations.get().saturating_add(operations);
        self.operations.set(spent);
        if spent < self.next_look.get()
            && self.live.get() <= self.max_live.get()
            && self.interrupt.get().load(Ordering::Relaxed) != self.job.get()
        {
            return None;
        }
        self.look()
    }

    #[cold]
    fn look(&self) -> Option<End> {
        if let Some(end) = self.over.get() {
            return Some(end);
        }
        let spent = self.operations.get();
        let limit = if spent > self.max_operations.get() {
            Limit::Operations
        } else if self.live.get() > self.max_live.get() {
            Limit::Memory
        } else if self.interrupt.get().load(Ordering::Relaxed) == self.job.get() || self.is_late() {
            Limit::Time
        } else {
            let next = spent.saturating_add(CLOCK_INTERVAL);
            self.next_look.set(next.min(self.max_operations.get().saturating_add(1)));
            return None;
        };
        Some(self.end(End::Limit(limit)))
    }

    fn end(&self, end: End) -> End {
        let end = self.over.get().unwrap_or(end);
        self.over.set(Some(end));
        // From here on every step looks, and every look refuses.
        self.next_look.set(0);
        end
    }

    /// Whether the deadline has passed or the caller asked to stop.
    fn is_late(&self) -> bool {
        let is_set = |stop: &Option<Arc<AtomicBool>>| {
            stop.as_ref().is_some_and(|stop| stop.load(Ordering::Relaxed))
        };
        STOP.with_borrow(is_set)
            || self.deadline.get().is_some_and(|deadline| Instant::now() >= deadline)
    }
}

fn count(change: isize) {
    // A thread that is being torn down has no gauge left, and no call runs on it.
    let _ = GAUGE.try_with(|gauge| gauge.count(change));
}

fn cost(size: usize) -> isize {
    isize::try_from(size.saturating_add(ALLOCATION_OVERHEAD)).unwrap_or(isize::MAX)
}

#[expect(unsafe_code, reason = "a global allocator is an unsafe trait; this one only counts")]
// SAFETY: every method hands its arguments unchanged to `System`, which upholds the contract, and
// the bookkeeping beside it neither allocates nor unwinds.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let pointer = unsafe { System.alloc(layout) };
        if !pointer.is_null() {
            count(cost(layout.size()));
        }
        pointer
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        let pointer = unsafe { System.alloc_zeroed(layout) };
        if !pointer.is_null() {
            count(cost(layout.size()));
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) };
        count(-cost(layout.size()));
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        let moved = unsafe { System.realloc(pointer, layout, new_size) };
        if !moved.is_null() {
            count(cost(new_size) - cost(layout.size()));
        }
        moved
    }
}

/// Bytes above which glibc gives an allocation pages of its own, which go back when it is freed.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const OWN_PAGES: std::ffi::c_int = 4 << 20;

/// Free bytes at the end of a heap above which glibc returns them.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const KEPT: std::ffi::c_int = 8 << 20;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "functions of the C library that std does not wrap")]
unsafe extern "C" {
    /// Source: malloc_trim(3).
    safe fn malloc_trim(pad: usize) -> std::ffi::c_int;
    /// Source: mallopt(3).
    safe fn mallopt(parameter: std::ffi::c_int, value: std::ffi::c_int) -> std::ffi::c_int;
}

/// Keeps glibc from holding on to what calls free: by itself it raises both bounds to the largest
/// allocation it has seen, and every thread's heap may then keep that much for good. On other
/// systems it does nothing.
///
/// It changes the allocator of the whole process, so it is for the program to ask for it, once, at
/// its start; the `peasy` binary does.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn settle_allocator() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    /// Source: the header malloc.h of glibc.
    const M_TRIM_THRESHOLD: std::ffi::c_int = -1;
    const M_MMAP_THRESHOLD: std::ffi::c_int = -3;
    ONCE.call_once(|| {
        mallopt(M_MMAP_THRESHOLD, OWN_PAGES);
        mallopt(M_TRIM_THRESHOLD, KEPT);
    });
}

/// Bytes by which a thread's heap grows at once.
const WIDE: usize = 2 << 20;

/// Lets the heap of this thread, which begins here, grow by two megabytes at once, of which nothing is
/// touched: glibc grows the heaps of threads page by page, with a system call for each.
pub(crate) fn widen_heap() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(WIDE)));
}

/// Asks the allocator to return what this process freed to the operating system, at most
/// ten times a second: it walks every heap under its lock.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(crate) fn give_back() {
    static LAST: std::sync::Mutex<Option<Instant>> = std::sync::Mutex::new(None);
    let Ok(mut last) = LAST.try_lock() else { return };
    if last.is_none_or(|last| last.elapsed() >= Duration::from_millis(100)) {
        *last = Some(Instant::now());
        malloc_trim(0);
    }
}

/// Other allocators settle by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn settle_allocator() {}

/// Other allocators return what was freed by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}

impl Meter {
    /// Whether this process allocates through a [`Meter`].
    pub fn is_installed() -> bool {
        let live = || GAUGE.with(|gauge| gauge.live.get());
        let before = live();
        let probe = std::hint::black_box(Box::new(0_u64));
        let counted = live() != before;
        drop(probe);
        counted
    }
}

/// The bounds that [`begin`] puts in force.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Engine steps.
    pub operations: u64,
    /// Bytes; `None` leaves memory unbounded.
    pub memory: Option<u64>,
    /// When the call must have ended.
    pub deadline: Instant,
    /// Set by the caller to end the call early.
    pub stop: Arc<AtomicBool>,
}

/// What a call spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Engine steps and charges.
    pub operations: u64,
    /// The most bytes held at once, above what the thread held before.
    pub peak_memory: u64,
    /// Bytes still held now that were neither there before nor handed out; negative where the
    /// call freed what others left.
    pub left_behind: i64,
    /// The bound that ended the call, if one did.
    pub killed: Option<Limit>,
    /// Whether the call ended because a person has to be asked.
    pub asked: bool,
}

/// What ends a call before its function returned, whatever the script makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// A bound was passed.
    Limit(Limit),
    /// A person has to be asked before it can go on.
    Question,
}

impl End {
    /// The bound, where it is one.
    pub fn limit(self) -> Option<Limit> {
        match self {
            Self::Limit(limit) => Some(limit),
            Self::Question => None,
        }
    }
}

/// A refusal that no script can catch: the engine treats it as a termination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kill(pub End);

/// Tells this thread which job it runs, and where its number appears when the job should end.
///
/// Looking at a flag costs less than looking at the clock, so every step looks at it.
pub(crate) fn take_up(job: u64, interrupt: &'static AtomicU64) {
    GAUGE.with(|gauge| {
        gauge.job.set(job);
        gauge.interrupt.set(interrupt);
    });
}

/// Puts bounds in force on this thread until [`end`].
pub(crate) fn begin(bounds: Bounds) {
    GAUGE.with(|gauge| {
        let base = gauge.live.get();
        gauge.base.set(base);
        gauge.peak.set(base);
        gauge.max_live.set(bounds.memory.map_or(isize::MAX, |bytes| {
            base.saturating_add(isize::try_from(bytes).unwrap_or(isize::MAX))
        }));
        gauge.handed_out.set(0);
        gauge.operations.set(0);
        gauge.max_operations.set(bounds.operations);
        gauge.next_look.set(1);
        gauge.over.set(None);
        gauge.deadline.set(Some(bounds.deadline));
    });
    STOP.set(Some(bounds.stop));
}

/// Lifts the bounds and says what was spent.
pub(crate) fn end() -> Spent {
    STOP.set(None);
    GAUGE.with(|gauge| {
        let above = |bytes: isize| u64::try_from(bytes.saturating_sub(gauge.base.get()));
        let spent = Spent {
            operations: gauge.operations.get(),
            peak_memory: above(gauge.peak.get()).unwrap_or(0),
            left_behind: (gauge.live.get() - gauge.base.get() - gauge.handed_out.get()) as i64,
            killed: gauge.over.get().and_then(End::limit),
            asked: gauge.over.get() == Some(End::Question),
        };
        gauge.max_live.set(isize::MAX);
        gauge.max_operations.set(u64::MAX);
        gauge.next_look.set(u64::MAX);
        gauge.over.set(None);
        gauge.deadline.set(None);
        spent
    })
}

/// One engine step; `Some` ends the call. This is the hot path.
pub(crate) fn tick() -> Option<End> {
    GAUGE.with(|gauge| gauge.spend(1))
}

/// As [`tick`], for reading, where nobody is asked.
pub(crate) fn reading_tick() -> Option<Limit> {
    tick().and_then(End::limit)
}

/// Ends the call with `limit`, if nothing ended it before, and gives the error to return.
pub(crate) fn kill(limit: Limit) -> Box<EvalAltResult> {
    end_with(End::Limit(limit))
}

/// Ends the call, if nothing ended it before, and gives the error to return.
pub(crate) fn end_with(end: End) -> Box<EvalAltResult> {
    let end = GAUGE.with(|gauge| gauge.end(end));
    EvalAltResult::ErrorTerminated(Dynamic::from(Kill(end)), Position::NONE).into()
}

/// What ended the call on this thread, if anything did.
pub(crate) fn over() -> Option<End> {
    GAUGE.with(|gauge| gauge.over.get())
}

/// The bound that ended the call on this thread, if one did.
pub(crate) fn killed() -> Option<Limit> {
    over().and_then(End::limit)
}

/// What the call has spent of its operations.
pub(crate) fn operations() -> u64 {
    GAUGE.with(|gauge| gauge.operations.get())
}

/// Pays for `operations` units of native work and looks at the clock; to be called before the
/// work, and again for each piece of work that is not small.
///
/// # Errors
///
/// A bound is passed; the native returns the error as it is.
pub(crate) fn charge(operations: u64) -> Result<(), Box<EvalAltResult>> {
    match GAUGE.with(|gauge| gauge.spend(operations)) {
        None => Ok(()),
        Some(end) => Err(end_with(end)),
    }
}

/// Pays for touching `bytes` bytes: one operation for each 64, and one at least.
pub(crate) fn charge_bytes(bytes: usize) -> Result<(), Box<EvalAltResult>> {
    charge(bytes as u64 / 64 + 1)
}

/// Checks that `bytes` more bytes fit before a native allocates them.
///
/// # Errors
///
/// They do not fit; the call is over.
pub(crate) fn reserve(bytes: usize) -> Result<(), Box<EvalAltResult>> {
    let wanted = isize::try_from(bytes).unwrap_or(isize::MAX);
    let fits = GAUGE.with(|gauge| gauge.live.get().saturating_add(wanted) <= gauge.max_live.get());
    if fits { Ok(()) } else { Err(kill(Limit::Memory)) }
}

/// Runs `act`, whose allocations leave the call for good and are no leak of its.
pub(crate) fn handing_out<T>(act: impl FnOnce() -> T) -> T {
    let live = || GAUGE.with(|gauge| gauge.live.get());
    let before = live();
    let result = act();
    let change = live() - before;
    GAUGE.with(|gauge| gauge.handed_out.set(gauge.handed_out.get() + change));
    result
}

/// Counts an allocation of `bytes` that was made outside of the call and is the call's from now on.
pub(crate) fn take_in(bytes: usize) {
    if bytes > 0 {
        GAUGE.with(|gauge| gauge.handed_out.set(gauge.handed_out.get() - cost(bytes)));
    }
}

/// Counts an allocation of `bytes` that leaves the call for good; none has no bytes.
pub(crate) fn hand_out(bytes: usize) {
    if bytes == 0 {
        return;
    }
    GAUGE.with(|gauge| gauge.handed_out.set(gauge.handed_out.get() + cost(bytes)));
}

/// Bytes that the call may still allocate; `None` where memory is not bounded.
pub(crate) fn memory_left() -> Option<usize> {
    GAUGE.with(|gauge| {
        let left = gauge.max_live.get().saturating_sub(gauge.live.get());
        (gauge.max_live.get() != isize::MAX).then(|| usize::try_from(left).unwrap_or(0))
    })
}
