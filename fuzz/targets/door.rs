//! What the door of a workspace reads.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_gateway::hostile::door(data));
