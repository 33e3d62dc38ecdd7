//! A start that is refused touches nothing: every byte and every time of change in the directory is as it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openbell_kernel::disk::RealDisk;
use openbell_kernel::journal::{Identity, JournalWriter, OpenOptions, Settings};
use openbell_kernel::node::{Mode, Node};
use openbell_kernel::observation::ClockAdvanced;
use openbell_kernel::record::{RecordBuffer, stamp};
use openbell_kernel::snapshot::{Owner, RestartOptions, SnapshotStore, replay_to_end, restart};

use crate::{records, run};

type Content = BTreeMap<PathBuf, (Option<Vec<u8>>, (i64, i64))>;

/// Of every file its bytes, of every file and directory when it was changed.
fn content(directory: &Path) -> Content {
    let changed = |path: &Path| {
        let found = fs::metadata(path).unwrap();
        (found.mtime(), found.mtime_nsec())
    };
    let mut found = BTreeMap::from([(directory.to_owned(), (None, changed(directory)))]);
    for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.insert(path.clone(), (Some(fs::read(&path).unwrap()), changed(&path)));
        }
    }
    found
}

struct Left {
    directory: PathBuf,
    sequence: u64,
}

impl Left {
    fn journal(&self) -> PathBuf {
        self.directory.join("journal")
    }

    fn options(&self) -> RestartOptions {
        let open = OpenOptions { accept_any_file_system: true, ..OpenOptions::default() };
        RestartOptions {
            snapshots: Some(self.journal().join("snapshots")),
            open,
            ..RestartOptions::default()
        }
    }

    /// What a killed process leaves: a batch that nobody confirmed in the watermark, and the begin of another one.
    fn killed(name: &str) -> Self {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("refused-{name}"));
        fs::remove_dir_all(&directory).ok();
        let path = directory.join("journal");
        let settings = Settings::durable().with_segment_size(64 << 10);
        let identity = Identity::new(crate::EPOCH, 1, "test");
        let mut journal =
            JournalWriter::create_anywhere(Arc::new(RealDisk), &path, &identity, settings).unwrap();
        let (mut node, all) = (Node::new(0, Mode::Replay, None), records(11, 900));
        for batch in all.chunk_by(|one, other| one.sequence / 8 == other.sequence / 8) {
            run(&mut node, batch);
            journal.append(batch).unwrap();
            journal.commit(node.checkpoint(), node.output_hash()).unwrap();
        }
        let owner = Owner { epoch: crate::EPOCH, shard: 0, configuration: 0 };
        let store = SnapshotStore::new(Arc::new(RealDisk), &path.join("snapshots"), owner);
        store.save(&mut node, journal.position()).unwrap();
        let left = Left { directory, sequence: node.sequence() };
        left.write_behind(&journal, &[7; 300]);
        left
    }

    fn write_behind(&self, journal: &JournalWriter, bytes: &[u8]) {
        use std::os::unix::fs::FileExt;
        let end = journal.position();
        let segment = self.journal().join(format!("{:08}.seg", end.segment));
        let file = fs::OpenOptions::new().write(true).open(segment).unwrap();
        file.write_all_at(bytes, end.offset).unwrap();
    }

    /// Adds a record that stops the engine, without telling the watermark, and a torn tail behind it.
    fn poisoned(name: &str) -> Self {
        let left = Left::killed(name);
        let (mut node, at_end) = replay(&left).unwrap();
        let (mut journal, _) = at_end.go_on(&mut node).unwrap();
        let output_hash = node.output_hash();
        let mut record = RecordBuffer::new(ClockAdvanced { reserved: [0; 4] });
        stamp(record.slots_mut(), journal.next_sequence(), 5);
        journal.append(record.slots()).unwrap();
        let watermark = left.journal().join("WATERMARK");
        let before = fs::read(&watermark).unwrap();
        journal.commit(None, output_hash).unwrap();
        left.write_behind(&journal, &[9; 700]);
        drop(journal);
        fs::write(&watermark, before).unwrap();
        left
    }
}

fn replay(
    left: &Left,
) -> Result<(Node, openbell_kernel::snapshot::AtEnd), openbell_kernel::snapshot::RestartError> {
    replay_to_end(Arc::new(RealDisk), &left.journal(), &left.options(), &mut |_| ())
}

#[test]
fn a_start_that_a_record_stops_touches_nothing() {
    let left = Left::poisoned("stops");
    let before = content(&left.journal());
    for _ in 0..2 {
        let error = restart(Arc::new(RealDisk), &left.journal(), &left.options()).unwrap_err();
        assert!(error.to_string().contains("at time 5 came after"), "{error}");
        assert_eq!(content(&left.journal()), before);
    }
}

#[test]
fn a_start_that_is_given_up_before_it_goes_on_touches_nothing() {
    let left = Left::killed("given-up");
    let before = content(&left.journal());
    let (node, at_end) = replay(&left).unwrap();
    assert_eq!((node.sequence(), at_end.journal().last_sequence), (left.sequence, left.sequence));
    drop(at_end); // for example because the clock cannot be right
    assert_eq!(content(&left.journal()), before);

    let (mut node, at_end) = replay(&left).unwrap();
    let (journal, report) = at_end.go_on(&mut node).unwrap();
    assert!(report.recovery.cut.is_some_and(|cut| cut.copy.exists()));
    assert_eq!(
        (node.sequence(), report.replayed),
        (left.sequence + 1, 1),
        "the cut is journaled, and replayed"
    );
    assert_eq!(journal.next_sequence(), left.sequence + 2);
    drop(journal);
    let (mut again, _, _) = restart(Arc::new(RealDisk), &left.journal(), &left.options()).unwrap();
    assert_eq!((again.sequence(), again.state_hash()), (node.sequence(), node.state_hash()));
}

#[test]
fn what_opening_refuses_is_not_touched() {
    let left = Left::killed("opening");
    let before = content(&left.journal());
    let mut foreign = left.options();
    foreign.open.epoch = Some(1);
    restart(Arc::new(RealDisk), &left.journal(), &foreign).unwrap_err();
    let other = RestartOptions { configuration: 8, ..left.options() };
    restart(Arc::new(RealDisk), &left.journal(), &other).unwrap_err();
    assert_eq!(content(&left.journal()), before);
}
