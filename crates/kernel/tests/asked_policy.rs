//! A matching policy outside the kernel: what it is asked, how its answers are kept, and that nothing but shares differs.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code)] // the benchmark uses the rest
mod order_flow;

use openbell_kernel::command::{SetMatchingPolicy, SubmitOrder, policy_kind};
use openbell_kernel::engine::{AnyVenue, Engine};
use openbell_kernel::event::{BookLevelChanged, OrderFilled, TradeExecuted};
use openbell_kernel::message::{Message, MessageKind};
use openbell_kernel::node::{Input, Mode, Node, NodeError, Poll};
use openbell_kernel::observation::AllocationAssessed;
use openbell_kernel::record::{Body, RecordBuffer, Slot, split_first};
use openbell_kernel::special_terms::SpecialTerms;
use openbell_kernel::state::{State, StateReader, StateWriter};
use openbell_kernel::terms::{OrderType, Side};
use order_flow::{Day, Flow};

/// What a policy is asked: incoming quantity and those that rest.
type Policy = fn(i64, &[i64]) -> Vec<i64>;

/// Pro rata, rounded down, the rest by time: slow and obvious, as `policy_kind::ALLOCATION` with a minimum of 1 has it.
fn pro_rata(incoming: i64, resting: &[i64]) -> Vec<i64> {
    let total: i64 = resting.iter().sum();
    let mut shares: Vec<i64> = resting.iter().map(|quantity| quantity * incoming / total).collect();
    let mut left = incoming - shares.iter().sum::<i64>();
    for (share, quantity) in shares.iter_mut().zip(resting) {
        let more = left.min(quantity - *share);
        *share += more;
        left -= more;
    }
    shares
}

/// The last that came is served first.
fn last_first(incoming: i64, resting: &[i64]) -> Vec<i64> {
    let mut left = incoming;
    let mut shares: Vec<i64> = resting
        .iter()
        .rev()
        .map(|quantity| {
            let share = left.min(*quantity);
            left -= share;
            share
        })
        .collect();
    shares.reverse();
    shares
}

/// Everything a node was told, and what it said.
struct Played {
    node: Node,
    output: Vec<Slot>,
    tape: Vec<Slot>,
}

/// A sink that keeps all records.
#[derive(Clone, Debug, Default)]
struct Tape(std::sync::Arc<std::sync::Mutex<Vec<Slot>>>);

impl openbell_kernel::node::RecordSink for Tape {
    fn append(
        &mut self,
        record: &[Slot],
        _input: Option<u16>,
    ) -> Result<(), openbell_kernel::journal::JournalError> {
        self.0.lock().unwrap().extend_from_slice(record);
        Ok(())
    }

    fn commit(
        &mut self,
        _state: Option<(u64, u128)>,
        _output: u128,
    ) -> Result<u64, openbell_kernel::journal::JournalError> {
        Ok(self.0.lock().unwrap().last().map_or(0, |slot| slot.sequence))
    }

    fn durable_sequence(&mut self) -> Result<u64, openbell_kernel::journal::JournalError> {
        self.commit(None, 0)
    }

    fn close(
        mut self: Box<Self>,
        state: Option<(u64, u128)>,
        output: u128,
    ) -> Result<u64, openbell_kernel::journal::JournalError> {
        self.commit(state, output)
    }
}

fn set_policy(instrument: u32, policy: u64) -> RecordBuffer {
    let minimum = i64::from(policy == policy_kind::ALLOCATION);
    let mut record =
        RecordBuffer::new(SetMatchingPolicy { policy, minimum, by_time: 0, leveling: 0, reserved: 0 });
    record.head_mut().instrument = instrument;
    record
}

/// Set-up of two instruments and three accounts under `policy`, and the rest of the day's records.
fn day(seed: u64, commands: usize) -> (Vec<Slot>, Vec<Slot>) {
    let day = Day { seed, accounts: 3, instruments: 2, live: 60, has_specials: true };
    let set_up = Flow::new(day).records().len();
    let (mut records, _) = Flow::of_day(day, commands);
    let orders = records.split_off(set_up);
    (records, orders)
}

/// Closer together, so that many rest at one price.
fn coarse(price: i64) -> i64 {
    let away = price - 10_000;
    if price == 0 { 0 } else { 10_000 + away.signum() * ((away.abs() + 63) / 64) }
}

/// The day's orders at few prices, every third of those that may rest an iceberg that shows 2.
fn with_icebergs(orders: &[Slot]) -> Vec<Slot> {
    let (mut rest, mut out, mut count) = (orders, Vec::new(), 0);
    while let Ok((record, after)) = split_first(rest) {
        rest = after;
        let message = Message::from_number(record[0].message).unwrap();
        if message == Message::StartTimer {
            continue; // there is no participant to fire for
        }
        let Some(mut order) =
            SubmitOrder::from_record(record).ok().filter(|_| message == Message::SubmitOrder)
        else {
            out.extend_from_slice(record);
            continue;
        };
        (order.price, order.stop_price) = (coarse(order.price), coarse(order.stop_price));
        count += 1;
        let rests = order.order_type == OrderType::Limit && order.time_in_force as u8 <= 3;
        let display_quantity = if rests && count % 3 == 0 && order.quantity > 2 { 2 } else { 0 };
        let mut made = order.to_record_with(&SpecialTerms { display_quantity, ..SpecialTerms::default() });
        made.slots_mut().iter_mut().for_each(|slot| slot.time = record[0].time);
        out.extend_from_slice(made.slots());
    }
    out
}

fn begin(set_up: &[Slot], policy: u64) -> (Node, Tape) {
    let tape = Tape::default();
    let mut node = Node::new(0, Mode::Run, Some(Box::new(tape.clone())));
    let mut rest = set_up;
    while let Ok((record, after)) = split_first(rest) {
        rest = after;
        node.submit(&mut record.to_vec(), record[0].time).unwrap();
    }
    for instrument in 1..=2 {
        node.command(set_policy(instrument, policy));
    }
    drive(&mut node, &[], pro_rata, |_| {}).unwrap();
    (node, tape)
}

/// Feeds `orders`; `look` sees the node at each question.
fn drive(
    node: &mut Node,
    orders: &[Slot],
    policy: Policy,
    mut look: impl FnMut(&mut Node),
) -> Result<(), NodeError> {
    let mut input = Input::new(orders, Some(0));
    loop {
        match node.poll(&mut input, 1_000)? {
            Poll::Idle => return Ok(()),
            Poll::Allocation => {
                look(node);
                let (_, question) = node.engine().allocation_question().unwrap();
                let shares = policy(question.incoming, &question.resting);
                node.answer_allocation(&shares);
            }
            _ => {}
        }
    }
}

fn play(seed: u64, commands: usize, policy: u64, asked: Policy) -> Played {
    let (set_up, orders) = day(seed, commands);
    let (mut node, tape) = begin(&set_up, policy);
    drive(&mut node, &with_icebergs(&orders), asked, |_| {}).unwrap();
    let output = node.take_output();
    let tape = tape.0.lock().unwrap().clone();
    Played { node, output, tape }
}

/// What was said, without the numbers that follow from where a record stands.
fn told(output: &[Slot]) -> Vec<(Message, u32, u32, [u64; 3])> {
    let heads = output.iter().filter(|slot| slot.message != Message::Continuation as u16);
    heads
        .map(|slot| {
            let message = Message::from_number(slot.message).unwrap();
            let words = match message {
                Message::TradeExecuted => {
                    let TradeExecuted { price, quantity, .. } = TradeExecuted::of(slot);
                    [price as u64, quantity as u64, 0]
                }
                Message::BookLevelChanged => {
                    let BookLevelChanged { price, quantity, orders, .. } = BookLevelChanged::of(slot);
                    [price as u64, quantity as u64, orders]
                }
                // What follows is an order's number, which is that of its record.
                Message::OrderAccepted
                | Message::PositionOpened
                | Message::PositionChanged
                | Message::PositionClosed => [slot.body[1], 0, 0],
                _ => [slot.body[1], slot.body[2], slot.body[3]],
            };
            (message, slot.account, slot.instrument, words)
        })
        .collect()
}

fn count(slots: &[Slot], message: Message) -> usize {
    slots.iter().filter(|slot| slot.message == message as u16).count()
}

#[test]
fn a_policy_that_is_asked_differs_from_the_kernels_own_in_nothing_but_where_records_stand() {
    for seed in 1..=6 {
        let ours = play(seed, 1_500, policy_kind::ALLOCATION, pro_rata);
        let asked = play(seed, 1_500, policy_kind::ASKED, pro_rata);
        assert!(count(&asked.tape, Message::AllocationAssessed) > 10, "seed {seed}: hardly ever asked");
        assert_eq!(count(&ours.tape, Message::AllocationAssessed), 0);
        let (ours, asked) = (told(&ours.output), told(&asked.output));
        let first = ours.iter().zip(&asked).position(|(ours, asked)| ours != asked);
        let shown = first.map(|at| (at, &ours[at - 3..at + 3], &asked[at - 3..at + 3]));
        assert_eq!(
            (shown, ours.len()),
            (None, asked.len()),
            "seed {seed}: cargo test -p openbell-kernel --test asked_policy"
        );
    }
}

#[test]
fn another_policy_is_another_market() {
    let by_rate = play(1, 400, policy_kind::ASKED, pro_rata);
    let by_age = play(1, 400, policy_kind::ASKED, last_first);
    assert_ne!(told(&by_rate.output), told(&by_age.output));
}

#[test]
fn a_journal_replays_without_the_policy() {
    let mut played = play(2, 1_500, policy_kind::ASKED, last_first);
    let mut node = Node::new(0, Mode::Replay, None);
    let mut input = Input::new(&played.tape, None);
    while node.poll(&mut input, 1_000).unwrap() != Poll::Idle {}
    assert_eq!((node.sequence(), node.output_hash()), (played.node.sequence(), played.node.output_hash()));
    assert_eq!(node.state_hash(), played.node.state_hash());
}

#[test]
fn a_rerun_asks_again_and_names_the_first_share_that_differs() {
    let played = play(3, 400, policy_kind::ASKED, pro_rata);
    let rerun = |policy: Policy| {
        let mut node = Node::new(0, Mode::Rerun, None);
        drive(&mut node, &played.tape, policy, |_| {})
    };
    rerun(pro_rata).unwrap();
    let found = rerun(last_first).unwrap_err().to_string();
    let parts = ["the journal has AllocationAssessed(order ", "this run sent AllocationAssessed(order "];
    assert!(parts.iter().all(|part| found.contains(part)), "{found}");
}

#[test]
fn a_state_saved_while_a_level_waits_has_the_same_question_hash_and_future() {
    let (set_up, orders) = day(4, 1_500);
    let orders = with_icebergs(&orders);
    let (mut node, tape) = begin(&set_up, policy_kind::ASKED);
    let mut saved: Vec<(Vec<u8>, u128, u64)> = Vec::new();
    drive(&mut node, &orders, last_first, |node| {
        let mut writer = StateWriter::new();
        node.write_state(&mut writer);
        saved.push((writer.into_bytes(), node.state_hash(), node.sequence()));
    })
    .unwrap();
    assert!(saved.len() > 10, "{} questions", saved.len());
    let tape = tape.0.lock().unwrap().clone();
    for (bytes, hash, sequence) in saved {
        let mut reader = StateReader::new(&bytes);
        let mut restored = Node::read_state(&mut reader, Mode::Replay).unwrap();
        assert!(restored.engine().allocation_question().is_some());
        assert_eq!(restored.state_hash(), hash, "restored at {sequence}");
        let first = tape.iter().position(|slot| slot.sequence > sequence).unwrap();
        let mut input = Input::new(&tape[first..], None);
        while restored.poll(&mut input, 1_000).unwrap() != Poll::Idle {}
        assert_eq!(restored.output_hash(), node.output_hash(), "restored at {sequence}");
        assert_eq!(restored.state_hash(), node.state_hash(), "restored at {sequence}");
    }
}

/// `sellers` offers of 10 at 100, then a buy of `incoming`; the question is open.
fn waiting(sellers: u64, incoming: i64) -> (Node, Tape) {
    let (set_up, _) = day(1, 0);
    let (mut node, tape) = begin(&set_up, policy_kind::ASKED);
    for id in 1..=sellers {
        node.command(SubmitOrder::limit(1, 1, id, Side::Sell, 100, 10).to_record());
    }
    node.command(SubmitOrder::limit(2, 1, 1, Side::Buy, 100, incoming).to_record());
    assert_eq!(poll(&mut node).unwrap(), Poll::Allocation);
    (node, tape)
}

/// Runs what waits.
fn poll(node: &mut Node) -> Result<Poll, NodeError> {
    let mut nothing = Input::NONE;
    node.poll(&mut nothing, 1_000_000)
}

fn fills(node: &mut Node) -> Vec<(u64, i64)> {
    let output = node.take_output();
    let filled =
        output.iter().filter(|slot| slot.message == Message::OrderFilled as u16 && slot.account == 1);
    filled
        .map(|slot| {
            let OrderFilled { order_id, last_quantity, .. } = OrderFilled::of(slot);
            (node.engine().orders().get(order_id).unwrap().request.client_order_id, last_quantity)
        })
        .collect()
}

#[test]
fn nothing_has_happened_while_a_level_waits_and_its_answer_comes_next() {
    let (mut node, tape) = waiting(3, 12);
    let (instrument, question) = node.engine().allocation_question().unwrap();
    assert_eq!(
        (instrument, question.incoming, question.price, &question.resting[..]),
        (1, 12, 100, &[10, 10, 10][..])
    );
    assert_eq!(fills(&mut node), []);
    node.answer_allocation(&[0, 10, 2]);
    assert_eq!(poll(&mut node).unwrap(), Poll::Idle);
    assert_eq!(fills(&mut node), [(2, 10), (3, 2)]);
    let tape = tape.0.lock().unwrap();
    let last = tape.iter().rev().find(|slot| slot.message != Message::Continuation as u16).unwrap();
    let body = AllocationAssessed::of(last);
    assert_eq!((last.message, last.instrument), (Message::AllocationAssessed as u16, 1));
    assert_eq!((body.price, body.incoming, body.orders, body.from), (100, 12, 3, 0));
    assert_eq!(Message::AllocationAssessed.kind(), MessageKind::Observation);
}

#[test]
fn a_level_of_more_orders_than_a_record_holds_is_answered_in_several() {
    let (mut node, tape) = waiting(100, 995);
    let shares: Vec<i64> = (0..100).map(|at| if at == 50 { 5 } else { 10 }).collect();
    node.answer_allocation(&shares);
    assert_eq!(poll(&mut node).unwrap(), Poll::Idle);
    assert_eq!(count(&tape.0.lock().unwrap(), Message::AllocationAssessed), 3);
    let filled = fills(&mut node);
    assert_eq!((filled.len(), filled[50]), (100, (51, 5)));
}

#[test]
fn what_is_no_answer_stops_the_engine_and_says_why() {
    for (shares, part) in [
        (&[5, 5][..], "shares"),
        (&[10, 10, 10], "do not come to 12"),
        (&[11, 1, 0], "do not come to 12 within their bounds"),
        (&[-1, 10, 3], "within their bounds"),
    ] {
        let (mut node, _) = waiting(3, 12);
        node.answer_allocation(shares);
        match poll(&mut node) {
            Err(found) => assert!(found.to_string().contains(part), "{found}"),
            // Too few shares are a part of an answer: the rest is asked for, and comes to nothing.
            Ok(poll) => assert_eq!((poll, shares.len()), (Poll::Allocation, 2)),
        }
    }
}

#[test]
fn anything_but_the_answer_stops_the_engine() {
    let (node, tape) = waiting(3, 12);
    drop(node);
    let mut records = tape.0.lock().unwrap().clone();
    let mut other = SubmitOrder::limit(1, 1, 99, Side::Sell, 100, 10).to_record();
    let last = records.last().unwrap();
    let (sequence, time) = (last.sequence + 1, last.time);
    openbell_kernel::record::stamp(other.slots_mut(), sequence, time);
    records.extend_from_slice(other.slots());
    let mut replayed = Node::new(0, Mode::Replay, None);
    let found = replayed.poll(&mut Input::new(&records, None), 1_000_000).unwrap_err().to_string();
    assert!(found.contains("a match waits for AllocationAssessed and SubmitOrder came"), "{found}");
}

#[test]
fn orders_of_an_account_that_a_participant_trades_for_are_no_data() {
    let (set_up, orders) = day(1, 5);
    let (mut node, _) = begin(&set_up, policy_kind::PRICE_TIME);
    let mut register = RecordBuffer::new(openbell_kernel::command::RegisterParticipant {
        feed_latency_ns: 0,
        history: 0,
        warm_up: 0,
        reserved: 0,
    });
    (register.head_mut().source, register.head_mut().account) = (1, 1);
    node.command(register);
    let found = drive(&mut node, &orders, pro_rata, |_| {}).unwrap_err().to_string();
    assert!(found.contains("SubmitOrder is neither an observation nor an order of an account"), "{found}");
}

#[test]
fn a_restored_venue_goes_on_asking() {
    let (node, _) = waiting(2, 5);
    let mut writer = StateWriter::new();
    node.engine().write(&mut writer);
    let bytes = writer.into_bytes();
    let engine = Engine::read(&mut StateReader::new(&bytes)).unwrap();
    let AnyVenue::Matching(venue) = &engine.venues()[0] else { panic!("another venue") };
    assert_eq!(venue.allocation_question().unwrap().1.resting, [10, 10]);
    let mut again = StateWriter::new();
    engine.write(&mut again);
    assert_eq!(bytes, again.into_bytes());
}
