//! `darter up`: the server. It wires the parts together, in the one order that is safe: configuration, lock, launcher,
//! descent from root, threads.

pub mod data;
pub mod logging;
pub mod owner;
pub mod stop;
