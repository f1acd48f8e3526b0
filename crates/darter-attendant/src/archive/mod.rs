//! Folders as archives, and archives as folders. An archive from outside is hostile: nothing of it is written before all
//! of it was looked at, and nothing under its final name before all of it is there.

mod check;
mod contents;
mod merge;
pub(crate) mod pack;
pub(crate) mod unpack;
mod writer;
