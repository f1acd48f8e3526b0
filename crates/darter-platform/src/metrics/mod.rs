//! Numbers of apps: counted in memory, kept in the store for 8 days, shown by range.

mod exposition;
mod flush;
mod histogram;
mod query;
mod recorder;
mod scrape;

pub use exposition::Exposition;
pub use flush::{flush_all, remove_old};
pub(crate) use query::day;
pub use query::metrics;
pub use recorder::Recorder;
pub use scrape::metrics_text;
