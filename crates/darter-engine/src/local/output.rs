//! Lines out of a sandbox's standard output: bounded, made harmless, and cut when they flood.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe::Receiver;

/// Longest line; what is longer is cut and marked.
pub(crate) const LINE: usize = 8 << 10;
/// Lines per second that are passed on.
const PER_SECOND: u32 = 500;

/// A pipe: the end for the sandbox, and ours.
pub fn pipe() -> std::io::Result<(OwnedFd, Receiver)> {
    let (reader, writer) = std::io::pipe()?;
    Ok((writer.into(), Receiver::from_owned_fd(reader.into())?))
}

/// Passes every line on until the other end closes.
pub async fn lines(mut from: impl AsyncRead + Unpin, mut each: impl FnMut(String)) {
    let mut buffer = vec![0; 4 << 10];
    let mut splitter = Splitter::default();
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return splitter.end(&mut each),
            Ok(length) => splitter.feed(&buffer[..length], Instant::now(), &mut each),
        }
    }
}

#[derive(Default)]
pub(super) struct Splitter {
    line: Vec<u8>,
    cut: bool,
    window: Option<Instant>,
    passed: u32,
    dropped: u64,
}

impl Splitter {
    pub(super) fn feed(&mut self, mut input: &[u8], now: Instant, each: &mut impl FnMut(String)) {
        while let Some(at) = input.iter().position(|byte| *byte == b'\n') {
            self.take(&input[..at]);
            self.emit(now, each);
            input = &input[at + 1..];
        }
        self.take(input);
    }

    fn take(&mut self, part: &[u8]) {
        let room = LINE.saturating_sub(self.line.len());
        self.cut |= part.len() > room;
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn emit(&mut self, now: Instant, each: &mut impl FnMut(String)) {
        let line = std::mem::take(&mut self.line);
        let cut = std::mem::take(&mut self.cut);
        if self.window.is_none_or(|begun| now.saturating_duration_since(begun) >= Duration::from_secs(1)) {
            self.report(each);
            self.window = Some(now);
            self.passed = 0;
        }
        if self.passed >= PER_SECOND {
            self.dropped += 1;
            return;
        }
        self.passed += 1;
        let mut text = harmless(&line);
        if cut {
            text.push_str("… [cut]");
        }
        if !text.is_empty() {
            each(text);
        }
    }

    fn report(&mut self, each: &mut impl FnMut(String)) {
        if self.dropped > 0 {
            each(format!("{} lines were dropped: more than {PER_SECOND} lines a second are not kept.", self.dropped));
            self.dropped = 0;
        }
    }

    pub(super) fn end(&mut self, each: &mut impl FnMut(String)) {
        if !self.line.is_empty() {
            self.passed = 0;
            self.emit(Instant::now(), each);
        }
        self.report(each);
    }
}

/// No terminal sequence, no control character, no invalid UTF-8.
fn harmless(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '\u{1b}' if chars.next_if_eq(&'[').is_some() => {
                // The parameters of a control sequence, and the letter that ends it.
                while chars.next_if(|next| !('\u{40}'..='\u{7e}').contains(next)).is_some() {}
                chars.next();
            }
            '\t' => out.push(char),
            // Control characters, and those that turn the direction of text.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            _ if char.is_control() => {}
            _ => out.push(char),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(input: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        lines(input, |line| seen.push(line)).await;
        seen
    }

    #[tokio::test]
    async fn lines_are_split_and_the_last_one_needs_no_end() {
        assert_eq!(all(b"one\r\ntwo\n\nthree").await, ["one", "two", "three"]);
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut_and_marked() {
        let seen = all(&vec![b'x'; 1 << 20]).await;
        assert_eq!(seen.len(), 1);
        assert!(seen[0].len() < LINE + 20 && seen[0].ends_with("[cut]"));
    }

    #[tokio::test]
    async fn a_flood_is_dropped_and_counted() {
        let seen = all("y\n".repeat(100_000).as_bytes()).await;
        assert!(seen.len() < 10_000, "{}", seen.len());
        let dropped: u64 =
            seen.iter().filter_map(|line| line.split_once(" lines were dropped")?.0.parse::<u64>().ok()).sum();
        let passed = seen.iter().filter(|line| *line == "y").count() as u64;
        assert_eq!(passed + dropped, 100_000);
    }

    #[tokio::test]
    async fn terminal_sequences_and_broken_text_become_harmless() {
        assert_eq!(all(b"\x1b[31mred\x1b[0m \x1b]0;t\x07 \xff\x00 \xe2\x80\xaex").await, ["red ]0;t \u{fffd} x"]);
    }
}
