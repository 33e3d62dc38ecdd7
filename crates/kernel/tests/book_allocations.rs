//! Counts what the book allocates: nothing, once its pools have grown to what is live at once.

mod counting;

use openbell_kernel::book::{Book, NewOrder, PriceTime, Silent};
use openbell_kernel::terms::{Side, TimeInForce};

/// A seeded flow of adds, cancels, replaces and marketable orders around a slowly moving price.
struct Flow {
    state: u64,
    live: Vec<u64>,
    next_id: u64,
}

impl Flow {
    fn random(&mut self, below: u64) -> u64 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % below
    }

    fn step(&mut self, book: &mut Book) {
        let side = if self.random(2) == 0 { Side::Buy } else { Side::Sell };
        let price = 10_000 - side.sign() * (1 + self.random(60) as i64);
        let kind = if self.live.len() < 3_000 { 0 } else { self.random(100) };
        match kind {
            0..55 => {
                self.next_id += 1;
                let _ = book.submit(
                    &NewOrder::limit(self.next_id, side, price, 1 + self.random(9) as i64),
                    &mut Silent,
                );
                self.live.push(self.next_id);
            }
            55..95 => {
                let index = self.random(self.live.len() as u64) as usize;
                let _ = book.cancel(self.live.swap_remove(index), &mut Silent);
            }
            95..98 => {
                let index = self.random(self.live.len() as u64) as usize;
                let _ = book.replace(self.live[index], price, 5, false, &mut Silent);
            }
            _ => {
                self.next_id += 1;
                let reach = price + side.sign() * 80;
                let order = NewOrder::limit(self.next_id, side, reach, 40);
                let _ = book.submit(&NewOrder { time_in_force: TimeInForce::Ioc, ..order }, &mut Silent);
            }
        }
        if self.live.len() > 5_000 {
            let index = self.random(self.live.len() as u64) as usize;
            let _ = book.cancel(self.live.swap_remove(index), &mut Silent);
        }
    }
}

#[test]
fn a_warm_book_allocates_nothing_per_command() {
    let mut book = Book::new(PriceTime);
    let mut flow = Flow { state: 7, live: Vec::with_capacity(10_000), next_id: 0 };
    for _ in 0..200_000 {
        flow.step(&mut book);
    }
    let allocations = counting::allocations(|| (0..500_000).for_each(|_| flow.step(&mut book)));
    assert_eq!(allocations, 0);
    assert!(book.len() > 1_000, "the flow keeps a book alive: {}", book.len());
}
