//! The books being measured, behind one function each: the flow in, the checksum of the trades out.

use openbell_kernel::book::{
    AllocationPolicy, Book, BookCancel, BookReplace, BookTrade, DepthPublisher, FAR_AHEAD, LevelChange,
    MatchingPolicy, NewOrder, PriceTime, ReportSink, SOON,
};
use openbell_kernel::terms::{Side, TimeInForce};

use super::flow::{Command, Kind};
use super::reference::{Checksum, DirectIds, HashedIds, Ids, Reference};

/// A book that can be driven by the flow.
pub trait Contestant: Default + Sized {
    fn step(&mut self, command: &Command);
    fn checksum(&self) -> Checksum;

    fn run(books: &mut [Self], commands: &[Command]) {
        if let [book] = books {
            return commands.iter().for_each(|command| book.step(command));
        }
        for turn in commands.chunks(books.len()) {
            books.iter_mut().zip(turn).for_each(|(book, command)| book.step(command));
        }
    }
}

/// Hears all reports; `LEVELS` says whether level changes too.
#[derive(Default)]
struct Counted<const LEVELS: bool> {
    checksum: Checksum,
    acknowledged: u64,
    levels: i64,
    publisher: Option<DepthPublisher>,
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
        if let Some(publisher) = &mut self.publisher {
            publisher.level_changed(change);
        }
    }
}

/// Our book, all features compiled in, acknowledgements on.
#[derive(Default)]
pub struct Ours<P: MatchingPolicy, const LEVELS: bool> {
    pub book: Book<P>,
    sink: Counted<LEVELS>,
}

pub type PriceTimeBook<const LEVELS: bool> = Ours<PriceTime, LEVELS>;

impl<P: MatchingPolicy + Default, const LEVELS: bool> Contestant for Ours<P, LEVELS> {
    #[inline]
    fn step(&mut self, command: &Command) {
        let (id, quantity) = (command.id, i64::from(command.quantity));
        let order = NewOrder::limit(id, command.side, command.price, quantity);
        let refused = match command.kind {
            Kind::Add | Kind::Take => {
                let time_in_force =
                    if command.kind == Kind::Take { TimeInForce::Ioc } else { TimeInForce::Gtc };
                self.book.submit(&NewOrder { time_in_force, ..order }, &mut self.sink).is_err()
            }
            Kind::Cancel => self.book.cancel(id, &mut self.sink).is_err(),
            Kind::Replace => self.book.replace(id, command.price, quantity, false, &mut self.sink).is_err(),
        };
        self.sink.acknowledged = self.sink.acknowledged.wrapping_add(u64::from(refused));
    }

    fn checksum(&self) -> Checksum {
        std::hint::black_box((self.sink.acknowledged, self.sink.levels));
        self.sink.checksum
    }
}

/// Our book told of commands before they are due.
#[derive(Default)]
pub struct ForeseeingBook(PriceTimeBook<false>);

impl ForeseeingBook {
    #[inline]
    fn foresee(&self, command: &Command) {
        let new = (command.kind == Kind::Add).then_some((command.side, command.price));
        self.0.book.foresee(command.id, new);
    }

    #[inline]
    fn foresee_order(&self, command: &Command) {
        if command.kind == Kind::Cancel {
            self.0.book.foresee_order(command.id);
        }
    }
}

impl Contestant for ForeseeingBook {
    #[inline]
    fn step(&mut self, command: &Command) {
        self.0.step(command);
    }

    fn checksum(&self) -> Checksum {
        self.0.checksum()
    }

    fn run(books: &mut [Self], commands: &[Command]) {
        let count = books.len();
        let after = |book: usize| if book + 1 == count { 0 } else { book + 1 };
        let [mut now, mut soon, mut later] = [0, SOON % count, FAR_AHEAD % count];
        for (at, command) in commands.iter().enumerate() {
            if let Some(command) = commands.get(at + FAR_AHEAD) {
                books[later].foresee(command);
            }
            if let Some(command) = commands.get(at + SOON) {
                books[soon].foresee_order(command);
            }
            books[now].step(command);
            [now, soon, later] = [now, soon, later].map(after);
        }
    }
}

/// Our book sharing its levels pro rata.
pub struct ProRataBook(Ours<AllocationPolicy, false>);

impl Default for ProRataBook {
    fn default() -> Self {
        ProRataBook(Ours { book: Book::new(AllocationPolicy::pro_rata(1)), sink: Counted::default() })
    }
}

impl Contestant for ProRataBook {
    #[inline]
    fn step(&mut self, command: &Command) {
        self.0.step(command);
    }

    fn checksum(&self) -> Checksum {
        self.0.checksum()
    }
}

/// Our book publishing its best ten levels after every command that changes them.
pub struct PublishedBook(Ours<PriceTime, true>);

impl Default for PublishedBook {
    fn default() -> Self {
        let mut ours = Ours::default();
        ours.sink.publisher = Some(DepthPublisher::new(10));
        PublishedBook(ours)
    }
}

impl Contestant for PublishedBook {
    #[inline]
    fn step(&mut self, command: &Command) {
        self.0.step(command);
        if let Some(publisher) = &mut self.0.sink.publisher {
            publisher.publish_changes(&self.0.book);
        }
    }

    fn checksum(&self) -> Checksum {
        self.0.checksum()
    }
}

/// The plain reference with a hash index, driven by the shuffled ids.
pub type Hashed = Reference<HashedIds<{ 1 << 16 }>, { 1 << 15 }>;

/// The same with room for more orders, and for few.
pub type LargeHashed = Reference<HashedIds<{ 1 << 20 }>, { 1 << 19 }>;
pub type SmallHashed = Reference<HashedIds<{ 1 << 10 }>, { 1 << 10 }>;

/// The plain reference with slots for ids; room for 2^22 orders.
pub type Direct = Reference<DirectIds, { 1 << 22 }>;

#[inline]
fn step_reference<I: Ids, const N: usize>(book: &mut Reference<I, N>, command: &Command, id: u64) {
    let side = usize::from(command.side == Side::Sell);
    match command.kind {
        Kind::Add => book.submit(id, side, command.price, command.quantity),
        Kind::Take => book.submit_immediate(id, side, command.price, command.quantity),
        Kind::Cancel => book.cancel(id),
        Kind::Replace => book.replace(id, command.price, command.quantity),
    }
}

impl<const B: usize, const N: usize> Contestant for Reference<HashedIds<B>, N> {
    #[inline]
    fn step(&mut self, command: &Command) {
        step_reference(self, command, command.id);
    }

    fn checksum(&self) -> Checksum {
        self.checksum
    }
}

impl Contestant for Direct {
    #[inline]
    fn step(&mut self, command: &Command) {
        step_reference(self, command, command.dense);
    }

    fn checksum(&self) -> Checksum {
        self.checksum
    }
}
