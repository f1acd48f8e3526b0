//! The one clock of all instances: four times a second it freezes, stops, asks and replaces. It rests when nothing runs.

use std::sync::Arc;
use std::time::Duration;

use darter_core::instance::{Action, Event, InstanceState};
use darter_core::record::Level;

use super::Shared;
use super::app::App;
use super::control::Order;
use super::instance::{Beat, Ending, Instance};

const TICK: Duration = Duration::from_millis(250);
/// Code that has not loaded by then will not.
const LOAD_DEADLINE: Duration = Duration::from_secs(30);
/// What a quiet instance gets when there is no freezer and it is stopped.
const GRACE: Duration = Duration::from_secs(10);

impl Shared {
    /// Ticks for as long as the engine lives.
    pub(super) async fn tick(self: Arc<Self>) {
        let mut interval = tokio::time::interval(TICK);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if self.apps.is_empty() {
                tokio::select! {
                    () = self.alive.notified() => {}
                    () = self.closing.cancelled() => return,
                }
            }
            tokio::select! {
                _ = interval.tick() => {}
                () = self.closing.cancelled() => return,
            }
            // Collected first: nothing below may happen under a lock of the list.
            let apps: Vec<Arc<App>> = self.apps.iter().map(|entry| Arc::clone(entry.value())).collect();
            for app in &apps {
                self.look_after(app);
            }
        }
    }

    fn look_after(self: &Arc<Self>, app: &Arc<App>) {
        let instances = app.instances();
        let min = app.state().limits.as_ref().map_or(0, |limits| limits.instances_min);
        let mut live = 0;
        for instance in instances.iter() {
            if instance.ladder().state != InstanceState::Stopping {
                live += 1;
            }
            self.rest(instance, live <= min);
            self.ask(instance);
        }
        let more = {
            let mut state = app.state();
            let wanted = live + state.starting < min && state.pause().is_none() && !state.retired;
            state.starting += u32::from(wanted);
            wanted
        };
        if more {
            self.begin_start(app);
        }
        self.retire_if_at_rest(app);
    }

    /// Down the ladder.
    fn rest(&self, instance: &Arc<Instance>, keep: bool) {
        if instance.health().is_late() {
            return;
        }
        let ms = u64::try_from(instance.in_state().as_millis()).unwrap_or(u64::MAX);
        match instance.apply(Event::Quiet { ms }, &instance.rest(keep)) {
            Ok(Some(Action::Freeze)) => instance.freeze(),
            Ok(Some(Action::Kill)) => instance.kill(Ending::Wanted),
            Ok(Some(Action::Drain)) => {
                let instance = Arc::clone(instance);
                tokio::spawn(async move { instance.drain(GRACE).await });
            }
            Ok(None | Some(Action::Thaw | Action::Bury)) | Err(_) => {}
        }
    }

    /// Is its event loop alive?
    fn ask(self: &Arc<Self>, instance: &Arc<Instance>) {
        let ladder = instance.ladder();
        let starting = ladder.state == InstanceState::Starting;
        if ladder.state == InstanceState::Frozen || ladder.state == InstanceState::Stopping {
            return;
        }
        if starting && instance.in_state() > LOAD_DEADLINE {
            self.tell(&instance.app.id, Level::Error, "The app's code did not finish loading within 30 s. Look for something endless at the top of a function or in __init__.".into());
            return instance.kill(Ending::Stuck);
        }
        let beat = instance.health().beat(ladder.in_flight > 0 || starting);
        match beat {
            Beat::Ping(seq) => instance.say(Order::Ping { seq }.line()),
            Beat::Late(ticks) if TICK * ticks >= Duration::from_millis(instance.limits.loop_timeout_ms) => {
                self.stuck(instance)
            }
            Beat::Late(_) | Beat::Rest => {}
        }
    }

    /// Ends an instance whose loop hangs, and starts its successor at once.
    fn stuck(self: &Arc<Self>, instance: &Arc<Instance>) {
        let in_flight = instance.ladder().in_flight;
        let which = instance.in_flight_words();
        let seconds = instance.limits.loop_timeout_ms as f64 / 1_000.0;
        self.tell(
            &instance.app.id,
            Level::Error,
            format!("A function kept the event loop busy for {seconds} s, so the instance was ended; {in_flight} requests were in flight and got an error.{which} Look for an endless loop, or do long work in pieces. A new instance starts at once."),
        );
        instance.kill(Ending::Stuck);
        instance.app.take_out(instance);
        let start = {
            let mut state = instance.app.state();
            let start = state.pause().is_none() && state.starting == 0 && !state.retired;
            state.starting += u32::from(start);
            start
        };
        if start {
            self.begin_start(&instance.app);
        }
    }
}
