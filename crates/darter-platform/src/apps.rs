//! What the platform keeps in memory about apps. Everything here is either rebuilt from the store at the start, or
//! may be lost with the process.

use std::sync::Arc;

use darter_core::Millis;
use darter_store::logs::LogStore;

use crate::directory::{Bundles, Routes};
use crate::domain::Resolver;
use crate::function::swap::Turns;
use crate::language::LanguageSessions;
use crate::metrics::{Exposition, Recorder};
use crate::resource::installs::Installs;
use crate::resource::{PackageRegistry, Vault};

/// Bytes of code and environment kept for apps that started lately.
const BUNDLE_BYTES: usize = 32 << 20;

/// The apps side of the platform.
pub struct Apps {
    pub routes: Routes,
    pub logs: LogStore,
    pub(crate) bundles: Bundles,
    pub(crate) vault: Vault,
    pub(crate) turns: Turns,
    pub(crate) installs: Installs,
    pub(crate) packages: PackageRegistry,
    pub(crate) recorder: Recorder,
    pub(crate) exposition: Exposition,
    pub(crate) languages: LanguageSessions,
    pub(crate) resolver: Arc<dyn Resolver>,
}

impl Apps {
    /// Nothing is loaded yet: see `directory::load`.
    pub(crate) fn new(
        logs: LogStore,
        master: &[u8; 32],
        (resolver, packages): (Arc<dyn Resolver>, PackageRegistry),
        now: Millis,
    ) -> Self {
        Self {
            routes: Routes::default(),
            logs,
            bundles: Bundles::new(BUNDLE_BYTES),
            vault: Vault::new(master),
            turns: Turns::default(),
            installs: Installs::default(),
            packages,
            recorder: Recorder::new(now),
            exposition: Exposition::default(),
            languages: LanguageSessions::default(),
            resolver,
        }
    }
}
