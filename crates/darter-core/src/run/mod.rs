//! A run: one execution of a snippet, and what became of it. Pure values; what happens to a run is decided here.

pub mod limits;
pub mod verdict;

use crate::fault::Fault;
use crate::name::folder_name;

pub use limits::{AskedLimits, RunLimits};
pub use verdict::{Ending, Stop, Verdict};

folder_name! {
    /// The name of a language, which is the name of its recipe's folder: `python`, `c`, `cpp`.
    LanguageName,
    Fault::invalid(
        "language.name_invalid",
        "A language's name has 1 to 40 lower-case letters, digits and hyphens, a letter first."
    )
}
