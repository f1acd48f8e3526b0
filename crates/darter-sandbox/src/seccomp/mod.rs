//! System-call filters: a decision per call number, compiled to a small search tree for the kernel.
//!
//! Whatever is not listed does not exist (`ENOSYS`), so that a system call of a later kernel is refused until somebody
//! has thought about it. A library would emit a list that the kernel walks from the top; a tree is a tenth of the
//! instructions, and its installation is on the way of every sandbox.

mod bpf;
mod calls;

pub(crate) use bpf::Program;

use crate::spec::Profile;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Allow,
    /// Refused with this error number.
    Errno(i32),
    /// Ends the process.
    Kill,
    /// Depends on an argument.
    Check(Check),
}

/// Conditions on the low 32 bits of one argument (the kernel reads no more of any of these).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// Refused with `EPERM` when any of these bits is set.
    NoBits { argument: u8, bits: u32 },
    /// Refused with `EPERM` when it is one of these.
    NoneOf { argument: u8, values: &'static [u32] },
    /// Refused with `EPERM` unless it is one of these.
    OneOf { argument: u8, values: &'static [u32] },
    /// Unix, IPv4 and IPv6 without raw sockets or odd protocols, and route netlink.
    Socket,
}

/// The filter of a workload.
pub(crate) fn workload(profile: Profile) -> Program {
    bpf::compile(&calls::workload(profile))
}

/// The filter of the agent, which only waits.
pub(crate) fn agent() -> Program {
    bpf::compile(&calls::agent())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(table: &[(i64, Verdict)], number: i64) -> Verdict {
        table.iter().find(|(one, _)| *one == number).map_or(Verdict::Errno(libc::ENOSYS), |(_, verdict)| *verdict)
    }

    fn tables() -> Vec<Vec<(i64, Verdict)>> {
        let profiles = [Profile::Function, Profile::Build, Profile::Workspace];
        profiles.into_iter().map(calls::workload).chain([calls::agent()]).collect()
    }

    #[test]
    fn no_call_is_listed_twice() {
        for table in tables() {
            let mut numbers: Vec<i64> = table.iter().map(|(number, _)| *number).collect();
            let all = numbers.len();
            numbers.sort_unstable();
            numbers.dedup();
            assert_eq!(numbers.len(), all);
        }
    }

    #[test]
    fn the_compiled_tree_answers_as_the_table_for_every_number() {
        for table in tables() {
            let program = bpf::compile(&table);
            for number in 0..2000 {
                let got = bpf::run(&program, bpf::NATIVE, number as u32, [0; 6]);
                let expected = match verdict(&table, number) {
                    Verdict::Allow => libc::SECCOMP_RET_ALLOW,
                    Verdict::Errno(errno) => libc::SECCOMP_RET_ERRNO | errno as u32,
                    Verdict::Kill => libc::SECCOMP_RET_KILL_PROCESS,
                    Verdict::Check(check) => bpf::judge(check, [0; 6]),
                };
                assert_eq!(got, expected, "call {number}");
            }
        }
    }

    #[test]
    fn a_foreign_architecture_ends_the_process() {
        let program = workload(Profile::Function);
        for foreign in [0x4000_0003, 0x4000_0028, 0] {
            assert_eq!(bpf::run(&program, foreign, 1, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
        }
        if cfg!(target_arch = "x86_64") {
            let x32 = 0x4000_0000 | libc::SYS_write as u32;
            assert_eq!(bpf::run(&program, bpf::NATIVE, x32, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
        }
    }

    #[test]
    fn arguments_decide_where_they_must() {
        let allow = libc::SECCOMP_RET_ALLOW;
        let eperm = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
        let program = workload(Profile::Function);
        let unix = libc::AF_UNIX as u64;
        let (v4, packet, netlink) = (libc::AF_INET as u64, libc::AF_PACKET as u64, libc::AF_NETLINK as u64);
        let (stream, raw) = (libc::SOCK_STREAM as u64, libc::SOCK_RAW as u64);
        let cloexec = libc::SOCK_CLOEXEC as u64;
        let rows: &[(i64, [u64; 3], u32)] = &[
            (libc::SYS_clone, [libc::CLONE_VM as u64 | libc::CLONE_THREAD as u64, 0, 0], allow),
            (libc::SYS_clone, [libc::CLONE_NEWUSER as u64, 0, 0], eperm),
            (libc::SYS_clone, [libc::CLONE_NEWNS as u64 | libc::SIGCHLD as u64, 0, 0], eperm),
            (libc::SYS_ioctl, [0, libc::TIOCSTI, 0], eperm),
            (libc::SYS_ioctl, [0, libc::TIOCSTI | (1 << 32), 0], eperm),
            (libc::SYS_ioctl, [0, libc::TCGETS, 0], allow),
            (libc::SYS_socket, [unix, stream | cloexec, 0], allow),
            (libc::SYS_socket, [v4, stream | cloexec, 0], allow),
            (libc::SYS_socket, [v4, stream, 6], allow),
            (libc::SYS_socket, [v4, raw | cloexec, 0], eperm),
            (libc::SYS_socket, [v4, stream, 132], eperm),
            (libc::SYS_socket, [v4, libc::SOCK_DGRAM as u64, 1], eperm),
            (libc::SYS_socket, [packet, raw, 0], eperm),
            (libc::SYS_socket, [netlink, raw, 0], allow),
            (libc::SYS_socket, [netlink, raw, 12], eperm),
            (libc::SYS_socket, [40, stream, 0], eperm),
            (libc::SYS_socketpair, [unix, stream, 0], allow),
            (libc::SYS_socketpair, [v4, stream, 0], eperm),
            (libc::SYS_fchmod, [3, 0o755, 0], allow),
            (libc::SYS_fchmod, [3, 0o4755, 0], eperm),
            (libc::SYS_personality, [0xffff_ffff, 0, 0], allow),
            (libc::SYS_personality, [0x0004_0000, 0, 0], eperm),
            (libc::SYS_prctl, [libc::PR_SET_NAME as u64, 0, 0], allow),
            (libc::SYS_prctl, [libc::PR_SET_MM as u64, 0, 0], eperm),
            (libc::SYS_prctl, [libc::PR_SET_SECCOMP as u64, 2, 0], eperm),
        ];
        for (call, [a, b, c], expected) in rows {
            let got = bpf::run(&program, bpf::NATIVE, *call as u32, [*a, *b, *c, 0, 0, 0]);
            assert_eq!(got, *expected, "call {call} {a:#x} {b:#x} {c:#x}");
        }
    }
}
