//! What is written of orders: all of it into a snapshot, and what a state hash is taken of.

use super::{Order, OrderSpecials, Orders, Uncommon, UncommonState};
use crate::command::SubmitOrder;
use crate::risk::ReplaceTerms;
use crate::rules::Refusal;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderState, OrderType, Side, Sizing, TimeInForce};

fn read_term<T>(
    input: &mut StateReader<'_>,
    what: &'static str,
    of: fn(u8) -> Option<T>,
) -> Result<T, StateError> {
    let number = input.u8()?;
    of(number).ok_or_else(|| input.invalid(what, u64::from(number)))
}

impl State for SubmitOrder {
    fn write(&self, out: &mut StateWriter) {
        out.u32(self.account);
        out.u32(self.instrument);
        out.u64(self.client_order_id);
        out.u8(self.side as u8);
        out.u8(self.order_type as u8);
        out.u8(self.time_in_force as u8);
        out.u8(self.sizing as u8);
        out.u16(self.options);
        out.u16(self.session);
        out.i64(self.price);
        out.i64(self.quantity);
        out.i64(self.stop_price);
        out.u64(self.expire_time);
        out.u64(self.parent);
        out.u64(self.partner);
        out.i64(self.offset_nano);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(SubmitOrder {
            account: input.u32()?,
            instrument: input.u32()?,
            client_order_id: input.u64()?,
            side: read_term(input, "side", Side::from_number)?,
            order_type: read_term(input, "order type", OrderType::from_number)?,
            time_in_force: read_term(input, "time in force", TimeInForce::from_number)?,
            sizing: read_term(input, "sizing", Sizing::from_number)?,
            options: input.u16()?,
            session: input.u16()?,
            price: input.i64()?,
            quantity: input.i64()?,
            stop_price: input.i64()?,
            expire_time: input.u64()?,
            parent: input.u64()?,
            partner: input.u64()?,
            offset_nano: input.i64()?,
        })
    }
}

impl State for Order {
    fn write(&self, out: &mut StateWriter) {
        out.u64(self.order_id);
        out.u16(self.participant);
        self.request.write(out);
        self.terms.write(out);
        out.u8(self.state as u8);
        out.bool(self.is_acknowledged);
        out.bool(self.is_triggered);
        out.bool(self.has_price);
        out.option(self.uncommon.pending_terms.as_ref());
        out.option_i64(self.uncommon.wanted_quantity);
        out.i64(self.cumulative_quantity);
        out.i128(self.filled_value());
        out.u64(self.venue_order_id);
        out.bool(self.is_held);
        out.u64(self.uncommon.partner);
        out.bool(self.has_children);
        out.option(self.refusal().as_ref());
        out.length(self.uncommon.trade_ids.len());
        self.uncommon.trade_ids.iter().for_each(|id| out.u64(*id));
        out.u64(self.uncommon.asked_time);
        out.u64(self.uncommon.deadline);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let (order_id, participant) = (input.u64()?, input.u16()?);
        let mut order = Order::new(order_id, participant, SubmitOrder::read(input)?);
        order.terms = ReplaceTerms::read(input)?;
        order.state = read_term(input, "order state", OrderState::from_number)?;
        [order.is_acknowledged, order.is_triggered, order.has_price] =
            [input.bool()?, input.bool()?, input.bool()?];
        let (pending_terms, wanted_quantity) = (input.option()?, input.option_i64()?);
        order.cumulative_quantity = input.i64()?;
        order.set_filled_value(input.i128()?);
        order.venue_order_id = input.u64()?;
        order.is_held = input.bool()?;
        let partner = input.u64()?;
        order.has_children = input.bool()?;
        let refusal: Option<Refusal> = input.option()?;
        let trade_ids = (0..input.length()?).map(|_| input.u64()).collect::<Result<_, _>>()?;
        let [asked_time, deadline] = [input.u64()?, input.u64()?];
        let refusal_figures = [0; 2];
        let uncommon = UncommonState {
            pending_terms,
            wanted_quantity,
            partner,
            refusal_figures,
            trade_ids,
            asked_time,
            deadline,
        };
        if uncommon != *UncommonState::NONE {
            order.uncommon = Uncommon(Some(Box::new(uncommon)));
        }
        if let Some(refusal) = refusal {
            order.set_refusal(refusal);
        }
        Ok(order)
    }
}

impl Order {
    /// What the state hash is taken of: all that [`State::write`] writes but the id, which is the key, in few pieces, and
    /// nothing of what most orders do not have. Every field is named, so that one that is added cannot be forgotten.
    pub(super) fn write_digest(&self, out: &mut StateWriter) {
        #[rustfmt::skip]
        let Order {
            order_id: _, participant, request, terms, state, is_acknowledged, is_triggered, has_price,
            cumulative_quantity, filled_value, venue_order_id, is_held, has_children, refused_by, uncommon: _,
        } = self;
        #[rustfmt::skip]
        let SubmitOrder {
            account, instrument, client_order_id, side: _, order_type: _, time_in_force: _, sizing: _, options: _,
            session: _, price, quantity, stop_price: _, expire_time: _, parent: _, partner: _, offset_nano: _,
        } = *request;
        let has_figures = self.uncommon.refusal_figures != [0; 2];
        let is_common = [*is_acknowledged, *is_held, *has_children, *is_triggered, *has_price];
        let has_uncommon = self.has_uncommon();
        let flags = is_common.into_iter().chain([refused_by.is_some(), has_figures, has_uncommon]);
        let flags = flags.fold(0, |flags, flag| flags << 1 | u64::from(flag));
        let kinds = [request.side as u8, request.order_type as u8, request.time_in_force as u8];
        let kinds = u32::from_le_bytes([kinds[0], kinds[1], kinds[2], request.sizing as u8]);
        out.words(&[
            u64::from(account) | u64::from(instrument) << 32,
            client_order_id,
            u64::from(kinds) | u64::from(request.options) << 32 | u64::from(*participant) << 48,
            flags | u64::from(request.session) << 32 | (*state as u64) << 56,
            price as u64,
            quantity as u64,
            terms.price as u64,
            terms.quantity as u64,
            *cumulative_quantity as u64,
            filled_value[0],
            filled_value[1],
            *venue_order_id,
        ]);
        if let Some(refusal) = self.refusal() {
            out.u16(refusal.rule as u16);
            if has_figures {
                out.i128(refusal.limit);
                out.i128(refusal.actual);
            }
        }
        if has_uncommon {
            out.option(self.uncommon.pending_terms.as_ref());
            out.option_i64(self.uncommon.wanted_quantity);
            out.words(&self.uncommon_words());
            out.length(self.uncommon.trade_ids.len());
            out.words(&self.uncommon.trade_ids);
        }
    }

    fn has_uncommon(&self) -> bool {
        // Every field is named here too; the figures of a refusal stand with its rule.
        #[rustfmt::skip]
        let UncommonState {
            pending_terms, wanted_quantity, trade_ids, partner: _, refusal_figures: _, asked_time: _, deadline: _,
        } = &*self.uncommon;
        pending_terms.is_some()
            || wanted_quantity.is_some()
            || !trade_ids.is_empty()
            || self.uncommon_words() != [0; 9]
    }

    fn uncommon_words(&self) -> [u64; 9] {
        let SubmitOrder { stop_price, expire_time, parent, partner, offset_nano, .. } = self.request;
        let [stop_price, offset] = [stop_price, offset_nano].map(|term| term as u64);
        let now = self.terms.stop_price as u64;
        let UncommonState { partner: linked, asked_time, deadline, .. } = *self.uncommon;
        [stop_price, now, offset, expire_time, parent, partner, linked, asked_time, deadline]
    }
}

impl State for OrderSpecials {
    fn write(&self, out: &mut StateWriter) {
        self.asked.write(out);
        self.terms.write(out);
        out.option(self.pending.as_ref());
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(OrderSpecials { asked: State::read(input)?, terms: State::read(input)?, pending: input.option()? })
    }
}

impl State for Orders {
    fn write(&self, out: &mut StateWriter) {
        out.length(self.orders.len());
        for order in self.orders.iter() {
            order.write(out);
            if let Some(special) = self.special(order.order_id) {
                special.write(out);
            }
        }
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut orders = Orders::default();
        let mut last = 0;
        for _ in 0..input.length()? {
            let order = Order::read(input)?;
            if order.order_id <= last {
                return Err(input.invalid("order id above the one before", order.order_id));
            }
            last = order.order_id;
            if order.has_special_terms() {
                orders.specials.insert(order.order_id, State::read(input)?);
            }
            orders.insert(order);
        }
        Ok(orders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rule;
    use crate::terms::options;

    #[test]
    fn every_field_of_an_order_is_in_its_digest() {
        let plain = Order::new(7, 1, SubmitOrder::limit(2, 3, 4, Side::Buy, 5, 6));
        type Change = fn(&mut Order);
        let changes: [Change; 36] = [
            |_| (),
            |order| order.participant = 9,
            |order| order.request.account = 9,
            |order| order.request.instrument = 9,
            |order| order.request.client_order_id = 9,
            |order| order.request.side = Side::Sell,
            |order| order.request.order_type = OrderType::Market,
            |order| order.request.time_in_force = TimeInForce::Fok,
            |order| order.request.sizing = Sizing::Percent,
            |order| order.request.options = options::ASIDE,
            |order| order.request.price = 9,
            |order| order.request.quantity = 9,
            |order| order.request.stop_price = 9,
            |order| order.request.expire_time = 9,
            |order| order.request.parent = 9,
            |order| order.request.partner = 9,
            |order| order.request.offset_nano = 9,
            |order| order.terms.price = 9,
            |order| order.terms.quantity = 9,
            |order| order.terms.stop_price = 9,
            |order| order.state = OrderState::Filled,
            |order| order.is_acknowledged = true,
            |order| order.is_triggered = true,
            |order| order.request.session = 9,
            |order| order.uncommon.pending_terms = Some(ReplaceTerms::default()),
            |order| order.uncommon.wanted_quantity = Some(0),
            |order| order.cumulative_quantity = 9,
            |order| order.set_filled_value(1 << 64),
            |order| order.venue_order_id = 9,
            |order| (order.is_held, order.has_children) = (true, true),
            |order| order.set_refusal(Refusal::of(Rule::PartnerMustBeOpen)),
            |order| order.set_refusal(Refusal::new(Rule::PartnerMustBeOpen, 0, 9)),
            |order| order.uncommon.trade_ids = vec![9],
            |order| order.uncommon.partner = 8,
            |order| order.uncommon.asked_time = 8,
            |order| order.uncommon.deadline = 8,
        ];
        let digests = changes.map(|change| {
            let (mut order, mut out) = (plain.clone(), StateWriter::new());
            change(&mut order);
            order.write_digest(&mut out);
            out.into_bytes()
        });
        for (at, digest) in digests.iter().enumerate() {
            assert_eq!(digests.iter().position(|other| other == digest), Some(at), "change {at}");
        }
    }
}
