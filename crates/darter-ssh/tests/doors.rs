//! Who is kept out, who has to go, and what a hostile client gets.
#![allow(clippy::unwrap_used)]

mod world;

use std::process::Stdio;
use std::time::Duration;

use darter_core::role::Role;
use darter_core::workspace::lifecycle::State;
use darter_engine::workspace::Workspaces;
use darter_platform::account;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use world::{World, eventually, finish, world};

/// What a client says who was not let in.
async fn refused(world: &World, key: &std::path::Path, login: &str) -> String {
    let output = world.run(key, login, &["true"]).await;
    assert_eq!(output.status.code(), Some(255), "{login}: {output:?}");
    String::from_utf8(output.stderr).unwrap().replace(login, "NAME")
}

#[test]
fn only_the_key_of_somebody_who_may_enter_opens_and_all_others_hear_the_same() {
    world(|world| async move {
        let (ada, bob) = (world.person("ada").await, world.person("bob").await);
        let (id, login) = world.workspace(&ada).await;
        let words = refused(&world, &bob.key, &login).await;
        assert!(words.contains("Permission denied (publickey)"), "{words}");
        for name in ["ada-aaaaaaaaaa", "root", "3000-aaaaaaaaaa", &format!("22-{id}")] {
            assert!(refused(&world, &ada.key, name).await.contains("Permission denied (publickey)"), "{name}");
        }
        world.member(&id, &bob, Role::Viewer).await;
        assert_eq!(refused(&world, &bob.key, &login).await, words, "a viewer has no shell");
        assert_eq!(world.state(&id), State::Stopped, "nobody woke it up");
        world.member(&id, &bob, Role::Editor).await;
        assert_eq!(world.sh(&bob, &login, "echo hello").await, "hello\n");
        account::remove_ssh_key(&world.platform, &bob.actor, &bob.key_id.parse().unwrap()).await.unwrap();
        assert_eq!(refused(&world, &bob.key, &login).await, words, "its key was taken away");
        assert_eq!(world.sh(&ada, &login, "echo hello").await, "hello\n");
    });
}

#[test]
fn whoever_loses_their_key_or_their_workspace_has_to_go() {
    world(|world| async move {
        let (ada, bob) = (world.person("ada").await, world.person("bob").await);
        let (id, login) = world.workspace(&ada).await;
        world.member(&id, &bob, Role::Editor).await;
        let sits = async |key: &std::path::Path| {
            let mut client = world
                .ssh(key, &login, &["echo here; sleep 1000"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            let mut out = BufReader::new(client.stdout.take().unwrap());
            tokio::time::timeout(world::PATIENCE, out.read_line(&mut line)).await.unwrap().unwrap();
            assert_eq!(line, "here\n");
            client
        };
        let (first, second) = (sits(&ada.key).await, sits(&bob.key).await);
        account::remove_ssh_key(&world.platform, &bob.actor, &bob.key_id.parse().unwrap()).await.unwrap();
        let left = tokio::time::timeout(world::PATIENCE, second.wait_with_output()).await.unwrap().unwrap();
        assert_eq!(left.status.code(), Some(255), "{left:?}");
        assert_eq!(world.state(&id), State::Running, "nobody else had to go");
        world.engine.stop(&id).await.unwrap();
        let left = tokio::time::timeout(world::PATIENCE, first.wait_with_output()).await.unwrap().unwrap();
        assert_eq!(left.status.code(), Some(255), "{left:?}");
        assert_eq!(world.sh(&ada, &login, "echo again").await, "again\n", "the next one starts it");
    });
}

#[test]
fn a_client_that_is_none_is_bounded() {
    world(|world| async move {
        let ada = world.person("ada").await;
        let (_, login) = world.workspace(&ada).await;
        let connect = async || TcpStream::connect(("127.0.0.1", world.port)).await.unwrap();
        // Nonsense instead of a greeting, and a packet of four gigabytes.
        for words in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 70_000], b"SSH-2.0-x\r\n\xff\xff\xff\xff\0\0\0\0"] {
            let mut stream = connect().await;
            let _ = stream.write_all(words).await;
            let mut said = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut said)).await;
            assert!(ended.is_ok(), "it is sent away");
            assert!(said.len() < 4_096);
        }
        // So many from one network who show no key, and no more; who has one comes in when they have gone.
        let mut silent = Vec::new();
        for _ in 0..16 {
            let mut stream = connect().await;
            let mut greeting = [0; 8];
            stream.read_exact(&mut greeting).await.unwrap();
            silent.push(stream);
        }
        let mut one_more = connect().await;
        assert_eq!(one_more.read(&mut [0; 8]).await.unwrap_or(0), 0, "closed without a word");
        drop(silent);
        eventually("places are given back", async || world.run(&ada.key, &login, &["true"]).await.status.success())
            .await;
    });
}

#[test]
fn channels_and_what_waits_in_them_are_bounded() {
    world(|world| async move {
        let ada = world.person("ada").await;
        let (_, login) = world.workspace(&ada).await;
        let control = world.folder.join("control");
        let path = format!("ControlPath={}", control.display());
        let mut master = tokio::process::Command::new("ssh");
        master.args(world.options(&ada.key)).args([
            "-o",
            "ControlMaster=yes",
            "-o",
            &path,
            "-N",
            "-l",
            &login,
            "127.0.0.1",
        ]);
        let _master = master.kill_on_drop(true).spawn().unwrap();
        eventually("the connection is there", async || control.exists()).await;
        let through = || {
            let mut command = tokio::process::Command::new("ssh");
            command.args(world.options(&ada.key)).args([
                "-o",
                "ControlMaster=no",
                "-o",
                &path,
                "-l",
                &login,
                "127.0.0.1",
            ]);
            command.kill_on_drop(true).stdin(Stdio::null());
            command
        };
        let mut many = Vec::new();
        for _ in 0..61 {
            let mut client = through().arg("echo here; sleep 1000").stdout(Stdio::piped()).spawn().unwrap();
            let mut line = String::new();
            let mut out = BufReader::new(client.stdout.take().unwrap());
            tokio::time::timeout(world::PATIENCE, out.read_line(&mut line)).await.unwrap().unwrap();
            assert_eq!(line, "here\n");
            many.push(client);
        }
        // A client that never reads: its program waits, and nobody else does.
        let mut flood = through().arg("cat /dev/zero").stdout(Stdio::piped()).spawn().unwrap();
        let mut first = [0; 1];
        flood.stdout.as_mut().unwrap().read_exact(&mut first).await.unwrap();
        assert_eq!(finish(through().arg("echo still here")).await.stdout, b"still here\n");
        let ends: Vec<_> =
            [through().arg("sleep 1000").spawn().unwrap(), through().arg("sleep 1000").spawn().unwrap()].into();
        eventually("there is no place for one more", async || !finish(through().arg("true")).await.status.success())
            .await;
        drop((ends, many, flood));
        eventually("and then there is again", async || finish(through().arg("true")).await.status.success()).await;
    });
}
