//! A new app: running, empty, owned by whoever makes it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use darter_api::app as api;
use darter_core::app::{AppState, validate_name};
use darter_core::limits::AppLimits;
use darter_core::role::{Role, TokenScope};
use darter_core::{AccountId, AppId, Fault};
use darter_store::app::{self, App, MemberApp};
use darter_store::{Tx, member};

use super::view::show;
use crate::{Actor, Platform};

/// The name that the app's own secret is sealed under.
pub(crate) const SERVER_SECRET: &str = "SERVER_SECRET";

/// Makes an app.
pub async fn create(platform: &Platform, actor: &Actor, input: api::CreateApp) -> Result<api::App, Fault> {
    let account = actor.require(TokenScope::Write)?.clone();
    validate_name(&input.name)?;
    let mut tx = platform.store.write().await?;
    let app = insert(platform, &mut tx, &account, (input.name.trim().to_owned(), AppLimits::default())).await?;
    let details = serde_json::json!({ "name": app.name });
    let change =
        crate::audit::Change { operation: "app.create", object: app.id.to_string(), app: Some(&app.id), details };
    crate::audit::record(&mut tx, actor, change).await?;
    tx.commit().await?;
    platform.apps.routes.set(&app.id, app.state, app.limits.clone());
    Ok(show(platform, &MemberApp { app, role: Role::Owner, functions: 0 }, None))
}

/// Writes an app with its owner and its secret, within the account's quota.
pub(crate) async fn insert(
    platform: &Platform,
    tx: &mut Tx,
    owner: &AccountId,
    (name, limits): (String, AppLimits),
) -> Result<App, Fault> {
    check_quota(tx, owner).await?;
    let now = platform.clock.now();
    let id = free_id(platform, tx).await?;
    let mut secret = [0u8; 32];
    platform.random.fill(&mut secret);
    let sealed = platform.apps.vault.seal(&id, SERVER_SECRET, &BASE64.encode(secret), &*platform.random)?;
    let app = App {
        id,
        owner: owner.clone(),
        name,
        state: AppState::Running,
        limits,
        secret: sealed,
        revision: 1,
        created_at: now,
        updated_at: now,
        recycled_at: None,
    };
    app::insert(tx, &app).await?;
    member::set(tx, &app.id, owner, Role::Owner, now).await?;
    Ok(app)
}

/// An id that no app has. 48 bits of chance: the loop ends at once.
async fn free_id(platform: &Platform, tx: &mut Tx) -> Result<AppId, Fault> {
    loop {
        let id = AppId::generate(&*platform.random);
        if app::find(tx, &id).await?.is_none() {
            return Ok(id);
        }
    }
}

/// Apps in the recycle bin do not count; restoring one asks again.
pub(crate) async fn check_quota(tx: &mut Tx, owner: &AccountId) -> Result<(), Fault> {
    let allowed = crate::settings::load(tx).await?.apps_per_account;
    let owned = app::count_owned(tx, owner).await?;
    if owned < allowed {
        return Ok(());
    }
    Err(Fault::conflict(
        "app.quota_reached",
        format!("You own {owned} apps and may own {allowed}. Delete one that is not needed, or ask an administrator for more."),
    )
    .with("owned", owned)
    .with("allowed", allowed))
}
