//! Requests to the egress proxy.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_engine::hostile::proxy(data));
