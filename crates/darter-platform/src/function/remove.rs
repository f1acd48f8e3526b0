//! Removing a function with all its versions.

use darter_core::{AppId, Fault};
use darter_store::function;

use super::swap;
use super::view::not_found;
use crate::access::Opened;
use crate::{Actor, Platform};

/// Removes it. Calls to it are answered 404 from now on.
pub async fn remove(platform: &Platform, actor: &Actor, app: &AppId, name: &str) -> Result<(), Fault> {
    let _turn = platform.apps.turns.take(app).await;
    let mut opened = Opened::edit(platform, actor, app).await?;
    if !function::remove(&mut opened.tx, app, name).await? {
        return Err(not_found(name));
    }
    opened.audit("function.delete", name, serde_json::json!({})).await?;
    opened.tx.commit().await?;
    platform.apps.languages.changed(app, name, None);
    swap::removed(platform, app, name).await;
    Ok(())
}
