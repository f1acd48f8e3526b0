//! Looking at environments: everybody who may make a workspace sees what it can start from.

use std::collections::BTreeMap;

use darter_api::environment as api;
use darter_api::page::Page;
use darter_core::Fault;
use darter_core::role::TokenScope;
use darter_engine::environment::{InstallState, Listed, State, Unread, Words};

use super::named;
use crate::{Actor, Platform};

/// All of them, by name.
pub fn list(platform: &Platform, actor: &Actor) -> Result<Page<api::Environment>, Fault> {
    actor.require(TokenScope::Read)?;
    let environments = &platform.workspaces.environments;
    let mut items: Vec<_> = environments.list().into_iter().map(show).collect();
    if actor.person().is_some_and(|person| person.administrator) {
        environments.unread().into_iter().for_each(|unread| tell(&mut items, unread));
    }
    Ok(Page { items, next: None })
}

/// A recipe that cannot be read, to the administrator: as the trouble of the shipped one whose place it would take, or as
/// an environment that is broken.
fn tell(items: &mut Vec<api::Environment>, Unread { folder, why }: Unread) {
    let trouble = |message| Some(api::EnvironmentTrouble { code: "environment.recipe".into(), message });
    if let Some(other) = items.iter_mut().find(|one| one.name == folder) {
        other.trouble =
            trouble(format!("{}. Until then the one that came with the server is used.", why.trim_end_matches('.')));
        return;
    }
    items.push(api::Environment {
        title: folder.clone(),
        name: folder,
        description: String::new(),
        translations: BTreeMap::new(),
        extends: None,
        image: None,
        shipped: false,
        light: false,
        state: api::EnvironmentState::Broken,
        digest: None,
        bytes: None,
        outdated: false,
        progress: None,
        trouble: trouble(why),
        memory: api::EnvironmentMemory { idle: 0, open: 0, usual: 0 },
    });
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
        image: listed.image,
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
