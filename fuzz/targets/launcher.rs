//! Bytes that are no message, against the launcher's decoders.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_sandbox::hostile::message(data));
