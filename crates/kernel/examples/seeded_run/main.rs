//! One seeded run, journaled, then replayed from genesis and from every snapshot: the same hashes everywhere.
//!
//! `seeded_run --seed N --records N --snapshots N --directory DIR` writes `DIR/journal` and `DIR/<sequence>.state` and
//! prints one line for each checkpoint, `sequence output_hash state_hash`, in hexadecimal digits. Every build and every machine
//! prints the same. With `--replay-only` it takes the journal and the snapshots that are there.

mod flow;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use openbell_kernel::disk::RealDisk;
use openbell_kernel::engine::AnyVenue;
use openbell_kernel::journal::{Content, Identity, JournalReader, JournalWriter, Settings};
use openbell_kernel::node::{Input, Mode, Node, Poll};
use openbell_kernel::record::Slot;
use openbell_kernel::state::{StateReader, StateWriter};
use openbell_kernel::terms::OrderType;

use flow::Flow;

/// Records that setting a scene takes, at most.
const SCENE: u64 = 100;

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Arguments {
    seed: u64,
    records: u64,
    snapshots: u64,
    directory: PathBuf,
    replay_only: bool,
}

fn main() -> ExitCode {
    match arguments().and_then(|arguments| run(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seeded_run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Outcome<Arguments> {
    let mut found =
        Arguments { seed: 1, records: 20_000, snapshots: 5, directory: PathBuf::new(), replay_only: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        if word == "--replay-only" {
            found.replay_only = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--seed" => found.seed = value.parse()?,
            "--records" => found.records = value.parse()?,
            "--snapshots" => found.snapshots = value.parse()?,
            "--directory" => found.directory = PathBuf::from(value),
            other => return Err(format!("no option {other}").into()),
        }
    }
    if found.directory.as_os_str().is_empty() {
        return Err("--directory DIR is needed".into());
    }
    Ok(found)
}

fn run(arguments: &Arguments) -> Outcome<()> {
    let journal = arguments.directory.join("journal");
    if !arguments.replay_only {
        write(arguments, &journal)?;
    }
    let snapshots = snapshots_in(&arguments.directory)?;
    let genesis = replay(&journal, Node::new(0, Mode::Replay, None), &snapshots)?;
    let end = genesis.last().ok_or("the journal is empty")?;
    for (sequence, output, state) in &genesis {
        println!("{sequence} {output:032x} {state:032x}");
    }
    for sequence in &snapshots {
        let again = replay(&journal, restored(&arguments.directory, *sequence)?, &snapshots)?;
        let is_same = genesis.iter().filter(|(at, ..)| at > sequence).eq(again.iter());
        if !is_same || again.last() != Some(end) {
            return Err(format!("from the snapshot at {sequence} the replay comes to other states").into());
        }
    }
    Ok(())
}

/// The live run: journal, snapshots.
fn write(arguments: &Arguments, journal: &Path) -> Outcome<()> {
    let identity = Identity::new(1, 0, "seeded_run");
    let writer =
        JournalWriter::create(Arc::new(RealDisk), journal, &identity, Settings::backtest(Content::Full))?;
    let mut node = Node::new(0, Mode::Run, Some(Box::new(writer)));
    let mut flow = Flow::new(arguments.seed);
    let every = (arguments.records / (arguments.snapshots + 1)).max(1);
    let mut next = every;
    flow.set_up(&mut node);
    drive(&mut node, &[])?;
    while node.sequence() < arguments.records {
        let observed = flow.step(&mut node)?;
        drive(&mut node, observed)?;
        if node.sequence() >= next && node.sequence() + SCENE < arguments.records {
            flow.begin_auctions(&mut node);
            drive(&mut node, &[])?;
            require_scene(&node)?;
            save(&arguments.directory, &node)?;
            next += every;
        }
    }
    node.close()?;
    Ok(())
}

fn drive(node: &mut Node, observed: &[Slot]) -> Outcome<()> {
    let mut input = Input::new(observed, None);
    loop {
        match node.poll(&mut input, usize::MAX)? {
            Poll::Idle => break,
            Poll::Allocation => {
                let asked = node.engine().allocation_question();
                let shares = asked.map(|(_, asked)| last_first(asked.incoming, &asked.resting));
                node.answer_allocation(&shares.unwrap_or_default());
            }
            _ => {} // who is woken only listens
        }
    }
    node.take_output();
    Ok(())
}

/// The matching policy outside the kernel: who came last is served first.
fn last_first(mut incoming: i64, resting: &[i64]) -> Vec<i64> {
    let mut shares: Vec<i64> = resting
        .iter()
        .rev()
        .map(|wanted| {
            let share = incoming.min(*wanted);
            incoming -= share;
            share
        })
        .collect();
    shares.reverse();
    shares
}

/// A state worth saving has an auction that collects, and stops, icebergs and pegs that wait.
fn require_scene(node: &Node) -> Outcome<()> {
    let engine = node.engine();
    let collecting = engine.venues().iter().any(|venue| match venue {
        AnyVenue::Matching(venue) => (1..=venue.last_instrument()).any(|instrument| {
            venue.book(instrument).is_some_and(|book| book.is_collecting() && !book.is_empty())
        }),
        _ => false,
    });
    let open: Vec<_> = engine.orders().open().collect();
    let of_type = |kind: OrderType| open.iter().any(|order| order.request.order_type == kind);
    let icebergs = open.iter().filter_map(|order| engine.orders().special(order.order_id));
    let scene = [
        ("an auction that collects", collecting),
        ("a stop", of_type(OrderType::Stop)),
        ("a trailing stop", of_type(OrderType::TrailingStop)),
        ("a peg", of_type(OrderType::Pegged)),
        ("an iceberg", icebergs.into_iter().any(|special| special.terms.display_quantity > 0)),
    ];
    match scene.into_iter().find(|(_, is_there)| !is_there) {
        Some((missing, _)) => Err(format!("at {} there is not {missing}", node.sequence()).into()),
        None => Ok(()),
    }
}

fn save(directory: &Path, node: &Node) -> Outcome<()> {
    let mut writer = StateWriter::new();
    node.write_state(&mut writer);
    std::fs::write(directory.join(format!("{}.state", node.sequence())), writer.as_slice())?;
    Ok(())
}

fn restored(directory: &Path, sequence: u64) -> Outcome<Node> {
    let bytes = std::fs::read(directory.join(format!("{sequence}.state")))?;
    let mut reader = StateReader::new(&bytes);
    let node = Node::read_state(&mut reader, Mode::Replay)?;
    reader.finish()?;
    Ok(node)
}

fn snapshots_in(directory: &Path) -> Outcome<Vec<u64>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".state")).map(str::parse::<u64>);
        found.extend(number.transpose()?);
    }
    found.sort_unstable();
    Ok(found)
}

/// Sequence, output hash and state hash after each of `checkpoints` behind `node`, and at the end.
fn replay(journal: &Path, mut node: Node, checkpoints: &[u64]) -> Outcome<Vec<(u64, u128, u128)>> {
    let mut reader = JournalReader::open(Arc::new(RealDisk), journal)?;
    let mut lines = Vec::new();
    let begin = node.sequence();
    let mut checkpoints = checkpoints.iter().copied().filter(|at| *at > begin).peekable();
    while let Some(batch) = reader.next_batch()? {
        let mut rest = behind(batch.slots, node.sequence());
        while let Some(&checkpoint) = checkpoints.peek() {
            let count = rest.partition_point(|slot| slot.sequence <= checkpoint);
            if count == rest.len() && rest.last().is_none_or(|slot| slot.sequence < checkpoint) {
                break;
            }
            drive(&mut node, &rest[..count])?;
            rest = &rest[count..];
            lines.push(line(&mut node));
            checkpoints.next();
        }
        drive(&mut node, rest)?;
    }
    lines.push(line(&mut node));
    Ok(lines)
}

fn line(node: &mut Node) -> (u64, u128, u128) {
    let state_hash = node.state_hash();
    (node.sequence(), node.output_hash(), state_hash)
}

fn behind(slots: &[Slot], sequence: u64) -> &[Slot] {
    &slots[slots.partition_point(|slot| slot.sequence <= sequence)..]
}
