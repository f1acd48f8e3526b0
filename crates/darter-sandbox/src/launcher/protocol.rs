//! The messages between server and launcher, and between the launcher and its workers.
//!
//! Fixed, binary and bounded. A message that does not parse exactly ends the connection: both ends are ours, so it can
//! only mean that one of them is no longer.

use std::path::PathBuf;

use super::codec::{Malformed, Reader, Writer};
use crate::client::Abilities;
use crate::sandbox::{ExitReason, Usage};
use crate::spec::{Access, Bind, File, Limits, Link, MAX_BINDS, MAX_FDS, Profile, Root, Scratch, Spec};

/// A [`Spec`] without its descriptors, which travel beside the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) root: Root,
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) cwd: PathBuf,
    pub(crate) fd_numbers: Vec<i32>,
    pub(crate) limits: Limits,
    pub(crate) profile: Profile,
    pub(crate) hostname: String,
    pub(crate) egress: bool,
}

impl Plan {
    /// Splits a description into what is said and what is handed over.
    pub(crate) fn split(spec: Spec) -> (Self, Vec<std::os::fd::OwnedFd>) {
        let (fd_numbers, fds) = spec.fds.into_iter().map(|passed| (passed.at, passed.fd)).unzip();
        let plan = Self {
            root: spec.root,
            argv: spec.argv,
            env: spec.env,
            cwd: spec.cwd,
            fd_numbers,
            limits: spec.limits,
            profile: spec.profile,
            hostname: spec.hostname,
            egress: spec.egress,
        };
        (plan, fds)
    }
}

/// Server → launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    Create { seq: u64, plan: Box<Plan> },
    Attach { seq: u64, id: u64, binds: Vec<Bind> },
    Reclaim { seq: u64, id: u64 },
    Kill { id: u64 },
}

/// How a request failed, as [`SandboxError`](crate::SandboxError) says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    Build { step: String, reason: String },
    Exec { program: String, reason: String },
    Ended,
    Full(u32),
}

/// Launcher → server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Always first.
    Hello {
        abilities: Abilities,
        groups: Groups,
    },
    /// Instead of the first: why there is no launcher.
    Refused {
        why: String,
    },
    /// Descriptors beside it: the egress listener when `egress`, then one per set bit of `controls`, lowest first.
    Created {
        seq: u64,
        id: u64,
        pid: i32,
        micros: u64,
        egress: bool,
        controls: u32,
    },
    Failed {
        seq: u64,
        failure: Failure,
    },
    Attached {
        seq: u64,
    },
    Reclaimed {
        seq: u64,
        bytes: Option<u64>,
    },
    Exited {
        id: u64,
        reason: ExitReason,
        oom_kills: u64,
        usage: Usage,
    },
}

/// Where the server finds the readable files of sandboxes' cgroups (`<folder>/s<id>/…`), per controller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Groups {
    pub(crate) memory: Option<Group>,
    pub(crate) cpu: Option<Group>,
    pub(crate) cpu_accounting: Option<Group>,
    pub(crate) pids: Option<Group>,
    pub(crate) freezer: Option<Group>,
}

/// One controller's folder of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) unified: bool,
    pub(crate) folder: PathBuf,
}

/// Worker → launcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// The sandbox's first process exists. Descriptors: its pidfd, our end of its lifeline.
    Born {
        pid: i32,
    },
    /// Descriptors as in [`Reply::Created`].
    Ready {
        egress: bool,
        controls: u32,
    },
    Failed(Failure),
    Attached,
    Reclaimed {
        bytes: Option<u64>,
    },
}

fn put_bind(out: &mut Writer, bind: &Bind) {
    out.path(&bind.source);
    out.path(&bind.target);
    out.u8(match bind.access {
        Access::ReadOnly => 0,
        Access::Writable => 1,
        Access::Volume => 2,
    });
}

fn get_bind(from: &mut Reader<'_>) -> Result<Bind, Malformed> {
    let (source, target) = (from.path()?, from.path()?);
    let access = match from.u8()? {
        0 => Access::ReadOnly,
        1 => Access::Writable,
        2 => Access::Volume,
        _ => return Err(Malformed),
    };
    Ok(Bind { source, target, access })
}

fn put_scratch(out: &mut Writer, scratch: &Scratch) {
    out.u64(scratch.size);
    out.u64(scratch.inodes);
}

fn get_scratch(from: &mut Reader<'_>) -> Result<Scratch, Malformed> {
    Ok(Scratch { size: from.u64()?, inodes: from.u64()? })
}

fn put_plan(out: &mut Writer, plan: &Plan) {
    let root = &plan.root;
    out.list(&root.binds, put_bind);
    out.list(&root.links, |out, link| {
        out.path(&link.at);
        out.path(&link.to);
    });
    out.list(&root.files, |out, file| {
        out.path(&file.at);
        out.bytes(&file.content);
    });
    out.list(&root.attach_points, |out, at| out.path(at));
    out.list(&root.writable_points, |out, at| out.path(at));
    put_scratch(out, &root.tmp);
    put_scratch(out, &root.work);
    out.list(&plan.argv, |out, text| out.text(text));
    out.list(&plan.env, |out, (name, value)| {
        out.text(name);
        out.text(value);
    });
    out.path(&plan.cwd);
    out.list(&plan.fd_numbers, |out, number| out.u32(*number as u32));
    for value in [
        u64::from(plan.limits.cpu_millis),
        plan.limits.memory,
        u64::from(plan.limits.pids),
        plan.limits.nofile,
        plan.limits.fsize,
    ] {
        out.u64(value);
    }
    out.u8(match plan.profile {
        Profile::Function => 0,
        Profile::Build => 1,
        Profile::Workspace => 2,
    });
    out.text(&plan.hostname);
    out.u8(plan.egress.into());
}

fn get_root(from: &mut Reader<'_>) -> Result<Root, Malformed> {
    Ok(Root {
        binds: from.list(MAX_BINDS, get_bind)?,
        links: from.list(4 * MAX_BINDS, |from| Ok(Link { at: from.path()?, to: from.path()? }))?,
        files: from.list(4 * MAX_BINDS, |from| Ok(File { at: from.path()?, content: from.bytes()? }))?,
        attach_points: from.list(4 * MAX_BINDS, Reader::path)?,
        writable_points: from.list(4 * MAX_BINDS, Reader::path)?,
        tmp: get_scratch(from)?,
        work: get_scratch(from)?,
    })
}

fn get_limits(from: &mut Reader<'_>) -> Result<Limits, Malformed> {
    let narrow = |value: u64| u32::try_from(value).map_err(|_| Malformed);
    Ok(Limits {
        cpu_millis: narrow(from.u64()?)?,
        memory: from.u64()?,
        pids: narrow(from.u64()?)?,
        nofile: from.u64()?,
        fsize: from.u64()?,
    })
}

fn get_plan(from: &mut Reader<'_>) -> Result<Plan, Malformed> {
    Ok(Plan {
        root: get_root(from)?,
        argv: from.list(4096, Reader::text)?,
        env: from.list(4096, |from| Ok((from.text()?, from.text()?)))?,
        cwd: from.path()?,
        fd_numbers: from.list(MAX_FDS, Reader::i32)?,
        limits: get_limits(from)?,
        profile: match from.u8()? {
            0 => Profile::Function,
            1 => Profile::Build,
            2 => Profile::Workspace,
            _ => return Err(Malformed),
        },
        hostname: from.text()?,
        egress: from.flag()?,
    })
}

impl Request {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Create { seq, plan } => {
                out.u8(1);
                out.u64(*seq);
                put_plan(&mut out, plan);
            }
            Self::Attach { seq, id, binds } => {
                out.u8(2);
                out.u64(*seq);
                out.u64(*id);
                out.list(binds, put_bind);
            }
            Self::Reclaim { seq, id } => {
                out.u8(3);
                out.u64(*seq);
                out.u64(*id);
            }
            Self::Kill { id } => {
                out.u8(4);
                out.u64(*id);
            }
        }
        out.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        let request = match from.u8()? {
            1 => Self::Create { seq: from.u64()?, plan: Box::new(get_plan(&mut from)?) },
            2 => Self::Attach { seq: from.u64()?, id: from.u64()?, binds: from.list(MAX_BINDS, get_bind)? },
            3 => Self::Reclaim { seq: from.u64()?, id: from.u64()? },
            4 => Self::Kill { id: from.u64()? },
            _ => return Err(Malformed),
        };
        from.end()?;
        Ok(request)
    }
}

fn put_failure(out: &mut Writer, failure: &Failure) {
    match failure {
        Failure::Build { step, reason } => {
            out.u8(0);
            out.text(step);
            out.text(reason);
        }
        Failure::Exec { program, reason } => {
            out.u8(1);
            out.text(program);
            out.text(reason);
        }
        Failure::Ended => out.u8(2),
        Failure::Full(slots) => {
            out.u8(3);
            out.u32(*slots);
        }
    }
}

fn get_failure(from: &mut Reader<'_>) -> Result<Failure, Malformed> {
    Ok(match from.u8()? {
        0 => Failure::Build { step: from.text()?, reason: from.text()? },
        1 => Failure::Exec { program: from.text()?, reason: from.text()? },
        2 => Failure::Ended,
        3 => Failure::Full(from.u32()?),
        _ => return Err(Malformed),
    })
}

fn put_option(out: &mut Writer, value: Option<u64>) {
    out.u8(value.is_some().into());
    out.u64(value.unwrap_or(0));
}

fn get_option(from: &mut Reader<'_>) -> Result<Option<u64>, Malformed> {
    let some = from.flag()?;
    let value = from.u64()?;
    Ok(some.then_some(value))
}

fn put_group(out: &mut Writer, group: Option<&Group>) {
    match group {
        None => out.u8(0),
        Some(group) => {
            out.u8(if group.unified { 2 } else { 1 });
            out.path(&group.folder);
        }
    }
}

fn get_group(from: &mut Reader<'_>) -> Result<Option<Group>, Malformed> {
    Ok(match from.u8()? {
        0 => None,
        1 => Some(Group { unified: false, folder: from.path()? }),
        2 => Some(Group { unified: true, folder: from.path()? }),
        _ => return Err(Malformed),
    })
}

fn put_reason(out: &mut Writer, reason: ExitReason) {
    let (kind, value) = match reason {
        ExitReason::Code(code) => (0, code),
        ExitReason::Signal(signal) => (1, signal),
        ExitReason::OutOfMemory => (2, 0),
        ExitReason::Killed => (3, 0),
        ExitReason::LauncherGone => (4, 0),
    };
    out.u8(kind);
    out.u32(value as u32);
}

fn get_reason(from: &mut Reader<'_>) -> Result<ExitReason, Malformed> {
    Ok(match (from.u8()?, from.i32()?) {
        (0, code) => ExitReason::Code(code),
        (1, signal) => ExitReason::Signal(signal),
        (2, 0) => ExitReason::OutOfMemory,
        (3, 0) => ExitReason::Killed,
        (4, 0) => ExitReason::LauncherGone,
        _ => return Err(Malformed),
    })
}

impl Reply {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Hello { abilities, groups } => {
                out.u8(1);
                out.u8(abilities.privileged.into());
                out.list(&abilities.controllers, |out, (name, place)| {
                    out.text(name);
                    out.text(place);
                });
                out.u8(abilities.freezer.into());
                out.u8(abilities.swap.into());
                out.u32(abilities.landlock);
                for group in [&groups.memory, &groups.cpu, &groups.cpu_accounting, &groups.pids, &groups.freezer] {
                    put_group(&mut out, group.as_ref());
                }
            }
            Self::Refused { why } => {
                out.u8(2);
                out.text(why);
            }
            Self::Created { seq, id, pid, micros, egress, controls } => {
                out.u8(3);
                out.u64(*seq);
                out.u64(*id);
                out.u32(*pid as u32);
                out.u64(*micros);
                out.u8((*egress).into());
                out.u32(*controls);
            }
            Self::Failed { seq, failure } => {
                out.u8(4);
                out.u64(*seq);
                put_failure(&mut out, failure);
            }
            Self::Attached { seq } => {
                out.u8(5);
                out.u64(*seq);
            }
            Self::Reclaimed { seq, bytes } => {
                out.u8(6);
                out.u64(*seq);
                put_option(&mut out, *bytes);
            }
            Self::Exited { id, reason, oom_kills, usage } => {
                out.u8(7);
                out.u64(*id);
                put_reason(&mut out, *reason);
                for value in [*oom_kills, usage.memory, usage.memory_peak, usage.cpu_usec, usage.pids] {
                    out.u64(value);
                }
            }
        }
        out.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        let reply = match from.u8()? {
            1 => {
                let abilities = Abilities {
                    privileged: from.flag()?,
                    controllers: from.list(64, |from| Ok((from.text()?, from.text()?)))?,
                    freezer: from.flag()?,
                    swap: from.flag()?,
                    landlock: from.u32()?,
                };
                let groups = Groups {
                    memory: get_group(&mut from)?,
                    cpu: get_group(&mut from)?,
                    cpu_accounting: get_group(&mut from)?,
                    pids: get_group(&mut from)?,
                    freezer: get_group(&mut from)?,
                };
                Self::Hello { abilities, groups }
            }
            2 => Self::Refused { why: from.text()? },
            3 => Self::Created {
                seq: from.u64()?,
                id: from.u64()?,
                pid: from.i32()?,
                micros: from.u64()?,
                egress: from.flag()?,
                controls: from.u32()?,
            },
            4 => Self::Failed { seq: from.u64()?, failure: get_failure(&mut from)? },
            5 => Self::Attached { seq: from.u64()? },
            6 => Self::Reclaimed { seq: from.u64()?, bytes: get_option(&mut from)? },
            7 => Self::Exited {
                id: from.u64()?,
                reason: get_reason(&mut from)?,
                oom_kills: from.u64()?,
                usage: Usage {
                    memory: from.u64()?,
                    memory_peak: from.u64()?,
                    cpu_usec: from.u64()?,
                    pids: from.u64()?,
                },
            },
            _ => return Err(Malformed),
        };
        from.end()?;
        Ok(reply)
    }
}

impl Word {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        match self {
            Self::Born { pid } => {
                out.u8(1);
                out.u32(*pid as u32);
            }
            Self::Ready { egress, controls } => {
                out.u8(2);
                out.u8((*egress).into());
                out.u32(*controls);
            }
            Self::Failed(failure) => {
                out.u8(3);
                put_failure(&mut out, failure);
            }
            Self::Attached => out.u8(4),
            Self::Reclaimed { bytes } => {
                out.u8(5);
                put_option(&mut out, *bytes);
            }
        }
        out.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader(bytes);
        let word = match from.u8()? {
            1 => Self::Born { pid: from.i32()? },
            2 => Self::Ready { egress: from.flag()?, controls: from.u32()? },
            3 => Self::Failed(get_failure(&mut from)?),
            4 => Self::Attached,
            5 => Self::Reclaimed { bytes: get_option(&mut from)? },
            _ => return Err(Malformed),
        };
        from.end()?;
        Ok(word)
    }
}
