//! The last bytes of a terminal, by their place in everything it ever printed. Never longer than [`KEPT`].

use std::collections::VecDeque;

use bytes::Bytes;

/// What a terminal keeps for those who come back.
pub(crate) const KEPT: usize = 256 << 10;
/// How far a replay's beginning is moved to start with a line.
const LINE: usize = 4 << 10;

#[derive(Debug, Default)]
pub(crate) struct Replay {
    bytes: VecDeque<u8>,
    /// The place after the last byte.
    end: u64,
}

impl Replay {
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    fn start(&self) -> u64 {
        self.end - self.bytes.len() as u64
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let over = (self.bytes.len() + bytes.len()).saturating_sub(KEPT);
        self.bytes.drain(..over);
        self.bytes.extend(bytes);
        self.end += bytes.len() as u64;
    }

    /// Where somebody begins who wants all that is kept: at a line's start, once the beginning is lost.
    pub(crate) fn beginning(&self) -> u64 {
        if self.start() == 0 {
            return 0;
        }
        let line = self.bytes.iter().take(LINE).position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.start() + line as u64
    }

    /// At most `most` bytes from `place` on, or from the beginning when that is lost; and the place after them.
    pub(crate) fn read(&self, place: u64, most: usize) -> (Bytes, u64) {
        let place = if place < self.start() { self.beginning() } else { place.min(self.end) };
        let skip = usize::try_from(place - self.start()).unwrap_or(usize::MAX).min(self.bytes.len());
        let end = self.bytes.len().min(skip.saturating_add(most));
        let (first, second) = self.bytes.as_slices();
        let part = |slice: &[u8], from: usize| {
            let (skip, end) = (skip.saturating_sub(from).min(slice.len()), end.saturating_sub(from).min(slice.len()));
            skip..end
        };
        let bytes = [&first[part(first, 0)], &second[part(second, first.len())]].concat();
        let after = place + bytes.len() as u64;
        (bytes.into(), after)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn who_is_behind_begins_with_a_line() {
        let mut replay = Replay::default();
        replay.push(&[b'x'; KEPT]);
        replay.push(b"a\nbc");
        assert_eq!(replay.read(0, 10).0.len(), 10, "no line begins near: from the first byte");
        replay.push(&[b"123\n".as_slice(); KEPT / 4].concat());
        replay.push(b"4");
        assert_eq!(&replay.read(0, 5).0[..], b"123\n1");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_read_piece_by_piece_is_the_end_of_what_was_pushed(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..40),
            most in 1_usize..50,
        ) {
            let mut replay = Replay::default();
            let all: Vec<u8> = pieces.concat();
            pieces.iter().for_each(|piece| replay.push(piece));
            let (mut place, mut seen) = (0, Vec::new());
            loop {
                let (bytes, after) = replay.read(place, most);
                if bytes.is_empty() { break }
                seen.extend_from_slice(&bytes);
                place = after;
            }
            prop_assert_eq!(seen, all);
        }

        #[test]
        fn it_never_keeps_more_than_it_may(lengths in prop::collection::vec(0_usize..300_000, 1..8)) {
            let mut replay = Replay::default();
            for length in &lengths { replay.push(&vec![7; *length]); }
            prop_assert!(replay.bytes.len() <= KEPT);
            prop_assert_eq!(replay.read(0, usize::MAX).0.len(), lengths.iter().sum::<usize>().min(KEPT));
        }
    }
}
