//! An upgraded connection between a browser and a workspace: raw bytes both ways until either side ends.
//!
//! It outlives the token that opened it, and not the visit that the token was made from. When the server stops it is closed, and editors connect again by themselves.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use darter_core::WorkspaceId;
use darter_core::workspace::Door;
use http::Response;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

use super::doors::Signal;
use super::frames::Frames;
use super::proof::Proof;
use super::proxy::{Lease, Way};
use crate::phase::upgrade::Upgrade;
use crate::reply::ReplyBody;
use crate::server::Inner;

/// What one side may take to say goodbye after the other has.
const GOODBYE: Duration = Duration::from_secs(5);
/// What is read at once.
const CHUNK: usize = 32 << 10;
/// Typing is reported once in this time.
const REPORT_EVERY: Duration = Duration::from_secs(5);

type Stream = TokioIo<Upgraded>;

/// What an editor's page says over a WebSocket, as far as the platform cares: a frozen workspace is thawed to answer it.
pub(super) struct Talk {
    id: WorkspaceId,
    frames: Frames,
    /// Shorter messages say nothing.
    quiet: u64,
    /// All that is said is a person's doing.
    typed: bool,
    reported: Option<Instant>,
}

impl Talk {
    /// Ports are the tenant's own: whatever is said there is no sign of anybody.
    pub(super) fn of(way: &Way<'_>, path: &str) -> Option<Self> {
        let quiet = match way.door {
            Door::Port(_) => return None,
            Door::Editor if way.route.front.can_wait(path) => return None,
            Door::Editor => way.route.front.keep_alive().unwrap_or_default(),
            // The light editor's page never speaks by itself.
            Door::Attendant => 0,
        };
        let typed = way.door == Door::Editor && way.route.front.is_input(path);
        Some(Self { id: way.route.id.clone(), frames: Frames::default(), quiet, typed, reported: None })
    }

    fn hear(&mut self, inner: &Inner, bytes: &[u8]) {
        if !self.frames.speak(bytes, self.quiet) {
            return;
        }
        inner.doors.touch(&self.id, Signal::Spoke);
        if self.typed && self.reported.is_none_or(|at| at.elapsed() > REPORT_EVERY) {
            inner.doors.touch(&self.id, Signal::Input);
            self.reported = Some(Instant::now());
        }
    }
}

/// Answers the upgrade and moves bytes in a task of its own.
pub(super) fn open(
    inner: &Arc<Inner>,
    upgrade: Upgrade,
    mut reply: Response<Incoming>,
    (lease, talk, proof): (Lease, Option<Talk>, Proof),
) -> Response<ReplyBody> {
    let inside = hyper::upgrade::on(&mut reply);
    let (answer, client) = upgrade.accept(std::mem::take(reply.headers_mut()));
    let task = Arc::clone(inner);
    inner.tasks.spawn(async move {
        task.counters.tunnels.fetch_add(1, Ordering::Relaxed);
        tokio::select! {
            () = run(&task, client, inside, talk) => {}
            () = proof.ends(&task) => {}
            () = task.stopping.cancelled() => {}
        }
        task.counters.tunnels.fetch_sub(1, Ordering::Relaxed);
        drop(lease);
    });
    answer
}

async fn run(inner: &Inner, client: OnUpgrade, inside: OnUpgrade, talk: Option<Talk>) {
    let (Ok(client), Ok(inside)) = tokio::join!(client, inside) else { return };
    let (mut from_client, mut to_client) = tokio::io::split(TokioIo::new(client));
    let (mut from_inside, mut to_inside) = tokio::io::split(TokioIo::new(inside));
    let inwards = inwards(inner, &mut from_client, &mut to_inside, talk);
    let outwards = async {
        let _ = tokio::io::copy(&mut from_inside, &mut to_client).await;
        let _ = to_client.shutdown().await;
    };
    tokio::pin!(inwards, outwards);
    // Whoever ends first, the other may finish its sentence.
    tokio::select! {
        () = &mut inwards => { let _ = tokio::time::timeout(GOODBYE, outwards).await; }
        () = &mut outwards => { let _ = tokio::time::timeout(GOODBYE, inwards).await; }
    }
}

async fn inwards(inner: &Inner, from: &mut ReadHalf<Stream>, to: &mut WriteHalf<Stream>, mut talk: Option<Talk>) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        // First, for who is frozen takes only as much as its socket holds.
        if let Some(talk) = &mut talk {
            talk.hear(inner, &buffer[..length]);
        }
        if to.write_all(&buffer[..length]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
