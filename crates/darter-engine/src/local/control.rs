//! The control channel as the engine sees it: lines of JSON, see `docs/reference/runtime-control.md`.
//!
//! Whatever comes in was written by tenants' code as well as by the shim: bounded, clamped, never believed.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, LinesCodec};

use crate::FunctionCode;

/// Longest line from a runtime.
const LINE: usize = 256 << 10;
/// Orders that may wait for a runtime that does not read.
const WAITING: usize = 256;
/// A log message's length.
pub const MESSAGE: usize = 16 << 10;

/// Engine → runtime.
#[derive(Debug, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Order<'a> {
    Load {
        appid: &'a str,
        env: &'a BTreeMap<String, String>,
        secret: &'a str,
        functions: &'a [FunctionCode],
        #[serde(rename = "modulePath")]
        module_path: Option<&'a str>,
        limits: OrderLimits,
    },
    Publish {
        function: &'a FunctionCode,
    },
    Remove {
        name: &'a str,
    },
    Environment {
        env: &'a BTreeMap<String, String>,
    },
    Draft {
        id: &'a str,
        function: &'a FunctionCode,
    },
    Pin {
        function: &'a FunctionCode,
    },
    Ping {
        seq: u64,
    },
    Drain,
}

#[derive(Debug, Serialize)]
pub struct OrderLimits {
    #[serde(rename = "requestBytes")]
    pub request_bytes: u64,
    #[serde(rename = "memoryBytes")]
    pub memory_bytes: u64,
}

impl Order<'_> {
    /// The line, with its end.
    pub fn line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("maps of strings and numbers are always JSON");
        line.push('\n');
        line
    }
}

/// Runtime → engine.
#[derive(Debug, Deserialize)]
#[serde(tag = "ev", rename_all = "snake_case")]
pub enum Word {
    Hello {
        protocol: u32,
    },
    Loaded {
        #[serde(default)]
        errors: Vec<serde_json::Value>,
    },
    Published {
        name: String,
        version: u32,
    },
    Log {
        #[serde(default)]
        level: String,
        #[serde(default)]
        function: String,
        #[serde(default)]
        version: u32,
        #[serde(default, rename = "requestId")]
        request_id: String,
        #[serde(default)]
        time: f64,
        #[serde(default)]
        message: String,
    },
    Pong {
        seq: u64,
    },
    Stuck,
    Drained,
    #[serde(other)]
    Unknown,
}

/// What can be heard.
pub struct Ear(FramedRead<OwnedReadHalf, LinesCodec>);

impl Ear {
    /// The next word; `None` at the end of the channel; an error when a line is too long or no JSON of ours.
    pub async fn next(&mut self) -> Option<Result<Word, &'static str>> {
        let line = match self.0.next().await? {
            Ok(line) => line,
            Err(tokio_util::codec::LinesCodecError::MaxLineLengthExceeded) => {
                return Some(Err("a line longer than 256 KiB"));
            }
            // A reset: the process has ended.
            Err(tokio_util::codec::LinesCodecError::Io(_)) => return None,
        };
        Some(serde_json::from_str(&line).map_err(|_| "a line that is not one of the protocol's"))
    }
}

/// Gives orders; they are written by a task of its own, so that a runtime that does not read holds nobody up.
#[derive(Debug, Clone)]
pub struct Mouth(mpsc::Sender<String>);

impl Mouth {
    /// Takes over the writing half.
    pub fn open(mut half: OwnedWriteHalf) -> Self {
        let (sender, mut orders) = mpsc::channel::<String>(WAITING);
        tokio::spawn(async move {
            while let Some(line) = orders.recv().await {
                if half.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
        });
        Self(sender)
    }

    /// Queues an order. False: the runtime has not taken hundreds of them, or is gone.
    pub fn say(&self, line: String) -> bool {
        self.0.try_send(line).is_ok()
    }
}

/// A channel: the end for the runtime, and our two halves.
pub fn channel() -> std::io::Result<(OwnedFd, Ear, OwnedWriteHalf)> {
    let (ours, theirs) = StdStream::pair()?;
    ours.set_nonblocking(true)?;
    let (read, write) = UnixStream::from_std(ours)?.into_split();
    Ok((theirs.into(), Ear(FramedRead::new(read, LinesCodec::new_with_max_length(LINE))), write))
}

/// Shortens a text to so many bytes, at a character's border.
pub fn clamp(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hostile_lines_are_errors_and_unknown_words_are_not() {
        let (theirs, mut ear, _write) = channel().unwrap();
        let mut stream = StdStream::from(theirs);
        use std::io::Write;
        stream.write_all(b"{\"ev\":\"pong\",\"seq\":7,\"lagMs\":1}\n{\"ev\":\"new\"}\n[]\n").unwrap();
        assert!(matches!(ear.next().await, Some(Ok(Word::Pong { seq: 7 }))));
        assert!(matches!(ear.next().await, Some(Ok(Word::Unknown))));
        assert!(matches!(ear.next().await, Some(Err(_))));
        drop(stream);
        assert!(ear.next().await.is_none());
    }

    #[tokio::test]
    async fn a_line_without_end_is_refused() {
        let (theirs, mut ear, _write) = channel().unwrap();
        let writing = std::thread::spawn(move || {
            use std::io::Write;
            let _ = StdStream::from(theirs).write_all(&vec![b'x'; LINE + 10]);
        });
        assert!(matches!(ear.next().await, Some(Err(_))));
        writing.join().unwrap();
    }

    #[test]
    fn orders_have_the_fields_of_the_contract() {
        let env = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        let limits = OrderLimits { request_bytes: 5, memory_bytes: 6 };
        let load = Order::Load { appid: "a", env: &env, secret: "s", functions: &[], module_path: None, limits };
        let expected = "{\"op\":\"load\",\"appid\":\"a\",\"env\":{\"A\":\"1\"},\"secret\":\"s\",\"functions\":[],\"modulePath\":null,\"limits\":{\"requestBytes\":5,\"memoryBytes\":6}}\n";
        assert_eq!(load.line(), expected);
        assert_eq!(Order::Drain.line(), "{\"op\":\"drain\"}\n");
    }
}
