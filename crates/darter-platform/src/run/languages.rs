//! The languages there are, and how each stands on this server.

use darter_api::page::Page;
use darter_api::run as api;
use darter_core::Fault;
use darter_core::role::TokenScope;
use futures_util::future::join_all;

use crate::{Actor, Platform};

/// All of them, by name.
pub async fn languages(platform: &Platform, actor: &Actor) -> Result<Page<api::Language>, Fault> {
    actor.require(TokenScope::Read)?;
    let runs = &platform.runs;
    let shown = runs.languages().all().map(|language| async move {
        let standing = runs.standing(language).await;
        let recipe = &language.recipe;
        api::Language {
            name: language.name.to_string(),
            title: recipe.title.clone(),
            aliases: recipe.aliases.clone(),
            endings: recipe.endings.clone(),
            file: recipe.file.clone(),
            hello: recipe.hello.clone(),
            installed: standing.lacks.is_empty(),
            version: standing.version,
            lacks: standing.lacks,
        }
    });
    Ok(Page { items: join_all(shown).await, next: None })
}
