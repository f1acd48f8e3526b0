//! A workspace as the API shows it: what is, what can be done now, and what happens when nobody does anything. No client
//! has to know the rules, nor a sentence: reasons are keys of the message catalogue.

use std::collections::BTreeMap;

use darter_api::function::Phase;
use darter_api::workspace as api;
use darter_core::record::StartPhases;
use darter_core::workspace::Desired;
use darter_core::workspace::lifecycle::State;
use darter_core::{Millis, WorkspaceId};
use darter_engine::workspace::{Trouble, WorkspaceStatus};
use darter_store::workspace::MemberWorkspace;

use super::next::next;
use super::offer::offers;
use super::source::Detail;
use crate::Platform;

/// Where a workspace is.
pub(crate) fn addresses(platform: &Platform, owner_name: &str, id: &WorkspaceId) -> api::Addresses {
    let config = &platform.config;
    let at = |label: &str| format!("{}://{label}-{id}.{}{}", config.scheme(), config.apps_domain, config.port());
    let ssh = config.ssh.as_ref().map(|door| format!("ssh://{owner_name}-{id}@{}:{}", door.host, door.port));
    api::Addresses { editor: at(owner_name), port: at("{{port}}"), ssh }
}

/// A port's address, with `{{port}}` in the place of its number.
pub fn port_address(platform: &Platform, id: &WorkspaceId) -> String {
    addresses(platform, "", id).port
}

pub(crate) fn state_word(state: State) -> &'static str {
    match state {
        State::Stopped => "stopped",
        State::Queued => "queued",
        State::Starting => "starting",
        State::Pausing => "pausing",
        State::Running => "running",
        State::Frozen => "frozen",
        State::Reclaimed => "reclaimed",
        State::Stopping => "stopping",
        State::Failed => "failed",
    }
}

/// The workspace for an answer.
pub(crate) fn show(platform: &Platform, found: &MemberWorkspace) -> api::Workspace {
    let row = &found.workspace;
    let status = platform.workspaces.engine.status(&row.id);
    let observed = observed(found, &status);
    let now = platform.clock.now();
    api::Workspace {
        id: row.id.to_string(),
        name: row.name.clone(),
        kind: row.kept,
        environment: row.environment.to_string(),
        depth: row.depth,
        role: found.role,
        desired: row.desired,
        actions: offers(found.role, row.desired, &observed.state),
        next: next(&platform.config.workspaces, row, &status, now),
        observed,
        keep_until: row.keep_until.filter(|until| *until > now),
        activity: activity(&status),
        limits: row.limits.clone(),
        rest: row.rest.clone(),
        usage: usage(&status, now),
        addresses: addresses(platform, &found.owner_name, &row.id),
        revision: row.revision,
        created_at: row.created_at,
        updated_at: row.updated_at,
        used_at: row.used_at,
        recycled_at: row.recycled_at,
    }
}

fn usage(status: &WorkspaceStatus, at: Millis) -> Option<api::Usage> {
    status.usage.map(|usage| api::Usage {
        at,
        cpu_usec: usage.cpu_usec,
        memory_bytes: usage.memory_bytes,
        memory_peak_bytes: usage.memory_peak_bytes,
        pids: usage.pids,
        disk_bytes: usage.disk_bytes,
        disk_limit_bytes: usage.disk_limit_bytes,
        out_of_memory: usage.out_of_memory,
        sent_bytes: status.egress.0,
        received_bytes: status.egress.1,
    })
}

fn activity(status: &WorkspaceStatus) -> api::Activity {
    api::Activity {
        input_at: status.input_at,
        connections: status.connections,
        terminals: status.terminals,
        jobs: status.jobs.iter().map(|job| api::Job { pid: job.pid, name: job.name.clone() }).collect(),
    }
}

fn trouble(trouble: Trouble) -> api::Trouble {
    api::Trouble { code: trouble.code, message: trouble.message, last_lines: trouble.last_lines, at: trouble.at }
}

/// What the engine sees now, and what was kept of it: a workspace that does not run says how it came to that.
fn observed(found: &MemberWorkspace, status: &WorkspaceStatus) -> api::Observed {
    let kept = found.observed.as_ref();
    let detail: Detail = kept.and_then(|row| serde_json::from_str(&row.detail).ok()).unwrap_or_default();
    let seen = &status.observed;
    let idle = seen.state == State::Stopped;
    let failed = idle && found.workspace.desired != Desired::Recycled && kept.is_some_and(|row| row.state == "failed");
    let found_trouble = seen.trouble.clone().or(if idle { detail.trouble } else { None });
    let since = |seen: Millis| if seen > 0 { seen } else { kept.map_or(found.workspace.created_at, |row| row.since) };
    api::Observed {
        state: state_word(if failed { State::Failed } else { seen.state }).to_owned(),
        since: since(seen.since),
        queue: seen.queue.map(|queue| api::QueuePlace { place: queue.place, estimate_ms: queue.estimate_ms }),
        trouble: found_trouble.map(trouble),
        start: seen.start.clone().or(detail.start).map(start),
    }
}

/// Where the time of a start went.
pub(crate) fn start(phases: StartPhases) -> api::Start {
    let total_us = phases.total_us();
    let parts = phases.phases.into_iter().map(|(name, us)| Phase { name, us }).collect();
    api::Start { from: phases.from, phases: parts, total_us }
}

/// A reason with what belongs into its sentence.
pub(crate) fn reason(key: &str, params: &[(&str, serde_json::Value)]) -> api::Reason {
    let params: BTreeMap<String, serde_json::Value> =
        params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    api::Reason { key: key.to_owned(), params }
}
