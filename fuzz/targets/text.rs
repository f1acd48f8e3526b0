//! What somebody typed, or a client kept: names, hosts, cookies, keys, cursors, ways back.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_platform::hostile::text(data));
