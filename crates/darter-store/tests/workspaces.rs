//! Every repository of the workspaces side, on SQLite and on PostgreSQL: what is written comes back, what is another
//! workspace's does not, what ended is gone, and what may be used once is used once.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod postgres;

use darter_core::role::Role;
use darter_core::workspace::port::{Protocol, Visibility};
use darter_core::workspace::{Depth, Desired, Door, Kept, SnapshotReason, WorkspaceLimits, WorkspaceRest};
use darter_core::{AccountId, Millis, SessionId, ShareId, SnapshotId, SshKeyId, SystemRandom, VisitId, WorkspaceId};
use darter_store::account::{self, Account};
use darter_store::door::{self, Code, Credential, Visit};
use darter_store::port::{self, Port, Share};
use darter_store::session::{self, Session};
use darter_store::snapshot::{self, Snapshot};
use darter_store::ssh_key::{self, SshKey};
use darter_store::workspace::{self, Workspace, WorkspaceFilter};
use darter_store::workspace_observed::{self, ObservedRow};
use darter_store::{Store, Tx, workspace_member};

async fn account(tx: &mut Tx, name: &str) -> AccountId {
    let id = AccountId::generate(1, &SystemRandom);
    let row = Account {
        username: format!("{name}-{}", &id.as_str()[20..]),
        email: None,
        email_verified: false,
        display_name: name.into(),
        password: None,
        administrator: false,
        disabled: false,
        avatar: None,
        created_at: 1,
        updated_at: 1,
        last_seen_at: None,
        id,
    };
    account::insert(tx, &row).await.unwrap();
    row.id
}

/// A secret's digest that no other test has.
fn digest() -> String {
    SessionId::generate(1, &SystemRandom).to_string()
}

async fn make(tx: &mut Tx, owner: &AccountId, created_at: Millis) -> Workspace {
    let row = Workspace {
        id: WorkspaceId::generate(&SystemRandom),
        owner: owner.clone(),
        name: "Thesis ü".into(),
        kept: Kept::Named,
        environment: "vscode".parse().unwrap(),
        depth: Depth::Full,
        desired: Desired::Asleep,
        limits: WorkspaceLimits { pids: 77, ..WorkspaceLimits::default() },
        rest: WorkspaceRest { stop_after_ms: 7_000, ..WorkspaceRest::default() },
        keep_until: None,
        revision: 1,
        created_at,
        updated_at: created_at,
        used_at: created_at,
        recycled_at: None,
    };
    workspace::insert(tx, &row).await.unwrap();
    workspace_member::set(tx, &row.id, owner, (Role::Owner, created_at)).await.unwrap();
    row
}

async fn a_key_opens_the_workspaces_of_whoever_added_it(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let (ours, theirs) = (account(&mut tx, "ours").await, account(&mut tx, "theirs").await);
    let (made, another) = (make(&mut tx, &ours, 10).await, make(&mut tx, &theirs, 10).await);
    let print = digest();
    let key = |account: &AccountId, created_at| SshKey {
        id: SshKeyId::generate(created_at, &SystemRandom),
        account: account.clone(),
        name: "laptop ü".into(),
        fingerprint: print.clone(),
        public_key: "ssh-ed25519 AAAA".into(),
        created_at,
        last_used_at: None,
    };
    let (first, second) = (key(&ours, 1), key(&theirs, 2));
    ssh_key::insert(&mut tx, &second).await.unwrap();
    ssh_key::insert(&mut tx, &first).await.unwrap();
    tx.commit().await.unwrap();
    let mut twin = store.write().await.unwrap();
    assert!(ssh_key::insert(&mut twin, &key(&ours, 3)).await.unwrap_err().is_duplicate(), "once in each account");
    drop(twin);

    let mut tx = store.write().await.unwrap();
    assert_eq!(ssh_key::list(&mut tx, &ours).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(ssh_key::count(&mut tx, &theirs).await.unwrap(), 1);
    let holders = async |tx: &mut Tx, id: &WorkspaceId| {
        let found = ssh_key::holders(tx, id, &print).await.unwrap();
        found.into_iter().map(|one| (one.key, one.account, one.role)).collect::<Vec<_>>()
    };
    let owner = (first.id.clone(), ours.clone(), Role::Owner);
    assert_eq!(holders(&mut tx, &made.id).await, std::slice::from_ref(&owner), "the same key elsewhere opens nothing");
    assert_eq!(holders(&mut tx, &another.id).await, [(second.id.clone(), theirs.clone(), Role::Owner)]);
    assert!(holders(&mut tx, &WorkspaceId::generate(&SystemRandom)).await.is_empty());
    assert!(ssh_key::holders(&mut tx, &made.id, "").await.unwrap().is_empty());
    workspace_member::set(&mut tx, &made.id, &theirs, (Role::Viewer, 11)).await.unwrap();
    let viewer = (second.id.clone(), theirs.clone(), Role::Viewer);
    assert_eq!(holders(&mut tx, &made.id).await, [owner, viewer.clone()], "who added it first comes first");

    ssh_key::used(&mut tx, &theirs, &first.id, 5).await.unwrap();
    assert_eq!(ssh_key::list(&mut tx, &ours).await.unwrap()[0].last_used_at, None, "not theirs to use");
    for (now, last) in [(5, 5), (4, 5), (6, 6)] {
        ssh_key::used(&mut tx, &ours, &first.id, now).await.unwrap();
        assert_eq!(ssh_key::list(&mut tx, &ours).await.unwrap()[0].last_used_at, Some(last));
    }
    let mut row = account::lookup(&mut tx, &ours).await.unwrap().unwrap();
    row.disabled = true;
    account::update(&mut tx, &row).await.unwrap();
    assert_eq!(holders(&mut tx, &made.id).await, [viewer], "not of somebody who is disabled");
    assert!(!ssh_key::remove(&mut tx, &theirs, &first.id).await.unwrap());
    assert!(ssh_key::remove(&mut tx, &theirs, &second.id).await.unwrap());
    assert!(holders(&mut tx, &made.id).await.is_empty());
}

async fn workspaces_are_seen_by_members_only(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let (ours, theirs) = (account(&mut tx, "ours").await, account(&mut tx, "theirs").await);
    let made = make(&mut tx, &ours, 10).await;
    let seen = workspace::lookup(&mut tx, &ours, &made.id).await.unwrap().unwrap();
    assert_eq!((&seen.workspace, seen.role), (&made, Role::Owner));
    assert!(seen.owner_name.starts_with("ours-"));
    assert_eq!(workspace::lookup(&mut tx, &theirs, &made.id).await.unwrap(), None);
    let all = WorkspaceFilter { limit: 10, ..WorkspaceFilter::default() };
    assert!(workspace::list(&mut tx, &theirs, &all).await.unwrap().is_empty());
    assert_eq!(workspace::list(&mut tx, &ours, &all).await.unwrap().len(), 1);
    let roles = [&ours, &theirs];
    let mut found = Vec::new();
    for who in roles {
        found.push(workspace_member::role(&mut tx, &made.id, who).await.unwrap());
    }
    assert_eq!(found, [Some(Role::Owner), None]);
    workspace_member::set(&mut tx, &made.id, &theirs, (Role::Viewer, 11)).await.unwrap();
    let shared = workspace::lookup(&mut tx, &theirs, &made.id).await.unwrap().unwrap();
    assert_eq!((shared.role, shared.owner_name), (Role::Viewer, seen.owner_name));
    assert_eq!(workspace::count_owned(&mut tx, &ours).await.unwrap(), 1);
    assert_eq!(workspace::count_owned(&mut tx, &theirs).await.unwrap(), 0, "a member owns nothing");
    assert!(workspace::count(&mut tx).await.unwrap() >= 1);
    assert!(workspace::insert(&mut tx, &made).await.unwrap_err().is_duplicate());
}

async fn workspaces_page_by_time_and_leave_out_the_recycle_bin(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let mut made = Vec::new();
    for time in [10, 20, 20, 30] {
        made.push(make(&mut tx, &owner, time).await);
    }
    let mut binned = made.pop().unwrap();
    (binned.desired, binned.recycled_at, binned.revision) = (Desired::Recycled, Some(40), 2);
    assert!(workspace::update(&mut tx, &binned).await.unwrap());
    assert!(!workspace::update(&mut tx, &binned).await.unwrap(), "the revision has moved on");
    assert_eq!(workspace::find(&mut tx, &binned.id).await.unwrap().unwrap().0, binned);
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let filter = WorkspaceFilter { before, limit: 1, ..WorkspaceFilter::default() };
        let page = workspace::list(&mut tx, &owner, &filter).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some((last.workspace.created_at, last.workspace.id.to_string()));
        seen.push(last.workspace.id.clone());
    }
    let mut expected: Vec<_> = made.iter().map(|one| (one.created_at, one.id.clone())).collect();
    expected.sort();
    expected.reverse();
    assert_eq!(seen, expected.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
    let bin = WorkspaceFilter { desired: Some(Desired::Recycled), limit: 10, before: None };
    let bin = workspace::list(&mut tx, &owner, &bin).await.unwrap();
    assert_eq!(bin.iter().map(|found| &found.workspace.id).collect::<Vec<_>>(), [&binned.id]);
    assert!(workspace::purgeable(&mut tx, 41).await.unwrap().contains(&binned.id));
    assert!(!workspace::purgeable(&mut tx, 40).await.unwrap().contains(&binned.id));
    assert!(!workspace::remove(&mut tx, &made[0].id).await.unwrap(), "one outside of the bin is not removed");
    assert!(workspace::remove(&mut tx, &binned.id).await.unwrap());
    assert!(!workspace::remove(&mut tx, &binned.id).await.unwrap());
}

async fn temporary_ones_are_forgotten_and_wishes_are_taken_once(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let (named, mut temporary) = (make(&mut tx, &owner, 10).await, make(&mut tx, &owner, 10).await);
    (temporary.kept, temporary.revision) = (Kept::Temporary, 2);
    assert!(workspace::update(&mut tx, &temporary).await.unwrap());
    let forgotten = workspace::forgotten(&mut tx, 11).await.unwrap();
    assert!(forgotten.contains(&temporary.id) && !forgotten.contains(&named.id));
    for (now, kept) in [(30, 30), (29, 30)] {
        workspace::used(&mut tx, &temporary.id, now).await.unwrap();
        assert_eq!(workspace::find(&mut tx, &temporary.id).await.unwrap().unwrap().0.used_at, kept);
    }
    assert!(!workspace::forgotten(&mut tx, 11).await.unwrap().contains(&temporary.id));
    let wake = (Desired::Asleep, Desired::Awake);
    assert!(workspace::wish(&mut tx, &temporary.id, wake, 31).await.unwrap());
    assert!(!workspace::wish(&mut tx, &temporary.id, wake, 32).await.unwrap(), "it was not asleep any more");
    assert!(!workspace::forgotten(&mut tx, 99).await.unwrap().contains(&temporary.id), "it is awake");
    let gap = |id: &WorkspaceId, desired| workspace::Gap { id: id.clone(), desired, keep_until: None };
    let gaps = workspace::gaps(&mut tx).await.unwrap();
    assert!(gaps.contains(&gap(&temporary.id, Desired::Awake)), "awake, and never seen");
    assert!(!gaps.contains(&gap(&named.id, Desired::Asleep)));
    let mut running = ObservedRow { state: "running".into(), since: 1, detail: "{}".into(), updated_at: 1 };
    workspace_observed::put(&mut tx, &named.id, &running).await.unwrap();
    workspace_observed::put(&mut tx, &temporary.id, &running).await.unwrap();
    let gaps = workspace::gaps(&mut tx).await.unwrap();
    assert!(gaps.contains(&gap(&named.id, Desired::Asleep)), "asleep, and seen running");
    assert!(!gaps.iter().any(|gap| gap.id == temporary.id));
    (running.state, running.updated_at) = ("failed".into(), 2);
    workspace_observed::put(&mut tx, &temporary.id, &running).await.unwrap();
    assert!(!workspace::gaps(&mut tx).await.unwrap().iter().any(|gap| gap.id == temporary.id), "what failed waits");
    assert!(
        workspace::doors(&mut tx).await.unwrap().iter().any(|(row, name)| {
            row.id == temporary.id && name.starts_with("owner-") && row.desired == Desired::Awake
        })
    );
    assert!(!workspace::wish(&mut tx, &temporary.id, (Desired::Awake, Desired::Asleep), 30).await.unwrap(), "too late");
    assert!(workspace::settle(&mut tx, 40).await.unwrap() >= 1);
    let temporary = workspace::find(&mut tx, &temporary.id).await.unwrap().unwrap().0;
    assert_eq!(temporary.desired, Desired::Asleep);
    assert!(!workspace::condemn(&mut tx, &temporary.id).await.unwrap(), "it is not in the bin");
    assert!(workspace_member::role(&mut tx, &temporary.id, &owner).await.unwrap().is_some());
    let recycled = Workspace { desired: Desired::Recycled, recycled_at: Some(50), revision: 3, ..temporary };
    assert!(workspace::update(&mut tx, &recycled).await.unwrap());
    assert!(workspace::purgeable(&mut tx, 0).await.unwrap().contains(&recycled.id), "a temporary one goes at once");
    assert!(workspace::condemn(&mut tx, &recycled.id).await.unwrap());
    assert_eq!(workspace::lookup(&mut tx, &owner, &recycled.id).await.unwrap(), None, "nobody sees it any more");
}

async fn what_was_seen_never_goes_back_and_nothing_runs_after_a_restart(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let (ours, theirs) = (make(&mut tx, &owner, 1).await.id, make(&mut tx, &owner, 1).await.id);
    let seen = |state: &str, updated_at| ObservedRow {
        state: state.into(),
        since: updated_at,
        detail: "{}".into(),
        updated_at,
    };
    workspace_observed::put(&mut tx, &ours, &seen("starting", 5)).await.unwrap();
    workspace_observed::put(&mut tx, &ours, &seen("running", 6)).await.unwrap();
    workspace_observed::put(&mut tx, &ours, &seen("starting", 5)).await.unwrap();
    assert_eq!(workspace_observed::get(&mut tx, &ours).await.unwrap(), Some(seen("running", 6)));
    assert_eq!(workspace_observed::get(&mut tx, &theirs).await.unwrap(), None);
    let gone = WorkspaceId::generate(&SystemRandom);
    workspace_observed::put(&mut tx, &gone, &seen("running", 6)).await.unwrap();
    assert_eq!(workspace_observed::get(&mut tx, &gone).await.unwrap(), None, "one that is gone is passed over");
    workspace_observed::put(&mut tx, &theirs, &seen("failed", 6)).await.unwrap();
    assert!(workspace_observed::settle(&mut tx, 9).await.unwrap() >= 1);
    assert_eq!(workspace_observed::get(&mut tx, &ours).await.unwrap(), Some(seen("stopped", 9)));
    assert_eq!(workspace_observed::get(&mut tx, &theirs).await.unwrap(), Some(seen("failed", 6)));
}

async fn session(tx: &mut Tx, account: &AccountId) -> SessionId {
    let row = Session {
        id: SessionId::generate(1, &SystemRandom),
        account: account.clone(),
        created_at: 1,
        last_used_at: 1,
        expires_at: 1_000,
        user_agent: String::new(),
        address: String::new(),
    };
    session::insert(tx, &row, &digest()).await.unwrap();
    row.id
}

async fn a_visit_is_for_one_workspace_and_ends_with_its_session(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let (ours, theirs) = (make(&mut tx, &owner, 1).await.id, make(&mut tx, &owner, 1).await.id);
    let session = session(&mut tx, &owner).await;
    let visit = |door, credential| Visit {
        id: VisitId::generate(1, &SystemRandom),
        workspace: ours.clone(),
        door,
        account: Some(owner.clone()),
        credential,
        created_at: 1,
        last_used_at: 1,
        expires_at: 100,
    };
    let editor = visit(Door::Editor, Credential::Session(session.clone()));
    let secret = digest();
    door::enter(&mut tx, &editor, &secret).await.unwrap();
    assert_eq!(door::by_secret(&mut tx, &ours, &secret, 99).await.unwrap().as_ref(), Some(&editor));
    assert_eq!(door::by_secret(&mut tx, &theirs, &secret, 99).await.unwrap(), None);
    assert_eq!(door::by_secret(&mut tx, &ours, &secret, 100).await.unwrap(), None);
    assert_eq!(door::by_secret(&mut tx, &ours, &digest(), 1).await.unwrap(), None);
    door::visited(&mut tx, &theirs, &editor.id, (50, 500)).await.unwrap();
    assert_eq!(door::by_secret(&mut tx, &ours, &secret, 100).await.unwrap(), None, "nobody else moves its end");
    door::visited(&mut tx, &ours, &editor.id, (50, 500)).await.unwrap();
    door::visited(&mut tx, &ours, &editor.id, (49, 400)).await.unwrap();
    let moved = Visit { last_used_at: 50, expires_at: 500, ..editor };
    assert_eq!(door::by_secret(&mut tx, &ours, &secret, 100).await.unwrap().as_ref(), Some(&moved));
    let (guest, share) = (digest(), ShareId::generate(1, &SystemRandom));
    let shared = Visit { account: None, ..visit(Door::Port(3_000), Credential::Share(share.clone())) };
    door::enter(&mut tx, &shared, &guest).await.unwrap();
    assert_eq!(door::by_secret(&mut tx, &ours, &guest, 9).await.unwrap().as_ref(), Some(&shared));
    assert_eq!(door::leave_share(&mut tx, &theirs, &share).await.unwrap(), 0);
    assert_eq!(door::leave_share(&mut tx, &ours, &share).await.unwrap(), 1);
    assert_eq!(door::by_secret(&mut tx, &ours, &guest, 9).await.unwrap(), None);
    assert!(session::remove(&mut tx, &owner, &session).await.unwrap());
    assert_eq!(door::by_secret(&mut tx, &ours, &secret, 100).await.unwrap(), None, "it ends with the session");
    let public = Visit { account: None, ..visit(Door::Port(1), Credential::None) };
    door::enter(&mut tx, &public, &digest()).await.unwrap();
    let newest = digest();
    let late = Visit { id: VisitId::generate(9, &SystemRandom), last_used_at: 9, ..public };
    door::enter(&mut tx, &late, &newest).await.unwrap();
    let flood = Visit { account: None, ..visit(Door::Port(3_000), Credential::Share(share.clone())) };
    let (first, last) = (digest(), digest());
    door::enter(&mut tx, &flood, &first).await.unwrap();
    let second = Visit { id: VisitId::generate(8, &SystemRandom), last_used_at: 90, ..flood.clone() };
    door::enter(&mut tx, &second, &last).await.unwrap();
    door::trim(&mut tx, &ours, (&flood.credential, None), 1).await.unwrap();
    assert_eq!(door::by_secret(&mut tx, &ours, &first, 9).await.unwrap(), None, "one link's visits make room for it");
    assert_eq!(door::by_secret(&mut tx, &ours, &newest, 9).await.unwrap().as_ref(), Some(&late), "and for nobody else");
    assert_eq!(door::leave_share(&mut tx, &ours, &share).await.unwrap(), 1);
    door::trim(&mut tx, &theirs, (&Credential::None, None), 0).await.unwrap();
    door::trim(&mut tx, &ours, (&Credential::None, None), 1).await.unwrap();
    assert_eq!(door::by_secret(&mut tx, &ours, &newest, 9).await.unwrap(), Some(late), "the one used last stays");
    assert_eq!(door::sweep(&mut tx, 100).await.unwrap(), 1);
}

async fn a_code_is_redeemed_once_by_its_own_workspace(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let (ours, theirs) = (make(&mut tx, &owner, 1).await.id, make(&mut tx, &owner, 1).await.id);
    let session = session(&mut tx, &owner).await;
    let code = Code {
        workspace: ours.clone(),
        door: Door::Port(8_080),
        account: owner.clone(),
        credential: Credential::Session(session),
        path: "/a?b=c".into(),
        expires_at: 60,
    };
    let secret = digest();
    door::hand_over(&mut tx, &code, &secret).await.unwrap();
    assert_eq!(door::redeem(&mut tx, &theirs, &secret, 1).await.unwrap(), None);
    assert_eq!(door::redeem(&mut tx, &ours, &secret, 60).await.unwrap(), None, "it has ended");
    assert_eq!(door::redeem(&mut tx, &ours, &secret, 59).await.unwrap(), Some(code));
    assert_eq!(door::redeem(&mut tx, &ours, &secret, 59).await.unwrap(), None, "it was used");
}

async fn ports_and_links_belong_to_one_workspace(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let (ours, theirs) = (make(&mut tx, &owner, 1).await.id, make(&mut tx, &owner, 1).await.id);
    let private = Port { port: 65_535, visibility: Visibility::Private, protocol: Protocol::Https, updated_at: 1 };
    let public = Port { visibility: Visibility::Public, updated_at: 2, ..private };
    for one in [&private, &public] {
        port::set(&mut tx, &ours, one).await.unwrap();
    }
    assert_eq!(port::list(&mut tx, &ours).await.unwrap(), [public]);
    assert_eq!(port::lookup(&mut tx, &ours, 65_535).await.unwrap(), Some(public));
    assert_eq!(port::lookup(&mut tx, &theirs, 65_535).await.unwrap(), None);
    assert!(port::everywhere(&mut tx).await.unwrap().contains(&(ours.clone(), public)));
    assert!(port::list(&mut tx, &theirs).await.unwrap().is_empty());
    assert!(!port::remove(&mut tx, &theirs, 65_535).await.unwrap());
    assert!(port::remove(&mut tx, &ours, 65_535).await.unwrap());
    let share = Share {
        id: ShareId::generate(1, &SystemRandom),
        workspace: ours.clone(),
        port: 3_000,
        created_by: owner.clone(),
        created_at: 1,
        expires_at: 100,
    };
    let secret = digest();
    port::insert_share(&mut tx, &share, &secret).await.unwrap();
    assert_eq!(port::shares(&mut tx, &ours, 99).await.unwrap().as_slice(), std::slice::from_ref(&share));
    assert!(port::shares(&mut tx, &ours, 100).await.unwrap().is_empty());
    assert!(port::shares(&mut tx, &theirs, 1).await.unwrap().is_empty());
    assert_eq!(port::share_by_secret(&mut tx, &ours, &secret, 99).await.unwrap().as_ref(), Some(&share));
    assert_eq!(port::share_by_secret(&mut tx, &theirs, &secret, 99).await.unwrap(), None);
    assert_eq!(port::share_by_secret(&mut tx, &ours, &secret, 100).await.unwrap(), None);
    assert_eq!(port::share_by_id(&mut tx, &ours, &share.id, 99).await.unwrap().as_ref(), Some(&share));
    assert_eq!(port::share_by_id(&mut tx, &theirs, &share.id, 99).await.unwrap(), None);
    assert!(!port::remove_share(&mut tx, &theirs, &share.id).await.unwrap());
    assert_eq!(port::sweep(&mut tx, 99).await.unwrap(), 0);
    assert!(port::remove_share(&mut tx, &ours, &share.id).await.unwrap());
}

async fn snapshots_belong_to_one_workspace_and_go_with_it(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let owner = account(&mut tx, "owner").await;
    let (mut ours, theirs) = (make(&mut tx, &owner, 1).await, make(&mut tx, &owner, 1).await.id);
    let mut made = Vec::new();
    for time in [1, 2, 3] {
        let row = Snapshot {
            id: SnapshotId::generate(time, &SystemRandom),
            workspace: ours.id.clone(),
            reason: SnapshotReason::Timetable,
            label: "l ü".into(),
            environment: "jupyter".parse().unwrap(),
            files: 3,
            bytes: 1 << 40,
            stored_bytes: 7,
            manifest: "m".into(),
            created_by: owner.to_string(),
            created_at: time,
        };
        snapshot::insert(&mut tx, &row).await.unwrap();
        made.push(row);
    }
    assert!(!snapshot::due(&mut tx, 2, 1_000).await.unwrap().contains(&ours.id), "it was never seen");
    let mut seen = ObservedRow { state: "running".into(), since: 3, detail: "{}".into(), updated_at: 3 };
    workspace_observed::put(&mut tx, &ours.id, &seen).await.unwrap();
    assert!(!snapshot::due(&mut tx, 2, 1_000).await.unwrap().contains(&ours.id), "its last one is young");
    assert!(snapshot::due(&mut tx, 3, 1_000).await.unwrap().contains(&ours.id));
    (seen.state, seen.updated_at) = ("stopped".into(), 4);
    workspace_observed::put(&mut tx, &ours.id, &seen).await.unwrap();
    assert!(!snapshot::due(&mut tx, 3, 1_000).await.unwrap().contains(&ours.id), "nothing has changed since");
    made.reverse();
    assert_eq!(snapshot::list(&mut tx, &ours.id, "", 9).await.unwrap(), made);
    assert_eq!(snapshot::list(&mut tx, &ours.id, made[1].id.as_str(), 9).await.unwrap(), made[2..]);
    assert!(snapshot::list(&mut tx, &theirs, "", 9).await.unwrap().is_empty());
    assert_eq!(snapshot::lookup(&mut tx, &ours.id, &made[0].id).await.unwrap().as_ref(), Some(&made[0]));
    assert_eq!(snapshot::lookup(&mut tx, &theirs, &made[0].id).await.unwrap(), None);
    assert!(!snapshot::remove(&mut tx, &theirs, &made[0].id).await.unwrap());
    assert!(snapshot::remove(&mut tx, &ours.id, &made[0].id).await.unwrap());
    (ours.desired, ours.recycled_at, ours.revision) = (Desired::Recycled, Some(1), 2);
    assert!(workspace::update(&mut tx, &ours).await.unwrap() && workspace::remove(&mut tx, &ours.id).await.unwrap());
    assert!(snapshot::list(&mut tx, &ours.id, "", 9).await.unwrap().is_empty());
    assert_eq!(workspace_member::role(&mut tx, &ours.id, &owner).await.unwrap(), None);
}

async fn every_promise(store: &Store) {
    workspaces_are_seen_by_members_only(store).await;
    a_key_opens_the_workspaces_of_whoever_added_it(store).await;
    workspaces_page_by_time_and_leave_out_the_recycle_bin(store).await;
    temporary_ones_are_forgotten_and_wishes_are_taken_once(store).await;
    what_was_seen_never_goes_back_and_nothing_runs_after_a_restart(store).await;
    a_visit_is_for_one_workspace_and_ends_with_its_session(store).await;
    a_code_is_redeemed_once_by_its_own_workspace(store).await;
    ports_and_links_belong_to_one_workspace(store).await;
    snapshots_belong_to_one_workspace_and_go_with_it(store).await;
}

#[tokio::test]
async fn the_repositories_of_workspaces_keep_their_promises_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_file(&folder.path().join("control.db")).await.unwrap();
    every_promise(&store).await;
    store.close().await;
}

#[tokio::test]
async fn the_repositories_of_workspaces_keep_their_promises_on_postgresql() {
    let server = postgres::start().await;
    let store = Store::open(&server.url).await.unwrap();
    every_promise(&store).await;
    store.close().await;
}
