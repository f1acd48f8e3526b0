//! What programs in a sandbox write: lines of output, words on the control channel.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_engine::hostile::speech(data));
