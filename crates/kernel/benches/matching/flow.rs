//! The flow every book is measured on: 55 % adds, 40 % cancels, 3 % replaces, 2 % marketable, about 10,000
//! live orders, shuffled ids, from a seed.

use openbell_kernel::book::{Book, BookReport, NewOrder, PriceTime};
use openbell_kernel::terms::{Side, TimeInForce};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Add = 1,
    Replace = 2,
    Cancel = 3,
    /// Immediate-or-cancel, priced through the other side.
    Take = 4,
}

#[derive(Clone, Copy, Debug)]
pub struct Command {
    pub kind: Kind,
    pub side: Side,
    pub quantity: u32,
    /// Shuffled: the same numbers as `dense`, in an order that says nothing.
    pub id: u64,
    /// Counted up from 0, as the owner of a book could give ids to itself.
    pub dense: u64,
    pub price: i64,
}

/// `setup` fills the books; `commands` are what is timed. Command i goes to book i modulo `books`.
pub struct Flow {
    pub setup: Vec<Command>,
    pub commands: Vec<Command>,
    pub books: usize,
}

/// How large the books are that a flow makes.
#[derive(Clone, Copy)]
pub struct Shape {
    /// Live orders of each book.
    pub live: usize,
    /// A passive order lies up to one of these many ticks from the middle, each as likely.
    pub spreads: [u64; 4],
    pub books: usize,
}

impl Shape {
    /// The flow that is measured first.
    pub const USUAL: Shape = Shape { live: 10_000, spreads: [8, 32, 128, 512], books: 1 };
    pub const MANY_BOOKS: Shape = Shape { live: 100, books: 1_000, ..Self::USUAL };
    pub const MANY_ORDERS: Shape = Shape { live: 350_000, ..Self::USUAL };
    pub const MANY_LEVELS: Shape = Shape { live: 40_000, spreads: [7_000; 4], books: 1 };
}

const FIRST_MIDDLE: i64 = 8_000;

struct Generator {
    shape: Shape,
    state: u64,
    book: Book,
    /// Dense ids of live orders, and where each is in this list.
    live: Vec<u64>,
    place: Vec<u32>,
    ids: u64,
    middle: i64,
    reports: Vec<BookReport>,
}

/// An odd multiplier permutes the 2^32 ids; the upper bits make them look like what clients send.
fn shuffled(dense: u64) -> u64 {
    let mixed = (dense as u32).wrapping_mul(0x9E37_79B1);
    1 << 40 | u64::from(mixed ^ mixed >> 15)
}

impl Generator {
    fn random(&mut self, below: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((u128::from(z ^ z >> 31) * u128::from(below)) >> 64) as u64
    }

    fn side(&mut self) -> Side {
        if self.random(2) == 0 { Side::Buy } else { Side::Sell }
    }

    /// Most orders are near the best price, some deep in the book.
    fn passive_price(&mut self, side: Side) -> i64 {
        let spread = self.shape.spreads[self.random(4) as usize];
        self.middle - side.sign() * (1 + self.random(spread) as i64)
    }

    fn new_order(&mut self, kind: Kind) -> Command {
        let side = self.side();
        let price = match kind {
            Kind::Add => self.passive_price(side),
            _ => self.middle + side.sign() * (self.shape.spreads[3] as i64 + 88),
        };
        // 2 % takers must remove what 55 % adds less 40 % cancels put in, so that the book stays its size.
        let average = if self.live.len() > self.shape.live { 60 } else { 20 };
        let quantity = 1 + self.random(if kind == Kind::Add { 9 } else { 2 * average }) as u32;
        self.ids += 1;
        self.place.push(u32::MAX);
        Command { kind, side, quantity, id: shuffled(self.ids), dense: self.ids, price }
    }

    fn of_live(&mut self, kind: Kind) -> Command {
        let place = self.random(self.live.len() as u64) as usize;
        let dense = self.live[place];
        let old =
            self.book.order(dense).map_or((Side::Buy, 0, 1), |order| (order.side, order.price, order.leaves));
        let smaller = self.random(3) == 0;
        let (price, quantity) = if smaller {
            (old.1, 1 + self.random(old.2 as u64) as u32)
        } else {
            (self.passive_price(old.0), 1 + self.random(9) as u32)
        };
        Command { kind, side: old.0, quantity, id: shuffled(dense), dense, price }
    }

    fn next(&mut self) -> Command {
        if self.random(1_000) == 0 {
            self.middle += self.random(3) as i64 - 1;
        }
        let command = match self.random(100) {
            // A small book may be swept empty; then there is nothing to cancel or replace.
            55..98 if self.live.is_empty() => self.new_order(Kind::Add),
            0..55 => self.new_order(Kind::Add),
            55..95 => self.of_live(Kind::Cancel),
            95..98 => self.of_live(Kind::Replace),
            _ => self.new_order(Kind::Take),
        };
        self.apply(command);
        command
    }

    /// Runs the command through a book, to know which orders live.
    fn apply(&mut self, command: Command) {
        let mut reports = std::mem::take(&mut self.reports);
        let id = command.dense;
        let (price, quantity) = (command.price, i64::from(command.quantity));
        let order = NewOrder::limit(id, command.side, price, quantity);
        let rests = match command.kind {
            Kind::Add => self.book.submit(&order, &mut reports),
            Kind::Take => {
                let order = NewOrder { time_in_force: TimeInForce::Ioc, ..order };
                self.book.submit(&order, &mut reports)
            }
            Kind::Cancel => self.book.cancel(id, &mut reports).map(|_| 0),
            Kind::Replace => self.book.replace(id, price, quantity, false, &mut reports),
        };
        for report in reports.drain(..) {
            if let BookReport::Traded(trade) = report
                && trade.maker_leaves == 0
            {
                self.forget(trade.maker_order_id);
            }
        }
        self.reports = reports;
        match rests {
            Ok(0) | Err(_) => self.forget(id),
            Ok(_) => self.remember(id),
        }
    }

    fn remember(&mut self, dense: u64) {
        if self.place[dense as usize] == u32::MAX {
            self.place[dense as usize] = self.live.len() as u32;
            self.live.push(dense);
        }
    }

    fn forget(&mut self, dense: u64) {
        let place = std::mem::replace(&mut self.place[dense as usize], u32::MAX) as usize;
        if place == u32::MAX as usize {
            return;
        }
        self.live.swap_remove(place);
        if let Some(&moved) = self.live.get(place) {
            self.place[moved as usize] = place as u32;
        }
    }
}

fn generator(shape: Shape, seed: u64) -> Generator {
    Generator {
        shape,
        state: seed,
        book: Book::new(PriceTime),
        live: Vec::new(),
        place: vec![u32::MAX],
        ids: 0,
        middle: FIRST_MIDDLE,
        reports: Vec::new(),
    }
}

/// `count` commands after a setup of adds, interleaved over the books of `shape`.
pub fn generate(shape: Shape, count: usize, seed: u64) -> Flow {
    let mut setups = Vec::new();
    let mut commands = Vec::new();
    for book in 0..shape.books {
        let mut generator = generator(shape, seed.wrapping_add(book as u64));
        let setup: Vec<Command> = (0..shape.live)
            .map(|_| {
                let command = generator.new_order(Kind::Add);
                generator.apply(command);
                command
            })
            .collect();
        setups.push(setup);
        commands.push((0..count / shape.books).map(|_| generator.next()).collect::<Vec<_>>());
    }
    Flow { setup: interleaved(&setups), commands: interleaved(&commands), books: shape.books }
}

/// First the first of each list, then the second of each, and so on.
fn interleaved(lists: &[Vec<Command>]) -> Vec<Command> {
    let len = lists.first().map_or(0, Vec::len);
    (0..len).flat_map(|index| lists.iter().map(move |list| list[index])).collect()
}
