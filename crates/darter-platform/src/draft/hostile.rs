//! The private reader of [`crate::hostile::text`] about runs.

use darter_api::draft::RunRequest;

use super::request::prepare;

/// A request of somebody's choice: the query and a header are the text.
pub(crate) fn request(text: &str) {
    let headers = [(text.to_owned(), "x".to_owned()), ("x-own".to_owned(), text.to_owned())].into();
    let input =
        RunRequest { query: Some(text.to_owned()), headers, body: Some(text.to_owned()), ..RunRequest::default() };
    let Ok(prepared) = prepare("f", &input, "a.b", "secret") else { return };
    assert!(prepared.target.bytes().all(|byte| byte.is_ascii_graphic()), "a target is one word: {:?}", prepared.target);
    assert!(!prepared.headers.contains_key("transfer-encoding"), "framing is ours");
}
