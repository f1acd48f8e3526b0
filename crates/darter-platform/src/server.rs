//! The server about itself: what it is called, and which walls stand.

use darter_api::page::Page;
use darter_api::system::{System, Wall};
use darter_core::Fault;

use crate::{Actor, Platform};

/// What a client must know to speak to this server. For anyone.
pub fn about(platform: &Platform) -> System {
    System {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        apps_domain: platform.config.apps_domain.clone(),
        scheme: platform.config.scheme().to_owned(),
        port: platform.config.port(),
        ssh: platform.config.ssh.clone(),
    }
}

/// The walls of the sandbox, for an administrator.
pub fn walls(platform: &Platform, actor: &Actor) -> Result<Page<Wall>, Fault> {
    actor.require_administrator()?;
    Ok(Page { items: (platform.doctor)(), next: None })
}
