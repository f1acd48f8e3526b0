//! Watches one workspace that lives: hears what its attendant says, sends it to rest, and says in words how it ended.

use std::sync::Arc;
use std::time::{Duration, Instant};

use darter_core::Millis;
use darter_core::workspace::Depth;
use darter_core::workspace::lifecycle::{Event, MOST_CRASHES, State};
use darter_core::workspace::rest::Step;
use darter_sandbox::Exit;

use super::act::is_of;
use super::attendant::{self, Events, clamp};
use super::unit::Unit;
use super::workspace::{Editor, Inner, Workspace};
use super::{Shared, words};
use crate::workspace::{Job, OpenPort};

/// Most events of one workspace in a second.
const PACE: u32 = 32;
const SECOND: Duration = Duration::from_secs(1);
/// Longest sleep: a clock that was set, or a laptop that was closed, is noticed by then.
const NAP: Duration = Duration::from_secs(5);
/// Before the events are asked for again.
const AGAIN: Duration = Duration::from_secs(2);
/// What is kept of what it says, and how much of each.
const MOST: usize = 64;
const NAME: usize = 64;
/// An editor that ran for so long was well.
const HEALTHY: Duration = Duration::from_secs(600);
/// Pauses before a crashed editor is started again.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(4)];

impl Shared {
    /// Runs until this unit has ended.
    pub(super) async fn supervise(self: Arc<Self>, workspace: Arc<Workspace>, unit: Arc<Unit>) {
        let mut events = unit.attendant.events().await.ok();
        let mut again = Instant::now() + AGAIN;
        let mut pace = Pace::default();
        let exit = loop {
            let Some(nap) = self.rest(&workspace, &unit) else { break unit.sandbox.wait().await };
            tokio::select! {
                exit = unit.sandbox.wait() => break exit,
                event = next(&mut events, &mut pace) => match event {
                    Some(event) => self.hear(&workspace, &unit, event),
                    None => events = None,
                },
                () = workspace.nudge.notified() => {}
                () = tokio::time::sleep(nap) => {}
            }
            if events.is_none() && Instant::now() >= again && self.is_awake(&workspace) {
                again = Instant::now() + AGAIN;
                events = tokio::time::timeout(AGAIN, unit.attendant.events()).await.ok().and_then(Result::ok);
            }
        };
        self.ended(&workspace, &unit, exit);
    }

    fn is_awake(&self, workspace: &Workspace) -> bool {
        matches!(workspace.lock().life.state, State::Starting | State::Running)
    }

    /// The sandbox has ended. When that was wanted, whoever wanted it sees to the rest.
    fn ended(self: &Arc<Self>, workspace: &Arc<Workspace>, unit: &Arc<Unit>, exit: Exit) {
        let mut inner = workspace.lock();
        if !is_of(&inner, unit) || inner.life.state == State::Stopping {
            return;
        }
        let now = self.now();
        let ran_ms = inner.ran_from.map_or(0, |from| u64::try_from(from.elapsed().as_millis()).unwrap_or(u64::MAX));
        let memory = inner.bundle.as_ref().map_or(0, |bundle| bundle.limits.memory_bytes);
        let wanted = inner.is_wanted(now) || inner.life.state == State::Starting;
        inner.trouble = Some(words::of_end(exit, memory, unit.words.last(), now));
        self.apply_if_taken(workspace, &mut inner, Event::Crashed { ran_ms, wanted });
    }

    /// Sends it to rest when it is time. How long until it is time to look again; `None`: this unit is not the
    /// workspace's any more.
    fn rest(self: &Arc<Self>, workspace: &Arc<Workspace>, unit: &Arc<Unit>) -> Option<Duration> {
        let mut inner = workspace.lock();
        if !is_of(&inner, unit) {
            return None;
        }
        if inner.life.state == State::Running {
            self.look_at_memory(workspace, &mut inner, unit);
        }
        let now = self.now();
        if let (State::Frozen, Some(frozen_at)) = (inner.life.state, inner.signals.frozen_at)
            && now >= later(frozen_at, self.config.reclaim_after_ms)
        {
            self.apply_if_taken(workspace, &mut inner, Event::Reclaim);
        }
        let Some(next) = inner.next(self.freezer()) else { return Some(NAP) };
        if now < next.at {
            let mut until = next.at;
            if let (State::Frozen, Some(frozen_at)) = (inner.life.state, inner.signals.frozen_at) {
                until = until.min(later(frozen_at, self.config.reclaim_after_ms));
            }
            return Some(Duration::from_millis(u64::try_from(until - now).unwrap_or(0).max(1)).min(NAP));
        }
        match next.step {
            Step::Freeze => self.apply_if_taken(workspace, &mut inner, Event::Freeze),
            Step::Stop => {
                inner.rested = true;
                self.apply_if_taken(workspace, &mut inner, Event::Stop);
            }
        }
        Some(NAP.min(Duration::from_millis(self.config.reclaim_after_ms.max(1))))
    }

    fn hear(self: &Arc<Self>, workspace: &Arc<Workspace>, unit: &Arc<Unit>, event: attendant::Event) {
        let mut inner = workspace.lock();
        if !is_of(&inner, unit) {
            return;
        }
        let now = self.now();
        match event {
            attendant::Event::Beat {} | attendant::Event::Unknown => {}
            attendant::Event::Activity { input_at, jobs } => {
                // It cannot have been later than now, and what counted already is not taken back.
                if let Some(at) = input_at {
                    inner.input(at.min(now));
                }
                inner.seen.jobs =
                    jobs.into_iter().take(MOST).map(|job| Job { pid: job.pid, name: clamp(&job.name, NAME) }).collect();
                if !inner.seen.jobs.is_empty() {
                    inner.signals.job_at = Some(now);
                }
            }
            attendant::Event::Ports { ports } => {
                let port = |one: attendant::PortLine| OpenPort {
                    port: one.port,
                    address: clamp(&one.address, NAME),
                    name: clamp(&one.name, NAME),
                };
                let ports = ports.into_iter().filter(|one| one.port > 0).take(MOST).map(port).collect();
                if inner.seen.ports != ports {
                    inner.seen.ports = ports;
                    self.tell(workspace, &inner);
                }
            }
            attendant::Event::Disk { bytes, limit_bytes } => inner.seen.disk = (bytes, limit_bytes),
            attendant::Event::Terminals { count } => inner.seen.terminals = count,
            attendant::Event::Editor { state, exit_code, last_lines } => {
                if state == "ended" && inner.editor.started {
                    let lines = last_lines.iter().take(20).map(|line| clamp(line, 500)).collect();
                    self.editor_ended(workspace, &mut inner, unit, (exit_code, lines));
                }
            }
        }
        // The loop that called looks at rest and memory next.
    }

    /// A kill for want of memory is told as such.
    fn look_at_memory(&self, workspace: &Arc<Workspace>, inner: &mut Inner, unit: &Unit) {
        let kills = unit.sandbox.oom_kills();
        if kills > inner.seen.out_of_memory {
            inner.seen.out_of_memory = kills;
            let memory = inner.bundle.as_ref().map_or(0, |bundle| bundle.limits.memory_bytes);
            inner.trouble = Some(words::out_of_memory(memory, self.now()));
            self.tell(workspace, inner);
        }
    }

    /// Terminals live on; the editor is started again, after a pause and not for ever.
    fn editor_ended(
        self: &Arc<Self>,
        workspace: &Arc<Workspace>,
        inner: &mut Inner,
        unit: &Arc<Unit>,
        (code, lines): (Option<i32>, Vec<String>),
    ) {
        let stopping = !matches!(inner.life.state, State::Starting | State::Running);
        let full = inner.bundle.as_ref().is_some_and(|bundle| bundle.depth == Depth::Full);
        if stopping || !full {
            return;
        }
        let well = inner.editor.since.is_some_and(|since| since.elapsed() >= HEALTHY);
        let crashes = if well { 1 } else { inner.editor.crashes + 1 };
        inner.editor = Editor { started: false, crashes, since: None };
        let before = inner.seen.out_of_memory;
        self.look_at_memory(workspace, inner, unit);
        if inner.seen.out_of_memory == before {
            inner.trouble = Some(words::editor_ended(code, (lines, Some(unit.environment.kind)), self.now()));
        }
        match PAUSES.get(crashes as usize - 1) {
            Some(pause) => {
                self.tell(workspace, inner);
                self.editor_again(workspace, unit, *pause);
            }
            None => {
                // No sandbox of it would do better; what is in its home makes it fail.
                inner.life.crashes = MOST_CRASHES;
                let unit = Arc::clone(unit);
                tokio::spawn(async move { unit.sandbox.kill().await });
                self.apply_if_taken(workspace, inner, Event::Crashed { ran_ms: 0, wanted: true });
            }
        }
    }

    fn editor_again(self: &Arc<Self>, workspace: &Arc<Workspace>, unit: &Arc<Unit>, pause: Duration) {
        let (shared, workspace, unit) = (Arc::clone(self), Arc::clone(workspace), Arc::clone(unit));
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let goes_on = {
                let inner = workspace.lock();
                is_of(&inner, &unit) && matches!(inner.life.state, State::Starting | State::Running)
            };
            if goes_on && let Err(error) = shared.start_editor(&workspace, &unit).await {
                tracing::debug!(workspace = %workspace.id, %error, "an editor could not be started again");
            }
        });
    }
}

async fn next(events: &mut Option<Events>, pace: &mut Pace) -> Option<attendant::Event> {
    match events {
        Some(events) => {
            if let Some(next) = pace.next(Instant::now()) {
                tokio::time::sleep_until(next.into()).await;
            }
            let event = events.next().await;
            pace.count(Instant::now());
            event
        }
        None => std::future::pending().await,
    }
}

/// Events are taken at a pace, however fast somebody inside writes them: the rest waits in its own socket.
#[derive(Default)]
struct Pace {
    begun: Option<Instant>,
    taken: u32,
}

impl Pace {
    /// When the next one may be taken, when that is not now.
    fn next(&self, now: Instant) -> Option<Instant> {
        self.begun.filter(|_| self.taken >= PACE).map(|begun| begun + SECOND).filter(|next| *next > now)
    }

    fn count(&mut self, now: Instant) {
        if self.begun.is_none_or(|begun| now >= begun + SECOND) {
            (self.begun, self.taken) = (Some(now), 0);
        }
        self.taken += 1;
    }
}

fn later(at: Millis, ms: u64) -> Millis {
    at.saturating_add(Millis::try_from(ms).unwrap_or(Millis::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_taken_at_a_pace_however_fast_they_come() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        for _ in 0..PACE {
            assert_eq!(pace.next(now), None);
            pace.count(now);
        }
        assert_eq!(pace.next(now), Some(now + SECOND), "the next one waits for the next second");
        pace.count(now + SECOND);
        assert_eq!(pace.next(now + SECOND), None);
    }
}
