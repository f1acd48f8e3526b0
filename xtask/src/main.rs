//! What a developer of Darter runs: `cargo xtask tidy` (the laws of the house) and `cargo xtask codegen` (generated
//! files). It must build in seconds: no dependency that the workspace does not have already.
#![allow(clippy::print_stdout, reason = "printing is what this program is for")]

mod codegen;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "cargo xtask tidy              check the laws that a program can check
cargo xtask codegen           write the generated files
cargo xtask codegen --check   fail when one of them has drifted";

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let root = root()?;
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tidy::run(&root),
        ["codegen"] => codegen::run(&root, codegen::Mode::Write),
        ["codegen", "--check"] => codegen::run(&root, codegen::Mode::Check),
        [] | ["help" | "--help"] => {
            println!("{USAGE}");
            Ok(ExitCode::SUCCESS)
        }
        other => bail!("unknown task {other:?}. There are:\n{USAGE}"),
    }
}

/// The folder of the checkout in which this was called, found at run time: a path compiled in would be the other
/// checkout's when two of them share a target directory.
fn root() -> Result<PathBuf> {
    // Cargo says where the package lies that it runs; without cargo, whoever calls stands somewhere in the checkout.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let start = package.map_or_else(std::env::current_dir, Ok)?;
    let is_root = |folder: &&Path| folder.join("Cargo.lock").is_file() && folder.join("xtask/Cargo.toml").is_file();
    let root = start.ancestors().find(is_root);
    root.map(Path::to_path_buf).context("this is not called from inside a checkout; go into one")
}
