//! Answers of name servers.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_platform::hostile::dns(data));
