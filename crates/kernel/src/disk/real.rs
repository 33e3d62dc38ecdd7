//! The disk of the machine, by plain positioned reads and writes. No memory map: a full disk would answer a
//! store with SIGBUS.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::{Access, Disk, DiskFile, DiskLock, FileSystem};

#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn is_directory(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(access == Access::ReadWrite).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(RealLock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    #[cfg(target_os = "linux")]
    fn file_system(&self, path: &Path) -> io::Result<FileSystem> {
        // the type's width differs between machines; magic numbers have 32 bits
        Ok(by_magic(rustix::fs::statfs(path)?.f_type as u32))
    }
}

/// Magic numbers of statfs(2) (linux/magic.h and the manual page). What is not listed is a local disk.
#[cfg(target_os = "linux")]
fn by_magic(magic: u32) -> FileSystem {
    match magic {
        0x0102_1994 => FileSystem::Memory("tmpfs"),
        0x8584_58F6 => FileSystem::Memory("ramfs"),
        0x0000_6969 => FileSystem::Network("NFS"),
        0x0000_517B | 0xFE53_4D42 => FileSystem::Network("SMB"),
        0xFF53_4D42 => FileSystem::Network("CIFS"),
        0x6573_5546 => FileSystem::Network("FUSE"),
        0x0102_1997 => FileSystem::Network("9P"),
        0x5346_414F | 0x6B41_4653 => FileSystem::Network("AFS"),
        0x00C3_6400 => FileSystem::Network("Ceph"),
        0x0BD0_0BD0 => FileSystem::Network("Lustre"),
        0x7375_7245 => FileSystem::Network("Coda"),
        _ => FileSystem::Local,
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    #[cfg(target_os = "linux")]
    fn reserve(&mut self, length: u64) -> io::Result<()> {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(&self.0, FallocateFlags::empty(), 0, length) {
            // a file system without the call: zeros are written all the same
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Lets the calling thread run when no other needs the processor, as far as the system can tell threads apart; one that
/// refuses changes nothing.
pub fn lower_priority(niceness: i32) {
    #[cfg(target_os = "linux")]
    rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness).ok();
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}

/// The operating system gives the lock back when the file is closed, also after a crash.
#[derive(Debug)]
struct RealLock {
    _file: File,
}

impl DiskLock for RealLock {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_is_told_from_a_disk() {
        // /dev/shm is a tmpfs wherever glibc's shared memory works; /proc is neither
        if Path::new("/dev/shm").is_dir() {
            assert_eq!(RealDisk.file_system(Path::new("/dev/shm")).unwrap(), FileSystem::Memory("tmpfs"));
        }
        assert_eq!(RealDisk.file_system(Path::new("/proc")).unwrap(), FileSystem::Local);
        assert_eq!(by_magic(0x6969), FileSystem::Network("NFS"));
    }
}
