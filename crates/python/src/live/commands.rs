//! Commands as records, gathered in one array: a live node's configuration, or a batch to submit.

use std::sync::{Mutex, PoisonError};

use numpy::PyArray1;
use openbell_kernel::command::{
    BandWidthsPayload, CancelAllOrders, CancelOrder, ChangeTradingSession, ConfigureVenue, DefineCurrency,
    DepositCash, EngageKillSwitch, HaltTrading, InstrumentPayload, LeadPayload, ListInstrument, MassCancel,
    OpenAccount, ReleaseKillSwitch, ReplaceOrder, ResumeTrading, SetFeeSchedule, SetMarketData,
    SetMatchingPolicy, SetOrderSizes, SetPriceBands, SetReferencePrice, SetRiskLimit, SetSelfTradePrevention,
    SetTickSize, SubmitOrder, TopStepPayload, WithdrawCash, instrument_options,
};
use openbell_kernel::record::{Body, RecordBuffer, Slot};
use openbell_kernel::terms::{OrderType, Side, TimeInForce};
use pyo3::prelude::*;

use crate::arguments::{member, text};
use crate::arrays::slot_array;
use crate::errors::error;
use crate::special_terms::{self, SpecialTerms};

fn about<B: Body>(account: u32, instrument: u32, body: B) -> RecordBuffer {
    let mut record = RecordBuffer::new(body);
    let head = record.head_mut();
    (head.account, head.instrument) = (account, instrument);
    record
}

/// A plain order; `numbers` are those of side, order type and time in force.
///
/// # Errors
/// `InputError` for a number that names none.
pub fn order(
    py: Python<'_>,
    account: u32,
    instrument: u32,
    client_order_id: u64,
    numbers: [u8; 3],
    quantity: i64,
) -> PyResult<SubmitOrder> {
    let [side, order_type, time_in_force] = numbers;
    let side = member(py, "side", side, Side::from_number)?;
    Ok(SubmitOrder {
        order_type: member(py, "order_type", order_type, OrderType::from_number)?,
        time_in_force: member(py, "time_in_force", time_in_force, TimeInForce::from_number)?,
        ..SubmitOrder::market(account, instrument, client_order_id, side, quantity)
    })
}

pub fn cancel_order(account: u32, client_order_id: u64) -> RecordBuffer {
    about(account, 0, CancelOrder { client_order_id, reserved: [0; 3] })
}

/// `terms` are price, quantity and stop price.
pub fn replace_order(
    account: u32,
    client_order_id: u64,
    terms: [i64; 3],
    special: Option<SpecialTerms>,
) -> RecordBuffer {
    let [price, quantity, stop_price] = terms;
    let mut record = about(account, 0, ReplaceOrder { client_order_id, price, quantity, stop_price });
    special_terms::or_none(special).push_new(&mut record);
    record
}

/// A list of command records.
#[pyclass(frozen, module = "openbell._kernel")]
#[derive(Default)]
pub struct Commands {
    slots: Mutex<Vec<Slot>>,
}

impl Commands {
    fn add(&self, record: &RecordBuffer) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(record.slots());
    }
}

#[pymethods]
impl Commands {
    #[new]
    fn new() -> Self {
        Commands::default()
    }

    fn define_currency(&self, py: Python<'_>, currency: u32, code: &str) -> PyResult<()> {
        let mut record = about(0, 0, DefineCurrency { currency: u64::from(currency), reserved: [0; 3] });
        record.push(text(py, "code", code)?);
        self.add(&record);
        Ok(())
    }

    fn configure_venue(&self, venue: u32, kind: u32) {
        self.add(&about(0, 0, ConfigureVenue { venue, kind, currency: 0, reserved: [0; 2] }));
    }

    #[pyo3(signature = (instrument, symbol, *, currency, price_unit_nano, quantity_unit_nano, multiplier_nano, tick, lot, venue,
        negative_prices=false))]
    #[allow(clippy::too_many_arguments)]
    fn list_instrument(
        &self,
        py: Python<'_>,
        instrument: u32,
        symbol: &str,
        currency: u32,
        price_unit_nano: i64,
        quantity_unit_nano: i64,
        multiplier_nano: i64,
        tick: i64,
        lot: i64,
        venue: u32,
        negative_prices: bool,
    ) -> PyResult<()> {
        let body = ListInstrument { price_unit_nano, quantity_unit_nano, multiplier_nano, currency, venue };
        let mut record = about(0, instrument, body);
        let options = u64::from(negative_prices) * instrument_options::NEGATIVE_PRICES;
        record.push(InstrumentPayload { tick, lot, options, reserved: [0; 2] });
        record.push(text(py, "symbol", symbol)?);
        self.add(&record);
        Ok(())
    }

    #[pyo3(signature = (account, currency, *, shorting))]
    fn open_account(&self, account: u32, currency: u32, shorting: bool) {
        let (currency, shorting) = (u64::from(currency), u64::from(shorting));
        self.add(&about(account, 0, OpenAccount { currency, shorting, reserved: [0; 2] }));
    }

    fn deposit_cash(&self, account: u32, amount_nano: i64, currency: u32) {
        let currency = u64::from(currency);
        self.add(&about(account, 0, DepositCash { amount_nano, currency, reserved: [0; 2] }));
    }

    fn withdraw_cash(&self, account: u32, amount_nano: i64, currency: u32) {
        let currency = u64::from(currency);
        self.add(&about(account, 0, WithdrawCash { amount_nano, currency, reserved: [0; 2] }));
    }

    #[pyo3(signature = (account, instrument, *, maker_rate, taker_rate, flat_nano=0))]
    fn set_fee_schedule(
        &self,
        account: u32,
        instrument: u32,
        maker_rate: i64,
        taker_rate: i64,
        flat_nano: i64,
    ) {
        let body = SetFeeSchedule { maker_rate, taker_rate, flat_nano, external: 0 };
        self.add(&about(account, instrument, body));
    }

    fn set_risk_limit(&self, account: u32, instrument: u32, limit: u64, value: i64) {
        self.add(&about(account, instrument, SetRiskLimit { limit, value, reserved: [0; 2] }));
    }

    fn engage_kill_switch(&self, account: u32, reason: u64) {
        self.add(&about(account, 0, EngageKillSwitch { reason, reserved: [0; 3] }));
    }

    fn release_kill_switch(&self, account: u32, reason: u64) {
        self.add(&about(account, 0, ReleaseKillSwitch { reason, reserved: [0; 3] }));
    }

    fn halt_trading(&self, instrument: u32, reason: u64) {
        self.add(&about(0, instrument, HaltTrading { reason, reserved: [0; 3] }));
    }

    fn resume_trading(&self, instrument: u32, reason: u64) {
        self.add(&about(0, instrument, ResumeTrading { reason, reserved: [0; 3] }));
    }

    #[pyo3(signature = (instrument, policy, *, minimum=0, by_time=0, leveling=false, top=None, lead=None))]
    #[allow(clippy::too_many_arguments)]
    fn set_matching_policy(
        &self,
        py: Python<'_>,
        instrument: u32,
        policy: u64,
        minimum: i64,
        by_time: u32,
        leveling: bool,
        top: Option<(i64, i64, u64)>,
        lead: Option<Vec<(u32, u32)>>,
    ) -> PyResult<()> {
        let leveling = u32::from(leveling);
        let body = SetMatchingPolicy { policy, minimum, by_time, leveling, reserved: 0 };
        let mut record = about(0, instrument, body);
        if let Some((minimum, maximum, share)) = top {
            record.push(TopStepPayload { minimum, maximum, share, reserved: [0; 2] });
        }
        if let Some(lead) = lead.filter(|lead| !lead.is_empty()) {
            let mut payload = LeadPayload { accounts: [0; 5], shares: [0; 5] };
            if lead.len() > payload.accounts.len() {
                let text = format!("field 'lead': found {} accounts, expected at most 5", lead.len());
                return Err(error(py, "ConfigError", text));
            }
            for (place, (account, share)) in lead.into_iter().enumerate() {
                (payload.accounts[place], payload.shares[place]) = (account, share);
            }
            record.push(payload);
        }
        self.add(&record);
        Ok(())
    }

    #[pyo3(signature = (instrument, session, *, until=0))]
    fn change_trading_session(&self, instrument: u32, session: u64, until: u64) {
        self.add(&about(0, instrument, ChangeTradingSession { session, until, reserved: [0; 2] }));
    }

    #[pyo3(signature = (instrument, *, static_width=0, dynamic_width=0, static_units=0, dynamic_units=0, on_breach=4,
        duration_ns=0))]
    #[allow(clippy::too_many_arguments)]
    fn set_price_bands(
        &self,
        instrument: u32,
        static_width: u32,
        dynamic_width: u32,
        static_units: i64,
        dynamic_units: i64,
        on_breach: u64,
        duration_ns: u64,
    ) {
        let body = SetPriceBands { static_width, dynamic_width, on_breach, duration_ns, reserved: 0 };
        let mut record = about(0, instrument, body);
        if static_units != 0 || dynamic_units != 0 {
            record.push(BandWidthsPayload { static_units, dynamic_units, reserved: [0; 3] });
        }
        self.add(&record);
    }

    #[pyo3(signature = (instrument, price, *, is_known=false))]
    fn set_reference_price(&self, instrument: u32, price: i64, is_known: bool) {
        let is_known = u64::from(is_known);
        self.add(&about(0, instrument, SetReferencePrice { price, is_known, reserved: [0; 2] }));
    }

    fn set_tick_size(&self, instrument: u32, from_price: i64, tick: i64) {
        self.add(&about(0, instrument, SetTickSize { from_price, tick, reserved: [0; 2] }));
    }

    #[pyo3(signature = (instrument, *, minimum=0, maximum=0))]
    fn set_order_sizes(&self, instrument: u32, minimum: i64, maximum: i64) {
        self.add(&about(0, instrument, SetOrderSizes { minimum, maximum, reserved: [0; 2] }));
    }

    fn set_market_data(&self, instrument: u32, by_order: bool) {
        let by_order = u64::from(by_order);
        self.add(&about(0, instrument, SetMarketData { by_order, reserved: [0; 3] }));
    }

    #[pyo3(signature = (account, instrument, client_order_id, side, order_type, time_in_force, quantity, *,
        price=0, stop_price=0, options=0, expire_time=0, special=None, session=0))]
    #[allow(clippy::too_many_arguments)]
    fn submit_order(
        &self,
        py: Python<'_>,
        account: u32,
        instrument: u32,
        client_order_id: u64,
        side: u8,
        order_type: u8,
        time_in_force: u8,
        quantity: i64,
        price: i64,
        stop_price: i64,
        options: u16,
        expire_time: u64,
        special: Option<SpecialTerms>,
        session: u16,
    ) -> PyResult<()> {
        let numbers = [side, order_type, time_in_force];
        let order = order(py, account, instrument, client_order_id, numbers, quantity)?;
        let order = SubmitOrder { price, stop_price, options, expire_time, session, ..order };
        self.add(&order.to_record_with(&special_terms::or_none(special)));
        Ok(())
    }

    #[pyo3(signature = (account, client_order_id, *, price=0, quantity=0, stop_price=0, special=None))]
    fn replace_order(
        &self,
        account: u32,
        client_order_id: u64,
        price: i64,
        quantity: i64,
        stop_price: i64,
        special: Option<SpecialTerms>,
    ) {
        self.add(&replace_order(account, client_order_id, [price, quantity, stop_price], special));
    }

    fn cancel_order(&self, account: u32, client_order_id: u64) {
        self.add(&cancel_order(account, client_order_id));
    }

    #[pyo3(signature = (account, instrument=0))]
    fn cancel_all_orders(&self, account: u32, instrument: u32) {
        self.add(&about(account, instrument, CancelAllOrders { reserved: [0; 4] }));
    }

    #[pyo3(signature = (account=0, instrument=0, side=0, participant=0, session=0))]
    fn mass_cancel(&self, account: u32, instrument: u32, side: u64, participant: u64, session: u64) {
        self.add(&about(account, instrument, MassCancel { side, participant, session, reserved: 0 }));
    }

    fn set_self_trade_prevention(&self, account: u32, group: u64, action: u64) {
        self.add(&about(account, 0, SetSelfTradePrevention { group, action, reserved: [0; 2] }));
    }

    /// A copy of the slots gathered so far.
    fn slots<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u8>> {
        slot_array(py, &self.slots.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn clear(&self) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
