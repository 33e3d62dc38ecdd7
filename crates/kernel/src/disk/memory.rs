//! A disk in memory for tests: it can be full, fail at the Nth call, write short, and lose power.
//!
//! Every file has two images, what was written and what was synced, and every name is durable only after its
//! directory was synced. [`MemoryDisk::cut_power`] goes back to what was synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Access, Disk, DiskFile, DiskLock, FileSystem};

/// The calls that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    CreateDirectory,
    List,
    Create,
    Open,
    Read,
    Write,
    SetLength,
    Sync,
    Rename,
    Remove,
    SyncDirectory,
    Lock,
}

/// What happens instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Error(ErrorKind),
    /// The operating system's number of the error: 5 is EIO.
    Os(i32),
    /// A read or write does at most this many bytes of what was asked, and succeeds.
    Short(usize),
}

impl Fault {
    fn error(self) -> Option<io::Error> {
        match self {
            Fault::Error(kind) => Some(kind.into()),
            Fault::Os(number) => Some(io::Error::from_raw_os_error(number)),
            Fault::Short(_) => None,
        }
    }
}

/// Clones share one disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    contents: Arc<Mutex<Contents>>,
}

#[derive(Debug, Default)]
struct Contents {
    files: Vec<Images>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    directories: BTreeSet<PathBuf>,
    durable_directories: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    capacity: Option<u64>,
    file_system: Option<FileSystem>,
    calls: BTreeMap<Operation, u64>,
    faults: BTreeMap<(Operation, u64), Fault>,
}

#[derive(Debug, Default)]
struct Images {
    written: Vec<u8>,
    synced: Vec<u8>,
}

impl MemoryDisk {
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on all files together hold at most `bytes`; `None` lifts it.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.contents().capacity = bytes;
    }

    /// What it says it is; a local disk unless told otherwise.
    pub fn set_file_system(&self, file_system: FileSystem) {
        self.contents().file_system = Some(file_system);
    }

    /// Makes the `nth` call from now on (1 = the next) of `operation` end with `fault`.
    pub fn fail(&self, operation: Operation, nth: u64, fault: Fault) {
        let mut contents = self.contents();
        let made = contents.calls.get(&operation).copied().unwrap_or(0);
        contents.faults.insert((operation, made + nth), fault);
    }

    /// Forgets the faults that have not struck.
    pub fn heal(&self) {
        self.contents().faults.clear();
    }

    /// Calls of `operation` made so far, failed ones included.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.contents().calls.get(&operation).copied().unwrap_or(0)
    }

    /// Loses every write and every name that was not synced, and every lock. Files open now must not be used.
    pub fn cut_power(&self) {
        let mut contents = self.contents();
        contents.directories = contents.reachable_directories();
        contents.names = contents.durable_names.clone();
        let Contents { names, directories, .. } = &mut *contents;
        names.retain(|name, _| name.parent().is_some_and(|parent| directories.contains(parent)));
        contents.locks.clear();
        contents.files.iter_mut().for_each(|images| images.written = images.synced.clone());
    }

    /// What a file holds, written and synced or not.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let contents = self.contents();
        contents.names.get(path).map(|&file| contents.files[file].written.clone())
    }

    /// Puts a file there, durable at once: how tests prepare damage.
    pub fn put(&self, path: &Path, bytes: &[u8]) {
        let mut contents = self.contents();
        contents.files.push(Images { written: bytes.to_vec(), synced: bytes.to_vec() });
        let file = contents.files.len() - 1;
        contents.names.insert(path.to_owned(), file);
        contents.durable_names.insert(path.to_owned(), file);
        for directory in path.ancestors().skip(1) {
            contents.directories.insert(directory.to_owned());
            contents.durable_directories.insert(directory.to_owned());
        }
    }

    /// A disk of its own with the same files, all durable; no faults, no locks.
    pub fn copy(&self) -> MemoryDisk {
        let copy = MemoryDisk::new();
        let contents = self.contents();
        contents.names.iter().for_each(|(path, &file)| copy.put(path, &contents.files[file].written));
        copy
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the call; the contents, and the bound of a short call if one is due.
    fn begin(&self, operation: Operation) -> io::Result<(MutexGuard<'_, Contents>, usize)> {
        let mut contents = self.contents();
        let calls = contents.calls.entry(operation).or_insert(0);
        *calls += 1;
        let call = *calls;
        let fault = contents.faults.remove(&(operation, call));
        match fault {
            None => Ok((contents, usize::MAX)),
            Some(Fault::Short(bytes)) => Ok((contents, bytes)),
            Some(fault) => Err(fault.error().unwrap_or_else(|| ErrorKind::Other.into())),
        }
    }

    fn file(&self, file: usize) -> Box<dyn DiskFile> {
        Box::new(MemoryFile { disk: self.clone(), file })
    }
}

impl Contents {
    fn used(&self) -> u64 {
        self.names.values().map(|&file| self.files[file].written.len() as u64).sum()
    }

    /// How many bytes a file may grow by.
    fn room(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()))
    }

    /// Directories that are durable, and so are all those they are in.
    fn reachable_directories(&self) -> BTreeSet<PathBuf> {
        let durable = |path: &Path| path.parent().is_none() || self.durable_directories.contains(path);
        self.directories.iter().filter(|path| path.ancestors().all(durable)).cloned().collect()
    }

    fn require_directory(&self, path: &Path) -> io::Result<()> {
        // the root, absolute or relative, is always there
        if path.parent().is_none() || self.directories.contains(path) {
            Ok(())
        } else {
            Err(ErrorKind::NotFound.into())
        }
    }
}

impl Disk for MemoryDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        let (mut contents, _) = self.begin(Operation::CreateDirectory)?;
        contents.directories.extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn is_directory(&self, path: &Path) -> bool {
        self.contents().require_directory(path).is_ok()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let (contents, _) = self.begin(Operation::List)?;
        contents.require_directory(path)?;
        let inside = contents.names.keys().filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| Some(name.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let (mut contents, _) = self.begin(Operation::Create)?;
        contents.require_directory(path.parent().unwrap_or(Path::new("")))?;
        contents.files.push(Images::default());
        let file = contents.files.len() - 1;
        contents.names.insert(path.to_owned(), file);
        Ok(self.file(file))
    }

    fn open(&self, path: &Path, _access: Access) -> io::Result<Box<dyn DiskFile>> {
        let (contents, _) = self.begin(Operation::Open)?;
        let file = contents.names.get(path).copied().ok_or(ErrorKind::NotFound)?;
        Ok(self.file(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut contents, _) = self.begin(Operation::Rename)?;
        let file = contents.names.remove(from).ok_or(ErrorKind::NotFound)?;
        contents.names.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (mut contents, _) = self.begin(Operation::Remove)?;
        contents.names.remove(path).map(|_| ()).ok_or(ErrorKind::NotFound.into())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let (mut contents, _) = self.begin(Operation::SyncDirectory)?;
        let path = if path == Path::new(".") { Path::new("") } else { path };
        contents.require_directory(path)?;
        let Contents { names, durable_names, directories, durable_directories, .. } = &mut *contents;
        let children = directories.iter().filter(|directory| directory.parent() == Some(path));
        durable_directories.extend(children.cloned());
        durable_names.retain(|name, _| name.parent() != Some(path));
        let inside = names.iter().filter(|(name, _)| name.parent() == Some(path));
        durable_names.extend(inside.map(|(name, &file)| (name.clone(), file)));
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let (mut contents, _) = self.begin(Operation::Lock)?;
        contents.require_directory(path.parent().unwrap_or(Path::new("")))?;
        if !contents.locks.insert(path.to_owned()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryLock { disk: self.clone(), path: path.to_owned() }))
    }

    fn file_system(&self, _path: &Path) -> io::Result<FileSystem> {
        Ok(self.contents().file_system.unwrap_or(FileSystem::Local))
    }
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    file: usize,
}

impl DiskFile for MemoryFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.disk.contents().files[self.file].written.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (contents, bound) = self.disk.begin(Operation::Read)?;
        let bytes = &contents.files[self.file].written;
        let from = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let count = (bytes.len() - from).min(buffer.len()).min(bound);
        buffer[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let (mut contents, bound) = self.disk.begin(Operation::Write)?;
        let length = contents.files[self.file].written.len() as u64;
        let end = length.saturating_add(contents.room());
        let fits = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = bytes.len().min(bound).min(fits);
        if count == 0 && !bytes.is_empty() {
            return Err(ErrorKind::StorageFull.into());
        }
        let from = usize::try_from(offset).map_err(|_| ErrorKind::FileTooLarge)?;
        let written = &mut contents.files[self.file].written;
        written.resize(written.len().max(from + count), 0);
        written[from..from + count].copy_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        let (mut contents, _) = self.disk.begin(Operation::SetLength)?;
        let length = usize::try_from(length).map_err(|_| ErrorKind::FileTooLarge)?;
        contents.files[self.file].written.resize(length, 0);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let (mut contents, _) = self.disk.begin(Operation::Sync)?;
        let images = &mut contents.files[self.file];
        images.synced.clone_from(&images.written);
        Ok(())
    }
}

#[derive(Debug)]
struct MemoryLock {
    disk: MemoryDisk,
    path: PathBuf,
}

impl DiskLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.disk.contents().locks.remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (MemoryDisk, PathBuf) {
        let disk = MemoryDisk::new();
        disk.create_directory(Path::new("d")).unwrap();
        (disk, PathBuf::from("d/f"))
    }

    #[test]
    fn a_power_cut_takes_what_was_not_synced() {
        let (disk, path) = disk();
        let mut file = disk.create(&path).unwrap();
        file.write_full_at(b"kept", 0).unwrap();
        file.sync().unwrap();
        disk.sync_directory(Path::new("d")).unwrap();
        file.write_full_at(b" lost", 4).unwrap();
        disk.create(Path::new("d/g")).unwrap();
        disk.sync_directory(Path::new(".")).unwrap();
        disk.create_directory(Path::new("e")).unwrap();
        disk.cut_power();
        assert!(!disk.is_directory(Path::new("e")));
        assert_eq!(disk.bytes(&path).unwrap(), b"kept");
        assert_eq!(disk.list(Path::new("d")).unwrap(), ["f"]);
    }

    #[test]
    fn a_full_disk_takes_a_part_and_then_nothing() {
        let (disk, path) = disk();
        disk.set_capacity(Some(3));
        let mut file = disk.create(&path).unwrap();
        assert_eq!(file.write_full_at(b"12345", 0).unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(disk.bytes(&path).unwrap(), b"123");
        file.write_full_at(b"xyz", 0).unwrap();
    }

    #[test]
    fn faults_strike_at_their_call_and_short_and_interrupted_ones_are_continued() {
        let (disk, path) = disk();
        let mut file = disk.create(&path).unwrap();
        disk.fail(Operation::Write, 1, Fault::Short(2));
        disk.fail(Operation::Write, 2, Fault::Error(ErrorKind::Interrupted));
        file.write_full_at(b"abcdef", 0).unwrap();
        disk.fail(Operation::Read, 1, Fault::Short(1));
        let mut read = [0; 9];
        assert_eq!(file.read_full_at(&mut read, 0).unwrap(), 6);
        assert_eq!(&read[..6], b"abcdef");
        disk.fail(Operation::Sync, 2, Fault::Os(5));
        file.sync().unwrap();
        assert_eq!(file.sync().unwrap_err().raw_os_error(), Some(5));
    }

    #[test]
    fn a_lock_is_held_by_one_at_a_time() {
        let (disk, path) = disk();
        let held = disk.lock(&path).unwrap();
        assert_eq!(disk.lock(&path).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(held);
        disk.lock(&path).unwrap();
    }
}
