//! Volumes: a home of one's own with a hard limit, that is there again after anything, and in one sandbox at a time.
#![allow(clippy::unwrap_used)]

mod harness;

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use darter_sandbox::{Bind, ExitReason, Launcher, Profile, SandboxError, Spec, volume};
use harness::{OWNER, Ran, World, run_spec, settles, shell, start, world};

const MIB: u64 = 1 << 20;

fn image(data: &Path, name: &str, bytes: u64) -> PathBuf {
    let folder = data.canonicalize().unwrap().join("workspaces");
    std::fs::create_dir_all(&folder).unwrap();
    let image = folder.join(name);
    volume::make(&image, bytes).unwrap();
    image
}

fn at_home(image: &Path, script: &str) -> Spec {
    let mut spec = shell(script);
    spec.profile = Profile::Workspace;
    spec.root.binds.push(Bind::volume(image, "/home/user"));
    spec.cwd = "/home/user".into();
    spec
}

async fn run_at_home(world: &World, image: &Path, script: &str) -> Ran {
    run_spec(&world.client, at_home(image, script)).await
}

/// Loop devices that hold an image of this test.
fn loops(world: &World) -> usize {
    let data = world.data.path().canonicalize().unwrap();
    let held = |entry: std::io::Result<std::fs::DirEntry>| {
        let file = std::fs::read_to_string(entry.unwrap().path().join("loop/backing_file"));
        file.is_ok_and(|file| Path::new(file.trim()).starts_with(&data))
    };
    std::fs::read_dir("/sys/block").unwrap().filter_map(|entry| held(entry).then_some(())).count()
}

#[test]
fn a_home_belongs_to_its_user_and_is_there_again_in_the_next_sandbox() {
    world(|world| async move {
        let home = image(world.data.path(), "home.img", 64 * MIB);
        let script = "ls -A | wc -l; stat -c '%u:%g %a' .; mkdir -p a/b && echo kept > a/b/c && chmod 700 a && \
                      ln -s /etc/passwd link && stat -c %u:%g a/b/c";
        let ran = run_at_home(&world, &home, script).await;
        assert_eq!(ran.output, "0\n1000:1000 755\n1000:1000\n");
        // A slot of other user ids: what is on disk says 1000 all the same.
        let other = start(&world.client, shell("sleep 1000")).await;
        let ran =
            run_at_home(&world, &home, "cat a/b/c; stat -c %u:%g a/b/c; grep -c ' / ' /proc/self/mountinfo").await;
        assert!(ran.output.starts_with("kept\n1000:1000\n"), "{}", ran.output);
        other.sandbox.kill().await;
        other.finish().await;
        settles("no loop device is left", || loops(&world) == 0).await;
    });
}

#[test]
fn a_full_home_says_so_and_hurts_nobody_else() {
    world(|world| async move {
        let home = image(world.data.path(), "home.img", 48 * MIB);
        let script =
            "dd if=/dev/zero of=big bs=1M count=100 2>&1 | grep -o 'No space left'; rm big && echo small > s && cat s";
        assert_eq!(run_at_home(&world, &home, script).await.output, "No space left\nsmall\n");
        // What was deleted is given back to the host.
        settles("the room is given back", || home.metadata().unwrap().blocks() * 512 < 24 * MIB).await;
    });
}

#[test]
fn a_home_is_brought_into_a_waiting_sandbox_and_can_be_written_to() {
    world(|world| async move {
        let home = image(world.data.path(), "home.img", 64 * MIB);
        let folder = world.data.path().canonicalize().unwrap().join("workspaces/folder");
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::chown(&folder, Some(OWNER.uid), Some(OWNER.gid)).unwrap();
        let (reader, mut tell) = std::io::pipe().unwrap();
        let script = "read line <&5; cd /home/user && echo x > x && mkdir d && mv x d/y && cat d/y; \
                      echo z > /srv/files/z && cat /srv/files/z; echo no > /home/other || echo refused";
        let mut spec = shell(script).fd(5, reader);
        spec.profile = Profile::Workspace;
        spec.root.attach_points = vec!["/app".into()];
        spec.root.writable_points = vec!["/home/user".into(), "/srv/files".into()];
        let started = start(&world.client, spec).await;
        for wrong in [Bind::volume(&home, "/app"), Bind::writable(&folder, "/app"), Bind::volume(&home, "/usr")] {
            let error = started.sandbox.attach(vec![wrong]).await.unwrap_err().to_string();
            assert!(error.contains("no free attach point"), "{error}");
        }
        let binds = vec![Bind::volume(&home, "/home/user"), Bind::writable(&folder, "/srv/files")];
        started.sandbox.attach(binds.clone()).await.unwrap();
        assert!(started.sandbox.attach(binds).await.is_err(), "each point is used once");
        tell.write_all(b"go\n").unwrap();
        let ran = started.finish().await;
        assert!(ran.output.starts_with("x\nz\n") && ran.output.ends_with("refused\n"), "{}", ran.output);
        let made = folder.join("z").metadata().unwrap();
        assert_eq!((made.uid(), made.gid()), (OWNER.uid, OWNER.gid));
        assert_eq!(run_at_home(&world, &home, "cat d/y").await.output, "x\n");
    });
}

#[test]
fn an_image_is_mounted_once_at_a_time_and_free_as_soon_as_its_sandbox_is_gone() {
    world(|world| async move {
        let home = image(world.data.path(), "home.img", 64 * MIB);
        let first = start(&world.client, at_home(&home, "echo 1 > f; sleep 1000")).await;
        let error = world.client.create(at_home(&home, "true")).await.unwrap_err().to_string();
        assert!(error.contains("in use by another sandbox"), "{error}");
        let copy = home.with_file_name("copy.img");
        assert!(volume::copy(&home, &copy).is_err(), "a mounted home is not copied");
        first.sandbox.kill().await;
        first.finish().await;
        // Killed, not asked: what was written is in the journal or on disk.
        assert_eq!(run_at_home(&world, &home, "ls").await.output, "f\n");
        volume::copy(&home, &copy).unwrap();
        assert_eq!(
            run_at_home(&world, &copy, "ls; df --output=size -k . | tail -1 | tr -d ' '").await.output.lines().next(),
            Some("f")
        );
    });
}

#[test]
fn what_is_no_volume_is_refused_with_the_reason() {
    world(|world| async move {
        let home = image(world.data.path(), "home.img", 64 * MIB);
        let folder = home.parent().unwrap();
        let (link, pipe, text) = (folder.join("link"), folder.join("pipe"), folder.join("text"));
        std::os::unix::fs::symlink(&home, &link).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        std::fs::write(&text, vec![b'x'; 1 << 20]).unwrap();
        for (source, word) in [
            (link.as_path(), "symbolic link"),
            (&pipe, "regular file"),
            (folder, "directory"),
            (&text, "damaged"),
            (Path::new("/usr/bin/sh"), "not under a folder configured as writable"),
            (&folder.join("none"), "No such file"),
        ] {
            let error = world.client.create(at_home(source, "true")).await.unwrap_err().to_string();
            assert!(error.contains(word), "{}: {error}", source.display());
        }
        settles("no loop device is left", || loops(&world) == 0).await;
    });
}

#[test]
fn a_home_full_of_traps_gives_nothing() {
    world(|world| async move {
        let home = image(world.data.path(), "home.img", 64 * MIB);
        let script = "ln -s / root; ln -s /proc/1/root first; cp /bin/sh sh; chmod 4755 sh 2>/dev/null && echo set; \
                      chmod 755 sh; mknod disk b 7 0 2>/dev/null && echo device; mknod null c 1 3 2>/dev/null && echo device; \
                      mkfifo pipe && echo fifo; touch \"$(printf 'odd\\nname\\377')\" && ls | wc -l; cat root/etc/shadow first/etc/shadow 2>&1 | wc -l";
        let ran = run_at_home(&world, &home, script).await;
        assert_eq!(ran.output, "fifo\n6\n2\n");
        // Set-user-id and devices that get onto the disk by another way mean nothing there.
        let debugfs = |command: &str| {
            let run = std::process::Command::new("debugfs").args(["-w", "-R", command]).arg(&home).output().unwrap();
            assert!(run.status.success());
        };
        settles("the image is free", || volume::lock(&home).is_ok()).await;
        debugfs("set_inode_field sh mode 0104755");
        debugfs("set_inode_field sh uid 0");
        debugfs("mknod zero c 1 5");
        let script = "stat -c '%a %u' sh; ./sh -c 'grep -E ^Uid /proc/self/status | cut -f 3'; head -c1 zero 2>&1 | grep -o 'Permission denied'";
        let ran = run_at_home(&world, &home, script).await;
        assert_eq!(ran.output, "4755 65534\n1000\nPermission denied\n");
    });
}

#[test]
fn nothing_of_a_volume_outlives_a_killed_launcher() {
    let data = tempfile::tempdir().unwrap();
    let home = image(data.path(), "home.img", 64 * MIB);
    let launcher = Launcher::fork_in_test(harness::config(data.path())).unwrap();
    let pid = launcher.pid();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let client = launcher.connect().await.unwrap();
        let started = start(&client, at_home(&home, "echo kept > f; sync f; sleep 1000")).await;
        assert!(volume::lock(&home).is_err());
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL)
            .unwrap();
        client.gone().await;
        settles("the image is free", || volume::lock(&home).is_ok()).await;
        assert!(matches!(client.create(at_home(&home, "true")).await, Err(SandboxError::LauncherGone)));
        drop(started);
    });
}

#[test]
fn a_workspace_can_debug_itself_read_the_machine_and_open_many_terminals() {
    world(|world| async move {
        let code = r#"
import os, pty, socket, ctypes
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()
if child == 0:
    libc.ptrace(0, 0, 0, 0)
    os.kill(os.getpid(), 19)
    os._exit(0)
_, status = os.waitpid(child, os.WUNTRACED)
print("traced", os.WIFSTOPPED(status)); libc.ptrace(7, child, 0, 0); os.waitpid(child, 0)
pairs = [pty.openpty() for _ in range(60)]
print("terminals", len(pairs))
print([len(open("/proc/" + name).read()) > 0 for name in ("cpuinfo", "meminfo", "stat", "uptime", "loadavg")])
server = socket.socket(); server.bind(("127.0.0.1", 3000)); server.listen()
print("listens", ":0BB8" in open("/proc/self/net/tcp").read())
print("max_user_watches" in os.listdir("/proc/sys/fs/inotify"), open("/proc/sys/kernel/pid_max").read().strip().isdigit())
print(sorted(n for n in os.listdir("/proc") if not n.isdigit() and os.access("/proc/" + n, os.R_OK)))
print(libc.shmget(1234, 4096, 0o1600) >= 0)
"#;
        let mut spec = harness::python(code);
        spec.profile = Profile::Workspace;
        let ran = run_spec(&world.client, spec).await;
        assert_eq!(ran.exit.reason, ExitReason::Code(0), "{}", ran.output);
        let lines: Vec<&str> = ran.output.lines().collect();
        assert_eq!(
            lines[..5],
            ["traced True", "terminals 60", "[True, True, True, True, True]", "listens True", "True True"]
        );
        let seen = "['cpuinfo', 'filesystems', 'loadavg', 'meminfo', 'mounts', 'net', 'self', 'stat', 'sys', 'thread-self', 'uptime', 'version']";
        assert_eq!(lines[5], seen);
        assert_eq!(lines[6], "True");
        let mut spec =
            shell("ps -e | tail -n +2 | wc -l; script -qc 'test -c /dev/tty && echo hi > /dev/tty' /dev/null");
        spec.profile = Profile::Workspace;
        let ran = run_spec(&world.client, spec).await;
        assert!(ran.output.starts_with(['3', '4']) && ran.output.contains("hi"), "{}", ran.output);
    });
}
