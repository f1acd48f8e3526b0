//! A home as a stream, out and in again, and a home copied at rest.
#![allow(clippy::unwrap_used)]

mod workspaces;

use std::io::Cursor;

use darter_core::workspace::lifecycle::State;
use darter_engine::workspace::{SnapshotStream, Workspaces};
use tokio::io::AsyncReadExt;
use workspaces::world;

#[test]
fn a_home_travels_as_a_stream_although_the_workspace_sleeps() {
    world(
        |_| {},
        |world| async move {
            let [from, to] = [(); 2].map(|()| world.add(|_| {}));
            world
                .sh(
                    &from,
                    "mkdir -p a && echo kept > a/b && ln -s /etc/passwd link && touch \"$(printf 'odd\\nname')\"",
                )
                .await;
            world.engine.stop(&from).await.unwrap();
            let before = world.count(&from);
            let mut stream = world.engine.export(&from, None).await.unwrap();
            let mut bytes = Vec::new();
            stream.bytes.read_to_end(&mut bytes).await.unwrap();
            drop(stream);
            let text = String::from_utf8_lossy(&bytes);
            assert!(text.trim_end().ends_with('}') && text.contains("\"end\":true") && text.contains("kept"), "{text}");
            // It was up for this only, without its editor, and goes back to sleep.
            let seen = world.sees_after(&from, before, |seen| seen.state == State::Stopped).await;
            let start = seen.start.unwrap();
            assert!(!start.phases.iter().any(|(name, _)| name == "editor"), "{start:?}");
            let files = SnapshotStream { bytes: Box::pin(Cursor::new(bytes)), lease: None };
            world.engine.import(&to, files).await.unwrap();
            assert_eq!(world.sh(&to, "cat a/b; readlink link; ls | wc -l").await, "kept\n/etc/passwd\n4\n");
        },
    );
}

#[test]
fn an_export_waits_for_nobody_and_ends_nothing_that_is_in_use() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            world.sh(&id, "echo x > x").await;
            world.reaches(&id, State::Running).await;
            let mut stream = world.engine.export(&id, None).await.unwrap();
            let mut bytes = Vec::new();
            stream.bytes.read_to_end(&mut bytes).await.unwrap();
            drop(stream);
            assert_eq!(world.sh(&id, "cat x").await, "x\n");
            assert_eq!(world.state(&id), State::Running);
        },
    );
}

#[test]
fn a_home_is_cloned_at_rest_and_only_then() {
    world(
        |_| {},
        |world| async move {
            let [from, to] = [(); 2].map(|()| world.add(|_| {}));
            let fault = world.engine.copy_home(&from, &to).await.unwrap_err();
            assert_eq!(fault.code, "workspace.home_missing");
            world.sh(&from, "echo original > f").await;
            assert_eq!(world.engine.copy_home(&from, &to).await.unwrap_err().code, "workspace.awake");
            world.engine.stop(&from).await.unwrap();
            world.engine.copy_home(&from, &to).await.unwrap();
            assert_eq!(world.engine.copy_home(&from, &to).await.unwrap_err().code, "workspace.home_exists");
            assert_eq!(world.sh(&to, "cat f; echo changed > f").await, "original\n");
            assert_eq!(world.sh(&from, "cat f").await, "original\n");
        },
    );
}
