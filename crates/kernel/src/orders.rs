//! The life of every order: one table, one state machine, whatever the venue.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

use crate::ascending::Ascending;
use crate::command::SubmitOrder;
use crate::hash::Table;
use crate::risk::ReplaceTerms;
use crate::rules::Refusal;
use crate::special_terms::SpecialTerms;
use crate::state::{State, StateError, StateReader, StateWriter};
use crate::terms::{OrderState, OrderType, Side, Sizing, TimeInForce, options};
use crate::tracked::{EntityHasher, TrackedList, TrackedTable};

/// Bits of an order id below the shard.
pub const SEQUENCE_BITS: u32 = 56;

/// `shard` (8 bits) and the sequence of the order's `SubmitOrder` (56 bits).
pub const fn order_id(shard: u8, sequence: u64) -> u64 {
    (shard as u64) << SEQUENCE_BITS | sequence
}

/// One order from its submission to the end of its session day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub order_id: u64,
    pub participant: u16,
    /// As asked for; what is in force now stands in `terms`.
    pub request: SubmitOrder,
    pub terms: ReplaceTerms,
    pub state: OrderState,
    /// The venue has shown that it has the order: it accepted it or traded some of it.
    pub is_acknowledged: bool,
    /// The price it waited for has come: what it stands at now is its limit, where it has one.
    pub is_triggered: bool,
    /// `terms` have a limit price, be it 0.
    pub has_price: bool,
    /// Asked for and not answered yet.
    pub pending_terms: Option<ReplaceTerms>,
    /// Total quantity that a linked order's fill calls for, asked for once the request under way is answered.
    pub wanted_quantity: Option<i64>,
    pub cumulative_quantity: i64,
    /// Sum of price x quantity over the fills; the average price is derived from it.
    pub filled_value: i128,
    pub venue_order_id: u64,
    /// Waits for its parent's fill and is not at a venue yet.
    pub is_held: bool,
    /// Order id of the one that cancels with it, 0 = none.
    pub partner: u64,
    pub has_children: bool,
    pub refusal: Option<Refusal>,
    /// Trade ids of a remote venue's fills, ascending: a fill reported twice is booked once.
    pub trade_ids: Vec<u64>,
    /// When the last request to a remote venue left.
    pub asked_time: u64,
    /// When an answer is overdue; 0 when none is waited for.
    pub deadline: u64,
}

impl Order {
    pub fn new(order_id: u64, participant: u16, request: SubmitOrder) -> Self {
        let terms =
            ReplaceTerms { price: request.price, quantity: request.quantity, stop_price: request.stop_price };
        Order {
            order_id,
            participant,
            request,
            terms,
            state: OrderState::Submitted,
            is_acknowledged: false,
            is_triggered: false,
            has_price: request.order_type.has_limit() || request.price != 0,
            pending_terms: None,
            wanted_quantity: None,
            cumulative_quantity: 0,
            filled_value: 0,
            venue_order_id: 0,
            is_held: false,
            partner: 0,
            has_children: false,
            refusal: None,
            trade_ids: Vec::new(),
            asked_time: 0,
            deadline: 0,
        }
    }

    /// Quantity still to trade; 0 for an order whose quantity the venue has not sized yet.
    pub fn leaves_quantity(&self) -> i64 {
        if self.request.sizing == Sizing::Units {
            (self.terms.quantity - self.cumulative_quantity).max(0)
        } else {
            0
        }
    }

    /// Books `quantity` at `price` into the order. Returns whether more was filled than was asked for, by the
    /// old or the new terms while a replace is under way.
    pub fn fill(&mut self, price: i64, quantity: i64) -> bool {
        self.cumulative_quantity = self.cumulative_quantity.saturating_add(quantity);
        self.filled_value += i128::from(price) * i128::from(quantity);
        if self.request.sizing != Sizing::Units {
            // Sized at the fill: the fill is the whole order.
            self.terms.quantity = self.cumulative_quantity;
        }
        let asked =
            self.pending_terms.map_or(self.terms.quantity, |new| new.quantity.max(self.terms.quantity));
        if self.cumulative_quantity >= asked {
            self.state = OrderState::Filled;
        } else if !self.is_acknowledged && matches!(self.state, OrderState::PendingNew | OrderState::Unknown)
        {
            // It trades, so the venue has it: the acknowledgment is late.
            self.state = OrderState::Accepted;
        }
        self.is_acknowledged = true;
        self.cumulative_quantity > asked
    }

    /// Nothing is left under the terms in force. Of an order sized at its fill that is not known before.
    pub fn has_traded_whole(&self) -> bool {
        self.request.sizing == Sizing::Units && self.cumulative_quantity >= self.terms.quantity
    }

    /// Where the order returns to when a request about it is refused or given up.
    pub fn settle(&mut self) {
        self.state = match (self.is_acknowledged, self.has_traded_whole()) {
            (true, true) => OrderState::Filled,
            (true, false) => OrderState::Accepted,
            (false, _) => OrderState::PendingNew,
        };
    }

    /// A request to the venue is under way or lost: what it holds now is not known for certain.
    pub fn awaits_answer(&self) -> bool {
        use OrderState::{PendingCancel, PendingNew, PendingReplace, Unknown};
        matches!(self.state, PendingNew | PendingReplace | PendingCancel | Unknown)
    }

    /// Notes a trade id; false when it was there already.
    pub fn note_trade(&mut self, trade_id: u64) -> bool {
        match self.trade_ids.binary_search(&trade_id) {
            Ok(_) => false,
            Err(at) => {
                self.trade_ids.insert(at, trade_id);
                true
            }
        }
    }

    pub fn is_open(&self) -> bool {
        !self.state.is_closed()
    }

    /// `terms` have a stop price, be it 0: that of a trailing one is found when its venue takes it.
    pub const fn has_stop_price(&self) -> bool {
        let order_type = self.request.order_type;
        order_type.has_stop() || self.terms.stop_price != 0 || (order_type.trails() && self.is_acknowledged)
    }

    /// Where the order stands by its terms in force, for those whom new terms are told: at its limit, or where it waits at its
    /// stop. That of a trailing one is its stop until it has come, for its limit follows from it.
    pub const fn told_price(&self) -> i64 {
        let order_type = self.request.order_type;
        let follows_its_stop = order_type.trails() && !self.is_triggered;
        if order_type.may_rest() && !follows_its_stop { self.terms.price } else { self.terms.stop_price }
    }

    /// [`Orders::special`] has more about it.
    pub const fn has_special_terms(&self) -> bool {
        self.request.options & options::ASIDE != 0
    }
}

/// The special terms of one order, and those asked for and not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderSpecials {
    /// As the order came.
    pub asked: SpecialTerms,
    /// In force.
    pub terms: SpecialTerms,
    pub pending: Option<SpecialTerms>,
}

/// An account and its own id of an order, in twelve bytes: with its place, an entry of the table has sixteen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ClientKey {
    account: u32,
    id: [u32; 2],
}

impl ClientKey {
    fn new(account: u32, id: u64) -> Self {
        ClientKey { account, id: [id as u32, (id >> 32) as u32] }
    }

    fn of(order: &Order) -> Self {
        ClientKey::new(order.request.account, order.request.client_order_id)
    }
}

impl Hash for ClientKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u32(self.account);
        state.write_u64(u64::from(self.id[0]) | u64::from(self.id[1]) << 32);
    }
}

/// The order that was asked for last to be changed: a record asks for the same one again and again.
#[derive(Clone, Copy, Debug)]
struct Recent {
    order_id: u64,
    place: u32,
}

impl Default for Recent {
    fn default() -> Self {
        Recent { order_id: 0, place: u32::MAX }
    }
}

/// All orders of the session day, dead ones included, in the order of their submission.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// Order ids ascend: they are sequences.
    orders: TrackedList<Order>,
    places: Ascending,
    by_client_id: Table<ClientKey, u32>,
    recent: Recent,
    /// Those that wait or waited for a parent; follows from the rest and is not saved.
    children: BTreeSet<u64>,
    /// Of those that have any, by order id.
    specials: TrackedTable<u64, OrderSpecials>,
}

impl Orders {
    pub fn get(&self, order_id: u64) -> Option<&Order> {
        self.orders.get(self.place(order_id)?)
    }

    /// The order to change; its hash is taken anew at the next checkpoint.
    pub fn get_mut(&mut self, order_id: u64) -> Option<&mut Order> {
        let place = self.place(order_id)?;
        self.recent = Recent { order_id, place: place as u32 };
        self.orders.get_mut(place)
    }

    fn place(&self, order_id: u64) -> Option<usize> {
        if self.recent.order_id == order_id && order_id != 0 {
            return Some(self.recent.place as usize);
        }
        self.places.place(order_id).map(|place| place as usize)
    }

    pub fn by_client_id(&self, account: u32, client_order_id: u64) -> Option<&Order> {
        self.orders.get(self.place_by_client_id(account, client_order_id)? as usize)
    }

    /// Where [`Orders::at`] finds it until the end of the session.
    pub(crate) fn place_by_client_id(&self, account: u32, client_order_id: u64) -> Option<u32> {
        self.by_client_id.get(&ClientKey::new(account, client_order_id)).copied()
    }

    pub(crate) fn at(&self, place: u32) -> Option<&Order> {
        self.orders.get(place as usize)
    }

    /// The special terms of an order that has any.
    pub fn special(&self, order_id: u64) -> Option<&OrderSpecials> {
        if self.specials.is_empty() { None } else { self.specials.get(order_id) }
    }

    pub fn special_mut(&mut self, order_id: u64) -> Option<&mut OrderSpecials> {
        self.specials.get_mut(order_id)
    }

    /// Keeps the special terms of an order whose options say [`options::ASIDE`].
    pub fn insert_special(&mut self, order_id: u64, terms: SpecialTerms) {
        self.specials.insert(order_id, OrderSpecials { asked: terms, terms, pending: None });
    }

    pub fn insert(&mut self, order: Order) {
        let (order_id, key) = (order.order_id, ClientKey::of(&order));
        if order.request.parent != 0 {
            self.children.insert(order_id);
        }
        self.orders.push(order);
        let place = self.places.push(order_id);
        self.by_client_id.insert(key, place);
        self.recent = Recent { order_id, place };
    }

    /// Open orders in the order of their submission.
    pub fn open(&self) -> impl Iterator<Item = &Order> {
        self.orders.iter().filter(|order| order.is_open())
    }

    /// Open orders that have or had a parent, in the order of their submission.
    pub fn open_children(&self) -> impl Iterator<Item = &Order> {
        self.children.iter().filter_map(|order_id| self.get(*order_id)).filter(|order| order.is_open())
    }

    /// Orders submitted after `order_id`, oldest first.
    pub fn after(&self, order_id: u64) -> impl Iterator<Item = &Order> {
        self.orders.from(self.places.up_to(order_id) as usize)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Order> {
        self.orders.iter()
    }

    pub fn len(&self) -> usize {
        self.orders.len()
    }

    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }

    /// Forgets the closed orders: their session day is over.
    pub fn retire_closed(&mut self) {
        let Orders { orders, places, by_client_id, recent, children, specials } = self;
        *recent = Recent::default();
        places.clear();
        orders.retain(|order| {
            if order.is_open() {
                by_client_id.insert(ClientKey::of(order), places.push(order.order_id));
                return true;
            }
            by_client_id.remove(&ClientKey::of(order));
            children.remove(&order.order_id);
            if order.has_special_terms() {
                specials.remove(order.order_id);
            }
            false
        });
    }

    pub(crate) fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        let specials = self.specials.sum("special terms", hasher);
        let orders =
            self.orders.sum_by(|_, order| hasher.hash("order", order.order_id, |out| order.write(out)));
        orders.wrapping_add(specials)
    }
}

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
        out.option(self.pending_terms.as_ref());
        out.option_i64(self.wanted_quantity);
        out.i64(self.cumulative_quantity);
        out.i128(self.filled_value);
        out.u64(self.venue_order_id);
        out.bool(self.is_held);
        out.u64(self.partner);
        out.bool(self.has_children);
        out.option(self.refusal.as_ref());
        out.length(self.trade_ids.len());
        self.trade_ids.iter().for_each(|id| out.u64(*id));
        out.u64(self.asked_time);
        out.u64(self.deadline);
    }

    fn read(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        Ok(Order {
            order_id: input.u64()?,
            participant: input.u16()?,
            request: SubmitOrder::read(input)?,
            terms: ReplaceTerms::read(input)?,
            state: read_term(input, "order state", OrderState::from_number)?,
            is_acknowledged: input.bool()?,
            is_triggered: input.bool()?,
            has_price: input.bool()?,
            pending_terms: input.option()?,
            wanted_quantity: input.option_i64()?,
            cumulative_quantity: input.i64()?,
            filled_value: input.i128()?,
            venue_order_id: input.u64()?,
            is_held: input.bool()?,
            partner: input.u64()?,
            has_children: input.bool()?,
            refusal: input.option()?,
            trade_ids: {
                let len = input.length()?;
                (0..len).map(|_| input.u64()).collect::<Result<_, _>>()?
            },
            asked_time: input.u64()?,
            deadline: input.u64()?,
        })
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
