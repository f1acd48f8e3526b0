//! A pre-started runtime: the sandbox is built, node has said hello, and it belongs to nobody yet.
//!
//! A slot becomes one app's instance and is then never anything else.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream as StdStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use darter_core::limits::AppLimits;
use darter_sandbox::{
    CONTROL_FD, LISTEN_FD, LauncherClient, Limits, Profile, Root, Sandbox, SandboxError, Scratch, Spec,
};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::unix::pipe::Receiver;

use super::control::{self, Ear, Word};
use super::output;
use super::runtime::Runtime;

const HELLO_DEADLINE: Duration = Duration::from_secs(20);

/// A runtime that waits for an app.
pub struct Slot {
    pub sandbox: Sandbox,
    pub wire: UnixStream,
    pub ear: Ear,
    pub mouth: OwnedWriteHalf,
    pub stdout: Receiver,
    pub stderr: Receiver,
    /// How long the sandbox and the runtime took, microseconds.
    pub built: (u64, u64),
}

/// Makes slots.
#[derive(Debug, Clone)]
pub struct Builder {
    pub launcher: LauncherClient,
    pub runtime: Runtime,
    pub run: PathBuf,
}

/// The walls of an app.
pub fn limits(app: &AppLimits) -> Limits {
    Limits { cpu_millis: app.cpu_millis, memory: app.memory_bytes, pids: app.pids, nofile: 4_096, fsize: 1 << 30 }
}

impl Builder {
    /// Builds a slot and waits until its runtime says hello.
    pub async fn build(&self, disk: u64) -> Result<Slot, SandboxError> {
        let broken = |step: &str| {
            let step = step.to_owned();
            move |error: std::io::Error| SandboxError::Build { step, reason: error.to_string() }
        };
        let started = Instant::now();
        let (listener, wire) = listen(&self.run).map_err(broken("making the instance's socket"))?;
        let (control, mut ear, mouth) = control::channel().map_err(broken("making the control channel"))?;
        let (out, stdout) = output::pipe().map_err(broken("making a pipe"))?;
        let (err, stderr) = output::pipe().map_err(broken("making a pipe"))?;
        let spec = self.spec(disk).fd(1, out).fd(2, err).fd(LISTEN_FD, listener).fd(CONTROL_FD, control);
        let sandbox = self.launcher.create(spec).await?;
        let made = started.elapsed();
        match tokio::time::timeout(HELLO_DEADLINE, ear.next()).await {
            Ok(Some(Ok(Word::Hello { protocol: 1 }))) => {}
            Ok(_) | Err(_) => {
                let reason = said(stderr, &sandbox).await;
                return Err(SandboxError::Build { step: "starting the runtime".into(), reason });
            }
        }
        let built = (micros(made), micros(started.elapsed().saturating_sub(made)));
        Ok(Slot { sandbox, wire, ear, mouth, stdout, stderr, built })
    }

    fn spec(&self, disk: u64) -> Spec {
        let scratch = |share: u64| Scratch { size: disk / 8 * share, inodes: 16_384 };
        let mut root = function_root();
        root.binds.extend(self.runtime.binds());
        root.attach_points = ["/app/node_modules", "/app/.cache"].map(PathBuf::from).into();
        // /dev/shm is as large as /tmp; the three together are the app's disk.
        root.tmp = scratch(3);
        root.work = scratch(2);
        let proxy = format!("http://{}", darter_sandbox::EGRESS_ADDRESS);
        let env = [
            ("PATH", "/runtime/bin"),
            ("LISTEN_FDS", "1"),
            ("DARTER_CONTROL_FD", "4"),
            ("HOME", "/tmp"),
            ("TMPDIR", "/tmp"),
            ("TZ", "UTC"),
            ("LANG", "C.UTF-8"),
            ("HTTP_PROXY", &proxy),
            ("HTTPS_PROXY", &proxy),
        ];
        Spec {
            root,
            argv: self.runtime.argv.clone(),
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            cwd: "/work".into(),
            fds: Vec::new(),
            limits: Limits { nofile: 4_096, ..limits(&AppLimits::default()) },
            profile: Profile::Function,
            hostname: "app".into(),
            egress: true,
        }
    }
}

/// The host's libraries and certificates, and none of its programs.
fn function_root() -> Root {
    let mut root = Root::host_system();
    let programs = ["/usr", "/bin", "/sbin"].map(Path::new);
    root.binds.retain(|bind| !programs.contains(&bind.target.as_path()));
    for library in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"] {
        let path = Path::new(library);
        if std::fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()) {
            root.binds.push(darter_sandbox::Bind::read_only(path, path));
        }
    }
    root
}

/// The listening socket for the runtime and our connection to it. Its name is gone before anybody else could use it.
fn listen(run: &Path) -> std::io::Result<(UnixListener, UnixStream)> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let folder = File::open(run)?;
    let name = format!("{}-{}.sock", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    // By way of the descriptor, for a socket's path may be no longer than 107 bytes.
    let path = PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()));
    let listener = UnixListener::bind(&path)?;
    let connected = StdStream::connect(&path);
    std::fs::remove_file(&path)?;
    let connected = connected?;
    connected.set_nonblocking(true)?;
    Ok((listener, UnixStream::from_std(connected)?))
}

/// Why a runtime did not say hello, from what it wrote last.
async fn said(stderr: Receiver, sandbox: &Sandbox) -> String {
    sandbox.kill().await;
    let mut last = String::new();
    output::lines(stderr, |line| {
        last.push_str(&line);
        last.push('\n');
        last = control::clamp(std::mem::take(&mut last), 4_096);
    })
    .await;
    format!(
        "the runtime did not say hello within {} s ({:?}). It wrote: {last}",
        HELLO_DEADLINE.as_secs(),
        sandbox.ended().map(|exit| exit.reason)
    )
}

/// Whole microseconds.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
