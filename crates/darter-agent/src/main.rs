//! The first process of a sandbox: reaps whatever is orphaned, tells the launcher how the workload ended, and ends; with
//! it the kernel ends everything else inside. It ends as well when the launcher does.
//!
//! It reads nothing that a tenant wrote, opens nothing and makes nothing. The launcher has taken every privilege away and
//! put it behind a filter that allows little more than the calls below. It is compiled by `darter-sandbox`'s build
//! script, statically and without any dependency, and lives in a sealed file in memory.
//!
//! Descriptors: 0–2 `/dev/null`, 3 the lifeline to the launcher. Argument 1: the process id of the
//! workload, or the name of a self-test (`probe.rs`), which is run as a workload.
#![cfg_attr(not(test), no_main)]
#![allow(unsafe_code)]
#![cfg_attr(test, allow(dead_code))]

mod probe;

use std::ffi::{CStr, c_char, c_int, c_short, c_ulong, c_void};

/// The marked corner: what we need of the C library, as its manual declares it.
mod sys {
    use super::{SignalSet, Watched, c_char, c_int, c_ulong, c_void};

    unsafe extern "C" {
        pub(crate) safe fn _exit(code: c_int) -> !;
        pub(crate) fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
        pub(crate) fn poll(watched: *mut Watched, count: c_ulong, timeout: c_int) -> c_int;
        pub(crate) fn read(fd: c_int, into: *mut c_void, most: usize) -> isize;
        pub(crate) fn send(fd: c_int, from: *const c_void, length: usize, flags: c_int) -> isize;
        pub(crate) fn prctl(option: c_int, value: *const c_char, b: c_ulong, c: c_ulong, d: c_ulong) -> c_int;
        pub(crate) fn sigemptyset(set: *mut SignalSet) -> c_int;
        pub(crate) fn sigaddset(set: *mut SignalSet, signal: c_int) -> c_int;
        pub(crate) fn sigprocmask(how: c_int, set: *const SignalSet, old: *mut SignalSet) -> c_int;
        pub(crate) fn signalfd(fd: c_int, set: *const SignalSet, flags: c_int) -> c_int;
    }
}

/// As large as the C library's.
#[repr(C, align(8))]
struct SignalSet([u8; 128]);

/// `struct pollfd`.
#[repr(C)]
struct Watched {
    fd: c_int,
    events: c_short,
    happened: c_short,
}

const LIFELINE: c_int = 3;
const ANY: c_int = -1;
const NO_FD: c_int = -1;
const WNOHANG: c_int = 1;
const SIGCHLD: c_int = 17;
const SIG_BLOCK: c_int = 0;
const SFD_NONBLOCK: c_int = 0o4000;
const POLLIN: c_short = 1;
const PR_SET_DUMPABLE: c_int = 4;
const PR_SET_NAME: c_int = 15;
const MSG_NOSIGNAL: c_int = 0x4000;

/// Called by the C library's start code.
#[cfg_attr(not(test), unsafe(no_mangle))]
extern "C" fn main(count: c_int, arguments: *const *const c_char) -> c_int {
    let workload = if count == 2 {
        // SAFETY: the kernel passes as many NUL-terminated strings as it says.
        unsafe { CStr::from_ptr(*arguments.add(1)) }.to_bytes()
    } else {
        b""
    };
    match (workload, number(workload)) {
        (_, Some(workload)) => watch(workload),
        (test, None) => probe::run(test),
    }
}

/// A positive decimal number and nothing else.
fn number(text: &[u8]) -> Option<c_int> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    let digit =
        |sum: Option<c_int>, byte: &u8| Some(sum? * 10 + c_int::from(byte.is_ascii_digit().then(|| byte - b'0')?));
    text.iter().fold(Some(0), digit).filter(|number| *number > 0)
}

fn watch(workload: c_int) -> c_int {
    // SAFETY: the strings are NUL-terminated; PR_SET_DUMPABLE takes its number by value.
    unsafe {
        sys::prctl(PR_SET_NAME, c"darter-agent".as_ptr(), 0, 0, 0);
        sys::prctl(PR_SET_DUMPABLE, std::ptr::null(), 0, 0, 0);
    }
    let children = child_signals();
    let mut watched =
        [Watched { fd: children, events: POLLIN, happened: 0 }, Watched { fd: LIFELINE, events: POLLIN, happened: 0 }];
    loop {
        if let Some(status) = reap(workload) {
            tell(status);
            sys::_exit(0)
        }
        // SAFETY: watched is an array of two.
        let happened = unsafe { sys::poll(watched.as_mut_ptr(), 2, -1) };
        // The launcher never writes: anything there is its end.
        if happened > 0 && watched[1].happened != 0 {
            sys::_exit(1)
        }
        let mut signal = [0_u8; 128];
        // SAFETY: signal has room for one signalfd_siginfo; the descriptor does not block.
        unsafe { sys::read(children, signal.as_mut_ptr().cast(), signal.len()) };
    }
}

/// A descriptor that becomes readable when a child ends.
fn child_signals() -> c_int {
    let mut set = SignalSet([0; 128]);
    // SAFETY: set is as large as a sigset_t.
    unsafe {
        sys::sigemptyset(&raw mut set);
        sys::sigaddset(&raw mut set, SIGCHLD);
        sys::sigprocmask(SIG_BLOCK, &raw const set, std::ptr::null_mut());
        sys::signalfd(NO_FD, &raw const set, SFD_NONBLOCK)
    }
}

/// Reaps every child that has ended; the status of the workload once it is among them.
fn reap(workload: c_int) -> Option<c_int> {
    loop {
        let mut status = 0;
        // SAFETY: status is a place for the answer.
        let pid = unsafe { sys::waitpid(ANY, &raw mut status, WNOHANG) };
        if pid == workload {
            return Some(status);
        }
        if pid <= 0 {
            return None;
        }
    }
}

fn message(status: c_int) -> [u8; 8] {
    let [a, b, c, d] = status.to_le_bytes();
    [b'd', b'o', b'n', b'e', a, b, c, d]
}

fn tell(status: c_int) {
    let message = message(status);
    // SAFETY: message is eight readable bytes. A launcher that is gone needs no answer.
    unsafe { sys::send(LIFELINE, message.as_ptr().cast(), message.len(), MSG_NOSIGNAL) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_positive_decimal_number_is_a_process_id() {
        for (text, expected) in [
            ("2", Some(2)),
            ("4194304", Some(4_194_304)),
            ("0", None),
            ("", None),
            ("-2", None),
            ("2x", None),
            ("9999999999", None),
        ] {
            assert_eq!(number(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn the_message_is_the_word_and_the_wait_status() {
        assert_eq!(&message(0x0102_0304), b"done\x04\x03\x02\x01");
    }
}
