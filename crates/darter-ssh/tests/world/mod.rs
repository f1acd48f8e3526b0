//! An SSH port over a whole platform, with real sandboxes, and the machine's own `ssh`, `scp`, `sftp` and `rsync` as clients.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part, and ends where something is not as expected"
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use darter_api::account::AddSshKey;
use darter_api::workspace::CreateWorkspace;
use darter_core::role::Role;
use darter_core::workspace::lifecycle::State;
use darter_core::workspace::{Depth, EnvironmentName};
use darter_core::{Clock, Fault, SystemClock, SystemRandom, WorkspaceId};
use darter_engine::config::EgressConfig;
use darter_engine::environment::{EditorKind, Environments, InstalledEnvironment};
use darter_engine::workspace::{AttendantProgram, LocalWorkspaces, Setup, Workspaces, WorkspacesConfig};
use darter_platform::directory::Source;
use darter_platform::workspace::{self, Residents};
use darter_platform::{Actor, Operator, Parts, Platform, PlatformConfig, account};
use darter_sandbox::{Launcher, LauncherConfig, Owner};
use darter_ssh::{HostKey, Server};
use darter_store::logs::{LogOptions, LogStore};
use darter_store::{Store, workspace_member};
use darter_testkit::{FakeDns, FakeEngine};
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

const OWNER: Owner = Owner { uid: 65_534, gid: 65_534 };
/// Nothing here takes this long; a test that waits for what never comes ends.
pub const PATIENCE: Duration = Duration::from_secs(120);

struct Installed(Arc<InstalledEnvironment>);

#[async_trait]
impl Environments for Installed {
    async fn installed(&self, name: &EnvironmentName) -> Result<Arc<InstalledEnvironment>, Fault> {
        let found = (self.0.name == *name).then(|| self.0.clone());
        found.ok_or_else(|| Fault::not_found("environment.not_found", "There is no such environment."))
    }

    fn ready(&self) -> Vec<Arc<InstalledEnvironment>> {
        vec![self.0.clone()]
    }
}

pub struct World {
    pub platform: Arc<Platform>,
    pub engine: Arc<LocalWorkspaces>,
    pub host_key: HostKey,
    pub port: u16,
    pub folder: PathBuf,
    operator: Operator,
}

/// Somebody with an account and a key.
pub struct Person {
    pub actor: Actor,
    /// The private key's file.
    pub key: PathBuf,
    /// Its id in the account.
    pub key_id: String,
}

impl World {
    pub async fn person(&self, name: &str) -> Person {
        let made = self.operator.create_account((name, None), None, (false, true)).await.unwrap();
        let token = made.token.unwrap();
        let mut actor = Actor::by_token(&self.platform, &token).await.unwrap();
        if let darter_platform::Who::Person(person) = &actor.who {
            // A token of all scopes: what a signed-in browser may do.
            let mut person = (**person).clone();
            use darter_core::role::TokenScope::{Admin, Read, Write};
            if let darter_platform::Via::Token(id, _) = person.via {
                person.via = darter_platform::Via::Token(id, vec![Read, Write, Admin]);
            }
            actor.who = darter_platform::Who::Person(Arc::new(person));
        }
        let key = self.folder.join(format!("{name}.key"));
        let made = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(&key)
            .status();
        assert!(made.unwrap().success());
        let public_key = std::fs::read_to_string(key.with_extension("key.pub")).unwrap();
        let input = AddSshKey { public_key, name: None };
        let key_id = account::add_ssh_key(&self.platform, &actor, input).await.unwrap().id;
        Person { actor, key, key_id }
    }

    /// A workspace of this person's that sleeps; returns its id and the login name.
    pub async fn workspace(&self, person: &Person) -> (WorkspaceId, String) {
        let input = CreateWorkspace {
            name: "Thesis".into(),
            environment: "test".into(),
            kind: None,
            depth: Some(Depth::Light),
            limits: None,
            rest: None,
            start: Some(false),
        };
        let made = workspace::create(&self.platform, &person.actor, input).await.unwrap();
        (made.id.parse().unwrap(), format!("{}-{}", person.actor.name(), made.id))
    }

    pub async fn member(&self, id: &WorkspaceId, person: &Person, role: Role) {
        let account = &person.actor.person().unwrap().account;
        let mut tx = self.platform.store.write().await.unwrap();
        workspace_member::set(&mut tx, id, account, (role, 1)).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub fn state(&self, id: &WorkspaceId) -> State {
        self.engine.status(id).observed.state
    }

    /// Options that every client understands.
    pub fn options(&self, key: &Path) -> Vec<String> {
        let known = self.folder.join("known_hosts");
        std::fs::write(&known, self.host_key.known_hosts("127.0.0.1", self.port) + "\n").unwrap();
        let option = |text: String| ["-o".to_owned(), text];
        let all = [
            format!("Port={}", self.port),
            format!("UserKnownHostsFile={}", known.display()),
            "StrictHostKeyChecking=yes".into(),
            format!("IdentityFile={}", key.display()),
            "IdentitiesOnly=yes".into(),
            "IdentityAgent=none".into(),
            "BatchMode=yes".into(),
            "LogLevel=ERROR".into(),
        ];
        [vec!["-F".to_owned(), "none".into()], all.into_iter().flat_map(option).collect()].concat()
    }

    pub fn ssh(&self, key: &Path, login: &str, words: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command.args(self.options(key)).args(["-l", login, "127.0.0.1"]).args(words);
        command.env("LANG", "C").kill_on_drop(true).stdin(Stdio::null());
        command
    }

    pub async fn run(&self, key: &Path, login: &str, words: &[&str]) -> Output {
        finish(&mut self.ssh(key, login, words)).await
    }

    /// What `ssh … COMMAND` prints; it must succeed.
    pub async fn sh(&self, person: &Person, login: &str, command: &str) -> String {
        let output = self.run(&person.key, login, &[command]).await;
        assert!(output.status.success(), "{command}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

pub async fn finish(command: &mut Command) -> Output {
    tokio::time::timeout(PATIENCE, command.output()).await.expect("it ends in time").unwrap()
}

/// Looks again and again until something is so.
pub async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    let watch = async {
        while !look().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, watch).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn attendant() -> PathBuf {
    let test = std::env::current_exe().unwrap().canonicalize().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples/ssh_attendant");
    assert!(program.exists(), "{} is missing: build it with `cargo build --examples`", program.display());
    program
}

/// Runs a test in a world of its own. Must be the first line of a test: it forks.
pub fn world<F: Future<Output = ()>>(test: impl FnOnce(Arc<World>) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().canonicalize().unwrap();
    let program = attendant();
    let mut walls = LauncherConfig::for_data_dir(&data, OWNER);
    walls.readable.push(program.clone());
    walls.uid_base = 1_200_000_000 + std::process::id() % 1_000_000 * 1_000;
    walls.slots = 16;
    let launcher = Launcher::fork_in_test(walls).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let launcher = launcher.connect().await.unwrap();
        let residents = Residents::new();
        let environment = environment(&data);
        let mut config = WorkspacesConfig::default();
        (config.pool.least, config.pool.most) = (0, 0);
        let engine = LocalWorkspaces::start(Setup {
            folder: data.join("workspaces"),
            config,
            egress: EgressConfig::default(),
            launcher: launcher.clone(),
            attendant: AttendantProgram { file: program.clone(), arguments: Vec::new() },
            source: residents.clone(),
            environments: Arc::new(Installed(environment.clone())),
            clock: Arc::new(SystemClock),
            files_owner: Some((OWNER.uid, OWNER.gid)),
        })
        .unwrap();
        let platform = platform(&data, (engine.clone(), environment), &residents).await;
        let host_key = HostKey::open(&data, &SystemRandom).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let server = tokio::spawn(Server::new(platform.clone(), &host_key).serve(listener, stop.clone()));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let operator = Operator { store: platform.store.clone(), clock, random: Arc::new(SystemRandom) };
        let world = World { platform, engine: engine.clone(), host_key, port, folder: data.clone(), operator };
        test(Arc::new(world)).await;
        stop.cancel();
        tokio::time::timeout(PATIENCE, server).await.expect("every client goes").unwrap();
        engine.shutdown(5_000).await;
        launcher.close().await;
    });
}

fn environment(data: &Path) -> Arc<InstalledEnvironment> {
    let root = data.join("environments/test");
    std::fs::create_dir_all(&root).unwrap();
    Arc::new(InstalledEnvironment {
        name: "test".parse().unwrap(),
        digest: "digest-of-test".into(),
        root,
        system: None,
        kind: EditorKind::Vscode,
        argv: vec!["/bin/sleep".into(), "infinity".into()],
        env: Vec::new(),
        descriptor: None,
        ready: None,
        warm: false,
        language_servers: BTreeMap::new(),
        memory_hint: 1 << 20,
    })
}

async fn platform(
    data: &Path,
    (engine, environment): (Arc<LocalWorkspaces>, Arc<InstalledEnvironment>),
    residents: &Arc<Residents>,
) -> Arc<Platform> {
    // Fails only when it is there already, and then it is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let logs = LogStore::open(LogOptions::new(data.join("logs")), clock.clone()).unwrap();
    let source = Source::new(logs.clone());
    let parts = Parts {
        data: data.to_owned(),
        store: Store::open_file(&data.join("control.db")).await.unwrap(),
        config: PlatformConfig::default(),
        clock,
        random: Arc::new(SystemRandom),
        engine: Arc::new(FakeEngine::default()),
        workspaces: engine,
        environments: Arc::new(Installed(environment)),
        runs: Arc::new(darter_testkit::FakeRuns::default()),
        logs,
        resolver: Arc::new(FakeDns::default()),
        doctor: Box::new(Vec::new),
    };
    let platform = Platform::open(parts).await.unwrap();
    source.connect(&platform);
    residents.connect(&platform);
    platform
}
