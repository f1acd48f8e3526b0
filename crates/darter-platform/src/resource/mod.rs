//! What belongs to an app besides code: variables, secrets, dependencies.

mod dependencies;
mod environment;
pub(crate) mod hostile;
mod install;
pub(crate) mod installs;
pub(crate) mod name;
mod registry;
mod search;
mod secrets;
mod variables;
mod vault;

pub use dependencies::{cancel_install, dependencies, set_dependencies, watch_install};
pub(crate) use environment::{environment, server_secret};
pub(crate) use install::interrupt_installs;
pub(crate) use install::start as start_install;
pub use installs::{RunningInstall, install_event};
pub(crate) use registry::PackageRegistry;
pub use search::search_packages;
pub use secrets::{remove_secret, secrets, set_secret};
pub use variables::{remove_variable, set_variable, variables};
pub use vault::Vault;
