//! Sources of functions: code or diagnostics come back, and what imports each other is found.
#![no_main]

use std::sync::Once;

use darter_compiler::{compile, cycle, missing_imports, resolve_import};

/// The fuzzer ends at every panic; the compiler catches those of the parser that it is built on. One that gets out of it
/// still ends the fuzzer.
static CAUGHT: Once = Once::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    CAUGHT.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    let source = String::from_utf8_lossy(data);
    let Ok(compiled) = compile("f", &source) else { return };
    let _ = missing_imports("f", &compiled.imports, |_| false);
    let _ = cycle(&[("f".to_owned(), compiled.imports.clone())].into());
    compiled.imports.iter().for_each(|import| drop(resolve_import("f", import)));
});
