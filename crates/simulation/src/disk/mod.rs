//! A disk as it is at its worst: it keeps what was written apart from what was synced, loses, tears, reorders and
//! misdirects, fails, fills up, and dies at any call. All of it from one seed; no threads, no clock.
//!
//! | after | files are | names are |
//! |---|---|---|
//! | [`SimulatedDisk::restart_process`] | as written | as changed |
//! | a power cut | as synced, and of each sector of 512 bytes written since some version or none ([`Manner`]) | as of the last sync of the directory, and some of the changes since |
//! | a failed sync | as written, until the system reads from the disk again: what was dropped counts as clean | |

mod contents;
mod faults;
mod loss;
mod names;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openbell_kernel::disk::{Access, Disk, DiskFile, DiskLock};

use crate::random::Random;
use contents::Contents;
use faults::Faults;
use names::{FileNumber, Names, parent};

pub use contents::SECTOR;
pub use faults::{Call, EINTR, EIO, ENOSPC, Fault, Trigger};
pub use loss::{Loss, Manner};

/// How long a delayed call takes.
pub const DELAY_NS: u64 = 10_000_000_000;

/// Promises of a disk that a test can break to see whether anybody notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Broken {
    /// A sync of a file does nothing and succeeds.
    pub sync: bool,
    /// A sync of a directory does nothing and succeeds.
    pub directory_sync: bool,
}

/// Why nothing can be called any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Aborted,
    PowerCut,
}

/// Clones share one disk.
#[derive(Clone, Debug)]
pub struct SimulatedDisk {
    machine: Arc<Mutex<Machine>>,
}

#[derive(Clone, Debug)]
struct Machine {
    random: Random,
    files: Vec<Contents>,
    names: Names,
    /// By path: the number of the boot of the process that holds the lock.
    locks: BTreeMap<PathBuf, u64>,
    boots: u64,
    stop: Option<Stop>,
    faults: Faults,
    struck: Vec<(Call, Fault)>,
    broken: Broken,
    capacity: Option<u64>,
    calls: u64,
    calls_by_kind: BTreeMap<Call, u64>,
    /// Numbers every change of a file or a name.
    writes: u64,
    /// Number of the last change before the last sync of a file.
    synced_writes: u64,
    delayed_ns: u64,
    trace: Option<Vec<String>>,
}

impl SimulatedDisk {
    pub fn new(seed: u64) -> Self {
        let machine = Machine {
            random: Random::new(seed),
            files: Vec::new(),
            names: Names::default(),
            locks: BTreeMap::new(),
            boots: 0,
            stop: None,
            faults: Faults::default(),
            struck: Vec::new(),
            broken: Broken::default(),
            capacity: None,
            calls: 0,
            calls_by_kind: BTreeMap::new(),
            writes: 0,
            synced_writes: 0,
            delayed_ns: 0,
            trace: None,
        };
        SimulatedDisk { machine: Arc::new(Mutex::new(machine)) }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A disk of its own that goes on from here.
    pub fn fork(&self) -> SimulatedDisk {
        SimulatedDisk { machine: Arc::new(Mutex::new(self.machine().clone())) }
    }

    /// Makes the disk break a promise from now on.
    pub fn break_promises(&self, broken: Broken) {
        self.machine().broken = broken;
    }

    pub fn arm(&self, trigger: Trigger, fault: Fault) {
        self.machine().faults.arm(trigger, fault);
    }

    /// Forgets the faults that have not struck.
    pub fn disarm(&self) {
        self.machine().faults.clear();
    }

    /// Whether all armed faults have struck.
    pub fn is_disarmed(&self) -> bool {
        self.machine().faults.is_empty()
    }

    /// Faults that struck since this was last asked.
    pub fn take_struck(&self) -> Vec<(Call, Fault)> {
        std::mem::take(&mut self.machine().struck)
    }

    /// All files together hold at most `bytes`; `None` lifts it.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.machine().capacity = bytes;
    }

    pub fn used(&self) -> u64 {
        self.machine().used()
    }

    /// Calls made so far.
    pub fn calls(&self) -> u64 {
        self.machine().calls
    }

    pub fn calls_of(&self, call: Call) -> u64 {
        self.machine().calls_by_kind.get(&call).copied().unwrap_or(0)
    }

    /// What delayed calls took since this was last asked.
    pub fn take_delay(&self) -> u64 {
        std::mem::take(&mut self.machine().delayed_ns)
    }

    pub fn stop(&self) -> Option<Stop> {
        self.machine().stop
    }

    /// The process ends here: no call of it is answered any more.
    pub fn kill_process(&self) {
        self.machine().stop.get_or_insert(Stop::Aborted);
    }

    pub fn cut_power(&self) {
        self.machine().cut_power(None);
    }

    pub fn cut_power_in(&self, manner: Manner) {
        self.machine().cut_power(Some(manner));
    }

    /// A new process begins; the old one's locks are gone. Files the old one opened must not be used.
    pub fn restart_process(&self) {
        let mut machine = self.machine();
        machine.boots += 1;
        machine.stop = None;
        machine.locks.clear();
        if machine.random.once_in(2) {
            machine.files.iter_mut().for_each(Contents::evict);
        }
    }

    /// As [`SimulatedDisk::restart_process`], for somebody who only looks: what is in the cache stays there.
    pub fn restart_quietly(&self) {
        let mut machine = self.machine();
        machine.boots += 1;
        machine.stop = None;
        machine.locks.clear();
    }

    /// Notes every call in words from now on.
    pub fn trace(&self) {
        self.machine().trace.get_or_insert_default();
    }

    pub fn take_trace(&self) -> Vec<String> {
        self.machine().trace.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let machine = self.machine();
        machine.names.file(path).map(|file| machine.files[file].written().to_vec())
    }

    /// Puts a file there, durable at once: how damage is prepared.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut machine = self.machine();
        machine.files.push(Contents::durable(bytes));
        let file = machine.files.len() - 1;
        machine.names.put(path, file);
    }

    /// Takes a file away, durably.
    pub fn erase(&self, path: &Path) {
        self.machine().names.erase(path);
    }

    /// Flips one bit, on the disk and in the cache.
    pub fn flip(&self, path: &Path, bit: usize) {
        let mut machine = self.machine();
        if let Some(file) = machine.names.file(path) {
            machine.files[file].flip(bit);
        }
    }

    /// Every file, with its length.
    pub fn files(&self) -> Vec<(PathBuf, usize)> {
        let machine = self.machine();
        let length = |file: FileNumber| machine.files[file].written().len();
        machine.names.files().map(|(path, file)| (path.clone(), length(file))).collect()
    }

    fn open_file(&self, path: &Path, file: FileNumber, boot: u64) -> Box<dyn DiskFile> {
        Box::new(SimulatedFile { disk: self.clone(), path: path.to_owned(), file, boot })
    }

    /// Counts the call; the fault to do instead, if one strikes that does not already answer it.
    fn enter(
        &self,
        call: Call,
        about: impl Fn() -> String,
    ) -> io::Result<(MutexGuard<'_, Machine>, Option<Fault>)> {
        let mut machine = self.machine();
        if machine.stop.is_some() {
            return Err(gone());
        }
        machine.calls += 1;
        *machine.calls_by_kind.entry(call).or_insert(0) += 1;
        let fault = machine.faults.strike(call);
        machine.note(call, fault, about);
        match fault {
            Some(Fault::Error(number)) if call != Call::Sync => {
                return Err(io::Error::from_raw_os_error(number));
            }
            Some(Fault::Delay) => machine.delayed_ns += DELAY_NS,
            _ => {}
        }
        Ok((machine, fault))
    }
}

/// What a call of a dead process gets; nobody is there to read it.
fn gone() -> io::Error {
    io::Error::other("the process is gone")
}

impl Machine {
    fn note(&mut self, call: Call, fault: Option<Fault>, about: impl Fn() -> String) {
        if let Some(fault) = fault {
            self.struck.push((call, fault));
        }
        let number = self.calls;
        if let Some(trace) = &mut self.trace {
            let strikes = fault.map_or_else(String::new, |fault| format!(": {}", fault.name()));
            trace.push(format!("call {number}: {} {}{strikes}", call.name(), about()));
        }
    }

    fn next_write(&mut self) -> u64 {
        self.writes += 1;
        self.writes
    }

    fn used(&self) -> u64 {
        self.names.files().map(|(_, file)| self.files[file].written().len() as u64).sum()
    }

    fn cut_power(&mut self, manner: Option<Manner>) {
        let manner = manner.unwrap_or_else(|| self.random.pick(&Manner::ALL));
        let mut loss = Loss::new(manner, self.writes, self.synced_writes, self.random.fork());
        self.files.iter_mut().for_each(|file| file.cut(&mut loss));
        self.names.cut(&mut loss);
        self.stop = Some(Stop::PowerCut);
        if let Some(trace) = &mut self.trace {
            trace.push(format!("power cut: {}", manner.words()));
        }
    }

    /// Done to a name: whole or not at all.
    fn finish(
        &mut self,
        fault: Option<Fault>,
        act: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        if fault == Some(Fault::Abort) && self.random.once_in(2) {
            self.stop = Some(Stop::Aborted);
            return Err(gone());
        }
        let acted = act(self);
        self.die_of(fault)?;
        acted
    }

    /// Ends the process when the fault does.
    fn die_of(&mut self, fault: Option<Fault>) -> io::Result<()> {
        match fault {
            Some(Fault::Abort) => self.stop = Some(Stop::Aborted),
            Some(Fault::PowerCut(manner)) => self.cut_power(manner),
            _ => return Ok(()),
        }
        Err(gone())
    }

    fn require_room(&self, growth: u64) -> io::Result<()> {
        match self.capacity {
            Some(capacity) if self.used() + growth > capacity => Err(ErrorKind::StorageFull.into()),
            _ => Ok(()),
        }
    }

    fn write(
        &mut self,
        file: FileNumber,
        bytes: &[u8],
        offset: u64,
        fault: Option<Fault>,
    ) -> io::Result<usize> {
        let offset = usize::try_from(offset).map_err(|_| ErrorKind::FileTooLarge)?;
        let mut count = self.room_for(file, bytes.len(), offset);
        if count == 0 && !bytes.is_empty() {
            return Err(ErrorKind::StorageFull.into());
        }
        if matches!(fault, Some(Fault::Short | Fault::Abort)) {
            count = self.random.index(count).max(1);
        }
        let number = self.next_write();
        match fault {
            Some(Fault::Misdirect) => {
                let sectors = self.files[file].written().len().div_ceil(SECTOR).max(offset / SECTOR + 1);
                let other = (offset / SECTOR + 1 + self.random.index(sectors)) % (sectors + 1);
                let elsewhere = other * SECTOR + offset % SECTOR;
                self.files[file].write(number, &bytes[..count], elsewhere);
            }
            Some(Fault::Lose) => {
                self.files[file].write(number, &bytes[..count], offset);
                let mut nothing = Loss::new(Manner::Nothing, 0, 0, Random::new(0));
                self.files[file].fail_sync(&mut nothing);
            }
            _ => self.files[file].write(number, &bytes[..count], offset),
        }
        self.die_of(fault)?;
        Ok(count)
    }

    /// How much of a write the disk has room for.
    fn room_for(&self, file: FileNumber, count: usize, offset: usize) -> usize {
        let Some(capacity) = self.capacity else { return count };
        let room = usize::try_from(capacity.saturating_sub(self.used())).unwrap_or(usize::MAX);
        let end = self.files[file].written().len().saturating_add(room);
        count.min(end.saturating_sub(offset))
    }

    fn sync(&mut self, file: FileNumber, fault: Option<Fault>) -> io::Result<()> {
        if let Some(Fault::Error(number)) = fault {
            let manner = self.random.pick(&[Manner::Nothing, Manner::Scattered]);
            let mut loss = Loss::new(manner, self.writes, self.synced_writes, self.random.fork());
            self.files[file].fail_sync(&mut loss);
            return Err(io::Error::from_raw_os_error(number));
        }
        // a power cut comes in the middle of it: whatever was on the way may have arrived
        if !self.broken.sync && !matches!(fault, Some(Fault::PowerCut(_) | Fault::Lose | Fault::Misdirect)) {
            self.files[file].sync();
            self.synced_writes = self.writes;
        }
        self.die_of(fault)
    }
}

impl Disk for SimulatedDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let (mut machine, fault) = self.enter(Call::CreateDirectory, || path.display().to_string())?;
        machine.finish(fault, |machine| {
            let number = machine.next_write();
            machine.names.create_directory(number, path);
            Ok(())
        })
    }

    fn is_directory(&self, path: &Path) -> bool {
        self.machine().names.require_directory(path).is_ok()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let (mut machine, fault) = self.enter(Call::List, || path.display().to_string())?;
        machine.die_of(fault)?;
        machine.names.require_directory(path)?;
        Ok(machine.names.list(path))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let (mut machine, fault) = self.enter(Call::Create, || path.display().to_string())?;
        machine.names.require_directory(parent(path))?;
        machine.finish(fault, |machine| {
            let number = machine.next_write();
            match machine.names.file(path) {
                Some(file) => machine.files[file].set_length(number, 0),
                None => {
                    machine.require_room(1)?;
                    machine.files.push(Contents::default());
                    machine.names.create(number, path, machine.files.len() - 1);
                }
            }
            Ok(())
        })?;
        let file = machine.names.file(path).ok_or(ErrorKind::NotFound)?;
        Ok(self.open_file(path, file, machine.boots))
    }

    fn open(&self, path: &Path, _access: Access) -> io::Result<Box<dyn DiskFile>> {
        let (mut machine, fault) = self.enter(Call::Open, || path.display().to_string())?;
        machine.die_of(fault)?;
        let file = machine.names.file(path).ok_or(ErrorKind::NotFound)?;
        Ok(self.open_file(path, file, machine.boots))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let about = || format!("{} to {}", from.display(), to.display());
        let (mut machine, fault) = self.enter(Call::Rename, about)?;
        machine.finish(fault, |machine| {
            let number = machine.next_write();
            machine.names.rename(number, from, to)
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (mut machine, fault) = self.enter(Call::Remove, || path.display().to_string())?;
        machine.finish(fault, |machine| {
            let number = machine.next_write();
            machine.names.remove(number, path)
        })
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let (mut machine, fault) = self.enter(Call::SyncDirectory, || path.display().to_string())?;
        let is_done = !machine.broken.directory_sync
            && !matches!(fault, Some(Fault::PowerCut(_) | Fault::Lose | Fault::Misdirect));
        machine.finish(fault, |machine| if is_done { machine.names.sync(path) } else { Ok(()) })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let (mut machine, fault) = self.enter(Call::Lock, || path.display().to_string())?;
        machine.names.require_directory(parent(path))?;
        if machine.locks.contains_key(path) {
            return Err(ErrorKind::WouldBlock.into());
        }
        machine.finish(fault, |machine| {
            if machine.names.file(path).is_none() {
                let number = machine.next_write();
                machine.files.push(Contents::default());
                machine.names.create(number, path, machine.files.len() - 1);
            }
            let boot = machine.boots;
            machine.locks.insert(path.to_owned(), boot);
            Ok(())
        })?;
        Ok(Box::new(SimulatedLock { disk: self.clone(), path: path.to_owned(), boot: machine.boots }))
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: SimulatedDisk,
    /// As it was called when it was opened.
    path: PathBuf,
    file: FileNumber,
    boot: u64,
}

impl SimulatedFile {
    fn enter(
        &self,
        call: Call,
        about: impl Fn() -> String,
    ) -> io::Result<(MutexGuard<'_, Machine>, Option<Fault>)> {
        let (machine, fault) = self.disk.enter(call, about)?;
        // a file of an earlier life, used by mistake, would hide what a restart must show
        if machine.boots != self.boot { Err(gone()) } else { Ok((machine, fault)) }
    }
}

impl DiskFile for SimulatedFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.machine().files[self.file].written().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let about = || format!("{} bytes at {offset} of {}", buffer.len(), self.path.display());
        let (mut machine, fault) = self.enter(Call::Read, about)?;
        machine.die_of(fault)?;
        let length = machine.files[self.file].written().len();
        let from = length.min(usize::try_from(offset).unwrap_or(usize::MAX));
        let mut count = (length - from).min(buffer.len());
        if fault == Some(Fault::Short) && count > 1 {
            count = machine.random.index(count).max(1);
        }
        buffer[..count].copy_from_slice(&machine.files[self.file].written()[from..from + count]);
        Ok(count)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let about = || format!("{} bytes at {offset} of {}", bytes.len(), self.path.display());
        let (mut machine, fault) = self.enter(Call::Write, about)?;
        machine.write(self.file, bytes, offset, fault)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        let (mut machine, fault) =
            self.enter(Call::SetLength, || format!("{length} of {}", self.path.display()))?;
        let length = usize::try_from(length).map_err(|_| ErrorKind::FileTooLarge)?;
        let file = self.file;
        let growth = length.saturating_sub(machine.files[file].written().len());
        machine.require_room(growth as u64)?;
        machine.finish(fault, |machine| {
            let number = machine.next_write();
            machine.files[file].set_length(number, length);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let (mut machine, fault) = self.enter(Call::Sync, || self.path.display().to_string())?;
        machine.sync(self.file, fault)
    }
}

#[derive(Debug)]
struct SimulatedLock {
    disk: SimulatedDisk,
    path: PathBuf,
    boot: u64,
}

impl DiskLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        let mut machine = self.disk.machine();
        if machine.locks.get(&self.path) == Some(&self.boot) {
            machine.locks.remove(&self.path);
        }
    }
}
