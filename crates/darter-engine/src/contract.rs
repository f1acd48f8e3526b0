//! What an engine offers and what it needs. The platform speaks only this; homes (`local`) fulfil it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
pub use darter_core::instance::InstanceState;
use darter_core::limits::AppLimits;
use darter_core::record::LogRecord;
use darter_core::{AppId, Fault, Millis};
use darter_wire::Lease;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// One function's code as the runtime wants it (see `docs/reference/runtime-control.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionCode {
    pub name: String,
    /// 0: a draft.
    pub version: u32,
    pub code: String,
    pub map: Option<String>,
    pub methods: Vec<String>,
    pub imports: Vec<String>,
}

/// Everything that an instance of an app starts from. Law 6: holds only what belongs to this app.
#[derive(Debug, Clone)]
pub struct AppBundle {
    pub app: AppId,
    /// Variables and secrets together, as the app sees them.
    pub environment: BTreeMap<String, String>,
    /// The app's own SERVER_SECRET (signs its users' tokens).
    pub secret: String,
    pub functions: Vec<FunctionCode>,
    /// Digest of the installed dependencies, or None.
    pub dependencies: Option<String>,
    pub limits: Arc<AppLimits>,
}

/// What the engine asks of the platform.
#[async_trait]
pub trait AppSource: Send + Sync + 'static {
    /// The app's current bundle. `app.not_found`, `app.stopped` … when it cannot run.
    async fn load(&self, app: &AppId) -> Result<AppBundle, Fault>;
    /// Takes a log line. Never blocks: a full sink drops and counts.
    fn log(&self, record: LogRecord);
}

/// One instance as its owner may see it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InstanceStatus {
    pub id: String,
    pub state: InstanceState,
    pub since: Millis,
    /// What happens next and when, e.g. `("frozen", …)`.
    pub next: Option<(InstanceState, Millis)>,
    pub in_flight: u32,
    pub requests_total: u64,
    pub memory_bytes: u64,
    pub memory_peak_bytes: u64,
    pub cpu_usec: u64,
}

/// A step of a dependency install.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum InstallProgress {
    /// A line for the person who watches.
    Output { line: String },
    /// A phase began: `resolve`, `download`, `build`, `warm`, `store`.
    Phase { name: String },
    /// The end: what was installed.
    Installed { digest: String, lockfile: String, packages: Vec<InstalledPackage>, bytes: u64 },
    /// The end: what went wrong, in words for the owner.
    Failed { code: String, message: String },
}

/// A package that an install put at the top level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledPackage {
    pub name: String,
    pub version: String,
}

/// What to install.
#[derive(Debug, Clone)]
pub struct InstallRequest {
    pub app: AppId,
    /// `name → version range`, both already checked by shape.
    pub packages: BTreeMap<String, String>,
    /// The lockfile of the last install; kept where it still fits.
    pub lockfile: Option<String>,
}

/// A language server at the other end of a pipe: raw bytes of the Language Server Protocol.
pub struct LanguageServer {
    pub stdin: Box<dyn tokio::io::AsyncWrite + Send + Unpin>,
    pub stdout: Box<dyn tokio::io::AsyncRead + Send + Unpin>,
    /// Ends the server when dropped.
    pub guard: Box<dyn std::any::Any + Send + Sync>,
}

/// A file of an app's project as the language server sees it: `hello.ts`, `api/users.ts`.
#[derive(Debug, Clone)]
pub struct ProjectFile {
    pub path: String,
    pub text: String,
}

/// Places instances. All calls are safe to repeat.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// A place in a live instance: an idle one, a thawed one, a new one, or a wait in the bounded queue.
    /// Faults: `app.not_found`, `app.stopped`, `app.overloaded` (503, retry_after), `app.start_failed` (with the reason).
    async fn acquire(&self, app: &AppId) -> Result<Lease, Fault>;
    /// Swaps a function in every live instance; returns when each has it (or was replaced). Nothing live: returns at once.
    async fn publish(&self, app: &AppId, function: FunctionCode) -> Result<(), Fault>;
    /// Removes a function from every live instance.
    async fn remove(&self, app: &AppId, name: &str) -> Result<(), Fault>;
    /// Replaces the variables in every live instance.
    async fn environment(&self, app: &AppId, environment: BTreeMap<String, String>) -> Result<(), Fault>;
    /// A lease on an instance that knows this draft; send requests with pin `draft:<id>`. Starts the app even when it is
    /// stopped for callers (`for_draft` bundles are loaded through the same source).
    async fn draft(&self, app: &AppId, id: &str, function: FunctionCode) -> Result<Lease, Fault>;
    /// A lease on an instance that knows this old version; send requests with pin `<number>`.
    async fn pinned(&self, app: &AppId, function: FunctionCode) -> Result<Lease, Fault>;
    /// Starts the app's smallest number of instances, when it has one and nothing of it lives: a minimum counts before
    /// the first request comes. Whether they stand is not waited for, and one that cannot start is tried again only when
    /// this is called again.
    fn warm(&self, app: &AppId);
    /// Ends all instances: requests in flight get up to the app's total timeout (at most 10 s) to finish.
    async fn stop(&self, app: &AppId);
    /// Starts anew with a fresh bundle (limits, dependencies changed), old instances drain. Nothing live: nothing happens.
    async fn restart(&self, app: &AppId);
    /// What runs now.
    fn status(&self, app: &AppId) -> Vec<InstanceStatus>;
    /// Installs dependencies in a sandbox; the last message is `Installed` or `Failed`. Dropping the receiver cancels.
    async fn install(&self, request: InstallRequest) -> Result<mpsc::Receiver<InstallProgress>, Fault>;
    /// Starts a TypeScript language server over these files and the app's installed packages, in a sandbox.
    async fn language_server(
        &self,
        app: &AppId,
        files: Vec<ProjectFile>,
        dependencies: Option<String>,
    ) -> Result<LanguageServer, Fault>;
    /// Deletes what the engine keeps on disk for an app that is gone.
    async fn forget(&self, app: &AppId);
    /// Ends everything, draining for at most `grace_ms`.
    async fn shutdown(&self, grace_ms: u64);
}
