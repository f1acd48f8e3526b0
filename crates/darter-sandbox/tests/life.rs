//! How sandboxes begin, change, rest and end, and that nothing of them outlives the launcher or the server.
#![allow(clippy::unwrap_used)]

mod harness;

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

use darter_sandbox::{Bind, ExitReason, Launcher, LauncherConfig, Limits, Profile, Reclaimed, SandboxError};
use harness::{OWNER, c_program, processes_of, run, run_spec, settles, shell, spec, start, world};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn a_program_runs_and_its_exit_code_comes_back() {
    world(|world| async move {
        for (script, expected) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255)] {
            assert_eq!(run_spec(&world.client, shell(script)).await.exit.reason, ExitReason::Code(expected));
        }
        assert_eq!(run(&world.client, ["/bin/echo", "hello"]).await.output, "hello\n");
        let ran = run_spec(&world.client, shell("kill -SEGV $$")).await;
        assert_eq!(ran.exit.reason, ExitReason::Signal(11));
    });
}

#[test]
fn what_cannot_be_made_says_why_and_leaves_nothing() {
    world(|world| async move {
        let error = world.client.create(spec(["/no/such/program"])).await.unwrap_err();
        assert!(matches!(&error, SandboxError::Exec { program, .. } if program == "/no/such/program"), "{error}");
        let mut rows = Vec::new();
        for (source, target, word) in [
            ("/etc/shadow", "/x", "not under a folder configured"),
            ("/usr/../etc/shadow", "/x", "not under a folder configured"),
            ("/usr/no-such-folder", "/x", "No such file"),
            ("/usr", "/proc/x", "not a plain absolute path"),
            ("/usr", "/dev/null", "not a plain absolute path"),
            ("/usr", "/tmp/../etc", "not a plain absolute path"),
        ] {
            let mut spec = spec(["/bin/true"]);
            spec.root.binds.push(Bind::read_only(source, target));
            rows.push((spec, word));
        }
        let mut writable = spec(["/bin/true"]);
        writable.root.binds.push(Bind::writable("/usr", "/x"));
        rows.push((writable, "not under a folder configured as writable"));
        let mut nowhere = spec(["/bin/true"]);
        nowhere.cwd = "/nowhere".into();
        rows.push((nowhere, "entering /nowhere"));
        for (spec, word) in rows {
            let error = world.client.create(spec).await.unwrap_err().to_string();
            assert!(error.contains(word), "{error} should say {word}");
        }
        for wrong in [spec(["relative"]), spec(["/a\0b"])] {
            assert!(matches!(world.client.create(wrong).await, Err(SandboxError::Spec(_))));
        }
    });
}

#[test]
fn passed_descriptors_are_found_at_their_numbers_and_no_others() {
    world(|world| async move {
        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"through four").unwrap();
        drop(writer);
        let script = "cat <&4; echo; exec 4<&-; ls -l /proc/self/fd | awk 'NR>1{print $9}' | tr '\\n' ' '; readlink /proc/self/cwd";
        let ran = run_spec(&world.client, shell(script).fd(4, reader)).await;
        // `ls` itself opens 3 to list the folder.
        assert_eq!(ran.output, "through four\n0 1 2 3 /work\n");
    });
}

#[test]
fn a_live_sandbox_is_given_a_mount_once_and_only_where_it_was_prepared() {
    world(|world| async move {
        let folder = world.data.path().canonicalize().unwrap().join("apps/one");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("package.json"), "{}").unwrap();
        let (reader, mut writer) = std::io::pipe().unwrap();
        let script = "read line <&5; cat /app/node_modules/package.json; echo x > /app/node_modules/x || echo refused";
        let mut spec = shell(script).fd(5, reader);
        spec.root.attach_points = vec!["/app/node_modules".into()];
        let started = start(&world.client, spec).await;
        let bind = Bind::read_only(&folder, "/app/node_modules");
        for wrong in [Bind::read_only(&folder, "/usr"), Bind::writable(&folder, "/app/node_modules")] {
            let error = started.sandbox.attach(vec![wrong]).await.unwrap_err().to_string();
            assert!(error.contains("no free attach point"), "{error}");
        }
        started.sandbox.attach(vec![bind.clone()]).await.unwrap();
        assert!(started.sandbox.attach(vec![bind.clone()]).await.is_err());
        writer.write_all(b"go\n").unwrap();
        let ran = started.finish().await;
        assert!(ran.output.starts_with("{}") && ran.output.ends_with("refused\n"), "{}", ran.output);
        let gone = start(&world.client, shell("exit 0")).await;
        gone.sandbox.wait().await;
        assert!(matches!(gone.sandbox.attach(vec![bind]).await, Err(SandboxError::Ended)));
        gone.finish().await;
    });
}

#[test]
fn what_an_install_job_writes_belongs_to_the_configured_owner() {
    world(|world| async move {
        let folder = world.data.path().canonicalize().unwrap().join("apps/one");
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(OWNER.uid), Some(OWNER.gid)).unwrap();
        let script = "mkdir -p a/b && echo x > a/b/c && mv a/b/c a/d && ln a/d a/e && chmod 755 a/d && ! chmod 4755 a/d && stat -c %u:%g a/d";
        let mut spec = shell(script);
        spec.profile = Profile::Build;
        spec.root.binds.push(Bind::writable(&folder, "/app"));
        spec.cwd = "/app".into();
        let ran = run_spec(&world.client, spec).await;
        assert_eq!(ran.exit.reason, ExitReason::Code(0), "{}", ran.output);
        assert!(ran.output.ends_with("1000:1000\n"), "{}", ran.output);
        let made = folder.join("a/d").metadata().unwrap();
        assert_eq!((made.uid(), made.gid(), made.mode() & 0o7777), (OWNER.uid, OWNER.gid, 0o755));
    });
}

#[test]
fn a_frozen_sandbox_rests_until_thawed_and_dies_frozen_too() {
    world(|world| async move {
        let (input, mut tell) = std::io::pipe().unwrap();
        let (hear, output) = std::io::pipe().unwrap();
        let sandbox = world
            .client
            .create(shell("while read line; do echo got $line; done").fd(0, input).fd(1, output))
            .await
            .unwrap();
        let mut hear = tokio::net::unix::pipe::Receiver::from_owned_fd(OwnedFd::from(hear)).unwrap();
        let mut answer = [0; 6];
        tell.write_all(b"1\n").unwrap();
        hear.read_exact(&mut answer).await.unwrap();
        sandbox.freeze().await.unwrap();
        sandbox.freeze().await.unwrap();
        let before = sandbox.usage().unwrap().cpu_usec;
        tell.write_all(b"2\n").unwrap();
        assert_eq!(sandbox.usage().unwrap().cpu_usec, before);
        assert_eq!(hear.try_read(&mut answer).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        sandbox.thaw().unwrap();
        hear.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"got 2\n");
        let reclaimed = sandbox.reclaim().await.unwrap();
        assert_eq!(matches!(reclaimed, Reclaimed::NoSwap), !world.client.abilities().swap);
        sandbox.freeze().await.unwrap();
        assert_eq!(sandbox.kill().await.reason, ExitReason::Killed);
        assert!(matches!(sandbox.thaw(), Err(SandboxError::Ended)));
        assert_eq!(sandbox.kill().await.reason, ExitReason::Killed);
    });
}

#[test]
fn limits_of_a_live_sandbox_move_both_ways() {
    world(|world| async move {
        let started = start(&world.client, spec(["/bin/sleep", "1000"])).await;
        let wide = Limits { cpu_millis: 2000, memory: 512 << 20, pids: 256, ..Limits::default() };
        let narrow = Limits { cpu_millis: 100, memory: 32 << 20, pids: 8, ..Limits::default() };
        for limits in [wide, narrow, wide] {
            started.sandbox.set_limits(&limits).unwrap();
        }
        let none = Limits { memory: 0, ..wide };
        assert!(matches!(started.sandbox.set_limits(&none), Err(SandboxError::Spec(_))));
        let usage = started.sandbox.usage().unwrap();
        assert!(usage.pids == 2 && usage.memory > 0 && usage.memory_peak >= usage.memory, "{usage:?}");
        started.sandbox.kill().await;
        assert!(matches!(started.sandbox.set_limits(&wide), Err(SandboxError::Ended)));
        started.finish().await;
    });
}

#[test]
fn egress_carries_bytes_both_ways_and_survives_a_flood_of_connections() {
    world(|world| async move {
        let code = r#"
import socket
def connect(): return socket.create_connection(("127.0.0.1", 3128), 5)
one = connect(); one.sendall(b"ping"); one.shutdown(socket.SHUT_WR)
answer = b""
while part := one.recv(100): answer += part
print(answer.decode(), flush=True)
flood = []
try:
    for _ in range(400):
        s = socket.socket(); s.setblocking(False)
        s.connect_ex(("127.0.0.1", 3128)); flood.append(s)
except OSError: pass
print(len(flood) > 100)
"#;
        let mut spec = harness::python(code);
        spec.egress = true;
        let started = start(&world.client, spec).await;
        let mut egress = started.sandbox.take_egress().unwrap();
        assert!(started.sandbox.take_egress().is_none());
        let mut tunnel = egress.accept().await.unwrap();
        let mut word = Vec::new();
        tunnel.read_to_end(&mut word).await.unwrap();
        assert_eq!(word, b"ping");
        tunnel.write_all(b"pong").await.unwrap();
        tunnel.shutdown().await.unwrap();
        let mut kept = Vec::new();
        while let Some(tunnel) = egress.accept().await {
            kept.push(tunnel);
            if kept.len() == 200 {
                kept.clear();
            }
        }
        drop((kept, egress, tunnel));
        assert_eq!(started.finish().await.output, "pong\nTrue\n");
    });
}

#[test]
fn dropping_a_sandbox_or_the_wish_for_one_kills_it() {
    world(|world| async move {
        drop(start(&world.client, spec(["/bin/sleep", "1000"])).await.sandbox);
        settles("the dropped one is gone", || processes_of(world.uid_base).is_empty()).await;
        let mut wishes = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let client = world.client.clone();
            wishes.spawn(async move { client.create(spec(["/bin/sleep", "1000"])).await });
        }
        tokio::task::yield_now().await;
        wishes.abort_all();
        while wishes.join_next().await.is_some() {}
        // The launcher answers in order: once this one has come and gone the others have been made and dropped.
        for _ in 0..8 {
            run(&world.client, ["/bin/true"]).await;
        }
    });
}

#[test]
fn many_sandboxes_live_side_by_side_each_under_its_own_user() {
    world(|world| async move {
        let mut made = tokio::task::JoinSet::new();
        for _ in 0..24 {
            let client = world.client.clone();
            made.spawn(async move { client.create(spec(["/bin/sleep", "1000"])).await.unwrap() });
        }
        let sandboxes = made.join_all().await;
        let owner = |path: &std::path::PathBuf| {
            let status = std::fs::read_to_string(path.join("status")).unwrap();
            let uid = |line: &str| {
                line.strip_prefix("Uid:").and_then(|ids| ids.split_whitespace().next()?.parse::<u32>().ok())
            };
            status.lines().find_map(uid).unwrap()
        };
        let mut owners: Vec<u32> = processes_of(world.uid_base).iter().map(owner).collect();
        owners.sort_unstable();
        assert_eq!(owners.len(), 48);
        owners.dedup();
        assert_eq!(owners.len(), 48);
        drop(sandboxes);
    });
}

#[test]
fn when_every_slot_is_taken_the_next_is_refused_until_one_ends() {
    world(|world| async move {
        let mut kept = Vec::new();
        let refused = loop {
            match world.client.create(spec(["/bin/sleep", "1000"])).await {
                Ok(sandbox) => kept.push(sandbox),
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, SandboxError::Full(64)), "{refused}");
        assert!(kept.len() >= 60, "{}", kept.len());
        drop(kept);
        settles("they are gone", || processes_of(world.uid_base).is_empty()).await;
    });
}

#[test]
fn a_killed_launcher_takes_every_sandbox_along_and_the_next_one_sweeps() {
    let data = tempfile::tempdir().unwrap();
    let config = harness::config(data.path());
    let uid_base = config.uid_base;
    let (first, second) = (Launcher::fork_in_test(config.clone()).unwrap(), config);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let pid = first.pid();
        let client = first.connect().await.unwrap();
        let sandbox = client.create(shell("sleep 1000 & sleep 1000")).await.unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL)
            .unwrap();
        client.gone().await;
        assert_eq!(sandbox.wait().await.reason, ExitReason::LauncherGone);
        assert!(matches!(client.create(shell("exit 0")).await, Err(SandboxError::LauncherGone)));
        settles("everything inside is dead", || processes_of(uid_base).is_empty()).await;
        let again = Launcher::fork_in_test(second).unwrap().connect().await.unwrap();
        assert_eq!(run(&again, ["/bin/true"]).await.exit.reason, ExitReason::Code(0));
        again.close().await;
    });
}

#[test]
fn when_the_server_dies_the_launcher_cleans_up_and_ends() {
    let data = tempfile::tempdir().unwrap();
    let config = harness::config(data.path());
    let uid_base = config.uid_base;
    let (mut ready, tell) = std::io::pipe().unwrap();
    // The server is a process of its own, so that it can be killed.
    let server = rustix_fork(move || {
        let launcher = Launcher::fork_in_test(config).unwrap();
        let launcher_pid = launcher.pid();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = launcher.connect().await.unwrap();
            let _one = client.create(shell("sleep 1000 & sleep 1000")).await.unwrap();
            let _two = client.create(spec(["/bin/sleep", "1000"])).await.unwrap();
            (&tell).write_all(&launcher_pid.to_le_bytes()).unwrap();
            std::future::pending::<()>().await
        })
    });
    let mut pid = [0; 4];
    ready.read_exact(&mut pid).unwrap();
    assert!(processes_of(uid_base).len() >= 5);
    let kill = |pid| rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    kill(server).unwrap();
    rustix::process::waitpid(Some(server), rustix::process::WaitOptions::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        settles("every sandbox is dead", || processes_of(uid_base).is_empty()).await;
        let launcher = format!("/proc/{}/comm", i32::from_le_bytes(pid));
        settles("the launcher has ended", || {
            std::fs::read_to_string(&launcher).map_or(true, |name| name.trim() != "darter-launcher")
                || zombie(i32::from_le_bytes(pid))
        })
        .await;
    });
}

fn zombie(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "))
}

/// Runs `body` in a forked process.
#[allow(unsafe_code)]
fn rustix_fork(body: impl FnOnce()) -> rustix::process::Pid {
    // SAFETY: the test is the only thing this process does; its other thread waits for it.
    match unsafe { libc::fork() } {
        0 => {
            body();
            std::process::exit(0)
        }
        pid => rustix::process::Pid::from_raw(pid).unwrap(),
    }
}

#[test]
fn two_servers_on_one_data_directory_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let config: LauncherConfig = harness::config(data.path());
    let (first, second) = (Launcher::fork_in_test(config.clone()).unwrap(), config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let first = first.connect().await.unwrap();
        let error = Launcher::fork_in_test(second).unwrap().connect().await.unwrap_err().to_string();
        assert!(error.contains("another server"), "{error}");
        first.close().await;
    });
}

#[test]
fn the_launcher_is_only_forked_from_a_single_thread() {
    let data = tempfile::tempdir().unwrap();
    // The harness's own thread and this one are two.
    let error = Launcher::fork(harness::config(data.path())).unwrap_err();
    assert!(error.to_string().contains("threads"), "{error}");
}

#[test]
fn a_static_program_of_ones_own_runs_too() {
    world(|world| async move {
        let spec = c_program(&world, "int main(int c, char **v) { return c; }");
        assert_eq!(run_spec(&world.client, spec).await.exit.reason, ExitReason::Code(1));
    });
}
