//! For fuzzing and for the tests that replay what it found: a runtime that is taken over, against the state of a
//! connection. Nothing in the product calls this.

use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use crate::exchange::{Begin, RequestHead};
use crate::state::{Received, State};
use crate::{CloseReason, reset};

/// Streams that one script opens at most.
const STREAMS: usize = 64;

/// Plays a script: callers open streams, poll, send, give up; in between the runtime says whatever the script holds.
/// Panics when the state loses count of what it holds.
pub fn play(script: &[u8]) {
    let mut stage = Stage::default();
    let mut rest = script;
    while let Some((&step, tail)) = rest.split_first() {
        rest = stage.step(step, tail);
        stage.state.assert_sound();
        if stage.ended {
            break;
        }
    }
    stage.leave();
}

/// The handles that callers hold on one stream.
struct Held {
    number: u32,
    receiver: bool,
    sink: bool,
}

#[derive(Default)]
struct Stage {
    state: State,
    input: BytesMut,
    wakers: Vec<Waker>,
    held: Vec<Held>,
    ended: bool,
}

impl Stage {
    /// One step; what is left of the script after it.
    fn step<'a>(&mut self, step: u8, rest: &'a [u8]) -> &'a [u8] {
        let place = usize::from(step >> 3);
        match step & 7 {
            0 => self.open(Begin::Whole(Bytes::from(vec![0; place * 97]))),
            1 => self.open(Begin::Streaming),
            2 => self.open(Begin::Upgrade),
            3 => self.take(place),
            4 => self.send(place),
            5 => self.give_up(place),
            6 => self.state.wrote(self.state.output.pending(), &mut self.wakers),
            _ => return self.hear(rest),
        }
        rest
    }

    fn open(&mut self, begin: Begin) {
        if self.held.len() >= STREAMS {
            return;
        }
        let headers = HeaderMap::new();
        let head = RequestHead {
            method: "GET",
            target: "/",
            request_id: "r",
            client_ip: "::1",
            deadline_ms: 1,
            pin: "",
            headers: &headers,
        };
        let sink = !matches!(begin, Begin::Whole(_));
        if let Ok(number) = self.state.open(&head, begin) {
            if sink {
                self.state.has_sink(number);
            }
            self.held.push(Held { number, receiver: true, sink });
        }
    }

    fn at(&self, place: usize) -> Option<&Held> {
        self.held.get(place.checked_rem(self.held.len())?)
    }

    fn take(&mut self, place: usize) {
        let Some(number) = self.at(place).filter(|held| held.receiver).map(|held| held.number) else { return };
        let mut cx = Context::from_waker(Waker::noop());
        if self.state.poll_head(number, &mut cx).is_ready() {
            while let Poll::Ready(Ok(Received::Chunk(_))) = self.state.poll_received(number, Some(&mut cx)) {}
        }
    }

    fn send(&mut self, place: usize) {
        let Some(number) = self.at(place).filter(|held| held.sink).map(|held| held.number) else { return };
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(room)) = self.state.poll_capacity(number, &mut cx) {
            // A failure is the stream's own; it is seen at the next poll.
            let _ = self.state.send(number, Bytes::from(vec![0; room.min(place * 4_096)]));
        }
    }

    fn give_up(&mut self, place: usize) {
        let Some(index) = place.checked_rem(self.held.len()) else { return };
        let held = &mut self.held[index];
        if held.sink {
            held.sink = false;
            match place % 3 {
                0 => self.state.finish(held.number),
                1 => self.state.reset(held.number, reset::CANCELLED, &mut self.wakers),
                _ => {}
            }
            self.state.drop_sink(held.number, &mut self.wakers);
        } else if held.receiver {
            held.receiver = false;
            self.state.drop_receiver(held.number, &mut self.wakers);
            self.held.swap_remove(index);
        }
    }

    /// A length of two bytes, then so many bytes of the runtime.
    fn hear<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        let Some((length, rest)) = rest.split_first_chunk::<2>() else { return &[] };
        let (said, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        self.input.extend_from_slice(said);
        if let Err(violation) = self.state.receive(&mut self.input, &mut self.wakers) {
            self.state.close(CloseReason::Violation(violation), &mut self.wakers);
            self.ended = true;
        }
        rest
    }

    fn leave(mut self) {
        for held in std::mem::take(&mut self.held) {
            if held.sink {
                self.state.drop_sink(held.number, &mut self.wakers);
            }
            if held.receiver {
                self.state.drop_receiver(held.number, &mut self.wakers);
            }
        }
        self.state.assert_sound();
        assert_eq!(self.state.open_streams(), 0, "nobody holds a stream any more");
    }
}
