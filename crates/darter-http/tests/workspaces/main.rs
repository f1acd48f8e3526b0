//! Workspaces by URL, with an engine that starts nothing.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod doors;
mod inside;
mod lifecycle;
mod quiet;
mod room;
mod snapshots;
mod world;
