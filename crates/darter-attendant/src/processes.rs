//! The workspace's own processes, as `/proc` shows them. What a name or a number says there is the tenant's word: it is
//! passed on as text and decides nothing here.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpid, kill_process};
use serde::Serialize;

/// `/proc` counts in hundredths of a second on every architecture that we run on (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);
/// From this share of a core on a process is at work: 50 of 1,000.
const AT_WORK: u64 = 50;
/// Most jobs that are told.
const JOBS: usize = 32;
/// Most processes that are looked at.
const PROCESSES: usize = 4096;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) name: String,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// When it began, in ticks since the machine did: tells two holders of one pid apart.
    began: u64,
    ticks: u64,
}

/// A process at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Job {
    pub(crate) pid: i32,
    pub(crate) name: String,
    /// Thousandths of a core since the last look.
    pub(crate) cpu_millis: u64,
}

/// All that can be seen, ourselves excepted.
pub(crate) fn all() -> Vec<Process> {
    let Ok(folder) = fs::read_dir("/proc") else { return Vec::new() };
    let ours = getpid().as_raw_nonzero().get();
    let pids = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| *pid != ours).take(PROCESSES).filter_map(read).collect()
}

fn read(pid: i32) -> Option<Process> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &String::from_utf8_lossy(&text))
}

/// The name may hold anything, brackets and newlines included, so what follows is counted from the last bracket.
fn parse(pid: i32, text: &str) -> Option<Process> {
    let (head, rest) = text.rsplit_once(')')?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    // Numbered as in proc_pid_stat(5) less 3: 5 pgrp, 6 session, 14 utime, 15 stime, 22 starttime.
    Some(Process {
        pid,
        name,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        began: number(19)?,
        ticks: number(11)? + number(12)?,
    })
}

/// Signals every process of a session that a terminal's program leads.
pub(crate) fn signal_session(leader: Pid, signal: Signal) {
    let session = leader.as_raw_nonzero().get();
    for process in all().into_iter().filter(|process| process.session == session) {
        if let Some(pid) = Pid::from_raw(process.pid) {
            // One that ended meanwhile needs no signal.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Who used the processor between two looks.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    last: HashMap<(i32, u64), u64>,
    at: Option<Instant>,
}

impl Jobs {
    /// Process groups `aside` are none.
    pub(crate) fn look(&mut self, aside: &BTreeSet<i32>) -> Vec<Job> {
        let now = Instant::now();
        let elapsed = self.at.replace(now).map(|at| now.duration_since(at));
        let others = all().into_iter().filter(|process| !aside.contains(&process.group)).collect();
        self.compare(others, elapsed)
    }

    fn compare(&mut self, processes: Vec<Process>, elapsed: Option<Duration>) -> Vec<Job> {
        let known = std::mem::take(&mut self.last);
        let mut jobs = Vec::new();
        for process in processes {
            let key = (process.pid, process.began);
            let before = known.get(&key).copied().unwrap_or(0);
            self.last.insert(key, process.ticks);
            let Some(elapsed) = elapsed.filter(|elapsed| !elapsed.is_zero()) else { continue };
            let used = TICK * u32::try_from(process.ticks.saturating_sub(before)).unwrap_or(u32::MAX);
            let cpu_millis = u64::try_from(used.as_micros() * 1000 / elapsed.as_micros().max(1)).unwrap_or(u64::MAX);
            if cpu_millis >= AT_WORK {
                jobs.push(Job { pid: process.pid, name: process.name, cpu_millis });
            }
        }
        jobs.sort_by_key(|job| (std::cmp::Reverse(job.cpu_millis), job.pid));
        jobs.truncate(JOBS);
        jobs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, began: u64, ticks: u64) -> Process {
        Process { pid, name: "x".into(), group: 1, session: 1, began, ticks }
    }

    #[test]
    fn a_name_with_brackets_and_newlines_hides_nothing() {
        let line = "7 (a) S 1)\n2 (b) R 1 7 5 0 -1 4194304 0 0 0 0 3 4 0 0 20 0 1 0 99 0 0";
        let parsed = parse(7, line).unwrap();
        assert_eq!((parsed.name.as_str(), parsed.session, parsed.began, parsed.ticks), ("a) S 1)\n2 (b", 5, 99, 7));
        assert_eq!(parse(7, "7 (a) S"), None);
    }

    #[test]
    fn a_process_group_that_is_left_aside_has_no_jobs_however_busy() {
        use std::os::unix::process::CommandExt;
        let busy = ["-c", "while :; do :; done"];
        let mut child = std::process::Command::new("/bin/sh").args(busy).process_group(0).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let (mut all, mut others) = (Jobs::default(), Jobs::default());
        let holds = |jobs: &[Job]| jobs.iter().any(|job| job.pid == pid);
        loop {
            assert!(!holds(&others.look(&BTreeSet::from([pid]))));
            if holds(&all.look(&BTreeSet::new())) {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_job_is_what_used_the_processor_since_the_last_look() {
        let mut jobs = Jobs::default();
        assert!(jobs.compare(vec![process(1, 1, 500), process(2, 1, 0)], None).is_empty());
        let second = Some(Duration::from_secs(1));
        let seen = jobs.compare(vec![process(1, 1, 600), process(2, 1, 2)], second);
        assert_eq!(seen, [Job { pid: 1, name: "x".into(), cpu_millis: 1000 }]);
        // The same number, another process: what it used is its own.
        let seen = jobs.compare(vec![process(1, 700, 10)], second);
        assert_eq!(seen, [Job { pid: 1, name: "x".into(), cpu_millis: 100 }]);
    }
}
