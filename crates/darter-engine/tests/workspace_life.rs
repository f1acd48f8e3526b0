//! How a workspace starts, rests, comes back and ends.
#![allow(clippy::unwrap_used)]

mod workspaces;

use darter_core::workspace::lifecycle::State;
use darter_core::workspace::{Depth, Door, WorkspaceRest};
use darter_engine::workspace::{Signal, Workspaces};
use workspaces::{get, world};

const QUICK: WorkspaceRest =
    WorkspaceRest { freeze_after_ms: 500, freeze_open_after_ms: 500, stop_after_ms: 500, jobs_most_ms: 1_000 };

#[test]
fn a_knock_starts_a_workspace_and_the_phases_say_where_the_time_went() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            assert_eq!(world.state(&id), State::Stopped);
            let said =
                world.sh(&id, "id -u; pwd; echo $COLOUR $HOSTNAME $DARTER_WORKSPACE; ps -e | grep -c python").await;
            assert_eq!(said, format!("1000\n/home/user\nteal ada {id}\n1\n"));
            world.reaches(&id, State::Running).await;
            let status = world.engine.status(&id);
            let start = status.observed.start.unwrap();
            let names: Vec<&str> = start.phases.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(start.from, "empty");
            assert_eq!(names, ["bundle", "queue", "sandbox", "attendant", "home", "mount", "claim", "editor"]);
            assert!(status.usage.unwrap().memory_bytes > 0 && status.next.is_some());
            let again = world.engine.connect(&id, Door::Editor).await.unwrap();
            assert!(again.start.is_none(), "nobody had to wait");
            world.engine.stop(&id).await.unwrap();
            assert_eq!(world.state(&id), State::Stopped);
            world.engine.stop(&id).await.unwrap();
        },
    );
}

#[test]
fn a_shell_has_a_prompt_with_the_workspaces_name_until_its_owner_has_one_of_their_own() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            for flags in ["-ic", "-lic"] {
                let ask =
                    format!("cd /tmp; TERM=xterm-256color bash {flags} 'echo \"${{PS1@P}}\"; type -t ls' 2>/dev/null");
                let said = world.sh(&id, &ask).await;
                assert!(said.contains("\u{1b}[1;32m") && said.ends_with("alias\n"), "{flags}: {said:?}");
                let plain = format!("cd; TERM=dumb bash {flags} 'echo \"${{PS1@P}}\"' 2>/dev/null");
                assert_eq!(world.sh(&id, &plain).await, "user@ada:~$ \n", "{flags}");
            }
            world.sh(&id, "echo \"PS1='mine '\" > .bashrc").await;
            for flags in ["-ic", "-lic"] {
                let own = format!("bash {flags} 'echo \"$PS1\"' 2>/dev/null");
                assert_eq!(world.sh(&id, &own).await, "mine \n", "{flags}");
            }
            assert_eq!(world.sh(&id, "ls -A").await, ".bashrc\n", "nothing of ours is in the home");
        },
    );
}

#[test]
fn a_home_persists_over_a_stop_a_crash_and_another_sandbox() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            world.sh(&id, "mkdir -p a && echo kept > a/b").await;
            world.engine.stop(&id).await.unwrap();
            assert_eq!(world.sh(&id, "cat a/b; echo more > a/c; sync a/c").await, "kept\n");
            world.reaches(&id, State::Running).await;
            let before = world.count(&id);
            // Everything that the workspace may kill; its first process ends with the attendant.
            let keeps = world.engine.connect(&id, Door::Attendant).await.unwrap();
            let connection = world.engine.connect(&id, Door::Editor).await.unwrap();
            let mut connection = connection;
            tokio::io::AsyncWriteExt::write_all(
                &mut connection.stream,
                b"GET /sh/kill%20-9%20-1 HTTP/1.1\r\nhost: x\r\n\r\n",
            )
            .await
            .unwrap();
            let seen = world.sees_after(&id, before, |seen| seen.state == State::Pausing).await;
            assert_eq!(seen.trouble.unwrap().code, "workspace.crashed");
            world.sees_after(&id, before, |seen| seen.state == State::Running).await;
            drop((keeps, connection));
            assert_eq!(world.sh(&id, "cat a/b a/c").await, "kept\nmore\n");
        },
    );
}

#[test]
fn a_full_home_says_so_and_a_raised_limit_gives_room() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            let fill = "dd if=/dev/zero of=big bs=1M count=90 2>&1 | grep -o 'No space left'";
            assert_eq!(world.sh(&id, fill).await, "No space left\n");
            world.change(&id, |bundle| std::sync::Arc::make_mut(&mut bundle.limits).disk_bytes = 160 << 20);
            world.engine.stop(&id).await.unwrap();
            let roomy =
                "stat -c %s big | wc -l; dd if=/dev/zero of=more bs=1M count=60 2>&1 | grep -c copied; rm big more";
            assert_eq!(world.sh(&id, roomy).await, "1\n1\n");
        },
    );
}

#[test]
fn a_quiet_workspace_freezes_thaws_at_a_knock_and_is_stopped_in_the_end() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|bundle| bundle.rest = QUICK);
            let pid = get(world.engine.connect(&id, Door::Editor).await.unwrap(), "/").await;
            world.reaches(&id, State::Frozen).await;
            let connection = world.engine.connect(&id, Door::Editor).await.unwrap();
            let start = connection.start.clone().unwrap();
            assert_eq!((start.from.as_str(), start.phases[0].0.as_str()), ("frozen", "thaw"));
            assert_eq!(get(connection, "/").await, pid, "it is the same process");
            let seen = world.reaches(&id, State::Stopped).await;
            assert!(seen.rested, "nobody stopped it");
            assert!(world.engine.status(&id).usage.is_none());
            assert_ne!(get(world.engine.connect(&id, Door::Editor).await.unwrap(), "/").await, "");
        },
    );
}

#[test]
fn a_frozen_workspace_is_thawed_for_a_person_and_for_an_answer_which_does_not_put_off_its_stop() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|bundle| bundle.rest = WorkspaceRest { stop_after_ms: 600_000, ..QUICK });
            let _tab = world.engine.connect(&id, Door::Editor).await.unwrap();
            let frozen = || world.status_is(&id, |status| status.observed.state == State::Frozen);
            frozen().await;
            let stops_at = || world.engine.status(&id).next.unwrap().at;
            let first = stops_at();
            world.engine.touch(&id, Signal::Spoke);
            assert_eq!(world.state(&id), State::Running);
            frozen().await;
            assert_eq!(stops_at(), first, "an open tab that says something keeps nothing from being stopped");
            world.engine.touch(&id, Signal::Input);
            assert_eq!(world.state(&id), State::Running);
            frozen().await;
            assert!(stops_at() > first);
        },
    );
}

#[test]
fn input_and_the_wish_to_keep_it_put_off_its_rest() {
    world(
        |_| {},
        |world| async move {
            let rest =
                WorkspaceRest { freeze_after_ms: 60_000, freeze_open_after_ms: 600_000, ..WorkspaceRest::default() };
            let id = world.add(|bundle| bundle.rest = rest.clone());
            world.engine.start(&id).await.unwrap();
            let at = || world.engine.status(&id).next.unwrap().at;
            let before = at();
            world.status_is(&id, |status| status.connections == 0).await;
            let open = world.engine.connect(&id, Door::Editor).await.unwrap();
            assert!(at() >= before + 500_000, "a tab is open");
            drop(open);
            world.engine.touch(&id, Signal::Input);
            assert!(at() >= before && at() < before + 500_000);
            world.engine.keep_until(&id, Some(before + 7_200_000));
            assert_eq!(at(), before + 7_200_000);
            world.engine.keep_until(&id, None);
            assert!(at() < before + 500_000);
            world.change(&id, |bundle| bundle.rest.freeze_after_ms = 500);
            world.engine.refresh(&id).await.unwrap();
            world.reaches(&id, State::Frozen).await;
        },
    );
}

#[test]
fn two_starts_at_once_make_one_workspace() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            let both =
                tokio::join!(world.engine.start(&id), world.engine.connect(&id, Door::Editor), world.engine.start(&id));
            both.0.unwrap();
            both.2.unwrap();
            let pid = get(both.1.unwrap(), "/").await;
            assert_eq!(get(world.engine.connect(&id, Door::Editor).await.unwrap(), "/").await, pid);
            assert_eq!(world.engine.figures().1, 1);
        },
    );
}

#[test]
fn a_light_workspace_has_no_editor_and_its_attendant_answers() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|bundle| bundle.depth = Depth::Light);
            world.engine.start(&id).await.unwrap();
            let health = get(world.engine.connect(&id, Door::Attendant).await.unwrap(), "/v1/health").await;
            assert!(health.contains(r#""editor":"absent""#), "{health}");
            let fault = world.engine.connect(&id, Door::Editor).await.unwrap_err();
            assert_eq!(fault.code, "workspace.light");
            // The same home, deeper, with the next start.
            world.change(&id, |bundle| bundle.depth = Depth::Full);
            world.engine.stop(&id).await.unwrap();
            assert_eq!(world.sh(&id, "echo full").await, "full\n");
        },
    );
}

#[test]
fn a_program_that_listens_is_seen_and_reached_at_its_port() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            let serve = "mkdir -p site && echo hello > site/index.html && cd site && \
                         (setsid python3 -m http.server 3000 >/dev/null 2>&1 &)";
            world.sh(&id, serve).await;
            world.status_is(&id, |status| status.ports.iter().any(|port| port.port == 3_000)).await;
            assert_eq!(get(world.engine.connect(&id, Door::Port(3_000)).await.unwrap(), "/").await, "hello\n");
            let fault = world.engine.connect(&id, Door::Port(3_001)).await.unwrap_err();
            assert_eq!(fault.code, "workspace.port_closed");
        },
    );
}
