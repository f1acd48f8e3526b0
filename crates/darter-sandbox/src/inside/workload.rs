//! The workload's side of the fork: takes its id, loses everything else, and executes the program.
//!
//! The order matters. Each line needs something that a later one takes away.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::{Failed, Inside, at, spare};
use crate::spec::Access;
use crate::{landlock, privileges, sys};

/// Waits until the parent has mapped our ids, then becomes the program. Returns never.
pub(super) fn run(inside: &Inside<'_>, wait: OwnedFd) -> ! {
    let mut byte = [0];
    if !matches!(rustix::io::read(&wait, &mut byte), Ok(1)) {
        sys::exit_now(127);
    }
    let failed = match confine(inside) {
        Ok((argv, environment)) => {
            let error = sys::exec(&argv, &environment);
            inside.report.give_up(b'X', ("exec".into(), error))
        }
        Err(failed) => failed,
    };
    inside.report.give_up(b'B', failed)
}

fn confine(inside: &Inside<'_>) -> Result<(Vec<CString>, Vec<CString>), Failed> {
    let plan = inside.plan;
    let program = strings(inside).map_err(at("reading the arguments"))?;
    let id = crate::WORKLOAD_UID;
    privileges::close_bounding_set().map_err(at("closing the bounding set"))?;
    sys::set_ids(id, id).map_err(at("taking the workload's user id"))?;
    privileges::empty_capabilities().map_err(at("dropping capabilities"))?;
    rustix::process::setsid().map_err(|e| at("starting a session")(e.into()))?;
    // Best effort: going back to the usual priority is always allowed, and no wall depends on it.
    let _ = rustix::process::setpriority_process(None, 0);
    sys::reset_signals();
    sys::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64).map_err(at("tying the workload to the agent"))?;
    std::env::set_current_dir(&plan.cwd).map_err(at(format!("entering {}", plan.cwd.display())))?;
    place_descriptors(inside).map_err(at("arranging descriptors"))?;
    privileges::limit_workload(&plan.limits, inside.count_processes).map_err(at("setting resource limits"))?;
    privileges::no_new_privileges().map_err(at("setting no_new_privs"))?;
    landlock::confine(inside.landlock, writable(inside)).map_err(at("entering Landlock"))?;
    sys::install_filter(inside.workload_filter).map_err(at("installing the system call filter"))?;
    Ok(program)
}

fn writable<'a>(inside: &'a Inside<'_>) -> impl Iterator<Item = &'a Path> {
    let root = &inside.plan.root;
    let binds = root.binds.iter().filter(|bind| bind.access != Access::ReadOnly).map(|bind| bind.target.as_path());
    // Of what is mounted later Landlock sees the folder above, which itself is read-only.
    let later = root.writable_points.iter().filter_map(|point| point.parent());
    ["/tmp", "/work", "/dev/shm", "/dev/pts"].into_iter().map(Path::new).chain(binds).chain(later)
}

fn strings(inside: &Inside<'_>) -> io::Result<(Vec<CString>, Vec<CString>)> {
    let c = |text: String| CString::new(text).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL));
    let argv = inside.plan.argv.iter().cloned().map(c).collect::<io::Result<_>>()?;
    let environment = inside.plan.env.iter().map(|(name, value)| c(format!("{name}={value}")));
    Ok((argv, environment.collect::<io::Result<_>>()?))
}

/// Exactly the given descriptors, `/dev/null` for those of 0–2 that are not, and nothing else survives exec.
fn place_descriptors(inside: &Inside<'_>) -> io::Result<()> {
    let null = spare(&sys::open_checked(None, Path::new("/dev/null"), libc::O_RDWR, 0)?)?;
    let passed = inside.fds.iter().map(spare).collect::<io::Result<Vec<_>>>()?;
    sys::close_on_exec_from(0)?;
    let numbers = &inside.plan.fd_numbers;
    for number in (0..3).filter(|number| !numbers.contains(number)) {
        sys::place(null.as_fd(), number)?;
    }
    for (fd, number) in passed.iter().zip(numbers) {
        sys::place(fd.as_fd(), *number)?;
    }
    Ok(())
}
