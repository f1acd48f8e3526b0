//! Repositories, one file per noun, and the migrations: the only SQL of the house. Logs live beside it in files.
//!
//! The same SQL text runs on SQLite and PostgreSQL. Every call says whose data it means ([`AccountId`], [`AppId`] or
//! [`Scope`]), or says in its documentation that it is for the server itself. Nothing here decides who may do what.

pub mod account;
pub mod app;
pub mod audit;
mod codec;
pub mod dependency;
pub mod domain;
pub mod door;
mod error;
pub mod function;
pub mod guess;
pub mod idempotency;
pub mod identity;
pub mod invitation;
pub mod logs;
pub mod member;
pub mod metric;
mod migrations;
pub mod port;
pub mod reset;
mod scope;
pub mod secret;
pub mod session;
pub mod setting;
pub mod snapshot;
pub mod ssh_key;
mod store;
pub mod token;
pub mod variable;
pub mod version;
pub mod workspace;
pub mod workspace_member;
pub mod workspace_observed;

pub use error::{Result, StoreError};
pub use scope::Scope;
pub use store::{Store, Tx};

#[cfg(doc)]
use darter_core::{AccountId, AppId};
