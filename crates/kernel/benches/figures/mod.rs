//! Figures for the table of `make bench`; see `benchmarks/figures.py`.

use std::fs::OpenOptions;
use std::io::Write;

/// Keeps one figure in the file named by `OPENBELL_BENCH_FIGURES`, if there is one.
pub fn tell(figure: &str, value: f64) {
    let Some(path) = std::env::var_os("OPENBELL_BENCH_FIGURES") else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{figure}\t{value:?}").unwrap();
}
