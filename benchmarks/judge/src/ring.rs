//! A ring of reports between the matching thread and the harness's drainer: one producer, one consumer.

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Report, Transport};

const SLOTS: u64 = 1 << 20;

/// What one side writes, on a cache line pair of its own.
#[repr(align(128))]
struct Cursor {
    /// Read by the other side.
    shared: AtomicU64,
    /// The writer's own count.
    own: UnsafeCell<u64>,
    /// The other side's count as last seen.
    seen: UnsafeCell<u64>,
}

impl Cursor {
    const fn new() -> Self {
        Cursor { shared: AtomicU64::new(0), own: UnsafeCell::new(0), seen: UnsafeCell::new(0) }
    }
}

/// A report in a cache line of its own.
#[repr(align(64))]
struct Slot(UnsafeCell<Report>);

pub struct Ring {
    produced: Cursor,
    consumed: Cursor,
    slots: Box<[Slot]>,
}

impl Ring {
    fn new() -> Self {
        let slots = (0..SLOTS).map(|_| Slot(UnsafeCell::new(Report::default()))).collect();
        Ring { produced: Cursor::new(), consumed: Cursor::new(), slots }
    }

    /// Writes a report; waits while the ring is full. For the producer only.
    #[inline]
    pub unsafe fn push(&self, report: Report) {
        // SAFETY: the producer's own cells, and a slot that the consumer has passed.
        unsafe {
            let next = *self.produced.own.get();
            if next - *self.produced.seen.get() == SLOTS {
                self.wait_for_room(next);
            }
            *self.slots[(next % SLOTS) as usize].0.get() = report;
            *self.produced.own.get() = next + 1;
        }
    }

    #[cold]
    unsafe fn wait_for_room(&self, next: u64) {
        // SAFETY: the producer's own cells.
        unsafe {
            self.publish();
            loop {
                *self.produced.seen.get() = self.consumed.shared.load(Ordering::Acquire);
                if next - *self.produced.seen.get() < SLOTS {
                    return;
                }
                std::hint::spin_loop();
            }
        }
    }

    /// Shows the consumer what was pushed. For the producer only.
    #[inline]
    pub unsafe fn publish(&self) {
        // SAFETY: the producer's own cell.
        let next = unsafe { *self.produced.own.get() };
        self.produced.shared.store(next, Ordering::Release);
    }

    /// Takes up to `max` reports. For the consumer only.
    unsafe fn drain(&self, out: *mut Report, max: u32) -> u32 {
        // SAFETY: the consumer's own cells, slots that the producer has published, and the caller's buffer.
        unsafe {
            let next = *self.consumed.own.get();
            if next == *self.consumed.seen.get() {
                *self.consumed.seen.get() = self.produced.shared.load(Ordering::Acquire);
            }
            let count = (*self.consumed.seen.get() - next).min(u64::from(max));
            for step in 0..count {
                let slot = self.slots[((next + step) % SLOTS) as usize].0.get();
                out.add(step as usize).write(*slot);
            }
            *self.consumed.own.get() = next + count;
            self.consumed.shared.store(next + count, Ordering::Release);
            count as u32
        }
    }
}

extern "C" fn create(_capacity: u32) -> *mut c_void {
    Box::into_raw(Box::new(Ring::new())).cast()
}

extern "C" fn push(queue: *mut c_void, report: *const Report) -> c_int {
    // SAFETY: the harness pushes from the producer's thread, into a ring of ours.
    unsafe {
        let ring = &*queue.cast::<Ring>();
        ring.push(*report);
        ring.publish();
    }
    1
}

extern "C" fn drain(queue: *mut c_void, out: *mut Report, max: u32) -> u32 {
    // SAFETY: the harness drains from one thread, with room for `max`.
    unsafe { (*queue.cast::<Ring>()).drain(out, max) }
}

extern "C" fn flush(queue: *mut c_void) {
    // SAFETY: called by the producer's thread.
    unsafe { (*queue.cast::<Ring>()).publish() }
}

extern "C" fn destroy(queue: *mut c_void) {
    // SAFETY: made by `create`, and used no more.
    drop(unsafe { Box::from_raw(queue.cast::<Ring>()) });
}

pub static TRANSPORT: Transport = Transport { create, push, drain, flush, destroy };
