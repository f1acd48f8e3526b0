//! People, by URL: coming in, proving who one is, what an administrator may. A whole platform over a database on disk.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod administration;
mod credentials;
mod doors;
mod manners;
mod passwords;
mod profile;
mod providers;
