//! The server without root: after giving it up, and never having had it.
#![allow(clippy::unwrap_used, unsafe_code)]

mod harness;

use darter_sandbox::{Bind, ExitReason, Launcher, LauncherClient, Limits, SandboxError, become_account};
use harness::{OWNER, processes_of, run_spec, shell, spec, start};

/// Runs `body` in a process of its own, whose only thread it is, and expects it to come through.
fn in_own_process(body: impl FnOnce()) {
    // SAFETY: the test is the only thing this process does; its other thread waits for it.
    match unsafe { libc::fork() } {
        0 => {
            let sound = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).is_ok();
            // SAFETY: _exit is always sound; the harness's own exit handlers are not ours to run.
            unsafe { libc::_exit(if sound { 0 } else { 1 }) }
        }
        pid => {
            let mut status = 0;
            // SAFETY: status is a place for the answer.
            unsafe { libc::waitpid(pid, &raw mut status, 0) };
            assert_eq!(status, 0, "the child process failed; its words are above");
        }
    }
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

fn folder_of(data: &std::path::Path) -> std::path::PathBuf {
    let folder = data.canonicalize().unwrap().join("apps/one");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("file"), "content").unwrap();
    for path in [data, &data.join("apps"), &folder, &folder.join("file")] {
        std::os::unix::fs::chown(path, Some(OWNER.uid), Some(OWNER.gid)).unwrap();
    }
    folder
}

/// What works alike for every server.
async fn life(client: &LauncherClient, folder: &std::path::Path) {
    let mut job = shell("cat /app/file && echo x > /app/made && id -u");
    job.root.binds.push(Bind::writable(folder, "/app"));
    let ran = run_spec(client, job).await;
    assert_eq!((ran.exit.reason, &*ran.output), (ExitReason::Code(0), "content1000\n"));
    // The server itself may read it and take it away.
    std::fs::remove_file(folder.join("made")).unwrap();
    let mut waiting = spec(["/bin/sleep", "1000"]);
    waiting.root.attach_points = vec!["/app".into()];
    waiting.egress = true;
    let started = start(client, waiting).await;
    started.sandbox.attach(vec![Bind::read_only(folder, "/app")]).await.unwrap();
    assert!(started.sandbox.take_egress().is_some());
    assert_eq!(started.sandbox.kill().await.reason, ExitReason::Killed);
    started.finish().await;
}

#[test]
fn a_server_that_gave_root_up_steers_its_sandboxes_all_the_same() {
    let data = tempfile::tempdir().unwrap();
    let folder = folder_of(data.path());
    let config = harness::config(data.path());
    let uid_base = config.uid_base;
    in_own_process(|| {
        let launcher = Launcher::fork(config).unwrap();
        become_account(OWNER).unwrap();
        assert!(std::fs::read("/etc/shadow").is_err());
        block_on(async {
            let client = launcher.connect().await.unwrap();
            assert!(client.abilities().privileged);
            life(&client, &folder).await;
            let started = start(&client, spec(["/bin/sleep", "1000"])).await;
            started.sandbox.freeze().await.unwrap();
            started.sandbox.thaw().unwrap();
            let limits = Limits { memory: 256 << 20, ..Limits::default() };
            started.sandbox.set_limits(&limits).unwrap();
            assert!(started.sandbox.usage().unwrap().memory > 0);
            drop(started);
            client.close().await;
        });
    });
    assert!(processes_of(uid_base).is_empty());
}

#[test]
fn a_plain_user_gets_sandboxes_too_and_is_told_what_is_weaker() {
    let data = tempfile::tempdir().unwrap();
    let folder = folder_of(data.path());
    let config = harness::config(data.path());
    in_own_process(|| {
        become_account(OWNER).unwrap();
        let launcher = Launcher::fork(config).unwrap();
        block_on(async {
            let client = launcher.connect().await.unwrap();
            assert!(!client.abilities().privileged);
            life(&client, &folder).await;
            let image = data.path().canonicalize().unwrap().join("workspaces/home.img");
            std::fs::create_dir_all(image.parent().unwrap()).unwrap();
            darter_sandbox::volume::make(&image, 32 << 20).unwrap();
            let mut home = spec(["/bin/true"]);
            home.root.binds.push(Bind::volume(image, "/home/user"));
            let error = client.create(home).await.unwrap_err().to_string();
            assert!(error.contains("bind a folder instead"), "{error}");
            let walls = darter_sandbox::probe(&client).await;
            let fallen: Vec<&str> = walls.iter().filter(|wall| !wall.standing).map(|wall| wall.name).collect();
            for expected in ["separate user ids", "memory limit", "CPU limit"] {
                assert!(fallen.contains(&expected), "{walls:#?}");
            }
            for standing in ["user namespace", "system calls", "capabilities", "file system", "network"] {
                assert!(!fallen.contains(&standing), "{walls:#?}");
            }
            let started = start(&client, spec(["/bin/sleep", "1000"])).await;
            assert!(matches!(started.sandbox.freeze().await, Err(SandboxError::Unsupported(_))));
            drop(started);
            client.close().await;
        });
    });
}
