//! The books being measured, behind one function each: the flow in, the checksum of the trades out.

use openbell_kernel::book::{
    Book, BookCancel, BookReplace, BookTrade, LevelChange, NewOrder, PriceTime, ReportSink,
};
use openbell_kernel::terms::{Side, TimeInForce};

use super::flow::{Command, Kind};
use super::reference::{Checksum, DirectIds, HashedIds, Ids, Reference};

/// A book that can be driven by the flow.
pub trait Contestant: Default {
    fn run(&mut self, commands: &[Command]);
    fn checksum(&self) -> Checksum;
}

/// Hears all reports; `LEVELS` says whether level changes too.
#[derive(Default)]
struct Counted<const LEVELS: bool> {
    checksum: Checksum,
    acknowledged: u64,
    levels: i64,
}

impl<const LEVELS: bool> ReportSink for Counted<LEVELS> {
    const LEVELS: bool = LEVELS;

    #[inline]
    fn accepted(&mut self, order: &NewOrder) {
        self.acknowledged = self.acknowledged.wrapping_add(order.order_id);
    }

    #[inline]
    fn traded(&mut self, trade: &BookTrade) {
        self.checksum.add(trade.maker_order_id, trade.taker_order_id, trade.price, trade.quantity);
    }

    #[inline]
    fn canceled(&mut self, cancel: &BookCancel) {
        self.acknowledged = self.acknowledged.wrapping_add(cancel.order_id ^ cancel.leaves as u64);
    }

    #[inline]
    fn replaced(&mut self, replace: &BookReplace) {
        self.acknowledged = self.acknowledged.wrapping_add(replace.order_id ^ replace.price as u64);
    }

    #[inline]
    fn level_changed(&mut self, change: &LevelChange) {
        self.levels = self.levels.wrapping_add(change.price ^ change.quantity);
    }
}

/// Our book, all features compiled in, acknowledgements on.
#[derive(Default)]
pub struct Ours<const LEVELS: bool> {
    book: Book<PriceTime>,
    sink: Counted<LEVELS>,
}

impl<const LEVELS: bool> Contestant for Ours<LEVELS> {
    fn run(&mut self, commands: &[Command]) {
        for command in commands {
            let (id, quantity) = (command.id, i64::from(command.quantity));
            let order = NewOrder::limit(id, command.side, command.price, quantity);
            let refused = match command.kind {
                Kind::Add => self.book.submit(&order, &mut self.sink).is_err(),
                Kind::Take => {
                    let order = NewOrder { time_in_force: TimeInForce::Ioc, ..order };
                    self.book.submit(&order, &mut self.sink).is_err()
                }
                Kind::Cancel => self.book.cancel(id, &mut self.sink).is_err(),
                Kind::Replace => {
                    self.book.replace(id, command.price, quantity, false, &mut self.sink).is_err()
                }
            };
            self.sink.acknowledged = self.sink.acknowledged.wrapping_add(u64::from(refused));
        }
        std::hint::black_box((self.sink.acknowledged, self.sink.levels));
    }

    fn checksum(&self) -> Checksum {
        self.sink.checksum
    }
}

/// The plain reference with a hash index, driven by the shuffled ids.
pub type Hashed = Reference<HashedIds, { 1 << 15 }>;

/// The plain reference with slots for ids; room for 2^22 orders.
pub type Direct = Reference<DirectIds, { 1 << 22 }>;

fn run_reference<I: Ids, const N: usize>(
    book: &mut Reference<I, N>,
    commands: &[Command],
    id: impl Fn(&Command) -> u64,
) {
    for command in commands {
        let side = usize::from(command.side == Side::Sell);
        match command.kind {
            Kind::Add => book.submit(id(command), side, command.price, command.quantity),
            Kind::Take => book.submit_immediate(id(command), side, command.price, command.quantity),
            Kind::Cancel => book.cancel(id(command)),
            Kind::Replace => book.replace(id(command), command.price, command.quantity),
        }
    }
}

impl Contestant for Hashed {
    fn run(&mut self, commands: &[Command]) {
        run_reference(self, commands, |command| command.id);
    }

    fn checksum(&self) -> Checksum {
        self.checksum
    }
}

impl Contestant for Direct {
    fn run(&mut self, commands: &[Command]) {
        run_reference(self, commands, |command| command.dense);
    }

    fn checksum(&self) -> Checksum {
        self.checksum
    }
}
