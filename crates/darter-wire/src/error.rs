//! What can go wrong on the wire, told apart by one question: may the request have reached tenant code?

use std::io;

use thiserror::Error;

/// A rule of the protocol that the peer broke. The connection is closed at the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Violation {
    #[error("a frame is longer than its type allows")]
    FrameTooLong,
    #[error("a frame is shorter than its type needs, or empty where it must not be")]
    FrameTooShort,
    #[error("a frame of an unknown type, or one that only the platform sends")]
    UnknownType,
    #[error("unknown flags")]
    UnknownFlags,
    #[error("a frame for a stream that was never opened")]
    UnknownStream,
    #[error("too many frames for streams that have ended")]
    StrayFrames,
    #[error("more than one RESPONSE on a stream")]
    SecondResponse,
    #[error("DATA or END before RESPONSE, or after END")]
    OutOfOrder,
    #[error("more DATA than the window allows")]
    WindowExceeded,
    #[error("a window larger than the protocol allows")]
    WindowOverflow,
    #[error("a status that no answer may have")]
    InvalidStatus,
    #[error("a response head that cannot be read")]
    MalformedHead,
    #[error("more response headers than allowed")]
    TooManyHeaders,
}

/// Why a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CloseReason {
    #[error("the runtime closed the connection")]
    PeerClosed,
    #[error("the socket failed: {0}")]
    Io(io::ErrorKind),
    #[error("the runtime broke the protocol: {0}")]
    Violation(#[from] Violation),
    #[error("closed by the platform")]
    Local,
}

/// Codes of RESET.
pub mod reset {
    pub const CANCELLED: u32 = 1;
    pub const PROTOCOL: u32 = 2;
    pub const INTERNAL: u32 = 3;
    pub const REFUSED: u32 = 4;
    pub const DEADLINE: u32 = 5;
}

/// Why a request did not get its (whole) answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// The connection takes no new request (GOAWAY). Nothing was sent.
    #[error("the instance is draining and takes no new requests")]
    Draining,
    /// The connection ended before the first byte of this request was written to the socket.
    #[error("the connection ended before the request was sent: {0}")]
    Unsent(CloseReason),
    /// The connection ended; the request may have been seen.
    #[error("the connection ended: {0}")]
    Closed(CloseReason),
    /// The runtime ended the stream. See [`reset`] for the codes.
    #[error("the runtime ended the request (code {code}): {reason}")]
    Reset { code: u32, reason: String },
    /// As many streams as the protocol allows are open. Nothing was sent.
    #[error("too many requests are open on this connection")]
    TooManyStreams,
    /// The runtime does not read and too much waits to be written. Nothing was sent.
    #[error("the instance does not take requests fast enough")]
    Congested,
    /// The request head is longer than the protocol allows. Nothing was sent.
    #[error("the request head is longer than {} bytes", crate::MAX_HEAD)]
    HeadTooLarge,
    /// A field of the request head holds a byte that no field may hold. Nothing was sent.
    #[error("the request head holds a line break or a NUL")]
    HeadMalformed,
    /// More body at once than the window takes: send it through the sink.
    #[error("more than {} bytes of body at once", crate::WINDOW)]
    BodyTooLong,
    /// The answer was taken before: a future must not be polled after it has finished.
    #[error("the answer was taken already")]
    AlreadyTaken,
}

impl WireError {
    /// True when the runtime has certainly not begun with the request, so that another instance may take it.
    pub fn is_untouched(&self) -> bool {
        match self {
            Self::Draining | Self::Unsent(_) | Self::TooManyStreams | Self::Congested => true,
            Self::Reset { code, .. } => *code == reset::REFUSED,
            Self::Closed(_) | Self::HeadTooLarge | Self::HeadMalformed | Self::BodyTooLong | Self::AlreadyTaken => {
                false
            }
        }
    }
}
