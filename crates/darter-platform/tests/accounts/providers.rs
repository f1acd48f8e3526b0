//! Signing in elsewhere, at a provider that is real but for its lies.

use darter_api::account::{ChangePassword, CreateInvitation, SignUpMode};
use darter_core::Fault;
use darter_platform::provider::{self, Callback, Finished, Start, Started};
use darter_platform::{Actor, ProviderKind, account};
use darter_testkit::{FakeProvider, Lie, Signing, Stranger, TestPlatform};

use crate::people::*;

/// Both protocols at one provider, and an account that is here already.
async fn open() -> (TestPlatform, FakeProvider, Browser) {
    let provider = FakeProvider::start().await;
    let configs = vec![provider.config("corp", ProviderKind::Oidc), provider.config("github", ProviderKind::Github)];
    let world = TestPlatform::with(|config| config.providers = configs).await;
    let ada = sign_up(&world, "ada").await;
    (world, provider, ada)
}

async fn begin(world: &TestPlatform, actor: &Actor, id: &str, start: Start) -> Result<Started, Fault> {
    provider::start(&world.platform, actor, id, start).await
}

async fn finish(world: &TestPlatform, actor: &Actor, id: &str, callback: Callback) -> Finished {
    provider::finish(&world.platform, actor, id, callback).await
}

/// There and back, as somebody who is not signed in.
async fn come(world: &TestPlatform, at: &FakeProvider, id: &str) -> Finished {
    let nobody = anonymous(&format!("198.51.100.{}", accounts(world).await));
    let started = begin(world, &nobody, id, Start::default()).await.unwrap();
    finish(world, &nobody, id, at.visit(&started).await).await
}

fn refusal(finished: &Finished) -> &'static str {
    let fault = finished.fault.as_ref().expect("it had to be refused");
    assert_eq!(finished.session, None);
    assert!(finished.location.contains(&format!("error={}", fault.code)), "{finished:?}");
    fault.code
}

/// A browser with the session that came back.
async fn signed_in(world: &TestPlatform, finished: &Finished, like: &Browser) -> Browser {
    assert!(finished.fault.is_none(), "{finished:?}");
    let mut browser = Browser { secret: finished.session.clone().unwrap(), ..like.clone() };
    browser.account = account::me(&world.platform, &actor(world, &browser).await).await.unwrap();
    browser
}

async fn bind(world: &TestPlatform, at: &FakeProvider, (who, id): (&Browser, &str)) -> Finished {
    let who = actor(world, who).await;
    let start = Start { bind: true, return_to: Some("/account".into()), invitation: None };
    let started = begin(world, &who, id, start).await.unwrap();
    finish(world, &who, id, at.visit(&started).await).await
}

#[tokio::test]
async fn a_stranger_gets_an_account_and_is_known_by_subject_from_then_on() {
    for (id, signing) in [("corp", Signing::Rs256), ("corp", Signing::Es256), ("github", Signing::Rs256)] {
        let (world, provider, ada) = open().await;
        provider.signs_with(signing);
        provider.is_used_by(Stranger::new(7, "Grace.H"));
        let grace = signed_in(&world, &come(&world, &provider, id).await, &ada).await;
        let shown = (grace.account.username.as_str(), grace.account.email.to_lowercase());
        assert_eq!(shown, ("grace-h", "grace.h@example.com".to_owned()), "{id}");
        assert!(!grace.account.administrator && !grace.account.has_password);
        // Another name and another address, the same account there.
        provider.is_used_by(Stranger::new(7, "hopper"));
        let again = signed_in(&world, &come(&world, &provider, id).await, &ada).await;
        assert_eq!(again.account.id, grace.account.id);
        provider.is_used_by(Stranger { email: None, ..Stranger::new(8, "Grace.H") });
        let other = signed_in(&world, &come(&world, &provider, id).await, &ada).await;
        assert_ne!(other.account.id, grace.account.id, "another account there is another here");
        assert!(other.account.username.starts_with("grace-h-"), "{}", other.account.username);
        let list = provider::list(&world.platform, &actor(&world, &again).await).await.unwrap().items;
        assert_eq!(list.iter().map(|one| one.provider.as_str()).collect::<Vec<_>>(), [id]);
        let record = everything(&world, &ada).await;
        assert!(record.iter().any(|entry| entry.operation == "session.create" && entry.details["how"] == id));
    }
}

#[tokio::test]
async fn no_lie_of_a_provider_lets_anybody_in() {
    let (world, provider, _) = open().await;
    let lies = Lie::TOKEN.iter().chain(&Lie::ANSWER).map(|lie| ("corp", *lie));
    for (id, lie) in lies.chain(Lie::ANSWER.map(|lie| ("github", lie))) {
        provider.lies(Some(lie));
        // Each begins from an address of its own: guessing is slowed down.
        let nobody = anonymous(&format!("2001:db8:{:x}::1", lie as u32 + u32::from(id == "corp") * 256));
        let started = begin(&world, &nobody, id, Start::default()).await.unwrap();
        let finished = finish(&world, &nobody, id, provider.visit(&started).await).await;
        assert_eq!(refusal(&finished), "provider.failed", "{id} {lie:?}");
        let cause = finished.fault.unwrap().cause.unwrap_or_default();
        assert!(!cause.contains("eyJ"), "a token is in the log: {cause}");
    }
    assert_eq!((accounts(&world).await, provider.misled()), (1, 0));
    provider.lies(None);
    assert!(come(&world, &provider, "corp").await.fault.is_none(), "and the truth does");
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_given_up() {
    let (world, provider, _) = open().await;
    provider.lies(Some(Lie::Hang));
    assert_eq!(refusal(&come(&world, &provider, "github").await), "provider.failed");
    provider.hanging().await;
    assert_eq!(accounts(&world).await, 1);
}

#[tokio::test]
async fn nobody_is_linked_by_an_address() {
    for id in ["corp", "github"] {
        let (world, provider, ada) = open().await;
        let hers = Some("Ada@Example.org".to_owned());
        provider.is_used_by(Stranger { email: hers.clone(), ..Stranger::new(7, "mallory") });
        assert_eq!(refusal(&come(&world, &provider, id).await), "identity.email_taken", "even when it is proven");
        assert_eq!(accounts(&world).await, 1);
        provider.is_used_by(Stranger { email: hers, email_verified: false, ..Stranger::new(7, "mallory") });
        let other = signed_in(&world, &come(&world, &provider, id).await, &ada).await;
        assert_ne!(other.account.id, ada.account.id);
        assert_eq!(other.account.email, "", "what nobody proved is not kept");
    }
}

#[tokio::test]
async fn a_callback_works_once_for_the_browser_and_the_provider_that_began() {
    let (world, provider, _) = open().await;
    let nobody = anonymous("192.0.2.1");
    let start = Start { return_to: Some("/apps/x?tab=logs".into()), ..Start::default() };
    let started = begin(&world, &nobody, "corp", start).await.unwrap();
    let other = begin(&world, &nobody, "corp", Start::default()).await.unwrap();
    let back = provider.visit(&started).await;
    let wrong = [
        Callback { cookie: None, ..back.clone() },
        Callback { cookie: Some("made up".into()), ..back.clone() },
        Callback { cookie: Some(other.cookie), ..back.clone() },
        Callback { state: None, ..back.clone() },
        Callback { state: Some(String::new()), ..back.clone() },
    ];
    for callback in wrong {
        assert_eq!(refusal(&finish(&world, &nobody, "corp", callback).await), "provider.expired");
    }
    assert_eq!(refusal(&finish(&world, &nobody, "github", back.clone()).await), "provider.expired");
    let done = finish(&world, &nobody, "corp", back.clone()).await;
    assert_eq!((done.location.as_str(), done.session.is_some()), ("/apps/x?tab=logs", true), "{done:?}");
    assert_eq!(refusal(&finish(&world, &nobody, "corp", back).await), "provider.failed", "a code works once");
    let none = begin(&world, &nobody, "elsewhere", Start::default()).await;
    assert_eq!(code(none), "provider.not_found");

    let late = begin(&world, &nobody, "corp", Start::default()).await.unwrap();
    let back = provider.visit(&late).await;
    world.clock.advance(provider::FLOW_SECONDS * 1_000);
    assert_eq!(refusal(&finish(&world, &nobody, "corp", back).await), "provider.expired");
    provider.is_refused(true);
    let refused = begin(&world, &anonymous("192.0.2.2"), "corp", Start::default()).await.unwrap();
    let back = provider.visit(&refused).await;
    assert_eq!(refusal(&finish(&world, &nobody, "corp", back).await), "provider.denied");
}

#[tokio::test]
async fn the_code_is_bound_to_the_browser_that_asked_for_it() {
    let (world, provider, _) = open().await;
    let nobody = anonymous("192.0.2.1");
    for id in ["corp", "github"] {
        let victim = begin(&world, &nobody, id, Start::default()).await.unwrap();
        let own = begin(&world, &nobody, id, Start::default()).await.unwrap();
        let stolen = provider.visit(&victim).await.code;
        let state = provider.visit(&own).await.state;
        // A thief brings the victim's code into a sign-in of their own: the verifier is another.
        let injected = Callback { code: stolen, state, error: None, cookie: Some(own.cookie) };
        assert_eq!(refusal(&finish(&world, &nobody, id, injected).await), "provider.failed", "{id}");
    }
    assert_eq!(accounts(&world).await, 1);
}

#[tokio::test]
async fn who_is_signed_in_binds_and_then_comes_in_that_way() {
    let (world, provider, ada) = open().await;
    let bob = sign_up(&world, "bob").await;
    let bound = bind(&world, &provider, (&ada, "corp")).await;
    assert_eq!((bound.location.as_str(), &bound.session, &bound.fault), ("/account", &None, &None));
    assert!(bind(&world, &provider, (&ada, "corp")).await.fault.is_none(), "twice is once");
    let came = signed_in(&world, &come(&world, &provider, "corp").await, &ada).await;
    assert_eq!(came.account.id, ada.account.id);
    assert_eq!(refusal(&bind(&world, &provider, (&bob, "corp")).await), "identity.taken", "it is ada's");
    provider.is_used_by(Stranger::new(9, "second"));
    assert_eq!(refusal(&bind(&world, &provider, (&ada, "corp")).await), "identity.taken", "one of each provider");
    assert!(bind(&world, &provider, (&ada, "github")).await.fault.is_none());

    let start = || Start { bind: true, ..Start::default() };
    assert_eq!(code(begin(&world, &anonymous("192.0.2.1"), "corp", start()).await), "auth.required");
    let hers = actor(&world, &ada).await;
    let started = begin(&world, &hers, "corp", start()).await.unwrap();
    let his = actor(&world, &bob).await;
    assert_eq!(refusal(&finish(&world, &his, "corp", provider.visit(&started).await).await), "provider.expired");
    let nobody = anonymous("192.0.2.1");
    assert_eq!(refusal(&finish(&world, &nobody, "corp", provider.visit(&started).await).await), "auth.required");
    let started = begin(&world, &his, "github", start()).await.unwrap();
    let back = provider.visit(&started).await;
    disable(&world, &ada, &bob, true).await;
    assert_eq!(refusal(&finish(&world, &his, "github", back).await), "auth.required", "disabled meanwhile");
    let record = everything(&world, &ada).await;
    assert_eq!(record.iter().filter(|entry| entry.operation == "identity.bind").count(), 2);
}

#[tokio::test]
async fn the_last_way_to_sign_in_is_not_unbound() {
    let (world, provider, ada) = open().await;
    provider.is_used_by(Stranger::new(7, "grace"));
    let grace = signed_in(&world, &come(&world, &provider, "github").await, &ada).await;
    let me = actor(&world, &grace).await;
    let unbind = |id: &'static str| provider::unbind(&world.platform, &me, id);
    assert_eq!(code(unbind("corp").await), "identity.not_found");
    assert_eq!(code(unbind("github").await), "identity.last");
    let input = ChangePassword { current: None, new: PASSWORD.into() };
    account::change_password(&world.platform, &me, input).await.unwrap();
    unbind("github").await.unwrap();
    assert_eq!(code(unbind("github").await), "identity.not_found");
    sign_in(&world, "grace", PASSWORD, "192.0.2.3").await.unwrap();
    assert_eq!(refusal(&come(&world, &provider, "github").await), "identity.email_taken", "it leads here no more");
    assert!(everything(&world, &ada).await.iter().any(|entry| entry.operation == "identity.unbind"));
}

#[tokio::test]
async fn a_disabled_account_and_a_closed_door_stay_so_for_providers() {
    let (world, provider, ada) = open().await;
    provider.is_used_by(Stranger::new(7, "grace"));
    let grace = signed_in(&world, &come(&world, &provider, "corp").await, &ada).await;
    disable(&world, &ada, &grace, true).await;
    assert_eq!(refusal(&come(&world, &provider, "corp").await), "account.disabled");
    set_mode(&world, &ada, SignUpMode::Closed).await;
    provider.is_used_by(Stranger::new(8, "late"));
    assert_eq!(refusal(&come(&world, &provider, "corp").await), "signup.closed");
    set_mode(&world, &ada, SignUpMode::Invitation).await;
    assert_eq!(refusal(&come(&world, &provider, "corp").await), "signup.invitation_needed");
    let input = CreateInvitation { email: None, uses: None, hours: None };
    let made = account::invite(&world.platform, &actor(&world, &ada).await, input).await.unwrap();
    for (who, expected) in [(8, None), (9, Some("invitation.invalid"))] {
        provider.is_used_by(Stranger::new(who, &format!("late{who}")));
        let nobody = anonymous(&format!("203.0.113.{who}"));
        let start = Start { invitation: Some(made.code.clone()), ..Start::default() };
        let started = begin(&world, &nobody, "corp", start).await.unwrap();
        let finished = finish(&world, &nobody, "corp", provider.visit(&started).await).await;
        assert_eq!(finished.fault.as_ref().map(|fault| fault.code), expected, "{who}");
    }
}

#[tokio::test]
async fn the_name_kept_for_the_server_is_given_to_no_stranger() {
    let (world, provider, ada) = open().await;
    for (subject, handle) in [(1, "admin"), (2, "ada"), (3, "名前"), (4, "-"), (5, "../../etc"), (6, "")] {
        provider.is_used_by(Stranger { email: None, ..Stranger::new(subject, handle) });
        let came = signed_in(&world, &come(&world, &provider, "corp").await, &ada).await;
        assert_ne!(came.account.id, ada.account.id);
        assert!(!["admin", "ada"].contains(&came.account.username.as_str()), "{handle}");
        assert!(!came.account.administrator);
    }
}

#[tokio::test]
async fn starting_often_does_not_flood_the_provider() {
    let (world, provider, _) = open().await;
    for number in 0..20 {
        begin(&world, &anonymous(&format!("198.51.100.{number}")), "corp", Start::default()).await.unwrap();
    }
    assert_eq!(provider.discoveries(), 1);
    let nobody = anonymous("192.0.2.1");
    exhaust(&world, "192.0.2.1").await;
    assert_eq!(code(begin(&world, &nobody, "corp", Start::default()).await), "auth.too_many_attempts");
}
