//! Single files and folders, as the tenant's own shell would see them: a link is followed where a shell would follow it.

pub(crate) mod change;
pub(crate) mod list;
pub(crate) mod open;
pub(crate) mod read;
pub(crate) mod stat;
pub(crate) mod write;
