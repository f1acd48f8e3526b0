//! A launcher per test, sandboxes that run small programs in it, and a look at the machine afterwards: whatever a test
//! did, nothing may be left behind.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use darter_sandbox::{Bind, Exit, Launcher, LauncherClient, LauncherConfig, Limits, Owner, Profile, Sandbox, Spec};

/// Every profile there is: a way out is tried under each.
pub const ALL_PROFILES: [Profile; 3] = [Profile::Function, Profile::Build, Profile::Workspace];

/// Most of a program's output that is kept; the rest is read and dropped.
const KEEP: u64 = 1 << 20;

/// What a test works with.
pub struct World {
    pub client: LauncherClient,
    pub launcher_pid: i32,
    pub data: tempfile::TempDir,
    pub uid_base: u32,
}

/// The account that owns what install jobs write in tests (`nobody` on every Linux).
pub const OWNER: Owner = Owner { uid: 65_534, gid: 65_534 };

pub fn config(data: &Path) -> LauncherConfig {
    let mut config = LauncherConfig::for_data_dir(&data.canonicalize().unwrap(), OWNER);
    // Tests run side by side: each has user ids of its own.
    config.uid_base = 400_000_000 + std::process::id() % 1_000_000 * 1000;
    config.slots = 64;
    config
}

/// Runs one test: forks a launcher before anything else, and checks afterwards that nothing is left.
pub fn world<F: Future<Output = ()>>(test: impl FnOnce(std::rc::Rc<World>) -> F) {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test builds real sandboxes with all their walls and needs root: run it as root"
    );
    let data = tempfile::tempdir().unwrap();
    let config = config(data.path());
    let uid_base = config.uid_base;
    let launcher = Launcher::fork_in_test(config).unwrap();
    let launcher_pid = launcher.pid();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let client = launcher.connect().await.unwrap();
        // One sandbox comes and goes first, so that what is made once per process is in the baseline.
        run(&client, ["/bin/true"]).await;
        let before = descriptors();
        let mounts = mounts();
        let world = std::rc::Rc::new(World { client: client.clone(), launcher_pid, data, uid_base });
        test(world.clone()).await;
        settles("descriptors of the server are back to the baseline", || descriptors() <= before).await;
        settles("no sandbox's cgroup is left", || left_groups(&client).is_empty()).await;
        settles("no process of a sandbox is left", || processes_of(uid_base).is_empty()).await;
        settles("the host's mounts are as before", || self::mounts() == mounts).await;
        assert!(Path::new(&format!("/proc/{launcher_pid}")).exists(), "the launcher lives");
        drop(world);
        client.close().await;
        assert!(left_folders(&client).is_empty(), "the launcher leaves folders behind: {:?}", left_folders(&client));
    });
}

/// Waits for something that the kernel finishes in its own time, but within a second and a bit.
pub async fn settles(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(3), "it never came true that {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn mounts() -> usize {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap().lines().count()
}

fn folders(client: &LauncherClient) -> Vec<PathBuf> {
    let place = |(_, place): &(String, String)| place.split_once(' ').map(|(_, folder)| PathBuf::from(folder));
    client.abilities().controllers.iter().filter_map(place).filter(|path| path.is_absolute()).collect()
}

fn left_folders(client: &LauncherClient) -> Vec<PathBuf> {
    folders(client).into_iter().filter(|folder| folder.exists()).collect()
}

fn left_groups(client: &LauncherClient) -> Vec<PathBuf> {
    let groups = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect::<Vec<_>>()
    };
    folders(client).into_iter().flat_map(groups).collect()
}

/// Processes that run under a user id of this test's sandboxes.
pub fn processes_of(uid_base: u32) -> Vec<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let ours = |path: &PathBuf| {
        let owner = |status: String| {
            let line = status.lines().find_map(|line| line.strip_prefix("Uid:").map(str::to_owned))?;
            line.split_whitespace().next()?.parse::<u32>().ok()
        };
        let uid = std::fs::read_to_string(path.join("status")).ok().and_then(owner);
        uid.or_else(|| path.metadata().ok().map(|meta| meta.uid()))
            .is_some_and(|uid| (uid_base..uid_base + 1000).contains(&uid))
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.file_name().unwrap().to_str().unwrap().parse::<u32>().is_ok()).filter(ours).collect()
}

/// How a program ended and what it wrote to stdout and stderr.
#[derive(Debug)]
pub struct Ran {
    pub exit: Exit,
    pub output: String,
    /// How much it wrote, kept or not.
    pub written: u64,
}

/// A started program whose output is being read.
pub struct Started {
    pub sandbox: Sandbox,
    output: std::thread::JoinHandle<(Vec<u8>, u64)>,
}

impl Started {
    pub async fn finish(self) -> Ran {
        let exit = self.sandbox.wait().await;
        let (output, written) = tokio::task::spawn_blocking(|| self.output.join().unwrap()).await.unwrap();
        Ran { exit, output: String::from_utf8_lossy(&output).into_owned(), written }
    }
}

fn collect(from: OwnedFd) -> std::thread::JoinHandle<(Vec<u8>, u64)> {
    std::thread::spawn(move || {
        let mut from = std::fs::File::from(from);
        let mut kept = Vec::new();
        let mut written = (&mut from).take(KEEP).read_to_end(&mut kept).unwrap() as u64;
        written += std::io::copy(&mut from, &mut std::io::sink()).unwrap();
        (kept, written)
    })
}

/// Starts a description with its stdout and stderr on one pipe.
pub async fn start(client: &LauncherClient, spec: Spec) -> Started {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let second = write.try_clone().unwrap();
    let sandbox = client.create(spec.fd(1, write).fd(2, second)).await.unwrap();
    Started { sandbox, output: collect(read) }
}

/// Runs a description to its end.
pub async fn run_spec(client: &LauncherClient, spec: Spec) -> Ran {
    start(client, spec).await.finish().await
}

/// Runs a program with the usual limits.
pub async fn run<const N: usize>(client: &LauncherClient, argv: [&str; N]) -> Ran {
    run_spec(client, spec(argv)).await
}

/// A description with limits fit for a test.
pub fn spec<const N: usize>(argv: [&str; N]) -> Spec {
    let mut spec = Spec::new(argv);
    spec.limits = Limits { cpu_millis: 1000, memory: 128 << 20, pids: 64, nofile: 256, fsize: 64 << 20 };
    spec
}

/// A Python program. The host's interpreter is shown read-only.
pub fn python(code: &str) -> Spec {
    let mut spec = spec(["/usr/bin/python3", "-I", "-S", "-c", code]);
    spec.env.push(("PYTHONDONTWRITEBYTECODE".into(), "1".into()));
    spec
}

/// A shell script.
pub fn shell(code: &str) -> Spec {
    spec(["/bin/sh", "-c", code])
}

/// A small C program, compiled once per test and shown to the sandbox as `/program`.
pub fn c_program(world: &World, code: &str) -> Spec {
    let folder = world.data.path().canonicalize().unwrap().join("runtimes");
    std::fs::create_dir_all(&folder).unwrap();
    let (source, program) = (folder.join("program.c"), folder.join("program"));
    std::fs::write(&source, code).unwrap();
    let compiler =
        std::process::Command::new("cc").args(["-O1", "-w", "-o"]).arg(&program).arg(&source).output().unwrap();
    assert!(compiler.status.success(), "{}", String::from_utf8_lossy(&compiler.stderr));
    let mut spec = spec(["/program"]);
    spec.root.binds.push(Bind::read_only(program, "/program"));
    spec
}
