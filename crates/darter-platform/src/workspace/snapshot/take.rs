//! Reads a home as the attendant streams it. Every byte is a tenant's: the one strict reader of such streams says what a
//! line is, lengths are bounded, and a stream without its last line is not a snapshot.

use std::collections::BTreeMap;

use darter_attendant::snapshot::line::{Body, Entry, LINE, Line};
use darter_core::{Fault, Kind};
use darter_engine::workspace::SnapshotStream;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, BufReader};

use super::manifest::{Item, Manifest};
use super::pack::Packer;

/// More entries are refused: their manifest would not fit into memory.
const ENTRIES: usize = 4_000_000;

/// What came.
#[derive(Default)]
pub(super) struct Taken {
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

async fn line(reader: &mut (impl AsyncBufRead + Unpin)) -> Result<Line, Fault> {
    let mut bytes = Vec::new();
    reader.take(LINE as u64 + 1).read_until(b'\n', &mut bytes).await.map_err(broken)?;
    if bytes.pop() != Some(b'\n') {
        return Err(broken("a line without an end"));
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
        let line = line(&mut reader).await?;
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
            taken.bytes += before.length();
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
        let chunk = reader.fill_buf().await.map_err(broken)?;
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
