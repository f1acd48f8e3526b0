//! Which ports there are, and who may reach them. A program inside says that it listens: its name is the tenant's.

use std::collections::BTreeMap;

use darter_api::page::Page;
use darter_api::workspace as api;
use darter_core::role::Action;
use darter_core::workspace::port::{Protocol, Visibility, validate};
use darter_core::{Fault, WorkspaceId};
use darter_engine::workspace::OpenPort;
use darter_store::port::{self, Port};
use serde_json::json;

use crate::workspace::access::Opened;
use crate::workspace::view::addresses;
use crate::{Actor, Platform};

/// Every port that a program listens on or that somebody decided about.
pub async fn list(platform: &Platform, actor: &Actor, id: &WorkspaceId) -> Result<Page<api::Port>, Fault> {
    let mut opened = Opened::read(platform, actor, id).await?;
    let decided = port::list(&mut opened.tx, id).await?;
    let open = platform.workspaces.engine.status(id).ports;
    let mut ports: BTreeMap<u16, (Option<Port>, Option<OpenPort>)> = BTreeMap::new();
    for one in decided {
        ports.entry(one.port).or_default().0 = Some(one);
    }
    for one in open {
        let number = one.port;
        ports.entry(number).or_default().1 = Some(one);
    }
    let owner_name = &opened.found.owner_name;
    let items =
        ports.into_iter().map(|(number, (decided, open))| shown(platform, (id, owner_name), number, (decided, open)));
    Ok(Page { items: items.collect(), next: None })
}

fn shown(
    platform: &Platform,
    (id, owner_name): (&WorkspaceId, &str),
    number: u16,
    (decided, open): (Option<Port>, Option<OpenPort>),
) -> api::Port {
    let url = addresses(platform, owner_name, id).port.replace("{{port}}", &number.to_string());
    api::Port {
        port: number,
        visibility: decided.map(|one| one.visibility).unwrap_or_default(),
        protocol: decided.map(|one| one.protocol).unwrap_or_default(),
        listening: open.is_some(),
        address: open.as_ref().map(|one| one.address.clone()).unwrap_or_default(),
        program: open.map(|one| one.name).unwrap_or_default(),
        url,
    }
}

/// Decides who may reach a port and what is spoken on it. For the owner: a public port is a hole in the wall.
pub async fn set(
    platform: &Platform,
    actor: &Actor,
    (id, number): (&WorkspaceId, u16),
    input: api::SetPort,
) -> Result<api::Port, Fault> {
    validate(number)?;
    let mut opened = Opened::write(platform, actor, id, Action::Own).await?.not_recycled()?;
    let before = port::lookup(&mut opened.tx, id, number).await?;
    let usual = (Visibility::default(), Protocol::default());
    let (visibility, protocol) = before.map_or(usual, |port| (port.visibility, port.protocol));
    let port = Port {
        port: number,
        visibility: input.visibility.unwrap_or(visibility),
        protocol: input.protocol.unwrap_or(protocol),
        updated_at: platform.clock.now(),
    };
    port::set(&mut opened.tx, id, &port).await?;
    let details = json!({ "visibility": port.visibility, "protocol": port.protocol });
    opened.audit("port.set", &number.to_string(), details).await?;
    opened.tx.commit().await?;
    platform.workspaces.set_port(id, number, Some((port.visibility, port.protocol)));
    let open = platform.workspaces.engine.status(id).ports.into_iter().find(|open| open.port == number);
    Ok(shown(platform, (id, &opened.found.owner_name), number, (Some(port), open)))
}

/// Makes a port private and HTTP again.
pub async fn reset(platform: &Platform, actor: &Actor, (id, number): (&WorkspaceId, u16)) -> Result<(), Fault> {
    let mut opened = Opened::write(platform, actor, id, Action::Own).await?.not_recycled()?;
    if port::remove(&mut opened.tx, id, number).await? {
        opened.audit("port.reset", &number.to_string(), json!({})).await?;
    }
    opened.tx.commit().await?;
    platform.workspaces.set_port(id, number, None);
    Ok(())
}
