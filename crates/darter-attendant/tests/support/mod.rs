//! The real program on a unix socket, in a home of its own, and the few words that are spoken to it. Must never touch the
//! home of whoever runs the tests.
#![allow(dead_code, reason = "each test file uses its own part")]

pub mod session;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// Longest that anything awaited here may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub struct Attendant {
    pub home: PathBuf,
    pub socket: PathBuf,
    pub editor: PathBuf,
    pub folder: TempDir,
    program: Child,
}

/// In memory where there is such a place: these tests make thousands of files.
pub fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub type Socket = WebSocketStream<UnixStream>;

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    /// The status and the code of the fault.
    pub fn fault(&self) -> (u16, String) {
        (self.status.as_u16(), self.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    }
}

impl Attendant {
    pub fn start() -> Self {
        let folder = folder();
        let path = |name: &str| folder.path().join(name);
        let (home, socket, editor) = (path("home"), path("attendant"), path("editor"));
        std::fs::create_dir(&home).unwrap();
        let listen = |path| Stdio::from(OwnedFd::from(UnixListener::bind(path).unwrap()));
        let program = Command::new("/bin/sh")
            .args(["-c", "exec 3<&0 5<&1 </dev/null >&2; exec \"$0\"", env!("CARGO_BIN_EXE_darter-attendant")])
            .env("HOME", &home)
            .env("SHELL", "/bin/sh")
            .stdin(listen(&socket))
            .stdout(listen(&editor))
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        Self { home, socket, editor, folder, program }
    }

    pub fn pid(&self) -> u32 {
        self.program.id().unwrap()
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// The path of an entry of the home, as a query writes it.
    pub fn query(&self, name: &str) -> String {
        let path = self.at(name);
        percent_encoding::percent_encode(path.as_os_str().as_encoded_bytes(), percent_encoding::NON_ALPHANUMERIC)
            .to_string()
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Reply {
        let stream = UnixStream::connect(&self.socket).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let answer = tokio::time::timeout(PATIENCE, sender.send_request(request)).await.unwrap().unwrap();
        let (parts, body) = answer.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect()).await.unwrap().unwrap().to_bytes();
        Reply { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(Request::get(path).body(Full::default()).unwrap()).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Request::post(path).body(Full::from(body.to_string())).unwrap()).await
    }

    pub async fn put(&self, path: &str, body: impl Into<Bytes>) -> Reply {
        self.send(Request::put(path).body(Full::new(body.into())).unwrap()).await
    }

    pub async fn socket(&self, path: &str) -> Socket {
        let stream = UnixStream::connect(&self.socket).await.unwrap();
        let (socket, _) = tokio_tungstenite::client_async(format!("ws://inside{path}"), stream).await.unwrap();
        socket
    }

    /// Private memory in KiB; nothing where only root may look.
    pub fn private_memory(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with("Private_"));
        lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
    }
}

/// Everything that was started in this home ends with it; inside a sandbox the sandbox's end does that.
impl Drop for Attendant {
    fn drop(&mut self) {
        let ours = format!("HOME={}", self.home.display());
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment.split(|byte| *byte == 0).any(|variable| variable == ours.as_bytes()) {
                let _ = rustix::process::kill_process(
                    rustix::process::Pid::from_raw(pid).unwrap(),
                    rustix::process::Signal::KILL,
                );
            }
        }
    }
}

/// The next message that is data.
pub async fn next(socket: &mut Socket) -> Option<Message> {
    let look = async {
        loop {
            match socket.next().await {
                Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => return Some(message),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, look).await.expect("a message in time")
}

/// The next text message as JSON; binary ones before it are passed over.
pub async fn next_text(socket: &mut Socket) -> Value {
    loop {
        if let Message::Text(text) = next(socket).await.expect("a text before the end") {
            return serde_json::from_str(text.as_str()).unwrap();
        }
    }
}

/// Everything that a terminal prints until it holds `word`.
pub async fn until(socket: &mut Socket, word: &str) -> String {
    let mut seen = Vec::new();
    let mut looked = 0_usize;
    let holds = |seen: &[u8]| seen.windows(word.len()).any(|window| window == word.as_bytes());
    while !holds(&seen[looked.saturating_sub(word.len())..]) {
        looked = seen.len();
        match next(socket).await {
            Some(Message::Binary(bytes)) => seen.extend_from_slice(&bytes),
            Some(_) => {}
            None => panic!("ended before `{word}`: {}", String::from_utf8_lossy(&seen)),
        }
    }
    String::from_utf8_lossy(&seen).into_owned()
}

pub async fn say(socket: &mut Socket, message: impl Into<Message>) {
    socket.send(message.into()).await.unwrap();
}

/// Looks again and again until something is so.
pub async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let watch = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, watch).await.unwrap_or_else(|_| panic!("never: {what}"));
}
