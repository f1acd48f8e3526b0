//! Starts a workspace: its bundle, its environment, its turn, a sandbox, its home, its claim, its editor.
//!
//! Runs as a task of its own, so that a caller who goes away does not end what others wait for. Whatever it has made is
//! ended when it is cancelled, before the workspace counts as stopped.

use std::sync::Arc;
use std::time::{Duration, Instant};

use darter_core::Fault;
use darter_core::record::StartPhases;
use darter_core::workspace::Depth;
use darter_core::workspace::lifecycle::{Event, State};
use darter_sandbox::SandboxError;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::attendant::Trouble;
use super::doors::Inner as InnerDoor;
use super::unit::Unit;
use super::workspace::{Inner, Workspace};
use super::{Shared, words};
use crate::environment::InstalledEnvironment;
use crate::local::slot::micros;
use crate::turns::Permit;
use crate::workspace::{KeptHome, Trouble as Told, WorkspaceBundle};

/// Longest that one start keeps another's turn after its sandbox is there.
const TURN: Duration = Duration::from_secs(5);
/// Longest that an attendant may take to be claimed.
const CLAIM: Duration = Duration::from_secs(10);

/// Why a start did not come to its end.
pub(super) enum Failed {
    /// It may not, or cannot now: in words for whoever asked.
    Declined(Fault),
    /// The platform could not make it.
    Broken(String),
    /// The home cannot be mounted.
    Home(String),
    /// Its files are gone, and what was kept of them did not come back: an empty home would look like theirs.
    Lost(Fault),
    /// Its editor does not answer.
    Late,
}

impl From<SandboxError> for Failed {
    fn from(error: SandboxError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<Trouble> for Failed {
    fn from(error: Trouble) -> Self {
        Self::Broken(error.to_string())
    }
}

/// Where the time goes.
struct Phases {
    from: &'static str,
    list: Vec<(String, u64)>,
    at: Instant,
}

impl Phases {
    fn mark(&mut self, name: &str) {
        self.list.push((name.into(), micros(self.at.elapsed())));
        self.at = Instant::now();
    }

    fn so_far(&self) -> StartPhases {
        StartPhases { from: self.from.into(), phases: self.list.clone() }
    }
}

/// One attempt to start a workspace.
struct Attempt {
    shared: Arc<Shared>,
    workspace: Arc<Workspace>,
    cancel: CancellationToken,
    /// Set as soon as there is something to end.
    unit: Option<Arc<Unit>>,
    phases: Phases,
    /// What its owner should know although it runs.
    note: Option<Told>,
}

impl Shared {
    /// Begins a start; the machine is `Queued`.
    pub(super) fn begin(self: &Arc<Self>, workspace: &Arc<Workspace>, inner: &mut Inner) {
        inner.cancel = CancellationToken::new();
        inner.start = None;
        let mut attempt = Attempt {
            shared: Arc::clone(self),
            workspace: Arc::clone(workspace),
            cancel: inner.cancel.clone(),
            unit: None,
            phases: Phases { from: "pool", list: Vec::new(), at: Instant::now() },
            note: None,
        };
        tokio::spawn(async move {
            let cancel = attempt.cancel.clone();
            let outcome = tokio::select! {
                biased;
                () = cancel.cancelled() => None,
                outcome = attempt.run() => Some(outcome),
            };
            attempt.finish(outcome).await;
        });
    }

    /// Tells the attendant to start the editor; telling it again is accepted.
    pub(super) async fn start_editor(&self, workspace: &Arc<Workspace>, unit: &Arc<Unit>) -> Result<(), Trouble> {
        {
            let mut inner = workspace.lock();
            inner.editor.started = true;
            inner.editor.since = Some(Instant::now());
        }
        unit.attendant.post("/v1/editor/start", json!({}), CLAIM).await.map(drop)
    }
}

impl Attempt {
    async fn run(&mut self) -> Result<(), Failed> {
        self.workspace.lock().stale = false;
        let bundle = self.shared.source.load(&self.workspace.id).await.map_err(Failed::Declined)?;
        let environment = self.shared.environments.installed(&bundle.environment).await.map_err(Failed::Declined)?;
        self.phases.mark("bundle");
        let mut permit = self.turn(&bundle).await?;
        self.phases.mark("queue");
        if let Some(kept) = self.kept(&bundle).await? {
            // As long as it takes: others start meanwhile.
            drop(permit);
            self.bring_back(&bundle, kept).await?;
            permit = self.turn(&bundle).await?;
        }
        let unit = self.unit(&environment).await?;
        self.move_in(&bundle, &unit).await?;
        unit.attendant.post("/v1/claim", claim(&bundle, &unit), CLAIM).await?;
        self.phases.mark("claim");
        let full = bundle.depth == Depth::Full;
        let errand = self.open(bundle, &unit);
        let stale = std::mem::take(&mut self.workspace.lock().stale);
        if stale && let Err(fault) = self.shared.refresh(&self.workspace).await {
            tracing::warn!(workspace = %self.workspace.id, %fault, "what was changed during a start takes effect with the next one");
        }
        if full && !errand {
            self.shared.start_editor(&self.workspace, &unit).await?;
            let patience = Duration::from_millis(self.shared.config.ready_timeout_ms);
            tokio::time::timeout(patience, until_it_answers(&unit, permit)).await.map_err(|_| Failed::Late)?;
            self.phases.mark("editor");
            self.workspace.lock().start = Some(self.phases.so_far());
        }
        Ok(())
    }

    /// Waits for its turn; what is seen meanwhile is told.
    async fn turn(&self, bundle: &WorkspaceBundle) -> Result<Permit, Failed> {
        let turn = self.shared.starts.enter(&bundle.owner).map_err(|full| Failed::Declined(words::queue_full(full)))?;
        let permit = turn
            .wait(|place| {
                let mut inner = self.workspace.lock();
                inner.queue = Some(place);
                self.shared.tell(&self.workspace, &inner);
                self.workspace.changed();
            })
            .await;
        let mut inner = self.workspace.lock();
        // Refused only when it was cancelled meanwhile, and then this future is about to be dropped.
        self.shared.apply_if_taken(&self.workspace, &mut inner, Event::Placed);
        Ok(permit)
    }

    /// What its home is to be made of when it is missing. One that is there is never touched.
    async fn kept(&self, bundle: &WorkspaceBundle) -> Result<Option<KeptHome>, Failed> {
        if self.shared.homes.has(&bundle.id) {
            return Ok(None);
        }
        self.shared.source.kept(&bundle.id).await.map_err(Failed::Lost)
    }

    /// Makes the home of its newest snapshot, whole or not at all: whoever dies in the middle finds none again, and begins
    /// anew.
    async fn bring_back(&mut self, bundle: &WorkspaceBundle, kept: KeptHome) -> Result<(), Failed> {
        let shared = &self.shared;
        let unit = shared.unit_for(bundle).await.map_err(Failed::Lost)?;
        shared.make_home(bundle, (unit, kept.files)).await.map_err(Failed::Lost)?;
        self.phases.mark("restore");
        tracing::warn!(workspace = %bundle.id, snapshot = kept.name, "a home was missing and was made of its newest snapshot");
        self.note = Some(words::brought_back(kept.made_at, shared.now()));
        shared.source.brought_back(&bundle.id, &kept.name);
        Ok(())
    }

    /// A sandbox in which an attendant answers: one that waits, or one built now.
    async fn unit(&mut self, environment: &Arc<InstalledEnvironment>) -> Result<Arc<Unit>, Failed> {
        let unit = match self.shared.pool.claim(environment) {
            Some(unit) => {
                self.phases.mark("pool");
                unit
            }
            None => {
                let unit = self.shared.pool.build(environment).await?;
                self.phases.from = "empty";
                self.phases.list.push(("sandbox".into(), micros(unit.built.0)));
                self.phases.list.push(("attendant".into(), micros(unit.built.1)));
                self.phases.at = Instant::now();
                unit
            }
        };
        Ok(Arc::clone(self.unit.insert(Arc::new(unit))))
    }

    /// Brings the home in, sets the walls and opens the way out.
    async fn move_in(&mut self, bundle: &WorkspaceBundle, unit: &Unit) -> Result<(), Failed> {
        let adopted = match unit.take_fresh() {
            Some(fresh) => self.shared.homes.adopt(&self.workspace.id, &fresh, bundle.limits.disk_bytes),
            None => Ok(false),
        };
        if !adopted.map_err(|error| Failed::Home(error.to_string()))? {
            self.bring_home(bundle, unit).await?;
        }
        unit.set_walls(&bundle.limits)?;
        if let Some(egress) = unit.sandbox.take_egress() {
            tokio::spawn(self.shared.proxy(&self.workspace.id).serve(egress));
        }
        self.phases.mark("mount");
        Ok(())
    }

    /// Over the empty home that the sandbox has waited with, if it has.
    async fn bring_home(&mut self, bundle: &WorkspaceBundle, unit: &Unit) -> Result<(), Failed> {
        let (id, shared) = (&self.workspace.id, &self.shared);
        let home = shared.homes.bind(id, bundle.limits.disk_bytes, &shared.launcher).await;
        let home = home.map_err(|error| Failed::Home(error.to_string()))?;
        self.phases.mark("home");
        unit.sandbox.attach(vec![home]).await.map_err(|error| match error {
            error @ SandboxError::Build { .. } => Failed::Home(error.to_string()),
            error => error.into(),
        })
    }

    /// From here on its doors can be knocked at: bytes wait in the backlog until the editor takes them. True: it is up for
    /// an errand only.
    fn open(&self, bundle: WorkspaceBundle, unit: &Arc<Unit>) -> bool {
        let mut inner = self.workspace.lock();
        let now = self.shared.now();
        inner.bundle = Some(bundle);
        inner.unit = Some(Arc::clone(unit));
        inner.ran_from = Some(Instant::now());
        inner.input(now);
        inner.signals.woken_at = now;
        inner.start = Some(self.phases.so_far());
        self.shared.tell(&self.workspace, &inner);
        self.workspace.changed();
        tokio::spawn(Arc::clone(&self.shared).supervise(Arc::clone(&self.workspace), Arc::clone(unit)));
        inner.errand
    }

    /// No other attempt has begun since.
    fn is_current(&self, inner: &Inner) -> bool {
        match (&inner.unit, &self.unit) {
            (Some(own), Some(made)) => Arc::ptr_eq(own, made),
            (Some(_), None) => false,
            (None, _) => true,
        }
    }

    /// What the outcome means; `None`: it was cancelled.
    async fn finish(mut self, outcome: Option<Result<(), Failed>>) {
        if !matches!(outcome, Some(Ok(())))
            && let Some(unit) = &self.unit
        {
            // Its home is free again once this returns.
            unit.sandbox.kill().await;
        }
        let (shared, workspace) = (&self.shared, &self.workspace);
        let mut inner = workspace.lock();
        match outcome {
            // Stopped while it was starting: only now nothing of it runs. One that was open already is ended in order.
            None if inner.life.state == State::Stopping && self.is_current(&inner) => {
                shared.apply_if_taken(workspace, &mut inner, Event::Gone);
            }
            None => {}
            Some(_) if self.cancel.is_cancelled() => {}
            Some(Ok(())) => {
                inner.trouble = self.note.take();
                shared.apply_if_taken(workspace, &mut inner, Event::Ready);
            }
            Some(Err(Failed::Declined(fault))) => {
                inner.failure = Some((inner.attempts, fault));
                shared.apply_if_taken(workspace, &mut inner, Event::Declined);
            }
            Some(Err(failed)) => {
                let late = matches!(failed, Failed::Late);
                let event = if late { Event::Late } else { Event::Crashed { ran_ms: 0, wanted: true } };
                let kind = self.unit.as_ref().map(|unit| unit.environment.kind);
                let lines = self.unit.map(|unit| unit.words.last()).unwrap_or_default();
                inner.trouble = Some(words::of_start(&workspace.id, failed, (lines, kind), shared.now()));
                shared.apply_if_taken(workspace, &mut inner, event);
            }
        }
    }
}

fn claim(bundle: &WorkspaceBundle, unit: &Unit) -> serde_json::Value {
    let mut claim = json!({
        "workspace": bundle.id.as_str(),
        "hostname": bundle.hostname,
        "variables": bundle.variables,
        "shell": unit.environment.shell(),
        "language_servers": unit.environment.language_servers,
        "addresses": {"proxy": bundle.port_address},
    });
    if bundle.depth == Depth::Full {
        claim["editor"] = unit.recipe();
    }
    claim
}

/// An editor that never answers, because of what is in its home perhaps, keeps nobody else from starting.
async fn until_it_answers(unit: &Unit, permit: Permit) {
    let answers = answers(unit);
    tokio::pin!(answers);
    if tokio::time::timeout(TURN, &mut answers).await.is_err() {
        drop(permit);
        answers.await;
    }
}

/// Resolves when the editor answers anything at all: the question waits in the backlog until then.
pub(super) async fn answers(unit: &Unit) {
    loop {
        let answered = async {
            let mut stream = unit.attendant.0.knock(InnerDoor::Editor).await?;
            stream.write_all(b"GET /version HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
            stream.read_u8().await
        };
        if answered.await.is_ok() {
            return;
        }
        // An editor that hangs up is not ready, or crashed and is started again.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
