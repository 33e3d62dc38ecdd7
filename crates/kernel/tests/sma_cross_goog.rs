// Test code: a broken expectation should panic.
#![allow(clippy::unwrap_used)]
//! Sizing and booking against an outside implementation: the SMA 10/20 cross of backtesting.py's README on its
//! daily GOOG bars (cash 10,000, commission 0.2 % each side, whole shares, all in, next open, close before open,
//! the last trade closed at the last open) gives 94 trades and a final equity of 55,574.51 there.

use std::path::PathBuf;

use openbell_kernel::command::SubmitOrder;
use openbell_kernel::instrument::{Instrument, Instruments};
use openbell_kernel::money::NANO;
use openbell_kernel::portfolio::{BookingKind, FeeSchedule, FeeSchedules, Marks, Portfolio};
use openbell_kernel::risk::{LimitKind, RiskGate, RiskView};
use openbell_kernel::terms::{Liquidity, Side, Sizing};
use openbell_kernel::venue::VenueOrder;

const ACCOUNT: u32 = 1;
const SHARE: u32 = 1;
const WHOLE: i64 = NANO as i64;

/// (open, close) in cents.
fn bars() -> Option<Vec<(i64, i64)>> {
    let fallback = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let root = std::env::var("OPENBELL_DATA").unwrap_or(fallback.into());
    let path = PathBuf::from(root).join("ohlcv/backtesting_GOOG.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there; set OPENBELL_DATA", path.display());
        return None;
    };
    let cents = |field: &str| (field.parse::<f64>().unwrap() * 100.0).round() as i64;
    let bar = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        (cents(fields[1]), cents(fields[4]))
    };
    Some(text.lines().skip(1).map(bar).collect())
}

struct Desk {
    instruments: Instruments,
    portfolio: Portfolio,
    marks: Marks,
    fees: FeeSchedules,
    gate: RiskGate,
    trades: u32,
}

impl Desk {
    fn new() -> Self {
        let mut desk = Desk {
            instruments: Instruments::default(),
            portfolio: Portfolio::default(),
            marks: Marks::default(),
            fees: FeeSchedules::default(),
            gate: RiskGate::default(),
            trades: 0,
        };
        let share = Instrument::new(SHARE, 1, WHOLE / 100, WHOLE, WHOLE, 1, 1, 0).unwrap();
        desk.instruments.list(share).unwrap();
        desk.portfolio.open_account(ACCOUNT, 1, true).unwrap();
        desk.portfolio.deposit(ACCOUNT, 1, 10_000 * NANO).unwrap();
        let rate = WHOLE / 1_000 * 2;
        let schedule = FeeSchedule { maker_rate: rate, taker_rate: rate, flat_nano: 0, external: false };
        desk.fees.set(0, 0, schedule).unwrap();
        desk.gate.set_limit(0, 0, LimitKind::MaxLeverage, WHOLE).unwrap();
        desk
    }

    /// Passes the gate at the last mark, is sized at `price` and booked.
    fn execute(&mut self, side: Side, sizing: Sizing, share: i64, price: i64) {
        let order = SubmitOrder { sizing, ..SubmitOrder::market(ACCOUNT, SHARE, 1, side, share) };
        let view = RiskView {
            instruments: &self.instruments,
            portfolio: &self.portfolio,
            marks: &self.marks,
            fees: &self.fees,
        };
        self.gate.check(&order, &view).unwrap();
        let quantity = self.gate.executable_quantity(&at_venue(&order), 0, price, &view).unwrap();
        let instrument = self.instruments.get(SHARE).unwrap();
        let notional = instrument.notional(price, quantity).unwrap();
        let fee = self.fees.for_(ACCOUNT, SHARE).fee(notional, Liquidity::Taker);
        let booking = self.portfolio.book_fill(ACCOUNT, instrument, side, price, quantity, fee).unwrap();
        self.trades += u32::from(booking.kind == BookingKind::Closed);
        self.marks.set(SHARE, price);
    }

    fn close(&mut self, price: i64) {
        match self.portfolio.quantity(ACCOUNT, SHARE).signum() {
            1 => self.execute(Side::Sell, Sizing::ClosePosition, 0, price),
            -1 => self.execute(Side::Buy, Sizing::ClosePosition, 0, price),
            _ => {}
        }
    }
}

fn at_venue(order: &SubmitOrder) -> VenueOrder {
    VenueOrder {
        order_id: 1,
        client_order_id: 1,
        account: order.account,
        instrument: order.instrument,
        side: order.side,
        order_type: order.order_type,
        time_in_force: order.time_in_force,
        sizing: order.sizing,
        options: order.options,
        price: 0,
        quantity: order.quantity,
        stop_price: 0,
        expire_time: 0,
        released_at: None,
    }
}

/// Sums are enough to compare averages: 2 x the sum of 10 against the sum of 20.
fn averages_differ_by(bars: &[(i64, i64)], end: usize) -> Option<i64> {
    let sum =
        |length: usize| Some(bars.get(end.checked_sub(length)?..end)?.iter().map(|bar| bar.1).sum::<i64>());
    Some(2 * sum(10)? - sum(20)?)
}

#[test]
fn an_sma_cross_on_goog_ends_where_backtesting_py_ends() {
    let Some(bars) = bars() else { return };
    let mut desk = Desk::new();
    let mut wanted = None;
    for (index, &(open, close)) in bars.iter().enumerate() {
        if let Some(side) = wanted.take() {
            desk.close(open);
            desk.execute(side, Sizing::Percent, WHOLE, open);
        }
        desk.marks.set(SHARE, close);
        let signs = [averages_differ_by(&bars, index), averages_differ_by(&bars, index + 1)];
        wanted = match signs {
            [Some(before), Some(now)] if before < 0 && now > 0 => Some(Side::Buy),
            [Some(before), Some(now)] if before > 0 && now < 0 => Some(Side::Sell),
            _ => None,
        };
    }
    desk.close(bars[bars.len() - 1].0);
    let cash = desk.portfolio.account(ACCOUNT).unwrap().cash_in(1);
    assert_eq!(desk.trades, 94);
    assert_eq!((cash + NANO / 200) / (NANO / 100), 5_557_451, "final equity in cents");
}
