//! The tables: which system calls a workload and the agent may make, and how the rest is refused.
//!
//! Allowed is what Node 24, npm, Go programs (esbuild), Python and shells use. Named refusals are the ways out that have
//! worked elsewhere: they answer `EPERM` so that a program can say what happened. All else does not exist.

use super::{Check, Verdict};
use crate::spec::Profile;

/// Every flag of `clone` that makes a namespace.
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// Terminal injection, console selection, line disciplines (each a kernel module of its own), console capture.
const TERMINAL_TRICKS: &[u32] = &[0x5412, 0x541C, 0x5423, 0x541D];

/// `PR_SET_VMA` names memory areas; 41/42 huge pages, 47 ambient capabilities (there are none), 52/53 speculation.
const PROCESS_OPTIONS: &[u32] = &[
    libc::PR_SET_PDEATHSIG as u32,
    libc::PR_GET_PDEATHSIG as u32,
    libc::PR_GET_DUMPABLE as u32,
    libc::PR_SET_DUMPABLE as u32,
    libc::PR_GET_KEEPCAPS as u32,
    libc::PR_SET_NAME as u32,
    libc::PR_GET_NAME as u32,
    libc::PR_GET_SECCOMP as u32,
    libc::PR_CAPBSET_READ as u32,
    libc::PR_GET_SECUREBITS as u32,
    libc::PR_SET_TIMERSLACK as u32,
    libc::PR_GET_TIMERSLACK as u32,
    libc::PR_SET_CHILD_SUBREAPER as u32,
    libc::PR_GET_CHILD_SUBREAPER as u32,
    libc::PR_SET_NO_NEW_PRIVS as u32,
    libc::PR_GET_NO_NEW_PRIVS as u32,
    libc::PR_SET_THP_DISABLE as u32,
    libc::PR_GET_THP_DISABLE as u32,
    libc::PR_CAP_AMBIENT as u32,
    libc::PR_GET_SPECULATION_CTRL as u32,
    libc::PR_SET_SPECULATION_CTRL as u32,
    0x5356_4d41,
];

/// What else a workspace may: filters of its own (browsers), and who may trace it (crash reporters).
const WORKSPACE_OPTIONS: &[u32] = &{
    let mut all = [0; PROCESS_OPTIONS.len() + 2];
    let (common, own) = all.split_at_mut(PROCESS_OPTIONS.len());
    common.copy_from_slice(PROCESS_OPTIONS);
    own[0] = libc::PR_SET_SECCOMP as u32;
    own[1] = libc::PR_SET_PTRACER as u32;
    all
};

/// The usual one, and the question for it.
const PERSONALITIES: &[u32] = &[0, 0xffff_ffff];
/// Debuggers load a program at the same addresses each time.
const WORKSPACE_PERSONALITIES: &[u32] = &[0, 0xffff_ffff, libc::ADDR_NO_RANDOMIZE as u32];

macro_rules! numbers {
    ($($name:ident)*) => { &[$(libc::$name),*] };
}

/// Harmless or bounded by another wall.
const ALLOWED: &[i64] = numbers! {
    // files
    SYS_read SYS_write SYS_readv SYS_writev SYS_pread64 SYS_pwrite64 SYS_preadv SYS_pwritev SYS_preadv2 SYS_pwritev2
    SYS_openat SYS_openat2 SYS_close SYS_close_range SYS_fstat SYS_newfstatat SYS_statx SYS_statfs SYS_fstatfs
    SYS_lseek SYS_fcntl SYS_flock SYS_fsync SYS_fdatasync SYS_truncate SYS_ftruncate SYS_fallocate SYS_fadvise64
    SYS_getdents64 SYS_getcwd SYS_chdir SYS_fchdir SYS_mkdirat SYS_unlinkat SYS_renameat SYS_renameat2 SYS_linkat
    SYS_symlinkat SYS_readlinkat SYS_faccessat SYS_faccessat2 SYS_fchown SYS_fchownat SYS_umask SYS_utimensat
    SYS_mknodat SYS_dup SYS_dup3 SYS_pipe2 SYS_sendfile SYS_splice SYS_tee SYS_copy_file_range SYS_sync_file_range
    SYS_readahead SYS_memfd_create SYS_inotify_init1 SYS_inotify_add_watch SYS_inotify_rm_watch
    SYS_getxattr SYS_lgetxattr SYS_fgetxattr SYS_listxattr SYS_llistxattr SYS_flistxattr
    // memory
    SYS_brk SYS_mmap SYS_munmap SYS_mremap SYS_mprotect SYS_madvise SYS_msync SYS_mincore SYS_mlock SYS_mlock2
    SYS_munlock SYS_munlockall SYS_membarrier SYS_pkey_alloc SYS_pkey_free SYS_pkey_mprotect SYS_get_mempolicy
    // waiting
    SYS_ppoll SYS_pselect6 SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_pwait SYS_epoll_pwait2 SYS_eventfd2
    SYS_signalfd4 SYS_timerfd_create SYS_timerfd_settime SYS_timerfd_gettime SYS_futex SYS_restart_syscall
    SYS_nanosleep SYS_clock_nanosleep
    // processes and threads
    SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_wait4 SYS_waitid SYS_getpid SYS_getppid SYS_gettid
    SYS_set_tid_address SYS_set_robust_list SYS_get_robust_list SYS_rseq SYS_kill SYS_tkill SYS_tgkill
    SYS_rt_sigaction SYS_rt_sigprocmask SYS_rt_sigpending SYS_rt_sigtimedwait SYS_rt_sigqueueinfo
    SYS_rt_tgsigqueueinfo SYS_rt_sigsuspend SYS_rt_sigreturn SYS_sigaltstack SYS_setpgid SYS_getpgid SYS_setsid
    SYS_getsid SYS_getuid SYS_geteuid SYS_getgid SYS_getegid SYS_getgroups SYS_getresuid SYS_getresgid SYS_setuid
    SYS_setgid SYS_setreuid SYS_setregid SYS_setresuid SYS_setresgid SYS_setfsuid SYS_setfsgid SYS_setgroups
    SYS_capget SYS_getpriority SYS_setpriority SYS_getrlimit SYS_setrlimit SYS_prlimit64 SYS_getrusage SYS_times
    SYS_sched_yield SYS_sched_getaffinity SYS_sched_setaffinity SYS_sched_getparam SYS_sched_setparam
    SYS_sched_getscheduler SYS_sched_setscheduler SYS_sched_get_priority_max SYS_sched_get_priority_min
    SYS_sched_rr_get_interval SYS_sched_getattr SYS_ioprio_get SYS_pidfd_open SYS_pidfd_send_signal
    // time and the machine
    SYS_clock_gettime SYS_clock_getres SYS_gettimeofday SYS_getitimer SYS_setitimer SYS_timer_create
    SYS_timer_settime SYS_timer_gettime SYS_timer_getoverrun SYS_timer_delete SYS_uname SYS_sysinfo SYS_getcpu
    SYS_getrandom
    // sockets, made by `socket` only
    SYS_bind SYS_listen SYS_accept SYS_accept4 SYS_connect SYS_shutdown SYS_getsockname SYS_getpeername
    SYS_getsockopt SYS_setsockopt SYS_sendto SYS_recvfrom SYS_sendmsg SYS_recvmsg SYS_sendmmsg SYS_recvmmsg
    // giving up more
    SYS_landlock_create_ruleset SYS_landlock_add_rule SYS_landlock_restrict_self
};

#[cfg(target_arch = "x86_64")]
const ALLOWED_HERE: &[i64] = numbers! {
    SYS_open SYS_creat SYS_stat SYS_lstat SYS_access SYS_poll SYS_select SYS_epoll_create SYS_epoll_wait
    SYS_eventfd SYS_signalfd SYS_inotify_init SYS_pipe SYS_dup2 SYS_fork SYS_vfork SYS_rename SYS_mkdir SYS_rmdir
    SYS_link SYS_unlink SYS_symlink SYS_readlink SYS_chown SYS_lchown SYS_getdents SYS_utime SYS_utimes
    SYS_futimesat SYS_mknod SYS_getpgrp SYS_pause SYS_alarm SYS_time SYS_arch_prctl
};
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_HERE: &[i64] = &[];

/// What installers and compilers use besides.
const ALLOWED_TO_BUILD: &[i64] = numbers! {
    SYS_setxattr SYS_lsetxattr SYS_fsetxattr SYS_removexattr SYS_lremovexattr SYS_fremovexattr SYS_ioprio_set
};

/// What debuggers, databases and browsers use besides. `ptrace` and its like reach only processes of the same user
/// namespace, that is the workload's own; a filter can only take away; System V memory lives in the ipc namespace and
/// counts as memory; `syncfs` is `fsync` of a home.
const FOR_WORKSPACES: &[i64] = numbers! {
    SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_seccomp SYS_syncfs
};
/// See [`FOR_WORKSPACES`]; for the other profiles these do not exist.
const NEW_FOR_WORKSPACES: &[i64] = numbers! {
    SYS_shmget SYS_shmat SYS_shmctl SYS_shmdt SYS_semget SYS_semop SYS_semctl SYS_semtimedop SYS_msgget SYS_msgsnd
    SYS_msgrcv SYS_msgctl SYS_io_setup SYS_io_destroy SYS_io_submit SYS_io_cancel SYS_io_getevents
};

/// Ways out, and ways to hurt the host.
const REFUSED: &[i64] = numbers! {
    SYS_unshare SYS_setns SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_open_tree SYS_move_mount SYS_fsopen
    SYS_fsconfig SYS_fsmount SYS_fspick SYS_mount_setattr SYS_process_madvise SYS_process_mrelease SYS_kcmp SYS_pidfd_getfd SYS_bpf SYS_perf_event_open SYS_userfaultfd
    SYS_init_module SYS_finit_module SYS_delete_module SYS_kexec_load SYS_reboot
    SYS_swapon SYS_swapoff SYS_settimeofday SYS_clock_settime SYS_clock_adjtime SYS_adjtimex SYS_acct SYS_quotactl
    SYS_quotactl_fd SYS_open_by_handle_at SYS_name_to_handle_at SYS_lookup_dcookie SYS_sethostname
    SYS_setdomainname SYS_syslog SYS_vhangup SYS_fanotify_init SYS_fanotify_mark SYS_capset SYS_mlockall
    SYS_sched_setattr SYS_mbind SYS_set_mempolicy SYS_migrate_pages SYS_move_pages SYS_remap_file_pages SYS_vmsplice
    SYS_sync SYS_nfsservctl
};

#[cfg(target_arch = "x86_64")]
const REFUSED_HERE: &[i64] = numbers! {
    SYS_iopl SYS_ioperm SYS_modify_ldt SYS_kexec_file_load SYS_uselib SYS_ustat SYS_sysfs SYS__sysctl
};
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_HERE: &[i64] = &[];

/// The table of a workload.
pub(super) fn workload(profile: Profile) -> Vec<(i64, Verdict)> {
    let mut table = entries(ALLOWED, Verdict::Allow);
    table.extend(entries(ALLOWED_HERE, Verdict::Allow));
    let refused = Verdict::Errno(libc::EPERM);
    let (build, workspace) = match profile {
        Profile::Function => (refused, refused),
        Profile::Build => (Verdict::Allow, refused),
        Profile::Workspace => (Verdict::Allow, Verdict::Allow),
    };
    table.extend(entries(ALLOWED_TO_BUILD, build));
    table.extend(entries(FOR_WORKSPACES, workspace));
    if profile == Profile::Workspace {
        table.extend(entries(NEW_FOR_WORKSPACES, workspace));
    }
    table.extend(entries(REFUSED, Verdict::Errno(libc::EPERM)));
    table.extend(entries(REFUSED_HERE, Verdict::Errno(libc::EPERM)));
    table.extend(checked(profile));
    table
}

fn entries(numbers: &[i64], verdict: Verdict) -> Vec<(i64, Verdict)> {
    numbers.iter().map(|number| (*number, verdict)).collect()
}

fn checked(profile: Profile) -> Vec<(i64, Verdict)> {
    let (options, personalities) = match profile {
        Profile::Function | Profile::Build => (PROCESS_OPTIONS, PERSONALITIES),
        Profile::Workspace => (WORKSPACE_OPTIONS, WORKSPACE_PERSONALITIES),
    };
    // Set-user-id files on a writable bind would be somebody's set-user-id files on the host.
    let no_set_id = |argument| Verdict::Check(Check::NoBits { argument, bits: 0o6000 });
    let mut table = vec![
        (libc::SYS_clone, Verdict::Check(Check::NoBits { argument: 0, bits: NEW_NAMESPACES })),
        (libc::SYS_ioctl, Verdict::Check(Check::NoneOf { argument: 1, values: TERMINAL_TRICKS })),
        (libc::SYS_prctl, Verdict::Check(Check::OneOf { argument: 0, values: options })),
        (libc::SYS_personality, Verdict::Check(Check::OneOf { argument: 0, values: personalities })),
        (libc::SYS_socket, Verdict::Check(Check::Socket)),
        (libc::SYS_socketpair, Verdict::Check(Check::OneOf { argument: 0, values: &[libc::AF_UNIX as u32] })),
        (libc::SYS_fchmod, no_set_id(1)),
        (libc::SYS_fchmodat, no_set_id(2)),
        (libc::SYS_fchmodat2, no_set_id(2)),
    ];
    #[cfg(target_arch = "x86_64")]
    table.push((libc::SYS_chmod, no_set_id(1)));
    table
}

/// The agent: start of a static program, then poll, reap, one message, exit.
pub(super) fn agent() -> Vec<(i64, Verdict)> {
    let mut table = entries(
        numbers! {
            SYS_execveat SYS_brk SYS_mmap SYS_munmap SYS_mprotect SYS_madvise SYS_set_tid_address SYS_set_robust_list
            SYS_rseq SYS_prlimit64 SYS_getrandom SYS_readlinkat SYS_sigaltstack SYS_rt_sigaction SYS_rt_sigprocmask
            SYS_rt_sigreturn SYS_ppoll SYS_read SYS_write SYS_sendto SYS_close SYS_fstat SYS_newfstatat SYS_wait4
            SYS_waitid SYS_prctl SYS_signalfd4 SYS_fcntl SYS_sched_getaffinity SYS_gettid SYS_getpid SYS_tgkill
            SYS_exit SYS_exit_group SYS_restart_syscall SYS_futex
        },
        Verdict::Allow,
    );
    #[cfg(target_arch = "x86_64")]
    table.extend(entries(numbers! { SYS_arch_prctl SYS_poll SYS_readlink }, Verdict::Allow));
    table
}
