//! Directories and names. A change of names survives a power cut only after its directory was synced.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::loss::Loss;

/// Number of a file; names come and go, the file stays.
pub type FileNumber = usize;

#[derive(Clone, Debug)]
enum Change {
    Create { path: PathBuf, file: FileNumber },
    Rename { from: PathBuf, to: PathBuf },
    Remove { path: PathBuf },
    Directory { path: PathBuf },
}

impl Change {
    fn is_in(&self, directory: &Path) -> bool {
        let path = match self {
            Change::Create { path, .. } | Change::Remove { path } | Change::Directory { path } => path,
            Change::Rename { to, .. } => to,
        };
        path.parent() == Some(directory)
    }
}

#[derive(Clone, Debug, Default)]
struct Tree {
    files: BTreeMap<PathBuf, FileNumber>,
    directories: BTreeSet<PathBuf>,
}

impl Tree {
    fn has_directory(&self, path: &Path) -> bool {
        path.parent().is_none() || self.directories.contains(path)
    }

    /// Does the change where it can be done.
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Create { path, file } => {
                self.files.insert(path.clone(), *file);
            }
            Change::Rename { from, to } => {
                if let Some(file) = self.files.remove(from) {
                    self.files.insert(to.clone(), file);
                }
            }
            Change::Remove { path } => {
                self.files.remove(path);
            }
            Change::Directory { path } => {
                self.directories.insert(path.clone());
            }
        }
    }

    /// Drops what lies in a directory that is not there.
    fn prune(&mut self) {
        let all = self.directories.clone();
        let stands =
            |path: &Path| path.ancestors().all(|parent| parent.parent().is_none() || all.contains(parent));
        self.directories.retain(|path| stands(path));
        self.files.retain(|path, _| path.parent().is_some_and(stands));
    }
}

#[derive(Clone, Debug, Default)]
pub struct Names {
    seen: Tree,
    synced: Tree,
    pending: Vec<(u64, Change)>,
}

impl Names {
    pub fn file(&self, path: &Path) -> Option<FileNumber> {
        self.seen.files.get(path).copied()
    }

    pub fn files(&self) -> impl Iterator<Item = (&PathBuf, FileNumber)> {
        self.seen.files.iter().map(|(path, file)| (path, *file))
    }

    pub fn require_directory(&self, path: &Path) -> io::Result<()> {
        let there = self.seen.has_directory(path);
        if there { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }

    pub fn list(&self, directory: &Path) -> Vec<String> {
        let paths = self.seen.files.keys().chain(&self.seen.directories);
        let inside = paths.filter(|path| path.parent() == Some(directory));
        let mut names: Vec<String> =
            inside.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect();
        names.sort();
        names
    }

    fn change(&mut self, number: u64, change: Change) {
        self.seen.apply(&change);
        self.pending.push((number, change));
    }

    pub fn create_directory(&mut self, number: u64, path: &Path) {
        let missing: Vec<&Path> = path.ancestors().filter(|path| !self.seen.has_directory(path)).collect();
        for path in missing.into_iter().rev() {
            self.change(number, Change::Directory { path: path.to_owned() });
        }
    }

    pub fn create(&mut self, number: u64, path: &Path, file: FileNumber) {
        self.change(number, Change::Create { path: path.to_owned(), file });
    }

    pub fn rename(&mut self, number: u64, from: &Path, to: &Path) -> io::Result<()> {
        self.file(from).ok_or(ErrorKind::NotFound)?;
        self.require_directory(parent(to))?;
        self.change(number, Change::Rename { from: from.to_owned(), to: to.to_owned() });
        Ok(())
    }

    pub fn remove(&mut self, number: u64, path: &Path) -> io::Result<()> {
        self.file(path).ok_or(ErrorKind::NotFound)?;
        self.change(number, Change::Remove { path: path.to_owned() });
        Ok(())
    }

    pub fn sync(&mut self, directory: &Path) -> io::Result<()> {
        let directory = if directory == Path::new(".") { Path::new("") } else { directory };
        self.require_directory(directory)?;
        let (done, pending) = self.pending.drain(..).partition(|(_, change)| change.is_in(directory));
        self.pending = pending;
        let done: Vec<(u64, Change)> = done;
        done.iter().for_each(|(_, change)| self.synced.apply(change));
        Ok(())
    }

    /// Puts a durable name there, as a test prepares it.
    pub fn put(&mut self, path: &Path, file: FileNumber) {
        for tree in [&mut self.seen, &mut self.synced] {
            tree.files.insert(path.to_owned(), file);
            tree.directories.extend(path.ancestors().skip(1).map(Path::to_owned));
        }
    }

    pub fn erase(&mut self, path: &Path) {
        self.seen.files.remove(path);
        self.synced.files.remove(path);
    }

    /// The power fails: of the changes that were not synced, `loss` leaves some; each is done whole or not at all.
    pub fn cut(&mut self, loss: &mut Loss) {
        for (number, change) in std::mem::take(&mut self.pending) {
            if loss.survivor(&[number]) == number {
                self.synced.apply(&change);
            }
        }
        self.synced.prune();
        self.seen = self.synced.clone();
    }
}

pub fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}
