//! Sources of functions: code or diagnostics come back, and what imports each other is found.
#![no_main]

use darter_compiler::{compile, cycle, missing_imports, resolve_import};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let source = String::from_utf8_lossy(data);
    let Ok(compiled) = compile("f", &source) else { return };
    let _ = missing_imports("f", &compiled.imports, |_| false);
    let _ = cycle(&[("f".to_owned(), compiled.imports.clone())].into());
    compiled.imports.iter().for_each(|import| drop(resolve_import("f", import)));
});
