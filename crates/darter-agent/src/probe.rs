//! The self-test behind `darter doctor`: run as a workload, it tries what must not work and says what happened.
//!
//! It never runs as first process and never with a tenant's data around. One line per attempt:
//! `wall TAB attempt TAB held|BROKEN TAB error number`.

use std::ffi::{c_int, c_long};
use std::io::{Error, Write};
use std::time::{Duration, Instant};

mod sys {
    use super::{c_int, c_long};
    unsafe extern "C" {
        pub(crate) fn syscall(number: c_long, ...) -> c_long;
        pub(crate) safe fn fork() -> c_int;
        pub(crate) safe fn pause() -> c_int;
        pub(crate) safe fn getuid() -> u32;
    }
}

#[cfg(target_arch = "x86_64")]
mod number {
    pub(crate) const SOCKET: i64 = 41;
    pub(crate) const CONNECT: i64 = 42;
    pub(crate) const KILL: i64 = 62;
    pub(crate) const SETUID: i64 = 105;
    pub(crate) const PTRACE: i64 = 101;
    pub(crate) const PERSONALITY: i64 = 135;
    pub(crate) const PRCTL: i64 = 157;
    pub(crate) const SETTIMEOFDAY: i64 = 164;
    pub(crate) const MOUNT: i64 = 165;
    pub(crate) const SWAPON: i64 = 167;
    pub(crate) const REBOOT: i64 = 169;
    pub(crate) const SETHOSTNAME: i64 = 170;
    pub(crate) const INIT_MODULE: i64 = 175;
    pub(crate) const KEXEC_LOAD: i64 = 246;
    pub(crate) const KEYCTL: i64 = 250;
    pub(crate) const MKNODAT: i64 = 259;
    pub(crate) const UNSHARE: i64 = 272;
    pub(crate) const PERF_EVENT_OPEN: i64 = 298;
    pub(crate) const OPEN_BY_HANDLE_AT: i64 = 304;
    pub(crate) const SETNS: i64 = 308;
    pub(crate) const BPF: i64 = 321;
    pub(crate) const USERFAULTFD: i64 = 323;
    pub(crate) const IOCTL: i64 = 16;
}

#[cfg(target_arch = "aarch64")]
mod number {
    pub(crate) const SOCKET: i64 = 198;
    pub(crate) const CONNECT: i64 = 203;
    pub(crate) const KILL: i64 = 129;
    pub(crate) const SETUID: i64 = 146;
    pub(crate) const PTRACE: i64 = 117;
    pub(crate) const PERSONALITY: i64 = 92;
    pub(crate) const PRCTL: i64 = 167;
    pub(crate) const SETTIMEOFDAY: i64 = 170;
    pub(crate) const MOUNT: i64 = 40;
    pub(crate) const SWAPON: i64 = 224;
    pub(crate) const REBOOT: i64 = 142;
    pub(crate) const SETHOSTNAME: i64 = 161;
    pub(crate) const INIT_MODULE: i64 = 105;
    pub(crate) const KEXEC_LOAD: i64 = 104;
    pub(crate) const KEYCTL: i64 = 219;
    pub(crate) const MKNODAT: i64 = 33;
    pub(crate) const UNSHARE: i64 = 97;
    pub(crate) const PERF_EVENT_OPEN: i64 = 241;
    pub(crate) const OPEN_BY_HANDLE_AT: i64 = 265;
    pub(crate) const SETNS: i64 = 268;
    pub(crate) const BPF: i64 = 280;
    pub(crate) const USERFAULTFD: i64 = 282;
    pub(crate) const IOCTL: i64 = 29;
}

const IO_URING_SETUP: i64 = 425;
const CLONE3: i64 = 435;
const NEW_USER: i64 = 0x1000_0000;

/// Runs one of the tests and gives the exit code.
pub(crate) fn run(test: &[u8]) -> c_int {
    match test {
        b"walls" => walls(),
        b"memory" => memory(),
        b"processes" => processes(),
        b"spin" => spin(),
        b"fill" => fill(),
        b"rest" => loop {
            sys::pause();
        },
        _ => 64,
    }
}

/// 0 when the call was refused, as it must be.
fn refused(number: i64, arguments: [i64; 5]) -> Result<i32, i32> {
    let [a, b, c, d, e] = arguments;
    // SAFETY: every pointer among the arguments is null or a constant that the kernel checks itself.
    if unsafe { sys::syscall(number as c_long, a, b, c, d, e) } < 0 {
        Ok(Error::last_os_error().raw_os_error().unwrap_or(0))
    } else {
        Err(0)
    }
}

fn calls() -> Vec<(&'static str, &'static str, Result<i32, i32>)> {
    let none = [0; 5];
    let table = [
        ("unshare a user namespace", number::UNSHARE, [NEW_USER, 0, 0, 0, 0]),
        ("clone3", CLONE3, none),
        ("setns", number::SETNS, none),
        ("mount", number::MOUNT, none),
        ("ptrace", number::PTRACE, none),
        ("io_uring_setup", IO_URING_SETUP, [1, 0, 0, 0, 0]),
        ("keyctl", number::KEYCTL, none),
        ("bpf", number::BPF, none),
        ("perf_event_open", number::PERF_EVENT_OPEN, none),
        ("userfaultfd", number::USERFAULTFD, none),
        ("open_by_handle_at", number::OPEN_BY_HANDLE_AT, none),
        ("init_module", number::INIT_MODULE, none),
        ("kexec_load", number::KEXEC_LOAD, none),
        ("reboot", number::REBOOT, none),
        ("swapon", number::SWAPON, none),
        ("settimeofday", number::SETTIMEOFDAY, none),
        ("sethostname", number::SETHOSTNAME, none),
        ("personality", number::PERSONALITY, [0x4_0000, 0, 0, 0, 0]),
        ("a packet socket", number::SOCKET, [17, 3, 0, 0, 0]),
        ("a vsock socket", number::SOCKET, [40, 1, 0, 0, 0]),
        ("TIOCSTI", number::IOCTL, [0, 0x5412, 0, 0, 0]),
    ];
    let eperm_or_absent =
        |result: Result<i32, i32>| result.and_then(|e| if e == 1 || e == 38 { Ok(e) } else { Err(e) });
    table.map(|(name, call, arguments)| ("system calls", name, eperm_or_absent(refused(call, arguments)))).into()
}

fn holds(condition: bool) -> Result<i32, i32> {
    if condition { Ok(0) } else { Err(0) }
}

fn privileges() -> Vec<(&'static str, &'static str, Result<i32, i32>)> {
    let bounding = (0..=40).all(|capability| option(23, capability) != 1);
    vec![
        ("capabilities", "the bounding set is empty", holds(bounding)),
        ("capabilities", "no_new_privs is set", holds(option(39, 0) == 1)),
        ("capabilities", "becoming root", refused(number::SETUID, [0; 5])),
        ("user namespace", "the user is 1000", holds(sys::getuid() == 1000)),
        ("user namespace", "user 0 does not exist", holds(only_one_id())),
        ("system calls", "a filter is installed", holds(status("Seccomp:") == "2")),
        ("processes", "signalling the first process", refused(number::KILL, [1, 0, 0, 0, 0])),
        ("processes", "only our own are visible", holds(std::fs::metadata("/proc/1").is_err())),
    ]
}

fn option(option: i64, value: i64) -> i64 {
    // SAFETY: these options take plain numbers.
    unsafe { sys::syscall(number::PRCTL as c_long, option, value, 0, 0, 0) }
}

fn status(field: &str) -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    text.lines().find_map(|line| line.strip_prefix(field)).unwrap_or("").trim().to_owned()
}

fn only_one_id() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    let mut fields = map.split_whitespace();
    map.lines().count() == 1 && fields.next() == Some("1000") && fields.nth(1) == Some("1")
}

fn files() -> Vec<(&'static str, &'static str, Result<i32, i32>)> {
    let absent = |path: &str| holds(std::fs::symlink_metadata(path).is_err());
    let denied = |path: &str| holds(std::fs::File::open(path).is_err());
    let sealed = |path: &str| holds(std::fs::write(path, "x").is_err());
    // SAFETY: the path is a NUL-terminated constant.
    let node = unsafe { sys::syscall(number::MKNODAT as c_long, -100, c"/tmp/sda".as_ptr(), 0o60_600, 0x800_i64) };
    vec![
        ("file system", "the host's /etc/shadow", absent("/etc/shadow")),
        ("file system", "/sys", absent("/sys")),
        ("file system", "/proc/kcore", denied("/proc/kcore")),
        ("file system", "the first process's environment", denied("/proc/1/environ")),
        ("file system", "writing to the root", sealed("/x")),
        ("file system", "writing to /dev", sealed("/dev/x")),
        ("file system", "writing to /usr", sealed("/usr/x")),
        ("file system", "making a block device", holds(node < 0)),
        ("descriptors", "nothing but what was passed", holds(descriptors())),
    ]
}

/// 0–2 and, above them, the program itself and the listing's own.
fn descriptors() -> bool {
    let Ok(list) = std::fs::read_dir("/proc/self/fd") else { return false };
    list.count() <= 5
}

fn network() -> Vec<(&'static str, &'static str, Result<i32, i32>)> {
    let reach = |address: [u8; 4]| {
        let mut name = [0_u8; 16];
        name[0] = 2;
        name[3] = 80;
        name[4..8].copy_from_slice(&address);
        // SAFETY: a stream socket of IPv4, then an address of sixteen bytes.
        let result = unsafe {
            let socket = sys::syscall(number::SOCKET as c_long, 2, 1, 0);
            sys::syscall(number::CONNECT as c_long, socket, name.as_ptr(), 16_i64)
        };
        holds(result < 0)
    };
    vec![
        ("network", "the metadata address", reach([169, 254, 169, 254])),
        ("network", "a public address", reach([1, 1, 1, 1])),
        ("network", "a private address", reach([10, 0, 0, 1])),
    ]
}

fn walls() -> c_int {
    let mut text = String::new();
    for (wall, attempt, result) in calls().into_iter().chain(privileges()).chain(files()).chain(network()) {
        let (word, error) = match result {
            Ok(error) => ("held", error),
            Err(error) => ("BROKEN", error),
        };
        text.push_str(&format!("{wall}\t{attempt}\t{word}\t{error}\n"));
    }
    c_int::from(std::io::stdout().write_all(text.as_bytes()).is_err())
}

/// Touches four times the memory that the doctor allows; where nothing stops us that does no harm either.
fn memory() -> c_int {
    let mut kept = Vec::new();
    for _ in 0..128 {
        kept.push(std::hint::black_box(vec![1_u8; 1 << 20]));
    }
    c_int::from(kept.is_empty())
}

/// Forks until something stops us; how many there are then.
fn processes() -> c_int {
    for count in 0..200 {
        match sys::fork() {
            0 => loop {
                sys::pause();
            },
            pid if pid < 0 => return count,
            _ => {}
        }
    }
    255
}

/// Writes into the home until the disk is full: 0 when it was, and soon.
fn fill() -> c_int {
    const FULL: i32 = 28;
    let Ok(mut file) = std::fs::File::create("/home/user/fill") else { return 1 };
    let block = [1_u8; 1 << 16];
    for _ in 0..2048 {
        if let Err(error) = file.write_all(&block) {
            return if error.raw_os_error() == Some(FULL) { 0 } else { 2 };
        }
    }
    3
}

fn spin() -> c_int {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(400) {
        std::hint::spin_loop();
    }
    0
}
