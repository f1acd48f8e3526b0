//! What the SSH port asks: whether a key opens a workspace, the ways in, and until when somebody may stay. A key opens what
//! its owner could open in the console's terminal, and nothing else; whether they still may is asked for every way in.

use base64::Engine as _;
use darter_core::role::{Action, Decision, TokenScope, can};
use darter_core::workspace::lifecycle::State;
use darter_core::workspace::{Door, port};
use darter_core::{Fault, Kind, WorkspaceId};
use darter_engine::workspace::Signal;
use darter_store::{ssh_key, workspace as store};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::time::{Duration, timeout};

use super::Inside;
use super::attendant::send;
use crate::actor::{Person, Via, Who};
use crate::credential::credential_ends;
use crate::workspace::access::Opened;
use crate::workspace::door::spot_of_label;
use crate::{Actor, Origin, Platform};

/// What nobody told this process (another one took a member away) is noticed after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Somebody whose key opens a workspace.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub actor: Actor,
    pub id: WorkspaceId,
}

/// Counts a connection that has not proved anything yet, or says how long to wait.
pub fn knock(platform: &Platform, address: &str) -> Result<(), Fault> {
    platform.guesses.attempt_widely(address, platform.clock.now())
}

/// Who this key belongs to, when they may enter the workspace that `login` names. One question to the database, whatever
/// exists: a name that nobody has costs what a key that opens nothing costs.
pub async fn visitor(
    platform: &Platform,
    (login, fingerprint): (&str, &str),
    origin: Origin,
) -> Result<Option<Visitor>, Fault> {
    let named = spot_of_label(login).filter(|spot| spot.port.is_none()).map(|spot| spot.id);
    let id = named.unwrap_or_else(|| WorkspaceId::generate(&*platform.random));
    let holders = ssh_key::holders(&mut *platform.store.read().await?, &id, fingerprint).await?;
    let open = platform.workspaces.plate(&id).is_some_and(|plate| !plate.recycled);
    let may = |holder: &ssh_key::Holder| can(Some(holder.role), Action::Edit) == Decision::Allow;
    let Some(holder) = holders.into_iter().find(|holder| open && may(holder)) else { return Ok(None) };
    let person = Person {
        account: holder.account,
        username: holder.username,
        administrator: holder.administrator,
        via: Via::SshKey(holder.key),
    };
    Ok(Some(Visitor { actor: Actor { who: Who::Person(person.into()), origin }, id }))
}

/// Somebody is let in: it is written down, and their key's use noted.
pub async fn enter(platform: &Platform, visitor: &Visitor) -> Result<(), Fault> {
    let Visitor { actor, id } = visitor;
    platform.guesses.succeeded_widely(&actor.origin.address);
    let mut opened = Opened::write(platform, actor, id, Action::Edit).await?.not_recycled()?;
    let now = platform.clock.now();
    store::used(&mut opened.tx, id, now).await?;
    if let Some(Person { account, via: Via::SshKey(key), .. }) = actor.person() {
        ssh_key::used(&mut opened.tx, account, key, now).await?;
    }
    opened.audit("workspace.ssh", "", json!({ "key": actor.credential() })).await?;
    Ok(opened.tx.commit().await?)
}

async fn allowed(platform: &Platform, visitor: &Visitor) -> Result<(), Fault> {
    let right = (Action::Edit, TokenScope::Write);
    Opened::read_as(platform, &visitor.actor, &visitor.id, right).await.map(|_| ())
}

/// A program: the client's end of a WebSocket, as `docs/reference/attendant.md` describes `/v1/exec`.
pub async fn exec(platform: &Platform, visitor: &Visitor) -> Result<Inside, Fault> {
    let mut key = [0; 16];
    platform.random.fill(&mut key);
    let key = base64::engine::general_purpose::STANDARD.encode(key);
    let headers = [("upgrade", "websocket"), ("sec-websocket-version", "13"), ("sec-websocket-key", &key)];
    upgraded(platform, visitor, ("/v1/exec", &headers)).await
}

/// Files, as SFTP speaks of them.
pub async fn sftp(platform: &Platform, visitor: &Visitor) -> Result<Inside, Fault> {
    upgraded(platform, visitor, ("/v1/sftp", &[("upgrade", "sftp")])).await
}

async fn upgraded(
    platform: &Platform,
    visitor: &Visitor,
    (target, headers): (&str, &[(&str, &str)]),
) -> Result<Inside, Fault> {
    allowed(platform, visitor).await?;
    let request = Request::builder().uri(target).header("host", "attendant").header("connection", "upgrade");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let request = request.body(Empty::<bytes::Bytes>::new()).map_err(Fault::internal)?;
    let answer = send(platform, &visitor.id, request).await?;
    if answer.response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(closed(&"no upgrade"));
    }
    let stream = hyper::upgrade::on(answer.response).await.map_err(|error| closed(&error))?;
    Ok(Inside::new(TokioIo::new(stream), answer.lease))
}

fn closed(cause: &dyn std::fmt::Display) -> Fault {
    let message = "The workspace does not open this connection. Try again; if it stays, restart the workspace.";
    Fault::new(Kind::Unavailable, "workspace.no_socket", message).retry_after(1).caused_by(cause)
}

/// A port inside, whoever listens there.
pub async fn connect(platform: &Platform, visitor: &Visitor, to: u16) -> Result<Inside, Fault> {
    port::validate(to)?;
    allowed(platform, visitor).await?;
    let connection = platform.workspaces.engine.connect(&visitor.id, Door::Port(to)).await?;
    Ok(Inside::new(connection.stream, connection.lease))
}

/// A person did something: they keep it awake, and wake it up when it is frozen.
pub async fn touched(platform: &Platform, visitor: &Visitor) {
    platform.workspaces.engine.touch(&visitor.id, Signal::Input);
    let state = platform.workspaces.engine.status(&visitor.id).observed.state;
    if matches!(state, State::Pausing | State::Frozen | State::Reclaimed) {
        // Their next connection hears why, if it does not wake up.
        let _ = platform.workspaces.engine.connect(&visitor.id, Door::Attendant).await;
    }
}

/// Resolves when a visitor has to go, with why: their key or their right was taken away, or what they were in was stopped.
pub async fn ends(platform: &Platform, visitor: &Visitor) -> &'static str {
    tokio::select! {
        () = credential_ends(platform, &visitor.actor) => "The SSH key that you came with was taken away.",
        why = leaves(platform, visitor) => why,
    }
}

async fn leaves(platform: &Platform, visitor: &Visitor) -> &'static str {
    let mut changes = platform.workspaces.watch(&visitor.id);
    let mut ran = false;
    loop {
        match platform.workspaces.engine.status(&visitor.id).observed.state {
            State::Running | State::Pausing | State::Frozen | State::Reclaimed => ran = true,
            State::Stopping | State::Stopped | State::Failed if ran => {
                return "The workspace was stopped. Connect again to start it.";
            }
            State::Queued | State::Starting | State::Stopping | State::Stopped | State::Failed => {}
        }
        match allowed(platform, visitor).await {
            Err(fault) if matches!(fault.kind, Kind::NotFound | Kind::Forbidden | Kind::Conflict) => {
                return "You may not enter this workspace any more.";
            }
            // A database that does not answer says nothing about anybody.
            Ok(()) | Err(_) => {}
        }
        let changed = timeout(LOOK_AGAIN, changes.changed()).await;
        if matches!(changed, Ok(Err(_))) {
            // Nobody is left who could tell.
            changes = platform.workspaces.watch(&visitor.id);
        }
    }
}
