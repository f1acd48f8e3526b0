//! Reads where the messages of a WebSocket begin, as a browser sends them, and how long they are: what a page says is
//! told apart from what keeps its connection alive. Must never hold anything back, nor look into what is said.

/// Opcodes from here on are the protocol's own: ping, pong, close (RFC 6455, 5.2).
const CONTROL: u8 = 8;
/// The longest head of a frame.
const LONGEST: usize = 14;

/// Follows the frames of one direction.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; LONGEST],
    /// Bytes of the head that are there.
    have: usize,
    /// Bytes of a payload that are still to come.
    left: u64,
}

impl Frames {
    /// Takes what comes next. True: a message begins in it that is longer than `quiet` bytes.
    pub(super) fn speak(&mut self, mut bytes: &[u8], quiet: u64) -> bool {
        let mut spoke = false;
        loop {
            let passed = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
            self.left -= passed as u64;
            bytes = &bytes[passed..];
            let Some((&byte, rest)) = bytes.split_first() else { return spoke };
            bytes = rest;
            self.head[self.have] = byte;
            self.have += 1;
            if let Some(length) = self.length() {
                spoke |= self.head[0] & 0x0f < CONTROL && length > quiet;
                (self.left, self.have) = (length, 0);
            }
        }
    }

    /// The payload's length, once the head is whole.
    fn length(&self) -> Option<u64> {
        let second = *self.head[..self.have].get(1)?;
        let more = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        if self.have < 2 + more + mask {
            return None;
        }
        Some(match more {
            0 => u64::from(second & 0x7f),
            _ => self.head[2..2 + more].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A masked frame with a payload of zeros.
    fn frame(opcode: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match length {
            0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            126..0x10000 => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([1, 2, 3, 4]);
        frame.extend(vec![0; length]);
        frame
    }

    #[test]
    fn only_messages_that_say_something_count() {
        for (what, opcode, length, speaks) in [
            ("a keep-alive of VS Code", 2, 13, false),
            ("the shortest message of VS Code", 2, 14, true),
            ("a longer one", 2, 300, true),
            ("a very long one", 0, 70_000, true),
            ("a text", 1, 20, true),
            ("a pong", 10, 100, false),
            ("a close", 8, 50, false),
        ] {
            assert_eq!(Frames::default().speak(&frame(opcode, length), 13), speaks, "{what}");
        }
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut() {
        let all: Vec<u8> = [(2, 13), (9, 5), (2, 0), (2, 200), (2, 13), (1, 70_000), (2, 13), (2, 14)]
            .into_iter()
            .flat_map(|(opcode, length)| frame(opcode, length))
            .collect();
        for (size, pieces) in [(1, 3), (2, 3), (3, 3), (7, 3), (13, 3), (4096, 2), (all.len(), 1)] {
            let mut frames = Frames::default();
            let spoke = all.chunks(size).filter(|piece| frames.speak(piece, 13)).count();
            assert_eq!(spoke, pieces, "{size}");
            assert_eq!((frames.left, frames.have), (0, 0));
        }
    }
}
