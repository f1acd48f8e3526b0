//! The public API's shapes: what the server, the command line and the console say to each other.
//!
//! Only data. Every time is milliseconds since 1970 (UTC), every size bytes, every name snake_case.
//! A field is never removed or given another meaning within `/api/v1`.

pub mod account;
pub mod app;
pub mod audit;
pub mod draft;
pub mod environment;
pub mod error;
pub mod function;
pub mod log;
pub mod page;
pub mod resource;
pub mod run;
pub mod system;
pub mod workspace;
