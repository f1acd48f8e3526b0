//! The command line's side of the public API: where the server is, who asks, and how an answer becomes a value.
//! It must never print, and never send a token to a server that it was not made for.

mod credentials;
mod events;
mod failure;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use darter_api::app::App;
use darter_api::error::ErrorBody;
use darter_api::page::Page;
use darter_api::workspace::Workspace;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

pub use credentials::Credentials;
pub use events::{Event, Events};
pub use failure::{Exit, Failure};

/// A server and a token for it.
#[derive(Debug)]
pub struct Api {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

/// A body as the API answers or takes it, for calls without one.
pub const NOTHING: Option<&()> = None;

impl Api {
    /// For the server at `base` (`http://darter.localhost:7070`).
    pub fn new(base: Url, token: Option<String>) -> Result<Self, Failure> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("darter/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none());
        if let Some(host) = base.host_str().filter(|host| *host == "localhost" || host.ends_with(".localhost")) {
            // Names below `localhost` are this machine by RFC 6761, but not every resolver knows.
            let port = base.port_or_known_default().unwrap_or(80);
            let here = [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
            builder = builder.resolve_to_addrs(host, &here).no_proxy();
        }
        let http = builder.build().map_err(|error| Failure::new(Exit::Failed, format!("The HTTP client: {error}")))?;
        Ok(Self { http, base, token })
    }

    /// Where the server is.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// A request to a path below `/api/v1`.
    pub fn request(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let url =
            self.base.join(&format!("/api/v1{path}")).map_err(|error| Failure::usage(format!("{path}: {error}")))?;
        let request = self.http.request(method, url);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    /// Sends, and turns every answer that is no success into a [`Failure`].
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = response.bytes().await.unwrap_or_default();
        Err(match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(body) => Failure::answered(status.as_u16(), body.error),
            Err(_) => self.foreign(status),
        })
    }

    /// One call with or without a JSON body.
    pub async fn call<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<T, Failure> {
        let request = self.request(method, path)?;
        self.value(match body {
            Some(body) => request.json(body),
            None => request,
        })
        .await
    }

    /// Sends and reads a JSON answer; an empty one is `null`.
    pub async fn value<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let bytes = self.send(request).await?.bytes().await.map_err(|error| self.unreachable(&error))?;
        let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(text).map_err(|error| {
            let what = format!(
                "The server's answer is of another shape than expected ({error}). Is it a Darter of another version?"
            );
            Failure::new(Exit::Failed, what)
        })
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, NOTHING).await
    }

    pub async fn post<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn put<B: Serialize, T: DeserializeOwned>(&self, path: &str, body: &B) -> Result<T, Failure> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// A deletion; what the server says about it does not matter.
    pub async fn delete(&self, path: &str) -> Result<(), Failure> {
        self.send(self.request(Method::DELETE, path)?).await.map(|_| ())
    }

    /// Every item of a list, over all its pages.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Failure> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let request = self.request(Method::GET, path)?.query(&[("limit", "200")]).query(&[("cursor", &cursor)]);
            let page: Page<T> = self.value(request).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => cursor = Some(next),
                None => return Ok(items),
            }
        }
    }

    /// A stream of server-sent events.
    pub async fn events(&self, request: RequestBuilder) -> Result<Events, Failure> {
        self.send(request.header("accept", "text/event-stream")).await.map(Events::new)
    }

    /// The app that somebody means by an id or by a name that only one of their apps has.
    pub async fn app(&self, wanted: &str) -> Result<App, Failure> {
        if wanted.parse::<darter_core::AppId>().is_ok() {
            match self.get(&format!("/apps/{wanted}")).await {
                Err(failure) if failure.exit == Exit::NotFound => {}
                other => return other,
            }
        }
        let mut apps: Vec<App> = self.list("/apps").await?;
        if !apps.iter().any(|app| app.name == wanted) {
            apps.extend(self.list::<App>("/apps?state=recycled").await?);
        }
        let mut named: Vec<App> = apps.into_iter().filter(|app| app.name == wanted).collect();
        match (named.pop(), named.as_slice()) {
            (Some(app), []) => Ok(app),
            (Some(app), others) => {
                let ids: Vec<&str> = others.iter().map(|app| app.id.as_str()).chain([app.id.as_str()]).collect();
                Err(Failure::usage(format!("Several apps are named {wanted}: use one of the ids {}.", ids.join(", "))))
            }
            (None, _) => Err(Failure::new(
                Exit::NotFound,
                format!("There is no app with the id or name {wanted}. `darter app list` shows yours."),
            )),
        }
    }

    /// The workspace that somebody means by an id or by a name that only one of their workspaces has.
    pub async fn workspace(&self, wanted: &str) -> Result<Workspace, Failure> {
        if wanted.parse::<darter_core::WorkspaceId>().is_ok() {
            match self.get(&format!("/workspaces/{wanted}")).await {
                Err(failure) if failure.exit == Exit::NotFound => {}
                other => return other,
            }
        }
        let mut all: Vec<Workspace> = self.list("/workspaces").await?;
        if !all.iter().any(|one| one.name == wanted) {
            all.extend(self.list::<Workspace>("/workspaces?desired=recycled").await?);
        }
        let mut named: Vec<Workspace> = all.into_iter().filter(|one| one.name == wanted).collect();
        match (named.pop(), named.as_slice()) {
            (Some(one), []) => Ok(one),
            (Some(one), others) => {
                let ids: Vec<&str> = others.iter().map(|one| one.id.as_str()).chain([one.id.as_str()]).collect();
                let ids = ids.join(", ");
                Err(Failure::usage(format!("Several workspaces are named {wanted}: use one of the ids {ids}.")))
            }
            (None, _) => Err(Failure::new(
                Exit::NotFound,
                format!("There is no workspace with the id or name {wanted}. `darter ws list` shows yours."),
            )),
        }
    }

    /// Opens a WebSocket at a path below `/api/v1`: the connection, after both sides have agreed.
    pub async fn upgrade(&self, path: &str) -> Result<reqwest::Upgraded, Failure> {
        let request = self
            .request(Method::GET, path)?
            .version(reqwest::Version::HTTP_11)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", tokio_tungstenite::tungstenite::handshake::client::generate_key());
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return response.upgrade().await.map_err(|error| self.unreachable(&error));
        }
        let status = response.status();
        let bytes = response.bytes().await.unwrap_or_default();
        Err(match serde_json::from_slice::<ErrorBody>(&bytes) {
            Ok(body) => Failure::answered(status.as_u16(), body.error),
            Err(_) => self.foreign(status),
        })
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let mut cause = error.to_string();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            cause = inner.to_string();
            source = inner.source();
        }
        let what = format!("{} cannot be reached: {cause}. Is the server running, and is this its address?", self.base);
        Failure::new(Exit::Unreachable, what)
    }

    fn foreign(&self, status: StatusCode) -> Failure {
        let what = format!("{} answered {status}, but not as a Darter does. Is this its address?", self.base);
        Failure::new(Exit::Unreachable, what)
    }
}

/// One segment of a path: a function's name may hold slashes.
pub fn segment(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_name_is_one_segment_of_a_path() {
        assert_eq!(segment("api/users"), "api%2Fusers");
        assert_eq!(segment("__init__"), "__init__");
        assert_eq!(segment("ü?#"), "%C3%BC%3F%23");
    }
}
