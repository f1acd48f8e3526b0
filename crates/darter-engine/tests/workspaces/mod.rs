//! Workspaces in a test: real sandboxes, real homes, the real attendant, and an editor that is thirty lines of Python.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part, and ends where something is not as expected"
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use darter_core::workspace::lifecycle::State;
use darter_core::workspace::{Depth, Door, EnvironmentName, WorkspaceLimits, WorkspaceRest};
use darter_core::{AccountId, Fault, SystemClock, SystemRandom, WorkspaceId};
use darter_engine::config::EgressConfig;
use darter_engine::environment::{EditorKind, Environments, InstalledEnvironment};
use darter_engine::workspace::{
    AttendantProgram, KeptHome, LocalWorkspaces, Observed, Setup, WorkspaceBundle, WorkspaceConnection,
    WorkspaceSource, Workspaces, WorkspacesConfig,
};
use darter_sandbox::{Launcher, LauncherClient, LauncherConfig, Owner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;

const OWNER: Owner = Owner { uid: 65_534, gid: 65_534 };

/// Answers `/sh/<command>` with what the command writes. What makes it misbehave is in its home.
pub const EDITOR: &str = r#"
import http.server, json, os, socket, subprocess, sys, time, urllib.parse
if os.environ.get("DARTER_WARM"):
    told = json.loads(sys.stdin.readline())
    os.environ.update(told["variables"]); os.chdir(told["cwd"])
def asked(name): return os.path.exists("/home/user/." + name)
if asked("crash"):
    print("something in the home is wrong", flush=True); sys.exit(3)
while asked("slow"): time.sleep(0.05)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/sh/"):
            command = urllib.parse.unquote(self.path[4:])
            text = subprocess.run(["/bin/sh", "-c", command], capture_output=True).stdout
        else:
            text = str(os.getpid()).encode()
        self.send_response(200); self.send_header("content-length", str(len(text))); self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_): pass
class Server(http.server.ThreadingHTTPServer):
    def server_bind(self): pass
    def get_request(self): return self.socket.accept()[0], ("", 0)
server = Server(("", 0), Handler, bind_and_activate=False)
server.socket = socket.socket(fileno=int(os.environ["DARTER_LISTEN_FD"]))
server.serve_forever()
"#;

/// Makes the stream of a snapshot whenever it is asked for.
pub type Kept = Box<dyn Fn() -> Result<Option<KeptHome>, Fault> + Send>;

/// The platform's side.
#[derive(Default)]
pub struct Platform {
    bundles: Mutex<BTreeMap<WorkspaceId, WorkspaceBundle>>,
    seen: Mutex<Vec<(WorkspaceId, Observed)>>,
    opened: Mutex<Vec<WorkspaceId>>,
    /// What was kept of homes, as a stream.
    pub kept: Mutex<Option<Kept>>,
    brought_back: Mutex<Vec<String>>,
    told: Notify,
}

#[async_trait]
impl WorkspaceSource for Platform {
    async fn load(&self, id: &WorkspaceId) -> Result<WorkspaceBundle, Fault> {
        let found = self.bundles.lock().unwrap().get(id).cloned();
        found.ok_or_else(|| Fault::not_found("workspace.not_found", "There is no such workspace."))
    }

    async fn kept(&self, _id: &WorkspaceId) -> Result<Option<KeptHome>, Fault> {
        self.kept.lock().unwrap().as_ref().map_or(Ok(None), |kept| kept())
    }

    fn brought_back(&self, _id: &WorkspaceId, kept: &str) {
        self.brought_back.lock().unwrap().push(kept.to_owned());
    }

    fn observed(&self, id: &WorkspaceId, seen: Observed) {
        self.seen.lock().unwrap().push((id.clone(), seen));
        self.told.notify_waiters();
    }

    fn opened(&self, id: &WorkspaceId) {
        self.opened.lock().unwrap().push(id.clone());
    }
}

impl Platform {
    /// Which snapshots homes were made of.
    pub fn brought_back(&self) -> Vec<String> {
        self.brought_back.lock().unwrap().clone()
    }

    /// How often somebody opened it while it was at rest.
    pub fn opened(&self, id: &WorkspaceId) -> usize {
        self.opened.lock().unwrap().iter().filter(|one| *one == id).count()
    }
}

/// What is installed in a test.
pub struct Installed(pub Vec<Arc<InstalledEnvironment>>);

#[async_trait]
impl Environments for Installed {
    async fn installed(&self, name: &EnvironmentName) -> Result<Arc<InstalledEnvironment>, Fault> {
        let found = self.0.iter().find(|one| one.name == *name).cloned();
        found.ok_or_else(|| Fault::not_found("environment.not_found", "There is no such environment."))
    }

    fn ready(&self) -> Vec<Arc<InstalledEnvironment>> {
        self.0.clone()
    }
}

pub struct World {
    pub engine: Arc<LocalWorkspaces>,
    pub platform: Arc<Platform>,
    pub launcher: LauncherClient,
    pub data: PathBuf,
}

/// What a test's workspaces are unless it says otherwise: quick to build, slow to rest.
pub fn bundle() -> WorkspaceBundle {
    WorkspaceBundle {
        id: WorkspaceId::generate(&SystemRandom),
        owner: AccountId::generate(1, &SystemRandom),
        environment: "test".parse().unwrap(),
        depth: Depth::Full,
        limits: Arc::new(WorkspaceLimits {
            memory_bytes: 512 << 20,
            disk_bytes: 64 << 20,
            ..WorkspaceLimits::default()
        }),
        rest: WorkspaceRest::default(),
        variables: [("COLOUR".to_owned(), "teal".to_owned())].into(),
        hostname: "ada".into(),
        port_address: "http://{{port}}-x.example.org".into(),
    }
}

impl World {
    /// Registers a workspace.
    pub fn add(&self, change: impl FnOnce(&mut WorkspaceBundle)) -> WorkspaceId {
        let mut bundle = bundle();
        change(&mut bundle);
        let id = bundle.id.clone();
        self.platform.bundles.lock().unwrap().insert(id.clone(), bundle);
        id
    }

    pub fn change(&self, id: &WorkspaceId, change: impl FnOnce(&mut WorkspaceBundle)) {
        change(self.platform.bundles.lock().unwrap().get_mut(id).unwrap());
    }

    /// What the editor answers to a command that it runs in the workspace's shell.
    pub async fn sh(&self, id: &WorkspaceId, command: &str) -> String {
        let connection = self.engine.connect(id, Door::Editor).await.unwrap();
        let quoted: String = command.bytes().map(|byte| format!("%{byte:02x}")).collect();
        get(connection, &format!("/sh/{quoted}")).await
    }

    /// Resolves with the first thing that was seen of it since the test began and is like this.
    pub async fn sees(&self, id: &WorkspaceId, like: impl Fn(&Observed) -> bool) -> Observed {
        self.sees_after(id, 0, like).await
    }

    /// The same, not counting the first `skip` that were seen of it.
    pub async fn sees_after(&self, id: &WorkspaceId, skip: usize, like: impl Fn(&Observed) -> bool) -> Observed {
        loop {
            let told = self.platform.told.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            let found = {
                let seen = self.platform.seen.lock().unwrap();
                let mut own = seen.iter().filter(|(one, _)| one == id).skip(skip);
                own.find(|(_, seen)| like(seen)).map(|(_, seen)| seen.clone())
            };
            if let Some(found) = found {
                return found;
            }
            told.await;
        }
    }

    /// How much has been seen of it.
    pub fn count(&self, id: &WorkspaceId) -> usize {
        self.platform.seen.lock().unwrap().iter().filter(|(one, _)| one == id).count()
    }

    pub async fn reaches(&self, id: &WorkspaceId, state: State) -> Observed {
        self.sees(id, |seen| seen.state == state).await
    }

    pub fn state(&self, id: &WorkspaceId) -> State {
        self.engine.status(id).observed.state
    }

    /// Resolves when the status is like this; it is no event, so it is asked for.
    pub async fn status_is(&self, id: &WorkspaceId, like: impl Fn(&darter_engine::workspace::WorkspaceStatus) -> bool) {
        while !like(&self.engine.status(id)) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

/// The body of the answer to a request over this connection.
pub async fn get(mut connection: WorkspaceConnection, path: &str) -> String {
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    connection.stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8(answer).unwrap();
    text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}")).1.to_owned()
}

fn environment(root: &Path, name: &str, warm: bool) -> Arc<InstalledEnvironment> {
    let folder = root.join("environments").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("editor.py"), EDITOR).unwrap();
    Arc::new(InstalledEnvironment {
        name: name.parse().unwrap(),
        digest: format!("digest-of-{name}"),
        root: folder.canonicalize().unwrap(),
        system: None,
        kind: EditorKind::Vscode,
        argv: ["/usr/bin/python3", "-I", "/env/editor.py"].map(str::to_owned).into(),
        env: vec![("PYTHONDONTWRITEBYTECODE".into(), "1".into())],
        descriptor: None,
        ready: None,
        warm,
        language_servers: BTreeMap::new(),
        memory_hint: 20 << 20,
    })
}

/// The attendant is built as an example, beside the tests.
pub fn attendant() -> PathBuf {
    let test = std::env::current_exe().unwrap().canonicalize().unwrap();
    let program = test.parent().unwrap().parent().unwrap().join("examples/attendant");
    assert!(program.exists(), "{} is missing: build it with `cargo build --examples`", program.display());
    program
}

/// Runs a test in a world of its own, with the environments `test` and `warm` (whose editor waits to be claimed). Must be
/// the first line of a test: it forks.
pub fn world<F: Future<Output = ()>>(change: impl FnOnce(&mut WorkspacesConfig), test: impl FnOnce(Arc<World>) -> F) {
    let folder = tempfile::tempdir().unwrap();
    world_in(&folder.path().canonicalize().unwrap(), change, test);
}

/// The same over a data directory that may have been used before.
pub fn world_in<F: Future<Output = ()>>(
    data: &Path,
    change: impl FnOnce(&mut WorkspacesConfig),
    test: impl FnOnce(Arc<World>) -> F,
) {
    let program = attendant();
    let mut walls = LauncherConfig::for_data_dir(data, OWNER);
    walls.readable.push(program.clone());
    walls.uid_base = 1_200_000_000 + std::process::id() % 1_000_000 * 1_000;
    walls.slots = 64;
    let launcher = Launcher::fork_in_test(walls).unwrap();
    let mut config = WorkspacesConfig::default();
    config.pool.least = 0;
    config.pool.most = 0;
    change(&mut config);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let launcher = launcher.connect().await.unwrap();
        let world = open(data, config, launcher, &program);
        test(Arc::clone(&world)).await;
        world.engine.shutdown(5_000).await;
        world.launcher.close().await;
    });
}

/// An engine over this data directory.
pub fn open(data: &Path, config: WorkspacesConfig, launcher: LauncherClient, program: &Path) -> Arc<World> {
    let installed = Installed(vec![environment(data, "test", false), environment(data, "warm", true)]);
    open_with(data, config, launcher, program, Arc::new(installed))
}

/// An engine without a pool, of environments that are installed already.
pub fn open_on(
    data: &Path,
    launcher: LauncherClient,
    program: &Path,
    environments: Arc<dyn Environments>,
) -> Arc<World> {
    let mut config = WorkspacesConfig::default();
    config.pool.least = 0;
    config.pool.most = 0;
    open_with(data, config, launcher, program, environments)
}

fn open_with(
    data: &Path,
    config: WorkspacesConfig,
    launcher: LauncherClient,
    program: &Path,
    environments: Arc<dyn Environments>,
) -> Arc<World> {
    let platform = Arc::new(Platform::default());
    let engine = LocalWorkspaces::start(Setup {
        folder: data.join("workspaces"),
        config,
        egress: EgressConfig::default(),
        launcher: launcher.clone(),
        attendant: AttendantProgram { file: program.to_path_buf(), arguments: Vec::new() },
        source: platform.clone(),
        environments,
        clock: Arc::new(SystemClock),
        files_owner: Some((OWNER.uid, OWNER.gid)),
    });
    Arc::new(World { engine: engine.unwrap(), platform, launcher, data: data.to_path_buf() })
}
