use proptest::prelude::*;

use super::*;
use crate::money::{NANO, divide_half_even};
use crate::terms::Side::{Buy, Sell};

const ACCOUNT: u32 = 1;
const USD: u32 = 1;

/// Cents and whole shares: one price unit x one quantity unit is 10^7 nano.
fn stock(id: u32) -> Instrument {
    Instrument::new(id, USD, 10_000_000, NANO as i64, NANO as i64, 1, 1, 0).unwrap()
}

/// A unit of price x quantity is a third of a nano: every notional is rounded.
fn fractions(id: u32) -> Instrument {
    Instrument { value_numerator: 1, value_denominator: 3, ..stock(id) }
}

fn open(cash: Nano) -> Portfolio {
    let mut portfolio = Portfolio::default();
    portfolio.open_account(ACCOUNT, USD, true).unwrap();
    portfolio.deposit(ACCOUNT, USD, cash).unwrap();
    portfolio
}

fn bytes(state: &impl State) -> Vec<u8> {
    let mut out = StateWriter::new();
    state.write(&mut out);
    out.into_bytes()
}

fn restored<T: State>(state: &T) -> T {
    let bytes = bytes(state);
    let mut input = StateReader::new(&bytes);
    let restored = T::read(&mut input).unwrap();
    input.finish().unwrap();
    restored
}

#[test]
fn a_position_opens_changes_flips_and_closes() {
    const CENT: Nano = 10_000_000;
    let mut portfolio = open(1_000 * NANO);
    // side, price in cents, quantity, fee -> kind, quantity, realized, cost, cash change (in cents)
    let story = [
        (Buy, 1_000, 10, 5, BookingKind::Opened, 10, 0, 10_000, -10_005),
        (Buy, 1_300, 5, 5, BookingKind::Changed, 15, 0, 16_500, -6_505),
        (Sell, 1_200, 6, 5, BookingKind::Changed, 9, 600, 9_900, 7_195),
        (Sell, 1_000, 14, 5, BookingKind::Flipped, -5, -900, -5_000, 13_995),
        (Sell, 1_100, 5, 5, BookingKind::Changed, -10, 0, -10_500, 5_495),
        (Buy, 1_000, 10, 5, BookingKind::Closed, 0, 500, 0, -10_005),
    ];
    let mut cash = 1_000 * NANO;
    for (side, price, quantity, fee, kind, after, realized, cost, cash_change) in story {
        let before = portfolio.quantity(ACCOUNT, 1);
        let booking = portfolio.book_fill(ACCOUNT, &stock(1), side, price, quantity, fee * CENT).unwrap();
        cash += cash_change * CENT;
        let expected = Booking {
            kind,
            quantity_before: before,
            quantity_after: after,
            realized: realized * CENT,
            cost_after: cost * CENT,
            cash_change: cash_change * CENT,
            cash_after: cash,
            currency: portfolio.account(ACCOUNT).unwrap().currency,
        };
        assert_eq!(booking, expected, "{side:?} {quantity} at {price}");
    }
    let position = portfolio.account(ACCOUNT).unwrap().positions.get(1).copied().unwrap();
    assert_eq!(position, Position { realized: 200 * CENT, fees: 30 * CENT, ..Position::flat(1) });
}

#[test]
fn closing_in_parts_leaves_no_residue_of_cost() {
    let mut portfolio = open(NANO);
    let instrument = fractions(1);
    portfolio.book_fill(ACCOUNT, &instrument, Buy, 5, 2, 0).unwrap();
    portfolio.book_fill(ACCOUNT, &instrument, Buy, 7, 1, 0).unwrap();
    let costs = [1, 1, 1]
        .map(|quantity| portfolio.book_fill(ACCOUNT, &instrument, Sell, 6, quantity, 0).unwrap().cost_after);
    assert_eq!(costs, [3, 1, 0], "3 + 2 = 5 nano of cost, of which 5/3, then 3/2 and then all leaves");
}

#[test]
fn a_released_share_of_cost_is_exact_where_the_product_overflows() {
    let mut portfolio = open(NANO);
    let instrument = stock(1);
    let most = 1i64 << 56;
    portfolio.book_fill(ACCOUNT, &instrument, Buy, 1 << 40, most, 0).unwrap();
    let booking = portfolio.book_fill(ACCOUNT, &instrument, Sell, 1 << 40, most / 4 * 3, 0).unwrap();
    let quarter = (1i128 << 40) * i128::from(most / 4) * 10_000_000;
    assert_eq!((booking.realized, booking.cost_after), (0, quarter));
}

#[test]
fn equity_needs_every_mark_of_what_is_held() {
    let mut portfolio = open(100 * NANO);
    let mut instruments = Instruments::default();
    (1..=2).for_each(|id| instruments.list(stock(id)).unwrap());
    let mut marks = Marks::default();
    assert_eq!(portfolio.equity(ACCOUNT, &instruments, &marks), Some(100 * NANO));
    portfolio.book_fill(ACCOUNT, &stock(1), Buy, 1_000, 3, 0).unwrap();
    portfolio.book_fill(ACCOUNT, &stock(2), Sell, 500, 4, 0).unwrap();
    marks.set(1, 1_100);
    assert_eq!(portfolio.equity(ACCOUNT, &instruments, &marks), None);
    marks.set(2, 600);
    assert_eq!(portfolio.equity(ACCOUNT, &instruments, &marks), Some(99 * NANO));
    assert_eq!(portfolio.exposure(ACCOUNT, &instruments, &marks), Some((57 * NANO, 9 * NANO)));
    assert_eq!(portfolio.equity(9, &instruments, &marks), None);
}

#[test]
fn what_is_held_in_another_currency_has_no_known_worth() {
    let mut portfolio = open(100 * NANO);
    let mut instruments = Instruments::default();
    let foreign = Instrument { currency: 2, ..stock(1) };
    instruments.list(foreign).unwrap();
    let mut marks = Marks::default();
    marks.set(1, 1_000);
    portfolio.book_fill(ACCOUNT, &foreign, Buy, 1_000, 1, 0).unwrap();
    assert_eq!(portfolio.account(ACCOUNT).unwrap().cash_in(2), -10 * NANO);
    assert_eq!(portfolio.account(ACCOUNT).unwrap().cash_in(USD), 100 * NANO);
    assert_eq!(portfolio.equity(ACCOUNT, &instruments, &marks), None);
}

#[test]
fn refusals_name_limit_and_actual_and_change_nothing() {
    let mut portfolio = open(100);
    portfolio.book_fill(ACCOUNT, &stock(2), Buy, 1, 1, 0).unwrap();
    portfolio.deposit(ACCOUNT, USD, 10_000_000).unwrap();
    let huge = Instrument { value_numerator: i128::from(i64::MAX), ..stock(1) };
    let most = i128::from(i64::MAX);
    type Attempt = fn(&mut Portfolio, &Instrument) -> Option<Refusal>;
    let attempts: [(Attempt, Rule, i128, i128); 14] = [
        (|p, _| p.open_account(0, USD, true).err(), Rule::FieldMustBeInRange, 1, 0),
        (|p, _| p.open_account(1, USD, true).err(), Rule::NameMustBeUnique, 0, 1),
        (|p, _| p.deposit(9, USD, 1).err(), Rule::AccountMustBeOpen, 0, 9),
        (|p, _| p.deposit(1, 2, 1).err(), Rule::CurrencyMustMatch, 1, 2),
        (|p, _| p.deposit(1, USD, 0).err(), Rule::FieldMustBeInRange, 1, 0),
        (|p, _| p.deposit(1, USD, Nano::MAX).err(), Rule::FieldMustBeInRange, Nano::MAX - 100, Nano::MAX),
        (|p, _| p.withdraw(9, USD, 1).err(), Rule::AccountMustBeOpen, 0, 9),
        (|p, _| p.withdraw(1, 2, 1).err(), Rule::CurrencyMustMatch, 1, 2),
        (|p, _| p.withdraw(1, USD, -1).err(), Rule::FieldMustBeInRange, 1, -1),
        (|p, _| p.withdraw(1, USD, 101).err(), Rule::CashMustCover, 100, 101),
        (|p, i| p.book_fill(9, i, Buy, 1, 1, 0).err(), Rule::AccountMustBeOpen, 0, 9),
        (|p, i| p.book_fill(1, i, Buy, 1, 0, 0).err(), Rule::QuantityMustBePositive, 1, 0),
        (
            |p, i| p.book_fill(1, i, Buy, i64::MAX, i64::MAX, 0).err(),
            Rule::NotionalMustBeInBounds,
            Nano::MAX,
            most * most,
        ),
        (
            |p, _| p.book_fill(1, &stock(2), Buy, 1, i64::MAX, 0).err(),
            Rule::QuantityMustBeInBounds,
            most,
            most + 1,
        ),
    ];
    let before = bytes(&portfolio);
    for (index, (attempt, rule, limit, actual)) in attempts.into_iter().enumerate() {
        let refusal = attempt(&mut portfolio, &huge);
        assert_eq!(refusal, Some(Refusal::new(rule, limit, actual)), "attempt {index}");
        assert_eq!(bytes(&portfolio), before, "attempt {index}");
    }
}

/// A trade of the naive twin.
#[derive(Clone, Copy, Debug)]
struct Trade {
    instrument: u32,
    side: Side,
    price: i64,
    quantity: i64,
    fee: Nano,
}

fn trades() -> impl Strategy<Value = Vec<Trade>> {
    let trade = (1u32..=3, any::<bool>(), 1i64..2_000, 1i64..50, -20i64..200).prop_map(
        |(instrument, buys, price, quantity, fee)| Trade {
            instrument,
            side: if buys { Buy } else { Sell },
            price,
            quantity,
            fee: Nano::from(fee),
        },
    );
    prop::collection::vec(trade, 1..60)
}

/// The position after all of `trades`, worked out from the first one each time by the sentence in the documentation: a
/// flip is a close and then an open, and each amount is rounded once.
fn twin_position(trades: &[Trade], instrument: &Instrument) -> Position {
    let mut twin = Position::flat(instrument.id);
    for trade in trades.iter().filter(|trade| trade.instrument == instrument.id) {
        let sign = Nano::from(trade.side.sign());
        let value = |quantity: Nano| {
            divide_half_even(
                Nano::from(trade.price) * quantity * instrument.value_numerator,
                instrument.value_denominator,
            )
        };
        let held = Nano::from(twin.quantity) * -sign;
        let closed = held.clamp(0, Nano::from(trade.quantity));
        let proceeds = sign * -value(closed);
        let released = if closed == 0 { 0 } else { divide_half_even(twin.cost * closed, held) };
        if closed > 0 {
            twin.realized += proceeds - released;
            twin.cost -= released;
        }
        if closed < Nano::from(trade.quantity) {
            twin.cost += sign * value(Nano::from(trade.quantity)) + proceeds;
        }
        twin.quantity += trade.side.sign() * trade.quantity;
        twin.fees += trade.fee;
    }
    twin
}

fn listed() -> Instruments {
    let mut instruments = Instruments::default();
    instruments.list(stock(1)).unwrap();
    instruments.list(fractions(2)).unwrap();
    instruments.list(Instrument { value_numerator: 7, value_denominator: 2, ..stock(3) }).unwrap();
    instruments
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn positions_and_cash_equal_a_twin_that_starts_from_the_first_trade(trades in trades()) {
        let instruments = listed();
        let mut portfolio = open(1_000);
        let mut cash = 1_000;
        for (index, trade) in trades.iter().enumerate() {
            let instrument = instruments.get(trade.instrument).unwrap();
            let booking = portfolio
                .book_fill(ACCOUNT, instrument, trade.side, trade.price, trade.quantity, trade.fee)
                .unwrap();
            let paid = instrument.notional(trade.price, trade.quantity).unwrap();
            cash -= Nano::from(trade.side.sign()) * paid + trade.fee;
            let twin = twin_position(&trades[..=index], instrument);
            let before = twin_position(&trades[..index], instrument);
            let position = portfolio.account(ACCOUNT).unwrap().positions.get(trade.instrument);
            prop_assert_eq!(position, Some(&twin));
            prop_assert_eq!(booking.cash_after, cash);
            prop_assert_eq!(booking.realized, twin.realized - before.realized);
            prop_assert_eq!((booking.quantity_before, booking.quantity_after), (before.quantity, twin.quantity));
        }
    }

    #[test]
    fn equity_is_deposits_plus_realized_plus_unrealized_minus_fees_to_the_nano(
        trades in trades(),
        prices in prop::array::uniform3(1i64..3_000),
    ) {
        let instruments = listed();
        let mut marks = Marks::default();
        (1u32..=3).zip(prices).for_each(|(id, price)| marks.set(id, price));
        let mut portfolio = open(1_000);
        for trade in &trades {
            let instrument = instruments.get(trade.instrument).unwrap();
            portfolio
                .book_fill(ACCOUNT, instrument, trade.side, trade.price, trade.quantity, trade.fee)
                .unwrap();
            let account = portfolio.account(ACCOUNT).unwrap();
            let earned: Nano = account
                .positions
                .values()
                .filter_map(|position| {
                    let instrument = instruments.get(position.instrument)?;
                    let mark = marks.get(position.instrument)?;
                    Some(position.realized + position.unrealized(instrument, mark)? - position.fees)
                })
                .sum();
            prop_assert_eq!(portfolio.equity(ACCOUNT, &instruments, &marks), Some(1_000 + earned));
            prop_assert!(account.positions.values().all(|held| !held.is_flat() || held.cost == 0));
        }
    }

    #[test]
    fn a_restored_portfolio_has_the_same_bytes_and_the_same_future(trades in trades(), cut in 0usize..60) {
        let instruments = listed();
        let mut portfolio = open(1_000);
        let mut copy = None;
        for (index, trade) in trades.iter().enumerate() {
            if index == cut {
                copy = Some(restored(&portfolio));
                prop_assert_eq!(bytes(&portfolio), bytes(copy.as_ref().unwrap()));
            }
            let instrument = instruments.get(trade.instrument).unwrap();
            let book = |portfolio: &mut Portfolio| {
                portfolio.book_fill(ACCOUNT, instrument, trade.side, trade.price, trade.quantity, trade.fee)
            };
            let booking = book(&mut portfolio);
            if let Some(copy) = &mut copy {
                prop_assert_eq!(booking, book(copy));
            }
        }
        if let Some(copy) = copy {
            prop_assert_eq!(bytes(&portfolio), bytes(&copy));
            prop_assert_eq!(portfolio, copy);
        }
    }
}

#[test]
fn marks_and_fee_schedules_are_restored_with_the_same_bytes() {
    let mut marks = Marks::default();
    marks.set(1, 5);
    marks.set(4, -7);
    assert_eq!(restored(&marks), marks);
    let mut fees = FeeSchedules::default();
    let schedule = FeeSchedule { maker_rate: -1, taker_rate: 2, flat_nano: 3, external: true };
    fees.set(0, 4, schedule).unwrap();
    fees.set(7, 0, FeeSchedule::FREE).unwrap();
    assert_eq!(restored(&fees), fees);
    assert_eq!(bytes(&restored(&fees)), bytes(&fees));
}
