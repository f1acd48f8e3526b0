//! What waits to be written: small frames of all streams grow together in one buffer, large chunks travel uncopied.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

use crate::MAX_DATA;
use crate::codec::{self, Kind};

/// Chunks below this are cheaper to copy than to hand to the kernel one by one.
const COPY_BELOW: usize = 8 << 10;

/// The queue between the streams and the one task that writes.
#[derive(Debug, Default)]
pub struct Output {
    segments: VecDeque<Bytes>,
    tail: BytesMut,
    /// Bytes ever queued, and ever taken by the kernel.
    queued: u64,
    written: u64,
}

impl Output {
    /// Bytes that the kernel has not taken.
    pub fn pending(&self) -> usize {
        usize::try_from(self.queued - self.written).unwrap_or(usize::MAX)
    }

    /// The place in the whole output at which the next frame begins.
    pub fn position(&self) -> u64 {
        self.queued
    }

    /// How much of the whole output the kernel has taken.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Appends what `fill` writes.
    pub fn append<E>(&mut self, fill: impl FnOnce(&mut BytesMut) -> Result<(), E>) -> Result<(), E> {
        let before = self.tail.len();
        let result = fill(&mut self.tail);
        self.queued += (self.tail.len() - before) as u64;
        result
    }

    /// Appends something that cannot fail.
    pub fn put(&mut self, fill: impl FnOnce(&mut BytesMut)) {
        let appended: Result<(), std::convert::Infallible> = self.append(|tail| {
            fill(tail);
            Ok(())
        });
        match appended {
            Ok(()) => {}
        }
    }

    /// Appends DATA frames for the whole chunk.
    pub fn data(&mut self, stream: u32, mut chunk: Bytes) {
        while chunk.has_remaining() {
            let piece = chunk.split_to(chunk.len().min(MAX_DATA));
            self.put(|tail| codec::put_header(tail, piece.len(), Kind::Data, stream));
            if piece.len() < COPY_BELOW {
                self.put(|tail| tail.extend_from_slice(&piece));
            } else {
                self.segments.push_back(self.tail.split().freeze());
                self.queued += piece.len() as u64;
                self.segments.push_back(piece);
            }
        }
    }

    /// Moves everything that waits into the writer's hands. False: there was nothing.
    pub fn take_into(&mut self, writing: &mut VecDeque<Bytes>) -> bool {
        writing.append(&mut self.segments);
        if !self.tail.is_empty() {
            writing.push_back(self.tail.split().freeze());
        }
        !writing.is_empty()
    }

    /// The kernel took this many bytes.
    pub fn wrote(&mut self, bytes: usize) {
        self.written += bytes as u64;
    }
}
