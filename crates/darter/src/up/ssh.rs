//! The SSH port: bound before anything starts, served once the platform is there.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use darter_api::system::SshDoor;
use darter_core::SystemRandom;
use darter_platform::Platform;
use darter_ssh::{HostKey, Server};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::failed;
use crate::bad_configuration;
use crate::client::Failure;
use crate::config::{Config, Problem};

/// A port that nobody is served at yet.
pub struct Door {
    listener: TcpListener,
    host_key: HostKey,
    /// What clients are told.
    pub shown: SshDoor,
}

/// Binds the port, or says who has it. `None`: there is no SSH.
pub async fn open(config: &Config, data: &Path) -> Result<Option<Door>, Failure> {
    let Some(address) = config.ssh.address() else { return Ok(None) };
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == ErrorKind::AddrInUse && config.ssh.is_usual() => {
            tracing::warn!(
                "{address} is in use: this server has no SSH. Set ssh.listen to another address, or to nothing"
            );
            return Ok(None);
        }
        Err(error) => {
            let fix = "choose another address, or stop what listens there; empty: no SSH";
            return Err(bad_configuration(&[Problem::new("ssh.listen", format!("{address}: {error}"), fix)]));
        }
    };
    let host_key = HostKey::open(data, &SystemRandom).map_err(failed)?;
    let (host, port) = (config.ssh.host(&config.server.domain), config.ssh.seen_port(listener.local_addr()?.port()));
    let shown = SshDoor {
        known_hosts: host_key.known_hosts(&host, port),
        host,
        port,
        host_key: host_key.public(),
        fingerprint: host_key.fingerprint(),
    };
    Ok(Some(Door { listener, host_key, shown }))
}

impl Door {
    /// Serves until told to stop.
    pub async fn serve(self, platform: Arc<Platform>, stop: CancellationToken) {
        tracing::info!(port = self.shown.port, fingerprint = self.shown.fingerprint, "SSH to workspaces");
        Server::new(platform, &self.host_key).serve(self.listener, stop).await;
    }
}
