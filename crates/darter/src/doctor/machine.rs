//! What a server needs besides walls: disk, ports, names, a clock, a runtime.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};

use darter_core::{Clock, SystemClock};
use darter_ssh::HostKey;

use super::{Check, existing};
use crate::command::output::bytes;
use crate::config::Loaded;

/// A full disk is a stopped server; below this it is near.
const ROOM: u64 = 2 << 30;
/// No machine's clock is before this: 2026-01-01.
const YOUNGEST: i64 = 1_767_225_600_000;

pub fn checks(loaded: &Loaded) -> Vec<Check> {
    let server = &loaded.config.server;
    let mut checks = vec![disk(loaded), port("port", server.listen)];
    checks.extend(server.admin_address().map(|address| port("admin port", address)));
    checks.extend(loaded.config.ssh.address().map(|address| port("SSH port", address)));
    checks.extend(host_key(loaded));
    checks.push(name("console's name", &server.domain));
    checks.push(name("apps' names", &format!("a0000000000.{}", server.apps_domain)));
    checks.push(clock());
    checks.push(runtime(loaded));
    checks
}

fn disk(loaded: &Loaded) -> Check {
    let folder = existing(&loaded.data);
    match rustix::fs::statvfs(folder) {
        Err(error) => Check::weak("disk", format!("{}: {error}", folder.display()), "let the server's account read it"),
        Ok(stat) => {
            let free = stat.f_bavail.saturating_mul(stat.f_frsize);
            let detail = format!("{} free for {}", bytes(free), loaded.data.display());
            if free < ROOM {
                Check::weak("disk", detail, "make room: logs, packages and versions need it")
            } else {
                Check::ok("disk", detail)
            }
        }
    }
}

fn port(what: &str, address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => Check::ok(what, format!("{address} is free")),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Check::weak(
            what,
            format!("{address} is in use"),
            "fine if Darter runs already; else choose another address",
        ),
        Err(error) => {
            Check::weak(what, format!("{address}: {error}"), "choose another address, or let the account use it")
        }
    }
}

/// What clients know the server by, when it takes SSH.
fn host_key(loaded: &Loaded) -> Option<Check> {
    loaded.config.ssh.address()?;
    Some(match HostKey::lookup(&loaded.data) {
        Ok(Some(key)) => Check::ok("SSH host key", format!("{} (ed25519)", key.fingerprint())),
        Ok(None) => Check::ok("SSH host key", "`darter up` makes it at its first start"),
        Err(error) => Check::weak("SSH host key", error.to_string(), "start the check as the server's account"),
    })
}

fn name(what: &str, host: &str) -> Check {
    match (host, 0).to_socket_addrs().map(|mut found| found.next()) {
        Ok(Some(address)) => Check::ok(what, format!("{host} is {}", address.ip())),
        Ok(None) | Err(_) if host.ends_with(".localhost") => {
            let detail = format!("this machine's resolver does not know {host}");
            Check::weak(what, detail, "nothing: browsers, curl and darter know *.localhost themselves")
        }
        Ok(None) | Err(_) => {
            Check::weak(what, format!("{host} is not in the DNS"), "make records for the domain and for its wildcard")
        }
    }
}

fn clock() -> Check {
    let now = SystemClock.now();
    let detail = crate::command::output::time(now);
    if now < YOUNGEST {
        return Check::weak("clock", detail, "set the clock: sessions, tokens and certificates depend on it");
    }
    Check::ok("clock", format!("{detail} UTC"))
}

fn runtime(loaded: &Loaded) -> Check {
    let folder = loaded.data.join("runtimes/node");
    let installed = std::fs::read_dir(&folder).map(|entries| entries.filter_map(Result::ok).count()).unwrap_or(0);
    if installed == 0 {
        return Check::weak("node runtime", "not installed yet", "nothing: `darter up` installs it at its first start");
    }
    Check::ok("node runtime", format!("installed in {}", folder.display()))
}
