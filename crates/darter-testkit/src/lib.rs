//! A whole platform in a test: a store on disk, a clock that stands still, an engine that starts nothing, name servers,
//! browsers with cookies, and a provider to sign in at. A dev-dependency only: nothing here may reach production.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod browser;
mod clock;
mod dns;
mod engine;
mod platform;
mod provider;
mod runs;
mod workspaces;

pub use browser::{Answer, Browser};
pub use clock::FakeClock;
pub use dns::FakeDns;
pub use engine::FakeEngine;
pub use platform::TestPlatform;
pub use provider::{FakeProvider, Lie, Signing, Stranger};
pub use runs::FakeRuns;
pub use workspaces::FakeWorkspaces;
