//! What goes wrong with workspaces, and that each of it is told and none of it spreads.
#![allow(clippy::unwrap_used)]

mod workspaces;

use std::sync::Arc;

use darter_core::workspace::lifecycle::State;
use darter_core::workspace::{Depth, Door};
use darter_core::{AccountId, Kind, SystemRandom};
use darter_engine::workspace::Workspaces;
use workspaces::{get, world};

#[test]
fn a_workspace_that_is_deleted_while_it_starts_leaves_nothing() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            let engine = Arc::clone(&world.engine);
            let own = id.clone();
            let starting = tokio::spawn(async move { engine.start(&own).await });
            world.reaches(&id, State::Starting).await;
            world.engine.forget(&id).await.unwrap();
            assert!(starting.await.unwrap().is_err());
            assert!(!world.data.join("workspaces").join(id.as_str()).exists());
            assert_eq!(world.engine.figures().1, 0);
        },
    );
}

#[test]
fn a_home_full_of_files_is_deleted_as_one() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|bundle| Arc::make_mut(&mut bundle.limits).disk_bytes = 256 << 20);
            let many =
                "for d in $(seq 40); do mkdir d$d && (cd d$d && seq 500 | xargs touch); done; find . -type f | wc -l";
            assert_eq!(world.sh(&id, many).await, "20000\n");
            world.engine.stop(&id).await.unwrap();
            let folder = world.data.join("workspaces").join(id.as_str());
            // However many are inside: one file to unlink.
            assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
            assert!(world.engine.bytes_on_disk(&id) > 0);
            world.engine.forget(&id).await.unwrap();
            assert!(!folder.exists());
        },
    );
}

#[test]
fn starts_wait_their_turn_and_beyond_the_queue_they_are_told_when_to_come_again() {
    world(
        |config| {
            config.starts = 1;
            config.queue = 1;
        },
        |world| async move {
            let owner = AccountId::generate(2, &SystemRandom);
            let ids = [(); 3].map(|()| world.add(|bundle| bundle.owner = owner.clone()));
            // The first one's editor does not get ready before it is told to.
            world.sh(&ids[0], "touch .slow").await;
            world.engine.stop(&ids[0]).await.unwrap();
            let start = |index: usize| {
                let (engine, id) = (Arc::clone(&world.engine), ids[index].clone());
                tokio::spawn(async move { engine.start(&id).await })
            };
            let before = world.count(&ids[0]);
            let first = start(0);
            world.sees_after(&ids[0], before, |seen| seen.state == State::Starting).await;
            let second = start(1);
            let seen = world.sees(&ids[1], |seen| seen.queue.is_some()).await;
            assert_eq!((seen.state, seen.queue.unwrap().place), (State::Queued, 1));
            let fault = start(2).await.unwrap().unwrap_err();
            assert_eq!((fault.code, fault.kind), ("workspace.queue_full", Kind::RateLimited));
            assert!(fault.retry_after.is_some());
            // What its owner changes while it waits counts once it runs.
            world.change(&ids[1], |bundle| bundle.rest.freeze_after_ms = 86_400_000);
            world.engine.refresh(&ids[1]).await.unwrap();
            // Its doors are open all the while.
            let attendant = world.engine.connect(&ids[0], Door::Attendant).await.unwrap();
            let mut attendant = attendant;
            tokio::io::AsyncWriteExt::write_all(
                &mut attendant.stream,
                b"POST /v1/delete HTTP/1.1\r\nhost: x\r\ncontent-length: 27\r\n\r\n{\"path\":\"/home/user/.slow\"}",
            )
            .await
            .unwrap();
            first.await.unwrap().unwrap();
            second.await.unwrap().unwrap();
            let status = world.engine.status(&ids[1]);
            assert!(status.next.unwrap().at > status.observed.since + 80_000_000, "it has the new times");
        },
    );
}

#[test]
fn an_editor_that_never_answers_keeps_nobody_else_from_starting() {
    world(
        |config| config.starts = 1,
        |world| async move {
            let [slow, other] = [(); 2].map(|()| world.add(|_| {}));
            world.sh(&slow, "touch .slow").await;
            world.engine.stop(&slow).await.unwrap();
            let before = world.count(&slow);
            let start = tokio::spawn({
                let (engine, slow) = (Arc::clone(&world.engine), slow.clone());
                async move { engine.start(&slow).await }
            });
            world.sees_after(&slow, before, |seen| seen.state == State::Starting).await;
            world.engine.start(&other).await.unwrap();
            assert_eq!(world.state(&slow), State::Starting, "it waits on, and for itself alone");
            world.engine.stop(&slow).await.unwrap();
            assert!(start.await.unwrap().is_err());
        },
    );
}

#[test]
fn an_editor_that_keeps_ending_is_given_up_with_its_last_words() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            world.sh(&id, "touch .crash").await;
            world.engine.stop(&id).await.unwrap();
            let fault = world.engine.start(&id).await.unwrap_err();
            assert_eq!(fault.code, "workspace.start_failed");
            let trouble = world.reaches(&id, State::Failed).await.trouble.unwrap();
            assert_eq!(trouble.code, "workspace.editor_crashed");
            assert!(
                trouble.last_lines.iter().any(|line| line.contains("something in the home is wrong")),
                "{trouble:?}"
            );
            // Light it opens all the same, and can be put right.
            world.change(&id, |bundle| bundle.depth = Depth::Light);
            world.engine.start(&id).await.unwrap();
            let listed =
                get(world.engine.connect(&id, Door::Attendant).await.unwrap(), "/v1/list?path=/home/user").await;
            assert!(listed.contains(".crash"), "{listed}");
        },
    );
}

#[test]
fn what_was_killed_for_want_of_memory_is_told_as_such() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|bundle| Arc::make_mut(&mut bundle.limits).memory_bytes = 128 << 20);
            let greedy = "python3 -c 'x = bytearray(400 << 20)'; echo $?";
            assert_eq!(world.sh(&id, greedy).await, "137\n");
            let seen = world.sees(&id, |seen| seen.trouble.is_some()).await;
            let trouble = seen.trouble.unwrap();
            assert_eq!(trouble.code, "workspace.out_of_memory");
            assert!(trouble.message.contains("128 MiB"), "{}", trouble.message);
            assert_eq!(world.sh(&id, "echo alive").await, "alive\n");
        },
    );
}

#[test]
fn what_may_not_run_is_refused_with_the_reason() {
    world(
        |_| {},
        |world| async move {
            let missing = darter_core::WorkspaceId::generate(&SystemRandom);
            assert_eq!(world.engine.start(&missing).await.unwrap_err().code, "workspace.not_found");
            let id = world.add(|bundle| bundle.environment = "other".parse().unwrap());
            assert_eq!(world.engine.connect(&id, Door::Editor).await.unwrap_err().code, "environment.not_found");
            assert_eq!(world.state(&id), State::Stopped);
        },
    );
}

#[test]
fn a_sandbox_from_the_pool_is_claimed_once_and_never_again() {
    world(
        |config| {
            config.pool.least = 2;
            config.pool.most = 2;
            config.pool.refill_after_ms = 0;
        },
        |world| async move {
            world.engine.pool_full().await;
            assert_eq!(world.engine.figures().0, 4, "two of each environment");
            let [one, two] = [(); 2].map(|()| world.add(|bundle| bundle.environment = "warm".parse().unwrap()));
            let said =
                world.sh(&one, "echo secret > s; echo $COLOUR $DARTER_WORKSPACE; pwd; echo $$ > /tmp/mark").await;
            assert_eq!(said, format!("teal {one}\n/home/user\n"));
            assert_eq!(world.engine.status(&one).observed.start.unwrap().from, "pool");
            let pid = get(world.engine.connect(&one, Door::Editor).await.unwrap(), "/").await;
            world.engine.stop(&one).await.unwrap();
            let said = world.sh(&two, "ls -A; ls -A /tmp; echo $DARTER_WORKSPACE").await;
            assert_eq!(said, format!("{two}\n"));
            assert_eq!(world.sh(&one, "cat s; ls -A /tmp").await, "secret\n", "its own home, another sandbox");
            assert!(!pid.is_empty());
            // Of the empty homes that were waited with, none is left once nothing waits any more.
            world.engine.shutdown(10_000).await;
            let left = std::fs::read_dir(world.data.join("workspaces/.new")).unwrap().flatten();
            let left =
                left.map(|entry| entry.file_name().into_string().unwrap()).filter(|name| name.starts_with("waits"));
            assert_eq!(left.count(), 0);
        },
    );
}
