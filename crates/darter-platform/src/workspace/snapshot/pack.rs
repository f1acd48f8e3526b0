//! Cuts the bytes of all files, one after the other, into chunks where their content says so: a byte that is put in moves
//! one cut and not all, and a thousand small files are not a thousand chunks.

use std::collections::{HashSet, VecDeque};

use darter_core::{Fault, WorkspaceId};
use fastcdc::v2020::FastCDC;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::manifest::{Item, Slice};
use super::unkept;
use super::vault::{Part, Vault, name_of};

/// Smallest, usual and largest chunk.
const CHUNK: (u32, u32, u32) = (256 << 10, 1 << 20, 4 << 20);
/// Chunks on their way at a time: what they hold is the memory that a snapshot takes.
const UNDER_WAY: usize = 4;

/// Bytes on their way into the vault.
pub(super) struct Packer<'a> {
    vault: &'a Vault,
    id: &'a WorkspaceId,
    buffer: Vec<u8>,
    /// Whose bytes the buffer holds: item, how many.
    waiting: VecDeque<(usize, usize)>,
    /// Chunks on their way.
    sending: FuturesUnordered<BoxFuture<'a, std::io::Result<u64>>>,
    /// Chunks of this snapshot, sent or on their way.
    sent: HashSet<String>,
    /// What the store had to take.
    pub stored: u64,
}

impl<'a> Packer<'a> {
    pub fn new(vault: &'a Vault, id: &'a WorkspaceId) -> Self {
        Self {
            vault,
            id,
            buffer: Vec::new(),
            waiting: VecDeque::new(),
            sending: FuturesUnordered::new(),
            sent: HashSet::new(),
            stored: 0,
        }
    }

    /// Takes the next bytes of an item.
    pub async fn push(&mut self, items: &mut [Item], index: usize, bytes: &[u8]) -> Result<(), Fault> {
        self.buffer.extend_from_slice(bytes);
        match self.waiting.back_mut() {
            Some((last, count)) if *last == index => *count += bytes.len(),
            Some(_) | None => self.waiting.push_back((index, bytes.len())),
        }
        while self.buffer.len() >= CHUNK.2 as usize {
            self.cut(items).await?;
        }
        Ok(())
    }

    /// Keeps what is left.
    pub async fn finish(&mut self, items: &mut [Item]) -> Result<(), Fault> {
        while !self.buffer.is_empty() {
            self.cut(items).await?;
        }
        self.wait(0).await
    }

    /// Until at most so many are on their way.
    async fn wait(&mut self, most: usize) -> Result<(), Fault> {
        while self.sending.len() > most {
            if let Some(stored) = self.sending.next().await {
                self.stored += stored.map_err(unkept)?;
            }
        }
        Ok(())
    }

    async fn cut(&mut self, items: &mut [Item]) -> Result<(), Fault> {
        let first = FastCDC::new(&self.buffer, CHUNK.0, CHUNK.1, CHUNK.2).next();
        let length = first.map_or(self.buffer.len(), |chunk| chunk.length);
        let chunk: Vec<u8> = self.buffer.drain(..length).collect();
        let name = name_of(&chunk);
        if self.sent.insert(name.clone()) {
            self.wait(UNDER_WAY - 1).await?;
            let (vault, id, name) = (self.vault, self.id, name.clone());
            self.sending.push(Box::pin(async move { vault.keep(id, Part::Chunk, (&name, chunk)).await }));
        }
        let mut offset = 0;
        while offset < length {
            let Some((index, count)) = self.waiting.front_mut() else { break };
            let taken = (*count).min(length - offset);
            // A chunk has at most 4 MiB.
            items[*index].slices.push(Slice(name.clone(), offset as u32, taken as u32));
            offset += taken;
            *count -= taken;
            if *count == 0 {
                self.waiting.pop_front();
            }
        }
        Ok(())
    }
}
