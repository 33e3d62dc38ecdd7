//! The gate against a naive twin that keeps a plain list of open orders and adds everything up anew for every question.

use proptest::prelude::*;

use super::super::ReplaceTerms;
use super::*;
use LimitKind::*;

const NAMES: [u32; 2] = [SHARE, CONTRACT];

/// An open order as the twin keeps it.
#[derive(Clone, Copy, Debug)]
struct Open {
    id: u64,
    order: SubmitOrder,
    pending: Option<ReplaceTerms>,
    filled: i64,
}

#[derive(Clone)]
struct Twin {
    world: World,
    open: Vec<Open>,
}

/// What one side of an instrument can still do: (quantity, price x quantity).
type Reach = (i128, i128);

impl Open {
    fn closes(&self) -> bool {
        self.order.sizing == Sizing::ClosePosition || self.order.is_reduce_only()
    }

    fn price(&self, terms: &ReplaceTerms, mark: i64) -> i64 {
        match (self.order.order_type, self.order.side) {
            (OrderType::Market, _) => mark,
            (OrderType::Stop, _) => terms.stop_price,
            (OrderType::StopLimit, Side::Sell) => terms.price.max(terms.stop_price),
            _ => terms.price,
        }
    }

    /// Worse of the terms it may execute under; `at` overrides the price under the newest.
    fn reach(&self, mark: i64, at: Option<i64>) -> Reach {
        if self.closes() || self.order.sizing != Sizing::Units || self.order.parent != 0 {
            return (0, 0);
        }
        let newest = self.newest();
        let own = ReplaceTerms {
            price: self.order.price,
            quantity: self.order.quantity,
            stop_price: self.order.stop_price,
        };
        let under = |terms: &ReplaceTerms, price: i64| {
            let leaves = (terms.quantity - self.filled).max(0);
            (i128::from(leaves), i128::from(leaves) * i128::from(price))
        };
        let (a, b) = (under(&own, self.price(&own, mark)), under(&newest, self.price(&newest, mark)));
        let c = under(&newest, at.unwrap_or(0));
        (a.0.max(b.0), a.1.max(b.1).max(c.1))
    }

    fn newest(&self) -> ReplaceTerms {
        self.pending.unwrap_or(ReplaceTerms {
            price: self.order.price,
            quantity: self.order.quantity,
            stop_price: self.order.stop_price,
        })
    }
}

impl Twin {
    fn orders(&self, account: u32, instrument: u32) -> impl Iterator<Item = &Open> {
        self.open
            .iter()
            .filter(move |open| (open.order.account, open.order.instrument) == (account, instrument))
    }

    fn mark(&self, instrument: u32) -> i64 {
        self.world.marks.get(instrument).unwrap()
    }

    /// Position once pending market orders that close it have executed.
    fn held(&self, account: u32, instrument: u32) -> i128 {
        let mut held = i128::from(self.world.portfolio.quantity(account, instrument));
        for open in self.orders(account, instrument).filter(|open| open.closes() && open.order.parent == 0) {
            let against = held * i128::from(open.order.side.sign()) < 0;
            let has_no_quantity = open.order.sizing == Sizing::Percent;
            if !against || has_no_quantity || open.order.order_type != OrderType::Market {
                continue;
            }
            let leaves = i128::from((open.order.quantity - open.filled).max(0));
            let least = match open.pending {
                Some(terms) => leaves.min(i128::from((terms.quantity - open.filled).max(0))),
                None => leaves,
            };
            let rest =
                if open.order.sizing == Sizing::ClosePosition { 0 } else { (held.abs() - least).max(0) };
            held = held.signum() * rest;
        }
        held
    }

    fn side(&self, account: u32, instrument: u32, side: Side, extra: Reach) -> Reach {
        self.orders(account, instrument)
            .filter(|open| open.order.side == side)
            .map(|open| open.reach(self.mark(instrument), None))
            .fold(extra, |sum, reach| (sum.0 + reach.0, sum.1 + reach.1))
    }

    /// Worst exposure in nano, `extra` on one side.
    fn exposure(&self, account: u32, instrument: u32, extra: Option<(Side, Reach)>) -> Nano {
        let held = self.held(account, instrument);
        let mark = i128::from(self.mark(instrument));
        let mut worst = held.abs() * mark;
        for side in [Side::Buy, Side::Sell] {
            let extra = extra.filter(|extra| extra.0 == side).map_or((0, 0), |extra| extra.1);
            let (quantity, units) = self.side(account, instrument, side, extra);
            let along = held * i128::from(side.sign());
            let reached = match along >= 0 {
                true => along * mark + units,
                false if along + quantity > 0 => {
                    let product = units * (along + quantity);
                    product / quantity + i128::from(product % quantity > 0)
                }
                false => 0,
            };
            worst = worst.max(reached);
        }
        worst * 10_000_000
    }

    fn check(&self, open: &Open, is_new: bool) -> Result<(), Refusal> {
        let (account, instrument) = (open.order.account, open.order.instrument);
        let gate = &self.world.gate;
        let limit = |kind| gate.limits().get(account, instrument, kind).map(i128::from);
        let (terms, sign) = (open.newest(), i128::from(open.order.side.sign()));
        let mark = self.mark(instrument);
        let own = open.price(&terms, mark);
        let reference = match (open.order.order_type, open.order.side) {
            (OrderType::Limit, Side::Sell) | (OrderType::Stop, Side::Buy) => own.max(mark),
            _ => own,
        };
        let units = open.order.sizing == Sizing::Units;
        let without = Twin {
            world: self.world.clone(),
            open: self.open.iter().copied().filter(|other| other.id != open.id).collect(),
        };
        let exceeds = |kind, rule, actual: i128| match limit(kind) {
            Some(limit) if actual > limit => Err(refused(rule, limit, actual)),
            _ => Ok(()),
        };
        if units {
            let notional = i128::from(reference) * i128::from(terms.quantity) * 10_000_000;
            exceeds(MaxOrderQuantity, Rule::QuantityMustNotExceedLimit, terms.quantity.into())?;
            exceeds(MaxOrderNotional, Rule::NotionalMustNotExceedLimit, notional)?;
        }
        let of_account = self.open.iter().filter(|other| other.order.account == account).count() as i128;
        if is_new {
            exceeds(MaxOpenOrders, Rule::OpenOrdersMustNotExceedLimit, of_account + 1)?;
        }
        let widens = units && !open.closes();
        let reach = open.reach(mark, Some(reference));
        if widens {
            let (quantity, _) = without.side(account, instrument, open.order.side, reach);
            let worst = self.held(account, instrument) * sign + quantity;
            exceeds(MaxPosition, Rule::PositionMustNotExceedLimit, worst)?;
            if account == CAUTIOUS && open.order.side == Side::Sell && worst > 0 {
                let asked = i128::from(terms.quantity - open.filled);
                return Err(refused(Rule::ShortMustBeAllowed, (asked - worst).max(0), asked));
            }
        }
        let grown = without.exposure(account, instrument, Some((open.order.side, reach)));
        let others: Nano =
            NAMES.iter().filter(|&&id| id != instrument).map(|&id| self.exposure(account, id, None)).sum();
        let gross = grown + others;
        let grows = widens && grown > self.exposure(account, instrument, None);
        if let Some(leverage) = limit(MaxLeverage).filter(|_| grows) {
            let view = self.world.view();
            let equity = view.portfolio.equity(account, view.instruments, view.marks).unwrap();
            if equity <= 0 {
                return Err(refused(Rule::EquityMustBePositive, 1, equity));
            }
            if gross * NANO > leverage * equity {
                let actual = (gross * NANO + equity - 1) / equity;
                return Err(refused(Rule::LeverageMustNotExceedLimit, leverage, actual));
            }
        }
        if open.closes() && is_new {
            let held = -sign * i128::from(self.world.portfolio.quantity(account, instrument));
            let opposite = self.side(account, instrument, open.order.side.opposite(), (0, 0)).0;
            let unsized_orders = self.orders(account, instrument).any(|other| {
                matches!(other.order.sizing, Sizing::Percent | Sizing::TargetPercent)
                    && !other.order.is_reduce_only()
            });
            if held + opposite <= 0 && !unsized_orders {
                return Err(refused(Rule::ReduceOnlyMustReduce, 0, terms.quantity.into()));
            }
        }
        match limit(MaxGrossExposure).filter(|&limit| grows && gross > limit) {
            Some(limit) => Err(refused(Rule::GrossExposureMustNotExceedLimit, limit, gross)),
            None => Ok(()),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Submit(SubmitOrder),
    /// Of the n-th open order, to what the price and quantity say.
    Replace(usize, i64, i64),
    Confirm(usize),
    Reject(usize),
    Fill(usize, i64),
    Close(usize),
    Mark(u32, i64),
    Trade(u32, u32, i64),
}

fn orders() -> impl Strategy<Value = SubmitOrder> {
    let kind = prop::sample::select(vec![
        OrderType::Market,
        OrderType::Limit,
        OrderType::Stop,
        OrderType::StopLimit,
    ]);
    let sizing = prop_oneof![
        8 => Just(Sizing::Units),
        1 => Just(Sizing::ClosePosition),
        1 => Just(Sizing::Percent),
    ];
    let prices = (100i64..200, 100i64..200);
    (1u32..=2, 0usize..2, any::<bool>(), kind, sizing, prices, 1i64..12, 0u8..4).prop_map(
        |(account, name, buys, order_type, sizing, (price, stop_price), lots, flags)| SubmitOrder {
            account,
            order_type,
            sizing,
            price: if order_type.has_limit() { price * 50 } else { 0 },
            stop_price: if order_type.has_stop() { stop_price * 50 } else { 0 },
            quantity: if sizing == Sizing::ClosePosition { 0 } else { lots * 5 },
            options: if flags == 0 { options::REDUCE_ONLY } else { 0 },
            ..market(NAMES[name], if buys { Side::Buy } else { Side::Sell }, 1)
        },
    )
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => orders().prop_map(Step::Submit),
        3 => (0usize..8, 100i64..200, 1i64..15).prop_map(|(at, price, lots)| Step::Replace(at, price * 50, lots * 5)),
        2 => (0usize..8).prop_map(Step::Confirm),
        1 => (0usize..8).prop_map(Step::Reject),
        3 => (0usize..8, 1i64..20).prop_map(|(at, quantity)| Step::Fill(at, quantity)),
        3 => (0usize..8).prop_map(Step::Close),
        2 => (0usize..2, 50i64..300).prop_map(|(name, price)| Step::Mark(NAMES[name], price * 50)),
        1 => (1u32..=2, 0usize..2, -30i64..30).prop_map(|(account, name, quantity)| Step::Trade(account, NAMES[name], quantity)),
    ];
    prop::collection::vec(step, 1..50)
}

fn limits() -> impl Strategy<Value = Vec<(LimitKind, i64)>> {
    let some = |kind: LimitKind, values: Vec<i64>| {
        prop::option::of(prop::sample::select(values)).prop_map(move |value| value.map(|value| (kind, value)))
    };
    (
        some(MaxOrderQuantity, vec![20, 50]),
        some(MaxOrderNotional, vec![2_000 * ONE, 3_000 * ONE]),
        some(MaxOpenOrders, vec![3, 6]),
        some(MaxPosition, vec![30, 80]),
        some(MaxLeverage, vec![ONE / 2, ONE, 2 * ONE]),
        some(MaxGrossExposure, vec![5_000 * ONE, 12_000 * ONE]),
    )
        .prop_map(|(a, b, c, d, e, f)| [a, b, c, d, e, f].into_iter().flatten().collect())
}

impl Twin {
    fn new(limits: &[(LimitKind, i64)]) -> Self {
        let mut world = World::new();
        for &(kind, value) in limits {
            world = world.limit(kind, value);
        }
        Twin { world, open: Vec::new() }
    }

    /// Applies one step to both; the answers of the gate, where it was asked.
    fn step(&mut self, id: u64, step: Step) -> Option<(Result<(), Refusal>, Result<(), Refusal>)> {
        let at = |index: usize| index % self.open.len().max(1);
        match step {
            Step::Submit(order) => return Some(self.submit(id, order)),
            Step::Replace(index, price, quantity) if !self.open.is_empty() => {
                return self.replace(at(index), price, quantity);
            }
            Step::Confirm(index) => {
                let index = at(index);
                let terms = self.open.get_mut(index)?.pending.take()?;
                let open = &mut self.open[index];
                open.order.price = terms.price;
                open.order.quantity = terms.quantity;
                open.order.stop_price = terms.stop_price;
                self.world.gate.replaced(open.id, &terms);
            }
            Step::Reject(index) => {
                let index = at(index);
                let open = self.open.get_mut(index)?;
                open.pending = None;
                self.world.gate.replace_rejected(open.id);
            }
            Step::Fill(index, quantity) if !self.open.is_empty() => {
                let index = at(index);
                let open = &mut self.open[index];
                open.filled += quantity;
                self.world.gate.filled(open.id, quantity);
                let (order, price) = (open.order, 6_000);
                self.world.trade(order.account, order.instrument, order.side, price, quantity, 0);
            }
            Step::Close(index) if !self.open.is_empty() => {
                let closed = self.open.remove(at(index));
                self.world.gate.closed(closed.id);
            }
            Step::Mark(instrument, price) => self.world.marks.set(instrument, price),
            Step::Trade(account, instrument, quantity) if quantity != 0 => {
                let side = if quantity > 0 { Side::Buy } else { Side::Sell };
                self.world.trade(account, instrument, side, 5_500, quantity.abs(), 0);
            }
            _ => {}
        }
        None
    }

    fn submit(&mut self, id: u64, order: SubmitOrder) -> (Result<(), Refusal>, Result<(), Refusal>) {
        let open = Open { id, order, pending: None, filled: 0 };
        let answers = (self.world.check(&order), self.check(&open, true));
        if answers.0.is_ok() {
            self.open.push(open);
            self.world.gate.opened(id, &order);
        }
        answers
    }

    fn replace(
        &mut self,
        index: usize,
        price: i64,
        quantity: i64,
    ) -> Option<(Result<(), Refusal>, Result<(), Refusal>)> {
        let open = self.open[index];
        if open.order.sizing != Sizing::Units || quantity <= open.filled || open.pending.is_some() {
            return None;
        }
        let terms = ReplaceTerms {
            price: if open.order.order_type.has_limit() { price } else { 0 },
            quantity,
            stop_price: open.order.stop_price,
        };
        let asked = Open { pending: Some(terms), ..open };
        let gate = &self.world.gate;
        let answers = (gate.check_replace(open.id, &terms, &self.world.view()), self.check(&asked, false));
        if answers.0.is_ok() {
            self.open[index] = asked;
            self.world.gate.pending_replace(open.id, &terms);
        }
        Some(answers)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn every_answer_equals_that_of_a_twin_that_adds_up_a_list(limits in limits(), steps in steps()) {
        let mut twin = Twin::new(&limits);
        for (id, step) in (1..).zip(steps) {
            if let Some((answer, expected)) = twin.step(id, step) {
                prop_assert_eq!(answer, expected, "{:?} with {:?}", step, twin.open);
            }
            for (account, name) in [(ACCOUNT, SHARE), (ACCOUNT, CONTRACT), (CAUTIOUS, SHARE), (CAUTIOUS, CONTRACT)] {
                let sums = [Side::Buy, Side::Sell].map(|side| twin.side(account, name, side, (0, 0)).0);
                prop_assert_eq!(twin.world.gate.open_quantity(account, name), (sums[0], sums[1]));
            }
            let orders = |account| twin.open.iter().filter(|open| open.order.account == account).count() as i64;
            prop_assert_eq!(twin.world.gate.open_orders(ACCOUNT), orders(ACCOUNT));
        }
    }

    #[test]
    fn a_restored_gate_has_the_same_bytes_and_gives_the_same_answers(
        limits in limits(),
        steps in steps(),
        cut in 0usize..50,
    ) {
        let mut going = Twin::new(&limits);
        let mut copy = None;
        for (index, step) in steps.into_iter().enumerate() {
            if index == cut {
                let mut twin = going.clone();
                twin.world.gate = going.world.gate.restarted();
                prop_assert_eq!(&twin.world.gate, &going.world.gate);
                copy = Some(twin);
            }
            let answer = going.step(index as u64 + 1, step);
            if let Some(copy) = &mut copy {
                prop_assert_eq!(copy.step(index as u64 + 1, step), answer);
                prop_assert_eq!(&copy.world.gate, &going.world.gate);
            }
        }
    }
}
