//! What a sandbox is made of, as plain data: the root file system, the program, its descriptors and its limits.
//!
//! Nothing here touches the machine. Every value is checked once more by the launcher, which never trusts its client
//! to have called [`Spec::check`]; no value may ever be taken from a tenant without the engine having bounded it.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::error::SandboxError;

/// The user and group id a workload sees itself running as.
pub const WORKLOAD_UID: u32 = 1000;
/// Where an HTTP proxy listens inside a sandbox that has egress.
pub const EGRESS_ADDRESS: &str = "127.0.0.1:3128";
/// The descriptor at which a passed listening socket belongs, as systemd does it.
pub const LISTEN_FD: i32 = 3;
/// The descriptor of the control channel.
pub const CONTROL_FD: i32 = 4;

/// Most mounts, files, variables and descriptors a [`Spec`] may hold.
pub const MAX_BINDS: usize = 64;
/// See [`MAX_BINDS`].
pub const MAX_FDS: usize = 32;
/// Names at the top of every sandbox that are the platform's, whatever an image has there.
pub const PLATFORM_NAMES: [&str; 10] =
    ["build", "darter", "dev", "env", "home", "proc", "runtime", "sys", "tmp", "work"];
/// Highest descriptor number a passed descriptor may be put at.
pub const MAX_FD_NUMBER: i32 = 63;

/// How a host path is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing can be changed through it.
    ReadOnly,
    /// A folder of the host that may be written to. What the workload creates belongs, on the host, to
    /// `LauncherConfig::files_owner` (an id-mapped mount).
    Writable,
    /// The source is a file holding an ext4 file system ([`volume`](crate::volume)), mounted for this sandbox alone. Inside it
    /// files belong, on disk, to [`WORKLOAD_UID`]. Needs a privileged launcher; an image that another sandbox has
    /// mounted is refused.
    Volume,
}

/// One host directory or file shown inside a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bind {
    /// Absolute and canonical: the launcher refuses a path that passes through a symbolic link, and one that is not
    /// under `readable` (or `writable`) of its [`LauncherConfig`](crate::LauncherConfig).
    pub source: PathBuf,
    /// Absolute path inside the sandbox.
    pub target: PathBuf,
    /// What may be done with it.
    pub access: Access,
}

impl Bind {
    /// A read-only view of `source` at `target`.
    pub fn read_only(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self { source: source.into(), target: target.into(), access: Access::ReadOnly }
    }

    /// A writable view of `source` at `target`.
    pub fn writable(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self { source: source.into(), target: target.into(), access: Access::Writable }
    }

    /// The file system in the image file `source` at `target`.
    pub fn volume(source: impl Into<PathBuf>, target: impl Into<PathBuf>) -> Self {
        Self { source: source.into(), target: target.into(), access: Access::Volume }
    }
}

/// A symbolic link in the sandbox's read-only root (`/bin` → `usr/bin`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Absolute path of the link inside the sandbox.
    pub at: PathBuf,
    /// What it says.
    pub to: PathBuf,
}

/// A small file in the sandbox's read-only root (`/etc/passwd`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Absolute path inside the sandbox.
    pub at: PathBuf,
    /// At most 16 KiB.
    pub content: Vec<u8>,
}

/// A size-limited file system in memory. Its pages count against the sandbox's memory limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scratch {
    /// Bytes.
    pub size: u64,
    /// Most files and directories.
    pub inodes: u64,
}

/// The file system of a sandbox: a read-only root holding nothing but what is listed here, `/dev`, `/proc`, and the
/// two scratch folders `/tmp` and `/work`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Host paths shown inside. Parents before children.
    pub binds: Vec<Bind>,
    /// Symbolic links.
    pub links: Vec<Link>,
    /// Small files.
    pub files: Vec<File>,
    /// Empty directories that [`Sandbox::attach`](crate::Sandbox::attach) may mount on later, read-only
    /// (`/app/node_modules`).
    pub attach_points: Vec<PathBuf>,
    /// The same for mounts that may be written to (`/home/user`). Each needs a parent folder of its own, since the
    /// second opinion on writes ([Landlock]) is asked about that: it cannot name a mount that is not there yet.
    ///
    /// [Landlock]: crate::Abilities::landlock
    pub writable_points: Vec<PathBuf>,
    /// `/tmp` (mode 1777), and the size of `/dev/shm`.
    pub tmp: Scratch,
    /// `/work`, owned by the workload.
    pub work: Scratch,
}

impl Default for Root {
    fn default() -> Self {
        let scratch = Scratch { size: 64 << 20, inodes: 16_384 };
        Self {
            binds: Vec::new(),
            links: Vec::new(),
            files: Vec::new(),
            attach_points: Vec::new(),
            writable_points: Vec::new(),
            tmp: scratch,
            work: scratch,
        }
    }
}

impl Root {
    /// The shared libraries, shells and certificates of this host, read-only, and the handful of files in `/etc` a
    /// program expects (its own `passwd`, `group`, `hosts`, `nsswitch.conf`; never the host's).
    pub fn host_system() -> Self {
        let mut root = Self::default();
        root.add_system();
        root
    }

    /// The folders at the top of an unpacked image in place of this host's, read-only. What is the platform's
    /// ([`PLATFORM_NAMES`]) is not shown; `/etc` is the image's as a whole.
    pub fn image_system(image: &Path) -> std::io::Result<Self> {
        let mut root = Self::default();
        for entry in std::fs::read_dir(image)? {
            let entry = entry?;
            let (name, kind) = (entry.file_name(), entry.file_type()?);
            if PLATFORM_NAMES.iter().any(|ours| name == *ours) {
                continue;
            }
            let at = Path::new("/").join(&name);
            if kind.is_symlink() {
                root.links.push(Link { to: std::fs::read_link(entry.path())?, at });
            } else {
                root.binds.push(Bind::read_only(entry.path(), at));
            }
        }
        // In the order of their names: the same image makes the same sandbox.
        root.binds.sort_by(|one, other| one.target.cmp(&other.target));
        root.links.sort_by(|one, other| one.at.cmp(&other.at));
        Ok(root)
    }

    fn add_system(&mut self) {
        for name in ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
            let path = Path::new("/").join(name);
            match std::fs::symlink_metadata(&path) {
                Ok(meta) if meta.file_type().is_symlink() => {
                    if let Ok(to) = std::fs::read_link(&path) {
                        self.links.push(Link { at: path, to });
                    }
                }
                Ok(meta) if meta.is_dir() => self.binds.push(Bind::read_only(&path, &path)),
                _ => {}
            }
        }
        let usual = ["/etc/ssl", "/etc/ld.so.cache", "/etc/ca-certificates", "/etc/alternatives"].map(PathBuf::from);
        for path in usual.into_iter().chain(package_settings()) {
            // A distribution that keeps one of these elsewhere links to it: the bind shows what the link means.
            if let Ok(real) = std::fs::canonicalize(&path) {
                self.binds.push(Bind::read_only(real, path));
            }
        }
        for (at, content) in [
            ("/etc/passwd", "user:x:1000:1000::/tmp:/bin/sh\n"),
            ("/etc/group", "user:x:1000:\n"),
            ("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
            ("/etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"),
            ("/etc/resolv.conf", ""),
        ] {
            self.files.push(File { at: at.into(), content: content.into() });
        }
    }
}

/// What packages keep in `/etc` that their programs do not run without, and that says nothing about this machine: Java's
/// security settings, R's profile, the names of fonts and of terminals.
pub(crate) fn package_settings() -> Vec<PathBuf> {
    const NAMES: [&str; 7] = ["R", "fonts", "inputrc", "mime.types", "protocols", "services", "terminfo"];
    let wanted = |name: &str| NAMES.contains(&name) || (name.starts_with("java-") && name.ends_with("-openjdk"));
    let entries = std::fs::read_dir("/etc").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> =
        entries.filter(|entry| entry.file_name().to_str().is_some_and(wanted)).map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// What a sandbox may use. Every number is a hard wall; none can be "unlimited".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Thousandths of a core (1000 = one core).
    pub cpu_millis: u32,
    /// Bytes, page cache and scratch folders included; swap is never used on top of it.
    pub memory: u64,
    /// Processes and threads together.
    pub pids: u32,
    /// Open descriptors per process. Fixed for the life of the sandbox.
    pub nofile: u64,
    /// Largest file a process may write, bytes. Fixed for the life of the sandbox.
    pub fsize: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { cpu_millis: 1000, memory: 512 << 20, pids: 128, nofile: 4096, fsize: 1 << 30 }
    }
}

/// Which system calls a workload may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// A resident function runtime: allow-list, everything that has been a way out elsewhere refused.
    Function,
    /// An install job or a language server: the same walls, plus what compilers, package managers and shells use
    /// (`flock`, extended attributes, `chroot`-free tree walks, priorities of their own children).
    Build,
    /// A person's workspace: the walls of `Build`, plus what debuggers, databases and terminals use: `ptrace` of one's own
    /// processes, filters of one's own, System V memory, a `/proc` that `ps` and `top` can read, `/dev/tty`, and
    /// [`WORKSPACE_TERMINALS`] terminals. Still no namespaces, no mounts, no `io_uring`, no `perf`.
    Workspace,
}

/// Most pseudo-terminals open at a time under [`Profile::Workspace`].
pub const WORKSPACE_TERMINALS: u32 = 64;

/// A descriptor of the server that the workload finds at a fixed number.
#[derive(Debug)]
pub struct PassedFd {
    /// The descriptor; closed on our side once the sandbox exists.
    pub fd: OwnedFd,
    /// Its number inside (0–63). 0, 1 and 2 are `/dev/null` unless given.
    pub at: i32,
}

/// Everything a sandbox is made from.
#[derive(Debug)]
pub struct Spec {
    /// The file system.
    pub root: Root,
    /// The program (an absolute path inside the sandbox) and its arguments.
    pub argv: Vec<String>,
    /// The whole environment: nothing is inherited.
    pub env: Vec<(String, String)>,
    /// Working directory inside the sandbox.
    pub cwd: PathBuf,
    /// Descriptors handed in.
    pub fds: Vec<PassedFd>,
    /// Walls of resources.
    pub limits: Limits,
    /// Walls of system calls.
    pub profile: Profile,
    /// Host name inside.
    pub hostname: String,
    /// Whether [`EGRESS_ADDRESS`] listens inside; see [`Sandbox::take_egress`](crate::Sandbox::take_egress).
    pub egress: bool,
}

impl Spec {
    /// A sandbox of this host's system files that runs `argv` and has no egress.
    pub fn new(argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            root: Root::host_system(),
            argv: argv.into_iter().map(Into::into).collect(),
            env: vec![
                ("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()),
                ("HOME".into(), "/tmp".into()),
                ("LANG".into(), "C.UTF-8".into()),
                ("TZ".into(), "UTC".into()),
            ],
            cwd: "/work".into(),
            fds: Vec::new(),
            limits: Limits::default(),
            profile: Profile::Function,
            hostname: "sandbox".into(),
            egress: false,
        }
    }

    /// Hands `fd` in at number `at`.
    #[must_use]
    pub fn fd(mut self, at: i32, fd: impl Into<OwnedFd>) -> Self {
        self.fds.push(PassedFd { fd: fd.into(), at });
        self
    }

    /// Says what is wrong with this description, before anything is made of it.
    pub fn check(&self) -> Result<(), SandboxError> {
        let wrong = |what: String| Err(SandboxError::Spec(what));
        if self.argv.first().is_none_or(|program| !program.starts_with('/')) {
            return wrong("argv[0] must be an absolute path inside the sandbox".into());
        }
        let binds = self.root.binds.len() + self.root.links.len() + self.root.files.len();
        let points = self.root.attach_points.len() + self.root.writable_points.len();
        if binds + points > 4 * MAX_BINDS || self.root.binds.len() > MAX_BINDS {
            return wrong(format!("more than {MAX_BINDS} binds (or {} entries in all)", 4 * MAX_BINDS));
        }
        if self.fds.len() > MAX_FDS {
            return wrong(format!("more than {MAX_FDS} descriptors"));
        }
        for (index, passed) in self.fds.iter().enumerate() {
            if !(0..=MAX_FD_NUMBER).contains(&passed.at) || self.fds[..index].iter().any(|other| other.at == passed.at)
            {
                return wrong(format!("descriptor number {} is out of 0–{MAX_FD_NUMBER} or used twice", passed.at));
            }
        }
        let strings = self.argv.iter().chain(self.env.iter().flat_map(|(name, value)| [name, value]));
        if strings.chain([&self.hostname]).any(|text| text.contains('\0')) {
            return wrong("an argument, a variable or the host name holds a NUL byte".into());
        }
        self.limits.check()
    }
}

impl Limits {
    /// Refuses numbers that would make no wall (zero, or beyond what the kernel's files take).
    pub fn check(&self) -> Result<(), SandboxError> {
        let ok = (10..=1_000_000).contains(&self.cpu_millis)
            && (4 << 20..=1 << 50).contains(&self.memory)
            && (2..=1 << 22).contains(&self.pids)
            && (16..=1 << 20).contains(&self.nofile)
            && (4096..=1 << 50).contains(&self.fsize);
        if ok {
            return Ok(());
        }
        Err(SandboxError::Spec(format!(
            "limits out of range: {self:?} (cpu 10–1000000 millis, memory 4 MiB–1 PiB, pids 2–4194304, nofile 16–1048576, fsize 4 KiB–1 PiB)"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_shows_its_folders_and_links_but_not_where_the_platform_is() {
        let image = tempfile::tempdir().unwrap();
        for folder in ["usr/bin", "etc", "proc", "env", "home/node", "opt"] {
            std::fs::create_dir_all(image.path().join(folder)).unwrap();
        }
        std::os::unix::fs::symlink("usr/bin", image.path().join("bin")).unwrap();
        std::os::unix::fs::symlink("/etc", image.path().join("darter")).unwrap();
        let root = Root::image_system(image.path()).unwrap();
        let shown: Vec<_> = root.binds.iter().map(|bind| (bind.target.to_str().unwrap(), bind.access)).collect();
        assert_eq!(shown, [("/etc", Access::ReadOnly), ("/opt", Access::ReadOnly), ("/usr", Access::ReadOnly)]);
        assert_eq!(root.links, [Link { at: "/bin".into(), to: "usr/bin".into() }]);
        assert!(root.files.is_empty());
    }
}
