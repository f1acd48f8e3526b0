//! What proves who somebody is, and when it ends: passwords, reset tokens, sessions, tokens, being disabled.

use darter_api::account::{ChangePassword, CreateToken, ForgotPassword, ResetPassword, UpdateAccount};
use darter_api::page::PageQuery;
use darter_api::system::UpdateAdminAccount;
use darter_core::role::TokenScope::{self, Admin, Read, Write};
use darter_platform::{SESSION_LIFE, account};
use darter_testkit::TestPlatform;

use crate::people::*;

const NEW: &str = "another horse, another battery";

async fn change(world: &TestPlatform, browser: &Browser, current: Option<&str>, new: &str) -> Result<(), &'static str> {
    let input = ChangePassword { current: current.map(str::to_owned), new: new.into() };
    let actor = actor(world, browser).await;
    account::change_password(&world.platform, &actor, input).await.map_err(|fault| fault.code)
}

async fn reset(world: &TestPlatform, token: &str, new: &str) -> Result<(), &'static str> {
    let input = ResetPassword { token: token.into(), new: new.into() };
    account::reset_password(&world.platform, &anonymous("192.0.2.50"), input).await.map_err(|fault| fault.code)
}

async fn forgot(world: &TestPlatform, login: &str) {
    let input = ForgotPassword { login: login.into() };
    account::forgot(&world.platform, &anonymous("192.0.2.60"), input).await.unwrap();
}

#[tokio::test]
async fn a_new_password_ends_every_other_session_and_open_resets() {
    let world = TestPlatform::start().await;
    let here = sign_up(&world, "ada").await;
    let there = sign_in(&world, "ada", PASSWORD, "192.0.2.2").await.unwrap();
    let bob = sign_up(&world, "bob").await;
    let open = world.operator().reset_token("ada").await.unwrap();
    assert_eq!(change(&world, &here, Some("wrong one"), NEW).await, Err("account.password_wrong"));
    assert_eq!(change(&world, &here, None, NEW).await, Err("account.password_wrong"));
    assert_eq!(change(&world, &here, Some(PASSWORD), "short").await, Err("account.password_length"));
    assert!(is_signed_in(&world, &there).await);
    change(&world, &here, Some(PASSWORD), NEW).await.unwrap();
    let signed_in =
        [is_signed_in(&world, &here).await, is_signed_in(&world, &there).await, is_signed_in(&world, &bob).await];
    assert_eq!(signed_in, [true, false, true]);
    assert_eq!(code(sign_in(&world, "ada", PASSWORD, "192.0.2.3").await), "auth.wrong_credentials");
    sign_in(&world, "ada", NEW, "192.0.2.3").await.unwrap();
    assert_eq!(reset(&world, &open, PASSWORD).await, Err("account.reset_invalid"));
    assert_eq!(change(&world, &there, Some(NEW), PASSWORD).await, Err("auth.required"));
    for _ in 0..5 {
        assert_eq!(change(&world, &here, Some("wrong one"), PASSWORD).await, Err("account.password_wrong"));
    }
    assert_eq!(change(&world, &here, Some(NEW), PASSWORD).await, Err("auth.too_many_attempts"), "guessing from inside");
}

#[tokio::test]
async fn a_reset_works_once_within_an_hour_and_ends_every_session() {
    let world = TestPlatform::start().await;
    let ada = sign_up(&world, "ada").await;
    let token = token(&world, &ada, &[Read]).await;
    forgot(&world, "Ada@Example.org ").await;
    let mails = world.mails().await;
    let [mail] = &mails[..] else { panic!("one mail: {mails:?}") };
    assert!(mail.contains("To: ada@example.org"), "{mail}");
    let secret = token_in(mail);
    assert_eq!(reset(&world, &secret, "short").await, Err("account.password_length"));
    assert_eq!(reset(&world, &secret, "ada@example.org").await, Err("account.password_weak"));
    assert_eq!(reset(&world, "made up", NEW).await, Err("account.reset_invalid"));
    reset(&world, &secret, NEW).await.unwrap();
    assert_eq!(reset(&world, &secret, PASSWORD).await, Err("account.reset_invalid"), "once");
    assert!(!is_signed_in(&world, &ada).await);
    sign_in(&world, "ada", NEW, "192.0.2.3").await.unwrap();
    assert!(by_token(&world, &token.secret).await.is_ok(), "tokens are not passwords");

    let late = world.operator().reset_token("ada").await.unwrap();
    world.clock.advance(HOUR);
    assert_eq!(reset(&world, &late, PASSWORD).await, Err("account.reset_invalid"), "after an hour");
    let old = world.operator().reset_token("ada").await.unwrap();
    let new = world.operator().reset_token("ada").await.unwrap();
    assert_eq!(reset(&world, &old, PASSWORD).await, Err("account.reset_invalid"), "a newer one ends it");
    world.clock.advance(HOUR - 1);
    reset(&world, &new, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn asking_for_a_reset_says_nothing_about_who_is_here() {
    let world = TestPlatform::start().await;
    let ada = sign_up(&world, "ada").await;
    let bob = sign_up(&world, "bob").await;
    disable(&world, &ada, &bob, true).await;
    for login in ["nobody", "nobody@example.org", "bob", "", "' OR 1=1 --"] {
        forgot(&world, login).await;
    }
    assert!(world.mails().await.is_empty());
    let input = ForgotPassword { login: "ada".into() };
    for _ in 0..5 {
        account::forgot(&world.platform, &anonymous("192.0.2.1"), input.clone()).await.unwrap();
    }
    let slowed = account::forgot(&world.platform, &anonymous("192.0.2.1"), input).await;
    assert_eq!(code(slowed), "auth.too_many_attempts", "nobody's mailbox is filled");
    assert_eq!(world.mails().await.len(), 5);
}

#[tokio::test]
async fn a_new_address_ends_the_resets_that_went_to_the_old_one() {
    let world = TestPlatform::start().await;
    let ada = sign_up(&world, "ada").await;
    sign_up(&world, "bob").await;
    let open = world.operator().reset_token("ada").await.unwrap();
    let with = |email: &str, password: Option<&str>| {
        let password = password.map(str::to_owned);
        let input = UpdateAccount { display_name: None, email: Some(email.into()), password };
        let (world, ada) = (&world, &ada);
        async move { account::update(&world.platform, &actor(world, ada).await, input).await }
    };
    let update = |email: &str| with(email, Some(PASSWORD));
    assert_eq!(code(with("new@example.org", None).await), "account.password_needed", "a session is not enough");
    assert_eq!(code(with("new@example.org", Some("not her password")).await), "account.password_wrong");
    assert!(with("Ada@example.org", None).await.is_ok(), "it is hers already");
    assert_eq!(code(update("BOB@example.org").await), "account.taken");
    assert_eq!(update("new@example.org").await.unwrap().email, "new@example.org");
    assert_eq!(reset(&world, &open, NEW).await, Err("account.reset_invalid"));
    assert_eq!(code(sign_in(&world, "ada@example.org", PASSWORD, "192.0.2.3").await), "auth.wrong_credentials");
    sign_in(&world, "new@example.org", PASSWORD, "192.0.2.3").await.unwrap();
    exhaust(&world, &ada.address).await;
    assert_eq!(code(update("bob@example.org").await), "auth.too_many_attempts");
}

#[tokio::test]
async fn what_is_open_ends_with_the_credential_that_opened_it() {
    let world = TestPlatform::start().await;
    let administrator = sign_up(&world, "root-of-all").await;
    let ada = sign_up(&world, "ada").await;
    let there = sign_in(&world, "ada", PASSWORD, "192.0.2.2").await.unwrap();
    let program = token(&world, &ada, &[Read]).await;
    let open = |who: darter_platform::Actor| {
        let platform = std::sync::Arc::clone(&world.platform);
        tokio::spawn(async move { darter_platform::credential_ends(&platform, &who).await })
    };
    let ended = |task| async { tokio::time::timeout(std::time::Duration::from_secs(20), task).await.is_ok() };
    let me = actor(&world, &ada).await;
    let (here, theirs) = (open(me.clone()), open(actor(&world, &there).await));
    let theirs_too = open(by_token(&world, &program.secret).await.unwrap());
    account::end_other_sessions(&world.platform, &me).await.unwrap();
    assert!(ended(theirs).await, "its session was ended");
    account::remove_token(&world.platform, &me, &program.token.id.parse().unwrap()).await.unwrap();
    assert!(ended(theirs_too).await, "its token was taken away");
    assert!(!here.is_finished(), "who ended them goes on");
    disable(&world, &administrator, &ada, true).await;
    assert!(ended(here).await, "the account was disabled");
}

#[tokio::test]
async fn sessions_are_ones_own_and_end_when_told_or_not_used() {
    let world = TestPlatform::start().await;
    let (ada, bob) = (sign_up(&world, "ada").await, sign_up(&world, "bob").await);
    let there = sign_in(&world, "ada", PASSWORD, "192.0.2.2").await.unwrap();
    let me = actor(&world, &ada).await;
    let list = account::sessions(&world.platform, &me).await.unwrap().items;
    assert_eq!(list.iter().filter(|one| one.current).count(), 1);
    let other = list.iter().find(|one| !one.current).unwrap().id.parse().unwrap();
    assert_eq!((list.len(), list[0].user_agent.as_str()), (2, "Browser/1"));
    let his = actor(&world, &bob).await;
    assert_eq!(code(account::end_session(&world.platform, &his, &other).await), "session.not_found");
    assert!(is_signed_in(&world, &there).await);
    account::end_session(&world.platform, &me, &other).await.unwrap();
    assert!(!is_signed_in(&world, &there).await, "at once, whatever memory knew");

    let there = sign_in(&world, "ada", PASSWORD, "192.0.2.2").await.unwrap();
    account::end_other_sessions(&world.platform, &me).await.unwrap();
    assert!(
        !is_signed_in(&world, &there).await && is_signed_in(&world, &ada).await && is_signed_in(&world, &bob).await
    );
    account::sign_out(&world.platform, &his).await.unwrap();
    assert!(!is_signed_in(&world, &bob).await);
    assert_eq!(code(account::sign_out(&world.platform, &anonymous("192.0.2.9")).await), "auth.required");

    // Used once in a while it goes on, but not for ever.
    let mut days = 0;
    while is_signed_in(&world, &ada).await {
        world.platform.settle().await;
        world.clock.advance(SESSION_LIFE / 2);
        days += 15;
        assert!(days <= 360, "a session goes on for ever");
    }
    assert_eq!(days, 180);
    let idle = sign_in(&world, "ada", PASSWORD, "192.0.2.2").await.unwrap();
    world.clock.advance(SESSION_LIFE);
    assert!(!is_signed_in(&world, &idle).await);
    world.platform.sweep().await.unwrap();
}

#[tokio::test]
async fn a_token_may_do_what_its_scopes_say_until_it_ends_or_is_taken_away() {
    let world = TestPlatform::start().await;
    let (ada, bob) = (sign_up(&world, "ada").await, sign_up(&world, "bob").await);
    let me = actor(&world, &ada).await;
    let make = |scopes: &[TokenScope], expires_at| {
        let input = CreateToken { name: " CI ".into(), scopes: scopes.to_vec(), expires_at };
        account::create_token(&world.platform, &me, input)
    };
    let reading = make(&[Read], None).await.unwrap();
    assert!(reading.secret.starts_with("dat_") && reading.secret.starts_with(&reading.token.hint));
    assert!(reading.token.hint.len() <= 8);
    let with = by_token(&world, &reading.secret).await.unwrap();
    assert_eq!(account::me(&world.platform, &with).await.unwrap().username, "ada");
    assert_eq!(code(account::update(&world.platform, &with, UpdateAccount::default()).await), "token.scope_missing");
    assert_eq!(code(account::sign_out(&world.platform, &with).await), "auth.not_a_session");

    // A token makes no token that may do more than itself.
    let admin = make(&[Admin], None).await.unwrap();
    let with = by_token(&world, &admin.secret).await.unwrap();
    for (scopes, allowed) in [(vec![Admin], true), (vec![Read], false), (vec![Admin, Write], false)] {
        let input = CreateToken { name: "more".into(), scopes: scopes.clone(), expires_at: None };
        assert_eq!(account::create_token(&world.platform, &with, input).await.is_ok(), allowed, "{scopes:?}");
    }
    let now = darter_core::Clock::now(&*world.clock);
    for expires_at in [now, now - 1, now + 11 * 366 * 24 * HOUR] {
        assert_eq!(code(make(&[Read], Some(expires_at)).await), "token.expiry_invalid");
    }
    assert_eq!(code(make(&[], None).await), "token.scopes_invalid");
    let ending = make(&[Read, Read], Some(now + HOUR)).await.unwrap();
    assert_eq!(ending.token.scopes, [Read]);
    assert!(by_token(&world, &ending.secret).await.is_ok());
    world.clock.advance(HOUR);
    assert_eq!(by_token(&world, &ending.secret).await.err(), Some("token.invalid"));
    assert_eq!(by_token(&world, &ada.secret).await.err(), Some("token.invalid"), "a cookie is no token");
    let cookie = Browser { secret: reading.secret.clone(), ..ada.clone() };
    assert!(!is_signed_in(&world, &cookie).await, "a token is no cookie");

    let id = reading.token.id.parse().unwrap();
    let his = actor(&world, &bob).await;
    assert_eq!(code(account::remove_token(&world.platform, &his, &id).await), "token.not_found");
    assert!(by_token(&world, &reading.secret).await.is_ok());
    account::remove_token(&world.platform, &me, &id).await.unwrap();
    assert_eq!(by_token(&world, &reading.secret).await.err(), Some("token.invalid"), "at once");
    assert!(account::tokens(&world.platform, &his).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn tokens_of_one_account_have_a_number_at_which_they_end() {
    let world = TestPlatform::start().await;
    let ada = sign_up(&world, "ada").await;
    for _ in 0..100 {
        token(&world, &ada, &[Read]).await;
    }
    let input = CreateToken { name: "one more".into(), scopes: vec![Read], expires_at: None };
    let more = account::create_token(&world.platform, &actor(&world, &ada).await, input).await;
    assert_eq!(code(more), "token.too_many");
}

#[tokio::test]
async fn a_disabled_account_is_out_at_once_whatever_it_holds_and_back_when_enabled() {
    let world = TestPlatform::start().await;
    let (ada, bob) = (sign_up(&world, "ada").await, sign_up(&world, "bob").await);
    let token = token(&world, &bob, &[Read, Write, Admin]).await;
    assert!(is_signed_in(&world, &bob).await && by_token(&world, &token.secret).await.is_ok());
    let before = actor(&world, &bob).await;
    let open = world.operator().reset_token("bob").await.unwrap();
    disable(&world, &ada, &bob, true).await;
    assert!(!is_signed_in(&world, &bob).await);
    assert_eq!(by_token(&world, &token.secret).await.err(), Some("token.invalid"));
    assert_eq!(code(sign_in(&world, "bob", PASSWORD, "192.0.2.3").await), "account.disabled");
    assert_eq!(reset(&world, &open, NEW).await, Err("account.reset_invalid"));
    // A request that was let in a moment before changes nothing any more.
    let input = UpdateAccount { display_name: Some("Eve".into()), ..UpdateAccount::default() };
    assert_eq!(code(account::update(&world.platform, &before, input).await), "auth.required");
    let input = CreateToken { name: "for later".into(), scopes: vec![Read], expires_at: None };
    assert_eq!(code(account::create_token(&world.platform, &before, input).await), "auth.required");
    disable(&world, &ada, &bob, false).await;
    assert!(!is_signed_in(&world, &bob).await, "its sessions ended");
    assert!(by_token(&world, &token.secret).await.is_ok());
    sign_in(&world, "bob", PASSWORD, "192.0.2.4").await.unwrap();
}

#[tokio::test]
async fn a_server_always_has_an_administrator_who_can_sign_in() {
    let world = TestPlatform::start().await;
    let (ada, bob) = (sign_up(&world, "ada").await, sign_up(&world, "bob").await);
    let give = |by: &Browser, to: &Browser, administrator, disabled| {
        let (world, by, id) = (&world, by.clone(), to.account.id.parse().unwrap());
        let input = UpdateAdminAccount { administrator, disabled };
        async move { account::update_by_administrator(&world.platform, &actor(world, &by).await, (&id, input)).await }
    };
    assert_eq!(code(give(&bob, &bob, Some(true), None).await), "account.not_administrator");
    assert_eq!(code(give(&ada, &ada, Some(false), None).await), "account.last_administrator");
    assert_eq!(code(give(&ada, &ada, None, Some(true)).await), "account.last_administrator");
    assert!(give(&ada, &bob, Some(true), None).await.unwrap().administrator);
    // Each takes it from the other at the same moment: one is too late, or the second is the last.
    let (one, two) = tokio::join!(give(&ada, &bob, Some(false), None), give(&bob, &ada, Some(false), None));
    assert_eq!([one.is_ok(), two.is_ok()].iter().filter(|ok| **ok).count(), 1);
    let actors = [actor(&world, &ada).await, actor(&world, &bob).await];
    let administrators = actors.iter().filter(|actor| actor.require_administrator().is_ok());
    assert_eq!(administrators.count(), 1, "and the other lost it at once");
    let list = async |browser: &Browser| {
        account::list(&world.platform, &actor(&world, browser).await, &PageQuery::default()).await
    };
    let seen = [list(&ada).await, list(&bob).await].map(|one| one.map(|page| page.items.len()).map_err(|one| one.code));
    assert!(seen.contains(&Ok(2)) && seen.contains(&Err("account.not_administrator")), "{seen:?}");
}
