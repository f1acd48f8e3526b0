//! The use cases of accounts against a whole platform over a real database: who comes in and how, what ends when, what
//! each refusal says, and that the record names every change and no secret.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod credentials;
mod entry;
mod people;
mod providers;
mod record;
