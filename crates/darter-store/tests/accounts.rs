//! Every repository of the accounts side, on SQLite and on PostgreSQL: what is written comes back, what is another
//! account's does not, what ended is gone, and what may exist once exists once.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod postgres;

use darter_core::role::TokenScope;
use darter_core::{AccountId, AppId, AuditId, InvitationId, Millis, SessionId, SystemRandom, TokenId};
use darter_store::account::{self, Account};
use darter_store::audit::{self, Entry};
use darter_store::guess::{self, Guess};
use darter_store::identity::{self, Identity};
use darter_store::invitation::{self, Invitation};
use darter_store::session::{self, Session};
use darter_store::token::{self, Token};
use darter_store::{Scope, Store, Tx, idempotency, reset, setting};

/// A row that was never written; its names are its own, whatever else is in the database.
fn someone(name: &str, created_at: Millis) -> Account {
    let id = AccountId::generate(created_at, &SystemRandom);
    let unique = format!("{name}-{}", &id.as_str()[20..]);
    Account {
        email: Some(format!("{unique}@example.org")),
        email_verified: true,
        display_name: format!("{name} ü 🦋"),
        password: Some("$argon2id$…".into()),
        administrator: false,
        disabled: false,
        avatar: None,
        created_at,
        updated_at: created_at,
        last_seen_at: None,
        username: unique,
        id,
    }
}

async fn account(tx: &mut Tx, name: &str) -> AccountId {
    let row = someone(name, 1);
    account::insert(tx, &row).await.unwrap();
    row.id
}

/// A secret's digest that no other test has.
fn digest() -> String {
    SessionId::generate(1, &SystemRandom).to_string()
}

async fn accounts_come_back_as_they_were_written(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let mut ada = someone("ada", 10);
    let bob = someone("bob", 10);
    for row in [&ada, &bob] {
        account::insert(&mut tx, row).await.unwrap();
    }
    assert_eq!(account::lookup(&mut tx, &ada.id).await.unwrap().as_ref(), Some(&ada));
    for login in [ada.username.clone(), ada.email.clone().unwrap()] {
        assert_eq!(account::by_login(&mut tx, &login).await.unwrap().as_ref(), Some(&ada), "{login}");
    }
    assert_eq!(account::by_login(&mut tx, "").await.unwrap(), None);
    assert_eq!(account::by_login(&mut tx, "' OR 1=1 --").await.unwrap(), None);
    (ada.email, ada.email_verified, ada.password, ada.avatar) = (None, false, None, Some("digest".into()));
    (ada.display_name, ada.disabled, ada.administrator, ada.updated_at) = ("Ada".into(), true, true, 20);
    assert!(account::update(&mut tx, &ada).await.unwrap());
    for (now, seen) in [(30, 30), (29, 30), (31, 31)] {
        account::seen(&mut tx, &ada.id, now).await.unwrap();
        let read = account::lookup(&mut tx, &ada.id).await.unwrap().unwrap();
        assert_eq!(read, Account { last_seen_at: Some(seen), ..ada.clone() }, "times only go forward");
    }
    assert_eq!(account::lookup(&mut tx, &bob.id).await.unwrap(), Some(bob), "nobody else was changed");
    assert!(!account::update(&mut tx, &someone("nobody", 1)).await.unwrap());
}

async fn a_user_name_and_an_address_exist_once(store: &Store) {
    let (ada, bob) = (someone("ada", 1), someone("bob", 1));
    let mut tx = store.write().await.unwrap();
    account::insert(&mut tx, &ada).await.unwrap();
    account::insert(&mut tx, &bob).await.unwrap();
    tx.commit().await.unwrap();
    let name = Account { username: ada.username.clone(), ..someone("eve", 1) };
    let address = Account { email: ada.email.clone(), ..someone("eve", 1) };
    for twin in [name, address] {
        let mut tx = store.write().await.unwrap();
        assert!(account::insert(&mut tx, &twin).await.unwrap_err().is_duplicate());
    }
    let mut tx = store.write().await.unwrap();
    let moved = Account { email: ada.email.clone(), ..bob };
    assert!(account::update(&mut tx, &moved).await.unwrap_err().is_duplicate());
    drop(tx);
    // Any number of accounts may have no address.
    let mut tx = store.write().await.unwrap();
    for _ in 0..2 {
        account::insert(&mut tx, &Account { email: None, ..someone("eve", 1) }).await.unwrap();
    }
}

async fn accounts_page_by_time_and_administrators_who_can_sign_in_are_counted(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let before = account::count(&mut tx).await.unwrap();
    let base = 9_000_000;
    let mut made = Vec::new();
    for time in [base, base + 1, base + 1, base + 2] {
        let row = someone("ada", time);
        account::insert(&mut tx, &row).await.unwrap();
        made.push((time, row.id.to_string()));
    }
    assert_eq!(account::count(&mut tx).await.unwrap(), before + 4);
    made.sort();
    let (mut seen, mut after) = (Vec::new(), Some((base - 1, String::new())));
    loop {
        let page = account::list(&mut tx, after, 1).await.unwrap();
        let Some((last, apps)) = page.last() else { break };
        assert_eq!(*apps, 0);
        after = Some((last.created_at, last.id.to_string()));
        seen.extend(after.clone());
    }
    assert_eq!(seen, made);
    let others = async |tx: &mut Tx, id: &AccountId| account::other_administrators(tx, id).await.unwrap();
    let none = AccountId::generate(1, &SystemRandom);
    let base = others(&mut tx, &none).await;
    let boss = Account { administrator: true, ..someone("boss", 1) };
    let gone = Account { administrator: true, disabled: true, ..someone("gone", 1) };
    for row in [&boss, &gone] {
        account::insert(&mut tx, row).await.unwrap();
    }
    assert_eq!((others(&mut tx, &none).await, others(&mut tx, &boss.id).await), (base + 1, base));
}

async fn sessions_belong_to_one_account_and_end(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let (ours, theirs) = (account(&mut tx, "ours").await, account(&mut tx, "theirs").await);
    let make = |account: &AccountId, used, expires_at| Session {
        id: SessionId::generate(1, &SystemRandom),
        account: account.clone(),
        created_at: 1,
        last_used_at: used,
        expires_at,
        user_agent: "Browser ü".into(),
        address: "192.0.2.1".into(),
    };
    let (first, second, other) = (make(&ours, 5, 100), make(&ours, 6, 200), make(&theirs, 5, 100));
    let secrets = [digest(), digest(), digest()];
    for (row, secret) in [&first, &second, &other].into_iter().zip(&secrets) {
        session::insert(&mut tx, row, secret).await.unwrap();
    }
    assert_eq!(session::by_secret(&mut tx, &secrets[0], 99).await.unwrap().as_ref(), Some(&first));
    assert_eq!(session::by_secret(&mut tx, &secrets[0], 100).await.unwrap(), None, "it has ended");
    assert_eq!(session::by_secret(&mut tx, "", 1).await.unwrap(), None);
    assert_eq!(session::list(&mut tx, &ours, 1).await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(session::list(&mut tx, &ours, 150).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(session::list(&mut tx, &theirs, 1).await.unwrap(), std::slice::from_ref(&other));

    session::used(&mut tx, &theirs, &first.id, (50, 500)).await.unwrap();
    assert_eq!(session::by_secret(&mut tx, &secrets[0], 1).await.unwrap(), Some(first.clone()), "not theirs to use");
    session::used(&mut tx, &ours, &first.id, (50, 500)).await.unwrap();
    session::used(&mut tx, &ours, &first.id, (40, 400)).await.unwrap();
    let moved = session::by_secret(&mut tx, &secrets[0], 1).await.unwrap().unwrap();
    assert_eq!((moved.last_used_at, moved.expires_at), (50, 500));

    assert!(!session::remove(&mut tx, &theirs, &first.id).await.unwrap());
    assert_eq!(session::remove_others(&mut tx, &ours, Some(&first.id)).await.unwrap(), 1);
    assert_eq!(session::list(&mut tx, &ours, 1).await.unwrap().len(), 1);
    assert!(session::remove(&mut tx, &ours, &first.id).await.unwrap());
    assert!(!session::remove(&mut tx, &ours, &first.id).await.unwrap());
    assert_eq!(session::remove_others(&mut tx, &ours, None).await.unwrap(), 0);
    assert_eq!(session::list(&mut tx, &theirs, 1).await.unwrap(), [other], "another's were never touched");
}

async fn only_the_newest_sessions_are_kept_and_ended_ones_are_swept(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let (ours, theirs) = (account(&mut tx, "ours").await, account(&mut tx, "theirs").await);
    for account in [&ours, &theirs] {
        for used in 1..=4 {
            let row = Session {
                id: SessionId::generate(1, &SystemRandom),
                account: account.clone(),
                created_at: 1,
                last_used_at: used,
                expires_at: 10 + used,
                user_agent: String::new(),
                address: String::new(),
            };
            session::insert(&mut tx, &row, &digest()).await.unwrap();
        }
    }
    session::trim(&mut tx, &ours, 2).await.unwrap();
    let used = async |tx: &mut Tx, id: &AccountId| {
        session::list(tx, id, 0).await.unwrap().iter().map(|row| row.last_used_at).collect::<Vec<_>>()
    };
    assert_eq!((used(&mut tx, &ours).await, used(&mut tx, &theirs).await), (vec![4, 3], vec![4, 3, 2, 1]));
    assert_eq!(session::sweep(&mut tx, 13).await.unwrap(), 4);
    assert_eq!((used(&mut tx, &ours).await, used(&mut tx, &theirs).await), (vec![4], vec![4]));
}

async fn tokens_belong_to_one_account_and_end(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let (ours, theirs) = (account(&mut tx, "ours").await, account(&mut tx, "theirs").await);
    let make = |now, expires_at| Token {
        id: TokenId::generate(now, &SystemRandom),
        account: ours.clone(),
        name: "CI ü".into(),
        hint: "dat_abcd".into(),
        scopes: vec![TokenScope::Read, TokenScope::Admin],
        created_at: 1,
        expires_at,
        last_used_at: None,
    };
    let (endless, ending) = (make(1, None), make(2, Some(100)));
    let secrets = [digest(), digest()];
    for (row, secret) in [&endless, &ending].into_iter().zip(&secrets) {
        token::insert(&mut tx, row, secret).await.unwrap();
    }
    assert_eq!(token::by_secret(&mut tx, &secrets[0], Millis::MAX).await.unwrap().as_ref(), Some(&endless));
    assert_eq!(token::by_secret(&mut tx, &secrets[1], 99).await.unwrap().as_ref(), Some(&ending));
    assert_eq!(token::by_secret(&mut tx, &secrets[1], 100).await.unwrap(), None, "it has ended");
    assert_eq!(token::list(&mut tx, &ours).await.unwrap(), [ending.clone(), endless.clone()]);
    assert!(token::list(&mut tx, &theirs).await.unwrap().is_empty());
    assert_eq!((token::count(&mut tx, &ours).await.unwrap(), token::count(&mut tx, &theirs).await.unwrap()), (2, 0));
    token::used(&mut tx, &theirs, &endless.id, 5).await.unwrap();
    assert_eq!(token::list(&mut tx, &ours).await.unwrap()[1].last_used_at, None, "not theirs to use");
    for (now, last) in [(5, 5), (4, 5), (6, 6)] {
        token::used(&mut tx, &ours, &endless.id, now).await.unwrap();
        assert_eq!(token::list(&mut tx, &ours).await.unwrap()[1].last_used_at, Some(last));
    }
    assert!(!token::remove(&mut tx, &theirs, &endless.id).await.unwrap());
    assert!(token::remove(&mut tx, &ours, &endless.id).await.unwrap());
    assert_eq!(token::by_secret(&mut tx, &secrets[0], 1).await.unwrap(), None);
}

async fn an_identity_is_bound_to_one_account_and_each_has_one_of_a_provider(store: &Store) {
    let subject = digest();
    let bound = |provider: &str, subject: &str| Identity {
        provider: provider.into(),
        subject: subject.into(),
        label: "ada@example.org".into(),
        created_at: 3,
    };
    let mut tx = store.write().await.unwrap();
    let (ours, theirs) = (account(&mut tx, "ours").await, account(&mut tx, "theirs").await);
    for provider in ["github", "corp"] {
        identity::insert(&mut tx, &ours, &bound(provider, &subject)).await.unwrap();
    }
    tx.commit().await.unwrap();
    for (account, twin) in [(&theirs, bound("github", &subject)), (&ours, bound("github", "another"))] {
        let mut tx = store.write().await.unwrap();
        assert!(identity::insert(&mut tx, account, &twin).await.unwrap_err().is_duplicate());
    }
    let mut tx = store.write().await.unwrap();
    assert_eq!(identity::owner(&mut tx, "github", &subject).await.unwrap(), Some(ours.clone()));
    assert_eq!(identity::owner(&mut tx, "elsewhere", &subject).await.unwrap(), None, "subjects belong to a provider");
    assert_eq!(identity::list(&mut tx, &ours).await.unwrap(), [bound("corp", &subject), bound("github", &subject)]);
    assert!(identity::list(&mut tx, &theirs).await.unwrap().is_empty());
    assert!(!identity::remove(&mut tx, &theirs, "github").await.unwrap());
    assert!(identity::remove(&mut tx, &ours, "github").await.unwrap());
    assert_eq!(identity::owner(&mut tx, "github", &subject).await.unwrap(), None);
    identity::insert(&mut tx, &theirs, &bound("github", &subject)).await.unwrap();
}

async fn an_invitation_is_taken_as_often_as_it_says_by_whom_it_says_until_it_ends(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let mut made = Vec::new();
    for (email, uses_left) in [(None, 2), (Some("ada@example.org".to_owned()), 1)] {
        let id = InvitationId::generate(5 + made.len() as i64, &SystemRandom);
        let row = Invitation { id, email, uses_left, created_at: 5, expires_at: 100 };
        let secret = digest();
        invitation::insert(&mut tx, &row, &secret).await.unwrap();
        made.push((row, secret));
    }
    let [(open, code), (bound, named)] = &made[..] else { unreachable!() };
    assert_eq!(invitation::list(&mut tx, (None, 2), 99).await.unwrap(), [bound.clone(), open.clone()]);
    let after = Some(bound.id.to_string());
    assert_eq!(invitation::list(&mut tx, (after, 1), 99).await.unwrap(), std::slice::from_ref(open));
    assert!(invitation::list(&mut tx, (None, 9), 100).await.unwrap().is_empty(), "they have ended");
    let refused = [(code, None, 100), (named, None, 5), (named, Some("bob@example.org"), 5), (named, Some(""), 5)];
    for (secret, email, now) in refused {
        assert_eq!(invitation::take(&mut tx, secret, email, now).await.unwrap(), None, "{email:?} at {now}");
    }
    assert_eq!(invitation::take(&mut tx, "another", None, 5).await.unwrap(), None);
    for left in [Some(open.id.clone()), Some(open.id.clone()), None] {
        assert_eq!(invitation::take(&mut tx, code, Some("any@example.org"), 5).await.unwrap(), left);
    }
    let hers = Some("ada@example.org");
    assert_eq!(invitation::take(&mut tx, named, hers, 5).await.unwrap().as_ref(), Some(&bound.id));
    assert_eq!(invitation::take(&mut tx, named, hers, 5).await.unwrap(), None);
    assert!(invitation::list(&mut tx, (None, 9), 5).await.unwrap().is_empty(), "used ones are not shown");
    assert!(invitation::remove(&mut tx, &open.id).await.unwrap());
    assert!(!invitation::remove(&mut tx, &open.id).await.unwrap());
}

async fn a_reset_token_works_once_until_it_ends_and_a_new_one_ends_the_old(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let (ours, theirs) = (account(&mut tx, "ours").await, account(&mut tx, "theirs").await);
    let [old, new, other, late] = [digest(), digest(), digest(), digest()];
    reset::insert(&mut tx, &theirs, &other, 100).await.unwrap();
    reset::insert(&mut tx, &ours, &old, 100).await.unwrap();
    reset::insert(&mut tx, &ours, &new, 100).await.unwrap();
    assert_eq!(reset::take(&mut tx, &old, 5).await.unwrap(), None);
    assert_eq!(reset::take(&mut tx, &new, 100).await.unwrap(), None, "it has ended");
    assert_eq!(reset::take(&mut tx, &new, 99).await.unwrap(), Some(ours.clone()));
    assert_eq!(reset::take(&mut tx, &new, 99).await.unwrap(), None, "once");
    reset::insert(&mut tx, &ours, &late, 50).await.unwrap();
    assert_eq!(reset::sweep(&mut tx, 50).await.unwrap(), 1);
    reset::remove_all(&mut tx, &ours).await.unwrap();
    assert_eq!(reset::take(&mut tx, &other, 99).await.unwrap(), Some(theirs), "another's was never touched");
}

async fn the_record_is_read_by_who_did_it_by_app_or_whole(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let (ours, theirs) = (account(&mut tx, "ours").await, account(&mut tx, "theirs").await);
    let (app, other) = (AppId::generate(&SystemRandom), AppId::generate(&SystemRandom));
    let rows = [(&ours, Some(&app)), (&ours, None), (&theirs, Some(&app)), (&theirs, Some(&other))];
    let mut made = Vec::new();
    for (time, (actor, app)) in (1..).zip(rows) {
        let entry = Entry {
            id: AuditId::generate(time, &SystemRandom),
            time,
            actor: actor.to_string(),
            actor_name: "ada".into(),
            operation: "app.update".into(),
            object: "x".into(),
            app: app.cloned(),
            address: "192.0.2.1".into(),
            request_id: "req".into(),
            details: serde_json::json!({ "name": "ü", "n": [1, null] }),
        };
        audit::insert(&mut tx, &entry).await.unwrap();
        made.push(entry);
    }
    let [a, b, c, d] = &made[..] else { unreachable!() };
    let shown = [
        (Scope::Account(&ours), vec![b, a]),
        (Scope::Account(&theirs), vec![d, c]),
        (Scope::App(&app), vec![c, a]),
        (Scope::App(&other), vec![d]),
        (Scope::System, vec![d, c, b, a]),
    ];
    for (scope, expected) in shown {
        let all = audit::list(&mut tx, scope, (None, 4)).await.unwrap();
        assert_eq!(all.iter().collect::<Vec<_>>(), expected, "{scope:?}");
        let (mut paged, mut before) = (Vec::new(), None::<AuditId>);
        while let Some(one) = audit::list(&mut tx, scope, (before.as_ref(), 1)).await.unwrap().pop() {
            before = Some(one.id.clone());
            paged.push(one);
        }
        assert_eq!(paged, all, "{scope:?}");
    }
}

async fn a_kept_answer_belongs_to_the_account_that_claimed_its_key(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let (ours, theirs) = (account(&mut tx, "ours").await, account(&mut tx, "theirs").await);
    assert!(idempotency::claim(&mut tx, &ours, ("key", "digest"), 10).await.unwrap());
    assert!(!idempotency::claim(&mut tx, &ours, ("key", "another"), 11).await.unwrap());
    assert!(idempotency::claim(&mut tx, &theirs, ("key", "theirs"), 12).await.unwrap());
    let known = idempotency::lookup(&mut tx, &ours, "key").await.unwrap().unwrap();
    assert_eq!((known.digest.as_str(), known.status, known.created_at), ("digest", 0, 10));
    idempotency::keep(&mut tx, &ours, "key", (201, "sealed")).await.unwrap();
    idempotency::keep(&mut tx, &ours, "key", (500, "later")).await.unwrap();
    let kept = idempotency::lookup(&mut tx, &ours, "key").await.unwrap().unwrap();
    assert_eq!((kept.status, kept.answer.as_str()), (201, "sealed"), "the first answer stands");
    assert_eq!(idempotency::lookup(&mut tx, &theirs, "key").await.unwrap().unwrap().status, 0);
    assert_eq!(idempotency::lookup(&mut tx, &ours, "other").await.unwrap(), None);
    idempotency::release(&mut tx, &ours, "key").await.unwrap();
    assert_eq!(idempotency::lookup(&mut tx, &ours, "key").await.unwrap(), None);
    assert_eq!(idempotency::sweep(&mut tx, 12).await.unwrap(), 0);
    assert_eq!(idempotency::sweep(&mut tx, 13).await.unwrap(), 1);
    assert_eq!(idempotency::lookup(&mut tx, &theirs, "key").await.unwrap(), None);
}

async fn a_chosen_setting_is_not_overridden_by_the_configuration(store: &Store) {
    let mut tx = store.write().await.unwrap();
    setting::suggest(&mut tx, "signup", "\"closed\"").await.unwrap();
    assert_eq!(setting::get(&mut tx, "signup").await.unwrap(), "\"closed\"");
    setting::choose(&mut tx, "signup", "\"invitation\"").await.unwrap();
    setting::suggest(&mut tx, "signup", "\"open\"").await.unwrap();
    assert_eq!(setting::get(&mut tx, "signup").await.unwrap(), "\"invitation\"");
    assert_eq!(setting::get(&mut tx, "apps_per_account").await.unwrap(), "50");
    assert!(setting::get(&mut tx, "nothing").await.is_err());
}

/// Without the lock both would count the same accounts: on PostgreSQL transactions run side by side.
async fn whoever_takes_the_lock_is_alone(store: &Store) {
    let mut tx = store.read().await.unwrap();
    let before = account::count(&mut tx).await.unwrap();
    drop(tx);
    let enter = || async {
        let mut tx = store.write().await.unwrap();
        setting::lock(&mut tx).await.unwrap();
        let seen = account::count(&mut tx).await.unwrap();
        // Time for the other to come in, if it could.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        account::insert(&mut tx, &someone("first", 1)).await.unwrap();
        tx.commit().await.unwrap();
        seen
    };
    let (one, two, three) = tokio::join!(enter(), enter(), enter());
    let mut seen = [one, two, three];
    seen.sort_unstable();
    assert_eq!(seen, [before, before + 1, before + 2]);
}

async fn counts_of_attempts_come_back_the_latest_first_and_are_swept(store: &Store) {
    let mut tx = store.write().await.unwrap();
    let count = |name: &str, attempts, last| Guess { name: format!("{name}{}", digest()), attempts, last };
    let (old, new) = (count("old", 6, 10), count("new", 7, 20));
    for one in [&old, &new, &Guess { attempts: 8, ..new.clone() }] {
        guess::keep(&mut tx, one).await.unwrap();
    }
    let new = Guess { attempts: 8, ..new };
    assert_eq!(guess::list(&mut tx, 10).await.unwrap(), [new.clone(), old.clone()]);
    assert_eq!(guess::list(&mut tx, 1).await.unwrap().len(), 1);
    assert_eq!(guess::sweep(&mut tx, 20).await.unwrap(), 1);
    guess::remove(&mut tx, &new.name).await.unwrap();
    assert_eq!(guess::list(&mut tx, 10).await.unwrap(), []);
}

async fn every_promise(store: &Store) {
    accounts_come_back_as_they_were_written(store).await;
    a_user_name_and_an_address_exist_once(store).await;
    accounts_page_by_time_and_administrators_who_can_sign_in_are_counted(store).await;
    sessions_belong_to_one_account_and_end(store).await;
    only_the_newest_sessions_are_kept_and_ended_ones_are_swept(store).await;
    tokens_belong_to_one_account_and_end(store).await;
    an_identity_is_bound_to_one_account_and_each_has_one_of_a_provider(store).await;
    an_invitation_is_taken_as_often_as_it_says_by_whom_it_says_until_it_ends(store).await;
    a_reset_token_works_once_until_it_ends_and_a_new_one_ends_the_old(store).await;
    the_record_is_read_by_who_did_it_by_app_or_whole(store).await;
    a_kept_answer_belongs_to_the_account_that_claimed_its_key(store).await;
    a_chosen_setting_is_not_overridden_by_the_configuration(store).await;
    counts_of_attempts_come_back_the_latest_first_and_are_swept(store).await;
    whoever_takes_the_lock_is_alone(store).await;
}

#[tokio::test]
async fn the_repositories_of_accounts_keep_their_promises_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_file(&folder.path().join("control.db")).await.unwrap();
    every_promise(&store).await;
    store.close().await;
}

#[tokio::test]
async fn the_repositories_of_accounts_keep_their_promises_on_postgresql() {
    let server = postgres::start().await;
    let store = Store::open(&server.url).await.unwrap();
    every_promise(&store).await;
    store.close().await;
}
