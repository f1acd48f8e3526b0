//! Lines of a log and what is searched for in them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let app = "aaaaaaaaaa".parse().expect("an app's id");
    darter_store::logs::hostile::line(data, &app);
});
