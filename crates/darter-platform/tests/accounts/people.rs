//! People, their browsers, and how the tests look at what happened.

use darter_api::account::{self as api, SignIn, SignUp, SignUpMode};
use darter_api::page::PageQuery;
use darter_api::system::UpdateSettings;
use darter_core::Fault;
use darter_core::role::TokenScope;
use darter_platform::account::{self, SignedIn};
use darter_platform::{Actor, Origin, audit, by_cookie, settings};
use darter_testkit::TestPlatform;

pub const PASSWORD: &str = "correct horse battery";
pub const HOUR: i64 = 3_600_000;

/// Somebody's browser: an address and a cookie.
#[derive(Debug, Clone)]
pub struct Browser {
    pub account: api::Account,
    pub secret: String,
    pub address: String,
}

fn origin(address: &str) -> Origin {
    Origin { address: address.into(), user_agent: "Browser/1".into(), request_id: "req_test".into() }
}

/// Somebody who is not signed in.
pub fn anonymous(address: &str) -> Actor {
    Actor::anonymous(origin(address))
}

/// An address for each name, so that nobody waits because of another's guesses.
pub fn address_of(name: &str) -> String {
    let sum = name.bytes().fold(7u16, |sum, byte| sum.wrapping_mul(31).wrapping_add(u16::from(byte)));
    format!("198.18.{}.{}", sum >> 8, sum & 0xff)
}

pub fn form(name: &str) -> SignUp {
    SignUp {
        username: name.into(),
        email: format!("{name}@example.org"),
        password: PASSWORD.into(),
        display_name: None,
        invitation: None,
    }
}

pub async fn send_form(world: &TestPlatform, form: SignUp, address: &str) -> Result<Browser, Fault> {
    let SignedIn { account, secret } = account::sign_up(&world.platform, &anonymous(address), form).await?;
    Ok(Browser { account, secret, address: address.into() })
}

pub async fn sign_up(world: &TestPlatform, name: &str) -> Browser {
    send_form(world, form(name), &address_of(name)).await.unwrap()
}

pub async fn invited(world: &TestPlatform, name: &str, code: &str) -> Result<Browser, Fault> {
    send_form(world, SignUp { invitation: Some(code.into()), ..form(name) }, &address_of(name)).await
}

pub async fn sign_in(world: &TestPlatform, login: &str, password: &str, address: &str) -> Result<Browser, Fault> {
    let input = SignIn { login: login.into(), password: password.into() };
    let SignedIn { account, secret } = account::sign_in(&world.platform, &anonymous(address), input).await?;
    Ok(Browser { account, secret, address: address.into() })
}

/// Who asks with this browser now: nobody, when its session has ended.
pub async fn actor(world: &TestPlatform, browser: &Browser) -> Actor {
    by_cookie(&world.platform, &browser.secret, origin(&browser.address)).await.unwrap()
}

pub async fn is_signed_in(world: &TestPlatform, browser: &Browser) -> bool {
    actor(world, browser).await.person().is_some()
}

pub async fn token(world: &TestPlatform, browser: &Browser, scopes: &[TokenScope]) -> api::CreatedToken {
    let input = api::CreateToken { name: "CI".into(), scopes: scopes.to_vec(), expires_at: None };
    account::create_token(&world.platform, &actor(world, browser).await, input).await.unwrap()
}

pub async fn by_token(world: &TestPlatform, secret: &str) -> Result<Actor, &'static str> {
    Actor::by_token(&world.platform, secret).await.map_err(|fault| fault.code)
}

pub async fn set_mode(world: &TestPlatform, administrator: &Browser, mode: SignUpMode) {
    let input = UpdateSettings { signup: Some(mode), apps_per_account: None };
    settings::change(&world.platform, &actor(world, administrator).await, input).await.unwrap();
}

pub async fn disable(world: &TestPlatform, administrator: &Browser, who: &Browser, disabled: bool) {
    let input = darter_api::system::UpdateAdminAccount { administrator: None, disabled: Some(disabled) };
    let id = who.account.id.parse().unwrap();
    let administrator = actor(world, administrator).await;
    account::update_by_administrator(&world.platform, &administrator, (&id, input)).await.unwrap();
}

/// How many accounts there are.
pub async fn accounts(world: &TestPlatform) -> u32 {
    darter_store::account::count(&mut world.platform.store.read().await.unwrap()).await.unwrap()
}

/// The whole record, the oldest first.
pub async fn everything(world: &TestPlatform, administrator: &Browser) -> Vec<darter_api::audit::AuditEntry> {
    let page = PageQuery { cursor: None, limit: Some(200) };
    let administrator = actor(world, administrator).await;
    let mut entries = audit::of_everything(&world.platform, &administrator, &page).await.unwrap().items;
    // Ids of one millisecond have no order among themselves; nothing here depends on it.
    entries.reverse();
    entries
}

/// The token of the newest mail that is among these and was not among those before.
pub fn token_in(mail: &str) -> String {
    let text = mail.replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = text.split_once("/reset?token=").unwrap();
    rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || "-_".contains(*letter)).collect()
}

pub fn code<T: std::fmt::Debug>(result: Result<T, Fault>) -> &'static str {
    result.expect_err("it had to be refused").code
}

/// Tries this and that from an address until it is slowed down.
pub async fn exhaust(world: &TestPlatform, address: &str) {
    for number in 0..1_000 {
        let input = api::ForgotPassword { login: format!("nobody-{number}") };
        if account::forgot(&world.platform, &anonymous(address), input).await.is_err() {
            return;
        }
    }
    panic!("nothing slows {address} down");
}
