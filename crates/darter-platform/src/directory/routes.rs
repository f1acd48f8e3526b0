//! Every app's route in memory: what the gateway asks for each request.
//!
//! Loaded in one query at start, changed by use cases after their commit. Must never be asked something that needs
//! the store, and must never hold what is not committed.

use std::sync::Arc;

use darter_core::AppId;
use darter_core::app::AppState;
use darter_core::limits::AppLimits;
use dashmap::DashMap;

/// An app as the front door sees it. Apps in the recycle bin have no route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    pub app: AppId,
    /// Requests reach the app; otherwise they are told that it is stopped.
    pub running: bool,
    pub limits: Arc<AppLimits>,
}

impl Route {
    /// It is to have instances before anybody asks.
    pub fn is_kept(&self) -> bool {
        self.running && self.limits.instances_min > 0
    }
}

/// All routes. About 300 bytes for an app.
#[derive(Debug, Default)]
pub struct Routes {
    labels: DashMap<String, Arc<Route>>,
    domains: DashMap<String, AppId>,
    defaults: Arc<AppLimits>,
}

impl Routes {
    /// The app of a label of the apps domain.
    pub fn by_label(&self, label: &str) -> Option<Arc<Route>> {
        self.labels.get(label).map(|route| Arc::clone(&route))
    }

    /// The app of a verified custom domain, lower case, without a port.
    pub fn by_domain(&self, host: &str) -> Option<Arc<Route>> {
        let app = self.domains.get(host)?.clone();
        self.by_label(app.as_str())
    }

    /// Makes the route what the store says. A state without a route removes it.
    pub fn set(&self, app: &AppId, state: AppState, limits: AppLimits) {
        let running = match state {
            AppState::Running => true,
            AppState::Stopped => false,
            AppState::Recycled => {
                self.labels.remove(app.as_str());
                return;
            }
        };
        // Most apps never change their limits: they share one copy.
        let limits = if limits == *self.defaults { Arc::clone(&self.defaults) } else { Arc::new(limits) };
        self.labels.insert(app.as_str().to_owned(), Arc::new(Route { app: app.clone(), running, limits }));
    }

    /// Serves a verified domain.
    pub fn add_domain(&self, host: &str, app: &AppId) {
        self.domains.insert(host.to_owned(), app.clone());
    }

    /// Stops serving a domain, if it is still this app's.
    pub fn remove_domain(&self, host: &str, app: &AppId) {
        self.domains.remove_if(host, |_, owner| owner == app);
    }

    /// Removes everything of an app that is gone.
    pub fn forget(&self, app: &AppId) {
        self.labels.remove(app.as_str());
        self.domains.retain(|_, owner| owner != app);
    }

    /// Every app that has a route.
    pub fn ids(&self) -> Vec<AppId> {
        self.labels.iter().map(|route| route.app.clone()).collect()
    }

    /// Every app that is to have instances before anybody asks.
    pub fn kept(&self) -> Vec<AppId> {
        self.labels.iter().filter(|route| route.is_kept()).map(|route| route.app.clone()).collect()
    }

    /// How many apps have a route, and how many of them are stopped.
    pub fn count(&self) -> (usize, usize) {
        let stopped = self.labels.iter().filter(|route| !route.running).count();
        (self.labels.len(), stopped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_app_has_no_route_and_a_domain_follows_its_app() {
        let routes = Routes::default();
        let app: AppId = "aaaaaaaaaa".parse().unwrap();
        routes.set(&app, AppState::Running, AppLimits::default());
        routes.add_domain("shop.example.org", &app);
        assert!(routes.by_label("aaaaaaaaaa").unwrap().running);
        assert_eq!(routes.by_domain("shop.example.org").unwrap().app, app);
        routes.set(&app, AppState::Stopped, AppLimits::default());
        assert!(!routes.by_domain("shop.example.org").unwrap().running);
        routes.set(&app, AppState::Recycled, AppLimits::default());
        assert!(routes.by_label("aaaaaaaaaa").is_none() && routes.by_domain("shop.example.org").is_none());
    }

    #[test]
    fn a_domain_is_removed_only_for_the_app_that_has_it() {
        let routes = Routes::default();
        let (ours, theirs): (AppId, AppId) = ("aaaaaaaaaa".parse().unwrap(), "bbbbbbbbbb".parse().unwrap());
        routes.set(&ours, AppState::Running, AppLimits::default());
        routes.add_domain("x.org", &ours);
        routes.remove_domain("x.org", &theirs);
        assert!(routes.by_domain("x.org").is_some());
        routes.forget(&ours);
        assert!(routes.by_domain("x.org").is_none());
    }
}
