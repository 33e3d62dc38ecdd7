//! What can go wrong at a call, and when it does.

use super::loss::Manner;

/// The calls of the seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
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

impl Call {
    pub const ALL: [Call; 12] = [
        Call::CreateDirectory,
        Call::List,
        Call::Create,
        Call::Open,
        Call::Read,
        Call::Write,
        Call::SetLength,
        Call::Sync,
        Call::Rename,
        Call::Remove,
        Call::SyncDirectory,
        Call::Lock,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Call::CreateDirectory => "create-directory",
            Call::List => "list",
            Call::Create => "create",
            Call::Open => "open",
            Call::Read => "read",
            Call::Write => "write",
            Call::SetLength => "set-length",
            Call::Sync => "sync",
            Call::Rename => "rename",
            Call::Remove => "remove",
            Call::SyncDirectory => "directory-sync",
            Call::Lock => "lock",
        }
    }
}

pub const EINTR: i32 = 4;
pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;

/// What happens instead of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operating system's number of the error. A sync that fails drops what was to be synced.
    Error(i32),
    /// A read or write does a part and says so; other calls are done.
    Short,
    /// The call is done and takes ten seconds.
    Delay,
    /// The process dies: a write is done in part, any other call or not. The system and its cache live on.
    Abort,
    /// The power fails: the process, the cache and what was not synced are gone, in this manner or in one that the
    /// disk's seed chooses.
    PowerCut(Option<Manner>),
    /// The disk lies: a write lands in another sector of the file, or a sync is not done. Success is told.
    Misdirect,
    /// The disk lies: the write reaches the cache and never the disk. Success is told.
    Lose,
}

impl Fault {
    pub const fn name(self) -> &'static str {
        match self {
            Fault::Error(EINTR) => "EINTR",
            Fault::Error(EIO) => "EIO",
            Fault::Error(ENOSPC) => "ENOSPC",
            Fault::Error(_) => "error",
            Fault::Short => "short",
            Fault::Delay => "delay",
            Fault::Abort => "abort",
            Fault::PowerCut(_) => "power-cut",
            Fault::Misdirect => "misdirected",
            Fault::Lose => "lost",
        }
    }

    /// Whether the disk breaks its word: what it said it had written it has not.
    pub fn is_lie(self) -> bool {
        matches!(self, Fault::Misdirect | Fault::Lose)
    }
}

/// When a fault strikes: at the `nth` call from now on (1 = the next), of one kind or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trigger {
    pub call: Option<Call>,
    pub nth: u64,
}

/// A fault that waits for its call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Armed {
    trigger: Trigger,
    fault: Fault,
}

/// Faults that wait. Each strikes once.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Vec<Armed>);

impl Faults {
    pub fn arm(&mut self, trigger: Trigger, fault: Fault) {
        self.0.push(Armed { trigger, fault });
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts the call and takes out the fault that strikes it.
    pub fn strike(&mut self, call: Call) -> Option<Fault> {
        let mut struck = None;
        self.0.retain_mut(|armed| {
            if armed.trigger.call.is_some_and(|wanted| wanted != call) {
                return true;
            }
            armed.trigger.nth -= 1;
            let strikes = armed.trigger.nth == 0;
            if strikes {
                struck = struck.or(Some(armed.fault));
            }
            !strikes
        });
        struck
    }
}
