//! The gateway's questions, answered by the platform. Only hands on; hot answers come from memory.

use std::sync::Arc;

use async_trait::async_trait;
use darter_core::record::RequestRecord;
use darter_core::{AppId, Fault};
use darter_gateway::{AppRoute, Directory, RouteState};
use darter_platform::Platform;
use darter_platform::directory::{self, Route};
use darter_wire::Lease;

/// The platform as the gateway sees it.
pub struct FrontDoor(pub Arc<Platform>);

fn route(found: &Route) -> Arc<AppRoute> {
    let state = if found.running { RouteState::Running } else { RouteState::Stopped };
    Arc::new(AppRoute { app: found.app.clone(), state, limits: Arc::clone(&found.limits) })
}

#[async_trait]
impl Directory for FrontDoor {
    fn by_label(&self, label: &str) -> Option<Arc<AppRoute>> {
        self.0.apps.routes.by_label(label).map(|found| route(&found))
    }

    fn by_domain(&self, host: &str) -> Option<Arc<AppRoute>> {
        self.0.apps.routes.by_domain(host).map(|found| route(&found))
    }

    async fn acquire(&self, app: &AppId) -> Result<Lease, Fault> {
        directory::acquire(&self.0, app).await
    }

    async fn acquire_version(&self, app: &AppId, function: &str, version: u32) -> Result<Lease, Fault> {
        directory::acquire_version(&self.0, app, function, version).await
    }

    async fn may_view(&self, app: &AppId, token: &str) -> bool {
        directory::may_view(&self.0, app, token).await
    }

    fn record(&self, record: RequestRecord) {
        directory::record(&self.0, &record);
    }
}
