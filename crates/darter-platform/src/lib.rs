//! Use cases: load, authorise, decide, write, enqueue. One file per verb below one folder per noun.
//!
//! Only here are transactions opened and committed, and only here is decided who may do what. Nothing here may know
//! HTTP, and nothing may reach SQL around `darter-store`.

mod access;
pub mod account;
mod actor;
pub mod app;
mod apps;
pub mod audit;
mod config;
mod credential;
pub mod directory;
pub mod domain;
pub mod draft;
pub mod environment;
pub mod function;
mod guess;
pub mod hostile;
pub mod idempotency;
mod keys;
pub mod language;
pub mod logs;
mod mail;
pub mod metrics;
mod operator;
pub mod page;
mod platform;
pub mod provider;
pub mod resource;
pub mod run;
mod seal;
pub mod server;
pub mod settings;
pub mod upkeep;
pub mod workspace;

pub use actor::{Actor, Origin, Person, Via, Who};
pub use apps::Apps;
pub use config::{ConfigProblem, MailConfig, MailSecurity, PlatformConfig, ProviderConfig, ProviderKind, SecretText};
pub use credential::{SESSION_LIFE, TOKEN_PREFIX, by_cookie, credential_ends};
pub use keys::master_key;
pub use operator::{CreatedByOperator, Operator};
pub use platform::{Parts, Platform};
