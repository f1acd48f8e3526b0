//! The workspace's side of the door: a code is traded for a visit and a pass, once; a share link's as often as it is
//! opened, until it ends.

use darter_core::workspace::pass::{Level, PASS_LIFE, Pass};
use darter_core::{AccountId, Fault, Millis, VisitId};
use darter_store::door::{self, Credential, Visit};
use darter_store::{Tx, port, workspace_member};

use super::address::Spot;
use super::visit::Entry;
use super::{SHARE_PREFIX, closed, level};
use crate::Platform;
use crate::credential::{digest, secret};
use crate::workspace::config::millis;

/// Visits of one account or one share link to a workspace; the one that was not used for longest ends first.
const VISITS: u32 = 200;

fn spent() -> Fault {
    Fault::forbidden(
        "door.code_invalid",
        "This link has been used or is too old. Open the workspace from your list of workspaces again, or ask for a new link.",
    )
}

/// Trades a code, or a share link's secret, for entry to this spot.
pub async fn redeem(platform: &Platform, spot: &Spot, code: &str) -> Result<Entry, Fault> {
    let now = platform.clock.now();
    let life = millis(platform.config.workspaces.visit_ms);
    let mut tx = platform.store.write().await?;
    if code.starts_with(SHARE_PREFIX) {
        let share = port::share_by_secret(&mut tx, &spot.id, &digest(code), now).await?;
        let share = share.filter(|share| Some(share.port) == spot.port).ok_or_else(spent)?;
        platform.workspaces.plate(&spot.id).filter(|plate| !plate.recycled).ok_or_else(closed)?;
        let until = share.expires_at.min(now.saturating_add(life));
        let guest = Guest { account: None, credential: Credential::Share(share.id), level: Level::Guest };
        let entry = let_in(platform, &mut tx, spot, (guest, until, "/".to_owned())).await?;
        tx.commit().await?;
        return Ok(entry);
    }
    let code = door::redeem(&mut tx, &spot.id, &digest(code), now).await?.ok_or_else(spent)?;
    if code.door != spot.door() {
        // It is used up all the same.
        tx.commit().await?;
        return Err(spent());
    }
    let role = workspace_member::role(&mut tx, &spot.id, &code.account).await?;
    let level = level(platform, spot, role, true).ok_or_else(closed)?;
    let guest = Guest { account: Some(code.account), credential: code.credential, level };
    let entry = let_in(platform, &mut tx, spot, (guest, now.saturating_add(life), code.path)).await?;
    tx.commit().await?;
    Ok(entry)
}

/// Who is let in, and as what.
struct Guest {
    account: Option<AccountId>,
    credential: Credential,
    level: Level,
}

async fn let_in(
    platform: &Platform,
    tx: &mut Tx,
    spot: &Spot,
    (guest, expires_at, to): (Guest, Millis, String),
) -> Result<Entry, Fault> {
    let now = platform.clock.now();
    let secret = secret(&*platform.random);
    let visit = Visit {
        id: VisitId::generate(now, &*platform.random),
        workspace: spot.id.clone(),
        door: spot.door(),
        account: guest.account.clone(),
        credential: guest.credential,
        created_at: now,
        last_used_at: now,
        expires_at,
    };
    door::enter(tx, &visit, &digest(&secret)).await?;
    door::trim(tx, &spot.id, (&visit.credential, visit.account.as_ref()), VISITS).await?;
    let pass = Pass {
        workspace: spot.id.clone(),
        account: guest.account,
        door: spot.door(),
        level: guest.level,
        expires_at: now + PASS_LIFE,
    };
    Ok(Entry { pass: platform.workspaces.pass_key.sign(&pass), visit: Some(secret), to })
}
