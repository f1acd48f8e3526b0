//! The launcher's loop: requests from the server, words from workers, ends of sandboxes.
//!
//! ```text
//! Create ──► worker ──Born──► (first process known) ──Ready──► Created ──► … ──► first process ends ──► Exited
//!               │                                   └─Failed─► killed, reaped, removed; the server hears Failed
//! ```
//! Never waits for anything but events, and never touches a disk: that is what workers are for.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{Timespec, epoll};

use super::LauncherConfig;
use super::protocol::{Failure, Plan, Reply, Request, Word};
use super::setup::{self, Tools};
use super::worker::{self, Job};
use crate::cgroup::{figures, group_name};
use crate::inside::spare;
use crate::sandbox::ExitReason;
use crate::spec::{Access, Bind, Limits, Root};
use crate::{channel, sys};

/// Workers at a time: building is kernel work, and more of it at once only queues on the kernel's locks.
const WORKERS: usize = 4;
/// A worker that has not finished by then hangs on a disk or a lock.
const WORKER_DEADLINE: Duration = Duration::from_secs(10);
/// How often what could not be finished at once is tried again.
const RETRY: Duration = Duration::from_millis(3);
/// Pool refills and teardown share a core with requests: at the end of the server this long is waited for them.
const FAREWELL: Duration = Duration::from_secs(5);

const SERVER: u64 = 0;
const KIND_WORKER: u64 = 1 << 62;
const KIND_SANDBOX: u64 = 2 << 62;
const NUMBER: u64 = (1 << 62) - 1;

/// Runs the launcher. Called in the forked child only.
pub(super) fn main(config: &LauncherConfig, socket: OwnedFd) -> ! {
    // Without a usable socket nobody can be told anything; the server sees it close.
    let Ok(socket) = spare(&socket).and_then(|socket| alone(&socket).map(|()| socket)) else { sys::exit_now(1) };
    let last_words = spare(&socket);
    std::panic::set_hook(Box::new(move |panic| {
        if let Ok(socket) = &last_words {
            let why = format!("the launcher panicked (a bug, please report it): {panic}");
            let _ = channel::send(socket.as_fd(), &Reply::Refused { why }.encode(), &[]);
        }
        // Sandboxes die with us; the next start sweeps what is left of them.
        sys::exit_now(101);
    }));
    let ended = match Tools::prepare(config) {
        Ok(tools) => Serve::new(tools, socket, config.slots).and_then(Serve::run),
        Err(why) => channel::send(socket.as_fd(), &Reply::Refused { why }.encode(), &[]),
    };
    sys::exit_now(i32::from(ended.is_err()))
}

/// Keeps nothing of the server's but the socket.
fn alone(socket: &OwnedFd) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    setup::detach()?;
    let number = socket.as_raw_fd() as u32;
    sys::close_between(3, number - 1)?;
    sys::close_between(number + 1, u32::MAX)
}

/// A sandbox the server knows of, or is about to.
struct Record {
    slot: u32,
    pid: i32,
    process: OwnedFd,
    lifeline: OwnedFd,
    /// Where something may still be attached.
    points: Points,
    stage: Stage,
    killed: bool,
    /// How its first process ended, once it has (the inner is empty when the kernel no longer knew).
    status: Option<Option<i32>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its builder has not finished; nobody has been told.
    Building,
    /// The server knows it and will be told of its end.
    Announced,
    /// Its builder failed; nobody will ever hear of it.
    Doomed,
}

/// Where something may still be attached to a sandbox.
#[derive(Default)]
struct Points {
    reading: Vec<std::path::PathBuf>,
    writing: Vec<std::path::PathBuf>,
}

impl Points {
    fn of(root: &Root) -> Self {
        Self { reading: root.attach_points.clone(), writing: root.writable_points.clone() }
    }

    /// Takes every target of `binds` out, or says why one cannot be had.
    fn take(&mut self, binds: &[Bind]) -> Result<(), &'static str> {
        let all = binds.iter().all(|bind| self.take_one(bind));
        if all {
            Ok(())
        } else {
            Err("a target is no free attach point of this sandbox for what is to be done with it")
        }
    }

    fn take_one(&mut self, bind: &Bind) -> bool {
        let mut lists = match bind.access {
            Access::ReadOnly => vec![&mut self.reading, &mut self.writing],
            Access::Writable | Access::Volume => vec![&mut self.writing],
        };
        lists.iter_mut().any(|list| {
            let found = list.iter().position(|point| *point == bind.target);
            found.map(|index| list.swap_remove(index)).is_some()
        })
    }
}

enum Errand {
    Create { seq: u64, id: u64, slot: u32, started: Instant, points: Points },
    Attach { seq: u64 },
    Reclaim { seq: u64 },
}

struct Worker {
    pid: i32,
    channel: OwnedFd,
    deadline: Instant,
    errand: Errand,
}

/// A request that needs a worker.
enum Waiting {
    Create { seq: u64, plan: Box<Plan>, fds: Vec<OwnedFd>, arrived: Instant },
    Attach { seq: u64, id: u64, binds: Vec<Bind> },
    Reclaim { seq: u64, id: u64 },
}

struct Serve {
    tools: Tools,
    socket: OwnedFd,
    epoll: OwnedFd,
    slots: u32,
    free_slots: Vec<u32>,
    next: u64,
    sandboxes: HashMap<u64, Record>,
    workers: HashMap<u64, Worker>,
    waiting: VecDeque<Waiting>,
    outgoing: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    /// Whether epoll watches for room in the socket.
    watching_room: bool,
    /// Processes to reap that have been told, or are about, to end.
    ending: Vec<i32>,
    /// Groups to remove, and the slots they still hold.
    emptying: Vec<(u64, u32)>,
}

impl Serve {
    fn new(tools: Tools, socket: OwnedFd, slots: u32) -> io::Result<Self> {
        channel::set_nonblocking(&socket)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &socket, epoll::EventData::new_u64(SERVER), epoll::EventFlags::IN)?;
        let hello = Reply::Hello { abilities: tools.abilities(), groups: tools.groups.clone() };
        let mut serve = Self {
            tools,
            socket,
            epoll,
            slots,
            free_slots: (0..slots).rev().collect(),
            next: 1,
            sandboxes: HashMap::new(),
            workers: HashMap::new(),
            waiting: VecDeque::new(),
            outgoing: VecDeque::new(),
            watching_room: false,
            ending: Vec::new(),
            emptying: Vec::new(),
        };
        serve.say(&hello, Vec::new());
        serve.flush()?;
        Ok(serve)
    }

    fn run(mut self) -> io::Result<()> {
        let mut buffer = vec![0; channel::MAX_MESSAGE];
        let mut events = Vec::with_capacity(64);
        while !self.turn(&mut events, &mut buffer)? {}
        self.farewell(&mut events, &mut buffer);
        Ok(())
    }

    /// One wait and what follows from it. True when the server has gone.
    fn turn(&mut self, events: &mut Vec<epoll::Event>, buffer: &mut [u8]) -> io::Result<bool> {
        events.clear();
        let wait = self.patience();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), wait.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut gone = false;
        for event in events.drain(..) {
            let token = event.data.u64();
            match token & !NUMBER {
                KIND_WORKER => self.hear_worker(token & NUMBER, buffer),
                KIND_SANDBOX => self.sandbox_ended(token & NUMBER),
                _ => gone |= self.hear_server(event.flags, buffer)?,
            }
        }
        self.finish_what_is_left();
        self.start_waiting();
        self.flush()?;
        Ok(gone)
    }

    fn patience(&self) -> Option<Timespec> {
        let retry = (!self.ending.is_empty() || !self.emptying.is_empty()).then_some(RETRY);
        let now = Instant::now();
        let deadline = self.workers.values().map(|worker| worker.deadline.saturating_duration_since(now)).min();
        let wait = retry.into_iter().chain(deadline).min()?;
        Some(Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().max(1_000_000).into() })
    }

    fn hear_server(&mut self, flags: epoll::EventFlags, buffer: &mut [u8]) -> io::Result<bool> {
        if !flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR) {
            return Ok(false);
        }
        loop {
            match channel::receive(self.socket.as_fd(), buffer) {
                Ok(None) => return Ok(true),
                Ok(Some((length, fds))) => match Request::decode(&buffer[..length]) {
                    Ok(request) => self.take(request, fds),
                    // Both ends are this program: the other one is no longer what it was. Treat it as gone.
                    Err(_) => return Ok(true),
                },
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(_) => return Ok(true),
            }
        }
    }

    fn take(&mut self, request: Request, fds: Vec<OwnedFd>) {
        match request {
            Request::Create { seq, plan, .. } => {
                let arrived = Instant::now();
                self.waiting.push_back(Waiting::Create { seq, plan, fds, arrived });
            }
            // Somebody's request waits for these two, while creations fill a pool.
            Request::Attach { seq, id, binds } => self.waiting.push_front(Waiting::Attach { seq, id, binds }),
            Request::Reclaim { seq, id } => self.waiting.push_back(Waiting::Reclaim { seq, id }),
            Request::Kill { id } => self.kill(id),
        }
    }

    fn kill(&mut self, id: u64) {
        let Some(record) = self.sandboxes.get_mut(&id) else { return };
        record.killed = true;
        // A process that has just ended is as good.
        let _ = sys::signal_process(record.process.as_fd(), libc::SIGKILL);
        self.tools.cgroups.kill(&group_name(id));
    }

    fn start_waiting(&mut self) {
        while let Some(next) = self.waiting.pop_front() {
            // Attaching is short and somebody waits for it, so it may go over the number.
            if self.workers.len() >= WORKERS && !matches!(next, Waiting::Attach { .. }) {
                self.waiting.push_front(next);
                return;
            }
            match next {
                Waiting::Create { seq, plan, fds, arrived } => self.create(seq, &plan, fds, arrived),
                Waiting::Attach { seq, id, binds } => self.attach(seq, id, &binds),
                Waiting::Reclaim { seq, id } => self.reclaim(seq, id),
            }
        }
    }

    fn create(&mut self, seq: u64, plan: &Plan, fds: Vec<OwnedFd>, started: Instant) {
        let limits: &Limits = &plan.limits;
        let sound = limits.check().is_ok() && fds.len() == plan.fd_numbers.len() && !plan.argv.is_empty();
        if !sound || plan.fd_numbers.iter().any(|number| !(0..=crate::MAX_FD_NUMBER).contains(number)) {
            let reason = "limits or descriptors are not what the protocol allows".to_owned();
            return self.fail(seq, Failure::Build { step: "reading the request".into(), reason });
        }
        let Some(slot) = self.free_slots.pop() else { return self.fail(seq, Failure::Full(self.slots)) };
        let id = self.next;
        self.next += 1;
        let ids = self.tools.ids(slot);
        let errand = Errand::Create { seq, id, slot, started, points: Points::of(&plan.root) };
        if let Some(errand) = self.fork_worker(Job::Create { id, ids, plan, fds }, errand) {
            self.free_slots.push(slot);
            self.refuse(&errand, "forking a worker", "no process could be made: raise the server's limit of tasks");
        }
    }

    fn attach(&mut self, seq: u64, id: u64, binds: &[Bind]) {
        let Some(record) = self.sandboxes.get_mut(&id) else { return self.fail(seq, Failure::Ended) };
        if let Err(reason) = record.points.take(binds) {
            return self.fail(seq, Failure::Build { step: "attaching".into(), reason: reason.into() });
        }
        let Ok(process) = record.process.try_clone() else { return self.fail(seq, Failure::Ended) };
        let job = Job::Attach { process: process.as_fd(), ids: self.tools.ids(record.slot), binds };
        if let Some(errand) = self.fork_worker(job, Errand::Attach { seq }) {
            self.refuse(&errand, "forking a worker", "no process could be made: raise the server's limit of tasks");
        }
    }

    fn reclaim(&mut self, seq: u64, id: u64) {
        if !self.sandboxes.contains_key(&id) {
            return self.fail(seq, Failure::Ended);
        }
        if let Some(errand) = self.fork_worker(Job::Reclaim { id }, Errand::Reclaim { seq }) {
            self.refuse(&errand, "forking a worker", "no process could be made: raise the server's limit of tasks");
        }
    }

    /// Gives the errand back when no worker could be made.
    fn fork_worker(&mut self, job: Job<'_>, errand: Errand) -> Option<Errand> {
        let Ok((ours, theirs)) = channel::pair() else { return Some(errand) };
        // SAFETY: the launcher has one thread.
        #[allow(unsafe_code)]
        let forked = unsafe { sys::fork_plain() };
        match forked {
            Ok(0) => {
                drop(ours);
                worker::run(&self.tools, job, theirs)
            }
            Ok(pid) => {
                let number = self.next;
                self.next += 1;
                let token = epoll::EventData::new_u64(KIND_WORKER | number);
                let deadline = Instant::now() + WORKER_DEADLINE;
                if epoll::add(&self.epoll, &ours, token, epoll::EventFlags::IN).is_err() {
                    sys::kill(pid, libc::SIGKILL);
                    self.ending.push(pid);
                    return Some(errand);
                }
                self.workers.insert(number, Worker { pid, channel: ours, deadline, errand });
                None
            }
            Err(_) => Some(errand),
        }
    }

    fn hear_worker(&mut self, number: u64, buffer: &mut [u8]) {
        let Some(worker) = self.workers.get(&number) else { return };
        let word = match channel::receive(worker.channel.as_fd(), buffer) {
            Ok(Some((length, fds))) => Word::decode(&buffer[..length]).ok().map(|word| (word, fds)),
            Ok(None) | Err(_) => None,
        };
        match word {
            Some((Word::Born { pid }, fds)) => self.born(number, pid, fds),
            word => self.worker_done(number, word),
        }
    }

    fn born(&mut self, number: u64, pid: i32, fds: Vec<OwnedFd>) {
        let Some(Worker { errand: Errand::Create { id, slot, points, .. }, .. }) = self.workers.get_mut(&number) else {
            return;
        };
        let Ok([process, lifeline]) = <[OwnedFd; 2]>::try_from(fds) else { return };
        let (id, slot, points) = (*id, *slot, std::mem::take(points));
        let token = epoll::EventData::new_u64(KIND_SANDBOX | id);
        if epoll::add(&self.epoll, &process, token, epoll::EventFlags::IN).is_err() {
            // Its end will still be looked for when the worker's word comes.
            let _ = sys::signal_process(process.as_fd(), libc::SIGKILL);
        }
        let record =
            Record { slot, pid, process, lifeline, points, stage: Stage::Building, killed: false, status: None };
        self.sandboxes.insert(id, record);
    }

    fn worker_done(&mut self, number: u64, word: Option<(Word, Vec<OwnedFd>)>) {
        let Some(worker) = self.workers.remove(&number) else { return };
        // Workers forked meanwhile hold copies of it, so closing ours would not take it out of epoll.
        let _ = epoll::delete(&self.epoll, &worker.channel);
        if word.is_none() {
            sys::kill(worker.pid, libc::SIGKILL);
        }
        self.ending.push(worker.pid);
        match (worker.errand, word) {
            (Errand::Create { seq, id, slot, started, .. }, word) => {
                self.created(Creation { seq, id, slot, started }, word)
            }
            (Errand::Attach { seq }, Some((Word::Attached, _))) => self.say(&Reply::Attached { seq }, Vec::new()),
            (Errand::Reclaim { seq }, Some((Word::Reclaimed { bytes }, _))) => {
                self.say(&Reply::Reclaimed { seq, bytes }, Vec::new());
            }
            (Errand::Attach { seq } | Errand::Reclaim { seq }, Some((Word::Failed(failure), _))) => {
                self.fail(seq, failure);
            }
            (errand @ (Errand::Attach { .. } | Errand::Reclaim { .. }), _) => {
                self.refuse(&errand, "waiting for a worker", "it ended without an answer, or took over ten seconds");
            }
        }
    }

    fn created(&mut self, what: Creation, word: Option<(Word, Vec<OwnedFd>)>) {
        let failure = match word {
            Some((Word::Ready { egress, controls }, fds)) if self.sandboxes.contains_key(&what.id) => {
                return self.announce(what, egress, controls, fds);
            }
            Some((Word::Failed(failure), _)) => failure,
            Some(_) | None => Failure::Build {
                step: "waiting for the builder".into(),
                reason: "it ended without an answer, or took over ten seconds: is a disk of a bind stuck?".into(),
            },
        };
        match self.sandboxes.get_mut(&what.id) {
            Some(record) => {
                record.stage = Stage::Doomed;
                self.kill(what.id);
                self.bury(what.id);
            }
            // Nothing was born: only the groups are there.
            None => self.emptying.push((what.id, what.slot)),
        }
        self.fail(what.seq, failure);
    }

    fn announce(&mut self, what: Creation, egress: bool, controls: u32, fds: Vec<OwnedFd>) {
        let Some(record) = self.sandboxes.get_mut(&what.id) else { return };
        record.stage = Stage::Announced;
        let micros = what.started.elapsed().as_micros() as u64;
        let created = Reply::Created { seq: what.seq, id: what.id, pid: record.pid, micros, egress, controls };
        self.say(&created, fds);
        // A short program may have ended before its builder saw that it had begun.
        self.bury(what.id);
    }

    fn sandbox_ended(&mut self, id: u64) {
        let Some(record) = self.sandboxes.get_mut(&id) else { return };
        let Some(status) = sys::try_reap(record.pid) else { return };
        record.status = Some(status);
        // It would be reported for ever.
        let _ = epoll::delete(&self.epoll, &record.process);
        self.bury(id);
    }

    /// Tells of the end and lets the groups go, once the first process has ended and its builder has had its say.
    fn bury(&mut self, id: u64) {
        let Some(record) = self.sandboxes.get(&id) else { return };
        let (Some(status), Stage::Announced | Stage::Doomed) = (record.status, record.stage) else { return };
        if record.stage == Stage::Announced {
            let oom_kills = figures::oom_kills(&self.tools.groups, id);
            let usage = figures::usage(&self.tools.groups, id);
            let reason = reason(record, status, oom_kills);
            self.say(&Reply::Exited { id, reason, oom_kills, usage }, Vec::new());
        }
        if let Some(record) = self.sandboxes.remove(&id) {
            self.emptying.push((id, record.slot));
        }
    }

    fn finish_what_is_left(&mut self) {
        self.ending.retain(|pid| sys::try_reap(*pid).is_none());
        let (tools, free) = (&self.tools, &mut self.free_slots);
        self.emptying.retain(|(id, slot)| {
            let name = group_name(*id);
            if tools.cgroups.remove(&name) {
                free.push(*slot);
                return false;
            }
            tools.cgroups.kill_everywhere(&name);
            true
        });
        let now = Instant::now();
        let late: Vec<u64> =
            self.workers.iter().filter(|(_, worker)| worker.deadline <= now).map(|(number, _)| *number).collect();
        for number in late {
            self.worker_done(number, None);
        }
    }

    fn refuse(&mut self, errand: &Errand, step: &str, reason: &str) {
        let (Errand::Create { seq, .. } | Errand::Attach { seq } | Errand::Reclaim { seq }) = errand;
        self.fail(*seq, Failure::Build { step: step.into(), reason: reason.into() });
    }

    fn fail(&mut self, seq: u64, failure: Failure) {
        self.say(&Reply::Failed { seq, failure }, Vec::new());
    }

    fn say(&mut self, reply: &Reply, fds: Vec<OwnedFd>) {
        self.outgoing.push_back((reply.encode(), fds));
    }

    /// Sends what the socket takes; the rest waits until there is room.
    fn flush(&mut self) -> io::Result<()> {
        while let Some((bytes, fds)) = self.outgoing.front() {
            let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
            match channel::send(self.socket.as_fd(), bytes, &fds) {
                Ok(()) => drop(self.outgoing.pop_front()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // The server is going: its end of the socket says so in a moment.
                Err(_) => self.outgoing.clear(),
            }
        }
        let room = !self.outgoing.is_empty();
        if room != self.watching_room {
            self.watching_room = room;
            let out = if room { epoll::EventFlags::OUT } else { epoll::EventFlags::empty() };
            let token = epoll::EventData::new_u64(SERVER);
            epoll::modify(&self.epoll, &self.socket, token, epoll::EventFlags::IN | out)?;
        }
        Ok(())
    }

    /// The server has gone: everything ends, and nothing of ours stays behind.
    fn farewell(mut self, events: &mut Vec<epoll::Event>, buffer: &mut [u8]) {
        let _ = epoll::delete(&self.epoll, &self.socket);
        self.waiting.clear();
        let until = Instant::now() + FAREWELL;
        for worker in self.workers.values_mut() {
            worker.deadline = worker.deadline.min(Instant::now() + FAREWELL / 5);
        }
        while Instant::now() < until {
            let ids: Vec<u64> = self.sandboxes.keys().copied().collect();
            ids.iter().for_each(|id| self.kill(*id));
            self.outgoing.clear();
            let busy = !self.workers.is_empty() || !self.ending.is_empty() || !self.emptying.is_empty();
            if self.sandboxes.is_empty() && !busy {
                break;
            }
            if self.turn(events, buffer).is_err() {
                break;
            }
        }
        self.tools.cgroups.remove_all();
    }
}

#[derive(Clone, Copy)]
struct Creation {
    seq: u64,
    id: u64,
    slot: u32,
    started: Instant,
}

/// What the agent said about the workload; when it could not say anything, what ended the agent.
fn reason(record: &Record, agent: Option<i32>, oom_kills: u64) -> ExitReason {
    let mut word = [0; 8];
    let said = rustix::net::recv(&record.lifeline, &mut word, rustix::net::RecvFlags::DONTWAIT);
    let workload = matches!(said, Ok((8, _)))
        .then(|| i32::from_le_bytes([word[4], word[5], word[6], word[7]]))
        .filter(|_| word[..4] == *b"done");
    let status = workload.or(agent).unwrap_or(0);
    if record.killed && workload.is_none() {
        return ExitReason::Killed;
    }
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        return if signal == libc::SIGKILL && oom_kills > 0 {
            ExitReason::OutOfMemory
        } else {
            ExitReason::Signal(signal)
        };
    }
    ExitReason::Code(libc::WEXITSTATUS(status))
}
