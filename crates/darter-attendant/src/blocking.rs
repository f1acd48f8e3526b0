//! Where file I/O happens: threads of their own, few of them. The runtime's thread must never wait for a disk.

use tokio::task::spawn_blocking;

/// Most threads that wait for the disk at a time; further work waits for one of them.
pub(crate) const THREADS: usize = 6;

/// Runs `work` outside the runtime's thread.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // Work that has begun is not cancelled, and the runtime outlives its tasks.
            Err(error) => unreachable!("blocking work was dropped: {error}"),
        },
    }
}
