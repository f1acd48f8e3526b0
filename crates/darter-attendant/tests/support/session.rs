//! A client of the session, as the light editor is one: everything that comes is put where it is asked for.

use std::collections::{HashMap, VecDeque};

use bytes::{BufMut, BytesMut};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::{Attendant, Socket, next, say};

pub struct Session {
    pub socket: Socket,
    next: u32,
    answers: HashMap<u32, Value>,
    bodies: HashMap<u32, Vec<u8>>,
    /// Method and parameters of what came unasked.
    pub notifications: VecDeque<(String, Value)>,
    /// Output by kind and number.
    pub output: HashMap<(u8, u32), Vec<u8>>,
}

/// An answer and its body.
#[derive(Debug)]
pub struct Told {
    pub message: Value,
    pub body: Vec<u8>,
}

impl Told {
    pub fn result(&self) -> &Value {
        assert!(self.message["error"].is_null(), "{}", self.message);
        &self.message["result"]
    }

    pub fn code(&self) -> &str {
        self.message["error"]["code"].as_str().unwrap_or("none")
    }
}

impl Session {
    pub async fn open(attendant: &Attendant) -> Self {
        Self {
            socket: attendant.socket("/v1/session").await,
            next: 1,
            answers: HashMap::new(),
            bodies: HashMap::new(),
            notifications: VecDeque::new(),
            output: HashMap::new(),
        }
    }

    pub async fn ask(&mut self, method: &str, params: Value) -> Told {
        let id = self.begin(method, params).await;
        self.answer(id).await
    }

    pub async fn ask_with(&mut self, method: &str, mut params: Value, body: &[u8]) -> Told {
        params["body"] = true.into();
        let id = self.begin(method, params).await;
        self.frame(2, id, body).await;
        self.answer(id).await
    }

    pub async fn begin(&mut self, method: &str, params: Value) -> u32 {
        let id = self.next;
        self.next += 1;
        let text = json!({"id": id, "method": method, "params": params}).to_string();
        say(&mut self.socket, Message::text(text)).await;
        id
    }

    pub async fn frame(&mut self, kind: u8, id: u32, payload: &[u8]) {
        let mut frame = BytesMut::new();
        frame.put_u8(kind);
        frame.put_u32(id);
        frame.put_slice(payload);
        say(&mut self.socket, Message::Binary(frame.freeze())).await;
    }

    pub async fn answer(&mut self, id: u32) -> Told {
        loop {
            if let Some(message) = self.answers.remove(&id) {
                return Told { message, body: self.bodies.remove(&id).unwrap_or_default() };
            }
            self.take().await;
        }
    }

    /// The next notification of this kind that fits.
    pub async fn notified(&mut self, method: &str, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let found = self.notifications.iter().position(|(name, params)| name == method && fits(params));
            if let Some(found) = found {
                return self.notifications.remove(found).unwrap().1;
            }
            self.take().await;
        }
    }

    /// What was put out until it holds `word`.
    pub async fn printed(&mut self, kind: u8, id: u32, word: &str) -> String {
        loop {
            let text =
                String::from_utf8_lossy(self.output.get(&(kind, id)).map_or(&[][..], Vec::as_slice)).into_owned();
            if text.contains(word) {
                return text;
            }
            self.take().await;
        }
    }

    async fn take(&mut self) {
        match next(&mut self.socket).await.expect("the session goes on") {
            Message::Text(text) => {
                let mut message: Value = serde_json::from_str(text.as_str()).unwrap();
                match message["method"].as_str() {
                    Some(method) => self.notifications.push_back((method.to_owned(), message["params"].clone())),
                    // A fault without a number is kept under a number that nobody has.
                    None => {
                        let id = message["id"].as_u64().map_or(u32::MAX, |id| id as u32);
                        self.answers.insert(id, message.take());
                    }
                }
            }
            Message::Binary(frame) => {
                let (kind, id) = (frame[0], u32::from_be_bytes(frame[1..5].try_into().unwrap()));
                let place = match kind {
                    1 => self.bodies.entry(id).or_default(),
                    _ => self.output.entry((kind, id)).or_default(),
                };
                place.extend_from_slice(&frame[5..]);
            }
            _ => {}
        }
    }
}
