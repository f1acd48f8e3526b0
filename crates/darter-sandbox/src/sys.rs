//! The system calls that no safe wrapper covers, one thin function each.
//!
//! Every `unsafe` of the launcher that is a plain system call is here, so that the rest reads as safe code. Nothing here
//! decides anything.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A path as the kernel wants it.
pub(crate) fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

fn owned(result: libc::c_long) -> io::Result<OwnedFd> {
    let fd = check(result)?;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

/// What a raw clone returned.
pub(crate) enum Forked {
    /// We are the new process.
    Child,
    /// Its process id and a descriptor of it.
    Parent { pid: i32, pidfd: OwnedFd },
}

#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// `clone3` used as a fork, with namespace `flags`, optionally born into a cgroup v2.
///
/// # Safety
/// The process must have one thread: the child gets a copy of the memory, locks included.
pub(crate) unsafe fn fork_with(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Forked> {
    let mut pidfd: libc::c_int = -1;
    let sibling = flags & libc::CLONE_PARENT as u64 != 0;
    let mut args = CloneArgs {
        flags: flags | libc::CLONE_PIDFD as u64,
        pidfd: (&raw mut pidfd) as u64,
        // CLONE_PARENT takes over the exit signal of the caller, and the kernel refuses another one.
        exit_signal: if sibling { 0 } else { libc::SIGCHLD as u64 },
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        args.flags |= 0x2_0000_0000; // CLONE_INTO_CGROUP
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: args is a valid clone_args; without CLONE_VM the child runs on its own copy of this stack.
    let pid = check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of::<CloneArgs>()) })?;
    if pid == 0 {
        return Ok(Forked::Child);
    }
    // SAFETY: CLONE_PIDFD has stored a fresh descriptor there.
    Ok(Forked::Parent { pid: pid as i32, pidfd: unsafe { OwnedFd::from_raw_fd(pidfd) } })
}

/// The C library's fork, which also puts malloc's locks right. 0 in the child.
///
/// # Safety
/// The child may use only what holds no lock of another thread.
pub(crate) unsafe fn fork_plain() -> io::Result<i32> {
    // SAFETY: the caller upholds the contract above.
    check(libc::c_long::from(unsafe { libc::fork() })).map(|pid| pid as i32)
}

/// Leaves the process at once, running no destructors and flushing nothing.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit is always sound.
    unsafe { libc::_exit(code) }
}

/// `setns` on a process descriptor.
pub(crate) fn enter_namespaces(pidfd: BorrowedFd<'_>, kinds: libc::c_int) -> io::Result<()> {
    // SAFETY: plain system call on an open descriptor.
    check(libc::c_long::from(unsafe { libc::setns(pidfd.as_raw_fd(), kinds) })).map(drop)
}

/// `unshare`.
pub(crate) fn unshare(kinds: libc::c_int) -> io::Result<()> {
    // SAFETY: none of the flags used here share memory, so no Rust invariant is touched.
    check(libc::c_long::from(unsafe { libc::unshare(kinds) })).map(drop)
}

#[repr(C)]
struct OpenHow {
    flags: u64,
    mode: u64,
    resolve: u64,
}

/// `openat2` with resolution rules.
pub(crate) fn open_checked(dir: Option<BorrowedFd<'_>>, path: &Path, flags: i32, resolve: u64) -> io::Result<OwnedFd> {
    let path = c_path(path)?;
    let how = OpenHow { flags: (flags | libc::O_CLOEXEC) as u64, mode: 0, resolve };
    let dir = dir.map_or(libc::AT_FDCWD, |fd| fd.as_raw_fd());
    // SAFETY: path is NUL-terminated and how is a valid open_how.
    owned(unsafe { libc::syscall(libc::SYS_openat2, dir, path.as_ptr(), &raw const how, size_of::<OpenHow>()) })
}

/// `open_tree(OPEN_TREE_CLONE)`: a detached copy of the mount (not its submounts) at an open descriptor.
pub(crate) fn clone_tree(at: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE | libc::OPEN_TREE_CLOEXEC | libc::AT_EMPTY_PATH as u32;
    // SAFETY: the empty path is a static C string.
    owned(unsafe { libc::syscall(libc::SYS_open_tree, at.as_raw_fd(), c"".as_ptr(), flags) })
}

#[repr(C)]
#[derive(Default)]
struct MountAttr {
    attr_set: u64,
    attr_clr: u64,
    propagation: u64,
    userns_fd: u64,
}

/// `mount_setattr` on a mount given by descriptor; `userns` maps its ids when given.
pub(crate) fn set_mount_attributes(mount: BorrowedFd<'_>, set: u64, userns: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut attr = MountAttr { attr_set: set, propagation: libc::MS_PRIVATE, ..MountAttr::default() };
    if let Some(userns) = userns {
        attr.attr_set |= libc::MOUNT_ATTR_IDMAP;
        attr.userns_fd = userns.as_raw_fd() as u64;
    }
    // SAFETY: attr is a valid mount_attr and the empty path a static C string.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// Hangs a detached mount onto an open directory or file.
pub(crate) fn attach_mount(mount: BorrowedFd<'_>, onto: BorrowedFd<'_>) -> io::Result<()> {
    let flags = libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH;
    // SAFETY: both paths are static C strings.
    check(unsafe {
        libc::syscall(libc::SYS_move_mount, mount.as_raw_fd(), c"".as_ptr(), onto.as_raw_fd(), c"".as_ptr(), flags)
    })
    .map(drop)
}

/// `mount` of a fresh file system.
pub(crate) fn mount_new(kind: &CStr, at: &CStr, flags: libc::c_ulong, options: &str) -> io::Result<()> {
    let options = CString::new(options).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    // SAFETY: all strings are NUL-terminated and outlive the call.
    check(libc::c_long::from(unsafe {
        libc::mount(kind.as_ptr(), at.as_ptr(), kind.as_ptr(), flags, options.as_ptr().cast())
    }))
    .map(drop)
}

/// Makes every mount of this namespace private.
pub(crate) fn make_mounts_private() -> io::Result<()> {
    let none = std::ptr::null();
    // SAFETY: the kernel ignores source, type and data for a propagation change.
    check(libc::c_long::from(unsafe {
        libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast())
    }))
    .map(drop)
}

/// Makes the current directory (a mount) the root and lets the old root go.
pub(crate) fn pivot_here() -> io::Result<()> {
    // SAFETY: static C strings.
    check(unsafe { libc::syscall(libc::SYS_pivot_root, c".".as_ptr(), c".".as_ptr()) })?;
    // SAFETY: the old root is stacked on "." now; detaching it is what pivot_root(2) documents.
    check(libc::c_long::from(unsafe { libc::umount2(c".".as_ptr(), libc::MNT_DETACH) })).map(drop)
}

/// `prctl` with one argument.
pub(crate) fn prctl(option: libc::c_int, value: libc::c_ulong) -> io::Result<()> {
    // SAFETY: only options with plain integer arguments are used by this crate.
    check(libc::c_long::from(unsafe { libc::prctl(option, value, 0, 0, 0) })).map(drop)
}

/// Names this process in `ps`.
pub(crate) fn set_process_name(name: &CStr) {
    // SAFETY: name is NUL-terminated; the kernel copies at most 16 bytes.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// Installs a system-call filter on this thread (`no_new_privs` must be set).
pub(crate) fn install_filter(program: &[libc::sock_filter]) -> io::Result<()> {
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel copies the program and never writes to it.
    check(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) }).map(drop)
}

/// `execveat` of an open file.
pub(crate) fn exec_fd(file: BorrowedFd<'_>, argv: &[&CStr]) -> io::Error {
    let mut pointers: Vec<*const libc::c_char> = argv.iter().map(|arg| arg.as_ptr()).collect();
    pointers.push(std::ptr::null());
    let environment: [*const libc::c_char; 1] = [std::ptr::null()];
    // SAFETY: both arrays end with a null pointer and all strings outlive the call.
    unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            pointers.as_ptr(),
            environment.as_ptr(),
            libc::AT_EMPTY_PATH,
        )
    };
    io::Error::last_os_error()
}

/// `execve`.
pub(crate) fn exec(argv: &[CString], environment: &[CString]) -> io::Error {
    let ends = |list: &[CString]| -> Vec<*const libc::c_char> {
        list.iter().map(|text| text.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, environment) = (ends(argv), ends(environment));
    // SAFETY: both arrays end with a null pointer and all strings outlive the call.
    unsafe { libc::execve(argv[0], argv.as_ptr(), environment.as_ptr()) };
    io::Error::last_os_error()
}

/// Marks every descriptor from `first` on as closed by exec.
pub(crate) fn close_on_exec_from(first: u32) -> io::Result<()> {
    // SAFETY: only sets a flag on descriptors.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) }).map(drop)
}

/// Puts `fd` at `number`, open across exec; whatever was at `number` is closed.
pub(crate) fn place(fd: BorrowedFd<'_>, number: i32) -> io::Result<()> {
    // SAFETY: used only in a child that is about to exec, where no Rust owner of `number` is used any more.
    check(libc::c_long::from(unsafe { libc::dup2(fd.as_raw_fd(), number) })).map(drop)
}

/// Forgets every signal handler and mask, as a program expects at its start.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL is a valid disposition for every signal; the two that refuse it have it already.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: an all-zero sigset_t is the empty set.
    unsafe {
        let empty: libc::sigset_t = std::mem::zeroed();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const empty, std::ptr::null_mut());
    }
}

/// Ignores a signal.
pub(crate) fn ignore_signal(signal: libc::c_int) {
    // SAFETY: SIG_IGN is a valid disposition.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}

/// Drops every supplementary group.
pub(crate) fn drop_groups() -> io::Result<()> {
    // SAFETY: a count of zero reads no memory.
    check(libc::c_long::from(unsafe { libc::setgroups(0, std::ptr::null()) })).map(drop)
}

/// Real, effective and saved ids at once.
pub(crate) fn set_ids(uid: u32, gid: u32) -> io::Result<()> {
    // SAFETY: plain system calls.
    check(libc::c_long::from(unsafe { libc::setresgid(gid, gid, gid) }))?;
    // SAFETY: as above.
    check(libc::c_long::from(unsafe { libc::setresuid(uid, uid, uid) })).map(drop)
}

/// One resource limit, never above the hard limit we have (raising one needs a capability we may lack).
pub(crate) fn limit(kind: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: now is a valid place for the answer.
    check(libc::c_long::from(unsafe { libc::getrlimit(kind, &raw mut now) }))?;
    let value = value.min(now.rlim_max);
    let wanted = libc::rlimit { rlim_cur: value, rlim_max: value };
    // SAFETY: wanted is a valid rlimit.
    check(libc::c_long::from(unsafe { libc::setrlimit(kind, &raw const wanted) })).map(drop)
}

/// Brings the loopback interface of the current network namespace up.
pub(crate) fn loopback_up(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: an all-zero ifreq is valid.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_name[0] = b'l' as libc::c_char;
    request.ifr_name[1] = b'o' as libc::c_char;
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq.
    check(libc::c_long::from(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) }))
        .map(drop)
}

/// Reaps a child when it has ended. `None`: still running; `Some(None)`: no such child.
pub(crate) fn try_reap(pid: i32) -> Option<Option<i32>> {
    let mut status = 0;
    // SAFETY: status is a valid place for the answer.
    let result = unsafe { libc::waitpid(pid, &raw mut status, libc::WNOHANG) };
    match result {
        0 => None,
        found if found == pid => Some(Some(status)),
        _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => None,
        _ => Some(None),
    }
}

/// Sends a signal through a process descriptor (no process id can be reused under it).
pub(crate) fn signal_process(pidfd: BorrowedFd<'_>, signal: libc::c_int) -> io::Result<()> {
    let none: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: a null siginfo means "as kill(2) does".
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) }).map(drop)
}

/// `kill`.
pub(crate) fn kill(pid: i32, signal: libc::c_int) {
    // SAFETY: plain system call.
    unsafe { libc::kill(pid, signal) };
}

/// `pidfd_open`.
pub(crate) fn open_process(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain system call.
    owned(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })
}

/// Asks the kernel to page the given ranges of another process out.
pub(crate) fn page_out(process: BorrowedFd<'_>, ranges: &[(usize, usize)]) -> io::Result<usize> {
    let vectors: Vec<libc::iovec> = ranges
        .iter()
        .map(|&(start, length)| libc::iovec { iov_base: start as *mut libc::c_void, iov_len: length })
        .collect();
    // SAFETY: the addresses are of the other process; the kernel checks them there.
    check(unsafe {
        libc::syscall(
            libc::SYS_process_madvise,
            process.as_raw_fd(),
            vectors.as_ptr(),
            vectors.len(),
            libc::MADV_PAGEOUT,
            0,
        )
    })
    .map(|bytes| bytes as usize)
}

/// A sealed file in memory holding `bytes`, executable and readable by nobody, so that a process made from it can
/// neither be overwritten nor dumped nor traced.
pub(crate) fn sealed_program(name: &CStr, bytes: &[u8]) -> io::Result<OwnedFd> {
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    // MFD_EXEC exists since 6.3; older kernels refuse unknown flags.
    // SAFETY: name is NUL-terminated.
    let file = owned(unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags | libc::MFD_EXEC) })
        // SAFETY: as above.
        .or_else(|_| owned(unsafe { libc::syscall(libc::SYS_memfd_create, name.as_ptr(), flags) }))?;
    let mut left = bytes;
    while !left.is_empty() {
        left = &left[rustix::io::write(&file, left)?..];
    }
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o111))?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: F_ADD_SEALS takes an integer.
    check(libc::c_long::from(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) }))?;
    // A descriptor open for writing would make exec fail with ETXTBSY: reopen it for execution only.
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    open_checked(None, Path::new(&path), libc::O_PATH, 0)
}

/// How many threads this process has.
pub(crate) fn thread_count() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Landlock's ABI version; 0 when the kernel has none.
pub(crate) fn landlock_version() -> u32 {
    const VERSION: u32 = 1;
    // SAFETY: a null ruleset with this flag only asks for the version.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0, VERSION) };
    u32::try_from(version).unwrap_or(0)
}

/// Closes the descriptors from `first` to `last`.
pub(crate) fn close_between(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: used only by a fresh fork, none of whose remaining owners refer to these numbers.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// Number of a loop device that is free at this moment.
pub(crate) fn free_loop_device(control: BorrowedFd<'_>) -> io::Result<u32> {
    const GET_FREE: libc::c_ulong = 0x4C82;
    // SAFETY: takes no argument.
    let number = unsafe { libc::ioctl(control.as_raw_fd(), GET_FREE as _) };
    check(libc::c_long::from(number)).map(|number| number as u32)
}

#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    /// device, inode, rdevice, offset, sizelimit
    numbers: [u64; 5],
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt: [u8; 96],
    init: [u64; 2],
    reserved: [u64; 8],
}

/// Makes an open loop device out of an open file. It is free again once nobody holds it any more. Reads and writes go past
/// the page cache where the file's disk can do that, or every page would be cached twice.
pub(crate) fn configure_loop_device(device: BorrowedFd<'_>, file: i32, name: &Path) -> io::Result<()> {
    const CONFIGURE: libc::c_ulong = 0x4C0A;
    const AUTOCLEAR_AND_DIRECT: u32 = 4 | 16;
    let mut config = LoopConfig {
        fd: file as u32,
        block_size: 0,
        numbers: [0; 5],
        number: 0,
        encrypt_type: 0,
        encrypt_key_size: 0,
        flags: AUTOCLEAR_AND_DIRECT,
        file_name: [0; 64],
        crypt: [0; 96],
        init: [0; 2],
        reserved: [0; 8],
    };
    // What `losetup` shows; the kernel wants a NUL at the end.
    for (to, from) in config.file_name.iter_mut().take(63).zip(name.as_os_str().as_bytes()) {
        *to = *from;
    }
    // SAFETY: config is a valid loop_config that the kernel only reads.
    check(libc::c_long::from(unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE as _, &raw const config) })).map(drop)
}
