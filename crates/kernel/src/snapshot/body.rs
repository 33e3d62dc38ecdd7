//! The body of a snapshot as a stream: blocks of 256 KiB, each followed by its CRC32C. Nobody holds all of it in memory.

use std::io;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use super::error::SnapshotError;
use super::head::{BLOCK_SIZE, HEAD_SIZE, SnapshotHead};
use crate::disk::DiskFile;
use crate::state::{StateSink, StateSource};

const CHECKSUM_SIZE: usize = 4;
const BLOCK: usize = BLOCK_SIZE as usize;

/// Writes a body behind the place of its head.
pub(super) struct BodyWriter {
    file: Box<dyn DiskFile>,
    at: u64,
    block: Vec<u8>,
    length: u64,
    hash: Xxh3,
    /// The first one; nothing is written after it.
    failure: Option<io::Error>,
}

/// A body that was written.
pub(super) struct WrittenBody {
    pub file: Box<dyn DiskFile>,
    pub length: u64,
    pub hash: u128,
}

impl BodyWriter {
    pub fn new(file: Box<dyn DiskFile>) -> Self {
        BodyWriter {
            file,
            at: HEAD_SIZE as u64,
            block: Vec::with_capacity(BLOCK + CHECKSUM_SIZE),
            length: 0,
            hash: Xxh3::new(),
            failure: None,
        }
    }

    fn write_block(&mut self) {
        if self.block.is_empty() || self.failure.is_some() {
            return;
        }
        self.hash.update(&self.block);
        self.length += self.block.len() as u64;
        let checksum = crc32c::crc32c(&self.block);
        self.block.extend_from_slice(&checksum.to_le_bytes());
        self.failure = self.file.write_full_at(&self.block, self.at).err();
        self.at += self.block.len() as u64;
        self.block.clear();
    }

    /// Writes the last block.
    pub fn finish(mut self) -> io::Result<WrittenBody> {
        self.write_block();
        let BodyWriter { file, length, hash, failure, .. } = self;
        match failure {
            None => Ok(WrittenBody { file, length, hash: hash.digest128() }),
            Some(error) => Err(error),
        }
    }
}

impl StateSink for BodyWriter {
    fn take(&mut self, mut piece: &[u8]) {
        while !piece.is_empty() && self.failure.is_none() {
            let (now, rest) = piece.split_at(piece.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            piece = rest;
            if self.block.len() == BLOCK {
                self.write_block();
            }
        }
    }
}

/// Reads a body and checks every block before it gives it on, and all of it at the end.
pub(super) struct BodyReader<'a> {
    path: &'a Path,
    file: &'a dyn DiskFile,
    body_hash: u128,
    at: u64,
    left: u64,
    hash: Xxh3,
    sealed: Vec<u8>,
    failure: Option<SnapshotError>,
}

impl<'a> BodyReader<'a> {
    pub fn new(path: &'a Path, file: &'a dyn DiskFile, head: &SnapshotHead) -> Self {
        BodyReader {
            path,
            file,
            body_hash: head.body_hash,
            at: HEAD_SIZE as u64,
            left: head.body_length,
            hash: Xxh3::new(),
            sealed: Vec::new(),
            failure: None,
        }
    }

    /// The next block; `None` at the end.
    fn next_block(&mut self) -> Result<Option<&[u8]>, SnapshotError> {
        if self.left == 0 {
            return Ok(None);
        }
        let bytes = self.left.min(BLOCK as u64) as usize;
        self.sealed.resize(bytes + CHECKSUM_SIZE, 0);
        let read = self
            .file
            .read_full_at(&mut self.sealed, self.at)
            .map_err(|error| SnapshotError::unreachable("read the snapshot", self.path, error))?;
        let (block, checksum) = self.sealed.split_at(bytes);
        if read < self.sealed.len() || crc32c::crc32c(block).to_le_bytes() != checksum {
            let found = format!("the block at byte {} has another CRC32C", self.at);
            return Err(SnapshotError::damaged(self.path, found));
        }
        self.hash.update(block);
        self.at += self.sealed.len() as u64;
        self.left -= bytes as u64;
        Ok(Some(block))
    }

    /// Checks what was not read, and whether all of it is what its head says.
    pub fn finish(mut self) -> Result<(), SnapshotError> {
        match self.failure.take() {
            Some(failure) => return Err(failure),
            None => while self.next_block()?.is_some() {},
        }
        if self.hash.digest128() != self.body_hash {
            return Err(SnapshotError::damaged(self.path, "its body has another hash than its head says"));
        }
        Ok(())
    }
}

impl StateSource for BodyReader<'_> {
    fn give(&mut self, bytes: &mut Vec<u8>) -> bool {
        if self.failure.is_some() {
            return false;
        }
        match self.next_block() {
            Ok(Some(block)) => {
                bytes.extend_from_slice(block);
                true
            }
            Ok(None) => false,
            Err(failure) => {
                self.failure = Some(failure);
                false
            }
        }
    }
}

/// Bytes of the file of a snapshot with a body of `body` bytes; `None` for more than there can be.
pub(super) fn file_bytes(body: u64) -> Option<u64> {
    body.checked_add(body.div_ceil(BLOCK as u64) * CHECKSUM_SIZE as u64)?.checked_add(HEAD_SIZE as u64)
}
