//! The SMA cross 10/20 on GOOG's daily bars as backtesting.py 0.6.6 trades it: cash 10,000, commission 0.2 %
//! each side, whole shares, all-in, next open.
//!
//! Its `finalize_trades` closes the last trade at the *open* of the last bar (it processes the closing order
//! once more against that bar), for a final equity of 55,574.51294. Closed at the last close, which is the
//! price one could still have had, the same trades end at 56,152.26512: 69 shares x 8.39 more, less 0.2 % of it.

use std::path::PathBuf;

use openbell_kernel::terms::{Side, Sizing};
use openbell_kernel::venue::VenueOrder;
use openbell_kernel::venue::simulated::fill_options;

use crate::floor::{Floor, bar, market, terms};

const DAY: u64 = 86_400_000_000_000;

/// Open, high, low, close in cents, and volume.
type Row = ([i64; 4], i64);

fn rows() -> Option<Vec<Row>> {
    let root = std::env::var_os("OPENBELL_DATA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join("ohlcv/backtesting_GOOG.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there; set OPENBELL_DATA to the folder of real data", path.display());
        return None;
    };
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let prices = [1, 2, 3, 4].map(|column| cents(fields[column]));
        (prices, fields[5].parse().unwrap())
    };
    Some(text.lines().skip(1).map(row).collect())
}

fn cents(decimal: &str) -> i64 {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    assert!(fraction.len() <= 2, "{decimal} is finer than a cent");
    format!("{whole}{fraction:0<2}").parse().unwrap()
}

/// Sum of the last `period` closes up to `index`, as often as makes sums of both periods comparable.
fn sum(rows: &[Row], index: usize, period: usize) -> i64 {
    rows[index + 1 - period..=index].iter().map(|row| row.0[3]).sum::<i64>() * (20 / period as i64)
}

fn side_of_cross(rows: &[Row], index: usize) -> Option<Side> {
    let slow_start = 20;
    if index < slow_start {
        return None;
    }
    let above = |index| sum(rows, index, 10).cmp(&sum(rows, index, 20));
    match (above(index - 1), above(index)) {
        (std::cmp::Ordering::Less, std::cmp::Ordering::Greater) => Some(Side::Buy),
        (std::cmp::Ordering::Greater, std::cmp::Ordering::Less) => Some(Side::Sell),
        _ => None,
    }
}

fn run(rows: &[Row], options: u64) -> Floor {
    let mut terms = terms();
    terms.options = options;
    let mut floor = Floor::new(terms);
    floor.books.cash_nano = 1_000_000 * 1_000_000_000;
    floor.books.fee_rate = 2_000_000;
    let mut id = 0;
    for (index, &(prices, volume)) in rows.iter().enumerate() {
        let open_time = index as u64 * DAY;
        floor.observe(bar(1, open_time, open_time + DAY, prices, volume, true), open_time + DAY);
        if let Some(side) = side_of_cross(rows, index) {
            close(&mut floor, &mut id);
            id += 1;
            floor.submit(VenueOrder { sizing: Sizing::Percent, ..market(id, side, 1_000_000_000) });
        }
    }
    let end = floor.time;
    floor.finish(end);
    close(&mut floor, &mut id);
    floor
}

fn close(floor: &mut Floor, id: &mut u64) {
    let position = floor.books.position(1, 1);
    if position != 0 {
        *id += 1;
        let side = if position > 0 { Side::Sell } else { Side::Buy };
        floor.submit(VenueOrder { sizing: Sizing::ClosePosition, ..market(*id, side, 0) });
    }
}

#[test]
fn the_sma_cross_on_goog_makes_the_trades_and_the_equity_of_backtesting_py() {
    let Some(rows) = rows() else { return };
    assert_eq!(rows.len(), 2_148);
    let floor = run(&rows, fill_options::CLOSE_OUT_AT_OPEN);
    let fills = floor.prices();
    if std::env::var_os("OPENBELL_PRINT").is_some() {
        for pair in fills.chunks(2) {
            println!("{} {} {}", pair[0].2, pair[0].1, pair[1].1);
        }
    }
    assert_eq!(fills.len(), 2 * 94, "94 trades, each opened and closed");
    assert_eq!(floor.books.position(1, 1), 0);
    assert_eq!(floor.books.cash_nano, 5_557_451_294_000_000, "55,574.51294 in 10^-9 cents");
}

#[test]
fn closed_at_the_last_close_the_same_run_ends_where_the_explanation_says() {
    let Some(rows) = rows() else { return };
    let floor = run(&rows, 0);
    assert_eq!(floor.prices().len(), 2 * 94);
    assert_eq!(floor.books.cash_nano, 5_615_226_512_000_000);
}
