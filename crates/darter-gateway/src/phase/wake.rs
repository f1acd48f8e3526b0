//! Phase 5: a place in an instance, started or thawed if it must be.

use std::time::Duration;

use darter_core::AppId;
use darter_wire::Lease;

use crate::directory::Directory;
use crate::page::Problem;

/// Waits for a place; never longer than the whole request may take.
pub(crate) async fn wake(
    directory: &dyn Directory,
    app: &AppId,
    version: Option<&(String, u32)>,
    patience: Duration,
) -> Result<Lease, Problem> {
    let acquired = async {
        match version {
            Some((function, number)) => directory.acquire_version(app, function, *number).await,
            None => directory.acquire(app).await,
        }
    };
    match tokio::time::timeout(patience, acquired).await {
        Ok(result) => result.map_err(Problem::from),
        Err(_) => Err(Problem::new(
            504,
            "app.start_timeout",
            "The app did not become ready within its total timeout. Try again; the owner can raise the timeout in the app's settings.",
        )
        .retry_after(1)),
    }
}
