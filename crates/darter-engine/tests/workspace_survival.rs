//! Killing the server in the middle loses no saved file.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that can not go on fails, and the victim tells its parent"
)]

mod workspaces;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use darter_core::Fault;
use darter_core::workspace::lifecycle::State;
use darter_engine::workspace::{KeptHome, SnapshotStream, Workspaces};
use tokio::io::AsyncWriteExt;
use workspaces::{world, world_in};

/// Set for the process that is to be killed: where its data is.
const VICTIM: &str = "DARTER_TEST_VICTIM";

/// Runs this test once more, as the victim, and kills it as soon as it says `saved in …`.
fn kill(test: &str, data: &std::path::Path) -> darter_core::WorkspaceId {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(VICTIM, data)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = lines.map_while(Result::ok).find_map(|line| line.split_once("saved in ").map(|(_, id)| id.to_owned()));
    child.kill().unwrap();
    child.wait().unwrap();
    said.unwrap().parse().unwrap()
}

#[test]
fn a_server_that_is_killed_while_a_home_is_replaced_leaves_the_old_one() {
    if let Some(data) = std::env::var_os(VICTIM) {
        return replaces(data.into());
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().canonicalize().unwrap();
    let id = kill("a_server_that_is_killed_while_a_home_is_replaced_leaves_the_old_one", &data);
    world_in(
        &data,
        |_| {},
        |world| async move {
            world.add(|bundle| bundle.id = id.clone());
            assert_eq!(world.sh(&id, "ls; cat old").await, "old\nprecious\n");
        },
    );
}

/// Begins to replace a home by a large one, and waits to be killed.
fn replaces(data: std::path::PathBuf) {
    world_in(
        &data,
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            world.sh(&id, "echo precious > old; sync -f old").await;
            let (reader, mut writer) = tokio::io::duplex(1 << 10);
            let files = SnapshotStream { bytes: Box::pin(reader), lease: None };
            let (engine, own) = (std::sync::Arc::clone(&world.engine), id.clone());
            let replacing = tokio::spawn(async move { engine.replace(&own, files).await });
            let head = format!(
                "{{\"clear\":true}}\n{{\"path\":\"new\",\"type\":\"file\",\"size\":{0},\"body\":{0}}}\n",
                1 << 30
            );
            writer.write_all(head.as_bytes()).await.unwrap();
            // What has been taken has been written, most of it.
            writer.write_all(&vec![b'n'; 8 << 20]).await.unwrap();
            println!("saved in {id}");
            let _ = replacing.await;
        },
    );
}

/// A snapshot of one file, whole.
fn kept() -> Result<Option<KeptHome>, Fault> {
    let text = "{\"clear\":true}\n{\"path\":\"saved\",\"type\":\"file\",\"size\":9,\"body\":9}\nprecious\n\
                {\"end\":true,\"files\":1,\"bytes\":9}\n";
    let files = SnapshotStream { bytes: Box::pin(text.as_bytes()), lease: None };
    Ok(Some(KeptHome { name: "newest".into(), made_at: 1, files }))
}

#[test]
fn a_home_that_is_gone_comes_back_from_its_newest_snapshot_and_one_that_is_there_is_left_alone() {
    world(
        |_| {},
        |world| async move {
            *world.platform.kept.lock().unwrap() = Some(Box::new(kept));
            let id = world.add(|_| {});
            let start = world.engine.start(&id).await.unwrap();
            assert!(start.phases.iter().any(|(name, _)| name == "restore"), "{start:?}");
            assert_eq!(world.sh(&id, "cat saved; echo more > saved").await, "precious\n");
            let trouble = world.engine.status(&id).observed.trouble.unwrap();
            assert_eq!(trouble.code, "workspace.home_restored");
            world.engine.stop(&id).await.unwrap();
            assert_eq!(world.sh(&id, "cat saved").await, "more\n");
            assert_eq!(world.platform.brought_back(), ["newest"]);
            assert_eq!(world.engine.status(&id).observed.trouble, None);
        },
    );
}

#[test]
fn a_home_whose_snapshot_cannot_be_read_is_not_replaced_by_an_empty_one() {
    world(
        |_| {},
        |world| async move {
            let damaged = || Err(Fault::conflict("snapshot.damaged", "The snapshot is damaged."));
            *world.platform.kept.lock().unwrap() = Some(Box::new(damaged));
            let id = world.add(|_| {});
            let fault = world.engine.start(&id).await.unwrap_err();
            assert!(fault.message.contains("The snapshot is damaged."), "{fault}");
            assert_eq!(world.engine.status(&id).observed.trouble.unwrap().code, "workspace.home_lost");
            assert!(!world.engine.has_home(&id));
            *world.platform.kept.lock().unwrap() = Some(Box::new(kept));
            world.engine.start(&id).await.unwrap();
            assert_eq!(world.sh(&id, "cat saved").await, "precious\n");
        },
    );
}

#[test]
fn a_server_that_is_killed_while_a_home_comes_back_begins_anew() {
    if let Some(data) = std::env::var_os(VICTIM) {
        return comes_back(data.into());
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().canonicalize().unwrap();
    let id = kill("a_server_that_is_killed_while_a_home_comes_back_begins_anew", &data);
    world_in(
        &data,
        |_| {},
        |world| async move {
            world.add(|bundle| bundle.id = id.clone());
            assert!(!world.engine.has_home(&id), "half a home is none");
            *world.platform.kept.lock().unwrap() = Some(Box::new(kept));
            assert_eq!(world.sh(&id, "ls; cat saved").await, "saved\nprecious\n");
        },
    );
}

/// Begins to bring a large home back, and waits to be killed.
fn comes_back(data: std::path::PathBuf) {
    world_in(
        &data,
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            let (reader, mut writer) = tokio::io::duplex(1 << 10);
            let reader = std::sync::Mutex::new(Some(reader));
            *world.platform.kept.lock().unwrap() = Some(Box::new(move || {
                let files = SnapshotStream { bytes: Box::pin(reader.lock().unwrap().take().unwrap()), lease: None };
                Ok(Some(KeptHome { name: "newest".into(), made_at: 1, files }))
            }));
            let (engine, own) = (std::sync::Arc::clone(&world.engine), id.clone());
            let starting = tokio::spawn(async move { engine.start(&own).await });
            let head = format!("{{\"path\":\"half\",\"type\":\"file\",\"size\":{0},\"body\":{0}}}\n", 1 << 30);
            writer.write_all(head.as_bytes()).await.unwrap();
            writer.write_all(&vec![b'n'; 8 << 20]).await.unwrap();
            println!("saved in {id}");
            let _ = starting.await;
        },
    );
}

#[test]
fn a_killed_server_loses_no_saved_file() {
    if let Some(data) = std::env::var_os(VICTIM) {
        return victim(data.into());
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().canonicalize().unwrap();
    let id = kill("a_killed_server_loses_no_saved_file", &data);
    world_in(
        &data,
        |_| {},
        |world| async move {
            world.add(|bundle| bundle.id = id.clone());
            assert_eq!(world.state(&id), State::Stopped, "everything is, after a kill");
            assert_eq!(world.sh(&id, "cat saved; ls | wc -l").await, "precious\n101\n");
        },
    );
}

/// Saves, goes on writing, and waits to be killed.
fn victim(data: std::path::PathBuf) {
    world_in(
        &data,
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            world.sh(&id, "seq 100 | xargs touch; echo precious > saved; sync -f saved").await;
            println!("saved in {id}");
            loop {
                world.sh(&id, "dd if=/dev/urandom of=/home/user/.noise bs=64k count=16 conv=fsync 2>/dev/null").await;
            }
        },
    );
}

#[test]
fn a_server_that_is_told_to_stop_ends_everything_in_order() {
    world(
        |_| {},
        |world| async move {
            let id = world.add(|_| {});
            // Written and not synced: ending in order writes it out.
            world.sh(&id, "echo late > late").await;
            world.engine.shutdown(20_000).await;
            assert_eq!(world.state(&id), State::Stopped);
            assert_eq!(world.engine.start(&id).await.unwrap_err().code, "server.stopping");
        },
    );
}
