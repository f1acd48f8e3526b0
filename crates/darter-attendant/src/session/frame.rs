//! The frames of a session: what is text and what is binary, and nothing else. Strict, and total: any bytes are a frame or
//! a fault.

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::params::{JSON_LIMIT, Params};

/// Largest frame inwards.
pub(crate) const LARGEST: usize = 64 << 20;

/// What a binary frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    AnswerBody = 1,
    RequestBody = 2,
    TerminalOutput = 3,
    TerminalInput = 4,
    Stdout = 5,
    Stderr = 6,
    Stdin = 7,
}

/// A binary frame inwards.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Binary {
    pub(crate) kind: Kind,
    pub(crate) id: u32,
    pub(crate) payload: Bytes,
}

/// A text frame inwards.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) id: u32,
    pub(crate) method: String,
    pub(crate) params: Params,
}

impl Request {
    /// A body follows.
    pub(crate) fn has_body(&self) -> bool {
        self.params.0.get("body") == Some(&Value::Bool(true))
    }
}

pub(crate) fn binary(mut frame: Bytes) -> Result<Binary, Fault> {
    let Some((head, _)) = frame.split_first_chunk::<5>() else {
        return Err(Fault::invalid("a binary frame has at least five bytes"));
    };
    let [kind, a, b, c, d] = *head;
    let kind = match kind {
        2 => Kind::RequestBody,
        4 => Kind::TerminalInput,
        7 => Kind::Stdin,
        other => return Err(Fault::invalid(format!("{other} is no kind of frame that comes this way"))),
    };
    Ok(Binary { kind, id: u32::from_be_bytes([a, b, c, d]), payload: frame.split_off(5) })
}

/// The request, or the fault and the id that it is to be answered under.
pub(crate) fn request(text: &str) -> Result<Request, (Option<u32>, Fault)> {
    if text.len() > JSON_LIMIT {
        return Err((None, Fault::new("request.too_large", format!("a text frame has at most {JSON_LIMIT} bytes"))));
    }
    let mut object: Map<String, Value> =
        serde_json::from_str(text).map_err(|error| (None, Fault::invalid(format!("no JSON object: {error}"))))?;
    let id = object.get("id").and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
    let Some(known) = id else { return Err((None, Fault::invalid("`id` is a number from 0 to 4294967295"))) };
    let Some(Value::String(method)) = object.remove("method") else {
        return Err((id, Fault::invalid("`method` is missing: a text")));
    };
    let params = match object.remove("params") {
        Some(Value::Object(params)) => Params(params),
        None | Some(Value::Null) => Params::default(),
        Some(_) => return Err((id, Fault::invalid("`params` is no object"))),
    };
    Ok(Request { id: known, method, params })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let given = Bytes::from(bytes.clone());
            match binary(given) {
                Ok(frame) => {
                    prop_assert_eq!(frame.kind as u8, bytes[0]);
                    prop_assert_eq!(&frame.id.to_be_bytes()[..], &bytes[1..5]);
                    prop_assert_eq!(&frame.payload[..], &bytes[5..]);
                }
                Err(_) => prop_assert!(bytes.len() < 5 || ![2, 4, 7].contains(&bytes[0])),
            }
        }

        #[test]
        fn any_text_is_a_request_or_a_fault(text in ".{0,200}") {
            let _ = request(&text);
        }

        #[test]
        fn a_request_is_read_as_it_was_meant(id: u32, method in "[a-z.]{1,20}", path in ".{0,40}") {
            let text = serde_json::json!({"id": id, "method": method, "params": {"path": path}}).to_string();
            let read = request(&text).unwrap();
            prop_assert_eq!((read.id, read.method), (id, method));
            prop_assert_eq!(read.params.text("path").unwrap(), Some(path.as_str()));
        }
    }

    #[test]
    fn a_request_that_cannot_be_read_is_answered_under_its_id_where_it_has_one() {
        for (text, id) in [
            ("", None),
            ("[]", None),
            ("{}", None),
            ("{\"id\":-1,\"method\":\"ping\"}", None),
            ("{\"id\":4294967296,\"method\":\"ping\"}", None),
            ("{\"id\":7}", Some(7)),
            ("{\"id\":7,\"method\":\"ping\",\"params\":[]}", Some(7)),
        ] {
            let (seen, fault) = request(text).unwrap_err();
            assert_eq!((seen, fault.code), (id, "request.invalid"), "{text}");
        }
    }
}
