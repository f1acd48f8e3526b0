//! Compiles the agent, statically, and leaves it where `launcher/setup.rs` embeds it.
//!
//! With the compiler itself rather than a nested cargo: the agent has no dependency, so this takes half a second, needs
//! no lock file, no network and no second target directory, and cannot deadlock with the cargo that runs us.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let source = Path::new("../darter-agent/src/main.rs");
    println!("cargo::rerun-if-changed=../darter-agent/src");
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for build scripts"));
    let output = PathBuf::from(variable("OUT_DIR")).join("darter-agent");
    let status = Command::new(variable("RUSTC"))
        .args(["--crate-name", "darter_agent", "--crate-type", "bin", "--edition", "2024"])
        .args(["--target", &variable("TARGET"), "-C", "target-feature=+crt-static"])
        .args(["-C", "opt-level=s", "-C", "panic=abort", "-C", "lto=fat", "-C", "strip=symbols"])
        .args(["-C", "relocation-model=static", "-C", "embed-bitcode=yes", "-C", "codegen-units=1"])
        .arg("-o")
        .arg(&output)
        .arg(source)
        .status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!(
            "compiling the agent ended with {status}; a static C library is needed (Debian: libc6-dev, Fedora: glibc-static)"
        ),
        Err(error) => panic!("starting the compiler for the agent failed: {error}"),
    }
}
