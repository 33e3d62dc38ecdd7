//! Counts what the book allocates: nothing, once its pools have grown to what is live at once.

mod counting;

use openbell_kernel::book::{Book, NewOrder, PriceTime, Silent};
use openbell_kernel::node::STATE_HASH_INTERVAL;
use openbell_kernel::rules::Refusal;
use openbell_kernel::terms::{OrderType, Side, Sizing, TimeInForce};
use openbell_kernel::tracked::EntityHasher;
use openbell_kernel::venue::matching::MatchingVenue;
use openbell_kernel::venue::{Venue, VenueContext, VenueOrder, VenueRequest};

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

struct NoPosition;

impl VenueContext for NoPosition {
    fn executable_quantity(&self, _order: &VenueOrder, leaves: i64, _price: i64) -> Result<i64, Refusal> {
        Ok(leaves)
    }

    fn position(&self, _account: u32, _instrument: u32) -> i64 {
        0
    }

    fn tick(&self, _instrument: u32) -> i64 {
        1
    }
}

/// Adds an order, cancels one of a thousand requests ago, and trades now and then.
fn venue_requests(step: u64) -> [VenueRequest; 2] {
    let side = if step.is_multiple_of(2) { Side::Buy } else { Side::Sell };
    let crosses = step.is_multiple_of(16);
    let distance = if crosses { -40 } else { 1 + (step * 7_919 % 60) as i64 };
    let order = VenueOrder {
        order_id: step,
        client_order_id: step,
        account: 1,
        instrument: 1,
        side,
        order_type: OrderType::Limit,
        time_in_force: if crosses { TimeInForce::Ioc } else { TimeInForce::Gtc },
        sizing: Sizing::Units,
        options: 0,
        price: 10_000 - side.sign() * distance,
        quantity: 1 + (step % 5) as i64,
        stop_price: 0,
        expire_time: 0,
        released_at: None,
    };
    let cancel = VenueRequest::Cancel { order_id: step.saturating_sub(1_000), instrument: 1 };
    [VenueRequest::Submit(order), cancel]
}

#[test]
fn a_warm_venue_allocates_nothing_per_request() {
    let mut venue = MatchingVenue::new();
    let mut hasher = EntityHasher::default();
    let mut reports = 0u64;
    let mut run = |steps: std::ops::Range<u64>| {
        for step in steps {
            // As the node does, so that what changed is not kept in mind without end.
            if step.is_multiple_of(STATE_HASH_INTERVAL) {
                venue.state_sum(&mut hasher);
            }
            for request in venue_requests(step) {
                venue.request(&request, step);
                while venue.next_report(step, &NoPosition).is_some() {
                    reports += 1;
                }
            }
        }
    };
    run(1..50_000);
    let allocations = counting::allocations(|| run(50_000..200_000));
    assert_eq!(allocations, 0);
    assert!(reports > 400_000, "{reports} reports");
}
