//! Health, the claim, the editor's life and the stream of events, spoken to the real program.

#![allow(clippy::unwrap_used)]

mod support;

use bytes::Bytes;
use futures_util::StreamExt;
use http::Request;
use http_body_util::{BodyStream, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use support::{Attendant, PATIENCE, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// An editor of a few lines: serves one connection on the descriptor that it is told of.
const EDITOR: &str = r#"
import os, socket, sys
listener = socket.socket(fileno=int(os.environ["DARTER_LISTEN_FD"]))
if os.environ.get("DARTER_WARM"):
    sys.stderr.write("warm\n")
    line = sys.stdin.readline()
else:
    line = os.environ.get("GREETING", "")
print("editor is listening", flush=True)
while True:
    connection, _ = listener.accept()
    connection.sendall(line.encode())
    connection.close()
"#;

fn claim(editor: Value) -> Value {
    json!({
        "workspace": "w1234567890", "hostname": "ada", "variables": {"GREETING": "good morning"}, "shell": "/bin/sh",
        "editor": editor, "addresses": {"proxy": "http://{{port}}-w1234567890.example"},
    })
}

fn recipe() -> Value {
    json!({"argv": ["python3", "-c", EDITOR], "ready": "is listening", "variables": {"PYTHONUNBUFFERED": "1"}})
}

async fn editor(attendant: &Attendant) -> String {
    attendant.get("/v1/health").await.json()["editor"].as_str().unwrap().to_owned()
}

async fn greeted(attendant: &Attendant) -> String {
    let mut text = String::new();
    UnixStream::connect(&attendant.editor).await.unwrap().read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn health_is_told_and_an_unknown_path_is_a_fault() {
    let attendant = Attendant::start();
    let health = attendant.get("/v1/health").await.json();
    assert_eq!((health["editor"].as_str(), health["claimed"].as_bool()), (Some("absent"), Some(false)));
    assert_eq!(attendant.get("/v2/health").await.fault(), (404, "request.unknown".into()));
    assert_eq!(attendant.post("/v1/nothing", &json!({})).await.fault(), (404, "request.unknown".into()));
}

#[tokio::test]
async fn a_claim_is_made_once_and_may_be_repeated_only_as_it_was() {
    let attendant = Attendant::start();
    let (first, mut other) = (claim(recipe()), claim(recipe()));
    assert_eq!(attendant.post("/v1/editor/start", &json!({})).await.fault(), (409, "editor.not_described".into()));
    other["workspace"] = "somebodyelse".into();
    for (body, expected) in [(&first, 200), (&first, 200), (&other, 409), (&json!({}), 400)] {
        assert_eq!(attendant.post("/v1/claim", body).await.status, expected, "{body}");
    }
    for bad in [json!({"workspace": "a", "variables": {"A=B": "c"}}), json!({"workspace": "a", "more": 1})] {
        assert_eq!(attendant.post("/v1/claim", &bad).await.fault(), (400, "request.invalid".into()));
    }
}

#[tokio::test]
async fn the_editor_serves_who_came_before_it_and_ends_in_order() {
    let attendant = Attendant::start();
    let mut early = UnixStream::connect(&attendant.editor).await.unwrap();
    attendant.post("/v1/claim", &claim(recipe())).await;
    for _ in 0..2 {
        assert_eq!(attendant.post("/v1/editor/start", &json!({})).await.status, 200);
    }
    let mut text = String::new();
    early.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "good morning");
    eventually("it is ready", async || editor(&attendant).await == "ready").await;
    assert_eq!(attendant.post("/v1/editor/stop", &json!({"grace_ms": 5000})).await.status, 200);
    assert_eq!(editor(&attendant).await, "ended");
    attendant.post("/v1/editor/start", &json!({})).await;
    assert_eq!(greeted(&attendant).await, "good morning");
}

#[tokio::test]
async fn a_warm_editor_is_told_whose_it_is() {
    let attendant = Attendant::start();
    attendant.post("/v1/editor/warm", &json!({"editor": recipe()})).await;
    assert_eq!(editor(&attendant).await, "warm");
    attendant.post("/v1/claim", &claim(recipe())).await;
    attendant.post("/v1/editor/start", &json!({})).await;
    let told: Value = serde_json::from_str(&greeted(&attendant).await).unwrap();
    assert_eq!(told["variables"]["GREETING"], "good morning");
    assert_eq!(told["variables"]["VSCODE_PROXY_URI"], "http://{{port}}-w1234567890.example");
    assert_eq!(told["cwd"], attendant.home.to_str().unwrap());
    assert_eq!(attendant.post("/v1/editor/warm", &json!({"editor": recipe()})).await.status, 409);
}

#[tokio::test]
async fn a_warm_editor_that_the_claim_does_not_want_is_ended() {
    let attendant = Attendant::start();
    attendant.post("/v1/editor/warm", &json!({"editor": recipe()})).await;
    assert_eq!(editor(&attendant).await, "warm");
    assert_eq!(attendant.post("/v1/claim", &json!({"workspace": "w1234567890"})).await.status, 200);
    eventually("it has ended", async || editor(&attendant).await == "ended").await;
}

#[tokio::test]
async fn an_editor_that_ignores_the_signal_is_killed() {
    let attendant = Attendant::start();
    let stubborn = json!({"argv": ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], "ready": "up"});
    attendant.post("/v1/claim", &claim(stubborn)).await;
    attendant.post("/v1/editor/start", &json!({})).await;
    eventually("it is ready", async || editor(&attendant).await == "ready").await;
    assert_eq!(attendant.post("/v1/editor/stop", &json!({"grace_ms": 50})).await.status, 200);
    assert_eq!(editor(&attendant).await, "ended");
}

#[tokio::test]
async fn an_editor_that_is_not_there_says_so() {
    let attendant = Attendant::start();
    attendant.post("/v1/claim", &claim(json!({"argv": ["no-such-editor"]}))).await;
    assert_eq!(attendant.post("/v1/editor/start", &json!({})).await.fault(), (404, "program.not_found".into()));
}

/// The lines of the events, as they come.
struct Events {
    body: BodyStream<hyper::body::Incoming>,
    text: Vec<u8>,
}

impl Events {
    async fn open(attendant: &Attendant) -> Self {
        let stream = UnixStream::connect(&attendant.socket).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/v1/events").body(Full::<Bytes>::default()).unwrap();
        let answer = sender.send_request(request).await.unwrap();
        Self { body: BodyStream::new(answer.into_body()), text: Vec::new() }
    }

    async fn next(&mut self) -> Value {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.text.drain(..=end).collect();
                return serde_json::from_slice(&line).unwrap();
            }
            let frame = self.body.next().await.expect("more events").unwrap();
            self.text.extend_from_slice(&frame.into_data().unwrap());
        }
    }

    async fn find(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let look = async {
            loop {
                let event = self.next().await;
                if event["event"] == kind && fits(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(PATIENCE, look).await.unwrap_or_else(|_| panic!("no such event: {kind}"))
    }
}

#[tokio::test]
async fn events_begin_with_the_state_of_everything() {
    let attendant = Attendant::start();
    let mut events = Events::open(&attendant).await;
    let mut missing = vec!["activity", "beat", "disk", "editor", "ports", "terminals"];
    while !missing.is_empty() {
        let event = events.next().await;
        missing.retain(|kind| event["event"] != *kind);
    }
}

#[tokio::test]
async fn events_tell_of_ports_jobs_and_the_editor() {
    let attendant = Attendant::start();
    let mut events = Events::open(&attendant).await;
    let busy = "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()\n\
                print(s.getsockname()[1], 'is the port', flush=True)\nwhile True: pass";
    attendant.post("/v1/claim", &claim(json!({"argv": ["python3", "-c", busy], "ready": "is the port"}))).await;
    attendant.post("/v1/editor/start", &json!({})).await;
    let mut missing = vec!["activity", "editor", "ports"];
    while !missing.is_empty() {
        let event = events.next().await;
        let ours =
            |list: &str| event[list].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "python3"));
        let seen = ours("jobs") || ours("ports") || event["state"] == "ready";
        missing.retain(|kind| event["event"] != *kind || !seen);
    }
    attendant.post("/v1/editor/stop", &json!({"grace_ms": 0})).await;
    let ended = events.find("editor", |event| event["state"] == "ended").await;
    assert!(ended["last_lines"][0].as_str().unwrap().contains("is the port"));
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let attendant = Attendant::start();
    let mut stream = UnixStream::connect(&attendant.socket).await.unwrap();
    stream.write_all(b"GET /v1/health HTTP/1.1\r\nx: ").await.unwrap();
    let mut answer = String::new();
    let flood = async { while stream.write_all(&[b'x'; 1 << 16]).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, flood).await.unwrap();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(attendant.get("/v1/health").await.status, 200);
}

#[tokio::test]
async fn a_body_that_is_too_large_or_no_json_is_refused() {
    let attendant = Attendant::start();
    let send =
        async |body: Vec<u8>| attendant.send(Request::post("/v1/mkdir").body(Full::from(body)).unwrap()).await.fault();
    assert_eq!(send(vec![b' '; 5 << 20]).await, (413, "request.too_large".into()));
    assert_eq!(send(b"[]".to_vec()).await, (400, "request.invalid".into()));
    assert_eq!(send([b"{\"a\":".repeat(100_000), b"1".to_vec()].concat()).await, (400, "request.invalid".into()));
}
