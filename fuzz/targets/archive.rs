//! Files that somebody imports as an app.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_platform::hostile::archive(data));
