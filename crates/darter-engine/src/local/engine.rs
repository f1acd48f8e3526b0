//! The contract, fulfilled by this machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use darter_core::instance::InstanceState;
use darter_core::{AppId, Fault, Millis};
use darter_wire::Lease;
use futures_util::future::join_all;
use tokio::sync::mpsc;

use super::control::Order;
use super::instance::{Instance, Place};
use super::{LocalEngine, Shared};
use crate::contract::{
    Engine, FunctionCode, InstallProgress, InstallRequest, InstanceStatus, LanguageServer, ProjectFile,
};

/// Longest that requests in flight hold up a stop.
const LONGEST_DRAIN: Duration = Duration::from_secs(10);

#[async_trait]
impl Engine for LocalEngine {
    async fn acquire(&self, app: &AppId) -> Result<Lease, Fault> {
        self.shared.acquire(app).await
    }

    async fn publish(&self, app: &AppId, function: FunctionCode) -> Result<(), Fault> {
        let line = Order::Publish { function: &function }.line();
        let (name, version) = (function.name.as_str(), function.version);
        join_all(self.shared.concerned(app, &line).into_iter().map(|instance| {
            let line = line.clone();
            async move {
                // A frozen one is woken up: it must not answer its next request with old code.
                let awake = instance.hold();
                instance.publish(name, version, line).await;
                drop(awake);
            }
        }))
        .await;
        Ok(())
    }

    async fn remove(&self, app: &AppId, name: &str) -> Result<(), Fault> {
        if let Some(app) = self.shared.running(app) {
            for instance in app.instances().iter() {
                instance.versions().remove(name);
            }
        }
        self.shared.order_all(app, Order::Remove { name }.line()).await;
        Ok(())
    }

    async fn environment(&self, app: &AppId, environment: BTreeMap<String, String>) -> Result<(), Fault> {
        self.shared.order_all(app, Order::Environment { env: &environment }.line()).await;
        Ok(())
    }

    async fn draft(&self, app: &AppId, id: &str, function: FunctionCode) -> Result<Lease, Fault> {
        self.shared.lease_knowing(app, &Order::Draft { id, function: &function }.line()).await
    }

    async fn pinned(&self, app: &AppId, function: FunctionCode) -> Result<Lease, Fault> {
        self.shared.lease_knowing(app, &Order::Pin { function: &function }.line()).await
    }

    fn warm(&self, app: &AppId) {
        self.shared.warm(app);
    }

    async fn stop(&self, app: &AppId) {
        self.shared.stop(app, LONGEST_DRAIN).await;
    }

    async fn restart(&self, app: &AppId) {
        self.shared.restart(app).await;
    }

    fn status(&self, app: &AppId) -> Vec<InstanceStatus> {
        self.shared.status(app)
    }

    async fn install(&self, request: InstallRequest) -> Result<mpsc::Receiver<InstallProgress>, Fault> {
        self.shared.install(request)
    }

    async fn language_server(
        &self,
        app: &AppId,
        files: Vec<ProjectFile>,
        dependencies: Option<String>,
    ) -> Result<LanguageServer, Fault> {
        self.shared.language_server(app, files, dependencies).await
    }

    async fn forget(&self, app: &AppId) {
        self.shared.stop(app, Duration::ZERO).await;
        self.shared.meters.remove(app);
        let folder = self.shared.layout.apps.join(app.as_str());
        let removed = tokio::task::spawn_blocking(move || super::layout::remove_tree(&folder)).await;
        if let Ok(Err(error)) = removed {
            tracing::error!(%app, %error, "the files of a deleted app could not be removed; remove its folder by hand");
        }
    }

    async fn shutdown(&self, grace_ms: u64) {
        self.shared.closing.cancel();
        self.shared.pool.close();
        self.shared.runs.close();
        let apps: Vec<AppId> = self.shared.apps.iter().map(|entry| entry.key().clone()).collect();
        let grace = Duration::from_millis(grace_ms);
        join_all(apps.iter().map(|app| self.shared.stop(app, grace))).await;
    }
}

impl Shared {
    /// The instances that an order concerns; those being started get it when they are there.
    fn concerned(&self, app: &AppId, line: &str) -> Vec<Arc<Instance>> {
        let Some(app) = self.running(app) else { return Vec::new() };
        let mut state = app.state();
        state.note(line);
        let live = |instance: &&Arc<Instance>| instance.ladder().state != InstanceState::Stopping;
        app.instances().iter().filter(live).cloned().collect()
    }

    async fn order_all(&self, app: &AppId, line: String) {
        join_all(self.concerned(app, &line).into_iter().map(|instance| {
            let line = line.clone();
            async move {
                let awake = instance.hold();
                instance.order(line).await;
                drop(awake);
            }
        }))
        .await;
    }

    /// A lease on an instance that has carried out this order.
    async fn lease_knowing(self: &Arc<Self>, app: &AppId, line: &str) -> Result<Lease, Fault> {
        let lease = self.acquire(app).await?;
        if let Some(Place(instance)) = lease.guard.downcast_ref::<Place>() {
            instance.order(line.to_owned()).await;
        }
        Ok(lease)
    }

    /// One instance, whose bundle says how many more there shall be: the tick sees to those.
    fn warm(self: &Arc<Self>, app: &AppId) {
        if self.closing.is_cancelled() {
            return;
        }
        let app = self.app(app);
        let start = {
            let mut state = app.state();
            let live = app.instances().iter().any(|instance| instance.ladder().state != InstanceState::Stopping);
            let start = !live && state.starting == 0 && state.pause().is_none() && !state.retired;
            state.starting += u32::from(start);
            start
        };
        if start {
            self.begin_start(&app);
        } else {
            self.retire_if_at_rest(&app);
        }
    }

    async fn stop(&self, app: &AppId, grace: Duration) {
        let Some(app) = self.running(app) else { return };
        {
            let mut state = app.state();
            state.generation += 1;
            state.limits = None;
        }
        join_all(app.instances().iter().map(|instance| {
            let own = Duration::from_millis(instance.limits.total_timeout_ms);
            instance.drain(grace.min(own))
        }))
        .await;
        self.retire_if_at_rest(&app);
    }

    /// The new one first, so that no request waits for nothing; then the old ones finish what they have.
    async fn restart(self: &Arc<Self>, app: &AppId) {
        let Some(app) = self.running(app) else { return };
        let old = app.instances();
        if old.is_empty() && app.state().starting == 0 {
            return;
        }
        let generation = {
            let mut state = app.state();
            if state.retired {
                return;
            }
            // Starts that began with the old bundle are not wanted any more.
            state.generation += 1;
            state.starting += 1;
            state.generation
        };
        let started = self.start_instance(&app).await;
        self.finish_start(&app, generation, started);
        join_all(old.iter().map(|instance| {
            let grace = Duration::from_millis(instance.limits.total_timeout_ms).min(LONGEST_DRAIN);
            instance.drain(grace)
        }))
        .await;
    }

    fn status(&self, app: &AppId) -> Vec<InstanceStatus> {
        let Some(app) = self.running(app) else { return Vec::new() };
        let min = app.state().limits.as_ref().map_or(0, |limits| limits.instances_min) as usize;
        let now = self.clock.now();
        app.instances().iter().enumerate().map(|(index, instance)| describe(instance, index < min, now)).collect()
    }
}

fn describe(instance: &Instance, keep: bool, now: Millis) -> InstanceStatus {
    let ladder = instance.ladder();
    let (in_state, requests_total) = instance.history();
    let since = now - Millis::try_from(in_state.as_millis()).unwrap_or(0);
    let next = ladder.next(&instance.rest(keep));
    // An instance that has just ended uses nothing.
    let usage = instance.sandbox.usage().unwrap_or_default();
    InstanceStatus {
        id: instance.id.clone(),
        state: ladder.state,
        since,
        next: next.map(|(state, ms)| (state, since.saturating_add(Millis::try_from(ms).unwrap_or(Millis::MAX)))),
        in_flight: ladder.in_flight,
        requests_total,
        memory_bytes: usage.memory,
        memory_peak_bytes: usage.memory_peak,
        cpu_usec: usage.cpu_usec,
    }
}
