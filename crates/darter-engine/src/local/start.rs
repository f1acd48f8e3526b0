//! Starts instances: claims a runtime, brings the app's packages in, sets its walls, sends its code.

use std::sync::Arc;
use std::time::{Duration, Instant};

use darter_core::record::{Level, StartPhases};
use darter_core::{Fault, Kind};
use darter_sandbox::{Bind, SandboxError};
use darter_wire::Connection;

use super::Shared;
use super::app::App;
use super::control::{Mouth, Order, OrderLimits};
use super::instance::{Birth, Ending, Instance};
use super::pool::From;
use super::slot::{self, Shape, Slot, micros};
use crate::{AppBundle, egress};

/// Tries of one start.
const TRIES: u32 = 3;

impl Shared {
    /// Starts one more instance of an app; `state.starting` counts it already. Runs as a task of its own, so that a
    /// caller who goes away does not end what others wait for.
    pub(super) fn begin_start(self: &Arc<Self>, app: &Arc<App>) {
        let (engine, app) = (Arc::clone(self), Arc::clone(app));
        tokio::spawn(async move {
            let generation = app.state().generation;
            let started = engine.start_instance(&app).await;
            engine.finish_start(&app, generation, started);
        });
    }

    pub(super) fn finish_start(self: &Arc<Self>, app: &Arc<App>, generation: u64, started: Result<Born, Fault>) {
        {
            let mut state = app.state();
            state.starting -= 1;
            state.attempts += 1;
            match started {
                Ok(born) if state.generation == generation => {
                    state.limits = Some(Arc::clone(&born.instance.limits));
                    app.add(&mut state, &born.instance);
                    self.supervise(born);
                }
                Ok(born) => {
                    born.instance.kill(Ending::Wanted);
                    self.supervise(born);
                    let stopped = Fault::new(
                        Kind::Unavailable,
                        "app.stopped",
                        "The app was stopped while it was starting. Try again.",
                    );
                    state.failure = Some((state.attempts, stopped.retry_after(1)));
                }
                Err(fault) => state.failure = Some((state.attempts, fault)),
            }
            if state.starting == 0 {
                state.journal.clear();
            }
        }
        app.wake_all();
        self.retire_if_at_rest(app);
    }

    fn supervise(self: &Arc<Self>, born: Born) {
        tokio::spawn(born.instance.supervise(Arc::clone(self), born.ear, born.pipes));
        self.alive.notify_one();
    }

    /// Loads the bundle and tries a few times to make an instance of it.
    pub(super) async fn start_instance(&self, app: &Arc<App>) -> Result<Born, Fault> {
        let begun = Instant::now();
        let bundle = self.source.load(&app.id).await?;
        let loaded = micros(begun.elapsed());
        let mut last = None;
        for attempt in 0..TRIES {
            match self.make_instance(app, &bundle, loaded).await {
                Ok(born) => return Ok(born),
                Err(SandboxError::LauncherGone) => {
                    last = Some(SandboxError::LauncherGone);
                    break;
                }
                Err(error) => {
                    tracing::warn!(app = %app.id, attempt, %error, "starting an instance failed");
                    last = Some(error);
                    tokio::time::sleep(Duration::from_millis(20) * attempt).await;
                }
            }
        }
        self.tell(
            &app.id,
            Level::Error,
            "The app could not be started: the platform could not make a sandbox for it. Its operator's log says why."
                .into(),
        );
        let fault = Fault::new(
            Kind::Unavailable,
            "app.start_failed",
            "The app could not be started just now. Try again; if it stays, tell the operator of this server.",
        );
        Err(fault.retry_after(2).caused_by(last.map_or_else(String::new, |error| error.to_string())))
    }

    async fn make_instance(&self, app: &Arc<App>, bundle: &AppBundle, loaded: u64) -> Result<Born, SandboxError> {
        let mut clock = Phases { list: vec![("bundle".into(), loaded)], at: Instant::now() };
        let (slot, from) = self.pool.claim(Shape::of(&bundle.limits)).await?;
        match from {
            From::Pool => clock.mark("pool"),
            From::Empty => {
                clock.list.push(("sandbox".into(), slot.built.0));
                clock.list.push(("runtime".into(), slot.built.1));
                clock.at = Instant::now();
            }
        }
        let Slot { sandbox, wire, ear, mouth, stdout, stderr, .. } = slot;
        if let Some(digest) = &bundle.dependencies {
            sandbox.attach(self.app_mounts(bundle, digest)).await?;
            clock.mark("mount");
        }
        sandbox.set_limits(&slot::limits(&bundle.limits))?;
        clock.mark("limits");
        if let Some(egress) = sandbox.take_egress() {
            tokio::spawn(self.proxy(&app.id).serve(egress));
        }
        let mouth = Mouth::open(mouth);
        if !mouth.say(load_line(bundle)) {
            return Err(SandboxError::Ended);
        }
        clock.mark("load");
        let from = if from == From::Pool { "pool" } else { "empty" };
        let instance = Instance::new(Birth {
            id: format!("{}-{}", app.id, sandbox.id()),
            app: Arc::clone(app),
            limits: Arc::clone(&bundle.limits),
            sandbox,
            connection: Connection::start(wire),
            phases: StartPhases { from: from.into(), phases: clock.list },
            mouth,
            freezer: self.launcher.abilities().freezer,
            versions: bundle.functions.iter().map(|function| (function.name.clone(), function.version)).collect(),
        });
        Ok(Born { instance, ear, pipes: (stdout, stderr) })
    }

    fn app_mounts(&self, bundle: &AppBundle, digest: &str) -> Vec<Bind> {
        let folder = self.layout.dependencies(&bundle.app, digest);
        let names = ["node_modules", ".cache"];
        let present = names.into_iter().filter(|name| folder.join(name).is_dir());
        present.map(|name| Bind::read_only(folder.join(name), format!("/app/{name}"))).collect()
    }

    /// The way out of one app's sandboxes.
    pub(super) fn proxy(&self, app: &darter_core::AppId) -> egress::Proxy {
        let config = &self.config.egress;
        let fresh = || Arc::new(egress::Meter::new(config.connections, config.rate, config.burst));
        let meter = Arc::clone(&*self.meters.entry(app.clone()).or_insert_with(fresh));
        let wait = (Duration::from_millis(config.connect_timeout_ms), Duration::from_millis(config.idle_timeout_ms));
        egress::Proxy::new(Arc::clone(&self.policy), meter, wait.0, wait.1)
    }
}

/// A new instance, not yet watched.
pub(super) struct Born {
    pub instance: Arc<Instance>,
    ear: super::control::Ear,
    pipes: (tokio::net::unix::pipe::Receiver, tokio::net::unix::pipe::Receiver),
}

struct Phases {
    list: Vec<(String, u64)>,
    at: Instant,
}

impl Phases {
    fn mark(&mut self, name: &str) {
        self.list.push((name.into(), micros(self.at.elapsed())));
        self.at = Instant::now();
    }
}

fn load_line(bundle: &AppBundle) -> String {
    let order = Order::Load {
        appid: bundle.app.as_str(),
        env: &bundle.environment,
        secret: &bundle.secret,
        functions: &bundle.functions,
        module_path: bundle.dependencies.as_ref().map(|_| "/app"),
        limits: OrderLimits {
            request_bytes: bundle.limits.request_body_bytes,
            memory_bytes: bundle.limits.memory_bytes,
        },
    };
    order.line()
}
