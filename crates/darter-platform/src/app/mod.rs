//! Apps: making, changing, starting, stopping, removing, moving them between servers.

mod archive;
#[cfg(test)]
mod archive_test;
mod create;
mod export;
pub(crate) mod hostile;
mod import;
mod inspect;
mod keep;
mod purge;
mod state;
mod update;
mod view;

pub use archive::ARCHIVE_LIMIT;
pub use archive::FUNCTION_LIMIT;
pub(crate) use create::SERVER_SECRET;
pub use create::create;
pub use export::{Exported, export};
pub use import::import;
pub(crate) use inspect::word as instance_word;
pub use inspect::{get, instances, list, members};
pub(crate) use keep::keep;
pub use keep::keep_all;
pub(crate) use purge::remove_for_good;
pub use purge::{Steadiness, purge_recycled};
pub use state::{change, purge, restart};
pub use update::update;
pub(crate) use view::app_url;
