//! Reads a home as the attendant streams it. Every byte is a tenant's: the one strict reader of such streams says what a
//! line is, lengths and silences are bounded, and a stream without its last line is not a snapshot.

use std::collections::BTreeMap;
use std::time::Duration;

use darter_attendant::snapshot::line::{Body, Entry, LINE, Line};
use darter_core::{Fault, Kind};
use darter_engine::workspace::SnapshotStream;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use super::manifest::{Item, Manifest};
use super::pack::Packer;
use super::room::{Room, SMALL};

/// More entries are refused: their manifest would not fit into memory.
const ENTRIES: usize = 4_000_000;

/// Most bytes of lines: a home of more than a million files. Each costs a little more than what is in it.
const LINES: usize = if cfg!(test) { 1 << 20 } else { 320 << 20 };
const EACH: usize = 32;
/// An attendant that says nothing for so long says nothing any more.
const SILENCE: Duration = Duration::from_secs(60);

/// What came.
#[derive(Default)]
pub(super) struct Taken {
    /// Bytes of all lines.
    lines: usize,
    /// The place in memory of a large one.
    room: Room,
    pub manifest: Manifest,
    pub files: u64,
    pub bytes: u64,
}

fn broken(what: impl std::fmt::Display) -> Fault {
    let message = "The workspace did not send its files as a whole, so no snapshot was made. Try again.";
    Fault::new(Kind::Unavailable, "snapshot.incomplete", message).retry_after(5).caused_by(what)
}

fn too_large() -> Fault {
    let message = "This home has more in it than a snapshot can hold. Delete what is not needed, then try again.";
    Fault::new(Kind::TooLarge, "snapshot.too_large", message)
}

async fn soon<T>(reading: impl Future<Output = std::io::Result<T>>) -> Result<T, Fault> {
    let read = tokio::time::timeout(SILENCE, reading).await;
    read.map_err(|_| broken("it fell silent in the middle"))?.map_err(broken)
}

async fn line(reader: &mut (impl AsyncBufRead + Unpin), taken: &mut Taken) -> Result<Line, Fault> {
    let mut bytes = Vec::new();
    soon(reader.take(LINE as u64 + 1).read_until(b'\n', &mut bytes)).await?;
    if bytes.pop() != Some(b'\n') {
        return Err(broken("a line without an end"));
    }
    taken.lines += bytes.len() + EACH;
    if taken.lines > LINES {
        return Err(too_large());
    }
    if taken.lines > SMALL && taken.room.is_small() {
        taken.room = Room::long()?;
    }
    Line::read(&bytes).map_err(broken)
}

/// Reads all of it, at most so many bytes. What the attendant says is unchanged comes from `before`.
pub(super) async fn take(
    stream: SnapshotStream,
    (before, most): (&Manifest, u64),
    packer: &mut Packer<'_>,
) -> Result<Taken, Fault> {
    let mut reader = BufReader::with_capacity(256 << 10, stream.bytes);
    let known = before.by_path();
    let mut taken = Taken::default();
    loop {
        let line = line(&mut reader, &mut taken).await?;
        let length = match &line {
            Line::Entry(Entry { body: Body::Bytes(length, _), .. }) | Line::More(length, _) => *length,
            Line::Entry(_) | Line::Torn | Line::End { .. } => 0,
        };
        if taken.bytes.saturating_add(length) > most || taken.manifest.items.len() >= ENTRIES {
            return Err(too_large());
        }
        taken.bytes += length;
        if !note(&mut taken, line, &known)? {
            break;
        }
        // What is said to be unchanged counts as well.
        if taken.bytes > most {
            return Err(too_large());
        }
        pass(&mut reader, &mut taken.manifest.items, (length, packer)).await?;
    }
    packer.finish(&mut taken.manifest.items).await?;
    Ok(taken)
}

/// Writes a line down. False: it was the last.
fn note(taken: &mut Taken, line: Line, known: &BTreeMap<&[u8], &Item>) -> Result<bool, Fault> {
    let items = &mut taken.manifest.items;
    match line {
        Line::End { .. } => return Ok(false),
        Line::Torn => items.last_mut().ok_or_else(|| broken("nothing to be torn"))?.torn = true,
        Line::More(length, data) => {
            let last = items.last_mut().filter(|last| last.is_file());
            last.ok_or_else(|| broken("more of nothing"))?.more.push((length, data));
        }
        Line::Entry(entry) if entry.body == Body::Unchanged => {
            let before = known.get(entry.path.as_slice()).filter(|before| before.is_like(&entry));
            let before = before.ok_or_else(|| broken("a file that was never sent is said to be unchanged"))?;
            taken.files += 1;
            taken.bytes = taken.bytes.saturating_add(before.length());
            let entry = Entry { body: before.entry.body.clone(), ..entry };
            items.push(Item { entry, ..(*before).clone() });
        }
        Line::Entry(entry) => {
            let item = Item::new(entry);
            taken.files += u64::from(item.is_file());
            items.push(item);
        }
    }
    Ok(true)
}

/// Passes the bytes that follow a line on.
async fn pass(
    reader: &mut (impl AsyncBufRead + Unpin),
    items: &mut [Item],
    (length, packer): (u64, &mut Packer<'_>),
) -> Result<(), Fault> {
    let mut left = length;
    while left > 0 {
        let chunk = soon(reader.fill_buf()).await?;
        if chunk.is_empty() {
            return Err(broken("a file that ends too early"));
        }
        let count = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        packer.push(items, items.len() - 1, &chunk[..count]).await?;
        reader.consume(count);
        left -= count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use darter_core::{SystemRandom, WorkspaceId};
    use tokio::io::AsyncRead;

    use super::super::vault::Vault;
    use super::*;

    /// What an attendant of a tenant's own making might send: the same for ever.
    struct Endless(Vec<u8>, usize);

    impl AsyncRead for Endless {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            while buffer.remaining() > 0 {
                let (from, length) = (self.1, (self.0.len() - self.1).min(buffer.remaining()));
                buffer.put_slice(&self.0[from..from + length]);
                self.1 = (from + length) % self.0.len();
            }
            std::task::Poll::Ready(Ok(()))
        }
    }

    async fn taken(bytes: impl AsyncRead + Send + 'static, before: &Manifest, most: u64) -> Fault {
        let folder = tempfile::tempdir().unwrap();
        let (vault, id) = (Vault::on_disk(folder.path().to_owned()), WorkspaceId::generate(&SystemRandom));
        let stream = SnapshotStream { bytes: Box::pin(bytes), lease: None };
        take(stream, (before, most), &mut Packer::new(&vault, &id)).await.err().unwrap()
    }

    #[tokio::test]
    async fn lines_that_never_end_are_refused_whatever_they_are() {
        let none = Manifest::default();
        let file = r#"{"path":"a","type":"file","size":0,"body":0}"#;
        for line in [file, r#"{"path":"a","type":"directory"}"#, r#"{"path":"a","type":"fifo"}"#] {
            let fault = taken(Endless(format!("{line}\n").into_bytes(), 0), &none, 9).await;
            assert_eq!(fault.code, "snapshot.too_large", "{line}");
        }
        for line in [r#"{"torn":true}"#, r#"{"more":true,"body":0,"data":[]}"#] {
            let first = std::io::Cursor::new(format!("{file}\n").into_bytes());
            let bytes = first.chain(Endless(format!("{line}\n").into_bytes(), 0));
            assert_eq!(taken(bytes, &none, 9).await.code, "snapshot.too_large", "{line}");
        }
    }

    #[tokio::test]
    async fn what_is_said_to_be_unchanged_counts_as_often_as_it_is_said() {
        let line = r#"{"path":"a","type":"file","size":60,"body":60}"#;
        let Ok(Line::Entry(entry)) = Line::read(line.as_bytes()) else { panic!("{line}") };
        let mut item = Item::new(entry);
        item.slices = vec![super::super::manifest::Slice("c".into(), 0, 60)];
        let mut before = Manifest::default();
        before.items.push(item);
        let again = Endless(format!("{}\n", line.replace("\"body\":60", "\"body\":null")).into_bytes(), 0);
        assert_eq!(taken(again, &before, 100).await.code, "snapshot.too_large");
    }

    #[tokio::test(start_paused = true)]
    async fn an_attendant_that_falls_silent_is_not_waited_for() {
        let (ours, theirs) = tokio::io::duplex(64);
        assert_eq!(taken(ours, &Manifest::default(), 9).await.code, "snapshot.incomplete");
        drop(theirs);
        let (ours, mut theirs) = tokio::io::duplex(64);
        let begin = r#"{"path":"a","type":"file","size":9,"body":9}"#;
        tokio::io::AsyncWriteExt::write_all(&mut theirs, format!("{begin}\n1").as_bytes()).await.unwrap();
        assert_eq!(taken(ours, &Manifest::default(), 9).await.code, "snapshot.incomplete");
        drop(theirs);
    }
}
