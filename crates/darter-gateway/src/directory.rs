//! What the gateway needs to know, and whom it asks. The platform fulfils it.

use std::sync::Arc;

use async_trait::async_trait;
use darter_core::limits::AppLimits;
use darter_core::record::RequestRecord;
use darter_core::{AppId, Fault};
use darter_wire::Lease;

/// May requests reach the app?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteState {
    Running,
    Stopped,
}

/// An app as the gateway sees it.
#[derive(Debug, Clone)]
pub struct AppRoute {
    pub app: AppId,
    pub state: RouteState,
    pub limits: Arc<AppLimits>,
}

/// Answers from memory.
#[async_trait]
pub trait Directory: Send + Sync + 'static {
    /// The app of an apps-domain label (`a1b2…`). Hot: memory only.
    fn by_label(&self, label: &str) -> Option<Arc<AppRoute>>;
    /// The app of a custom domain (lower case, no port). Hot: memory only.
    fn by_domain(&self, host: &str) -> Option<Arc<AppRoute>>;
    /// A place in an instance.
    async fn acquire(&self, app: &AppId) -> Result<Lease, Fault>;
    /// A place in an instance that knows an old version (`/name@3`).
    async fn acquire_version(&self, app: &AppId, function: &str, version: u32) -> Result<Lease, Fault>;
    /// Is this the token of somebody who may see the app's insides (timings)? Asked only when the request carries a
    /// `darter-token` header, which never enters a sandbox.
    async fn may_view(&self, app: &AppId, token: &str) -> bool;
    /// Takes a finished request. Never blocks.
    fn record(&self, record: RequestRecord);
}
