//! npm packages of an app: the wanted list, the install that follows it, and those who watch it.

use std::sync::Arc;

use darter_api::resource as api;
use darter_core::{AppId, Fault};
use darter_engine::{InstallProgress, InstalledPackage};
use darter_store::dependency;

use super::install;
use super::installs::RunningInstall;
use super::name::validate_packages;
use crate::access::Opened;
use crate::{Actor, Platform};

/// What an app wants, what it has, and how the newest install stands.
pub async fn dependencies(platform: &Platform, actor: &Actor, app: &AppId) -> Result<api::Dependencies, Fault> {
    let mut opened = Opened::read(platform, actor, app).await?;
    show(platform, &mut opened).await
}

async fn show(platform: &Platform, opened: &mut Opened<'_>) -> Result<api::Dependencies, Fault> {
    let app = opened.id().clone();
    let found = dependency::get(&mut opened.tx, &app).await?;
    let mut newest = dependency::install(&mut opened.tx, &app).await?.map(|install| api::Install {
        id: install.id,
        state: install.state,
        phase: install.phase,
        message: install.message,
        output: install.output,
        started_at: install.started_at,
        ended_at: install.ended_at,
    });
    if let (Some(newest), Some(running)) = (&mut newest, platform.apps.installs.get(&app))
        && newest.id == running.id
    {
        let seen = running.seen();
        (newest.phase, newest.output) = (seen.phase, seen.output);
    }
    Ok(api::Dependencies {
        packages: found.wanted,
        installed: found.installed,
        digest: found.digest,
        bytes: found.bytes,
        install: newest,
        built_in: platform.config.built_in_packages.clone(),
    })
}

/// Replaces the wanted list and starts an install.
pub async fn set_dependencies(
    platform: &Arc<Platform>,
    actor: &Actor,
    app: &AppId,
    input: api::SetDependencies,
) -> Result<api::Dependencies, Fault> {
    validate_packages(&input.packages)?;
    let mut opened = Opened::edit(platform, actor, app).await?;
    let running = install::reserve(platform, app)?;
    let written = async {
        let mut found = dependency::get(&mut opened.tx, app).await?;
        found.wanted = input.packages;
        dependency::set(&mut opened.tx, app, &found).await?;
        dependency::set_install(&mut opened.tx, app, &install::beginning(platform, &running)).await?;
        opened.audit("dependency.set", "", serde_json::json!({ "packages": found.wanted })).await?;
        opened.tx.commit().await?;
        Ok::<_, Fault>(())
    };
    if let Err(fault) = written.await {
        platform.apps.installs.finish(app, &running);
        return Err(fault);
    }
    install::spawn(platform, app, running);
    dependencies(platform, actor, app).await
}

/// The install that runs, for watching it from its start; else the newest one as it ended; else one without events.
pub async fn watch_install(platform: &Platform, actor: &Actor, app: &AppId) -> Result<Arc<RunningInstall>, Fault> {
    drop(Opened::read(platform, actor, app).await?);
    if let Some(running) = platform.apps.installs.get(app) {
        return Ok(running);
    }
    // An install that ended before that look has written its end; only a view of the store from after it shows it.
    let mut opened = Opened::read(platform, actor, app).await?;
    let Some(newest) = dependency::install(&mut opened.tx, app).await? else {
        return Ok(Arc::new(RunningInstall::over(String::new(), Vec::new())));
    };
    let found = dependency::get(&mut opened.tx, app).await?;
    let mut events = vec![InstallProgress::Phase { name: newest.phase }];
    events.extend(newest.output.into_iter().map(|line| InstallProgress::Output { line }));
    events.push(match newest.state.as_str() {
        "installed" => InstallProgress::Installed {
            digest: found.digest.unwrap_or_default(),
            lockfile: String::new(),
            packages: found.installed.into_iter().map(|(name, version)| InstalledPackage { name, version }).collect(),
            bytes: found.bytes,
        },
        state => {
            let message = newest
                .message
                .unwrap_or_else(|| "This install did not end. Save the list again to install it.".to_owned());
            InstallProgress::Failed { code: format!("dependency.{state}"), message }
        }
    });
    Ok(Arc::new(RunningInstall::over(newest.id, events)))
}

/// Ends the install that runs. What was installed before stays.
pub async fn cancel_install(platform: &Platform, actor: &Actor, app: &AppId) -> Result<(), Fault> {
    let mut opened = Opened::edit(platform, actor, app).await?;
    let Some(running) = platform.apps.installs.get(app) else {
        return Err(Fault::conflict(
            "dependency.not_installing",
            "No install is running in this app. There is nothing to cancel.",
        ));
    };
    opened.audit("dependency.cancel", "", serde_json::json!({})).await?;
    opened.tx.commit().await?;
    running.cancel.cancel();
    Ok(())
}
