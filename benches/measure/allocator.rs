//! The allocator of the measures: `peasy::Meter`, or the system's where a side of a ratio stands
//! for a program without limits.
//!
//! The switch itself costs both sides the same.

use peasy::Meter;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, Ordering};

static UNCOUNTED: AtomicBool = AtomicBool::new(false);

/// [`Meter`], except within [`uncounted`].
pub struct Switch;

/// Runs `act` while no thread's allocations are counted. Memory bounds mean nothing meanwhile.
pub fn uncounted<T>(act: impl FnOnce() -> T) -> T {
    UNCOUNTED.store(true, Ordering::Relaxed);
    let result = act();
    UNCOUNTED.store(false, Ordering::Relaxed);
    result
}

fn counts() -> bool {
    !UNCOUNTED.load(Ordering::Relaxed)
}

#[expect(unsafe_code, reason = "a global allocator is an unsafe trait; this one only forwards")]
// SAFETY: every method hands its arguments unchanged to `Meter` or to `System`. `Meter` takes its
// memory from `System` as well, so that what one gave the other may take back.
unsafe impl GlobalAlloc for Switch {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { if counts() { Meter.alloc(layout) } else { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { if counts() { Meter.alloc_zeroed(layout) } else { System.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe {
            if counts() { Meter.dealloc(pointer, layout) } else { System.dealloc(pointer, layout) }
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe {
            if counts() {
                Meter.realloc(pointer, layout, new_size)
            } else {
                System.realloc(pointer, layout, new_size)
            }
        }
    }
}
