//! The server's side of the launcher: asks for sandboxes and hears how they end.
//!
//! Never blocks a tokio thread: a message that the socket does not take at once waits in a task of its own.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use crate::channel;
use crate::error::{LaunchError, SandboxError};
use crate::launcher::protocol::{Failure, Groups, Plan, Reply, Request};
use crate::sandbox::{Exit, ExitReason, Sandbox, Usage};
use crate::spec::{Bind, Spec};
use crate::sys;

/// Talks to the launcher process. Cheap to clone. When the last client and the last [`Sandbox`] are gone the launcher
/// ends, too.
#[derive(Clone, Debug)]
pub struct LauncherClient {
    link: Arc<Link>,
}

/// What the launcher found when it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Abilities {
    /// Runs as root: user ids of its own per sandbox.
    pub privileged: bool,
    /// Where each controller lives (`memory`, `v1 /sys/fs/cgroup/memory/…`), or `missing: ` and why.
    pub controllers: Vec<(String, String)>,
    /// Sandboxes can be frozen.
    pub freezer: bool,
    /// Swap exists, so [`Sandbox::reclaim`] has somewhere to put pages.
    pub swap: bool,
    /// Landlock's ABI version; 0 when absent.
    pub landlock: u32,
}

impl LauncherClient {
    /// Builds a sandbox and starts its program. Returns once the program has been executed. Dropping the future
    /// half-way leaves nothing behind: a sandbox nobody waits for is killed.
    pub async fn create(&self, spec: Spec) -> Result<Sandbox, SandboxError> {
        spec.check()?;
        let (plan, fds) = Plan::split(spec);
        let (answer, answered) = oneshot::channel();
        self.link.ask(Pending::Create(answer), fds, |seq| Request::Create { seq, plan: Box::new(plan) })?;
        answered.await.unwrap_or(Err(SandboxError::LauncherGone))
    }

    /// What this machine lets the launcher do.
    pub fn abilities(&self) -> &Abilities {
        &self.link.hub.abilities
    }

    /// Resolves when the launcher process has died (then every sandbox is gone too).
    pub async fn gone(&self) {
        let mut gone = self.link.hub.gone.subscribe();
        // The sender lives as long as we do.
        let _ = gone.wait_for(|gone| *gone).await;
    }

    /// Ends the launcher: kills every sandbox, waits until processes, mounts and cgroups are gone. At most a few
    /// seconds. Every later call answers [`SandboxError::LauncherGone`].
    pub async fn close(&self) {
        // Fails only when the other end has gone already.
        let _ = rustix::net::shutdown(self.link.hub.socket.get_ref(), rustix::net::Shutdown::Write);
        self.gone().await;
        while sys::try_reap(self.link.hub.pid).is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Keeps the tasks of a connection running; they end with the last user.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) hub: Arc<Hub>,
    tasks: [AbortHandle; 2],
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// The connection and who waits for what.
#[derive(Debug)]
pub(crate) struct Hub {
    socket: AsyncFd<OwnedFd>,
    pid: i32,
    abilities: Abilities,
    pub(crate) groups: Groups,
    next: AtomicU64,
    waiting: Mutex<Waiting>,
    /// What the socket did not take at once.
    later: mpsc::UnboundedSender<(Vec<u8>, Vec<OwnedFd>)>,
    gone: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: HashMap<u64, Pending>,
    sandboxes: HashMap<u64, watch::Sender<Option<Exit>>>,
    closed: bool,
}

#[derive(Debug)]
enum Pending {
    Create(oneshot::Sender<Result<Sandbox, SandboxError>>),
    Attach(oneshot::Sender<Result<(), SandboxError>>),
    Reclaim(oneshot::Sender<Result<Option<u64>, SandboxError>>),
}

impl Pending {
    fn fail(self, error: SandboxError) {
        // Whoever asked may have gone; then nobody needs the answer.
        match self {
            Self::Create(answer) => drop(answer.send(Err(error))),
            Self::Attach(answer) => drop(answer.send(Err(error))),
            Self::Reclaim(answer) => drop(answer.send(Err(error))),
        }
    }
}

impl From<Failure> for SandboxError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Build { step, reason } => Self::Build { step, reason },
            Failure::Exec { program, reason } => Self::Exec { program, reason },
            Failure::Ended => Self::Ended,
            Failure::Full(slots) => Self::Full(slots),
        }
    }
}

impl Link {
    fn ask(
        &self,
        pending: Pending,
        fds: Vec<OwnedFd>,
        request: impl FnOnce(u64) -> Request,
    ) -> Result<(), SandboxError> {
        let seq = self.hub.next.fetch_add(1, Ordering::Relaxed);
        let bytes = request(seq).encode();
        if bytes.len() > channel::MAX_MESSAGE {
            return Err(SandboxError::Spec(format!(
                "arguments, environment and files together are {} bytes, more than {}",
                bytes.len(),
                channel::MAX_MESSAGE
            )));
        }
        {
            let mut waiting = self.hub.waiting();
            if waiting.closed {
                return Err(SandboxError::LauncherGone);
            }
            waiting.requests.insert(seq, pending);
        }
        self.hub.post(bytes, fds);
        Ok(())
    }

    pub(crate) async fn attach(&self, id: u64, binds: Vec<Bind>) -> Result<(), SandboxError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Pending::Attach(answer), Vec::new(), |seq| Request::Attach { seq, id, binds })?;
        answered.await.unwrap_or(Err(SandboxError::LauncherGone))
    }

    pub(crate) async fn reclaim(&self, id: u64) -> Result<Option<u64>, SandboxError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Pending::Reclaim(answer), Vec::new(), |seq| Request::Reclaim { seq, id })?;
        answered.await.unwrap_or(Err(SandboxError::LauncherGone))
    }

    pub(crate) fn kill(&self, id: u64) {
        self.hub.post(Request::Kill { id }.encode(), Vec::new());
    }
}

impl Hub {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing panics while holding it, and if it did the maps would still be whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn post(&self, bytes: Vec<u8>, fds: Vec<OwnedFd>) {
        let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
        match channel::send(self.socket.get_ref().as_fd(), &bytes, &borrowed) {
            Ok(()) => {}
            // The writer ends with the last user of the link, and we are one.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => drop(self.later.send((bytes, fds))),
            Err(_) => self.close(),
        }
    }

    /// Everybody who waits learns that the launcher is gone.
    fn close(&self) {
        let Waiting { requests, sandboxes, .. } =
            std::mem::replace(&mut *self.waiting(), Waiting { closed: true, ..Waiting::default() });
        requests.into_values().for_each(|pending| pending.fail(SandboxError::LauncherGone));
        for ended in sandboxes.into_values() {
            let usage = Usage::default();
            ended.send_replace(Some(Exit { reason: ExitReason::LauncherGone, oom_kills: 0, usage }));
        }
    }

    fn hear(&self, link: &std::sync::Weak<Link>, reply: Reply, fds: Vec<OwnedFd>) {
        match reply {
            Reply::Created { seq, id, pid, micros, egress, controls } => {
                let Some(link) = link.upgrade() else { return };
                let (ended, end) = watch::channel(None);
                let sandbox =
                    Sandbox::new(link, (id, pid, Duration::from_micros(micros)), end, (egress, controls, fds));
                let pending = {
                    let mut waiting = self.waiting();
                    waiting.sandboxes.insert(id, ended);
                    waiting.requests.remove(&seq)
                };
                // A sandbox whose asker has gone is dropped here, and so killed.
                if let Some(Pending::Create(answer)) = pending {
                    drop(answer.send(sandbox));
                }
            }
            Reply::Failed { seq, failure } => {
                if let Some(pending) = self.take(seq) {
                    pending.fail(failure.into());
                }
            }
            Reply::Attached { seq } => {
                if let Some(Pending::Attach(answer)) = self.take(seq) {
                    drop(answer.send(Ok(())));
                }
            }
            Reply::Reclaimed { seq, bytes } => {
                if let Some(Pending::Reclaim(answer)) = self.take(seq) {
                    drop(answer.send(Ok(bytes)));
                }
            }
            Reply::Exited { id, reason, oom_kills, usage } => {
                let ended = self.waiting().sandboxes.remove(&id);
                if let Some(ended) = ended {
                    ended.send_replace(Some(Exit { reason, oom_kills, usage }));
                }
            }
            Reply::Refused { why } => tracing::error!(why, "the launcher gave up"),
            Reply::Hello { .. } => tracing::error!("the launcher greeted twice; ignoring it"),
        }
    }

    fn take(&self, seq: u64) -> Option<Pending> {
        self.waiting().requests.remove(&seq)
    }

    async fn read(&self, link: std::sync::Weak<Link>) {
        let mut buffer = vec![0; channel::MAX_MESSAGE];
        while let Ok(Some((reply, fds))) = next(&self.socket, &mut buffer).await {
            self.hear(&link, reply, fds);
        }
        self.close();
        sys::try_reap(self.pid);
        self.gone.send_replace(true);
    }

    async fn write(&self, mut later: mpsc::UnboundedReceiver<(Vec<u8>, Vec<OwnedFd>)>) {
        while let Some((bytes, fds)) = later.recv().await {
            loop {
                let Ok(mut room) = self.socket.writable().await else { return };
                let borrowed: Vec<BorrowedFd<'_>> = fds.iter().map(AsFd::as_fd).collect();
                match room.try_io(|socket| channel::send(socket.get_ref().as_fd(), &bytes, &borrowed)) {
                    Ok(Ok(())) => break,
                    Ok(Err(_)) => return,
                    Err(_still_full) => {}
                }
            }
        }
    }
}

/// The next reply; `None` when the launcher has gone.
async fn next(socket: &AsyncFd<OwnedFd>, buffer: &mut [u8]) -> std::io::Result<Option<(Reply, Vec<OwnedFd>)>> {
    loop {
        let mut ready = socket.readable().await?;
        match ready.try_io(|socket| channel::receive(socket.get_ref().as_fd(), buffer)) {
            Ok(received) => {
                let Some((length, fds)) = received? else { return Ok(None) };
                return match Reply::decode(&buffer[..length]) {
                    Ok(reply) => Ok(Some((reply, fds))),
                    Err(error) => Err(std::io::Error::new(std::io::ErrorKind::InvalidData, error)),
                };
            }
            Err(_not_yet) => {}
        }
    }
}

/// Waits for the launcher's greeting and starts the tasks of the connection.
pub(crate) async fn connect(socket: OwnedFd, pid: i32) -> Result<LauncherClient, LaunchError> {
    let io = |what| move |source| LaunchError::Io { what, source };
    channel::set_nonblocking(&socket).map_err(io("preparing the launcher's socket"))?;
    // SAFETY: the descriptor is owned by the AsyncFd, which never lets go of it before it deregisters.
    #[allow(unsafe_code)]
    let socket = unsafe { AsyncFd::register(socket) };
    let socket = socket.map_err(|error| io("watching the launcher's socket")(error.into()))?;
    let mut buffer = vec![0; channel::MAX_MESSAGE];
    let (abilities, groups) = match next(&socket, &mut buffer).await.map_err(io("hearing from the launcher"))? {
        Some((Reply::Hello { abilities, groups }, _)) => (abilities, groups),
        Some((Reply::Refused { why }, _)) => return Err(LaunchError::Config(why)),
        Some(_) | None => {
            return Err(LaunchError::Config("the launcher ended without a word; see the system log".into()));
        }
    };
    let (later, queue) = mpsc::unbounded_channel();
    let hub = Arc::new(Hub {
        socket,
        pid,
        abilities,
        groups,
        next: AtomicU64::new(1),
        waiting: Mutex::default(),
        later,
        gone: watch::Sender::new(false),
    });
    let (reader, writer) = (hub.clone(), hub.clone());
    let (give_link, take_link) = oneshot::channel::<std::sync::Weak<Link>>();
    let reading = tokio::spawn(async move {
        if let Ok(link) = take_link.await {
            reader.read(link).await;
        }
    });
    let writing = tokio::spawn(async move { writer.write(queue).await });
    let link = Arc::new(Link { hub, tasks: [reading.abort_handle(), writing.abort_handle()] });
    // The reader has just been spawned and waits for exactly this.
    let _ = give_link.send(Arc::downgrade(&link));
    Ok(LauncherClient { link })
}
