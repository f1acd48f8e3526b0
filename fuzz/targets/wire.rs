//! A runtime that is taken over, against the state of a connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_wire::hostile::play(data));
