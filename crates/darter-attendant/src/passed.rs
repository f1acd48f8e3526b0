//! The marked corner: descriptors that the platform passed, the one that is passed on to the editor, and one to wait for. The only file
//! of this crate with `unsafe`; it must never be given a number that came from a request.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::process::Command;

/// Where the attendant listens.
const ATTENDANT: RawFd = 3;
/// Where the editor's listening socket waits until there is an editor.
const EDITOR: RawFd = 5;

/// Both sockets, closed to every program that is started later. Called once, before anything else is opened.
pub(crate) fn sockets() -> io::Result<(UnixListener, Option<OwnedFd>)> {
    let listener = take(ATTENDANT)?.ok_or_else(|| io::Error::other("descriptor 3 is not a listening socket"))?;
    Ok((UnixListener::from(listener), take(EDITOR)?))
}

/// The descriptor, when it is open and a listening socket.
fn take(number: RawFd) -> io::Result<Option<OwnedFd>> {
    // SAFETY: borrowed for the length of this function; a number that is not open only makes the calls below fail.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    if fcntl_getfd(borrowed).is_err() || !rustix::net::sockopt::socket_acceptconn(borrowed).unwrap_or(false) {
        return Ok(None);
    }
    fcntl_setfd(borrowed, FdFlags::CLOEXEC)?;
    // SAFETY: it is open, and nothing else in this process owns a descriptor that it was started with.
    Ok(Some(unsafe { OwnedFd::from_raw_fd(number) }))
}

/// Lets the program that `command` starts have `socket` at `number`.
pub(crate) fn pass_on(command: &mut Command, socket: &OwnedFd, number: RawFd) -> io::Result<()> {
    if !(3..64).contains(&number) {
        return Err(io::Error::other("a descriptor is passed at 3 to 63"));
    }
    // Above every number it may be put at, so that placing it closes nothing of ours.
    let spare = rustix::io::fcntl_dupfd_cloexec(socket, 64)?;
    // SAFETY: between fork and exec only async-signal-safe calls are made: `dup2` alone, and no allocation.
    unsafe {
        command.pre_exec(move || {
            let mut place = std::mem::ManuallyDrop::new(OwnedFd::from_raw_fd(number));
            debug_assert_ne!(place.as_raw_fd(), spare.as_raw_fd());
            Ok(rustix::io::dup2(&spare, &mut place)?)
        });
    }
    Ok(())
}

/// Waits until there is something to read from a descriptor that does not block.
pub(crate) fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor is the same open file for as long as it lives.
    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }.map_err(io::Error::from)
}
