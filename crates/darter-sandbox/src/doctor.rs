//! Which walls stand on this machine, found out by really building sandboxes and trying to break out of them.
//!
//! Never reports a wall as standing because a file or a version number suggests so.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use crate::client::LauncherClient;
use crate::error::SandboxError;
use crate::inside::spare;
use crate::launcher::setup::AGENT;
use crate::sandbox::{Exit, ExitReason, Sandbox};
use crate::spec::{Bind, Limits, Root, Spec};
use crate::{sys, volume};

/// One layer of the sandbox and whether it holds here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wall {
    /// Short name: `user namespace`, `system calls`, `memory limit` …
    pub name: &'static str,
    /// Whether it held when tried.
    pub standing: bool,
    /// What was seen.
    pub detail: String,
    /// What an operator can do about it; empty when it stands.
    pub what_to_do: String,
    /// Without it the server refuses to run more than one tenant.
    pub required: bool,
}

/// A self-test that has not ended by then has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// Where the self-test's program is passed in.
const PROGRAM_FD: i32 = 9;

/// The walls that the self-test speaks of, and what to do when one is broken.
const TRIED: [(&str, &str); 7] = [
    ("user namespace", "allow user namespaces: user.max_user_namespaces > 0, no AppArmor restriction on this program"),
    ("system calls", "a kernel with CONFIG_SECCOMP_FILTER is needed"),
    ("capabilities", "report this: capabilities should always be droppable"),
    ("file system", "a kernel of 5.12 or later is needed (open_tree, mount_setattr)"),
    ("processes", "allow pid namespaces: user.max_pid_namespaces > 0"),
    ("network", "allow network namespaces: user.max_net_namespaces > 0"),
    ("descriptors", "a kernel of 5.11 or later is needed (close_range)"),
];

/// Builds throw-away sandboxes and tries every wall from inside. Takes about a second.
pub async fn probe(launcher: &LauncherClient) -> Vec<Wall> {
    let mut walls = vec![privileges(launcher)];
    walls.extend(tried(launcher).await);
    walls.push(memory(launcher).await);
    walls.push(processes(launcher).await);
    walls.push(cpu(launcher).await);
    walls.push(freezer(launcher).await);
    walls.push(landlock(launcher));
    walls
}

fn wall(name: &'static str, required: bool, outcome: Result<String, String>, what_to_do: &str) -> Wall {
    let (standing, detail) = match outcome {
        Ok(detail) => (true, detail),
        Err(detail) => (false, detail),
    };
    let what_to_do = if standing { String::new() } else { what_to_do.to_owned() };
    Wall { name, standing, detail, what_to_do, required }
}

fn privileges(launcher: &LauncherClient) -> Wall {
    let outcome = match launcher.abilities().privileged {
        true => Ok("every sandbox has user ids of its own".to_owned()),
        false => Err("the launcher runs as a plain user: all sandboxes share its user id on the host".to_owned()),
    };
    wall(
        "separate user ids",
        true,
        outcome,
        "start the server as root; it gives root up itself and keeps a small launcher",
    )
}

/// A description that runs one of the agent's self-tests and shows it nothing of the host.
fn spec(test: &str, limits: Limits) -> Result<Spec, SandboxError> {
    let program = sys::sealed_program(c"darter-probe", AGENT).and_then(spare);
    let program = program.map_err(|error| SandboxError::control("loading the self-test into memory", error))?;
    let mut spec = Spec::new([format!("/proc/self/fd/{PROGRAM_FD}"), test.to_owned()]);
    spec.root = Root::default();
    spec.limits = limits;
    Ok(spec.fd(PROGRAM_FD, program))
}

fn small() -> Limits {
    Limits { cpu_millis: 1000, memory: 32 << 20, pids: 16, nofile: 64, fsize: 1 << 20 }
}

async fn finish(sandbox: &Sandbox) -> Exit {
    match tokio::time::timeout(PATIENCE, sandbox.wait()).await {
        Ok(exit) => exit,
        Err(_) => sandbox.kill().await,
    }
}

async fn run(launcher: &LauncherClient, test: &str, limits: Limits) -> Result<Exit, String> {
    let spec = spec(test, limits).map_err(|error| error.to_string())?;
    let sandbox = launcher.create(spec).await.map_err(|error| error.to_string())?;
    Ok(finish(&sandbox).await)
}

async fn report(launcher: &LauncherClient) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let (read, write) = std::io::pipe().map_err(text)?;
    let spec = spec("walls", small()).map_err(|error| error.to_string())?.fd(1, OwnedFd::from(write));
    let sandbox = launcher.create(spec).await.map_err(|error| error.to_string())?;
    let exit = finish(&sandbox).await;
    let mut words = String::new();
    // The sandbox is dead, so nothing can hold the other end open; the text is a few kilobytes and fits the pipe.
    read.take(1 << 16).read_to_string(&mut words).map_err(text)?;
    if exit.reason != ExitReason::Code(0) {
        return Err(format!("the self-test ended with {:?}", exit.reason));
    }
    Ok(words)
}

async fn tried(launcher: &LauncherClient) -> Vec<Wall> {
    let report = report(launcher).await;
    TRIED.into_iter().map(|(name, what_to_do)| wall(name, true, judge(name, &report), what_to_do)).collect()
}

/// Reads one wall's lines out of the report.
fn judge(name: &str, report: &Result<String, String>) -> Result<String, String> {
    let report = report.as_ref().map_err(Clone::clone)?;
    let lines = report.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let (mut held, mut broken) = (0, Vec::new());
    for line in lines.filter(|line| line.first() == Some(&name)) {
        match line[..] {
            [_, _, "held", _] => held += 1,
            [_, attempt, _, error] => broken.push(format!("{attempt} (error {error})")),
            _ => broken.push("an unreadable line".to_owned()),
        }
    }
    if held == 0 && broken.is_empty() {
        return Err("the self-test said nothing about it".into());
    }
    if broken.is_empty() { Ok(format!("{held} attempts refused")) } else { Err(broken.join(", ")) }
}

/// Makes a volume in `folder`, which must be a writable one of the launcher's, shows it to a throw-away sandbox and fills
/// it up. The folder is made when it is missing.
pub async fn probe_volumes(launcher: &LauncherClient, folder: &Path) -> Wall {
    let image = folder.join(format!("doctor-{}.img", std::process::id()));
    let outcome = fill_a_volume(launcher, &image).await;
    // Nobody else has ever seen it.
    let _ = std::fs::remove_file(&image);
    wall(
        "disk limit of workspaces",
        false,
        outcome,
        "homes are folders here, whose limit is only looked at now and then: start the server as root, install e2fsprogs, and \
         load the kernel module `loop`",
    )
}

async fn fill_a_volume(launcher: &LauncherClient, image: &Path) -> Result<String, String> {
    if !launcher.abilities().privileged {
        return Err("a plain user may not mount volumes".into());
    }
    let made = image.to_path_buf();
    let make = move || {
        made.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        volume::make(&made, volume::MIN_BYTES)
    };
    let made = tokio::task::spawn_blocking(make).await.map_err(|error| error.to_string())?;
    made.map_err(|error| error.to_string())?;
    let mut limits = small();
    limits.fsize = 4 * volume::MIN_BYTES;
    let mut spec = spec("fill", limits).map_err(|error| error.to_string())?;
    spec.root.binds.push(Bind::volume(image, "/home/user"));
    let sandbox = launcher.create(spec).await.map_err(|error| error.to_string())?;
    match finish(&sandbox).await.reason {
        ExitReason::Code(0) => Ok("a program that wrote too much was told that the disk is full".into()),
        other => Err(format!("a program that wrote too much was not stopped: {other:?}")),
    }
}

async fn memory(launcher: &LauncherClient) -> Wall {
    let outcome = run(launcher, "memory", small()).await.and_then(|exit| match exit.reason {
        ExitReason::OutOfMemory => Ok("a program that took too much was ended".to_owned()),
        other => Err(format!("a program that took too much was not ended: {other:?}")),
    });
    wall("memory limit", true, outcome, CONTROLLER_HINT)
}

async fn processes(launcher: &LauncherClient) -> Wall {
    let outcome = run(launcher, "processes", small()).await.and_then(|exit| match exit.reason {
        ExitReason::Code(count) if count < 16 => Ok(format!("forking stopped at {} processes", count + 2)),
        other => Err(format!("forking was not stopped at 16 processes: {other:?}")),
    });
    wall("process limit", true, outcome, CONTROLLER_HINT)
}

async fn cpu(launcher: &LauncherClient) -> Wall {
    let limits = Limits { cpu_millis: 200, ..small() };
    let outcome = run(launcher, "spin", limits).await.and_then(|exit| match exit.usage.cpu_usec {
        0 => Err("CPU time is not accounted".to_owned()),
        // 400 ms of wall time at a fifth of a core, and one period of grace.
        micros if micros < 300_000 => Ok(format!("{} ms of CPU in 400 ms at a fifth of a core", micros / 1000)),
        micros => Err(format!("{} ms of CPU in 400 ms at a fifth of a core", micros / 1000)),
    });
    wall("CPU limit", true, outcome, CONTROLLER_HINT)
}

async fn freezer(launcher: &LauncherClient) -> Wall {
    let frozen = async {
        let sandbox = launcher.create(spec("rest", small())?).await?;
        sandbox.freeze().await?;
        sandbox.thaw()?;
        sandbox.kill().await;
        Ok::<_, SandboxError>("frozen and thawed".to_owned())
    };
    let outcome = frozen.await.map_err(|error| error.to_string());
    wall("freezer", false, outcome, "without it idle apps are stopped instead of frozen, and wake up slower")
}

fn landlock(launcher: &LauncherClient) -> Wall {
    let outcome = match launcher.abilities().landlock {
        version @ 2.. => Ok(format!("ABI {version}")),
        version => Err(format!("ABI {version}; the other walls stand without it")),
    };
    wall("Landlock", false, outcome, "boot with lsm=landlock,… on a kernel of 5.19 or later")
}

const CONTROLLER_HINT: &str = "the server needs the cgroup controllers memory, pids and cpu: run it as root, or as a systemd \
                               service with Delegate=yes";
