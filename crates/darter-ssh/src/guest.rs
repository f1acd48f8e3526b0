//! One client: proves who it is, and opens channels. Every request is answered here at once and served elsewhere, in the
//! same words: the protocol's library hears nothing else meanwhile.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use darter_platform::workspace::inside::ssh::{self, Visitor};
use darter_platform::{Origin, Platform};
use russh::keys::{Algorithm, HashAlg};
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};
use tokio::sync::{Notify, Semaphore};

use crate::channel::Visit;
use crate::crowd::{Crowd, Place};
use crate::gate::Gate;
use crate::{command, program, relay};

/// Channels of one connection at a time.
const CHANNELS: usize = 64;

/// What the rest of the connection waits for.
#[derive(Default)]
pub(crate) struct Admission {
    pub(crate) visitor: OnceLock<Arc<Visitor>>,
    pub(crate) entered: Notify,
}

pub(crate) struct Guest {
    platform: Arc<Platform>,
    origin: Origin,
    gate: Arc<Gate>,
    admission: Arc<Admission>,
    /// Connections of each account.
    accounts: Arc<Crowd<String>>,
    place: Option<Place<String>>,
    channels: Arc<Semaphore>,
    /// Channels that have said what they want.
    started: HashSet<ChannelId>,
}

impl Guest {
    pub(crate) fn new(
        platform: Arc<Platform>,
        origin: Origin,
        gate: Arc<Gate>,
        (admission, accounts): (Arc<Admission>, Arc<Crowd<String>>),
    ) -> Self {
        let channels = Arc::new(Semaphore::new(CHANNELS));
        Self { platform, origin, gate, admission, accounts, place: None, channels, started: HashSet::new() }
    }

    /// Who this key belongs to. What goes wrong on our side is not told: to a stranger it is one answer more.
    async fn known(&self, login: &str, key: &russh::keys::PublicKey) -> Option<Visitor> {
        let print = key.fingerprint(HashAlg::Sha256).to_string();
        match ssh::visitor(&self.platform, (login, &print), self.origin.clone()).await {
            Ok(visitor) => visitor,
            Err(fault) => {
                tracing::warn!(%fault, cause = ?fault.cause, "whose SSH key this is could not be looked up");
                None
            }
        }
    }

    async fn admit(&mut self, login: &str, key: &russh::keys::PublicKey) -> Option<()> {
        let visitor = self.known(login, key).await?;
        let account = visitor.actor.person()?.account.to_string();
        let place = self.accounts.enter(&account)?;
        if let Err(fault) = ssh::enter(&self.platform, &visitor).await {
            tracing::info!(%fault, cause = ?fault.cause, "an SSH key was good, but not let in");
            return None;
        }
        self.place = Some(place);
        // Somebody proves who they are once; the library asks no more after that.
        let _ = self.admission.visitor.set(Arc::new(visitor));
        self.admission.entered.notify_one();
        Some(())
    }

    fn visit(&self, session: &Session) -> Option<Visit> {
        let visitor = Arc::clone(self.admission.visitor.get()?);
        let (platform, gate) = (Arc::clone(&self.platform), Arc::clone(&self.gate));
        Some(Visit { platform, visitor, gate, handle: session.handle() })
    }

    fn answer(session: &mut Session, channel: ChannelId, granted: bool) -> Result<(), russh::Error> {
        if granted { session.channel_success(channel) } else { session.channel_failure(channel) }
    }
}

/// SHA-1 proves nothing any more.
fn is_sound(algorithm: &Algorithm) -> bool {
    !matches!(algorithm, Algorithm::Rsa { hash: None } | Algorithm::Dsa)
}

impl Handler for Guest {
    type Error = russh::Error;

    async fn auth_publickey_offered(&mut self, login: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        let good = is_sound(offer.algorithm) && self.known(login, offer.public_key).await.is_some();
        Ok(if good { Auth::Accept } else { Auth::reject() })
    }

    async fn auth_publickey(&mut self, login: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let good = is_sound(key.algorithm) && self.admit(login, key.public_key).await.is_some();
        Ok(if good { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let place = Arc::clone(&self.channels).try_acquire_owned();
        let (Ok(place), Some(visit)) = (place, self.visit(session)) else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        reply.accept().await;
        tokio::spawn(async move {
            program::serve(visit, channel).await;
            drop(place);
        });
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _originator: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(port) = u16::try_from(port).ok().filter(|_| command::is_inside(host)) else {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        let place = Arc::clone(&self.channels).try_acquire_owned();
        let (Ok(place), Some(visit)) = (place, self.visit(session)) else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        tokio::spawn(async move {
            match ssh::connect(&visit.platform, &visit.visitor, port).await {
                Ok(inside) => {
                    reply.accept().await;
                    let (inbox, outbox) = visit.split(channel);
                    relay::both_ways(inside, inbox, &outbox, (visit.doing(), relay::GOODBYE)).await;
                    outbox.close().await;
                }
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
            drop(place);
        });
        Ok(())
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        self.started.remove(&channel);
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        Self::answer(session, channel, !self.started.contains(&channel))
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        Self::answer(session, channel, command::may_set(name, value))
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        Self::answer(session, channel, self.started.insert(channel))
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        Self::answer(session, channel, self.started.insert(channel))
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let granted = name == "sftp" && self.started.insert(channel);
        Self::answer(session, channel, granted)
    }

    async fn window_change_request(
        &mut self,
        channel: ChannelId,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        Self::answer(session, channel, true)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        Self::answer(session, channel, false)
    }
}
