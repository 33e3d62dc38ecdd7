//! The seqlock under loom, which runs every order of events that the memory model allows.
//!
//! The source itself is compiled here once more, with loom's atomics in the place of the real ones.
#![allow(dead_code)]

mod sync {
    pub use loom::sync::Arc;
    pub use loom::sync::atomic::{AtomicU64, Ordering, fence};
}

#[path = "../src/seqlock.rs"]
mod seqlock;

use seqlock::seqlock;

#[test]
fn a_reader_sees_all_words_of_one_write_or_is_told_to_read_again() {
    loom::model(|| {
        let (mut writer, reader) = seqlock(2);
        let reading = loom::thread::spawn(move || {
            let mut words = [0; 2];
            if let Some(writes) = reader.try_read(&mut words) {
                assert_eq!(words, [writes, writes * 10], "a mixture was returned");
            }
        });
        writer.write(&[1, 10]);
        writer.write(&[2, 20]);
        reading.join().unwrap();
    });
}

#[test]
fn a_later_read_never_goes_back() {
    loom::model(|| {
        let (mut writer, reader) = seqlock(1);
        let reading = loom::thread::spawn(move || {
            let mut words = [0; 1];
            let first = reader.try_read(&mut words);
            let second = reader.try_read(&mut words);
            if let (Some(first), Some(second)) = (first, second) {
                assert!(first <= second);
            }
        });
        writer.write(&[1]);
        reading.join().unwrap();
    });
}
