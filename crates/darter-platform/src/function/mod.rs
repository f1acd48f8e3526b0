//! Functions: drafts, publishing, versions, rolling back.

pub(crate) mod compile;
mod create;
mod diff;
mod inspect;
mod publish;
mod remove;
mod rollback;
pub(crate) mod save;
pub(crate) mod swap;
mod view;

pub use create::create;
pub use diff::diff;
pub use inspect::{get, list, version, versions};
pub(crate) use publish::phase;
pub use publish::publish;
pub use remove::remove;
pub use rollback::rollback;
pub use save::{Save, save};
pub(crate) use view::not_found;
