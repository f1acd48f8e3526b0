//! Ways out and ways to see: every row is tried from inside and must be refused (`hostile-programs` C and D).
#![allow(clippy::unwrap_used)]

mod harness;

use darter_sandbox::{ExitReason, Profile};
use harness::{ALL_PROFILES, c_program, python, run_spec, shell, start, world};

/// Rows: a C expression and the error it must end with.
const CALLS: &[(&str, &str)] = &[
    // namespaces
    ("syscall(SYS_unshare, 0x10000000)", "EPERM"),
    ("syscall(SYS_unshare, 0x00020000)", "EPERM"),
    ("syscall(SYS_unshare, 0x40000000)", "EPERM"),
    ("syscall(SYS_clone, 0x10000000 | 17, 0, 0, 0, 0)", "EPERM"),
    ("syscall(SYS_clone, 0x20000000 | 17, 0, 0, 0, 0)", "EPERM"),
    ("syscall(435, 0, 0)", "ENOSYS"),
    ("syscall(SYS_setns, 0, 0)", "EPERM"),
    // mounts
    ("syscall(SYS_mount, \"none\", \"/tmp\", \"tmpfs\", 0, 0)", "EPERM"),
    ("syscall(SYS_mount, \"none\", \"/tmp\", \"cgroup\", 0, \"memory\")", "EPERM"),
    ("syscall(SYS_umount2, \"/proc\", 2)", "EPERM"),
    ("syscall(SYS_pivot_root, \".\", \".\")", "EPERM"),
    ("syscall(SYS_chroot, \"/tmp\")", "EPERM"),
    ("syscall(428, -100, \"/\", 1)", "EPERM"),
    ("syscall(429, 0, \"\", 0, \"\", 0)", "EPERM"),
    ("syscall(430, \"tmpfs\", 0)", "EPERM"),
    ("syscall(442, -100, \"/\", 0, 0, 0)", "EPERM"),
    ("syscall(457, 0, 0, 0, 0)", "ENOSYS"),
    ("syscall(458, 0, 0, 0, 0)", "ENOSYS"),
    ("syscall(467, -100, \"/\", 1, 0, 0)", "ENOSYS"),
    // devices and handles
    ("mknod(\"/tmp/b\", 0060600, 0x800)", "EPERM|EACCES"),
    ("mknod(\"/tmp/c\", 0020600, 0x101)", "EPERM|EACCES"),
    ("syscall(SYS_open_by_handle_at, 0, 0, 0)", "EPERM"),
    ("syscall(SYS_name_to_handle_at, -100, \"/\", 0, 0, 0)", "EPERM"),
    // the kernel
    ("syscall(425, 1, 0)", "ENOSYS"),
    ("syscall(426, 0, 0, 0, 0, 0, 0)", "ENOSYS"),
    ("syscall(427, 0, 0, 0, 0)", "ENOSYS"),
    ("syscall(SYS_bpf, 0, 0, 0)", "EPERM"),
    ("syscall(SYS_userfaultfd, 0)", "EPERM"),
    ("syscall(SYS_perf_event_open, 0, 0, -1, -1, 0)", "EPERM"),
    ("syscall(SYS_kexec_load, 0, 0, 0, 0)", "EPERM"),
    ("syscall(SYS_init_module, 0, 0, \"\")", "EPERM"),
    ("syscall(SYS_finit_module, 0, \"\", 0)", "EPERM"),
    ("syscall(SYS_delete_module, \"x\", 0)", "EPERM"),
    ("syscall(SYS_swapon, \"/tmp/x\", 0)", "EPERM"),
    ("syscall(SYS_reboot, 0xfee1dead, 672274793, 0, 0)", "EPERM"),
    ("syscall(SYS_settimeofday, 0, 0)", "EPERM"),
    ("syscall(SYS_clock_settime, 0, 0)", "EPERM"),
    ("syscall(SYS_acct, 0)", "EPERM"),
    ("syscall(SYS_quotactl, 0, 0, 0, 0)", "EPERM"),
    ("syscall(SYS_lookup_dcookie, 0, 0, 0)", "EPERM"),
    ("syscall(SYS_iopl, 3)", "EPERM"),
    ("syscall(SYS_modify_ldt, 0, 0, 0)", "EPERM"),
    ("syscall(SYS_personality, 0x0040000)", "EPERM"),
    ("syscall(SYS_sethostname, \"x\", 1)", "EPERM"),
    ("syscall(SYS_syslog, 2, 0, 0)", "EPERM"),
    ("syscall(SYS_fanotify_init, 0, 0)", "EPERM"),
    // keys
    ("syscall(SYS_keyctl, 0, 0, 0, 0, 0)", "ENOSYS"),
    ("syscall(SYS_add_key, \"user\", \"a\", \"b\", 1, 0)", "ENOSYS"),
    ("syscall(SYS_request_key, \"user\", \"a\", 0, 0)", "ENOSYS"),
    // other processes
    ("syscall(SYS_ptrace, 0, 0, 0, 0)", "EPERM"),
    ("syscall(SYS_ptrace, 16, 1, 0, 0)", "EPERM"),
    ("syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0)", "EPERM"),
    ("syscall(SYS_process_vm_writev, 1, 0, 0, 0, 0, 0)", "EPERM"),
    ("syscall(438, 0, 0, 0)", "EPERM"),
    ("syscall(SYS_kcmp, 1, 1, 0, 0, 0)", "EPERM"),
    ("kill(1, 9)", "EPERM"),
    ("kill(1, 0)", "EPERM"),
    ("syscall(SYS_prlimit64, 1, 7, 0, &(struct rlimit){0})", "EPERM"),
    // filters and process options
    ("syscall(SYS_seccomp, 1, 8, 0)", "EPERM"),
    ("prctl(22, 2, 0, 0, 0)", "EPERM"),
    ("prctl(35, 1, 0, 0, 0)", "EPERM"),
    // power
    ("setuid(0)", "EINVAL"),
    ("setuid(999)", "EINVAL"),
    ("setgroups(0, 0)", "EPERM"),
    ("syscall(SYS_capset, 0, 0)", "EPERM"),
    ("mlockall(3)", "EPERM"),
    ("setpriority(0, 0, -20) + nice(-5)", "EACCES|EPERM"),
    ("sched_setscheduler(0, 1, &(struct sched_param){1})", "EPERM"),
    ("syscall(SYS_ioprio_set, 1, 0, 1 << 13)", "EPERM"),
    ("(long)mmap(0, 2 << 20, 3, 0x40022, -1, 0)", "ENOMEM|EPERM"),
    ("chmod(\"/tmp\", 04777)", "EPERM"),
    // terminals and sockets
    ("ioctl(0, 0x5412, \"x\")", "EPERM"),
    ("ioctl(0, 0x541C, \"\\2\")", "EPERM"),
    ("syscall(SYS_ioctl, 0, 0x100005412L, \"x\")", "EPERM"),
    ("socket(17, 3, 768)", "EPERM"),
    ("socket(2, 3, 1)", "EPERM"),
    ("socket(2, 2, 1)", "EPERM"),
    ("socket(2, 1, 132)", "EPERM"),
    ("socket(16, 3, 12)", "EPERM"),
    ("socket(38, 5, 0)", "EPERM"),
    ("socket(40, 1, 0)", "EPERM"),
    ("syscall(SYS_vmsplice, 0, 0, 0, 0)", "EPERM"),
    // files
    ("open(\"/x\", 0101, 0600)", "EROFS|EACCES"),
    ("open(\"/usr/x\", 0101, 0600)", "EROFS|EACCES"),
    ("open(\"/dev/x\", 0101, 0600)", "EROFS|EACCES"),
    ("open(\"/etc/passwd\", 1)", "EROFS|EACCES"),
    ("open(\"/etc/shadow\", 0)", "ENOENT"),
    ("open(\"/proc/kcore\", 0)", "ENOENT"),
    ("open(\"/proc/kallsyms\", 0)", "ENOENT"),
    ("open(\"/proc/keys\", 0)", "ENOENT"),
    ("open(\"/proc/timer_list\", 0)", "ENOENT"),
    ("open(\"/proc/sys/kernel/core_pattern\", 1)", "ENOENT"),
    ("open(\"/proc/sysrq-trigger\", 1)", "ENOENT"),
    ("open(\"/proc/1/environ\", 0)", "ENOENT"),
    ("open(\"/proc/1/cmdline\", 0)", "ENOENT"),
    ("open(\"/proc/1/root/etc/shadow\", 0)", "ENOENT"),
    ("open(\"/sys/kernel\", 0)", "ENOENT"),
    ("open(\"/sys/fs/cgroup\", 0)", "ENOENT"),
    ("open(\"/dev/kmsg\", 0)", "ENOENT"),
    ("open(\"/dev/mem\", 0)", "ENOENT"),
    ("open(\"/dev/fuse\", 2)", "ENOENT"),
    ("open(\"/dev/kvm\", 2)", "ENOENT"),
    ("open(\"/var/run/docker.sock\", 2)", "ENOENT"),
    ("open(\"/run/docker.sock\", 2)", "ENOENT"),
    ("link(\"/etc/passwd\", \"/tmp/p\")", "EXDEV|EPERM"),
];

fn program_of(rows: &[(&str, &str)]) -> String {
    let attempts: String =
        rows.iter().map(|(call, _)| format!("errno = 0; r = (long)({call}); say(r < 0 ? errno : 0);\n")).collect();
    format!(
        "#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>
static void say(int e) {{ printf(\"%s\\n\", e ? strerrorname_np(e) : \"WORKED\"); fflush(stdout); }}
int main(void) {{ long r;
{attempts}return 0; }}"
    )
}

/// Rows that a wider profile answers differently: what it may do, to itself, and what is covered instead of absent.
const WIDER: &[(&str, &str)] = &[
    // The first process is no tracer, and not there for us.
    ("syscall(SYS_ptrace, 16, 1, 0, 0)", "EPERM|ESRCH"),
    ("syscall(SYS_process_vm_readv, 1, 0, 0, 0, 0, 0)", "EPERM|ESRCH|WORKED"),
    ("syscall(SYS_process_vm_writev, 1, 0, 0, 0, 0, 0)", "EPERM|ESRCH|WORKED"),
    ("syscall(SYS_seccomp, 1, 8, 0)", "EFAULT|EINVAL"),
    ("prctl(22, 2, 0, 0, 0)", "EFAULT"),
    ("syscall(SYS_personality, 0x0040000)", "WORKED"),
    ("open(\"/proc/kcore\", 0)", "EACCES|ENOENT"),
    ("open(\"/proc/kallsyms\", 0)", "EACCES|ENOENT"),
    ("open(\"/proc/keys\", 0)", "EACCES|ENOENT"),
    ("open(\"/proc/timer_list\", 0)", "EACCES|ENOENT"),
    ("open(\"/proc/sys/kernel/core_pattern\", 1)", "EROFS|EACCES"),
    ("open(\"/proc/sysrq-trigger\", 1)", "EACCES|ENOENT"),
];

fn wider(profile: Profile, call: &str) -> Option<&'static str> {
    match profile {
        Profile::Function | Profile::Build => None,
        Profile::Workspace => WIDER.iter().find(|(one, _)| *one == call).map(|(_, expected)| *expected),
    }
}

#[test]
fn every_forbidden_call_is_refused_with_the_right_error() {
    world(|world| async move {
        for profile in ALL_PROFILES {
            let mut spec = c_program(&world, &program_of(CALLS));
            spec.profile = profile;
            let ran = run_spec(&world.client, spec).await;
            assert_eq!(ran.exit.reason, ExitReason::Code(0), "{}", ran.output);
            let answers: Vec<&str> = ran.output.lines().collect();
            assert_eq!(answers.len(), CALLS.len());
            let wrong: Vec<String> = CALLS
                .iter()
                .zip(&answers)
                .map(|((call, expected), answer)| (call, wider(profile, call).unwrap_or(expected), answer))
                .filter(|(_, expected, answer)| !expected.split('|').any(|one| one == **answer))
                .map(|(call, expected, answer)| format!("{call}: {answer}, not {expected}"))
                .collect();
            assert!(wrong.is_empty(), "{profile:?}\n{}", wrong.join("\n"));
        }
    });
}

#[test]
fn a_call_of_a_foreign_architecture_ends_the_program() {
    world(|world| async move {
        for profile in ALL_PROFILES {
            let code = "int main(void) { __asm__ volatile(\"int $0x80\" :: \"a\"(20)); return 0; }";
            let mut spec = c_program(&world, code);
            spec.profile = profile;
            assert_eq!(run_spec(&world.client, spec).await.exit.reason, ExitReason::Signal(31));
        }
    });
}

#[test]
fn killing_everybody_reaches_only_ones_own() {
    world(|world| async move {
        let other = start(&world.client, harness::spec(["/bin/sleep", "1000"])).await;
        let ran =
            run_spec(&world.client, python("import os\ntry: os.kill(-1,9)\nexcept ProcessLookupError: pass")).await;
        assert!(matches!(ran.exit.reason, ExitReason::Code(0) | ExitReason::Signal(9)), "{ran:?}");
        assert!(other.sandbox.ended().is_none());
        let ran = run_spec(&world.client, shell("kill -9 -1; kill -9 1; echo still; kill -9 $PPID; echo here")).await;
        assert!(ran.output.contains("here") || ran.exit.reason == ExitReason::Signal(9), "{ran:?}");
        assert_eq!(other.sandbox.kill().await.reason, ExitReason::Killed);
        other.finish().await;
    });
}

#[test]
fn the_environment_is_only_what_was_given() {
    world(|world| async move {
        let mut spec = harness::spec(["/usr/bin/env"]);
        spec.env = vec![("ONLY".into(), "this".into())];
        assert_eq!(run_spec(&world.client, spec).await.output, "ONLY=this\n");
        let ran = run_spec(&world.client, python("import os; print(sorted(os.environ), os.uname().nodename)")).await;
        assert_eq!(ran.output, "['HOME', 'LANG', 'PATH', 'PYTHONDONTWRITEBYTECODE', 'TZ'] sandbox\n");
    });
}

#[test]
fn only_ones_own_processes_ids_and_files_are_seen() {
    world(|world| async move {
        let other = start(&world.client, harness::spec(["/bin/sleep", "1000"])).await;
        for profile in ALL_PROFILES {
            let script = "ls /proc | grep -c '^[0-9]'; cat /proc/self/uid_map | tr -s ' '; cat /proc/self/cgroup | cut -d: -f3 | sort -u; ls /; id -u";
            let mut spec = shell(script);
            spec.profile = profile;
            let ran = run_spec(&world.client, spec).await;
            let lines: Vec<&str> = ran.output.lines().collect();
            // The shell, ls and grep; not the first process.
            assert!(lines[0].parse::<u32>().unwrap() <= 4, "{}", ran.output);
            assert!(lines[1].starts_with(" 1000 ") && lines[1].ends_with(" 1"), "{}", ran.output);
            assert_eq!(lines[2], "/");
            assert_eq!(lines[3..].join(" "), "bin dev etc lib lib64 proc sbin tmp usr work 1000");
        }
        other.sandbox.kill().await;
        other.finish().await;
    });
}

#[test]
fn what_one_run_leaves_behind_the_next_does_not_find() {
    world(|world| async move {
        let leave =
            "echo secret > /tmp/a; echo secret > /dev/shm/b; echo secret > /work/c; ls -A /tmp /dev/shm /work | wc -l";
        for profile in ALL_PROFILES {
            let mut spec = shell(leave);
            spec.profile = profile;
            assert_eq!(run_spec(&world.client, spec).await.output, "8\n");
        }
        let look = "find /tmp /dev/shm /work -type f | wc -l; test -e /var/tmp && echo there; exit 0";
        assert_eq!(run_spec(&world.client, shell(look)).await.output, "0\n");
    });
}

#[test]
fn set_user_id_programs_give_nothing() {
    world(|world| async move {
        let script = "for p in /bin/su /usr/bin/passwd /usr/bin/sudo /bin/mount; do test -u $p && echo found; done | sort -u; \
                      /bin/su -c id 2>&1 </dev/null | grep -c uid=0; grep -E 'NoNewPrivs|CapEff|CapBnd' /proc/self/status | awk '{print $2}' | tr '\\n' ' '";
        for profile in ALL_PROFILES {
            let mut spec = shell(script);
            spec.profile = profile;
            let ran = run_spec(&world.client, spec).await;
            assert!(ran.output.ends_with("0\n0000000000000000 0000000000000000 1 "), "{}", ran.output);
        }
    });
}
