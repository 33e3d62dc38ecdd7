//! On which processor the node thread runs, where somebody has chosen one.

use std::io;

/// Whether this process may run on the processor.
///
/// # Errors
/// When it may not, or the system cannot say.
#[cfg(target_os = "linux")]
pub(super) fn check_processor(processor: usize) -> io::Result<()> {
    let allowed = rustix::thread::sched_getaffinity(None)?;
    let is_known = processor < rustix::thread::CpuSet::MAX_CPU;
    if is_known && allowed.is_set(processor) {
        return Ok(());
    }
    let those = (0..rustix::thread::CpuSet::MAX_CPU).filter(|&one| allowed.is_set(one));
    let those = those.map(|one| one.to_string()).collect::<Vec<_>>().join(", ");
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("this process may run on {those}")))
}

#[cfg(not(target_os = "linux"))]
pub(super) fn check_processor(_: usize) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system lets no thread choose one"))
}

/// Keeps the calling thread on a processor that was checked. What has been forbidden since is left to the system.
pub(super) fn run_on(processor: usize) {
    #[cfg(target_os = "linux")]
    {
        let mut only = rustix::thread::CpuSet::new();
        only.set(processor);
        rustix::thread::sched_setaffinity(None, &only).ok();
    }
    #[cfg(not(target_os = "linux"))]
    let _ = processor;
}
