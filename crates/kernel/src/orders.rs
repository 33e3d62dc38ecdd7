//! The life of every order: one table, one state machine, whatever the venue.

mod open;
mod saved;

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use self::open::OpenOrders;
use crate::ascending::Ascending;
use crate::client_ids::ClientIds;
use crate::command::SubmitOrder;
use crate::risk::ReplaceTerms;
use crate::rules::{Refusal, Rule};
use crate::special_terms::SpecialTerms;
use crate::terms::{OrderState, OrderType, Sizing, TimeInForce, options};
use crate::tracked::{EntityHasher, TrackedList, TrackedTable};

/// Bits of an order id below the shard.
pub const SEQUENCE_BITS: u32 = 56;

/// `shard` (8 bits) and the sequence of the order's `SubmitOrder` (56 bits).
pub const fn order_id(shard: u8, sequence: u64) -> u64 {
    (shard as u64) << SEQUENCE_BITS | sequence
}

/// One order from its submission to the end of its session day. There are as many of them as orders came that day: what
/// most have not lies apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub order_id: u64,
    /// As asked for; what is in force now stands in `terms`.
    pub request: SubmitOrder,
    pub terms: ReplaceTerms,
    pub cumulative_quantity: i64,
    /// Low and high half: in one piece it would lie on 16 bytes, and the order in as many more.
    filled_value: [u64; 2],
    pub venue_order_id: u64,
    pub uncommon: Uncommon,
    pub participant: u16,
    refused_by: Option<Rule>,
    pub state: OrderState,
    /// The venue has shown that it has the order: it accepted it or traded some of it.
    pub is_acknowledged: bool,
    /// The price it waited for has come: what it stands at now is its limit, where it has one.
    pub is_triggered: bool,
    /// `terms` have a limit price, be it 0.
    pub has_price: bool,
    /// Waits for its parent's fill and is not at a venue yet.
    pub is_held: bool,
    pub has_children: bool,
}

const _: () = assert!(size_of::<Order>() <= 168, "with its hash an order has three cache lines");

/// What most orders have not. Takes memory of its own once something of it is written.
#[derive(Clone, Debug, Default)]
pub struct Uncommon(Option<Box<UncommonState>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UncommonState {
    /// Asked for and not answered yet.
    pub pending_terms: Option<ReplaceTerms>,
    /// Total quantity that a linked order's fill calls for, asked for once the request under way is answered.
    pub wanted_quantity: Option<i64>,
    /// Order id of the one that cancels with it, 0 = none.
    pub partner: u64,
    /// Limit and actual of the rule that refused it or took it back.
    refusal_figures: [i128; 2],
    /// Trade ids of a remote venue's fills, ascending: a fill reported twice is booked once.
    pub trade_ids: Vec<u64>,
    /// When the last request to a remote venue left.
    pub asked_time: u64,
    /// When an answer is overdue; 0 when none is waited for.
    pub deadline: u64,
}

impl UncommonState {
    const NONE: &'static UncommonState = &UncommonState {
        pending_terms: None,
        wanted_quantity: None,
        partner: 0,
        refusal_figures: [0; 2],
        trade_ids: Vec::new(),
        asked_time: 0,
        deadline: 0,
    };
}

impl Uncommon {
    /// Nothing of it was ever written.
    #[inline]
    pub fn is_untouched(&self) -> bool {
        self.0.is_none()
    }
}

impl Deref for Uncommon {
    type Target = UncommonState;

    #[inline]
    fn deref(&self) -> &UncommonState {
        self.0.as_deref().unwrap_or(UncommonState::NONE)
    }
}

impl DerefMut for Uncommon {
    fn deref_mut(&mut self) -> &mut UncommonState {
        self.0.get_or_insert_default()
    }
}

impl PartialEq for Uncommon {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Uncommon {}

impl Order {
    pub fn new(order_id: u64, participant: u16, request: SubmitOrder) -> Self {
        let terms =
            ReplaceTerms { price: request.price, quantity: request.quantity, stop_price: request.stop_price };
        Order {
            order_id,
            request,
            terms,
            cumulative_quantity: 0,
            filled_value: [0; 2],
            venue_order_id: 0,
            uncommon: Uncommon::default(),
            participant,
            refused_by: None,
            state: OrderState::Submitted,
            is_acknowledged: false,
            is_triggered: false,
            has_price: request.order_type.has_limit() || request.price != 0,
            is_held: false,
            has_children: false,
        }
    }

    /// Sum of price x quantity over the fills; the average price is derived from it.
    #[inline]
    pub fn filled_value(&self) -> i128 {
        let [low, high] = self.filled_value;
        (u128::from(low) | u128::from(high) << 64) as i128
    }

    #[inline]
    fn set_filled_value(&mut self, value: i128) {
        self.filled_value = [value as u64, (value >> 64) as u64];
    }

    /// Why it was refused or taken back.
    pub fn refusal(&self) -> Option<Refusal> {
        let [limit, actual] = self.uncommon.refusal_figures;
        self.refused_by.map(|rule| Refusal { rule, limit, actual })
    }

    #[inline]
    pub fn set_refusal(&mut self, refusal: Refusal) {
        self.refused_by = Some(refusal.rule);
        let figures = [refusal.limit, refusal.actual];
        if self.uncommon.refusal_figures != figures {
            self.uncommon.refusal_figures = figures;
        }
    }

    /// The venue has it, under this id.
    pub fn acknowledge(&mut self, venue_order_id: u64) {
        self.venue_order_id = venue_order_id;
        self.is_acknowledged = true;
        self.state = OrderState::Accepted;
    }

    /// A limit order that its venue accepted, of which nothing is asked, which nothing is linked to and which has only
    /// plain terms.
    #[inline]
    pub fn rests_plainly(&self) -> bool {
        matches!(self.request.time_in_force, TimeInForce::Day | TimeInForce::Gtc) && self.trades_plainly()
    }

    /// As [`Order::rests_plainly`], but that it may end by itself.
    #[inline]
    pub fn trades_plainly(&self) -> bool {
        self.state == OrderState::Accepted
            && self.request.order_type == OrderType::Limit
            && self.request.options & (options::ASIDE | options::REDUCE_ONLY) == 0
            && !self.has_children
            && !self.is_held
            && (self.uncommon.is_untouched() || self.is_left_alone())
    }

    /// Nothing is asked of it, and nobody is linked to it.
    fn is_left_alone(&self) -> bool {
        let UncommonState { pending_terms, wanted_quantity, partner, deadline, .. } = &*self.uncommon;
        pending_terms.is_none() && wanted_quantity.is_none() && *partner == 0 && *deadline == 0
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
        self.set_filled_value(self.filled_value() + i128::from(price) * i128::from(quantity));
        if self.request.sizing != Sizing::Units {
            // Sized at the fill: the fill is the whole order.
            self.terms.quantity = self.cumulative_quantity;
        }
        let asked = self
            .uncommon
            .pending_terms
            .map_or(self.terms.quantity, |new| new.quantity.max(self.terms.quantity));
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
        match self.uncommon.trade_ids.binary_search(&trade_id) {
            Ok(_) => false,
            Err(at) => {
                self.uncommon.trade_ids.insert(at, trade_id);
                true
            }
        }
    }

    #[inline]
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

    /// The name its client has for it.
    #[inline]
    fn is_called(&self, account: u32, client_order_id: u64) -> bool {
        self.request.client_order_id == client_order_id && self.request.account == account
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

/// A client's id that no order has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vacancy {
    hash: u32,
}

/// All orders of the session day, dead ones included, in the order of their submission.
#[derive(Clone, Debug, Default)]
pub struct Orders {
    /// Order ids ascend: they are sequences.
    orders: TrackedList<Order>,
    places: Ascending,
    by_client_id: ClientIds,
    open: OpenOrders,
    /// A trade is about two of them in turn.
    recent: [Recent; 2],
    /// Those that wait or waited for a parent; follows from the rest and is not saved.
    children: BTreeSet<u64>,
    /// Of those that have any, by order id.
    specials: TrackedTable<u64, OrderSpecials>,
}

impl Orders {
    #[inline]
    pub fn get(&self, order_id: u64) -> Option<&Order> {
        self.orders.get(self.place(order_id)?)
    }

    /// The order to change; its hash is taken anew at the next checkpoint.
    #[inline]
    pub fn get_mut(&mut self, order_id: u64) -> Option<&mut Order> {
        let place = self.place(order_id)?;
        self.note_recent(order_id, place as u32);
        self.orders.get_mut(place)
    }

    #[inline]
    fn note_recent(&mut self, order_id: u64, place: u32) {
        if self.recent[0].order_id != order_id {
            self.recent = [Recent { order_id, place }, self.recent[0]];
        }
    }

    /// Where [`Orders::at`] finds an order until the end of the session.
    #[inline]
    pub(crate) fn place_of(&self, order_id: u64) -> Option<u32> {
        self.places.place(order_id)
    }

    #[inline]
    fn place(&self, order_id: u64) -> Option<usize> {
        for recent in &self.recent {
            if recent.order_id == order_id && order_id != 0 {
                return Some(recent.place as usize);
            }
        }
        self.places.place(order_id).map(|place| place as usize)
    }

    pub fn by_client_id(&self, account: u32, client_order_id: u64) -> Option<&Order> {
        self.orders.get(self.place_by_client_id(account, client_order_id)? as usize)
    }

    /// Where [`Orders::at`] finds it until the end of the session.
    #[inline]
    pub(crate) fn place_by_client_id(&self, account: u32, client_order_id: u64) -> Option<u32> {
        let hash = ClientIds::hash(account, client_order_id);
        self.by_client_id.find(hash, |place| self.has_client_id(place, account, client_order_id))
    }

    #[inline]
    fn has_client_id(&self, place: u32, account: u32, client_order_id: u64) -> bool {
        self.at(place).is_some_and(|order| order.is_called(account, client_order_id))
    }

    /// The client's id, where no order has it.
    #[inline]
    pub(crate) fn vacancy(&self, account: u32, client_order_id: u64) -> Option<Vacancy> {
        let hash = ClientIds::hash(account, client_order_id);
        let taken = self.by_client_id.find(hash, |place| self.has_client_id(place, account, client_order_id));
        taken.is_none().then_some(Vacancy { hash })
    }

    #[inline]
    pub(crate) fn by_client_id_mut(&mut self, account: u32, client_order_id: u64) -> Option<&mut Order> {
        let place = self.place_by_client_id(account, client_order_id)?;
        self.orders.get_mut(place as usize)
    }

    /// Puts in an order whose client's id is free.
    #[inline]
    pub(crate) fn insert_in(&mut self, vacancy: Vacancy, order: Order) {
        let order_id = order.order_id;
        if order.request.parent != 0 {
            self.children.insert(order_id);
        }
        self.orders.push(order);
        let place = self.places.push(order_id);
        self.by_client_id.insert(vacancy.hash, place);
        self.note_recent(order_id, place);
        self.open.follow(&self.orders);
    }

    #[inline]
    pub(crate) fn at(&self, place: u32) -> Option<&Order> {
        self.orders.get(place as usize)
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, place: u32) -> Option<&mut Order> {
        self.orders.get_mut(place as usize)
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
        let (order_id, SubmitOrder { account, client_order_id, .. }) = (order.order_id, order.request);
        if order.request.parent != 0 {
            self.children.insert(order_id);
        }
        self.orders.push(order);
        let place = self.places.push(order_id);
        let Orders { orders, by_client_id, .. } = self;
        by_client_id.set(ClientIds::hash(account, client_order_id), place, |place| {
            orders.get(place as usize).is_some_and(|order| order.is_called(account, client_order_id))
        });
        self.note_recent(order_id, place);
        self.open.follow(&self.orders);
    }

    /// Ids of the open orders of an account (0 = all) that `concerns` picks, in the order of their submission. What closed
    /// long ago costs nothing.
    pub(crate) fn open_where(&mut self, account: u32, concerns: impl Fn(&Order) -> bool) -> Vec<u64> {
        let places = self.open.of(account, &self.orders);
        let open = places.into_iter().filter_map(|place| self.at(place));
        open.filter(|order| concerns(order)).map(|order| order.order_id).collect()
    }

    /// Open orders in the order of their submission, by a walk over all of the day.
    pub fn open(&self) -> impl Iterator<Item = &Order> {
        self.orders.iter().filter(|order| order.is_open())
    }

    /// Whether any order of the day has or had a parent.
    pub fn has_children(&self) -> bool {
        !self.children.is_empty()
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
        let Orders { orders, places, by_client_id, open, recent, children, specials } = self;
        *recent = Default::default();
        places.clear();
        by_client_id.clear();
        orders.retain(|order| {
            if order.is_open() {
                let SubmitOrder { account, client_order_id, .. } = order.request;
                let hash = ClientIds::hash(account, client_order_id);
                by_client_id.insert(hash, places.push(order.order_id));
                return true;
            }
            children.remove(&order.order_id);
            if order.has_special_terms() {
                specials.remove(order.order_id);
            }
            false
        });
        open.begin_anew(orders);
    }

    pub(crate) fn state_sum(&mut self, hasher: &mut EntityHasher) -> u128 {
        let specials = self.specials.sum("special terms", hasher);
        let orders = self
            .orders
            .sum_by(|_, order| hasher.hash("order", order.order_id, |out| order.write_digest(out)));
        orders.wrapping_add(specials)
    }
}
