//! Server-sent events as they arrive. A line that does not end within 4 MiB ends the stream: no server sends one.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use super::{Exit, Failure};

const LONGEST: usize = 4 << 20;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Event {
    pub name: String,
    pub data: String,
}

/// A running stream.
pub struct Events {
    bytes: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    parser: Parser,
}

impl Events {
    pub fn new(response: reqwest::Response) -> Self {
        Self { bytes: response.bytes_stream().boxed(), parser: Parser::default() }
    }

    /// The next event; `None` when the server closed the stream.
    pub async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            match self.bytes.next().await {
                Some(Ok(chunk)) => self.parser.push(&chunk)?,
                Some(Err(error)) => return Err(Failure::new(Exit::Unreachable, format!("The stream broke: {error}"))),
                None => return Ok(None),
            }
        }
    }
}

#[derive(Debug, Default)]
struct Parser {
    rest: Vec<u8>,
    current: Event,
    ready: std::collections::VecDeque<Event>,
}

impl Parser {
    fn push(&mut self, chunk: &[u8]) -> Result<(), Failure> {
        self.rest.extend_from_slice(chunk);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            self.line(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
            if self.current.data.len() > LONGEST {
                break;
            }
        }
        if self.rest.len().max(self.current.data.len()) > LONGEST {
            return Err(Failure::new(Exit::Failed, "The server sent an event that is far too long."));
        }
        Ok(())
    }

    fn line(&mut self, line: &str) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.current.name = value.to_owned(),
            "data" => {
                if !self.current.data.is_empty() {
                    self.current.data.push('\n');
                }
                self.current.data.push_str(value);
            }
            "" if line.is_empty() => {
                let event = std::mem::take(&mut self.current);
                if event != Event::default() {
                    self.ready.push_back(event);
                }
            }
            _ => {}
        }
    }

    fn next(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_whole_however_they_are_cut() {
        let text = ": hello\n\nevent: log\ndata: {\"a\":1}\n\ndata: one\r\ndata: two\r\n\r\n";
        for size in [1, 2, 7, 100] {
            let mut parser = Parser::default();
            for chunk in text.as_bytes().chunks(size) {
                parser.push(chunk).unwrap();
            }
            let events: Vec<Event> = std::iter::from_fn(|| parser.next()).collect();
            assert_eq!(
                events,
                [
                    Event { name: "log".into(), data: "{\"a\":1}".into() },
                    Event { name: String::new(), data: "one\ntwo".into() },
                ]
            );
        }
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let mut parser = Parser::default();
        assert!(parser.push(&vec![b'x'; LONGEST + 1]).is_err());
        let mut parser = Parser::default();
        let line = format!("data: {}\n", "x".repeat(1 << 20));
        assert!((0..5).any(|_| parser.push(line.as_bytes()).is_err()), "nor an event of many lines");
    }
}
