//! Reads a snapshot's stream outside, where every byte of it is hostile: lines are bounded and strict, bytes belong to the
//! file that announced them, and a stream without its end is none. Must never hold more than one line and one piece.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::line::{Body, Entry, LINE, Line, Piece};

/// Bytes that are given at a time.
const PIECE: usize = 256 << 10;
/// Most entries of a home: beyond this somebody means ill.
const ENTRIES: u64 = 20_000_000;

/// What comes next in a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// An entry; the parts up to the next one belong to it.
    Entry(Entry),
    /// Bytes of the file before, and where they belong.
    Bytes(u64, Bytes),
    /// The file before changed while it was read.
    Torn,
}

/// Over any stream of bytes.
pub struct Reader<R> {
    from: R,
    buffer: BytesMut,
    /// Where the bytes that follow belong, next first.
    pieces: Vec<Piece>,
    /// The size of the file before, while more of it may come.
    size: Option<u64>,
    entries: u64,
    files: u64,
    bytes: u64,
    ended: bool,
}

fn bad(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the snapshot is refused: {}", why.into()))
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub fn new(from: R) -> Self {
        let (buffer, pieces) = (BytesMut::new(), Vec::new());
        Self { from, buffer, pieces, size: None, entries: 0, files: 0, bytes: 0, ended: false }
    }

    /// The next part; `None` once the stream is whole. After an error nothing more can be read.
    pub async fn next(&mut self) -> io::Result<Option<Part>> {
        if self.ended {
            return Ok(None);
        }
        if let Some((offset, length)) = self.pieces.pop() {
            return self.piece(offset, length).await.map(Some);
        }
        let line = self.line().await?;
        match Line::read(&line).map_err(bad)? {
            Line::Entry(entry) => self.entry(entry).map(Some),
            Line::More(length, pieces) => {
                let size = self.size.ok_or_else(|| bad("more of nothing"))?;
                if pieces.is_empty() || pieces.iter().any(|(offset, length)| offset + length > size) {
                    return Err(bad("more of a file beyond its end"));
                }
                self.bytes = self.bytes.saturating_add(length);
                self.pieces = pieces.into_iter().rev().collect();
                Box::pin(self.next()).await
            }
            Line::Torn => match self.size {
                Some(_) => Ok(Some(Part::Torn)),
                None => Err(bad("nothing that could be torn")),
            },
            Line::End { files, bytes } => self.end(files, bytes).await,
        }
    }

    fn entry(&mut self, entry: Entry) -> io::Result<Part> {
        self.entries += 1;
        if self.entries > ENTRIES {
            return Err(bad("too many entries"));
        }
        self.files += u64::from(matches!(entry.body, Body::Unchanged | Body::Bytes(..)));
        self.size = None;
        if let Body::Bytes(length, data) = &entry.body {
            self.size = Some(entry.size);
            self.bytes = self.bytes.saturating_add(*length);
            let whole = || if *length > 0 { vec![(0, *length)] } else { Vec::new() };
            self.pieces = data.clone().unwrap_or_else(whole).into_iter().rev().collect();
        }
        Ok(Part::Entry(entry))
    }

    async fn end(&mut self, files: u64, bytes: u64) -> io::Result<Option<Part>> {
        if (files, bytes) != (self.files, self.bytes) {
            return Err(bad("its end counts otherwise than we do"));
        }
        if !self.buffer.is_empty() || self.from.read_u8().await.is_ok() {
            return Err(bad("something follows its end"));
        }
        self.ended = true;
        Ok(None)
    }

    async fn piece(&mut self, offset: u64, length: u64) -> io::Result<Part> {
        if self.buffer.is_empty() {
            self.fill().await?;
        }
        let most = usize::try_from(length).unwrap_or(PIECE).min(PIECE).min(self.buffer.len());
        let bytes = self.buffer.split_to(most).freeze();
        if length > most as u64 {
            self.pieces.push((offset + most as u64, length - most as u64));
        }
        Ok(Part::Bytes(offset, bytes))
    }

    async fn line(&mut self) -> io::Result<Bytes> {
        let mut looked = 0;
        loop {
            if let Some(end) = self.buffer[looked..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(looked + end + 1);
                line.truncate(looked + end);
                return Ok(line.freeze());
            }
            looked = self.buffer.len();
            if looked > LINE {
                return Err(bad("a line without end"));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        self.buffer.reserve(64 << 10);
        match self.from.read_buf(&mut self.buffer).await? {
            0 => Err(bad("it was cut off")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn all(stream: &[u8]) -> io::Result<Vec<Part>> {
        let mut reader = Reader::new(stream);
        let mut parts = Vec::new();
        while let Some(part) = reader.next().await? {
            parts.push(part);
        }
        Ok(parts)
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    #[tokio::test]
    async fn bytes_belong_to_the_file_that_announced_them() {
        let stream = b"{\"path\":\"a\",\"type\":\"file\",\"size\":3,\"body\":3}\nabc\
            {\"path\":\"b\",\"type\":\"file\",\"size\":99,\"body\":1,\"data\":[[90,1]]}\nx\
            {\"more\":true,\"body\":2,\"data\":[[92,2]]}\nyz{\"torn\":true}\n\
            {\"path\":\"c\",\"type\":\"file\",\"size\":5,\"body\":null}\n{\"end\":true,\"files\":3,\"bytes\":6}\n";
        let parts = all(stream).await.unwrap();
        let bytes: Vec<&Part> = parts.iter().filter(|part| !matches!(part, Part::Entry(_))).collect();
        let piece = |offset, text: &'static [u8]| Part::Bytes(offset, Bytes::from_static(text));
        assert_eq!(bytes, [&piece(0, b"abc"), &piece(90, b"x"), &piece(92, b"yz"), &Part::Torn]);
    }

    #[tokio::test]
    async fn what_is_not_whole_is_refused() {
        let file = "{\"path\":\"a\",\"type\":\"file\",\"size\":1,\"body\":1}\nx";
        let end = "{\"end\":true,\"files\":1,\"bytes\":1}\n";
        assert!(all(format!("{file}{end}").as_bytes()).await.is_ok());
        for bad in [
            String::new(),
            file.to_owned(),
            format!("{file}{end}x"),
            end.to_owned(),
            format!("{{\"torn\":true}}\n{end}"),
            format!("{file}{{\"more\":true,\"body\":1,\"data\":[[1,1]]}}\nx{end}"),
            "x".repeat(600 << 10),
        ] {
            assert!(all(bad.as_bytes()).await.is_err(), "{}", &bad[..bad.len().min(90)]);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_snapshot_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = runtime().block_on(all(&bytes));
        }
    }
}
