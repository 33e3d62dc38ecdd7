use super::*;
use crate::message::Message as Kind;
use crate::observation::{BookLevelObserved, FeedGapObserved};
use crate::record::{Body, payload, split_first};

const TIME: u64 = 1_723_161_255_000_000_000;

fn config() -> BinanceConfig {
    BinanceConfig {
        instrument: 1,
        source: 7,
        price_unit: DecimalUnit::from_nano(100_000_000).unwrap(),
        quantity_unit: DecimalUnit::from_nano(1_000_000).unwrap(),
        symbol: None,
        lenient: false,
        start_time: 0,
        end_time: u64::MAX,
    }
}

fn at(offset: u64, json: &str) -> String {
    format!("{} {json}\n", TIME + offset)
}

fn envelope(data: &str) -> String {
    format!(r#"{{"stream":"btcusdt@x","data":{data}}}"#)
}

fn snapshot(offset: u64, id: u64) -> String {
    at(
        offset,
        &format!(
            r#"{{"lastUpdateId":{id},"bids":[["100.0","1.000"],["99.9","2.0"]],"asks":[["100.1","3"]]}}"#
        ),
    )
}

fn spot(offset: u64, first: u64, last: u64, bid: &str) -> String {
    at(
        offset,
        &envelope(&format!(
            r#"{{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":{first},"u":{last},"b":[["100.0","{bid}"]],"a":[]}}"#
        )),
    )
}

fn futures(offset: u64, first: u64, last: u64, previous: u64) -> String {
    at(
        offset,
        &envelope(&format!(
            r#"{{"e":"depthUpdate","E":1723161256299,"T":1723161256298,"s":"BTCUSDT","U":{first},"u":{last},"pu":{previous},"b":[],"a":[["100.2","0.5"]]}}"#
        )),
    )
}

fn decode_with(config: BinanceConfig, text: &str) -> (Result<(), DecodeError>, Vec<Slot>, BinanceDecoder) {
    let mut decoder = BinanceDecoder::new(config);
    let mut out = Vec::new();
    let result = decoder
        .decode(text.as_bytes(), &mut out)
        .and_then(|()| decoder.finish_file(&mut out))
        .and_then(|()| decoder.finish());
    (result, out, decoder)
}

fn decode(text: &str) -> Vec<Slot> {
    let (result, out, _) = decode_with(config(), text);
    result.unwrap();
    out
}

fn refused(text: &str) -> String {
    decode_with(config(), text).0.unwrap_err().to_string()
}

fn messages(slots: &[Slot]) -> Vec<&'static str> {
    let mut names = Vec::new();
    let mut rest = slots;
    while let Ok((record, after)) = split_first(rest) {
        names.push(Kind::from_number(record[0].message).unwrap().name());
        rest = after;
    }
    names
}

fn gaps(slots: &[Slot]) -> Vec<(u64, u64)> {
    let is_gap = |slot: &&Slot| slot.message == Kind::FeedGapObserved as u16;
    slots.iter().filter(is_gap).map(FeedGapObserved::of).map(|gap| (gap.expected, gap.received)).collect()
}

/// `(price, quantity, update id, flags)` of every level.
fn levels(slots: &[Slot]) -> Vec<(i64, i64, u64, u16)> {
    let is_level = |slot: &&Slot| slot.message == Kind::BookLevelObserved as u16;
    let row = |slot: &Slot| {
        let level = BookLevelObserved::of(slot);
        (level.price, level.quantity, level.update_id, slot.flags)
    };
    slots.iter().filter(is_level).map(row).collect()
}

#[test]
fn a_snapshot_clears_the_book_and_ends_with_its_last_level() {
    use flags::{CLEAR, LAST_OF_MESSAGE, SELL, SNAPSHOT};
    let slots = decode(&snapshot(0, 10));
    assert_eq!(
        levels(&slots),
        [
            (1000, 1000, 10, SNAPSHOT | CLEAR),
            (999, 2000, 10, SNAPSHOT),
            (1001, 3000, 10, SNAPSHOT | SELL | LAST_OF_MESSAGE),
        ]
    );
    assert!(slots.iter().all(|slot| (slot.time, slot.instrument, slot.source) == (TIME, 1, 7)));
}

#[test]
fn a_snapshot_without_levels_still_clears() {
    let slots = decode(&at(0, r#"{"lastUpdateId":5,"bids":[],"asks":[]}"#));
    let all = flags::SNAPSHOT | flags::CLEAR | flags::LAST_OF_MESSAGE;
    assert_eq!(levels(&slots), [(0, 0, 5, all)]);
}

#[test]
fn what_came_before_the_snapshot_is_held_and_what_it_contains_is_dropped() {
    let text = [spot(0, 1, 9, "9"), spot(1, 10, 12, "0.5"), snapshot(2, 10), spot(3, 13, 13, "0")].concat();
    let slots = decode(&text);
    assert_eq!(gaps(&slots), []);
    let after_snapshot = &levels(&slots)[3..];
    assert_eq!(
        after_snapshot,
        [(1000, 500, 12, flags::LAST_OF_MESSAGE), (1000, 0, 13, flags::LAST_OF_MESSAGE)],
        "the held update and the snapshot are one message"
    );
    assert_eq!(levels(&slots)[2].3 & flags::LAST_OF_MESSAGE, 0);
}

#[test]
fn a_missing_spot_update_is_told_once() {
    let text = [snapshot(0, 10), spot(1, 11, 12, "1"), spot(2, 14, 15, "2"), spot(3, 16, 16, "3")].concat();
    let slots = decode(&text);
    assert_eq!(gaps(&slots), [(13, 14)]);
    assert_eq!(&messages(&slots)[4..6], ["FeedGapObserved", "BookLevelObserved"]);
    assert_eq!(slots[4].flags, 0, "the gap and its update are one message");
}

#[test]
fn a_missing_futures_update_is_told_once_though_ids_have_holes() {
    let text =
        [snapshot(0, 100), futures(1, 90, 110, 85), futures(2, 130, 140, 110), futures(3, 160, 170, 150)]
            .concat();
    assert_eq!(gaps(&decode(&text)), [(140, 150)]);
}

#[test]
fn a_gap_right_behind_the_snapshot_is_told() {
    assert_eq!(gaps(&decode(&[snapshot(0, 10), spot(1, 12, 13, "1")].concat())), [(11, 12)]);
    assert_eq!(gaps(&decode(&[snapshot(0, 100), futures(1, 120, 130, 101)].concat())), [(100, 101)]);
}

#[test]
fn updates_that_repeat_or_overlap_lose_nothing() {
    let text = [snapshot(0, 10), spot(1, 11, 12, "1"), spot(2, 11, 12, "1"), spot(3, 12, 14, "2")].concat();
    let (result, slots, decoder) = decode_with(config(), &text);
    result.unwrap();
    assert_eq!(gaps(&slots), []);
    assert_eq!(decoder.counts().stale_updates, 1);
}

#[test]
fn a_snapshot_that_is_older_than_the_book_is_brought_up_to_it() {
    let text = [snapshot(0, 10), spot(1, 11, 20, "7"), spot(2, 21, 22, "8"), snapshot(3, 15)].concat();
    let slots = decode(&text);
    assert_eq!(gaps(&slots), []);
    let ids: Vec<u64> = levels(&slots).iter().map(|level| level.2).collect();
    assert_eq!(ids, [10, 10, 10, 20, 22, 15, 15, 15, 20, 22]);
}

#[test]
fn trades_carry_the_aggressor_and_one_trade_stream_is_used() {
    let trade = |offset, kind: &str, id: &str, maker| {
        at(
            offset,
            &envelope(&format!(
                r#"{{"e":"{kind}","E":1723161255343,"s":"BTCUSDT",{id},"p":"100.0","q":"0.020","T":1723161255342,"m":{maker}}}"#
            )),
        )
    };
    let text = [
        trade(0, "trade", r#""t":5"#, true),
        trade(1, "aggTrade", r#""a":3,"f":5,"l":5"#, true),
        trade(2, "trade", r#""t":6"#, false),
        at(3, r#"{"e":"trade","E":1723161255343,"T":1723161255343,"s":"BTCUSDT","t":7,"p":"0","q":"0","X":"NA","m":true}"#),
    ]
    .concat();
    let (result, slots, decoder) = decode_with(config(), &text);
    result.unwrap();
    let sides: Vec<_> =
        slots.iter().map(|slot| (TradeObserved::of(slot).trade_id, slot.has(flags::SELL))).collect();
    assert_eq!(sides, [(5, true), (6, false)]);
    assert_eq!(TradeObserved::of(&slots[0]).exchange_time, 1_723_161_255_342_000_000);
    assert_eq!(
        decoder.counts().unused_kinds().collect::<Vec<_>>(),
        [("second trade stream", 1), ("trade outside the market", 1)]
    );
}

#[test]
fn a_quote_carries_its_update_id_in_a_continuation() {
    let text =
        at(0, r#"{"u":50093239212,"s":"BTCUSDT","b":"100.00000000","B":"3.78800000","a":"0.00","A":"0.00"}"#);
    let slots = decode(&text);
    let (record, rest) = split_first(&slots).unwrap();
    assert!(rest.is_empty());
    assert_eq!(QuoteObserved::of(&record[0]).bid_quantity, 3788);
    assert_eq!(payload::<QuotePayload>(record).unwrap().update_id, 50_093_239_212);
    assert!(record[0].has(flags::LAST_OF_MESSAGE) && record.iter().all(|slot| slot.time == TIME));
}

#[test]
fn each_defect_names_line_field_found_and_expected() {
    let good = snapshot(0, 10);
    for (bad, expected) in [
        ("x {}", r#"line 2, local time: found "x", expected UTC nanoseconds, a space, then JSON"#),
        ("1723161255208 {}", "expected UTC nanoseconds, 18 or 19 digits"),
        ("1723161255000000001", "line 2, JSON: found nothing, expected a JSON object after the local time"),
        (
            r#"1723161255000000001 {"stream":"btcusdt@depth","data":{"e":"depthUpdate","E":1723"#,
            r#"line 2, JSON: found a line cut off after "a\":{\"e\":\"depthUpdate\",\"E\":1723", expected one complete"#,
        ),
        ("1723161255000000001 {]", "line 2, JSON: found key must be a string at byte 2"),
        (r#"1723161255000000001 {"u":1,"u":2}"#, "field u twice"),
        (r#"1723161255000000001 {"x":1}"#, "line 2, message: found"),
        (
            r#"1723161255000000001 {"e":"trade","T":1,"s":"BTCUSDT","t":1,"q":"1","m":true}"#,
            "line 2, p: found no such field, expected a string",
        ),
        (
            r#"1723161255000000001 {"e":"trade","T":1,"s":"BTCUSDT","t":1,"p":"abc","q":"1","m":true}"#,
            r#"line 2, p: found "abc", expected a decimal number"#,
        ),
        (
            r#"1723161255000000001 {"e":"trade","T":1,"s":"BTCUSDT","t":1,"p":"0.0","q":"1","m":true}"#,
            "expected a number above 0",
        ),
        (
            r#"1723161255000000001 {"e":"trade","T":1,"s":"BTCUSDT","t":1,"p":"100.05","q":"1","m":true}"#,
            r#"line 2, p: found "100.05", expected a multiple of 0.1"#,
        ),
        (
            r#"1723161255000000001 {"e":"trade","T":1,"s":"BTCUSDT","t":1,"p":"100.0","q":"1","m":1}"#,
            "line 2, m: found \"1\", expected true or false",
        ),
        (
            r#"1723161255000000001 {"e":"depthUpdate","E":1,"s":"BTCUSDT","U":11,"u":12,"b":[["1.0","1"],["2.0",1]],"a":[]}"#,
            r#"line 2, b[1]: found ",[\"2.0\",1]]", expected ["price", "quantity"]"#,
        ),
        (
            r#"1723161255000000001 {"e":"depthUpdate","E":1,"s":"BTCUSDT","U":11,"u":12,"b":[],"a":[["1.0","-1"]]}"#,
            r#"line 2, a[0].quantity: found "-1", expected a decimal number"#,
        ),
        (
            r#"1723161255000000001 {"e":"depthUpdate","E":1,"s":"BTCUSDT","U":13,"u":12,"b":[],"a":[]}"#,
            r#"line 2, U: found 13, expected at most u = 12"#,
        ),
        ("1723161254999999999 {\"result\":null,\"id\":1}", "no time before that of the line above"),
    ] {
        let message = refused(&format!("{good}{bad}\n"));
        assert!(message.contains(expected) && message.contains("line 2"), "{message}\n  wanted {expected}");
    }
}

#[test]
fn a_second_symbol_is_an_error_unless_one_was_named() {
    let other = spot(1, 11, 12, "1").replace("BTCUSDT", "ETHUSDT");
    let text = [snapshot(0, 10), spot(0, 11, 11, "1"), other].concat();
    assert!(refused(&text).contains(r#"line 3, s: found "ETHUSDT", expected "BTCUSDT""#));
    let named = BinanceConfig { symbol: Some("BTCUSDT".into()), ..config() };
    let (result, slots, decoder) = decode_with(named, &text);
    result.unwrap();
    assert_eq!((levels(&slots).len(), decoder.counts().other_symbol), (4, 1));
}

#[test]
fn lenient_decoding_counts_what_it_skips_and_a_skipped_update_is_a_gap() {
    let cut = &spot(2, 12, 12, "1")[..80];
    let text = [snapshot(5, 10), spot(6, 11, 11, "1"), format!("{cut}\n"), "\n".into(), spot(3, 13, 13, "2")]
        .concat();
    let (result, slots, decoder) = decode_with(BinanceConfig { lenient: true, ..config() }, &text);
    result.unwrap();
    let counts = decoder.counts();
    assert_eq!(gaps(&slots), [(12, 13)]);
    assert_eq!(
        (counts.skipped(Defect::Json), counts.skipped(Defect::TimeStepsBack), counts.blank),
        (1, 1, 1)
    );
    assert!(slots.windows(2).all(|pair| pair[0].time <= pair[1].time), "the clock is held still");
}

#[test]
fn updates_without_any_snapshot_are_an_error_as_soon_as_they_would_be_lost() {
    assert!(refused(&spot(0, 1, 2, "1")).contains("no snapshot up to the end of the data"));
    let many: String = (1..=HELD_MESSAGES as u64 + 1).map(|id| spot(id, id, id, "1")).collect();
    let (result, _, _) = decode_with(config(), &many);
    assert_eq!(result.unwrap_err().line, HELD_MESSAGES as u64 + 1);
    let (result, _, decoder) = decode_with(BinanceConfig { lenient: true, ..config() }, &many);
    result.unwrap();
    assert_eq!(decoder.counts().skipped(Defect::NoSnapshot), HELD_MESSAGES as u64 + 1);
}

#[test]
fn a_later_start_shows_the_book_as_it_stands_then_and_a_gap_that_is_still_open() {
    let text = [snapshot(0, 10), spot(1, 12, 12, "0"), spot(5, 13, 13, "4"), spot(9, 14, 14, "5")].concat();
    let window = BinanceConfig { start_time: TIME + 5, end_time: TIME + 9, ..config() };
    let (result, slots, decoder) = decode_with(window, &text);
    result.unwrap();
    let prices: Vec<_> = levels(&slots).iter().map(|level| (level.0, level.1, level.2)).collect();
    assert_eq!(prices, [(999, 2000, 12), (1001, 3000, 12), (1000, 4000, 13)]);
    assert_eq!(gaps(&slots), [(11, 12)]);
    assert!(slots[0].has(flags::CLEAR | flags::SNAPSHOT));
    assert!(slots.iter().all(|slot| slot.time == TIME + 5));
    assert!(decoder.ended() && decoder.counts().before_start == 2);
}

#[test]
fn the_result_does_not_depend_on_how_the_bytes_are_cut() {
    let text = [spot(0, 10, 12, "0.5"), snapshot(2, 10), spot(3, 13, 13, "0"), spot(4, 15, 15, "3")].concat();
    let whole = decode(&text);
    for size in 1..40 {
        let mut decoder = BinanceDecoder::new(config());
        let mut out = Vec::new();
        text.as_bytes().chunks(size).for_each(|chunk| decoder.decode(chunk, &mut out).unwrap());
        decoder.finish_file(&mut out).unwrap();
        assert_eq!(out, whole, "chunks of {size} bytes");
    }
}

#[test]
fn a_book_goes_on_from_one_file_to_the_next() {
    let mut decoder = BinanceDecoder::new(config());
    let mut out = Vec::new();
    for file in [[snapshot(0, 10), spot(1, 11, 11, "1")].concat(), spot(2, 12, 12, "2")] {
        decoder.decode(file.trim_end().as_bytes(), &mut out).unwrap();
        decoder.finish_file(&mut out).unwrap();
    }
    decoder.finish().unwrap();
    assert_eq!((gaps(&out).len(), levels(&out).len()), (0, 5));
    let error = decoder.decode(b"\nnonsense\n", &mut out).unwrap_err();
    assert_eq!(error.line, 2, "lines are counted anew in each file");
}

#[test]
fn a_scan_finds_the_finest_decimals_and_the_symbol() {
    let mut scan = UnitScan::new(None, false);
    scan.feed([snapshot(0, 10), spot(1, 11, 11, "0.00120")].concat().as_bytes()).unwrap();
    scan.finish_file().unwrap();
    assert_eq!(
        (scan.price_decimals(), scan.quantity_decimals(), scan.symbol()),
        (Some(1), Some(4), "BTCUSDT")
    );
}

mod random {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_input_makes_the_decoder_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            at_byte in 0usize..400,
            lenient: bool,
        ) {
            let mut text = [snapshot(0, 10), spot(1, 11, 11, "1"), futures(2, 12, 13, 11)].concat().into_bytes();
            text.splice(at_byte.min(text.len())..(at_byte + bytes.len()).min(text.len()), bytes);
            let mut decoder = BinanceDecoder::new(BinanceConfig { lenient, ..config() });
            let mut out = Vec::new();
            let _ = decoder.decode(&text, &mut out).and_then(|()| decoder.finish_file(&mut out));
        }

        #[test]
        fn one_changed_byte_is_an_error_or_leaves_whole_records(at_byte in 0usize..400, byte: u8) {
            let mut text = [snapshot(0, 10), spot(1, 11, 11, "1"), futures(2, 12, 13, 11)].concat().into_bytes();
            let place = at_byte % text.len();
            text[place] = byte;
            let mut decoder = BinanceDecoder::new(config());
            let mut out = Vec::new();
            let _ = decoder.decode(&text, &mut out);
            let mut rest = &out[..];
            while !rest.is_empty() {
                rest = split_first(rest).unwrap().1;
            }
        }
    }
}
