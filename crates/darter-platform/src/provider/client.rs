//! Requests to providers: no redirects, bounded in time and size. What comes back is a stranger's word.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use darter_core::Fault;
use futures_util::StreamExt;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};

/// Largest answer that is read.
const ANSWER_LIMIT: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(15);

/// Speaks HTTP to a provider.
#[derive(Debug, Clone)]
pub(super) struct HttpClient(reqwest::Client);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("{0}")]
    Request(#[from] reqwest::Error),
    #[error("{0}")]
    Shape(#[from] http::Error),
    #[error("the answer has more than {ANSWER_LIMIT} bytes")]
    TooLarge,
}

impl HttpClient {
    pub fn new() -> Result<Self, Fault> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("darter/", env!("CARGO_PKG_VERSION")))
            .build();
        client.map(Self).map_err(Fault::internal)
    }

    /// Sends and reads the whole answer.
    pub async fn send(&self, request: reqwest::Request) -> Result<(http::response::Parts, Vec<u8>), HttpError> {
        let response = self.0.execute(request).await?;
        let mut parts = http::Response::builder().status(response.status());
        for (name, value) in response.headers() {
            parts = parts.header(name, value);
        }
        let (parts, ()) = parts.body(())?.into_parts();
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk?;
            if body.len() + chunk.len() > ANSWER_LIMIT {
                return Err(HttpError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((parts, body))
    }

    /// For building requests.
    pub fn plain(&self) -> &reqwest::Client {
        &self.0
    }
}

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let (parts, body) = self.send(reqwest::Request::try_from(request)?).await?;
            Ok(HttpResponse::from_parts(parts, body))
        })
    }
}
