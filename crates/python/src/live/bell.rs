//! A descriptor an event loop can watch.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;

use openbell_kernel::live::OutputBell;
use rustix::event::{EventfdFlags, eventfd};

/// An eventfd: readable from the first ring until silenced.
#[derive(Clone, Debug)]
pub struct EventBell(Arc<OwnedFd>);

impl EventBell {
    pub fn new() -> io::Result<Self> {
        let descriptor = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(EventBell(Arc::new(descriptor)))
    }

    pub fn fileno(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

impl OutputBell for EventBell {
    fn ring(&self) {
        // It fails only when it has been rung 2^64 times without a look; then it is readable anyway.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    fn silence(&self) {
        let mut count = [0; 8];
        // Fails when it has not been rung, which is what is wanted.
        let _ = rustix::io::read(&self.0, &mut count);
    }
}
