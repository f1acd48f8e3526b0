//! Environment variables: readable by editors, applied to instances without a restart.

use darter_api::page::Page;
use darter_api::resource as api;
use darter_core::role::Action;
use darter_core::{AppId, Fault};
use darter_store::variable::{self, Variable};

use super::environment::conclude;
use super::name::{COUNT_LIMIT, validate_value, validate_variable};
use crate::access::Opened;
use crate::{Actor, Platform};

/// All of an app. Values are for those who may change them.
pub async fn variables(platform: &Platform, actor: &Actor, app: &AppId) -> Result<Page<api::Variable>, Fault> {
    let mut opened = Opened::read_as(platform, actor, app, Action::View).await?;
    let editor = darter_core::role::can(Some(opened.app.role), Action::Edit) == darter_core::role::Decision::Allow;
    let found = variable::list(&mut opened.tx, app).await?;
    let items = found.into_iter().map(|variable| api::Variable {
        name: variable.name,
        value: if editor { variable.value } else { String::new() },
        updated_at: variable.updated_at,
    });
    Ok(Page { items: items.collect(), next: None })
}

/// Sets one.
pub async fn set_variable(
    platform: &Platform,
    actor: &Actor,
    (app, name): (&AppId, &str),
    input: api::SetValue,
) -> Result<api::Variable, Fault> {
    let mut opened = Opened::edit(platform, actor, app).await?;
    validate_variable(name)?;
    validate_value(&input.value)?;
    if variable::count_others(&mut opened.tx, app, name).await? as usize >= COUNT_LIMIT {
        return Err(Fault::conflict(
            "variable.too_many",
            format!("An app has at most {COUNT_LIMIT} variables. Remove one that is not needed."),
        ));
    }
    let variable = Variable { name: name.to_owned(), value: input.value, updated_at: platform.clock.now() };
    variable::set(&mut opened.tx, app, &variable).await?;
    conclude(platform, opened, "variable.set", name).await?;
    Ok(api::Variable { name: variable.name, value: variable.value, updated_at: variable.updated_at })
}

/// Removes one.
pub async fn remove_variable(platform: &Platform, actor: &Actor, app: &AppId, name: &str) -> Result<(), Fault> {
    let mut opened = Opened::edit(platform, actor, app).await?;
    if !variable::remove(&mut opened.tx, app, name).await? {
        return Err(Fault::not_found(
            "variable.not_found",
            "This app has no variable with this name. See the list of its variables.",
        ));
    }
    conclude(platform, opened, "variable.delete", name).await
}
