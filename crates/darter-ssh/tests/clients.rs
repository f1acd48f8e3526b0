//! What people come with: the machine's own `ssh`, `scp`, `sftp`, `rsync` and `git`, against a real workspace.
#![allow(clippy::unwrap_used)]

mod world;

use std::process::Stdio;

use darter_core::workspace::lifecycle::State;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use world::{eventually, finish, world};

#[test]
fn a_command_has_its_streams_its_code_and_its_language_and_wakes_the_workspace() {
    world(|world| async move {
        let ada = world.person("ada").await;
        let (id, login) = world.workspace(&ada).await;
        assert_eq!(world.state(&id), State::Stopped);
        assert_eq!(
            world.sh(&ada, &login, "id -u; pwd; echo $0 $SHELL").await,
            "1000\n/home/user\n/bin/bash /bin/bash\n"
        );
        assert_eq!(world.state(&id), State::Running);
        let output = world.run(&ada.key, &login, &["echo out; echo err >&2; exit 3"]).await;
        assert_eq!(
            (output.status.code(), &output.stdout[..], &output.stderr[..]),
            (Some(3), &b"out\n"[..], &b"err\n"[..])
        );
        let killed = world.run(&ada.key, &login, &["kill -KILL $$"]).await;
        assert_eq!(killed.status.code(), Some(255), "ended by a signal");
        let mut with = Command::new("ssh");
        with.args(world.options(&ada.key)).args(["-o", "SendEnv=LC_ALL EVIL", "-l", &login, "127.0.0.1"]);
        with.arg("echo $LC_ALL-$EVIL").env("LC_ALL", "C.UTF-8").env("EVIL", "x");
        assert_eq!(finish(&mut with).await.stdout, b"C.UTF-8-\n");
    });
}

#[test]
fn bytes_go_through_as_they_are_however_many() {
    world(|world| async move {
        let ada = world.person("ada").await;
        let (_, login) = world.workspace(&ada).await;
        // More than all buffers on the way together, both ways at once.
        let bytes: Vec<u8> = (0..24_u32 << 20).map(|n| (n ^ (n >> 9)) as u8).collect();
        let mut cat =
            world.ssh(&ada.key, &login, &["cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut to, mut from) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        let sent = bytes.clone();
        let sending = tokio::spawn(async move { to.write_all(&sent).await });
        let mut back = Vec::new();
        tokio::time::timeout(world::PATIENCE, from.read_to_end(&mut back)).await.expect("it ends").unwrap();
        sending.await.unwrap().unwrap();
        assert!(back == bytes && cat.wait().await.unwrap().success());
        // It writes far more than it reads: what waits to be read must not keep the rest from being written.
        let feed = "head -c 30000000 /dev/zero";
        let line = format!(
            "{feed} | ssh {} -l {login} 127.0.0.1 'head -c 20000000 /dev/zero; wc -c' | wc -c",
            words(&world.options(&ada.key))
        );
        let output = finish(Command::new("sh").args(["-c", &line])).await;
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), (20_000_000 + "30000000\n".len()).to_string());
    });
}

fn words(options: &[String]) -> String {
    options.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_shell_has_a_terminal_that_follows_the_window() {
    world(|world| async move {
        let ada = world.person("ada").await;
        let (id, login) = world.workspace(&ada).await;
        // `script` gives the client a terminal of its own.
        let ssh = format!("stty rows 31 cols 97; ssh {} -tt -l {login} 127.0.0.1", words(&world.options(&ada.key)));
        let mut client = Command::new("script")
            .args(["-qec", &ssh, "/dev/null"])
            .env("TERM", "vt100")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (mut to, mut from) = (client.stdin.take().unwrap(), client.stdout.take().unwrap());
        to.write_all(b"stty size; echo term=$TERM tty=$(tty | cut -c1-8); exit 7\n").await.unwrap();
        let mut seen = String::new();
        tokio::time::timeout(world::PATIENCE, from.read_to_string(&mut seen)).await.expect("it ends").unwrap();
        assert!(seen.contains("31 97") && seen.contains("term=vt100 tty=/dev/pts"), "{seen}");
        assert_eq!(client.wait().await.unwrap().code(), Some(7));
        assert!(darter_engine::workspace::Workspaces::status(&*world.engine, &id).input_at.is_some());
    });
}

#[test]
fn files_are_copied_by_scp_sftp_and_rsync() {
    world(|world| async move {
        let ada = world.person("ada").await;
        let (_, login) = world.workspace(&ada).await;
        let here = world.folder.join("here");
        std::fs::create_dir_all(here.join("src/deep")).unwrap();
        let large: Vec<u8> = (0..3_u32 << 20).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        std::fs::write(here.join("src/large.bin"), &large).unwrap();
        std::fs::write(here.join("src/deep/ü b.txt"), "hello").unwrap();
        std::os::unix::fs::symlink("large.bin", here.join("src/link")).unwrap();
        let options = world.options(&ada.key);
        let target = |path: &str| format!("{login}@127.0.0.1:{path}");
        let good = async |command: &mut Command| {
            let output = finish(command).await;
            assert!(output.status.success(), "{command:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        good(Command::new("scp").args(&options).arg("-rp").arg(here.join("src")).arg(target("~/one"))).await;
        assert_eq!(world.sh(&ada, &login, "cat 'one/deep/ü b.txt'; wc -c < one/large.bin").await, "hello3145728\n");
        good(Command::new("scp").args(&options).arg(target("one/large.bin")).arg(here.join("back.bin"))).await;
        assert!(std::fs::read(here.join("back.bin")).unwrap() == large);

        let batch = here.join("batch");
        std::fs::write(&batch, format!(
            "mkdir two\ncd two\nput {here}/src/large.bin a.bin\nrename a.bin b.bin\nchmod 600 b.bin\nln -s b.bin c\nls -l\ndf .\nreadlink c\n-get nothing.txt\nrm c\nget b.bin {here}/again.bin\npwd\n",
            here = here.display()
        ).replace("readlink c\n", "")).unwrap();
        let said = good(Command::new("sftp").args(&options).arg("-b").arg(&batch).arg(target(""))).await;
        assert!(said.contains("b.bin") && said.contains("/home/user/two"), "{said}");
        assert!(std::fs::read(here.join("again.bin")).unwrap() == large);
        assert_eq!(world.sh(&ada, &login, "ls -A two; stat -c %a two/b.bin").await, "b.bin\n600\n");

        let shell = format!("ssh {}", words(&options));
        let rsync = |from: String, to: String| {
            let mut command = Command::new("rsync");
            command.args(["-a", "--delete", "-e", &shell, &from, &to]);
            command
        };
        good(&mut rsync(format!("{}/src/", here.display()), target("three"))).await;
        std::fs::write(here.join("src/deep/ü b.txt"), "changed").unwrap();
        std::fs::remove_file(here.join("src/link")).unwrap();
        good(&mut rsync(format!("{}/src/", here.display()), target("three"))).await;
        assert_eq!(world.sh(&ada, &login, "cat 'three/deep/ü b.txt'; ls three").await, "changeddeep\nlarge.bin\n");
        good(&mut rsync(target("three/"), format!("{}/four", here.display()))).await;
        assert!(std::fs::read(here.join("four/large.bin")).unwrap() == large);
    });
}

#[test]
fn a_port_inside_is_forwarded_and_nothing_else() {
    world(|world| async move {
        let ada = world.person("ada").await;
        let (_, login) = world.workspace(&ada).await;
        let inside = "python3 -m http.server 8123 --bind 127.0.0.1 >/dev/null 2>&1 & echo $!; wait";
        let _server = world.ssh(&ada.key, &login, &[inside]).stdout(Stdio::null()).spawn().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let forward = format!("{free}:localhost:8123");
        let mut client = Command::new("ssh");
        client.args(world.options(&ada.key)).args(["-N", "-L", &forward, "-l", &login, "127.0.0.1"]);
        let _client = client.kill_on_drop(true).spawn().unwrap();
        let fetch = async || -> Option<String> {
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", free)).await.ok()?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.ok()?;
            let mut said = String::new();
            stream.read_to_string(&mut said).await.ok()?;
            Some(said)
        };
        eventually("the page inside is seen outside", async || {
            fetch().await.is_some_and(|said| said.contains("Directory listing"))
        })
        .await;
        // The server's own ports are not the workspace's.
        let outside = format!("{}:{}", world_address(), world.port);
        let mut reach = Command::new("ssh");
        reach.args(world.options(&ada.key)).args(["-W", &outside, "-l", &login, "127.0.0.1"]).stdin(Stdio::null());
        let output = finish(&mut reach).await;
        assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
        let mut own = Command::new("ssh");
        own.args(world.options(&ada.key)).args(["-W", &format!("localhost:{}", world.port), "-l", &login, "127.0.0.1"]);
        let output = finish(own.stdin(Stdio::null())).await;
        assert!(!output.status.success() && output.stdout.is_empty(), "inside nobody listens there: {output:?}");
        let mut back = Command::new("ssh");
        back.args(world.options(&ada.key)).args([
            "-o",
            "ExitOnForwardFailure=yes",
            "-R",
            "9999:localhost:1",
            "-l",
            &login,
            "127.0.0.1",
            "true",
        ]);
        assert_eq!(finish(&mut back).await.status.code(), Some(255), "nothing is forwarded outwards");
    });
}

/// An address that is not the workspace's.
fn world_address() -> &'static str {
    "10.0.0.1"
}
