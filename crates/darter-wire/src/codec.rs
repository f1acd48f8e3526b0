//! Bytes to frames and back. Knows lengths and shapes, nothing about streams; allocates only what a frame carries.
//!
//! Everything that is decoded here comes from a sandbox: a length is checked before a byte behind it is looked at.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::exchange::RequestHead;
use crate::{MAX_DATA, MAX_HEAD, MAX_HEADERS, MAX_PAYLOAD, Violation, WireError};

/// Length of a frame's header.
pub const HEADER: usize = 9;

/// REQUEST, RESPONSE: no body follows.
pub const FLAG_END: u8 = 1;
/// REQUEST: an upgrade is asked for. RESPONSE: it is granted.
pub const FLAG_UPGRADE: u8 = 2;

/// Longest function name that an answer may carry.
const MAX_FUNCTION: usize = 256;
/// Longest reason of a RESET that is kept.
const MAX_REASON: usize = 512;

/// The types of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Request = 1,
    Data = 2,
    End = 3,
    Reset = 4,
    Window = 5,
    Response = 6,
    Goaway = 7,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub length: usize,
    pub kind: Kind,
    pub stream: u32,
}

impl Header {
    /// Reads a header that the runtime sent, if all of it is here, and checks the length against the type.
    pub fn from_runtime(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let Some((header, _)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
        let [l0, l1, l2, l3, kind, s0, s1, s2, s3] = *header;
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let stream = u32::from_le_bytes([s0, s1, s2, s3]);
        let (kind, least, most) = match kind {
            2 => (Kind::Data, 1, MAX_DATA),
            3 => (Kind::End, 0, 0),
            4 => (Kind::Reset, 4, MAX_DATA),
            5 => (Kind::Window, 4, 4),
            6 => (Kind::Response, 7, MAX_PAYLOAD),
            7 => (Kind::Goaway, 0, 0),
            _ => return Err(Violation::UnknownType),
        };
        if length > most {
            return Err(Violation::FrameTooLong);
        }
        if length < least {
            return Err(Violation::FrameTooShort);
        }
        Ok(Some(Self { length, kind, stream }))
    }
}

/// Appends a frame's header.
pub fn put_header(out: &mut BytesMut, length: usize, kind: Kind, stream: u32) {
    let length = u32::try_from(length).expect("a frame is far shorter than 4 GiB: callers keep to MAX_PAYLOAD");
    out.put_u32_le(length);
    out.put_u8(kind as u8);
    out.put_u32_le(stream);
}

/// Appends a whole RESET.
pub fn put_reset(out: &mut BytesMut, stream: u32, code: u32, reason: &str) {
    put_header(out, 4 + reason.len(), Kind::Reset, stream);
    out.put_u32_le(code);
    out.put_slice(reason.as_bytes());
}

/// Appends a whole WINDOW.
pub fn put_window(out: &mut BytesMut, stream: u32, credit: u32) {
    put_header(out, 4, Kind::Window, stream);
    out.put_u32_le(credit);
}

/// Appends a whole REQUEST. On an error nothing is appended.
pub fn put_request(out: &mut BytesMut, stream: u32, flags: u8, head: &RequestHead<'_>) -> Result<(), WireError> {
    let start = out.len();
    put_header(out, 0, Kind::Request, stream);
    out.put_u8(flags);
    let text = out.len();
    let written = put_request_head(out, head);
    let length = out.len() - text;
    if written.is_err() || length > MAX_HEAD {
        out.truncate(start);
        return written.and(Err(WireError::HeadTooLarge));
    }
    let payload = u32::try_from(length + 1).expect("a head is at most 64 KiB");
    out[start..start + 4].copy_from_slice(&payload.to_le_bytes());
    Ok(())
}

fn put_request_head(out: &mut BytesMut, head: &RequestHead<'_>) -> Result<(), WireError> {
    put_field(out, head.method.as_bytes())?;
    for field in [head.target, head.request_id, head.client_ip] {
        out.put_u8(b'\n');
        put_field(out, field.as_bytes())?;
    }
    out.put_u8(b'\n');
    put_decimal(out, head.deadline_ms);
    out.put_u8(b'\n');
    put_field(out, head.pin.as_bytes())?;
    for (name, value) in head.headers {
        // HeaderName cannot hold a separator; HeaderValue can hold neither \r, \n nor NUL: the type's own promise.
        out.put_u8(b'\n');
        out.put_slice(name.as_str().as_bytes());
        out.put_u8(b'\n');
        out.put_slice(value.as_bytes());
    }
    Ok(())
}

fn put_field(out: &mut BytesMut, field: &[u8]) -> Result<(), WireError> {
    if field.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0)) {
        return Err(WireError::HeadMalformed);
    }
    out.put_slice(field);
    Ok(())
}

fn put_decimal(out: &mut BytesMut, value: u64) {
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.put_slice(&digits[at..]);
}

/// A RESPONSE as it was read.
#[derive(Debug)]
pub struct ResponseFrame {
    pub end: bool,
    pub upgraded: bool,
    pub head: ResponseHead,
    pub body: Bytes,
}

/// The head of an answer.
#[derive(Debug)]
pub struct ResponseHead {
    pub status: StatusCode,
    pub function: String,
    pub version: u32,
    pub headers: HeaderMap,
}

/// Reads the payload of a RESPONSE.
pub fn read_response(payload: &Bytes) -> Result<ResponseFrame, Violation> {
    let (fixed, rest) = payload.split_first_chunk::<7>().ok_or(Violation::FrameTooShort)?;
    let [flags, status0, status1, h0, h1, h2, h3] = *fixed;
    if flags & !(FLAG_END | FLAG_UPGRADE) != 0 || flags == FLAG_END | FLAG_UPGRADE {
        return Err(Violation::UnknownFlags);
    }
    let length = u32::from_le_bytes([h0, h1, h2, h3]) as usize;
    if length > MAX_HEAD || length > rest.len() {
        return Err(Violation::FrameTooLong);
    }
    let upgraded = flags & FLAG_UPGRADE != 0;
    let status = read_status(u16::from_le_bytes([status0, status1]), upgraded)?;
    let head = read_response_head(status, &payload.slice(7..7 + length))?;
    Ok(ResponseFrame { end: flags & FLAG_END != 0, upgraded, head, body: payload.slice(7 + length..) })
}

fn read_status(code: u16, upgraded: bool) -> Result<StatusCode, Violation> {
    let allowed = if upgraded { code == 101 } else { (200..=999).contains(&code) };
    if !allowed {
        return Err(Violation::InvalidStatus);
    }
    StatusCode::from_u16(code).map_err(|_| Violation::InvalidStatus)
}

fn read_response_head(status: StatusCode, text: &Bytes) -> Result<ResponseHead, Violation> {
    let mut fields = Fields::new(text);
    let function = fields.next().ok_or(Violation::MalformedHead)?;
    let version = fields.next().ok_or(Violation::MalformedHead)?;
    if function.len() > MAX_FUNCTION || !function.iter().all(u8::is_ascii_graphic) {
        return Err(Violation::MalformedHead);
    }
    let function = String::from_utf8(function.to_vec()).map_err(|_| Violation::MalformedHead)?;
    let version = read_version(&version)?;
    let mut headers = HeaderMap::with_capacity(8);
    while let Some(name) = fields.next() {
        let value = fields.next().ok_or(Violation::MalformedHead)?;
        if name.iter().any(u8::is_ascii_uppercase) {
            return Err(Violation::MalformedHead);
        }
        let name = HeaderName::from_bytes(&name).map_err(|_| Violation::MalformedHead)?;
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| Violation::MalformedHead)?;
        headers.append(name, value);
        if headers.len() > MAX_HEADERS {
            return Err(Violation::TooManyHeaders);
        }
    }
    Ok(ResponseHead { status, function, version, headers })
}

fn read_version(text: &[u8]) -> Result<u32, Violation> {
    if text.is_empty() {
        return Ok(0);
    }
    let text = std::str::from_utf8(text).map_err(|_| Violation::MalformedHead)?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Violation::MalformedHead);
    }
    text.parse().map_err(|_| Violation::MalformedHead)
}

/// Reads the payload of a RESET: code and reason, the reason cut to a sane length.
pub fn read_reset(payload: &[u8]) -> Result<(u32, String), Violation> {
    let (code, reason) = payload.split_first_chunk::<4>().ok_or(Violation::FrameTooShort)?;
    let reason = &reason[..reason.len().min(MAX_REASON)];
    let printable = String::from_utf8_lossy(reason).replace(char::is_control, " ");
    Ok((u32::from_le_bytes(*code), printable))
}

/// Reads the payload of a WINDOW.
pub fn read_window(payload: &[u8]) -> Result<u32, Violation> {
    let credit = payload.try_into().map(u32::from_le_bytes).map_err(|_| Violation::FrameTooShort)?;
    if credit == 0 { Err(Violation::WindowOverflow) } else { Ok(credit) }
}

/// The fields of a head, as slices that share its memory.
pub struct Fields<'a> {
    text: &'a Bytes,
    at: Option<usize>,
}

impl<'a> Fields<'a> {
    /// All fields of a head; an empty text is one empty field.
    pub fn new(text: &'a Bytes) -> Self {
        Self { text, at: Some(0) }
    }
}

impl Iterator for Fields<'_> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let start = self.at?;
        let end = self.text[start..].iter().position(|byte| *byte == b'\n').map(|length| start + length);
        self.at = end.map(|end| end + 1);
        Some(self.text.slice(start..end.unwrap_or(self.text.len())))
    }
}
