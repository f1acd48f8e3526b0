//! A session: one person's editor over one WebSocket. Requests run side by side, a bounded number of them with a bounded
//! number of bytes; all that is the session's own ends with it. It must never wait for a program.

mod files;
mod frame;
mod languages;
mod output;
mod programs;
mod searches;
mod terminals;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::SplitStream;
use http::Request as HttpRequest;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_tungstenite::tungstenite::Message;

use crate::activity::Input;
use crate::answer::Answer;
use crate::attendant::Attendant;
use crate::fault::Fault;
use crate::websocket::{self, Socket};
use frame::{Binary, Kind, Request};
pub(crate) use output::{Gone, Output};
use programs::Programs;
use terminals::Views;
use watch::Watches;

/// Requests that run at a time; more wait.
const RUNNING: usize = 64;
/// Bytes of requests and input that are not done with yet.
const INBOX: usize = frame::LARGEST + (8 << 20);
/// Requests whose body is awaited.
const AWAITED: usize = 64;

/// One session's own.
pub(crate) struct Session {
    attendant: Arc<Attendant>,
    output: Output,
    running: Semaphore,
    /// What runs and may be told to stop, by its request.
    stops: Mutex<HashMap<u32, Arc<AtomicBool>>>,
    watches: Watches,
    views: Views,
    programs: Programs,
}

/// What a request came to: its result, and what begins once that is said.
pub(crate) struct Outcome {
    result: Value,
    after: Option<oneshot::Sender<()>>,
}

impl From<Value> for Outcome {
    fn from(result: Value) -> Self {
        Self { result, after: None }
    }
}

pub(crate) fn upgrade(attendant: Arc<Attendant>, request: HttpRequest<Incoming>) -> Answer {
    let place = attendant.sessions.enter()?;
    attendant.changed.notify_waiters();
    websocket::upgrade(request, frame::LARGEST + 5, move |socket| async move {
        run(&attendant, socket).await;
        drop(place);
        attendant.changed.notify_waiters();
    })
}

async fn run(attendant: &Arc<Attendant>, socket: Socket) {
    let (sink, stream) = socket.split();
    let (output, sender) = Output::new(sink);
    let session = Arc::new(Session {
        attendant: attendant.clone(),
        running: Semaphore::new(RUNNING),
        stops: Mutex::default(),
        watches: Watches::new(output.clone()),
        views: Views::default(),
        programs: Programs::default(),
        output,
    });
    tokio::select! {
        () = sender => {}
        () = listen(&session, stream) => {}
    }
    session.end();
}

/// Takes what comes until the peer has gone.
async fn listen(session: &Arc<Session>, mut stream: SplitStream<Socket>) {
    let inbox = Arc::new(Semaphore::new(INBOX));
    let mut awaited: BTreeMap<u32, (Request, OwnedSemaphorePermit)> = BTreeMap::new();
    while let Some(Ok(message)) = stream.next().await {
        let cost = u32::try_from(message.len().clamp(64, INBOX)).unwrap_or(u32::MAX);
        // Closed by nobody.
        let Ok(room) = inbox.clone().acquire_many_owned(cost).await else { return };
        match message {
            Message::Text(text) => match frame::request(text.as_str()) {
                Ok(request) if request.has_body() && awaited.len() < AWAITED => {
                    awaited.insert(request.id, (request, room));
                }
                Ok(request) => begin(session, request, Bytes::new(), room),
                Err((id, fault)) => session.refuse(id, fault).await,
            },
            Message::Binary(bytes) => match frame::binary(bytes) {
                Ok(Binary { kind: Kind::RequestBody, id, payload }) => match awaited.remove(&id) {
                    Some((request, _)) => begin(session, request, payload, room),
                    None => {
                        let fault = Fault::invalid("a body without a request that announced it");
                        session.refuse(Some(id), fault).await;
                    }
                },
                Ok(Binary { kind, id, payload }) => session.input(kind, id, payload, room),
                Err(fault) => session.refuse(None, fault).await,
            },
            Message::Close(_) => return,
            _ => {}
        }
    }
}

/// Runs a request beside the others; its room is given back once it is answered.
fn begin(session: &Arc<Session>, request: Request, body: Bytes, room: OwnedSemaphorePermit) {
    let session = session.clone();
    tokio::spawn(async move {
        let Request { id, method, params } = request;
        // What is quick and must get through however busy the session is.
        let outcome = match method.as_str() {
            "ping" => Ok(json!({}).into()),
            "cancel" => params.id("id").map(|id| session.stop(id)),
            _ => match session.running.acquire().await {
                Ok(_place) => session.do_request(id, &method, params, body).await,
                Err(_) => return,
            },
        };
        // Nobody is left to be told when this fails.
        let _ = session.answer(Some(id), outcome).await;
        drop(room);
    });
}

impl Session {
    async fn do_request(
        self: &Arc<Self>,
        id: u32,
        method: &str,
        params: crate::params::Params,
        body: Bytes,
    ) -> Result<Outcome, Fault> {
        match method.split_once('.') {
            Some(("fs", "watch")) => self.watches.add(&params).await.map(Outcome::from),
            Some(("fs", "unwatch")) => self.watches.remove(&params).await.map(Outcome::from),
            Some(("fs", what)) => files::answer(self, id, what, &params, body).await.map(Outcome::from),
            Some(("search", what)) => searches::answer(self, id, what, &params).await.map(Outcome::from),
            Some(("terminal", what)) => terminals::answer(self, what, &params),
            Some(("program", what)) => programs::answer(self, what, &params),
            Some(("language", what)) => languages::answer(self, what, &params),
            None if method == "activity" => {
                self.attendant.activity.input(Input::named(params.text("kind")?.unwrap_or("editor"))?);
                Ok(json!({}).into())
            }
            _ => Err(Fault::new("request.unknown", format!("`{method}` is nothing that a session does"))),
        }
    }

    async fn answer(&self, id: Option<u32>, outcome: Result<Outcome, Fault>) -> Result<(), Gone> {
        let (answer, after) = match outcome {
            Ok(Outcome { result, after }) => (json!({"id": id, "result": result}), after),
            Err(fault) => (json!({"id": id, "error": {"code": fault.code, "message": fault.message}}), None),
        };
        self.output.send(Message::text(answer.to_string())).await?;
        if let Some(after) = after {
            // Whatever waited for this may have gone.
            let _ = after.send(());
        }
        Ok(())
    }

    async fn refuse(&self, id: Option<u32>, fault: Fault) {
        // Who has gone needs no answer.
        let _ = self.answer(id, Err(fault)).await;
    }

    fn input(&self, kind: Kind, id: u32, payload: Bytes, room: OwnedSemaphorePermit) {
        match kind {
            Kind::TerminalInput => {
                self.attendant.activity.input(Input::Terminal);
                // Typed into a terminal that has just ended: nobody reads it.
                if let Ok(terminal) = self.attendant.terminals.get(id) {
                    terminal.type_in(payload, room);
                }
            }
            Kind::Stdin => self.programs.feed(id, payload, room),
            _ => {}
        }
    }

    fn stops(&self) -> MutexGuard<'_, HashMap<u32, Arc<AtomicBool>>> {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A flag that `cancel` sets, and the session's end; it is known until [`Session::done`].
    fn stoppable(&self, id: u32) -> Arc<AtomicBool> {
        let flag = Arc::new(AtomicBool::new(false));
        self.stops().insert(id, flag.clone());
        flag
    }

    fn done(&self, id: u32) {
        self.stops().remove(&id);
    }

    fn stop(&self, id: u32) -> Outcome {
        if let Some(flag) = self.stops().get(&id) {
            flag.store(true, Ordering::Relaxed);
        }
        json!({}).into()
    }

    fn end(&self) {
        self.output.close();
        self.running.close();
        self.stops().values().for_each(|flag| flag.store(true, Ordering::Relaxed));
        self.watches.end();
        self.programs.end();
        self.views.end(&self.attendant);
    }
}
