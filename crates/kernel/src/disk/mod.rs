//! The seam for files: what the journal and snapshots need of a disk, so that tests can put one below them
//! that is full, fails, or forgets what was not synced.

pub mod memory;
mod real;

use std::fmt::Debug;
use std::io;
use std::path::Path;

pub use memory::MemoryDisk;
pub use real::{RealDisk, lower_priority};

/// A place with directories and files.
pub trait Disk: Debug + Send + Sync {
    /// Creates `path` with its parents; one that exists is fine.
    ///
    /// # Errors
    /// As the operating system answers; the same holds for every method here.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Whether there is a directory `path`; one that cannot be looked at counts as none.
    fn is_directory(&self, path: &Path) -> bool;

    /// Names of the entries of `path`, in ascending order.
    ///
    /// # Errors
    /// As the operating system answers.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// A new, empty file, open for reading and writing. What was there under this name is emptied.
    ///
    /// # Errors
    /// As the operating system answers.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// An existing file, for reading only or for both.
    ///
    /// # Errors
    /// As the operating system answers.
    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>>;

    /// # Errors
    /// As the operating system answers.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// # Errors
    /// As the operating system answers.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes names created, renamed or removed in `path` survive a power cut.
    ///
    /// # Errors
    /// As the operating system answers.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on the file `path`, creating it, for as long as the returned value lives.
    ///
    /// # Errors
    /// `WouldBlock` when somebody else has it, in this process or another.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;

    /// What the directory `path`, which must exist, is kept on.
    ///
    /// # Errors
    /// As the operating system answers.
    fn file_system(&self, path: &Path) -> io::Result<FileSystem> {
        let _ = path;
        Ok(FileSystem::Local)
    }
}

/// What a sync is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// A disk of this machine.
    Local,
    /// Gone with the machine's power; its name.
    Memory(&'static str),
    /// Elsewhere: what a sync means depends on a server and a connection; its name.
    Network(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    ReadWrite,
}

/// One open file. Calls may do less than asked for, as the system calls below them.
pub trait DiskFile: Debug + Send + Sync {
    /// # Errors
    /// As the operating system answers.
    fn length(&self) -> io::Result<u64>;

    /// Fills a front part of `buffer` and says how much; 0 only at the end of the file.
    ///
    /// # Errors
    /// As the operating system answers.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes a front part of `bytes` and says how much.
    ///
    /// # Errors
    /// As the operating system answers.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Cuts the file or lengthens it with zeros.
    ///
    /// # Errors
    /// As the operating system answers.
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Gives the file so many bytes and its place on the disk for them, as far as the system can do that at once; what is
    /// read there is 0. Writing them afterwards changes less of the file system's own records. Does nothing where there
    /// is no such call.
    ///
    /// # Errors
    /// As the operating system answers.
    fn reserve(&mut self, length: u64) -> io::Result<()> {
        let _ = length;
        Ok(())
    }

    /// Returns once the file's contents survive a power cut. After an error nothing is known about any write
    /// since the last success; the caller must not try again.
    ///
    /// # Errors
    /// As the operating system answers.
    fn sync(&mut self) -> io::Result<()>;
}

/// Held while it lives.
pub trait DiskLock: Debug + Send + Sync {}

impl dyn DiskFile + '_ {
    /// Reads until `buffer` is full or the file ends; returns how much was read.
    ///
    /// # Errors
    /// As the operating system answers; interrupted calls are repeated.
    pub fn read_full_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// As the operating system answers; interrupted and short calls are continued. `WriteZero` when the system
    /// takes nothing and gives no reason.
    pub fn write_full_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut done = 0;
        while done < bytes.len() {
            match self.write_at(&bytes[done..], offset + done as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
