//! A home's stream, as an attendant that was replaced might write it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_attendant::hostile::snapshot(data));
