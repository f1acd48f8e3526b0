//! A provider to sign in at, on a port of the loopback: OpenID Connect (discovery, keys, authorisation code with PKCE,
//! signed ID tokens) and, below the same address, GitHub's OAuth with the part of its API that says who somebody is.
//!
//! It is as strict as a real one: a wrong redirect, secret, verifier or a code used twice is refused. Told to [`Lie`], it
//! does that one thing wrong. It must never be more lenient than the providers it stands for: a test that passes here and
//! fails there is worth nothing.

mod github;
mod oidc;
mod sign;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use darter_platform::provider::{Callback, Started};
use darter_platform::{ProviderConfig, ProviderKind, SecretText};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;
use url::Url;

use sign::Keys;

/// The one client that it knows.
const CLIENT: &str = "darter-client";
const SECRET: &str = "a secret: with+odd/letters %";

/// Who is signed in there.
#[derive(Debug, Clone)]
pub struct Stranger {
    /// GitHub's are numbers.
    pub subject: String,
    pub handle: String,
    pub name: String,
    pub email: Option<String>,
    pub email_verified: bool,
}

impl Stranger {
    /// Somebody with a proven address.
    pub fn new(subject: u32, handle: &str) -> Self {
        Self {
            subject: subject.to_string(),
            handle: handle.into(),
            name: format!("{handle} of elsewhere"),
            email: Some(format!("{handle}@example.com")),
            email_verified: true,
        }
    }
}

/// With which key ID tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    Rs256,
    Es256,
}

/// What it does wrong. The first group concerns ID tokens, the second any answer to a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// For another client.
    WrongAudience,
    /// Of another sign-in.
    WrongNonce,
    NoNonce,
    /// An hour ago.
    Expired,
    /// As if another provider had said it.
    WrongIssuer,
    /// By another key that has the same name.
    WrongSignature,
    /// `alg: none`
    Unsigned,
    /// HMAC with the public key, which everybody has.
    SignedWithThePublicKey,
    NoIdToken,
    /// An empty name for the account.
    NoSubject,

    ServerError,
    NotJson,
    /// 4 MiB.
    TooLarge,
    /// To somewhere else, with the code and the secret.
    Redirect,
    /// No answer at all.
    Hang,
}

impl Lie {
    /// Those about ID tokens.
    pub const TOKEN: [Lie; 10] = [
        Lie::WrongAudience,
        Lie::WrongNonce,
        Lie::NoNonce,
        Lie::Expired,
        Lie::WrongIssuer,
        Lie::WrongSignature,
        Lie::Unsigned,
        Lie::SignedWithThePublicKey,
        Lie::NoIdToken,
        Lie::NoSubject,
    ];
    /// Those about any answer, but for [`Lie::Hang`], which takes as long as the client is patient.
    pub const ANSWER: [Lie; 4] = [Lie::ServerError, Lie::NotJson, Lie::TooLarge, Lie::Redirect];
}

/// What was asked for when somebody agreed.
#[derive(Debug, Clone)]
struct Grant {
    stranger: Stranger,
    redirect: String,
    challenge: String,
    nonce: Option<String>,
}

struct Inner {
    stranger: Stranger,
    refuses: bool,
    lie: Option<Lie>,
    signing: Signing,
    codes: HashMap<String, Grant>,
    /// Of GitHub: access tokens.
    tokens: HashMap<String, Stranger>,
    made: u32,
}

struct State {
    issuer: String,
    keys: Keys,
    inner: Mutex<Inner>,
    discoveries: AtomicUsize,
    /// Requests that a redirect led somewhere they should not have gone.
    misled: AtomicUsize,
    hanging: Notify,
}

/// The provider. Ends when dropped.
pub struct FakeProvider {
    state: Arc<State>,
    server: tokio::task::JoinHandle<()>,
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeProvider {
    /// Listens on a free port.
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let inner = Inner {
            stranger: Stranger::new(1, "grace"),
            refuses: false,
            lie: None,
            signing: Signing::Rs256,
            codes: HashMap::new(),
            tokens: HashMap::new(),
            made: 0,
        };
        let state = Arc::new(State {
            issuer: format!("http://{}", listener.local_addr().unwrap()),
            keys: Keys::new(),
            inner: Mutex::new(inner),
            discoveries: AtomicUsize::new(0),
            misled: AtomicUsize::new(0),
            hanging: Notify::new(),
        });
        let router: Router = oidc::routes().merge(github::routes()).with_state(Arc::clone(&state));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { state, server }
    }

    /// What an operator writes down about it.
    pub fn config(&self, id: &str, kind: ProviderKind) -> ProviderConfig {
        ProviderConfig {
            id: id.into(),
            kind,
            name: String::new(),
            issuer: self.state.issuer.clone(),
            client_id: CLIENT.into(),
            client_secret: SecretText::new(SECRET),
        }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.state.inner.lock().unwrap()
    }

    /// Who is signed in there from now on.
    pub fn is_used_by(&self, stranger: Stranger) {
        self.inner().stranger = stranger;
    }

    /// Does this wrong from now on, or nothing.
    pub fn lies(&self, lie: Option<Lie>) {
        self.inner().lie = lie;
    }

    pub fn signs_with(&self, signing: Signing) {
        self.inner().signing = signing;
    }

    /// Do people say no when they are asked?
    pub fn is_refused(&self, refused: bool) {
        self.inner().refuses = refused;
    }

    /// How often somebody asked what it is.
    pub fn discoveries(&self) -> usize {
        self.state.discoveries.load(Ordering::SeqCst)
    }

    /// Requests that followed a redirect of a lie.
    pub fn misled(&self) -> usize {
        self.state.misled.load(Ordering::SeqCst)
    }

    /// Returns when a request hangs.
    pub async fn hanging(&self) {
        self.state.hanging.notified().await;
    }

    /// What a browser does with a start: goes there, agrees, and comes back with the cookie that it got.
    pub async fn visit(&self, started: &Started) -> Callback {
        let mut callback = Self::follow(&started.location).await.expect("the provider did not send the browser back");
        callback.cookie = Some(started.cookie.clone());
        callback
    }

    /// Goes to an address of the provider; what the browser is sent back with, or the status of a refusal.
    pub async fn follow(location: &str) -> Result<Callback, u16> {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let answer = client.get(location).send().await.unwrap();
        let Some(back) = answer.headers().get("location") else { return Err(answer.status().as_u16()) };
        let query: HashMap<String, String> =
            Url::parse(back.to_str().unwrap()).unwrap().query_pairs().into_owned().collect();
        let get = |name: &str| query.get(name).cloned();
        Ok(Callback { code: get("code"), state: get("state"), error: get("error"), cookie: None })
    }
}

impl State {
    fn lie(&self) -> Option<Lie> {
        self.inner.lock().unwrap().lie
    }

    /// The browser's visit: somebody agrees, and is sent back with a code.
    fn authorize(&self, query: &HashMap<String, String>) -> Response {
        let get = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
        let challenged = get("code_challenge").len() == 43 && get("code_challenge_method") == "S256";
        let redirect = Url::parse(get("redirect_uri"));
        let (Ok(mut back), CLIENT, true) = (redirect, get("client_id"), challenged) else {
            return (StatusCode::BAD_REQUEST, "wrong client, redirect or challenge").into_response();
        };
        let mut inner = self.inner.lock().unwrap();
        if inner.refuses {
            back.query_pairs_mut().append_pair("error", "access_denied").append_pair("state", get("state"));
        } else {
            inner.made += 1;
            let code = format!("code-{}", inner.made);
            let grant = Grant {
                stranger: inner.stranger.clone(),
                redirect: get("redirect_uri").into(),
                challenge: get("code_challenge").into(),
                nonce: query.get("nonce").cloned(),
            };
            inner.codes.insert(code.clone(), grant);
            back.query_pairs_mut().append_pair("code", &code).append_pair("state", get("state"));
        }
        (StatusCode::FOUND, [(header::LOCATION, String::from(back))]).into_response()
    }

    /// A code is used up, whether the rest fits or not.
    fn redeem(&self, form: &HashMap<String, String>) -> Option<Grant> {
        let grant = self.inner.lock().unwrap().codes.remove(form.get("code")?)?;
        let challenge = BASE64.encode(Sha256::digest(form.get("code_verifier")?));
        (challenge == grant.challenge && form.get("redirect_uri") == Some(&grant.redirect)).then_some(grant)
    }

    /// The lies that are possible in any answer.
    async fn misbehave(&self) -> Option<Response> {
        match self.lie()? {
            Lie::ServerError => Some((StatusCode::INTERNAL_SERVER_ERROR, "{}").into_response()),
            Lie::NotJson => Some("<html>".into_response()),
            Lie::TooLarge => {
                let json = [(header::CONTENT_TYPE, "application/json")];
                Some((json, format!("{{\"padding\":\"{}\"}}", "x".repeat(4 << 20))).into_response())
            }
            Lie::Redirect => {
                let elsewhere = format!("{}/elsewhere", self.issuer);
                Some((StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, elsewhere)]).into_response())
            }
            Lie::Hang => {
                self.hanging.notify_one();
                std::future::pending().await
            }
            Lie::WrongAudience
            | Lie::WrongNonce
            | Lie::NoNonce
            | Lie::Expired
            | Lie::WrongIssuer
            | Lie::WrongSignature
            | Lie::Unsigned
            | Lie::SignedWithThePublicKey
            | Lie::NoIdToken
            | Lie::NoSubject => None,
        }
    }
}
