//! What the platform speaks to an attendant with. The other side is hostile: every answer is bounded, parsed strictly, and
//! waited for no longer than the caller says.

mod events;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::AsyncRead;
use tokio::net::UnixStream;

use crate::snapshot::reader::Reader;
pub use events::{Event, Events, Job, Port};

/// Largest answer that is no stream.
const ANSWER: usize = 4 << 20;
/// Largest head, and longest line of the events.
pub(crate) const LINE: usize = 64 << 10;
/// What is kept of a hostile message.
const MESSAGE: usize = 500;

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Why an attendant did not do as it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It cannot be reached, took too long, or said what no attendant says.
    Silent(String),
    /// It refused, in its own words, cut and without control characters.
    Refused { status: u16, code: String, message: String },
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Silent(why) => write!(f, "the attendant does not answer: {why}"),
            Self::Refused { code, message, .. } => write!(f, "the attendant refused ({code}): {message}"),
        }
    }
}

impl std::error::Error for Trouble {}

fn silent(error: impl std::fmt::Display) -> Trouble {
    Trouble::Silent(error.to_string())
}

/// What the editor of a workspace is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EditorState {
    Absent,
    Warm,
    Starting,
    Ready,
    Ended,
}

/// `GET /v1/health`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Health {
    pub version: String,
    pub editor: EditorState,
    #[serde(default)]
    pub claimed: bool,
    pub uptime_ms: u64,
}

/// What a restore did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Restored {
    pub files: u64,
    pub bytes: u64,
}

/// One attendant, by the path of its socket. Each request takes a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    patience: Duration,
}

impl Client {
    /// `patience`: for an answer that is no stream.
    pub fn new(socket: impl Into<PathBuf>, patience: Duration) -> Self {
        Self { socket: socket.into(), patience }
    }

    /// The same, once it has answered.
    pub async fn connect(socket: &Path, patience: Duration) -> Result<Self, Trouble> {
        let client = Self::new(socket, patience);
        client.health().await.map(|_| client)
    }

    pub async fn health(&self) -> Result<Health, Trouble> {
        serde_json::from_value(self.ask(Method::GET, "/v1/health", Value::Null).await?).map_err(silent)
    }

    /// The claim as `docs/reference/attendant.md` has it.
    pub async fn claim(&self, claim: Value) -> Result<(), Trouble> {
        self.ask(Method::POST, "/v1/claim", claim).await.map(drop)
    }

    /// Starts the editor ahead of the claim.
    pub async fn editor_warm(&self, recipe: Value) -> Result<(), Trouble> {
        self.ask(Method::POST, "/v1/editor/warm", json!({"editor": recipe})).await.map(drop)
    }

    pub async fn editor_start(&self) -> Result<(), Trouble> {
        self.ask(Method::POST, "/v1/editor/start", json!({})).await.map(drop)
    }

    /// Returns when it is gone.
    pub async fn editor_stop(&self, grace: Duration) -> Result<(), Trouble> {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        self.ask(Method::POST, "/v1/editor/stop", json!({"grace_ms": grace_ms})).await.map(drop)
    }

    pub async fn sync(&self) -> Result<(), Trouble> {
        self.ask(Method::POST, "/v1/sync", json!({})).await.map(drop)
    }

    /// What is going on, from now on.
    pub async fn events(&self) -> Result<Events, Trouble> {
        let response = tokio::time::timeout(self.patience, self.send(Method::GET, "/v1/events", full(Bytes::new())));
        let response = response.await.map_err(|_| silent("it took too long"))??;
        Ok(Events::new(accepted(response).await?.into_body()))
    }

    /// The home as a stream: `{"root","excludes","known"}`.
    pub async fn snapshot(&self, wanted: &Value) -> Result<Reader<impl AsyncRead + Unpin + use<>>, Trouble> {
        let body = full(Bytes::from(wanted.to_string()));
        let response = accepted(self.send(Method::POST, "/v1/snapshot", body).await?).await?;
        let bytes = response.into_body().into_data_stream().map_err(std::io::Error::other);
        Ok(Reader::new(tokio_util::io::StreamReader::new(Box::pin(bytes))))
    }

    /// Writes a snapshot's stream back.
    pub async fn restore(&self, stream: impl AsyncRead + Send + Unpin + 'static) -> Result<Restored, Trouble> {
        let frames = tokio_util::io::ReaderStream::with_capacity(stream, 64 << 10).map_ok(http_body::Frame::data);
        let body = StreamBody::new(frames).boxed_unsync();
        let response = accepted(self.send(Method::POST, "/v1/restore", body).await?).await?;
        serde_json::from_value(small(response).await?).map_err(silent)
    }

    async fn ask(&self, method: Method, path: &str, body: Value) -> Result<Value, Trouble> {
        let text = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let asked = async { small(accepted(self.send(method, path, full(text)).await?).await?).await };
        tokio::time::timeout(self.patience, asked).await.unwrap_or_else(|_| Err(silent("it took too long")))
    }

    async fn send(&self, method: Method, path: &str, body: Body) -> Result<Response<Incoming>, Trouble> {
        let stream = UnixStream::connect(&self.socket).await.map_err(silent)?;
        let mut builder = hyper::client::conn::http1::Builder::new();
        let (mut sender, connection) =
            builder.max_buf_size(LINE).handshake(TokioIo::new(stream)).await.map_err(silent)?;
        // It ends with the exchange; what goes wrong is seen by the sender, too.
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "attendant").body(body);
        sender.send_request(request.map_err(silent)?).await.map_err(silent)
    }
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

async fn small(response: Response<Incoming>) -> Result<Value, Trouble> {
    let bytes = Limited::new(response.into_body(), ANSWER).collect().await.map_err(silent)?.to_bytes();
    serde_json::from_slice(&bytes).map_err(silent)
}

/// The answer, or what it refused with.
async fn accepted(response: Response<Incoming>) -> Result<Response<Incoming>, Trouble> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let said = small(response).await.unwrap_or_default();
    let word = |name: &str| said["error"][name].as_str().map(clamp).unwrap_or_default();
    Err(Trouble::Refused { status, code: word("code"), message: word("message") })
}

/// The first characters of what somebody inside said, made harmless.
pub(crate) fn clamp(text: &str) -> String {
    text.chars().filter(|char| !char.is_control()).take(MESSAGE).collect()
}
