//! The book behind the C interface of flash1-dev/matching-engine-benchmark (its `api/matching_engine_api.h` is
//! the format source): a shared library that its harness loads, drives and judges.
//!
//! Built and run by `python -m benchmarks.public_judge`. Nothing of the harness is in here. The interface is C,
//! so the functions below trust the pointers the harness gives them; that is all the `unsafe` there is, and it
//! is no part of the project's crates.
#![allow(clippy::missing_safety_doc)] // every function's contract is the harness's header

#[cfg(not(feature = "harness-queue"))]
mod batch;
#[cfg(not(feature = "harness-queue"))]
mod ring;

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use openbell_kernel::book::{Book, BookCancel, BookTrade, NewOrder, PriceTime, ReportSink};
use openbell_kernel::terms::{Side, TimeInForce};

#[cfg(not(feature = "harness-queue"))]
use ring::Ring;

/// `new_order_t`.
#[repr(C)]
pub struct NewOrderMessage {
    order_id: u64,
    sequence_number: u64,
    price_ticks: i64,
    quantity: u32,
    side: u8,
    ioc: u8,
    _reserved: [u8; 2],
}

/// `cancel_t`.
#[repr(C)]
pub struct CancelMessage {
    order_id: u64,
    sequence_number: u64,
}

/// `modify_t`.
#[repr(C)]
pub struct ModifyMessage {
    order_id: u64,
    sequence_number: u64,
    new_price_ticks: i64,
    new_quantity: u32,
    side: u8,
    _reserved: [u8; 3],
}

/// `me_report_t`. The harness's own are aligned as C does, to 8 bytes: ours must not promise more.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Report {
    kind: u8,
    side: u8,
    _reserved: [u8; 6],
    sequence_number: u64,
    order_id: u64,
    price_ticks: i64,
    quantity: u32,
    _reserved_too: u32,
    maker_order_id: u64,
    taker_order_id: u64,
    _padding: u64,
}

const _: () = assert!(size_of::<Report>() == 64 && align_of::<Report>() == 8);

const ORDER_ACK: u8 = 0;
const TRADE: u8 = 1;
const CANCEL_ACK: u8 = 2;
const MODIFY_ACK: u8 = 3;
const CANCEL_REJECT: u8 = 4;
const MODIFY_REJECT: u8 = 5;

/// `me_transport_t`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Transport {
    create: extern "C" fn(u32) -> *mut c_void,
    push: extern "C" fn(*mut c_void, *const Report) -> c_int,
    drain: extern "C" fn(*mut c_void, *mut Report, u32) -> u32,
    flush: extern "C" fn(*mut c_void),
    destroy: extern "C" fn(*mut c_void),
}

// SAFETY: function pointers only.
unsafe impl Sync for Transport {}

/// Reports handed to the harness's queue at once. It shows each to the drainer and asks it for room each time, so
/// one by one the two threads take the same two cache lines from each other for every report.
#[cfg(feature = "harness-queue")]
const BURST: usize = 256;

/// A report in a cache line of its own, written whole.
#[cfg(feature = "harness-queue")]
#[derive(Clone, Copy, Default)]
#[repr(C, align(64))]
struct Line(Report);

/// Reports that wait for a burst.
#[cfg(feature = "harness-queue")]
struct Pending {
    lines: Box<[Line; BURST]>,
    count: usize,
}

/// Where reports go, and what the message being answered was.
struct Outlet {
    #[cfg(feature = "harness-queue")]
    transport: Transport,
    #[cfg(feature = "harness-queue")]
    pending: Pending,
    queue: *mut c_void,
    sequence_number: u64,
}

impl Outlet {
    #[cfg(not(feature = "harness-queue"))]
    #[inline]
    fn push(&mut self, report: Report) {
        // SAFETY: the queue is the ring that `create` below made, and this is its one producer.
        unsafe { (*self.queue.cast::<Ring>()).push(report) }
    }

    #[cfg(feature = "harness-queue")]
    #[inline]
    fn push(&mut self, report: Report) {
        let Pending { lines, count } = &mut self.pending;
        lines[*count % BURST] = Line(report);
        *count += 1;
        if *count == BURST {
            self.push_pending();
        }
    }

    /// Hands the harness all reports that wait.
    #[cfg(feature = "harness-queue")]
    #[inline(never)]
    fn push_pending(&mut self) {
        let Pending { lines, count } = &mut self.pending;
        for Line(report) in &lines[..*count] {
            while (self.transport.push)(self.queue, report) == 0 {
                std::hint::spin_loop();
            }
        }
        *count = 0;
    }

    /// What was pushed becomes visible to the drainer.
    #[inline]
    fn publish(&mut self) {
        #[cfg(not(feature = "harness-queue"))]
        // SAFETY: as in `push`.
        unsafe {
            (*self.queue.cast::<Ring>()).publish();
        }
    }

    #[inline]
    fn acknowledge(&mut self, kind: u8, order_id: u64, side: u8, price_ticks: i64, quantity: u32) {
        let sequence_number = self.sequence_number;
        self.push(Report {
            kind,
            side,
            sequence_number,
            order_id,
            price_ticks,
            quantity,
            ..Report::default()
        });
    }
}

impl ReportSink for Outlet {
    #[inline]
    fn accepted(&mut self, order: &NewOrder) {
        self.acknowledge(
            ORDER_ACK,
            order.order_id,
            side_byte(order.side),
            order.price,
            order.quantity as u32,
        );
    }

    #[inline]
    fn traded(&mut self, trade: &BookTrade) {
        self.push(Report {
            kind: TRADE,
            sequence_number: self.sequence_number,
            order_id: trade.maker_order_id,
            price_ticks: trade.price,
            quantity: trade.quantity as u32,
            maker_order_id: trade.maker_order_id,
            taker_order_id: trade.taker_order_id,
            ..Report::default()
        });
    }

    /// Cancels, and what is left of an immediate-or-cancel order.
    #[inline]
    fn canceled(&mut self, cancel: &BookCancel) {
        let side = side_byte(cancel.side);
        self.acknowledge(CANCEL_ACK, cancel.order_id, side, cancel.price, cancel.leaves as u32);
    }
}

struct Engine {
    book: Book<PriceTime>,
    outlet: Outlet,
}

static ENGINE: AtomicPtr<Engine> = AtomicPtr::new(std::ptr::null_mut());

/// The engine between `engine_init` and `engine_shutdown`.
#[inline]
fn engine() -> &'static mut Engine {
    // SAFETY: the harness calls from one thread, after `engine_init` and before `engine_shutdown`.
    unsafe { &mut *ENGINE.load(Ordering::Relaxed) }
}

const fn side_byte(side: Side) -> u8 {
    match side {
        Side::Buy => 0,
        Side::Sell => 1,
    }
}

const fn side_of(byte: u8) -> Side {
    if byte == 0 { Side::Buy } else { Side::Sell }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_init(_seed: u64, _transport: *const Transport, queue: *mut c_void) {
    let outlet = Outlet {
        // SAFETY: the harness hands over a valid transport.
        #[cfg(feature = "harness-queue")]
        transport: unsafe { *_transport },
        #[cfg(feature = "harness-queue")]
        pending: Pending { lines: Box::new([Line::default(); BURST]), count: 0 },
        queue,
        sequence_number: 0,
    };
    let engine = Box::new(Engine { book: Book::new(PriceTime), outlet });
    ENGINE.store(Box::into_raw(engine), Ordering::Relaxed);
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_shutdown() {
    let engine = ENGINE.swap(std::ptr::null_mut(), Ordering::Relaxed);
    if !engine.is_null() {
        // SAFETY: made by `Box::into_raw` in `engine_init`.
        drop(unsafe { Box::from_raw(engine) });
    }
}

impl Engine {
    #[inline(always)]
    fn new_order(&mut self, order: &NewOrderMessage) {
        let Engine { book, outlet } = self;
        outlet.sequence_number = order.sequence_number;
        let time_in_force = if order.ioc != 0 { TimeInForce::Ioc } else { TimeInForce::Gtc };
        let quantity = i64::from(order.quantity);
        let new_order = NewOrder::limit(order.order_id, side_of(order.side), order.price_ticks, quantity);
        // A refusal (an id that lives, a quantity of 0) has no report in this interface.
        let _ = book.submit(&NewOrder { time_in_force, ..new_order }, outlet);
        outlet.publish();
    }

    #[inline(always)]
    fn cancel(&mut self, cancel: &CancelMessage) {
        let Engine { book, outlet } = self;
        outlet.sequence_number = cancel.sequence_number;
        if book.cancel(cancel.order_id, outlet).is_err() {
            outlet.acknowledge(CANCEL_REJECT, cancel.order_id, 0, 0, 0);
        }
        outlet.publish();
    }

    #[inline(always)]
    fn modify(&mut self, modify: &ModifyMessage) {
        let Engine { book, outlet } = self;
        outlet.sequence_number = modify.sequence_number;
        let (price, quantity) = (modify.new_price_ticks, i64::from(modify.new_quantity));
        match book.replace(modify.order_id, price, quantity, false, outlet) {
            Ok(_) => outlet.acknowledge(MODIFY_ACK, modify.order_id, modify.side, price, modify.new_quantity),
            Err(_) => outlet.acknowledge(MODIFY_REJECT, modify.order_id, 0, 0, 0),
        }
        outlet.publish();
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_on_new_order(order: *const NewOrderMessage) {
    // SAFETY: the harness passes a valid message.
    engine().new_order(unsafe { &*order });
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_on_cancel(cancel: *const CancelMessage) {
    // SAFETY: the harness passes a valid message.
    engine().cancel(unsafe { &*cancel });
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn engine_on_modify(modify: *const ModifyMessage) {
    // SAFETY: the harness passes a valid message.
    engine().modify(unsafe { &*modify });
}

/// Matching is never deferred; with the harness's queue the last reports are.
#[unsafe(no_mangle)]
pub extern "C" fn engine_flush() {
    #[cfg(feature = "harness-queue")]
    engine().outlet.push_pending();
}

#[unsafe(no_mangle)]
pub extern "C" fn engine_query_best_bid() -> i64 {
    engine().book.best(Side::Buy).map_or(i64::MIN, |level| level.price)
}

#[unsafe(no_mangle)]
pub extern "C" fn engine_query_best_ask() -> i64 {
    engine().book.best(Side::Sell).map_or(i64::MAX, |level| level.price)
}

#[unsafe(no_mangle)]
pub extern "C" fn engine_query_depth_at(price_ticks: i64, side: u8) -> u64 {
    engine().book.level_at(side_of(side), price_ticks).map_or(0, |level| level.quantity as u64)
}

/// Exported only with our own ring: the harness then carries reports over it.
#[cfg(not(feature = "harness-queue"))]
#[unsafe(no_mangle)]
pub extern "C" fn engine_get_transport() -> *const Transport {
    &ring::TRANSPORT
}
