//! One program in a sandbox of its own, to its end: what it wrote, what it used, and why it ended.

use std::time::{Duration, Instant};

use darter_core::run::{Ending, RunLimits, Stop};
use darter_sandbox::{Bind, ExitReason, LauncherClient, Limits, Profile, Root, Sandbox, SandboxError, Scratch, Spec};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

use super::bundle::Memory;
use super::{Captured, Language};
use crate::local::output;
use crate::local::slot::micros;

/// How often its processor time is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long output is waited for when the program has ended, and what it left behind still holds the pipe.
const LAST_WORDS: Duration = Duration::from_millis(100);
/// The archive that it works with, and the one that it leaves.
pub const FILES_FD: i32 = 5;
const KEPT_FD: i32 = 6;
/// Unpacks its files, and becomes the program.
const START: &str = "tar -xf - <&5 || exit 125; exec 5<&-; exec \"$@\"";
/// Unpacks its files, compiles them, and packs what is named in `DARTER_KEEP`.
const COMPILE: &str = "tar -xf - <&5 || exit 125; exec 5<&-; \"$@\" 6>&- || exit; exec tar -cf - $DARTER_KEEP >&6";

/// What to execute.
pub struct Execution<'a> {
    pub files: &'a Memory,
    pub argv: Vec<String>,
    pub variables: Vec<(String, String)>,
    pub stdin: Option<&'a Memory>,
    pub binds: Vec<Bind>,
    pub limits: &'a RunLimits,
    /// What a compilation leaves: patterns, and where it is packed into.
    pub keep: Option<(String, &'a Memory)>,
}

/// How it went.
#[derive(Debug, Clone)]
pub struct Executed {
    pub ending: Ending,
    pub signal: Option<i32>,
    pub stdout: Captured,
    pub stderr: Captured,
    pub cpu_us: u64,
    pub wall_us: u64,
    pub memory_peak: u64,
    /// Building the sandbox, microseconds.
    pub built_us: u64,
}

/// A program that runs.
pub struct Started {
    pub sandbox: Sandbox,
    output: (Receiver, Receiver),
    /// When it was executed, and how long its sandbox took.
    since: Instant,
    built_us: u64,
}

impl Execution<'_> {
    /// Executes it. Dropping the future ends it.
    pub async fn run(self, launcher: &LauncherClient) -> Result<Executed, SandboxError> {
        let compiles = self.keep.is_some();
        let script = if compiles { COMPILE } else { START };
        let argv = ["/bin/sh", "-c", script, "run"].map(str::to_owned).into_iter().chain(self.argv).collect();
        let mut variables = self.variables;
        variables.extend(self.keep.iter().map(|(keep, _)| ("DARTER_KEEP".to_owned(), keep.clone())));
        let mut spec = spec(argv, variables, &self.binds, self.limits);
        if compiles {
            spec.profile = Profile::Build;
        }
        spec = spec.fd(FILES_FD, self.files.share().map_err(broken)?);
        if let Some(stdin) = self.stdin {
            spec = spec.fd(0, stdin.share().map_err(broken)?);
        }
        if let Some((_, kept)) = &self.keep {
            spec = spec.fd(KEPT_FD, kept.share_to_write().map_err(broken)?);
        }
        Started::start(launcher, spec).await?.finish(self.limits, 0).await
    }
}

impl Started {
    /// Makes a sandbox and executes its program.
    pub async fn start(launcher: &LauncherClient, spec: Spec) -> Result<Self, SandboxError> {
        let (out, stdout) = output::pipe().map_err(broken)?;
        let (err, stderr) = output::pipe().map_err(broken)?;
        let begun = Instant::now();
        let sandbox = launcher.create(spec.fd(1, out).fd(2, err)).await?;
        let since = Instant::now();
        Ok(Self { sandbox, output: (stdout, stderr), since, built_us: micros(since - begun) })
    }

    /// Waits for its end. `waited_us` is the processor time of before it was anybody's, who has not waited for its start
    /// either.
    pub async fn finish(self, limits: &RunLimits, waited_us: u64) -> Result<Executed, SandboxError> {
        let (since, built_us) = if waited_us > 0 { (Instant::now(), 0) } else { (self.since, self.built_us) };
        let cpu_us = limits.cpu_ms * 1_000 + waited_us;
        let (stopped, stdout, stderr) = watch(&self.sandbox, self.output, (limits, cpu_us)).await;
        let wall_us = micros(since.elapsed());
        let exit = self.sandbox.kill().await;
        if exit.reason == ExitReason::LauncherGone {
            return Err(SandboxError::LauncherGone);
        }
        let (code, signal) = match exit.reason {
            ExitReason::Code(code) => (Some(code), None),
            ExitReason::Signal(signal) => (None, Some(signal)),
            ExitReason::OutOfMemory | ExitReason::Killed | ExitReason::LauncherGone => (None, None),
        };
        let out_of_memory = exit.oom_kills > 0 || exit.reason == ExitReason::OutOfMemory;
        // The shell tells of a child's signal by a code.
        let signal = signal.or_else(|| code.filter(|code| (129..=159).contains(code)).map(|code| code - 128));
        let cpu_us = exit.usage.cpu_usec.saturating_sub(waited_us);
        let memory_peak = exit.usage.memory_peak;
        let ending = Ending { stopped, out_of_memory, code };
        Ok(Executed { ending, signal, stdout, stderr, cpu_us, wall_us, memory_peak, built_us })
    }
}

fn broken(error: std::io::Error) -> SandboxError {
    SandboxError::Build { step: "making a run's pipes".into(), reason: error.to_string() }
}

/// What the recipe says that programs find in their environment.
pub fn variables(language: &Language) -> Vec<(String, String)> {
    language.recipe.variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The walls of a run.
pub fn walls(limits: &RunLimits) -> Limits {
    Limits {
        cpu_millis: 1_000,
        memory: limits.memory_bytes,
        pids: u32::try_from(limits.pids).unwrap_or(u32::MAX),
        nofile: 512,
        fsize: limits.disk_bytes,
    }
}

/// A sandbox of this machine's programs, without a network.
pub fn spec(argv: Vec<String>, variables: Vec<(String, String)>, binds: &[Bind], limits: &RunLimits) -> Spec {
    let scratch = Scratch { size: limits.disk_bytes, inodes: 4_096 };
    let mut root = Root { work: scratch, tmp: scratch, ..Root::host_system() };
    root.binds.extend(binds.iter().cloned());
    let usual =
        [("PATH", "/runtime/bin:/usr/local/bin:/usr/bin:/bin"), ("HOME", "/tmp"), ("LANG", "C.UTF-8"), ("TZ", "UTC")];
    let usual = usual.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Spec {
        root,
        argv,
        env: usual.into_iter().chain(variables).collect(),
        cwd: "/work".into(),
        fds: Vec::new(),
        limits: walls(limits),
        profile: Profile::Function,
        hostname: "run".into(),
        egress: false,
    }
}

/// Reads until it has ended, or must be.
async fn watch(
    sandbox: &Sandbox,
    (stdout, stderr): (Receiver, Receiver),
    (limits, cpu_us): (&RunLimits, u64),
) -> (Option<Stop>, Captured, Captured) {
    let (mut out, mut err) = (Captured::default(), Captured::default());
    let most = usize::try_from(limits.output_bytes).unwrap_or(usize::MAX);
    let stopped = {
        let reading = async { tokio::join!(capture(stdout, &mut out, most), capture(stderr, &mut err, most)) };
        tokio::pin!(reading);
        let wall = tokio::time::sleep(Duration::from_millis(limits.wall_ms));
        let ended = async {
            tokio::select! {
                (one, two) = &mut reading => if one || two { return Some(Stop::Output) },
                _ = sandbox.wait() => {
                    let rest = tokio::time::timeout(LAST_WORDS, &mut reading).await;
                    return rest.is_ok_and(|(one, two)| one || two).then_some(Stop::Output);
                }
            }
            sandbox.wait().await;
            None
        };
        tokio::select! {
            biased;
            stopped = ended => stopped,
            () = overuse(sandbox, cpu_us) => Some(Stop::Cpu),
            () = wall => Some(Stop::Wall),
        }
    };
    (stopped, out, err)
}

/// Resolves when it has used more processor time than it may.
async fn overuse(sandbox: &Sandbox, cpu_us: u64) {
    let mut turn = tokio::time::interval(LOOK);
    loop {
        turn.tick().await;
        if sandbox.usage().is_ok_and(|usage| usage.cpu_usec > cpu_us) {
            return;
        }
    }
}

/// Reads to the end, or until there is more than `most`: then the answer is true at once.
async fn capture(mut from: Receiver, into: &mut Captured, most: usize) -> bool {
    loop {
        let room = most - into.bytes.len();
        if room == 0 {
            let mut more = [0; 1];
            into.cut = matches!(from.read(&mut more).await, Ok(1));
            return into.cut;
        }
        let mut limited = (&mut from).take(room as u64);
        match limited.read_buf(&mut into.bytes).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
    }
}
