//! Heads of requests and answers, on their way through the gateway.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_gateway::hostile::head(data));
