//! What went wrong, in words for whoever owns the workspace: what happened, why, what to do. Causes that name paths of the
//! host go to the log.

use darter_core::{Fault, Kind, Millis, WorkspaceId};
use darter_sandbox::{Exit, ExitReason};

use super::start::Failed;
use crate::environment::EditorKind;
use crate::turns::Full;
use crate::workspace::Trouble;

fn trouble(code: &str, message: impl Into<String>, last_lines: Vec<String>, at: Millis) -> Trouble {
    Trouble { code: code.into(), message: message.into(), last_lines, at }
}

/// A start that went wrong.
pub(super) fn of_start(
    id: &WorkspaceId,
    failed: Failed,
    (lines, kind): (Vec<String>, Option<EditorKind>),
    at: Millis,
) -> Trouble {
    match failed {
        Failed::Declined(fault) => trouble(fault.code, fault.message, lines, at),
        Failed::Lost(fault) => trouble(
            "workspace.home_lost",
            format!(
                "The files of this workspace are not on this server any more, and its newest snapshot could not be restored: {} \
                 Try again, or restore another snapshot.",
                fault.message
            ),
            lines,
            at,
        ),
        Failed::Late => trouble(
            "workspace.not_ready",
            format!(
                "The editor did not answer in time. What it wrote last may say why. Open the workspace again; if it stays, \
                 {}restore a snapshot.",
                if has_light(kind) { "set it to light in its settings, or " } else { "" }
            ),
            lines,
            at,
        ),
        Failed::Home(cause) => {
            tracing::error!(workspace = %id, cause, "the home of a workspace could not be brought in");
            trouble(
                "workspace.home_unusable",
                "The home could not be brought in: it is damaged, or the server's disk is full. Try again; if it stays, tell the \
                 operator of this server, or clone the workspace from a snapshot.",
                lines,
                at,
            )
        }
        Failed::Broken(cause) => {
            tracing::error!(workspace = %id, cause, "a workspace could not be started");
            trouble(
                "workspace.start_failed",
                "The platform could not make a sandbox for this workspace. Try again; if it stays, tell the operator of this \
                 server.",
                lines,
                at,
            )
        }
    }
}

/// A home that was missing is there again.
pub(super) fn brought_back(made_at: Millis, at: Millis) -> Trouble {
    let age = age(u64::try_from(at - made_at).unwrap_or(0) / 60_000);
    let message = format!(
        "The files of this workspace were not on this server any more and were restored from its newest snapshot, made {age} \
         before. What changed after it is lost. Ask the operator of this server what happened to its disk."
    );
    trouble("workspace.home_restored", message, Vec::new(), at)
}

/// As people say it.
fn age(minutes: u64) -> String {
    match minutes {
        0 => "less than a minute".into(),
        1 => "a minute".into(),
        2..120 => format!("{minutes} minutes"),
        120..2_880 => format!("{} hours", minutes / 60),
        _ => format!("{} days", minutes / 1_440),
    }
}

/// A sandbox that ended without being told to.
pub(super) fn of_end(exit: Exit, memory: u64, lines: Vec<String>, at: Millis) -> Trouble {
    match exit.reason {
        ExitReason::OutOfMemory => out_of_memory(memory, at),
        ExitReason::Signal(_) if exit.oom_kills > 0 => out_of_memory(memory, at),
        ExitReason::Signal(number) => {
            trouble("workspace.crashed", format!("The workspace was ended by signal {number}. {AGAIN}"), lines, at)
        }
        ExitReason::Code(code) => {
            trouble("workspace.crashed", format!("The workspace ended with code {code}. {AGAIN}"), lines, at)
        }
        ExitReason::Killed | ExitReason::LauncherGone => {
            trouble("workspace.crashed", format!("The workspace was ended by the platform. {AGAIN}"), lines, at)
        }
    }
}

const AGAIN: &str = "Saved files are safe. It is started again when somebody opens it.";

/// Something inside took too much memory.
pub(super) fn out_of_memory(memory: u64, at: Millis) -> Trouble {
    let message = format!(
        "A program was ended because the workspace's memory ({} MiB) was full. Close what you do not need, or raise the memory \
         limit in the workspace's settings.",
        memory >> 20
    );
    trouble("workspace.out_of_memory", message, Vec::new(), at)
}

/// An editor that ended by itself.
pub(super) fn editor_ended(code: Option<i32>, (lines, kind): (Vec<String>, Option<EditorKind>), at: Millis) -> Trouble {
    let how = code.map_or_else(|| "by a signal".to_owned(), |code| format!("with code {code}"));
    let message = format!(
        "The editor ended {how} and is started again. If it keeps ending, {}look at what changed last, an extension perhaps, \
         or restore a snapshot.",
        if has_light(kind) { "set the workspace to light in its settings and " } else { "" }
    );
    trouble("workspace.editor_crashed", message, lines, at)
}

/// Only VS Code's page works without a server of its own.
fn has_light(kind: Option<EditorKind>) -> bool {
    kind == Some(EditorKind::Vscode)
}

/// The answer to whoever waits for a workspace that ended too often.
pub(super) fn failed(trouble: Option<&Trouble>) -> Fault {
    let words = trouble.map_or("It ended too often.", |trouble| trouble.message.as_str());
    let code = trouble.map_or("workspace.crashed", |trouble| trouble.code.as_str());
    Fault::new(Kind::Unavailable, "workspace.start_failed", format!("The workspace cannot be started. {words}"))
        .with("reason", code)
        .with("last_lines", trouble.map(|trouble| trouble.last_lines.clone()).unwrap_or_default())
        .retry_after(10)
}

/// More want to start than may wait.
pub(super) fn queue_full(Full { seconds }: Full) -> Fault {
    let message = format!("More workspaces are being started than this server can take. Try again in {seconds} s.");
    Fault::new(Kind::RateLimited, "workspace.queue_full", message).retry_after(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_old_a_snapshot_is_is_said_as_people_do() {
        for (minutes, words) in
            [(0, "less than a minute"), (1, "a minute"), (119, "119 minutes"), (120, "2 hours"), (4_320, "3 days")]
        {
            let message = brought_back(0, minutes * 60_000 + 5).message;
            assert!(message.contains(&format!("made {words} before.")), "{message}");
        }
    }

    #[test]
    fn light_is_advised_only_where_there_is_a_light_depth() {
        let id: WorkspaceId = "abcdefghjk".parse().unwrap();
        for (kind, advised) in [(Some(EditorKind::Vscode), true), (Some(EditorKind::Jupyter), false), (None, false)] {
            let late = of_start(&id, Failed::Late, (Vec::new(), kind), 0).message;
            let ended = editor_ended(Some(1), (Vec::new(), kind), 0).message;
            for message in [late, ended] {
                assert_eq!(message.contains("light"), advised, "{message}");
                assert!(message.contains("restore a snapshot"), "{message}");
            }
        }
    }
}
