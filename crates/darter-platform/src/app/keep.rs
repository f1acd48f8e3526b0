//! Instances that an app shall always have: what its owner has set is made true, again and again.
//!
//! Reads only what is wanted (the routes, which are the store's) and asks the engine for it; the engine ignores what is
//! there already. So it needs no memory of its own, and a server that was killed begins with the same first round.

use darter_core::AppId;

use crate::Platform;

/// Looks after one app.
pub(crate) fn keep(platform: &Platform, app: &AppId) {
    if platform.apps.routes.by_label(app.as_str()).is_some_and(|route| route.is_kept()) {
        platform.engine.warm(app);
    }
}

/// Looks after all of them.
pub fn keep_all(platform: &Platform) {
    for app in platform.apps.routes.kept() {
        platform.engine.warm(&app);
    }
}
