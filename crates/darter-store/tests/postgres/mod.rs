//! A PostgreSQL of a test's own: the one of `DARTER_TEST_POSTGRES` (an address with the right to make databases), or
//! Debian's programs over a socket in a temporary folder. Without either the test fails and says so: a repository that
//! was never tried on PostgreSQL is not done.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use darter_store::Store;

/// A running server with an empty database. Ends when dropped.
pub struct Postgres {
    pub url: String,
    server: Option<Child>,
    _folder: Option<tempfile::TempDir>,
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("the server that this test started can be ended");
            server.wait().expect("the server that this test started ends");
        }
    }
}

fn program(name: &str) -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH").iter().flat_map(std::env::split_paths).collect();
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(installed.map(|version| version.path().join("bin")));
    folders.into_iter().map(|folder| folder.join(name)).find(|path| path.exists())
}

/// PostgreSQL refuses to run as root: then it runs as nobody.
fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command
}

fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("Uid:")).unwrap();
    line.split_whitespace().nth(2) == Some("0")
}

/// Starts a server.
pub async fn start() -> Postgres {
    if let Ok(url) = std::env::var("DARTER_TEST_POSTGRES") {
        return Postgres { url, server: None, _folder: None };
    }
    let missing = "PostgreSQL is needed for this test: apt install postgresql, or set DARTER_TEST_POSTGRES to the address of an empty database";
    let (initdb, postgres) = (program("initdb").expect(missing), program("postgres").expect(missing));
    let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
    if is_root() {
        std::os::unix::fs::chown(folder.path(), Some(65_534), Some(65_534)).unwrap();
    }
    let data = folder.path().join("data");
    let made = unprivileged(&initdb)
        .args(["-A", "trust", "-U", "darter", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
        .arg(&data)
        .env("HOME", folder.path())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success(), "initdb failed");
    let socket = folder.path().to_str().unwrap().to_owned();
    let server = unprivileged(&postgres)
        .arg("-D")
        .arg(&data)
        .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c"])
        .arg(format!("unix_socket_directories={socket}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let url = format!("postgres://darter@localhost/postgres?host={}", socket.replace('/', "%2F"));
    let started = Postgres { url, server: Some(server), _folder: Some(folder) };
    started.ready().await;
    started
}

impl Postgres {
    /// The server tells nobody when it is ready but by answering.
    async fn ready(&self) {
        let mut last = String::new();
        for _ in 0..200 {
            match Store::open(&self.url).await {
                Ok(store) => return store.close().await,
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("PostgreSQL did not start: {last}");
    }
}
