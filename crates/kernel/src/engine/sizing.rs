//! Orders of a participant that say how much as a share of equity, as a target or as the whole position, at a venue of ours.
//!
//! A simulated venue sizes such an order at its fill, for it fills at one price. In a book it may meet many, over time, and its
//! place in the queue is that of a quantity: so it is sized when it comes, and is an order of so many units from then on.

use super::requests::venue_order;
use super::{AnyVenue, Engine};
use crate::command::SubmitOrder;
use crate::risk::ReplaceTerms;
use crate::rules::{Refusal, Rule};
use crate::terms::{Side, Sizing, options};

impl Engine {
    /// The order with its quantity, and for a target with the side that leads there. It is sized at its limit, else at the
    /// best price that stands against it, else at the mark. Others are returned as they are.
    ///
    /// # Errors
    /// The rule by which nothing is left to trade.
    pub(super) fn sized(&self, request: &SubmitOrder, participant: u16) -> Result<SubmitOrder, Refusal> {
        let is_plain = request.sizing == Sizing::Units || request.parent != 0 || participant == 0;
        let Some(instrument) = self.instruments.get(request.instrument).filter(|_| !is_plain) else {
            return Ok(*request);
        };
        let Some(AnyVenue::Matching(venue)) = self.venues.get(usize::from(instrument.venue)) else {
            return Ok(*request);
        };
        let best = |side: Side| venue.book(request.instrument).and_then(|book| book.best(side.opposite()));
        let at_limit = request.order_type.has_limit().then_some(request.price);
        let price = at_limit.or_else(|| best(request.side).map(|level| level.price));
        let price = price.or_else(|| self.marks.get(request.instrument));
        let unknown = Refusal::new(Rule::ReferencePriceMustBeKnown, 0, i128::from(request.instrument));
        let price = price.ok_or(unknown)?;
        let &SubmitOrder { price: limit, quantity, stop_price, .. } = request;
        let order = venue_order(0, request, ReplaceTerms { price: limit, quantity, stop_price }, None);
        let trade = self.risk.executable_quantity(&order, 0, price, &self.risk_view())?;
        let is_closing = request.sizing == Sizing::ClosePosition;
        Ok(SubmitOrder {
            sizing: Sizing::Units,
            quantity: trade.abs(),
            side: if request.sizing == Sizing::TargetPercent { side_of(trade) } else { request.side },
            options: request.options | if is_closing { options::REDUCE_ONLY } else { 0 },
            ..*request
        })
    }
}

const fn side_of(trade: i64) -> Side {
    if trade < 0 { Side::Sell } else { Side::Buy }
}
