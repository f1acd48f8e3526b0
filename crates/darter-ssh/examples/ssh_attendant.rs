//! The attendant as a program of its own, which the tests show inside. The real server is its own attendant.

use std::process::ExitCode;

fn main() -> ExitCode {
    darter_attendant::main()
}
