//! Accepts connections on descriptor 3 and speaks HTTP/1.1 on them. One thread runs everything that does not wait for a
//! disk. Must never let a connection's failure end another.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use darter_core::clock::SystemClock;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::attendant::Attendant;
use crate::{blocking, passed, route};

/// Most connections at a time; the next wait in the backlog.
const CONNECTIONS: usize = 512;
/// Largest head of a request.
const HEAD: usize = 64 << 10;
/// A thread that waited for a disk goes away after this long without work.
const THREAD_REST: Duration = Duration::from_secs(3);
const THREAD_STACK: usize = 512 << 10;

pub(crate) fn run() -> io::Result<()> {
    let (listener, editor) = passed::sockets()?;
    // The tenant's programs run as the same user: they have no business in our memory. Best effort, it protects no secret.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(blocking::THREADS)
        .thread_keep_alive(THREAD_REST)
        .thread_stack_size(THREAD_STACK)
        .build()?;
    let attendant = Attendant::new(Arc::new(SystemClock), editor);
    runtime.block_on(async move { accept(UnixListener::from_std(listener)?, attendant).await })
}

async fn accept(listener: UnixListener, attendant: Arc<Attendant>) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return Ok(()) };
        match listener.accept().await {
            Ok((stream, _)) => {
                let attendant = attendant.clone();
                tokio::spawn(async move {
                    speak(stream, attendant).await;
                    drop(place);
                });
            }
            // Out of descriptors or memory: somebody else's end makes room.
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn speak(stream: UnixStream, attendant: Arc<Attendant>) {
    let service = service_fn(move |request| route::answer(attendant.clone(), request));
    // A connection that breaks has nobody left to be told.
    let _ = http1::Builder::new()
        .half_close(true)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}
