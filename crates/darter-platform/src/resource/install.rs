//! One install from its first line to its end: the engine works, watchers see, the store keeps the result.
//!
//! The task owns the app's place: whatever happens, it writes an end and gives the place back. After a crash the next
//! start writes `interrupted`.

use std::sync::Arc;

use darter_core::{AppId, Fault};
use darter_engine::{InstallProgress, InstallRequest};
use darter_store::dependency::{self, Dependencies, Install};

use super::installs::RunningInstall;
use crate::Platform;

/// Takes the app's place for an install.
pub(super) fn reserve(platform: &Platform, app: &AppId) -> Result<Arc<RunningInstall>, Fault> {
    let id = darter_core::random::text(&*platform.random, 12);
    platform.apps.installs.begin(app, id).ok_or_else(|| {
        Fault::conflict(
            "dependency.install_running",
            "An install is running in this app. Wait for its end, or cancel it, then change the list.",
        )
    })
}

/// The row of an install that begins.
pub(super) fn beginning(platform: &Platform, running: &RunningInstall) -> Install {
    Install {
        id: running.id.clone(),
        state: "running".into(),
        phase: "resolve".into(),
        message: None,
        output: Vec::new(),
        started_at: platform.clock.now(),
        ended_at: None,
    }
}

/// Installs what the app wants, after an import. Somebody else's install in between is as good.
pub(crate) async fn start(platform: &Arc<Platform>, app: &AppId) -> Result<(), Fault> {
    let Ok(running) = reserve(platform, app) else { return Ok(()) };
    let written = async {
        let mut tx = platform.store.write().await?;
        dependency::set_install(&mut tx, app, &beginning(platform, &running)).await?;
        tx.commit().await?;
        Ok::<_, Fault>(())
    };
    match written.await {
        Ok(()) => spawn(platform, app, running),
        Err(fault) => {
            platform.apps.installs.finish(app, &running);
            return Err(fault);
        }
    }
    Ok(())
}

/// Works on its own until the end.
pub(super) fn spawn(platform: &Arc<Platform>, app: &AppId, running: Arc<RunningInstall>) {
    let (platform, app) = (Arc::clone(platform), app.clone());
    tokio::spawn(async move {
        let end = work(&platform, &app, &running).await;
        let installed = matches!(end, InstallProgress::Installed { .. });
        let kept = keep(&platform, &app, &running, &end).await;
        running.push(match &kept {
            Ok(()) => end,
            Err(fault) => InstallProgress::Failed { code: fault.code.into(), message: fault.message.clone() },
        });
        platform.apps.installs.finish(&app, &running);
        match kept {
            Ok(()) if installed => {
                platform.apps.bundles.changed(&app);
                platform.engine.restart(&app).await;
            }
            Ok(()) => {}
            Err(fault) => {
                tracing::error!(%app, %fault, cause = ?fault.cause, "the end of an install could not be kept")
            }
        }
    });
}

async fn work(platform: &Platform, app: &AppId, running: &RunningInstall) -> InstallProgress {
    let failed = |code: &str, message: String| InstallProgress::Failed { code: code.into(), message };
    let request = match wanted(platform, app).await {
        Ok(wanted) if wanted.wanted.is_empty() => return nothing(),
        Ok(wanted) => InstallRequest { app: app.clone(), packages: wanted.wanted, lockfile: wanted.lockfile },
        Err(fault) => return failed(fault.code, fault.message),
    };
    let mut progress = match platform.engine.install(request).await {
        Ok(progress) => progress,
        Err(fault) => return failed(fault.code, fault.message),
    };
    loop {
        let event = tokio::select! {
            event = progress.recv() => event,
            () = running.cancel.cancelled() => {
                return failed("dependency.cancelled", "The install was cancelled. What was installed before stays.".into());
            }
        };
        match event {
            Some(end @ (InstallProgress::Installed { .. } | InstallProgress::Failed { .. })) => return end,
            Some(step @ (InstallProgress::Output { .. } | InstallProgress::Phase { .. })) => running.push(step),
            None => {
                return failed(
                    "dependency.install_ended",
                    "The install ended without a result. Try again; if it stays, tell the operator.".into(),
                );
            }
        }
    }
}

/// An empty list needs no install.
fn nothing() -> InstallProgress {
    InstallProgress::Installed { digest: String::new(), lockfile: String::new(), packages: Vec::new(), bytes: 0 }
}

async fn wanted(platform: &Platform, app: &AppId) -> Result<Dependencies, Fault> {
    let mut tx = platform.store.read().await?;
    Ok(dependency::get(&mut tx, app).await?)
}

/// Writes the end: the install's row, and what is installed now.
async fn keep(platform: &Platform, app: &AppId, running: &RunningInstall, end: &InstallProgress) -> Result<(), Fault> {
    let mut tx = platform.store.write().await?;
    let Some(mut row) = dependency::install(&mut tx, app).await? else { return Ok(()) };
    let seen = running.seen();
    (row.phase, row.output, row.ended_at) = (seen.phase, seen.output, Some(platform.clock.now()));
    match end {
        InstallProgress::Installed { digest, lockfile, packages, bytes } => {
            let mut found = dependency::get(&mut tx, app).await?;
            found.installed = packages.iter().map(|package| (package.name.clone(), package.version.clone())).collect();
            found.digest = Some(digest.clone()).filter(|digest| !digest.is_empty());
            found.lockfile = Some(lockfile.clone()).filter(|lockfile| !lockfile.is_empty());
            found.bytes = *bytes;
            dependency::set(&mut tx, app, &found).await?;
            row.state = "installed".into();
        }
        InstallProgress::Failed { message, .. } => (row.state, row.message) = ("failed".into(), Some(message.clone())),
        InstallProgress::Output { .. } | InstallProgress::Phase { .. } => {}
    }
    dependency::set_install(&mut tx, app, &row).await?;
    tx.commit().await?;
    Ok(())
}

/// At the server's start: no install of a former life runs any more.
pub(crate) async fn interrupt_installs(platform: &Platform) -> Result<(), Fault> {
    let mut tx = platform.store.write().await?;
    let message = "The server was restarted during this install. Save the list again to install it.";
    dependency::interrupt_all(&mut tx, platform.clock.now(), message).await?;
    tx.commit().await?;
    Ok(())
}
