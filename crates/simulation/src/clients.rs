//! Who trades: accounts that send, replace and cancel orders as a seed has it, and send again what was not answered.

use openbell_kernel::command::{
    CancelAllOrders, CancelOrder, ConfigureVenue, DefineCurrency, DepositCash, EngageKillSwitch,
    InstrumentPayload, ListInstrument, OpenAccount, ReleaseKillSwitch, ReplaceOrder, SetFeeSchedule,
    StartTimer, SubmitOrder, TextPayload, WithdrawCash,
};
use openbell_kernel::message::Message;
use openbell_kernel::record::{Body, RecordBuffer, Slot};
use openbell_kernel::terms::{OrderType, Side, TimeInForce, VenueKind, options};

use crate::exchange::records;
use crate::random::Random;

pub const CURRENCY: u64 = 1;
pub const ACCOUNTS: u32 = 3;
pub const INSTRUMENTS: u32 = 2;
const DEPOSIT_NANO: i64 = 1_000_000_000_000_000;
/// Of an order's price, in ticks.
const MIDDLE: i64 = 1_000;

fn command<B: Body>(account: u32, instrument: u32, body: B) -> RecordBuffer {
    let mut record = RecordBuffer::new(body);
    (record.head_mut().account, record.head_mut().instrument) = (account, instrument);
    record
}

/// Currency, our venue, instruments and accounts with cash: what stands before the first order.
pub fn set_up() -> Vec<RecordBuffer> {
    let mut currency = command(0, 0, DefineCurrency { currency: CURRENCY, reserved: [0; 3] });
    currency.push(TextPayload::new("USD"));
    let kind = VenueKind::Matching as u32;
    let venue = command(0, 0, ConfigureVenue { venue: 0, kind, currency: 0, reserved: [0; 2] });
    let mut all = vec![currency, venue];
    all.extend((1..=INSTRUMENTS).map(listing));
    all.extend((1..=ACCOUNTS).flat_map(opening));
    all
}

fn listing(instrument: u32) -> RecordBuffer {
    let body = ListInstrument {
        price_unit_nano: 10_000_000,
        quantity_unit_nano: 1_000_000_000,
        multiplier_nano: 1_000_000_000,
        currency: CURRENCY as u32,
        venue: 0,
    };
    let mut record = command(0, instrument, body);
    record.push(InstrumentPayload { tick: 1, lot: 1, options: 0, reserved: [0; 2] });
    record.push(TextPayload::new(["ABC", "XYZ"][instrument as usize % 2]));
    record
}

fn opening(account: u32) -> [RecordBuffer; 3] {
    // fees that need rounding
    let fees = SetFeeSchedule { maker_rate: 0, taker_rate: 1_234_567, flat_nano: 0, external: 0 };
    [
        command(account, 0, OpenAccount { currency: CURRENCY, shorting: 1, reserved: [0; 2] }),
        deposit(account, DEPOSIT_NANO),
        command(account, 0, fees),
    ]
}

fn deposit(account: u32, amount_nano: i64) -> RecordBuffer {
    command(account, 0, DepositCash { amount_nano, currency: CURRENCY, reserved: [0; 2] })
}

/// The clients of an exchange, all in one.
#[derive(Clone, Debug)]
pub struct Clients {
    random: Random,
    /// Last client order id given, per account.
    ids: [u64; ACCOUNTS as usize],
    timers: u64,
}

impl Clients {
    pub fn new(random: Random) -> Self {
        Clients { random, ids: [0; ACCOUNTS as usize], timers: 0 }
    }

    /// Something a client would send next; `time` is the exchange's.
    pub fn next(&mut self, time: u64) -> RecordBuffer {
        let account = self.random.between(1, u64::from(ACCOUNTS)) as u32;
        let instrument = self.random.between(1, u64::from(INSTRUMENTS)) as u32;
        match self.random.below(200) {
            0..130 => self.order(account, instrument, time).to_record(),
            130..160 => self.cancel(account),
            160..185 => self.replace(account),
            185..190 => command(account, instrument, CancelAllOrders { reserved: [0; 4] }),
            190..193 => deposit(account, self.random.between(1, 1_000_000) as i64),
            193..195 => {
                let amount_nano = self.random.between(1, 1_000_000) as i64;
                command(account, 0, WithdrawCash { amount_nano, currency: CURRENCY, reserved: [0; 2] })
            }
            195..196 => command(account, 0, EngageKillSwitch { reason: 1, reserved: [0; 3] }),
            196..198 => command(account, 0, ReleaseKillSwitch { reason: 1, reserved: [0; 3] }),
            _ => self.timer(time),
        }
    }

    fn order(&mut self, account: u32, instrument: u32, time: u64) -> SubmitOrder {
        let random = &mut self.random;
        let side = random.pick(&[Side::Buy, Side::Sell]);
        let quantity = random.between(1, 30) as i64;
        let price = MIDDLE - 6 + random.below(13) as i64;
        let client_order_id = next_id(&mut self.ids[account as usize - 1]);
        let limit = SubmitOrder::limit(account, instrument, client_order_id, side, price, quantity);
        match random.below(20) {
            0..2 => SubmitOrder::market(account, instrument, client_order_id, side, quantity),
            2..4 => SubmitOrder { order_type: OrderType::Stop, stop_price: price, price: 0, ..limit },
            4..6 => SubmitOrder { time_in_force: TimeInForce::Ioc, ..limit },
            6 => SubmitOrder { time_in_force: TimeInForce::Fok, ..limit },
            7 => SubmitOrder { options: options::POST_ONLY, ..limit },
            8 => {
                let expire_time = time + random.between(1, 3_000_000_000);
                SubmitOrder { time_in_force: TimeInForce::Gtd, expire_time, ..limit }
            }
            9 => SubmitOrder { parent: client_order_id.saturating_sub(1), offset_nano: 2_000_000, ..limit },
            _ => limit,
        }
    }

    /// The id of an order sent not long ago, or of one never sent.
    fn known(&mut self, account: u32) -> u64 {
        let last = self.ids[account as usize - 1];
        (last + 1).saturating_sub(self.random.below(12))
    }

    fn cancel(&mut self, account: u32) -> RecordBuffer {
        let client_order_id = self.known(account);
        command(account, 0, CancelOrder { client_order_id, reserved: [0; 3] })
    }

    fn replace(&mut self, account: u32) -> RecordBuffer {
        let client_order_id = self.known(account);
        let price = MIDDLE - 6 + self.random.below(13) as i64;
        let quantity = self.random.below(40) as i64;
        command(account, 0, ReplaceOrder { client_order_id, price, quantity, stop_price: 0 })
    }

    fn timer(&mut self, time: u64) -> RecordBuffer {
        let timer_id = next_id(&mut self.timers);
        let first_time = time + self.random.between(1, 2_000_000_000);
        command(0, 0, StartTimer { timer_id, first_time, interval_ns: 0, reserved: 0 })
    }
}

fn next_id(last: &mut u64) -> u64 {
    *last += 1;
    *last
}

/// Orders among `unanswered` records, to be sent again: whoever got no answer does not know whether they arrived.
pub fn orders_again(unanswered: &[Slot]) -> Vec<RecordBuffer> {
    let orders = records(unanswered).filter(|record| record[0].message == Message::SubmitOrder as u16);
    orders.filter_map(|record| SubmitOrder::from_record(record).ok().map(|order| order.to_record())).collect()
}
