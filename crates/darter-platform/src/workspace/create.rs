//! A new workspace: within the quotas, with the limits that its owner chose, started unless they said otherwise.

use darter_api::workspace as api;
use darter_core::role::{Role, TokenScope};
use darter_core::workspace::{Depth, Desired, EnvironmentName, Kept, desired};
use darter_core::{AccountId, Fault, Kind, WorkspaceId};
use darter_store::workspace::{self, MemberWorkspace, Workspace};
use darter_store::{Tx, workspace_member};
use std::sync::Arc;

use super::view::show;
use super::{depth, wake};
use crate::audit::{Change, record};
use crate::{Actor, Platform};

/// Makes a workspace.
pub async fn create(
    platform: &Arc<Platform>,
    actor: &Actor,
    input: api::CreateWorkspace,
) -> Result<api::Workspace, Fault> {
    let account = actor.require(TokenScope::Write)?.clone();
    let awake = input.start.unwrap_or(true);
    let row = draft(platform, &account, input).await?;
    let mut tx = platform.store.write().await?;
    let row = insert(platform, &mut tx, row).await?;
    let details = serde_json::json!({ "name": row.name, "environment": row.environment, "kind": row.kept });
    record(&mut tx, actor, Change::of("workspace.create", &row.id, details)).await?;
    tx.commit().await?;
    let found =
        MemberWorkspace { role: Role::Owner, owner_name: actor.name().to_owned(), observed: None, workspace: row };
    platform.workspaces.hang(&found.workspace, &found.owner_name);
    if awake {
        wake::begin(platform, &found.workspace.id, None);
    }
    Ok(show(platform, &found))
}

/// What was asked for, checked; it has no id of its own yet.
async fn draft(platform: &Platform, owner: &AccountId, input: api::CreateWorkspace) -> Result<Workspace, Fault> {
    let config = &platform.config.workspaces;
    desired::validate_name(&input.name)?;
    let limits = input.limits.unwrap_or_else(|| config.limits.clone());
    limits.validate(&config.limits_most)?;
    let rest = input.rest.unwrap_or_else(|| config.rest.clone());
    rest.validate(&config.rest_most)?;
    let environment = known_environment(platform, &input.environment).await?;
    let now = platform.clock.now();
    Ok(Workspace {
        id: WorkspaceId::generate(&*platform.random),
        owner: owner.clone(),
        name: input.name.trim().to_owned(),
        kept: input.kind.unwrap_or(Kept::Named),
        depth: depth::settle(platform, &environment, input.depth, Depth::Full)?,
        environment,
        desired: if input.start.unwrap_or(true) { Desired::Awake } else { Desired::Asleep },
        limits,
        rest,
        keep_until: None,
        revision: 1,
        created_at: now,
        updated_at: now,
        used_at: now,
        recycled_at: None,
    })
}

/// An environment that the server has, installed or not.
pub(crate) async fn known_environment(platform: &Platform, name: &str) -> Result<EnvironmentName, Fault> {
    let unknown = || {
        let message = "There is no environment of this name on this server. Choose one of the list of environments.";
        Fault::invalid("environment.unknown", message).with("environment", name)
    };
    let wanted: EnvironmentName = name.parse().map_err(|_| unknown())?;
    match platform.workspaces.environments.installed(&wanted).await {
        Err(fault) if fault.kind == Kind::NotFound => Err(unknown()),
        // One that is being installed can be chosen: the start waits, or says how far it is.
        Ok(_) | Err(_) => Ok(wanted),
    }
}

/// Writes a workspace with its owner, within the quotas, under an id that no other has.
pub(crate) async fn insert(platform: &Platform, tx: &mut Tx, mut row: Workspace) -> Result<Workspace, Fault> {
    check_quota(platform, tx, &row.owner).await?;
    check_bin(platform, tx, &row.owner).await?;
    // 48 bits of chance: the loop ends at once.
    while workspace::find(tx, &row.id).await?.is_some() {
        row.id = WorkspaceId::generate(&*platform.random);
    }
    workspace::insert(tx, &row).await?;
    workspace_member::set(tx, &row.id, &row.owner, (Role::Owner, row.created_at)).await?;
    Ok(row)
}

/// Workspaces in the recycle bin do not count; restoring one asks again.
pub(crate) async fn check_quota(platform: &Platform, tx: &mut Tx, owner: &AccountId) -> Result<(), Fault> {
    let config = &platform.config.workspaces;
    let (own, all) = platform.workspaces.fillings(owner);
    let owned = workspace::count_owned(tx, owner).await?.saturating_add(own);
    if owned >= config.per_account {
        let allowed = config.per_account;
        let message = format!(
            "You own {owned} workspaces and may own {allowed}. Delete one that is not needed, or ask the operator for more."
        );
        return Err(Fault::conflict("workspace.quota_reached", message).with("owned", owned).with("allowed", allowed));
    }
    if workspace::count(tx).await?.saturating_add(all) >= config.total {
        let message =
            "This server has as many workspaces as its operator allows. Ask the operator for room, then try again.";
        return Err(Fault::new(Kind::Unavailable, "workspace.server_full", message).retry_after(600));
    }
    Ok(())
}

/// What lies in the bin takes room on the disk: it holds as many as an account may own, and is no way around that number.
async fn check_bin(platform: &Platform, tx: &mut Tx, owner: &AccountId) -> Result<(), Fault> {
    let (held, allowed) = (workspace::count_recycled(tx, owner).await?, platform.config.workspaces.per_account);
    if held < allowed {
        return Ok(());
    }
    let message = format!(
        "Your recycle bin holds {held} workspaces, which is as many as it can. Remove one of them for good, or restore one."
    );
    Err(Fault::conflict("workspace.bin_full", message).with("held", held).with("allowed", allowed))
}
