//! What fuzzing starts from and what it found, played again: see `fuzz/`.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::path::Path;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn every_kept_input_is_survived() {
    seeds("proxy").iter().for_each(|seed| darter_engine::hostile::proxy(seed));
    seeds("speech").iter().for_each(|seed| darter_engine::hostile::speech(seed));
    let folder = tempfile::tempdir().unwrap();
    seeds("layer").iter().for_each(|seed| darter_engine::hostile::layer(folder.path(), seed));
}
