//! Installing an environment, and watching it: an administrator begins it, everybody may see how far it is.

use std::sync::Arc;

use darter_api::environment as api;
use darter_core::Fault;
use darter_core::role::TokenScope;
use darter_core::workspace::EnvironmentName;
use darter_engine::environment::{Environments, InstallEvent};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use super::list::show;
use super::named;
use crate::audit::{Change, record};
use crate::{Actor, Platform};

/// Begins to install it unless it is there or under way.
pub async fn install(platform: &Platform, actor: &Actor, name: &str) -> Result<api::Environment, Fault> {
    actor.require_administrator()?;
    let name = named(name)?;
    let environments = &platform.workspaces.environments;
    environments.inspect(&name)?;
    let mut tx = platform.store.write().await?;
    record(&mut tx, actor, Change::of("environment.install", &name, serde_json::json!({}))).await?;
    tx.commit().await?;
    Arc::clone(environments).install(&name)?;
    Ok(show(environments.inspect(&name)?))
}

/// An environment that somebody looks at: how it stands, at first and after each change of its install.
pub struct Watched {
    environments: Arc<dyn Environments>,
    name: EnvironmentName,
    /// `None`: nothing is under way.
    events: Option<Receiver<InstallEvent>>,
    first: bool,
}

/// Watches an install to its end.
pub fn watch(platform: &Platform, actor: &Actor, name: &str) -> Result<Watched, Fault> {
    actor.require(TokenScope::Read)?;
    let name = named(name)?;
    let environments = Arc::clone(&platform.workspaces.environments);
    environments.inspect(&name)?;
    let events = environments.watch(&name);
    Ok(Watched { environments, name, events, first: true })
}

impl Watched {
    /// How it stands now; `None`: the install has ended and that was told. A line of output is passed on by itself.
    pub async fn next(&mut self) -> Option<(api::Environment, Option<String>)> {
        let mut line = None;
        if !std::mem::take(&mut self.first) {
            line = match self.events.as_mut()?.recv().await {
                Ok(InstallEvent::Output { line }) => Some(line),
                // Who reads slowly misses lines; the state has the rest.
                Ok(InstallEvent::Phase { .. } | InstallEvent::Download { .. }) | Err(RecvError::Lagged(_)) => None,
                Ok(InstallEvent::Installed { .. } | InstallEvent::Failed { .. }) | Err(RecvError::Closed) => {
                    self.events = None;
                    None
                }
            };
        }
        Some((show(self.environments.inspect(&self.name).ok()?), line))
    }
}
