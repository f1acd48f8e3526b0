//! Looking at environments: everybody who may make a workspace sees what it can start from.

use darter_api::environment as api;
use darter_api::page::Page;
use darter_core::Fault;
use darter_core::role::TokenScope;
use darter_engine::environment::{InstallState, Listed, State, Words};

use super::named;
use crate::{Actor, Platform};

/// All of them, by name.
pub fn list(platform: &Platform, actor: &Actor) -> Result<Page<api::Environment>, Fault> {
    actor.require(TokenScope::Read)?;
    let items = platform.workspaces.environments.list().into_iter().map(show).collect();
    Ok(Page { items, next: None })
}

/// One of them.
pub fn get(platform: &Platform, actor: &Actor, name: &str) -> Result<api::Environment, Fault> {
    actor.require(TokenScope::Read)?;
    Ok(show(platform.workspaces.environments.inspect(&named(name)?)?))
}

pub(super) fn show(listed: Listed) -> api::Environment {
    let words = |Words { title, description }: Words| api::EnvironmentWords { title, description };
    let mib = |number: u32| u64::from(number) << 20;
    let mut shown = api::Environment {
        name: listed.name.to_string(),
        title: listed.words.title,
        description: listed.words.description,
        translations: listed.translations.into_iter().map(|(code, text)| (code, words(text))).collect(),
        extends: listed.extends.map(|name| name.to_string()),
        shipped: listed.shipped,
        light: listed.light,
        state: api::EnvironmentState::Available,
        digest: None,
        bytes: None,
        outdated: false,
        progress: None,
        trouble: None,
        memory: api::EnvironmentMemory {
            idle: mib(listed.memory.idle),
            open: mib(listed.memory.open),
            usual: mib(listed.memory.usual),
        },
    };
    match listed.state {
        State::Available => {}
        State::Installing(state) => {
            shown.state = api::EnvironmentState::Installing;
            shown.progress = Some(progress(state));
        }
        State::Installed { digest, bytes, outdated, .. } => {
            shown.state = api::EnvironmentState::Installed;
            (shown.digest, shown.bytes, shown.outdated) = (Some(digest), Some(bytes), outdated);
        }
        State::Broken { code, message } => {
            shown.state = api::EnvironmentState::Broken;
            shown.trouble = Some(api::EnvironmentTrouble { code, message });
        }
    }
    shown
}

fn progress(state: InstallState) -> api::EnvironmentProgress {
    let InstallState { since, phase, what, number, of, bytes, total, line } = state;
    api::EnvironmentProgress { since, phase, what, number, of, bytes, total, line }
}
