//! A disk that is full, on a real file system: a small ext4 in a file, mounted for the purpose.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use openbell_kernel::command::{CancelAllOrders, EngageKillSwitch, ReleaseKillSwitch};
use openbell_kernel::disk::RealDisk;
use openbell_kernel::journal::{Durability, Room};
use openbell_kernel::record::{Body, RecordBuffer};

use crate::clients::{Clients, set_up};
use crate::exchange::Exchange;
use crate::oracle::{Found, Promise, Rule, Violation, Witness};
use crate::random::Random;
use crate::story::settings_of;

const IMAGE_BYTES: u64 = 8 << 20;
const SEGMENT_SIZE: u64 = 128 << 10;
/// More rounds than the largest of these disks has room for.
const MOST_ROUNDS: u64 = 4_000;

/// A mounted file system; unmounted when dropped.
#[derive(Debug)]
pub struct Mount {
    folder: PathBuf,
}

impl Mount {
    /// # Errors
    /// Why this machine cannot: mounting needs root, a loop device and mkfs.ext4.
    pub fn new() -> Result<Self, String> {
        let folder = std::env::temp_dir().join(format!("openbell-full-disk-{}", std::process::id()));
        let mount = Mount { folder };
        let prepared = fs::create_dir_all(mount.root())
            .and_then(|()| fs::File::create(mount.image()).and_then(|image| image.set_len(IMAGE_BYTES)));
        prepared.map_err(|error| format!("cannot prepare {}: {error}", mount.folder.display()))?;
        run("mkfs.ext4", &["-q".as_ref(), mount.image().as_ref()])?;
        run("mount", &["-o".as_ref(), "loop".as_ref(), mount.image().as_ref(), mount.root().as_ref()])?;
        Ok(mount)
    }

    fn image(&self) -> PathBuf {
        self.folder.join("image")
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // what was never mounted is not unmounted; the folder goes either way
        run("umount", &[self.root().as_ref()]).ok();
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn run(program: &str, arguments: &[&Path]) -> Result<(), String> {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program} ended with {status}; it needs root")),
        Err(error) => Err(format!("{program}: {error}")),
    }
}

/// What one exchange on a full disk did.
#[derive(Clone, Copy, Debug)]
pub struct Withstood {
    pub records: u64,
    /// Cancels and kill switches written while the disk was full.
    pub from_reserve: u64,
}

struct Trader {
    exchange: Exchange,
    witness: Witness,
    clients: Clients,
}

fn broken(rule: Rule, found: impl ToString) -> Violation {
    Violation { rule, found: found.to_string() }
}

fn cannot(error: std::io::Error) -> Violation {
    broken(Rule::EngineMustGoOn, format!("the test's own files: {error}"))
}

impl Trader {
    fn send(&mut self, commands: Vec<RecordBuffer>) -> Result<(), Violation> {
        commands.into_iter().for_each(|command| self.exchange.submit(command));
        let polled = self.exchange.poll(usize::MAX);
        polled.map_err(|error| broken(Rule::EngineMustGoOn, error))?;
        let events = self.exchange.take_output();
        self.witness.see(&events, self.exchange.durable_sequence());
        Ok(())
    }

    fn trade(&mut self) -> Result<(), Violation> {
        let time = self.exchange.time();
        let commands = (0..16).map(|_| self.clients.next(time)).collect();
        self.send(commands)
    }

    /// Trades until the journal says that the disk is full, cancels from the reserve, and trades on when the ballast is
    /// gone. Returns how many records came from the reserve.
    fn fill_and_empty(&mut self, ballast: &Path) -> Result<u64, Violation> {
        let mut rounds = 0;
        while !self.is_short() && rounds < MOST_ROUNDS {
            self.trade()?;
            rounds += 1;
        }
        if !self.is_short() {
            return Err(broken(Rule::EngineMustGoOn, "the disk was full and the journal did not say so"));
        }
        let before = self.exchange.sequence();
        for _ in 0..8 {
            self.send(vec![of_account(CancelAllOrders { reserved: [0; 4] })])?;
            self.send(vec![of_account(EngageKillSwitch { reason: 1, reserved: [0; 3] })])?;
        }
        let from_reserve = self.exchange.durable_sequence() - before;
        fs::remove_file(ballast).map_err(cannot)?;
        self.send(vec![of_account(ReleaseKillSwitch { reason: 1, reserved: [0; 3] })])?;
        if self.is_short() {
            return Err(broken(Rule::EngineMustGoOn, "there was room again and the journal did not find it"));
        }
        for _ in 0..60 {
            self.trade()?;
        }
        Ok(from_reserve)
    }

    fn is_short(&self) -> bool {
        matches!(self.exchange.room(), Room::Reserve { .. })
    }
}

fn of_account<B: Body>(body: B) -> RecordBuffer {
    let mut record = RecordBuffer::new(body);
    record.head_mut().account = 1;
    record
}

/// Trades until the disk is full, cancels from the reserve, gets room, trades on without a restart, and is killed.
///
/// # Errors
/// The rule that does not hold.
pub fn run_into_full(mount: &Mount, seed: u64) -> Result<Withstood, Violation> {
    let mut random = Random::new(seed);
    let path = mount.root().join(format!("run-{seed}")).join("journal");
    let ballast = mount.root().join("ballast");
    let settings = settings_of(Durability::Batch).with_segment_size(SEGMENT_SIZE);
    let disk = Arc::new(RealDisk);
    let exchange = Exchange::create_on(disk.clone(), &path, settings);
    let exchange = exchange.map_err(|error| broken(Rule::EngineMustGoOn, error))?;
    let clients = Clients::new(random.fork());
    let mut trader = Trader { exchange, witness: Witness::default(), clients };
    trader.send(set_up())?;
    // leaves room for less than nine segments, and never for a whole number of them
    fill(&ballast, random.between(4 << 20, 5 << 20)).map_err(cannot)?;
    let from_reserve = trader.fill_and_empty(&ballast)?;
    let Trader { exchange, mut witness, .. } = trader;
    witness.note_told(exchange.told());
    drop(exchange);
    let records = witness.acknowledged();
    let restarted = Exchange::restart_on(disk, &path, witness.told());
    let restarted = restarted.map_err(|error| broken(Rule::UndamagedMustOpen, error))?;
    let engine = restarted.exchange.engine();
    let found = Found { records: &restarted.records, engine, snapshots: &[] };
    witness.check(&found, Promise::Everything, records / 2)?;
    drop(restarted);
    fs::remove_dir_all(path.parent().unwrap_or(&path)).map_err(cannot)?;
    Ok(Withstood { records, from_reserve })
}

fn fill(path: &Path, bytes: u64) -> std::io::Result<()> {
    let file = vec![1; bytes as usize];
    fs::write(path, file)?;
    fs::File::open(path)?.sync_all()
}
