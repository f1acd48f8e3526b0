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
            // It was up for this only, without its editor, and goes back to sleep; nobody is told that it was opened.
            world.status_is(&from, |now| now.observed.state == State::Stopped).await;
            let start = world.engine.status(&from).observed.start.unwrap();
            assert!(!start.phases.iter().any(|(name, _)| name == "editor"), "{start:?}");
            assert_eq!((world.count(&from), world.platform.opened(&from)), (before, 1));
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

/// A whole home of one file.
fn stream(bytes: &[u8]) -> SnapshotStream {
    SnapshotStream { bytes: Box::pin(Cursor::new(bytes.to_vec())), lease: None }
}

const NEW: &[u8] =
    b"{\"path\":\"new\",\"type\":\"file\",\"size\":3,\"body\":3}\nnew{\"end\":true,\"files\":1,\"bytes\":3}\n";

#[test]
fn a_home_is_replaced_whole_or_not_at_all() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            world.sh(&id, "echo old > old; mkdir -p deep/down; ln -s /etc/passwd link").await;
            for broken in [&NEW[..NEW.len() - 5], &NEW[..50], b"{\"path\":\"../x\",\"type\":\"directory\"}\n", b""] {
                let fault = world.engine.replace(&id, stream(broken)).await.unwrap_err();
                assert!(matches!(fault.code, "snapshot.restore_failed" | "snapshot.failed"), "{fault:?}");
                assert_eq!(world.sh(&id, "ls").await, "deep\nlink\nold\n", "what was there stays whole");
            }
            world.engine.replace(&id, stream(NEW)).await.unwrap();
            assert_eq!(world.state(&id), State::Stopped);
            assert_eq!(world.sh(&id, "ls; cat new").await, "new\nnew");
            let left = std::fs::read_dir(world.data.join("workspaces/.new")).unwrap();
            let names: Vec<_> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
            assert!(!names.iter().any(|name| name.contains("restored")), "{names:?}");
        },
    );
}

#[test]
fn nobody_enters_while_a_home_is_replaced_and_a_damaged_one_is_no_obstacle() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            world.sh(&id, "echo old > old").await;
            world.engine.stop(&id).await.unwrap();
            let image = world.data.join("workspaces").join(id.as_str()).join("home.img");
            if image.exists() {
                std::fs::write(&image, vec![7; 64 << 20]).unwrap();
            }
            let (reader, mut writer) = tokio::io::duplex(1 << 10);
            let files = SnapshotStream { bytes: Box::pin(reader), lease: None };
            let (engine, other) = (std::sync::Arc::clone(&world.engine), id.clone());
            let replacing = tokio::spawn(async move { engine.replace(&other, files).await });
            // What is taken of the stream shows that it has begun.
            tokio::io::AsyncWriteExt::write_all(&mut writer, &NEW[..1]).await.unwrap();
            let rest = [&NEW[1..NEW.len() - 1], &[b' '; 64 << 10], b"\n"].concat();
            tokio::io::AsyncWriteExt::write_all(&mut writer, &rest[..8 << 10]).await.unwrap();
            assert_eq!(world.engine.start(&id).await.unwrap_err().code, "workspace.restoring");
            assert_eq!(world.engine.replace(&id, stream(NEW)).await.unwrap_err().code, "workspace.restoring");
            tokio::io::AsyncWriteExt::write_all(&mut writer, &rest[8 << 10..]).await.unwrap();
            drop(writer);
            replacing.await.unwrap().unwrap();
            assert_eq!(world.sh(&id, "ls").await, "new\n");
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
