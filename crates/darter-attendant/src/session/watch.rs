//! `fs.watch`: what changes in folders, told in handfuls. A bounded number of folders; what comes too fast, or is too much,
//! is told as one change of the whole. Links are not followed.

mod folders;
mod pending;

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::Output;
use crate::blocking::blocking;
use crate::fault::{AtPath, Fault};
use crate::params::Params;
use crate::passed;
use folders::{Folders, Wanted};
use pending::Pending;

/// Changes are gathered for so long before they are told.
const HANDFUL: Duration = Duration::from_millis(100);

/// A session's watches; nothing is made before the first.
pub(super) struct Watches {
    output: Output,
    started: Mutex<Option<(Arc<Folders>, AbortHandle)>>,
}

impl Watches {
    pub(super) fn new(output: Output) -> Self {
        Self { output, started: Mutex::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Arc<Folders>, AbortHandle)>> {
        self.started.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `{path, recursive, excludes}`
    pub(super) async fn add(&self, params: &Params) -> Result<Value, Fault> {
        let path = params.path("path")?;
        let wanted = Wanted::new(&path, params.flag("recursive")?, &params.value::<Vec<String>>("excludes")?)?;
        let folders = self.folders()?;
        let (id, partial) = blocking(move || folders.add(wanted)).await.at(&path)?;
        Ok(if partial { json!({"watch": id, "partial": true}) } else { json!({"watch": id}) })
    }

    /// `{watch}`
    pub(super) async fn remove(&self, params: &Params) -> Result<Value, Fault> {
        let id = params.id("watch")?;
        let started = self.lock().as_ref().map(|(folders, _)| folders.clone());
        if let Some(folders) = started {
            blocking(move || folders.remove(id)).await;
        }
        Ok(json!({}))
    }

    pub(super) fn end(&self) {
        if let Some((_, task)) = self.lock().take() {
            task.abort();
        }
    }

    fn folders(&self) -> Result<Arc<Folders>, Fault> {
        let mut started = self.lock();
        if let Some((folders, _)) = &*started {
            return Ok(folders.clone());
        }
        let cannot =
            |error: std::io::Error| Fault::new("limit.reached", format!("nothing more can be watched here: {error}"));
        let folders = Arc::new(Folders::new().map_err(cannot)?);
        let ready = folders.descriptor().and_then(passed::readable).map_err(cannot)?;
        let task = tokio::spawn(tell(folders.clone(), ready, self.output.clone()));
        *started = Some((folders.clone(), task.abort_handle()));
        Ok(folders)
    }
}

async fn tell(folders: Arc<Folders>, ready: AsyncFd<OwnedFd>, output: Output) {
    loop {
        let Ok(mut guard) = ready.readable().await else { return };
        guard.clear_ready();
        drop(guard);
        // A handful at a time: a build changes thousands of files in a moment.
        tokio::time::sleep(HANDFUL).await;
        let mut more = true;
        while more {
            let reader = folders.clone();
            let pending: Pending;
            (pending, more) = blocking(move || reader.read()).await;
            for (watch, changes) in pending.told() {
                let params = json!({"watch": watch, "changes": changes});
                if output.notify("fs.changed", params).await.is_err() {
                    return;
                }
            }
        }
    }
}
