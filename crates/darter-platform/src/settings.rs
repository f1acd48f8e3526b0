//! Settings of the server that an administrator changes while it runs. Until then the configuration's values count.

use darter_api::account::SignUpMode;
use darter_api::system::{Settings, UpdateSettings};
use darter_core::Fault;
use darter_store::{Tx, setting};

use crate::audit::{Change, record};
use crate::config::APPS_PER_ACCOUNT_MOST;
use crate::{Actor, Platform};

/// What applies now.
pub async fn load(tx: &mut Tx) -> Result<Settings, Fault> {
    let signup: SignUpMode = parse("signup", &setting::get(tx, "signup").await?)?;
    let apps_per_account = parse("apps_per_account", &setting::get(tx, "apps_per_account").await?)?;
    Ok(Settings { signup, apps_per_account })
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, json: &str) -> Result<T, Fault> {
    serde_json::from_str(json).map_err(|error| Fault::internal(format!("the setting {name} holds {json}: {error}")))
}

fn json<T: serde::Serialize>(value: T) -> Result<String, Fault> {
    serde_json::to_string(&value).map_err(Fault::internal)
}

/// At the start: the configuration's values, where nobody chose.
pub(crate) async fn suggest(platform: &Platform) -> Result<(), Fault> {
    let mut tx = platform.store.write().await?;
    setting::suggest(&mut tx, "signup", &json(platform.config.signup)?).await?;
    setting::suggest(&mut tx, "apps_per_account", &json(platform.config.apps_per_account)?).await?;
    Ok(tx.commit().await?)
}

/// For an administrator.
pub async fn get(platform: &Platform, actor: &Actor) -> Result<Settings, Fault> {
    actor.require_administrator()?;
    load(&mut platform.store.read().await?).await
}

/// For an administrator: changes what is given.
pub async fn change(platform: &Platform, actor: &Actor, input: UpdateSettings) -> Result<Settings, Fault> {
    actor.require_administrator()?;
    let mut tx = platform.store.write().await?;
    if let Some(signup) = input.signup {
        setting::choose(&mut tx, "signup", &json(signup)?).await?;
    }
    if let Some(most) = input.apps_per_account {
        if most > APPS_PER_ACCOUNT_MOST {
            let message = format!("apps_per_account is {most}; choose a number from 0 to {APPS_PER_ACCOUNT_MOST}.");
            return Err(Fault::invalid("settings.out_of_range", message));
        }
        setting::choose(&mut tx, "apps_per_account", &json(most)?).await?;
    }
    let details = serde_json::to_value(&input).map_err(Fault::internal)?;
    record(&mut tx, actor, Change::of("settings.update", "settings", details)).await?;
    let settings = load(&mut tx).await?;
    tx.commit().await?;
    Ok(settings)
}
