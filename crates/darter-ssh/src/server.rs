//! The port: accepts, bounds who may be there and for how long without a key, and sends away who has to go.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use darter_platform::workspace::inside::ssh;
use darter_platform::{Origin, Platform};
use russh::keys::{Algorithm, EcdsaCurve, HashAlg};
use russh::{Disconnect, MethodKind, MethodSet, Preferred, SshId, kex};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::HostKey;
use crate::crowd::{Crowd, Place, network};
use crate::gate::{Gate, Gated};
use crate::guest::{Admission, Guest};

/// Connections at a time.
const CONNECTIONS: usize = 512;
/// Of one account.
const OF_ACCOUNT: usize = 32;
/// Without a key so far: of everybody, and of one network.
const STRANGERS: usize = 128;
const STRANGERS_OF_NETWORK: usize = 16;
/// How long one may be here without having shown a key.
const ADMISSION: Duration = Duration::from_secs(30);
/// Every refusal takes as long, whatever is refused.
const REFUSAL: Duration = Duration::from_millis(300);
/// A client that says nothing is asked whether it is there, this often; after three times without an answer it is not.
const ARE_YOU_THERE: Duration = Duration::from_secs(30);
const UNANSWERED: usize = 3;
/// What a client may send ahead in one channel. It also is what comes before a window that the client opens again.
const WINDOW: u32 = 512 << 10;
/// Keys that one may try.
const TRIES: usize = 12;
/// What a client may take to hear that it has to go.
const GOODBYE: Duration = Duration::from_secs(2);
/// Before trying again when no connection can be taken: out of descriptors, most often.
const BREATH: Duration = Duration::from_millis(100);

const KEX: &[kex::Name] = &[
    kex::MLKEM768X25519_SHA256,
    kex::CURVE25519,
    kex::CURVE25519_PRE_RFC_8731,
    kex::DH_G16_SHA512,
    kex::DH_G14_SHA256,
    kex::EXTENSION_SUPPORT_AS_SERVER,
    kex::EXTENSION_OPENSSH_STRICT_KEX_AS_SERVER,
];

/// Of people's keys, too; never with SHA-1.
const KEYS: &[Algorithm] = &[
    Algorithm::Ed25519,
    Algorithm::SkEd25519,
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 },
    Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 },
    Algorithm::SkEcdsaSha2NistP256,
    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
];

fn config(host_key: &HostKey) -> russh::server::Config {
    russh::server::Config {
        server_id: SshId::Standard(Cow::Borrowed("SSH-2.0-Darter")),
        methods: MethodSet::from(&[MethodKind::PublicKey][..]),
        auth_rejection_time: REFUSAL,
        // Every client asks this way first which methods there are.
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![host_key.key().clone()],
        preferred: Preferred { kex: Cow::Borrowed(KEX), key: Cow::Borrowed(KEYS), ..Preferred::DEFAULT },
        window_size: WINDOW,
        channel_buffer_size: 16,
        max_auth_attempts: TRIES,
        inactivity_timeout: None,
        keepalive_interval: Some(ARE_YOU_THERE),
        keepalive_max: UNANSWERED,
        ..russh::server::Config::default()
    }
}

/// The SSH port.
pub struct Server {
    platform: Arc<Platform>,
    config: Arc<russh::server::Config>,
    accounts: Arc<Crowd<String>>,
    networks: Crowd<IpAddr>,
    strangers: Arc<Semaphore>,
    everybody: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// What a connection holds until it has shown a key.
struct Stranger {
    _place: OwnedSemaphorePermit,
    _network: Place<IpAddr>,
}

impl Server {
    pub fn new(platform: Arc<Platform>, host_key: &HostKey) -> Arc<Self> {
        Arc::new(Self {
            platform,
            config: Arc::new(config(host_key)),
            accounts: Arc::new(Crowd::new(OF_ACCOUNT)),
            networks: Crowd::new(STRANGERS_OF_NETWORK),
            strangers: Arc::new(Semaphore::new(STRANGERS)),
            everybody: Arc::new(Semaphore::new(CONNECTIONS)),
            tasks: TaskTracker::new(),
        })
    }

    /// Serves until told to stop; returns when every client has gone.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) => self.take(stream, from, &stop),
                Err(_) => tokio::time::sleep(BREATH).await,
            }
        }
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Whoever finds no place is closed without a word: words cost more than they are worth to a flood.
    fn take(self: &Arc<Self>, stream: TcpStream, from: SocketAddr, stop: &CancellationToken) {
        let places = (
            Arc::clone(&self.everybody).try_acquire_owned(),
            Arc::clone(&self.strangers).try_acquire_owned(),
            self.networks.enter(&network(from.ip())),
        );
        let (Ok(place), Ok(stranger), Some(of_network)) = places else { return };
        if ssh::knock(&self.platform, &from.ip().to_string()).is_err() {
            return;
        }
        let stranger = Stranger { _place: stranger, _network: of_network };
        let (server, stop) = (Arc::clone(self), stop.clone());
        self.tasks.spawn(async move {
            server.serve_one(stream, from, stranger, stop).await;
            drop(place);
        });
    }

    async fn serve_one(&self, stream: TcpStream, from: SocketAddr, stranger: Stranger, stop: CancellationToken) {
        // Keys are small, and each is waited for.
        let _ = stream.set_nodelay(true);
        let (gate, admission) = (Arc::new(Gate::default()), Arc::new(Admission::default()));
        let origin = Origin { address: from.ip().to_string(), user_agent: "ssh".into(), request_id: String::new() };
        let with = (Arc::clone(&admission), Arc::clone(&self.accounts));
        let guest = Guest::new(Arc::clone(&self.platform), origin, Arc::clone(&gate), with);
        let until = tokio::time::Instant::now() + ADMISSION;
        let begun = russh::server::run_stream(Arc::clone(&self.config), Gated::new(stream, Arc::clone(&gate)), guest);
        // A client that is no SSH client has nobody to be told.
        let Ok(Ok(mut session)) = tokio::time::timeout_at(until, begun).await else { return };
        let handle = session.handle();
        let leaves = async {
            if tokio::time::timeout_at(until, admission.entered.notified()).await.is_err() {
                return "No key was shown in time.";
            }
            drop(stranger);
            let Some(visitor) = admission.visitor.get() else { return "" };
            tokio::select! {
                why = ssh::ends(&self.platform, visitor) => why,
                () = stop.cancelled() => "The server is stopping. Connect again in a moment.",
            }
        };
        let why = tokio::select! {
            _ = &mut session => return,
            why = leaves => why,
        };
        let goodbye = async {
            let _ = handle.disconnect(Disconnect::ByApplication, why.into(), String::new()).await;
            let _ = (&mut session).await;
        };
        if tokio::time::timeout(GOODBYE, goodbye).await.is_err() {
            gate.close();
            let _ = session.await;
        }
    }
}
