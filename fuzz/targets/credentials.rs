//! Cookies, tokens and origins of requests to the console.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_http::hostile::credentials(data));
