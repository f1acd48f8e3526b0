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

/// What is fixed when a runtime is started, and cannot be changed once it belongs to an app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Size of the scratch folders.
    pub disk: u64,
    /// The memory that V8's heap is sized for.
    pub memory: u64,
}

impl Shape {
    pub fn of(limits: &AppLimits) -> Self {
        Self { disk: limits.disk_bytes, memory: limits.memory_bytes }
    }
}

/// V8's share of an app's memory, in MiB: JavaScript that fills it gets an error with V8's words about the heap, before
/// the kernel ends the process without any. V8 takes these only when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heap {
    /// Of objects that have lived for a while.
    pub old: u64,
    /// Of new ones; V8 has up to three of these.
    pub semi: u64,
}

/// What node itself, its threads and small buffers take besides, MiB.
const OUTSIDE: u64 = 24;

impl Heap {
    pub fn within(memory: u64) -> Self {
        let memory = memory >> 20;
        // A power of two, as V8 wants it: 16 from the default of 256 MiB on.
        let semi = (memory / 16).clamp(1, 16);
        let semi = 1 << semi.ilog2();
        Self { old: memory.saturating_sub(OUTSIDE + 3 * semi).max(16), semi }
    }

    fn flags(self) -> [String; 2] {
        [format!("--max-old-space-size={}", self.old), format!("--max-semi-space-size={}", self.semi)]
    }
}

/// A runtime that waits for an app.
pub struct Slot {
    pub shape: Shape,
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
    pub async fn build(&self, shape: Shape) -> Result<Slot, SandboxError> {
        let broken = |step: &str| {
            let step = step.to_owned();
            move |error: std::io::Error| SandboxError::Build { step, reason: error.to_string() }
        };
        let started = Instant::now();
        let (listener, wire) = listen(&self.run).map_err(broken("making the instance's socket"))?;
        let (control, mut ear, mouth) = control::channel().map_err(broken("making the control channel"))?;
        let (out, stdout) = output::pipe().map_err(broken("making a pipe"))?;
        let (err, stderr) = output::pipe().map_err(broken("making a pipe"))?;
        let spec = self.spec(shape).fd(1, out).fd(2, err).fd(LISTEN_FD, listener).fd(CONTROL_FD, control);
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
        Ok(Slot { shape, sandbox, wire, ear, mouth, stdout, stderr, built })
    }

    /// The runtime's command line with the heap's size in it.
    fn argv(&self, memory: u64) -> Vec<String> {
        let (program, rest) =
            self.runtime.argv.split_first().map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
        let flags = Heap::within(memory).flags();
        program.into_iter().chain(flags.iter()).chain(rest).cloned().collect()
    }

    fn spec(&self, shape: Shape) -> Spec {
        let scratch = |share: u64| Scratch { size: shape.disk / 8 * share, inodes: 16_384 };
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
            argv: self.argv(shape.memory),
            env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            cwd: "/work".into(),
            fds: Vec::new(),
            limits: Limits { memory: shape.memory, ..limits(&AppLimits::default()) },
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
    let ended = sandbox.ended().map_or_else(String::new, |exit| format!(" ({})", exit.reason));
    format!("the runtime did not say hello within {} s{ended}. It wrote: {last}", HELLO_DEADLINE.as_secs())
}

/// Whole microseconds.
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heap_fits_into_every_memory_that_an_app_may_have() {
        for mib in [64, 65, 96, 128, 200, 256, 512, 1_024, 8_192] {
            let heap = Heap::within(mib << 20);
            assert!(heap.old + 3 * heap.semi + OUTSIDE <= mib, "{mib}: {heap:?}");
            assert!(heap.old * 5 >= mib * 2, "{mib}: {heap:?}");
            assert!(heap.semi.is_power_of_two());
        }
    }
}
