//! Two states side by side, in words: what a person needs who has to find out why a replay went another way.

use std::collections::BTreeSet;
use std::fmt::{self, Debug, Display};

use super::{AnyVenue, Engine};
use crate::orders::Order;
use crate::participant::Participant;
use crate::portfolio::Account;
use crate::state::{State, StateWriter};
use crate::terms::Side;
use crate::venue::matching::MatchingVenue;

/// Differences that are told; a state that went another way long ago has no end of them.
const MOST: usize = 1_000;

/// One thing that is not the same: `order 17: leaves_quantity is 3 here, 5 there`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub entity: String,
    pub field: &'static str,
    pub here: String,
    pub there: String,
}

impl Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { entity, field, here, there } = self;
        write!(out, "{entity}: {field} is {here} here, {there} there")
    }
}

/// Where two states differ, entity by entity: orders first, since what went wrong mostly shows there first.
pub fn differences(here: &Engine, there: &Engine) -> Vec<Difference> {
    let mut found = Comparison::default();
    found.field("engine", "sequence", here.sequence, there.sequence);
    found.field("engine", "time", here.time, there.time);
    orders(&mut found, here, there);
    accounts(&mut found, here, there);
    marks(&mut found, here, there);
    venues(&mut found, here, there);
    timers(&mut found, here, there);
    participants(&mut found, here, there);
    found.bytes("instruments", here.instruments.as_ref(), there.instruments.as_ref());
    found.bytes("fee schedules", &*here.fees, &*there.fees);
    found.bytes("risk limits and kill switches", &here.risk, &there.risk);
    found.field("engine", "halted instruments", &here.halted, &there.halted);
    found.field("engine", "names", &*here.names, &*there.names);
    found.field("engine", "marks to come", &here.pending_marks, &there.pending_marks);
    found.field("engine", "fill that waits for its fee", &here.fee_question, &there.fee_question);
    let asked = [here, there].map(Engine::allocation_question);
    found.field("engine", "level that waits to be shared", asked[0], asked[1]);
    found.list
}

#[derive(Debug, Default)]
struct Comparison {
    list: Vec<Difference>,
}

impl Comparison {
    fn field<T: PartialEq + Debug>(&mut self, entity: impl Display, field: &'static str, here: T, there: T) {
        if here != there {
            self.tell(entity, field, format!("{here:?}"), format!("{there:?}"));
        }
    }

    fn tell(&mut self, entity: impl Display, field: &'static str, here: String, there: String) {
        if self.list.len() < MOST {
            self.list.push(Difference { entity: entity.to_string(), field, here, there });
        }
    }

    /// Things that are only in one of the two are told; pairs are handed on.
    fn pair<'a, T>(
        &mut self,
        entity: impl Display,
        here: Option<&'a T>,
        there: Option<&'a T>,
    ) -> Option<(&'a T, &'a T)> {
        let word = |one: Option<&T>| if one.is_some() { "known" } else { "unknown" }.to_owned();
        match (here, there) {
            (Some(here), Some(there)) => return Some((here, there)),
            (None, None) => {}
            _ => self.tell(entity, "presence", word(here), word(there)),
        }
        None
    }

    /// The last resort: the bytes differ and nothing that was compared by name does.
    fn bytes<T: State>(&mut self, entity: impl Display, here: &T, there: &T) {
        let (here, there) = (bytes_of(here), bytes_of(there));
        if here != there {
            let at = here.iter().zip(&there).take_while(|(here, there)| here == there).count();
            let told = |bytes: &[u8]| format!("{:?} of {} bytes", bytes.get(at), bytes.len());
            self.tell(entity, "first byte that differs", told(&here), told(&there));
        }
    }
}

fn bytes_of<T: State>(value: &T) -> Vec<u8> {
    let mut out = StateWriter::new();
    value.write(&mut out);
    out.into_bytes()
}

fn orders(found: &mut Comparison, here: &Engine, there: &Engine) {
    let ids = |engine: &Engine| engine.orders.iter().map(|order| order.order_id).collect::<BTreeSet<_>>();
    for id in &ids(here) | &ids(there) {
        let name = format!("order {id}");
        if let Some((here, there)) = found.pair(&name, here.orders.get(id), there.orders.get(id)) {
            order(found, &name, here, there);
        }
    }
}

fn order(found: &mut Comparison, name: &str, here: &Order, there: &Order) {
    if here == there {
        return;
    }
    let told = found.list.len();
    found.field(name, "state", here.state, there.state);
    found.field(name, "leaves_quantity", here.leaves_quantity(), there.leaves_quantity());
    found.field(name, "cumulative_quantity", here.cumulative_quantity, there.cumulative_quantity);
    found.field(name, "filled_value", here.filled_value(), there.filled_value());
    found.field(name, "terms", here.terms, there.terms);
    found.field(name, "pending_terms", here.uncommon.pending_terms, there.uncommon.pending_terms);
    found.field(name, "participant", here.participant, there.participant);
    found.field(name, "refusal", here.refusal(), there.refusal());
    found.field(name, "venue_order_id", here.venue_order_id, there.venue_order_id);
    found.field(name, "deadline", here.uncommon.deadline, there.uncommon.deadline);
    if found.list.len() == told {
        found.field(name, "record", here, there);
    }
}

fn accounts(found: &mut Comparison, here: &Engine, there: &Engine) {
    let ids = |engine: &Engine| engine.portfolio.accounts().map(|one| one.id).collect::<BTreeSet<_>>();
    for id in &ids(here) | &ids(there) {
        let name = format!("account {id}");
        let pair = found.pair(&name, here.portfolio.account(id), there.portfolio.account(id));
        if let Some((here, there)) = pair {
            account(found, &name, here, there);
        }
    }
}

fn account(found: &mut Comparison, name: &str, here: &Account, there: &Account) {
    found.field(name, "cash", &here.cash, &there.cash);
    found.field(name, "currency", here.currency, there.currency);
    found.field(name, "shorting", here.shorting, there.shorting);
    let held = |account: &Account| account.positions.iter().map(|(id, _)| id).collect::<BTreeSet<_>>();
    for instrument in &held(here) | &held(there) {
        let name = format!("{name}, position in instrument {instrument}");
        let pair = found.pair(&name, here.positions.get(instrument), there.positions.get(instrument));
        let Some((here, there)) = pair else { continue };
        found.field(&name, "quantity", here.quantity, there.quantity);
        found.field(&name, "cost", here.cost, there.cost);
        found.field(&name, "realized", here.realized, there.realized);
        found.field(&name, "fees", here.fees, there.fees);
    }
}

fn marks(found: &mut Comparison, here: &Engine, there: &Engine) {
    let most = here.instruments.iter().len().max(there.instruments.iter().len()) as u32;
    for instrument in 1..=most {
        let name = format_args!("instrument {instrument}");
        found.field(name, "mark", here.marks.get(instrument), there.marks.get(instrument));
    }
}

fn venues(found: &mut Comparison, here: &Engine, there: &Engine) {
    found.field("engine", "number of venues", here.venues.len(), there.venues.len());
    for (index, (here, there)) in here.venues.iter().zip(&there.venues).enumerate() {
        let (name, told) = (format!("venue {index}"), found.list.len());
        if let (AnyVenue::Matching(here), AnyVenue::Matching(there)) = (here, there) {
            books(found, &name, here, there);
        }
        if found.list.len() == told {
            found.bytes(name, here, there);
        }
    }
}

fn books(found: &mut Comparison, name: &str, here: &MatchingVenue, there: &MatchingVenue) {
    for instrument in 1..=here.last_instrument().max(there.last_instrument()) {
        let book = format!("{name}, book of instrument {instrument}");
        found.field(&book, "conditions", here.conditions(instrument), there.conditions(instrument));
        found.field(&book, "last price", here.last_price(instrument), there.last_price(instrument));
        for side in [Side::Buy, Side::Sell] {
            let queue = |venue: &MatchingVenue| -> Vec<_> {
                venue.book(instrument).map_or_else(Vec::new, |book| book.orders(side).collect())
            };
            let (here, there) = (queue(here), queue(there));
            let same = here.iter().zip(&there).take_while(|(here, there)| here == there).count();
            let queue = format!("{book}, {} in priority order from place {}", side.name(), same + 1);
            found.field(queue, "first order", here.get(same), there.get(same));
        }
    }
}

fn timers(found: &mut Comparison, here: &Engine, there: &Engine) {
    let keys = |engine: &Engine| engine.timers.iter().map(|(key, _)| key).collect::<BTreeSet<_>>();
    for key in &keys(here) | &keys(there) {
        let name = format!("timer {} of participant {}", key.1, key.0);
        found.field(name, "terms", here.timers.get(key), there.timers.get(key));
    }
}

fn participants(found: &mut Comparison, here: &Engine, there: &Engine) {
    let most = here.participants.iter().len().max(there.participants.iter().len()) as u16;
    for id in 1..=most {
        let name = format!("participant {id}");
        let pair = found.pair(&name, here.participants.get(id), there.participants.get(id));
        if let Some((here, there)) = pair {
            participant(found, &name, here, there);
        }
    }
}

fn participant(found: &mut Comparison, name: &str, here: &Participant, there: &Participant) {
    found.field(name, "cursor", here.cursor, there.cursor);
    found.field(name, "is_stopped", here.is_stopped, there.is_stopped);
    found.field(name, "saved state", here.saved, there.saved);
    found.bytes(format_args!("{name}, its view"), &here.view, &there.view);
}
