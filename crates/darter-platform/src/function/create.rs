//! A new function: a draft, not published.

use darter_api::function as api;
use darter_core::function::{DESCRIPTION_LIMIT, METHODS, validate_methods, validate_name, validate_source};
use darter_core::{AppId, Fault, FunctionId};
use darter_store::function::{self, Function, FunctionSummary};

use super::compile::digest;
use super::view;
use crate::access::Opened;
use crate::app::FUNCTION_LIMIT;
use crate::{Actor, Platform};

/// What a new function says when its author says nothing.
const HELLO: &str = "import cloud from '@lafjs/cloud'

export default async function (ctx: FunctionContext) {
  console.log('Hello from', cloud.appid)
  return { message: `Hello ${ctx.query.name ?? 'world'}!` }
}
";

/// Makes a function.
pub async fn create(
    platform: &Platform,
    actor: &Actor,
    app: &AppId,
    input: api::CreateFunction,
) -> Result<api::Function, Fault> {
    let mut opened = Opened::edit(platform, actor, app).await?;
    let methods = input.methods.unwrap_or_else(|| METHODS.map(str::to_owned).to_vec());
    let source = input.source.unwrap_or_else(|| HELLO.to_owned());
    let description = input.description.unwrap_or_default();
    validate_name(&input.name)?;
    validate_methods(&methods)?;
    validate_description(&description)?;
    validate_source(&source)?;
    if function::count(&mut opened.tx, app).await? as usize >= FUNCTION_LIMIT {
        return Err(Fault::conflict(
            "function.too_many",
            format!("An app has at most {FUNCTION_LIMIT} functions. Delete one, or make another app."),
        ));
    }
    if function::lookup(&mut opened.tx, app, &input.name).await?.is_some() {
        return Err(taken(&input.name));
    }
    super::save::check_room(&mut opened.tx, app, (&input.name, &source)).await?;
    let now = platform.clock.now();
    let summary = FunctionSummary {
        id: FunctionId::generate(now, &*platform.random),
        app: app.clone(),
        name: input.name,
        description,
        digest: digest(&methods, &source),
        methods,
        revision: 1,
        live_version: None,
        live_digest: None,
        last_version: 0,
        created_at: now,
        updated_at: now,
        updated_by: opened.account.clone(),
        updated_by_name: actor.name().to_owned(),
    };
    let function = Function { summary, source };
    function::insert(&mut opened.tx, &function)
        .await
        .map_err(|error| if error.is_duplicate() { taken(&function.summary.name) } else { error.into() })?;
    opened.audit("function.create", &function.summary.name, serde_json::json!({})).await?;
    opened.tx.commit().await?;
    platform.apps.languages.changed(app, &function.summary.name, Some(&function.source));
    Ok(view::show(platform, function))
}

pub(super) fn taken(name: &str) -> Fault {
    Fault::conflict(
        "function.exists",
        format!("This app has a function \"{name}\" already. Choose another name, or change that one."),
    )
}

pub(super) fn validate_description(text: &str) -> Result<(), Fault> {
    if text.chars().count() <= DESCRIPTION_LIMIT && !text.contains('\0') {
        return Ok(());
    }
    Err(Fault::invalid(
        "function.description_too_long",
        format!("A description has at most {DESCRIPTION_LIMIT} characters. Shorten it."),
    ))
}
