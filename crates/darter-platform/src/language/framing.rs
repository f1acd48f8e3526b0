//! The Language Server Protocol's framing over a pipe: `Content-Length: N`, an empty line, N bytes of JSON.
//!
//! The server runs beside tenants' packages in a sandbox: what it sends is hostile, and every length is checked.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest message in either direction.
pub const MESSAGE_LIMIT: usize = 8 << 20;
const HEADER_LINE_LIMIT: u64 = 1_024;
const HEADER_LINES: usize = 16;

/// The next message; `None` at a clean end.
pub async fn read(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<String>> {
    let mut length = None;
    for number in 0..HEADER_LINES {
        let mut line = Vec::new();
        let read = (&mut *input).take(HEADER_LINE_LIMIT).read_until(b'\n', &mut line).await?;
        if read == 0 && number == 0 {
            return Ok(None);
        }
        let line = line.strip_suffix(b"\n").ok_or_else(|| broken("a header is cut or too long"))?.trim_ascii();
        if line.is_empty() {
            return body(input, length.ok_or_else(|| broken("no Content-Length"))?).await.map(Some);
        }
        length = content_length(line)?.or(length);
    }
    Err(broken("too many headers"))
}

fn content_length(line: &[u8]) -> io::Result<Option<usize>> {
    let Some((name, value)) = std::str::from_utf8(line).ok().and_then(|line| line.split_once(':')) else {
        return Err(broken("a header without a colon"));
    };
    if !name.eq_ignore_ascii_case("content-length") {
        return Ok(None);
    }
    let length = value.trim().parse().map_err(|_| broken("Content-Length is not a number"))?;
    if length > MESSAGE_LIMIT { Err(broken("a message over the limit")) } else { Ok(Some(length)) }
}

async fn body(input: &mut (impl AsyncBufRead + Unpin), length: usize) -> io::Result<String> {
    let mut content = Vec::new();
    input.take(length as u64).read_to_end(&mut content).await?;
    if content.len() < length {
        return Err(broken("the message is cut"));
    }
    String::from_utf8(content).map_err(|_| broken("the message is not UTF-8"))
}

/// Sends one message.
pub async fn write(output: &mut (impl AsyncWrite + Unpin), message: &str) -> io::Result<()> {
    output.write_all(format!("Content-Length: {}\r\n\r\n", message.len()).as_bytes()).await?;
    output.write_all(message.as_bytes()).await?;
    output.flush().await
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the language server sent a broken message: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_written_is_read_again() {
        let mut wire = Vec::new();
        for message in ["{}", "", "{\"ä\":\"\\r\\n\\r\\n\"}"] {
            write(&mut wire, message).await.unwrap();
        }
        let mut input = wire.as_slice();
        let mut seen = Vec::new();
        while let Some(message) = read(&mut input).await.unwrap() {
            seen.push(message);
        }
        assert_eq!(seen, ["{}", "", "{\"ä\":\"\\r\\n\\r\\n\"}"]);
    }

    #[tokio::test]
    async fn broken_frames_are_refused_without_reading_on() {
        let long = format!("X: {}\r\n\r\n", "y".repeat(5_000));
        let many = "X: y\r\n".repeat(100);
        let rows: [&[u8]; 10] = [
            b"Content-Length: 99999999999\r\n\r\n{}",
            b"Content-Length: 18446744073709551616\r\n\r\n",
            b"Content-Length: -1\r\n\r\n",
            b"Content-Length: 5\r\n\r\n{}",
            b"Content-Length: 2\r\n\r\n\xff\xff",
            b"\r\n{}",
            b"no colon\r\n\r\n",
            b"Content-Length: 2",
            long.as_bytes(),
            many.as_bytes(),
        ];
        for mut row in rows {
            let shown = String::from_utf8_lossy(&row[..row.len().min(40)]).into_owned();
            assert!(read(&mut row).await.is_err(), "{shown:?}");
        }
    }
}
