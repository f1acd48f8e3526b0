//! The attendant as a program of its own: the same as `darter attendant`, without the rest of the server around it.

use std::process::ExitCode;

fn main() -> ExitCode {
    darter_attendant::main()
}
