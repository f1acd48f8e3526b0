//! The apps side of the API, by URL: a whole platform over a real database on disk, with an engine that writes down
//! what it is asked instead of starting sandboxes.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod functions;
mod language;
mod lifecycle;
mod refusals;
mod resources;
mod world;
