//! Bundles of apps that started lately: a cold start must not wait for the store when nothing has changed.
//!
//! Bounded by bytes; the one unused for longest goes first. Holds opened secrets: it must never be logged or shown.
//! A load that began before a change and ends after it is not kept: each change of an app makes a new generation.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use darter_core::AppId;
use darter_engine::AppBundle;

/// A generation at which a load began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(u64);

struct Kept {
    bundle: AppBundle,
    bytes: usize,
    used: u64,
}

#[derive(Default)]
struct State {
    kept: HashMap<AppId, Kept>,
    /// When each app changed last; absent: not since the start.
    changed: HashMap<AppId, u64>,
    bytes: usize,
    ticks: u64,
}

/// The kept bundles.
pub struct Bundles {
    limit: usize,
    state: Mutex<State>,
}

impl Bundles {
    /// Keeps at most `limit` bytes of code.
    pub fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default() }
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.ticks += 1;
        work(&mut state)
    }

    /// The app's bundle, or the generation to load it in.
    pub fn get(&self, app: &AppId) -> Result<AppBundle, Generation> {
        self.with(|state| {
            let ticks = state.ticks;
            match state.kept.get_mut(app) {
                Some(kept) => {
                    kept.used = ticks;
                    Ok(kept.bundle.clone())
                }
                None => Err(Generation(state.changed.get(app).copied().unwrap_or(0))),
            }
        })
    }

    /// Keeps a bundle that was loaded in this generation, unless the app has changed since.
    pub fn keep(&self, bundle: &AppBundle, generation: Generation) {
        let bytes = size(bundle);
        if bytes > self.limit / 4 {
            return;
        }
        self.with(|state| {
            if state.changed.get(&bundle.app).copied().unwrap_or(0) != generation.0 {
                return;
            }
            remove(state, &bundle.app);
            let used = state.ticks;
            state.kept.insert(bundle.app.clone(), Kept { bundle: bundle.clone(), bytes, used });
            state.bytes += bytes;
            while state.bytes > self.limit {
                let oldest = state.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(app, _)| app.clone());
                let Some(oldest) = oldest else { break };
                remove(state, &oldest);
            }
        });
    }

    /// The app has changed: the next start loads it anew. Call it after the commit.
    pub fn changed(&self, app: &AppId) {
        self.with(|state| {
            remove(state, app);
            let ticks = state.ticks;
            state.changed.insert(app.clone(), ticks);
        });
    }
}

fn remove(state: &mut State, app: &AppId) {
    if let Some(kept) = state.kept.remove(app) {
        state.bytes -= kept.bytes;
    }
}

fn size(bundle: &AppBundle) -> usize {
    let functions: usize =
        bundle.functions.iter().map(|code| code.code.len() + code.map.as_ref().map_or(0, String::len) + 256).sum();
    let environment: usize = bundle.environment.iter().map(|(name, value)| name.len() + value.len() + 64).sum();
    functions + environment + 512
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use darter_core::limits::AppLimits;
    use darter_engine::FunctionCode;

    use super::*;

    fn bundle(app: &str, code: usize) -> AppBundle {
        AppBundle {
            app: app.parse().unwrap(),
            environment: BTreeMap::new(),
            secret: String::new(),
            functions: vec![FunctionCode {
                name: "hello".into(),
                version: 1,
                code: "x".repeat(code),
                map: None,
                methods: vec![],
                imports: vec![],
            }],
            dependencies: None,
            limits: Arc::new(AppLimits::default()),
        }
    }

    #[test]
    fn a_load_that_began_before_a_change_is_not_kept() {
        let bundles = Bundles::new(1 << 20);
        let app: AppId = "aaaaaaaaaa".parse().unwrap();
        let generation = bundles.get(&app).unwrap_err();
        bundles.changed(&app);
        bundles.keep(&bundle("aaaaaaaaaa", 10), generation);
        let generation = bundles.get(&app).unwrap_err();
        bundles.keep(&bundle("aaaaaaaaaa", 10), generation);
        assert!(bundles.get(&app).is_ok());
        bundles.changed(&app);
        assert!(bundles.get(&app).is_err());
    }

    #[test]
    fn the_bytes_are_bounded_and_the_least_used_goes_first() {
        let bundles = Bundles::new(10_000);
        for app in ["aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc", "dddddddddd", "ffffffffff"] {
            let generation = bundles.get(&app.parse().unwrap()).unwrap_err();
            bundles.keep(&bundle(app, 1_700), generation);
            assert!(bundles.get(&"aaaaaaaaaa".parse().unwrap()).is_ok(), "the first is used again and again");
        }
        assert!(bundles.get(&"bbbbbbbbbb".parse().unwrap()).is_err());
        assert!(bundles.get(&"dddddddddd".parse().unwrap()).is_ok());
        let generation = bundles.get(&"eeeeeeeeee".parse().unwrap()).unwrap_err();
        bundles.keep(&bundle("eeeeeeeeee", 9_000), generation);
        assert!(bundles.get(&"eeeeeeeeee".parse().unwrap()).is_err(), "one app must not push out all others");
    }
}
