//! Speaks to an attendant over its socket. Hostile: whoever sits in the workspace may have replaced it, so every answer is
//! bounded, parsed strictly, and believed only about that workspace.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use darter_core::Millis;
use http::{Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::doors::{Doors, Inner};

/// Largest answer in one piece.
const ANSWER: usize = 4 << 20;
/// Longest line of the events, and longest head.
const LINE: usize = 64 << 10;

/// What a request may carry.
pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Why the attendant did not do as asked.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Trouble {
    /// It cannot be reached, or said nothing that makes sense.
    #[error("the attendant does not answer: {0}")]
    Silent(String),
    /// It refused, in its own words.
    #[error("the attendant refused: {code}: {message}")]
    Refused { code: String, message: String },
}

fn silent(error: impl std::fmt::Display) -> Trouble {
    Trouble::Silent(error.to_string())
}

/// One line of the events.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    Beat {},
    Activity {
        #[serde(default)]
        input_at: Option<Millis>,
        #[serde(default)]
        jobs: Vec<JobLine>,
    },
    Ports {
        ports: Vec<PortLine>,
    },
    Disk {
        bytes: u64,
        limit_bytes: u64,
    },
    Editor {
        state: String,
        #[serde(default)]
        exit_code: Option<i32>,
        #[serde(default)]
        last_lines: Vec<String>,
    },
    Terminals {
        count: u32,
    },
    #[serde(other)]
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct JobLine {
    pub(super) pid: u32,
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct PortLine {
    pub(super) port: u16,
    #[serde(default)]
    pub(super) address: String,
    #[serde(default)]
    pub(super) name: String,
}

/// The attendant of one sandbox.
#[derive(Debug, Clone)]
pub(super) struct Attendant(pub(super) Arc<Doors>);

impl Attendant {
    /// Asks for something small and waits for at most `patience`.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Value,
        patience: Duration,
    ) -> Result<Value, Trouble> {
        let text = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let asked = async {
            let response =
                self.send(method, path, Full::new(text).map_err(|never| match never {}).boxed_unsync()).await?;
            let status = response.status();
            let bytes = Limited::new(response.into_body(), ANSWER).collect().await.map_err(silent)?.to_bytes();
            if status.is_success() {
                return if bytes.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(&bytes).map_err(silent) };
            }
            Err(refusal(&bytes, status.as_u16()))
        };
        tokio::time::timeout(patience, asked).await.unwrap_or_else(|_| Err(silent("it took too long")))
    }

    /// `POST` with a body, as [`Attendant::ask`].
    pub(super) async fn post(&self, path: &str, body: Value, patience: Duration) -> Result<Value, Trouble> {
        self.ask(Method::POST, path, body, patience).await
    }

    /// Sends a request of any size; the answer's body is the caller's to bound.
    pub(super) async fn send(&self, method: Method, path: &str, body: Body) -> Result<Response<Incoming>, Trouble> {
        let stream = self.0.knock(Inner::Attendant).await.map_err(silent)?;
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(LINE)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(silent)?;
        // Ends with the exchange; what went wrong is seen by the sender, too.
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "attendant");
        let request = request.header("content-type", "application/json").body(body).map_err(silent)?;
        sender.send_request(request).await.map_err(silent)
    }

    /// A raw connection to a port inside. `Ok(None)`: nobody listens there.
    pub(super) async fn port(&self, port: u16) -> Result<Option<UnixStream>, Trouble> {
        let mut stream = self.0.knock(Inner::Attendant).await.map_err(silent)?;
        let head = format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.map_err(silent)?;
        // Byte by byte: what comes after the head is the port's, and must not be taken from it.
        let mut head = Vec::with_capacity(128);
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= LINE {
                return Err(silent("its head never ends"));
            }
            head.push(stream.read_u8().await.map_err(silent)?);
        }
        let said = head.get(9..12).unwrap_or_default();
        match said {
            b"200" => Ok(Some(stream)),
            b"502" => Ok(None),
            other => Err(silent(format!("{} instead of 200", String::from_utf8_lossy(other)))),
        }
    }

    /// Begins to listen to what is going on.
    pub(super) async fn events(&self) -> Result<Events, Trouble> {
        let body = Full::new(Bytes::new()).map_err(|never| match never {}).boxed_unsync();
        let response = self.send(Method::GET, "/v1/events", body).await?;
        if !response.status().is_success() {
            return Err(silent(format!("{} for its events", response.status())));
        }
        Ok(Events { body: response.into_body(), buffer: BytesMut::new() })
    }
}

fn refusal(bytes: &[u8], status: u16) -> Trouble {
    let said: Option<Value> = serde_json::from_slice(bytes).ok();
    let field = |name: &str| said.as_ref()?.get("error")?.get(name)?.as_str().map(|text| clamp(text, 500));
    Trouble::Refused {
        code: field("code").unwrap_or_else(|| format!("status {status}")),
        message: field("message").unwrap_or_default(),
    }
}

/// What is going on, line by line.
pub(super) struct Events {
    body: Incoming,
    buffer: BytesMut,
}

impl Events {
    /// The next event; `None` once the attendant has gone or says what no attendant would.
    pub(super) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                return serde_json::from_slice(&line[..end]).ok();
            }
            if self.buffer.len() > LINE {
                return None;
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}

/// The first characters of what somebody inside said, made harmless.
pub(super) fn clamp(text: &str, most: usize) -> String {
    text.chars().filter(|char| !char.is_control()).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_and_what_is_not_known_is_skipped() {
        let rows = [
            (r#"{"event":"beat","at":1}"#, Event::Beat {}),
            (
                r#"{"event":"activity","input_at":5,"input_kind":"terminal","jobs":[{"pid":7,"name":"cc","cpu_millis":900}],"sessions":1}"#,
                Event::Activity { input_at: Some(5), jobs: vec![JobLine { pid: 7, name: "cc".into() }] },
            ),
            (r#"{"event":"activity","input_at":null}"#, Event::Activity { input_at: None, jobs: Vec::new() }),
            (
                r#"{"event":"ports","ports":[{"port":3000,"address":"::","pid":1,"name":"node"}]}"#,
                Event::Ports { ports: vec![PortLine { port: 3000, address: "::".into(), name: "node".into() }] },
            ),
            (r#"{"event":"terminals","count":2}"#, Event::Terminals { count: 2 }),
            (r#"{"event":"weather","sun":true}"#, Event::Unknown),
        ];
        for (line, event) in rows {
            assert_eq!(serde_json::from_str::<Event>(line).unwrap(), event, "{line}");
        }
        assert!(serde_json::from_str::<Event>(r#"{"event":"ports","ports":[{"port":70000}]}"#).is_err());
    }

    #[test]
    fn a_refusal_is_told_in_its_own_words_but_not_in_all_of_them() {
        let long = format!(r#"{{"error":{{"code":"file.no_space","message":"{}\u0007"}}}}"#, "x".repeat(10_000));
        match refusal(long.as_bytes(), 507) {
            Trouble::Refused { code, message } => assert_eq!((code.as_str(), message.len()), ("file.no_space", 500)),
            other => panic!("{other:?}"),
        }
        assert!(refusal(b"nonsense", 500).to_string().contains("status 500"));
    }
}
