//! An app's environment as its instances see it: variables and opened secrets together.
//!
//! Opened secrets go into instances of this very app and nowhere else.

use std::collections::BTreeMap;

use darter_core::{AppId, Fault};
use darter_store::{Tx, app, secret, variable};

use crate::Platform;
use crate::access::Opened;
use crate::app::SERVER_SECRET;

/// Variables and secrets; a secret wins over a variable of the same name.
pub(crate) async fn environment(
    platform: &Platform,
    tx: &mut Tx,
    app: &AppId,
) -> Result<BTreeMap<String, String>, Fault> {
    let mut environment: BTreeMap<_, _> =
        variable::list(tx, app).await?.into_iter().map(|variable| (variable.name, variable.value)).collect();
    for (name, sealed) in secret::sealed(tx, app).await? {
        let value = platform.apps.vault.open(app, &name, &sealed)?;
        environment.insert(name, value);
    }
    Ok(environment)
}

/// The secret that signs tokens of the app's own users.
pub(crate) fn server_secret(platform: &Platform, app: &app::App) -> Result<String, Fault> {
    platform.apps.vault.open(&app.id, SERVER_SECRET, &app.secret)
}

/// Ends a change of one variable or secret: who did it, the commit, and the instances that run.
pub(super) async fn conclude(
    platform: &Platform,
    mut opened: Opened<'_>,
    operation: &'static str,
    name: &str,
) -> Result<(), Fault> {
    opened.audit(operation, name, serde_json::json!({})).await?;
    let app = opened.id().clone();
    opened.tx.commit().await?;
    apply(platform, &app).await;
    Ok(())
}

/// Brings a committed change into the instances that run. When that fails the app starts anew.
async fn apply(platform: &Platform, app: &AppId) {
    platform.apps.bundles.changed(app);
    let _turn = platform.apps.turns.take(app).await;
    let applied = async {
        let mut tx = platform.store.read().await?;
        let environment = environment(platform, &mut tx, app).await?;
        drop(tx);
        platform.engine.environment(app, environment).await
    };
    if let Err(fault) = applied.await {
        tracing::warn!(%app, %fault, "an instance did not take a changed environment; the app starts anew");
        platform.engine.restart(app).await;
    }
}
