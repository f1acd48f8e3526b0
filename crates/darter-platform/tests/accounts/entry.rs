//! Coming in: signing up by every mode and invitation, signing in, and how guessing is slowed down.

use darter_api::account::{CreateInvitation, SignUp, SignUpMode};
use darter_api::page::PageQuery;
use darter_core::Kind;
use darter_platform::account;
use darter_testkit::TestPlatform;

use crate::people::*;

#[tokio::test]
async fn the_first_account_is_the_administrator_and_then_the_mode_decides() {
    let modes = [
        (SignUpMode::Open, None),
        (SignUpMode::Invitation, Some("signup.invitation_needed")),
        (SignUpMode::Closed, Some("signup.closed")),
    ];
    for (mode, refusal) in modes {
        let world = TestPlatform::with(|config| config.signup = mode).await;
        assert!(account::methods(&world.platform).await.unwrap().first);
        let ada = sign_up(&world, "admin").await;
        assert!(ada.account.administrator, "{mode:?}");
        let methods = account::methods(&world.platform).await.unwrap();
        assert_eq!((methods.first, methods.signup, methods.mail), (false, mode, true));
        let bob = send_form(&world, form("bob"), "192.0.2.2").await;
        assert_eq!(bob.as_ref().err().map(|fault| fault.code), refusal, "{mode:?}");
        assert!(bob.is_err() || !bob.unwrap().account.administrator);
        assert_eq!(accounts(&world).await, if refusal.is_some() { 1 } else { 2 });
    }
}

#[tokio::test]
async fn of_two_who_are_first_at_the_same_moment_one_is() {
    let world = TestPlatform::with(|config| config.signup = SignUpMode::Closed).await;
    let (ada, bob) = (form("ada"), form("bob"));
    let (ada, bob) = tokio::join!(send_form(&world, ada, "192.0.2.1"), send_form(&world, bob, "192.0.2.2"));
    let mut outcomes = [ada, bob].map(|one| one.map(|browser| browser.account.administrator).map_err(|one| one.code));
    outcomes.sort();
    assert_eq!(outcomes, [Ok(true), Err("signup.closed")]);
}

#[tokio::test]
async fn a_server_for_one_stays_closed_whatever_is_set() {
    let world = TestPlatform::with(|config| config.single_user = true).await;
    let ada = sign_up(&world, "ada").await;
    set_mode(&world, &ada, SignUpMode::Open).await;
    assert_eq!(account::methods(&world.platform).await.unwrap().signup, SignUpMode::Closed);
    assert_eq!(code(send_form(&world, form("bob"), "192.0.2.2").await), "signup.closed");
}

#[tokio::test]
async fn a_taken_name_and_a_taken_address_get_one_answer_and_only_so_many_may_be_asked_about() {
    let world = TestPlatform::start().await;
    sign_up(&world, "ada").await;
    let name = SignUp { email: "new@example.org".into(), ..form("ada") };
    let address = SignUp { email: " ADA@Example.org".into(), ..form("eve") };
    let name = send_form(&world, name, "192.0.2.9").await.unwrap_err();
    assert_eq!((name.code, name.kind), ("account.taken", Kind::Conflict));
    assert_eq!(send_form(&world, address.clone(), "192.0.2.9").await.unwrap_err(), name);
    exhaust(&world, "192.0.2.9").await;
    let slowed = send_form(&world, address.clone(), "192.0.2.9").await.unwrap_err();
    assert_eq!((slowed.code, slowed.retry_after), ("auth.too_many_attempts", Some(1)));
    assert_eq!(send_form(&world, address, "192.0.2.10").await.unwrap_err(), name, "somebody else does not wait");
    assert_eq!(accounts(&world).await, 1);
}

#[tokio::test]
async fn a_form_with_a_mistake_makes_nothing() {
    let world = TestPlatform::start().await;
    sign_up(&world, "ada").await;
    let rows = [
        (SignUp { username: "root".into(), ..form("eve") }, "account.username_reserved"),
        (SignUp { username: "e".into(), ..form("eve") }, "account.username_invalid"),
        (SignUp { email: "eve".into(), ..form("eve") }, "account.email_invalid"),
        (SignUp { password: "short".into(), ..form("eve") }, "account.password_length"),
        (SignUp { password: "Eve@example.org".into(), ..form("eve") }, "account.password_weak"),
        (SignUp { display_name: Some("a\u{202e}b".into()), ..form("eve") }, "account.display_name_invalid"),
    ];
    for (form, expected) in rows {
        assert_eq!(code(send_form(&world, form, "192.0.2.9").await), expected);
    }
    assert_eq!(accounts(&world).await, 1);
}

#[tokio::test]
async fn an_invitation_lets_in_whom_it_names_as_often_as_it_says_until_it_ends() {
    let world = TestPlatform::with(|config| config.signup = SignUpMode::Invitation).await;
    let ada = sign_up(&world, "ada").await;
    let admin = actor(&world, &ada).await;
    let invite = |email: Option<&str>, uses| {
        let input = CreateInvitation { email: email.map(str::to_owned), uses, hours: Some(2) };
        account::invite(&world.platform, &admin, input)
    };
    let twice = invite(None, Some(2)).await.unwrap();
    assert!(twice.url.ends_with(&format!("/sign-up?invitation={}", twice.code)));
    assert_eq!(code(invited(&world, "eve", "made up").await), "invitation.invalid");
    invited(&world, "bob", &twice.code).await.unwrap();
    // Who is refused for another reason does not use it up.
    let taken = SignUp { invitation: Some(twice.code.clone()), ..form("bob") };
    assert_eq!(code(send_form(&world, taken, "192.0.2.77").await), "account.taken");
    invited(&world, "cyd", &twice.code).await.unwrap();
    assert_eq!(code(invited(&world, "dan", &twice.code).await), "invitation.invalid");

    let named = invite(Some(" Dan@Example.org"), None).await.unwrap();
    assert_eq!(code(invited(&world, "eve", &named.code).await), "invitation.invalid");
    invited(&world, "dan", &named.code).await.unwrap();

    let ends = invite(None, None).await.unwrap();
    let back = invite(None, None).await.unwrap();
    let page = PageQuery::default();
    let list = || account::invitations(&world.platform, &admin, &page);
    assert_eq!(list().await.unwrap().items.len(), 2, "used ones are not shown");
    account::uninvite(&world.platform, &admin, &back.invitation.id.parse().unwrap()).await.unwrap();
    assert_eq!(code(invited(&world, "eve", &back.code).await), "invitation.invalid");
    world.clock.advance(2 * HOUR);
    assert_eq!(code(invited(&world, "eve", &ends.code).await), "invitation.invalid");
    assert!(list().await.unwrap().items.is_empty());

    for (email, uses) in [(None, Some(0)), (None, Some(1_001)), (Some("a@b.de"), Some(2))] {
        assert_eq!(code(invite(email, uses).await), "invitation.out_of_range");
    }
    let bob = actor(&world, &sign_in(&world, "bob", PASSWORD, "192.0.2.3").await.unwrap()).await;
    let input = CreateInvitation { email: None, uses: None, hours: None };
    assert_eq!(code(account::invite(&world.platform, &bob, input).await), "account.not_administrator");
}

#[tokio::test]
async fn one_invitation_for_many_at_the_same_moment_lets_in_one() {
    let world = TestPlatform::with(|config| config.signup = SignUpMode::Invitation).await;
    let ada = sign_up(&world, "ada").await;
    let input = CreateInvitation { email: None, uses: None, hours: None };
    let made = account::invite(&world.platform, &actor(&world, &ada).await, input).await.unwrap();
    let (a, b, c) = tokio::join!(
        invited(&world, "bob", &made.code),
        invited(&world, "cyd", &made.code),
        invited(&world, "dan", &made.code)
    );
    assert_eq!([a, b, c].iter().filter(|one| one.is_ok()).count(), 1);
    assert_eq!(accounts(&world).await, 2);
}

#[tokio::test]
async fn one_signs_in_by_name_or_address_in_any_case() {
    let world = TestPlatform::start().await;
    let ada = sign_up(&world, "ada").await;
    for login in ["ada", " ADA ", "Ada@Example.ORG"] {
        let again = sign_in(&world, login, PASSWORD, "192.0.2.3").await.unwrap();
        assert_eq!(again.account.id, ada.account.id);
        assert_ne!(again.secret, ada.secret);
        assert!(is_signed_in(&world, &again).await);
    }
    for odd in [String::new(), "x".repeat(64), "..".into()] {
        assert!(!is_signed_in(&world, &Browser { secret: odd, ..ada.clone() }).await);
    }
}

#[tokio::test]
async fn nothing_tells_an_unknown_name_from_a_wrong_password() {
    let world = TestPlatform::start().await;
    let ada = sign_up(&world, "ada").await;
    let bob = sign_up(&world, "bob").await;
    world.operator().create_account(("eve", None), None, (false, false)).await.unwrap();
    let wrong = sign_in(&world, "ada", "not the password", "192.0.2.1").await.unwrap_err();
    assert_eq!((wrong.code, wrong.kind), ("auth.wrong_credentials", Kind::Unauthenticated));
    disable(&world, &ada, &bob, true).await;
    let long = "x".repeat(300);
    for (login, password) in
        [("nobody", PASSWORD), ("eve", PASSWORD), ("eve", ""), ("bob", "not the password"), ("", ""), ("ada", &long)]
    {
        assert_eq!(sign_in(&world, login, password, "192.0.2.2").await.unwrap_err(), wrong, "{login}");
    }
    assert_eq!(code(sign_in(&world, "bob", PASSWORD, "192.0.2.3").await), "account.disabled");
}

#[tokio::test]
async fn guessing_is_slowed_down_for_the_guesser_only() {
    let world = TestPlatform::start().await;
    sign_up(&world, "ada").await;
    let guess = |password: &'static str, address: &'static str| {
        let world = &world;
        async move { sign_in(world, "ada", password, address).await }
    };
    for _ in 0..5 {
        assert_eq!(code(guess("not the password", "192.0.2.1").await), "auth.wrong_credentials");
    }
    let slowed = guess(PASSWORD, "192.0.2.1").await.unwrap_err();
    assert_eq!((slowed.code, slowed.kind, slowed.retry_after), ("auth.too_many_attempts", Kind::RateLimited, Some(1)));
    guess(PASSWORD, "192.0.2.2").await.unwrap();
    world.clock.advance(1_000);
    assert_eq!(code(guess("not the password", "192.0.2.1").await), "auth.wrong_credentials");
    assert_eq!(guess(PASSWORD, "192.0.2.1").await.unwrap_err().retry_after, Some(2), "the wait doubles");
    world.clock.advance(2_000);
    guess(PASSWORD, "192.0.2.1").await.unwrap();
    for _ in 0..5 {
        assert_eq!(code(guess("not the password", "192.0.2.1").await), "auth.wrong_credentials", "all is forgotten");
    }
}
