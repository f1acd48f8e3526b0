//! Layers of an image, unpacked beside a folder that must stay as it is.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("darter-fuzz-layer-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for what is unpacked");
    folder
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| darter_engine::hostile::layer(&FOLDER, data));
