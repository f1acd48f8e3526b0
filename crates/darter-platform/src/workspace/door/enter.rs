//! The console's side of the door: checks who asks and what they may, and hands them over with a code.

use darter_api::workspace as api;
use darter_core::role::{Action, TokenScope};
use darter_core::{Fault, WorkspaceId};
use darter_store::door::{self, Code, Credential};
use darter_store::{Tx, workspace_member};
use serde_json::json;

use super::address::{self, Spot};
use super::{closed, level};
use crate::actor::Via;
use crate::credential::{digest, secret};
use crate::workspace::access::Opened;
use crate::{Actor, Platform};

/// How long a code is good for.
const CODE_LIFE: i64 = 60_000;

/// For a browser that knocked at a workspace's address and is signed in at the console: where it goes now. Somebody who
/// may not enter learns no more than that there is nothing for them.
pub async fn enter(platform: &Platform, actor: &Actor, to: &str) -> Result<String, Fault> {
    let account = actor.require(TokenScope::Write)?.clone();
    let (spot, path) = address::read(platform, to)?;
    let plate = platform.workspaces.plate(&spot.id).ok_or_else(closed)?;
    let mut tx = platform.store.write().await?;
    let role = workspace_member::role(&mut tx, &spot.id, &account).await?;
    level(platform, &spot, role, true).ok_or_else(closed)?;
    let (code, _) = mint(platform, &mut tx, actor, (&spot, path)).await?;
    tx.commit().await?;
    Ok(address::entrance(platform, &spot, (&plate.owner_name, &code)))
}

/// An address that signs one browser in, once, within a minute: for a terminal that cannot open a browser itself.
pub async fn open(
    platform: &Platform,
    actor: &Actor,
    id: &WorkspaceId,
    input: api::OpenWorkspace,
) -> Result<api::OneTimeAddress, Fault> {
    if let Some(port) = input.port {
        darter_core::workspace::port::validate(port)?;
    }
    let mut opened = Opened::write(platform, actor, id, Action::Edit).await?.not_recycled()?;
    let spot = Spot { id: id.clone(), port: input.port };
    let path = address::path_on_host(input.path.as_deref().unwrap_or("/"));
    let (code, expires_at) = mint(platform, &mut opened.tx, actor, (&spot, path)).await?;
    darter_store::workspace::used(&mut opened.tx, id, platform.clock.now()).await?;
    opened.audit("workspace.open", "", json!({ "port": input.port })).await?;
    opened.tx.commit().await?;
    let url = address::entrance(platform, &spot, (&opened.found.owner_name, &code));
    Ok(api::OneTimeAddress { url, expires_at })
}

/// A code in the name of whoever asks. What it opens ends with their session or token.
async fn mint(
    platform: &Platform,
    tx: &mut Tx,
    actor: &Actor,
    (spot, path): (&Spot, String),
) -> Result<(String, i64), Fault> {
    let person = actor.person().ok_or_else(closed)?;
    let expires_at = platform.clock.now() + CODE_LIFE;
    let code = Code {
        workspace: spot.id.clone(),
        door: spot.door(),
        account: person.account.clone(),
        credential: match &person.via {
            Via::Session(id) => Credential::Session(id.clone()),
            Via::Token(id, _) => Credential::Token(id.clone()),
            // Whoever has a shell in one workspace has no browser at the door of others.
            Via::SshKey(_) => return Err(closed()),
        },
        path,
        expires_at,
    };
    let secret = secret(&*platform.random);
    door::hand_over(tx, &code, &digest(&secret)).await?;
    Ok((secret, expires_at))
}
