//! The record of changes, the settings, and requests that are repeated.

use std::collections::BTreeSet;

use darter_api::account::{ChangePassword, CreateInvitation, SignUpMode, UpdateAccount};
use darter_api::page::PageQuery;
use darter_api::system::UpdateSettings;
use darter_core::role::TokenScope::{Read, Write};
use darter_platform::idempotency::{self, Answer, Keyed};
use darter_platform::{account, audit, settings};
use darter_testkit::TestPlatform;

use crate::people::*;

#[tokio::test]
async fn every_change_is_in_the_record_and_no_secret_is() {
    let world = TestPlatform::start().await;
    let ada = sign_up(&world, "ada").await;
    let me = actor(&world, &ada).await;
    let platform = &world.platform;
    let bob = sign_up(&world, "bob").await;
    let there = sign_in(&world, "ada", PASSWORD, "192.0.2.2").await.unwrap();
    let new = "another horse, another battery";
    let token = token(&world, &ada, &[Read]).await;
    account::remove_token(platform, &me, &token.token.id.parse().unwrap()).await.unwrap();
    let input = CreateInvitation { email: None, uses: None, hours: None };
    let invitation = account::invite(platform, &me, input).await.unwrap();
    account::uninvite(platform, &me, &invitation.invitation.id.parse().unwrap()).await.unwrap();
    let input = UpdateAccount { display_name: Some("Ada L.".into()), ..UpdateAccount::default() };
    account::update(platform, &me, input).await.unwrap();
    set_mode(&world, &ada, SignUpMode::Closed).await;
    disable(&world, &ada, &bob, true).await;
    account::sign_out(platform, &actor(&world, &there).await).await.unwrap();
    account::end_other_sessions(platform, &me).await.unwrap();
    let input = ChangePassword { current: Some(PASSWORD.into()), new: new.into() };
    account::change_password(platform, &me, input).await.unwrap();
    let reset = world.operator().reset_token("ada").await.unwrap();
    let entries = everything(&world, &ada).await;
    let written: BTreeSet<&str> = entries.iter().map(|entry| entry.operation.as_str()).collect();
    let expected = [
        "account.administer",
        "account.change_password",
        "account.create",
        "account.reset_token",
        "account.update",
        "invitation.create",
        "invitation.delete",
        "session.create",
        "session.delete",
        "session.delete_others",
        "settings.update",
        "token.create",
        "token.delete",
    ];
    assert_eq!(written, BTreeSet::from(expected));
    let json = serde_json::to_string(&entries).unwrap();
    for secret in [PASSWORD, new, &token.secret, &invitation.code, &ada.secret, &there.secret, &reset] {
        assert!(!json.contains(secret), "{secret} is in the record");
    }
    let signed = entries.iter().find(|entry| entry.operation == "settings.update").unwrap();
    let seen = (signed.actor.as_str(), signed.actor_name.as_str(), signed.address.as_str(), signed.request_id.as_str());
    assert_eq!(seen, (ada.account.id.as_str(), "ada", ada.address.as_str(), "req_test"));
}

#[tokio::test]
async fn a_refused_change_is_not_in_the_record_and_nobody_reads_anothers() {
    let world = TestPlatform::start().await;
    let (ada, bob) = (sign_up(&world, "ada").await, sign_up(&world, "bob").await);
    let his = actor(&world, &bob).await;
    let before = everything(&world, &ada).await.len();
    let input = UpdateSettings { signup: Some(SignUpMode::Closed), apps_per_account: None };
    assert_eq!(code(settings::change(&world.platform, &his, input).await), "account.not_administrator");
    sign_in(&world, "ada", "not the password", "192.0.2.3").await.unwrap_err();
    assert_eq!(everything(&world, &ada).await.len(), before);
    let page = PageQuery::default();
    assert_eq!(code(audit::of_everything(&world.platform, &his, &page).await), "account.not_administrator");
    let own = audit::of_oneself(&world.platform, &his, &page).await.unwrap().items;
    assert!(!own.is_empty() && own.iter().all(|entry| entry.actor == bob.account.id), "{own:?}");
}

#[tokio::test]
async fn settings_are_an_administrators_to_change() {
    let world = TestPlatform::with(|config| config.apps_per_account = 7).await;
    let ada = sign_up(&world, "ada").await;
    let me = actor(&world, &ada).await;
    let now = settings::get(&world.platform, &me).await.unwrap();
    assert_eq!((now.signup, now.apps_per_account), (SignUpMode::Open, 7));
    let input = UpdateSettings { signup: None, apps_per_account: Some(0) };
    let now = settings::change(&world.platform, &me, input).await.unwrap();
    assert_eq!((now.signup, now.apps_per_account), (SignUpMode::Open, 0));
    let input = UpdateSettings { signup: Some(SignUpMode::Closed), apps_per_account: Some(u32::MAX) };
    assert_eq!(code(settings::change(&world.platform, &me, input).await), "settings.out_of_range");
    let now = settings::get(&world.platform, &me).await.unwrap();
    assert_eq!((now.signup, now.apps_per_account), (SignUpMode::Open, 0), "half a change is none");
    let bob = actor(&world, &sign_up(&world, "bob").await).await;
    assert_eq!(code(settings::get(&world.platform, &bob).await), "account.not_administrator");
    let weak = token(&world, &ada, &[Read, Write]).await;
    let weak = by_token(&world, &weak.secret).await.unwrap();
    assert_eq!(code(settings::get(&world.platform, &weak).await), "token.scope_missing");
}

#[tokio::test]
async fn a_repeated_creation_gets_its_first_answer_and_only_its_own() {
    let world = TestPlatform::start().await;
    let (ada, bob) = (sign_up(&world, "ada").await, sign_up(&world, "bob").await);
    let keyed = |who: &Browser, key: &str, body: &str| {
        Keyed::new(who.account.id.parse().unwrap(), key, ("POST", "/apps", body.as_bytes()))
    };
    let first = keyed(&ada, "one", "{}").unwrap();
    let answer = Answer { status: 201, headers: vec![("etag".into(), "x".into())], body: b"shown once".to_vec() };
    let platform = &world.platform;
    assert_eq!(idempotency::begin(platform, &first).await.unwrap(), None);
    assert_eq!(code(idempotency::begin(platform, &first).await), "idempotency.in_progress");
    idempotency::end(platform, &first, Some(&answer)).await.unwrap();
    assert_eq!(idempotency::begin(platform, &first).await.unwrap(), Some(answer));
    let other = keyed(&ada, "one", "{ }").unwrap();
    assert_eq!(code(idempotency::begin(platform, &other).await), "idempotency.key_reused");
    assert_eq!(idempotency::begin(platform, &keyed(&bob, "one", "{}").unwrap()).await.unwrap(), None, "bob's is his");
    let row = darter_store::idempotency::lookup(&mut platform.store.read().await.unwrap(), &first.account, "one").await;
    assert!(!row.unwrap().unwrap().answer.contains("shown once"), "answers are sealed");
    // What came to nothing may be tried again; what was never answered may have been carried out.
    let failed = keyed(&ada, "two", "").unwrap();
    assert_eq!(idempotency::begin(platform, &failed).await.unwrap(), None);
    idempotency::end(platform, &failed, None).await.unwrap();
    assert_eq!(idempotency::begin(platform, &failed).await.unwrap(), None);
    world.clock.advance(15 * 60_000);
    assert_eq!(code(idempotency::begin(platform, &failed).await), "idempotency.in_progress");
    world.clock.advance(1);
    assert_eq!(code(idempotency::begin(platform, &failed).await), "idempotency.in_doubt");
    let broken = keyed(&ada, "three", "").unwrap();
    assert_eq!(idempotency::begin(platform, &broken).await.unwrap(), None);
    idempotency::leave_open(platform, &broken).await.unwrap();
    assert_eq!(code(idempotency::begin(platform, &broken).await), "idempotency.in_doubt");
    world.clock.advance(24 * HOUR + 1);
    assert_eq!(idempotency::begin(platform, &first).await.unwrap(), None);
    for bad in ["", "a b", "ü", &"x".repeat(129)] {
        assert_eq!(code(keyed(&ada, bad, "")), "idempotency.key_invalid", "{bad:?}");
    }
}
