//! What a language server says.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_platform::hostile::language_server(data));
