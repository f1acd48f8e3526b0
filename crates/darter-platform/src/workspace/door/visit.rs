//! A browser that was here before: its visit is looked up, and whether it still may enter is asked anew.

use darter_core::role::TokenScope;
use darter_core::workspace::Door;
use darter_core::workspace::pass::{Level, PASS_LIFE, Pass};
use darter_core::{Fault, Millis};
use darter_store::door::{self, Credential, Visit};
use darter_store::{Tx, account, port, workspace_member};

use super::address::Spot;
use super::{closed, level};
use crate::credential::digest;
use crate::workspace::config::millis;
use crate::{Actor, Platform};

/// A use is written at most this often.
const NOTE_EVERY: Millis = 5 * 60_000;

/// What lets a browser in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Signed, valid for a minute: checked from memory.
    pub pass: String,
    /// Random, long-lived: looked up. `None`: the one that is there goes on.
    pub visit: Option<String>,
    /// Path and query on this host.
    pub to: String,
}

/// A fresh pass for the holder of this visit; `None`: the visit has ended, or they may not enter any more.
pub async fn visit(platform: &Platform, spot: &Spot, secret: &str) -> Result<Option<Entry>, Fault> {
    let now = platform.clock.now();
    let mut tx = platform.store.read().await?;
    let Some(found) = door::by_secret(&mut tx, &spot.id, &digest(secret), now).await? else { return Ok(None) };
    if found.door != spot.door() {
        return Ok(None);
    }
    let Some(level) = still(platform, &mut tx, spot, (&found, now)).await? else { return Ok(None) };
    drop(tx);
    if now - found.last_used_at >= NOTE_EVERY && !matches!(found.credential, Credential::Share(_)) {
        note(platform, &found, now).await?;
    }
    let (account, door) = (found.account, found.door);
    let pass = Pass { workspace: spot.id.clone(), account, door, level, expires_at: now + PASS_LIFE };
    Ok(Some(Entry { pass: platform.workspaces.pass_key.sign(&pass), visit: None, to: String::new() }))
}

/// What the visitor is to the spot now.
async fn still(
    platform: &Platform,
    tx: &mut Tx,
    spot: &Spot,
    (found, now): (&Visit, Millis),
) -> Result<Option<Level>, Fault> {
    if let Credential::Share(id) = &found.credential {
        let open = platform.workspaces.plate(&spot.id).is_some_and(|plate| !plate.recycled);
        let share = port::share_by_id(tx, &spot.id, id, now).await?;
        return Ok(share.filter(|share| open && Some(share.port) == spot.port).map(|_| Level::Guest));
    }
    let Some(id) = &found.account else { return Ok(level(platform, spot, None, false)) };
    let known = account::lookup(tx, id).await?.is_some_and(|account| !account.disabled);
    let role = if known { workspace_member::role(tx, &spot.id, id).await? } else { None };
    Ok(level(platform, spot, role, known))
}

async fn note(platform: &Platform, found: &Visit, now: Millis) -> Result<(), Fault> {
    let expires_at = now.saturating_add(millis(platform.config.workspaces.visit_ms));
    let mut tx = platform.store.write().await?;
    door::visited(&mut tx, &found.workspace, &found.id, (now, expires_at)).await?;
    Ok(tx.commit().await?)
}

/// May the holder of this personal access token enter? An editor is a shell: a token that only reads does not open it.
pub async fn by_access_token(platform: &Platform, spot: &Spot, token: &str) -> Result<(), Fault> {
    let actor = Actor::by_token(platform, token).await?;
    let scope = match spot.door() {
        Door::Editor | Door::Attendant => TokenScope::Write,
        Door::Port(_) => TokenScope::Read,
    };
    let account = actor.require(scope)?;
    let role = workspace_member::role(&mut *platform.store.read().await?, &spot.id, account).await?;
    level(platform, spot, role, true).map(|_| ()).ok_or_else(closed)
}
