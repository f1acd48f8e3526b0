//! A browser as the API sees it: it keeps cookies, and says where a request comes from. Or a program, with a token.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: http::HeaderMap,
    pub bytes: Vec<u8>,
    /// Null when it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The error's code, or nothing.
    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    /// A header's text, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Items of a page.
    pub fn items(&self) -> &[Value] {
        self.body["items"].as_array().map(Vec::as_slice).unwrap_or_default()
    }
}

/// A browser, or a program with a token.
#[derive(Clone)]
pub struct Browser {
    router: Router,
    site: String,
    address: String,
    cookies: Arc<Mutex<BTreeMap<String, String>>>,
    token: Option<String>,
}

impl Browser {
    pub(crate) fn new(router: Router, site: String) -> Self {
        Self { router, site, address: "192.0.2.1".into(), cookies: Arc::default(), token: None }
    }

    /// The same, before another platform.
    pub(crate) fn before(&self, router: Router) -> Self {
        Self { router, ..self.clone() }
    }

    /// The same, at another address.
    #[must_use]
    pub fn at(mut self, address: &str) -> Self {
        address.clone_into(&mut self.address);
        self
    }

    /// A program with this token instead of cookies.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), cookies: Arc::default(), ..self.clone() }
    }

    /// Another browser with the same cookies, as after somebody stole them.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self { cookies: Arc::new(Mutex::new(self.cookies.lock().unwrap().clone())), ..self.clone() }
    }

    /// A cookie's value.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.lock().unwrap().get(name).cloned()
    }

    /// Begins a request as this browser makes it.
    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let host = self.site.split("://").nth(1).unwrap();
        let mut request =
            Request::builder().method(method).uri(path).header(HOST, host).header("x-real-ip", &self.address);
        if let Some(token) = &self.token {
            return request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        // What a click on one of the console's own pages says of itself.
        request = match method {
            "GET" => request.header("sec-fetch-site", "same-origin"),
            _ => request.header(ORIGIN, &self.site),
        };
        let cookies = self.cookies.lock().unwrap();
        let line: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if line.is_empty() { request } else { request.header(COOKIE, line.join("; ")) }
    }

    /// Sends a request and keeps the cookies of its answer.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        for line in head.headers.get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            let mut cookies = self.cookies.lock().unwrap();
            if line.contains("Max-Age=0") {
                cookies.remove(name)
            } else {
                cookies.insert(name.into(), value.into())
            };
        }
        let endless = head.headers.get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        let bytes = if endless { Vec::new() } else { body.collect().await.unwrap().to_bytes().to_vec() };
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer { status: head.status.as_u16(), headers: head.headers, bytes, body }
    }

    /// An operation below `/api/v1`.
    pub async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let request = self.request(method, &format!("/api/v1{path}"));
        let request = match body {
            Some(body) => request.header(CONTENT_TYPE, "application/json").body(Body::from(body.to_string())),
            None => request.body(Body::empty()),
        };
        self.send(request.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call("PATCH", path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path, None).await
    }

    /// Makes a token of this account.
    pub async fn token(&self, scopes: &[&str]) -> Browser {
        let made = self.post("/me/tokens", serde_json::json!({ "name": "test", "scopes": scopes })).await;
        assert_eq!(made.status, 201, "{made:?}");
        self.with_token(made.body["secret"].as_str().unwrap())
    }
}
