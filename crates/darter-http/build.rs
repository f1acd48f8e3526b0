//! Builds the console's files in again when they have changed: a folder that appears later is not noticed otherwise.
#![allow(clippy::print_stdout, reason = "how a build script speaks to cargo")]

fn main() {
    println!("cargo::rerun-if-changed=../../web/build/index.html");
    println!("cargo::rerun-if-changed=build.rs");
}
