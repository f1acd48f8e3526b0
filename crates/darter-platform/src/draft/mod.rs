//! Running a draft with a chosen request, without publishing anything.

pub(crate) mod hostile;
mod request;
mod start;
mod user_token;

pub use start::run;
