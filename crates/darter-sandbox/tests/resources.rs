//! Programs that take all they can (`hostile-programs` A): each hits its own wall and nobody else's.
#![allow(clippy::unwrap_used)]

mod harness;

use darter_sandbox::{ExitReason, Spec};
use harness::{Ran, World, c_program, python, run_spec, shell, start, world};

/// Runs a program and shows it next to what must be true of it.
async fn check(world: &World, name: &str, spec: Spec, holds: impl FnOnce(&Ran) -> bool) {
    let ran = run_spec(&world.client, spec).await;
    assert!(holds(&ran), "{name}: {:?} written {} {:.2000}", ran.exit, ran.written, ran.output);
    assert!(world.client.create(shell("exit 0")).await.is_ok(), "{name}: the launcher makes the next one");
}

#[test]
fn forks_threads_and_zombies_end_at_the_process_limit() {
    world(|world| async move {
        let w = &*world;
        let bomb = "import os\nn=0\ntry:\n  while True:\n    if os.fork()==0:\n      import time; time.sleep(1000)\n    n+=1\nexcept BlockingIOError: print('EAGAIN', n, flush=True)\nos._exit(0)";
        check(w, "fork bomb", python(bomb), |ran| ran.output.starts_with("EAGAIN 6")).await;
        let threads = "import threading,os,sys\nn=0\ntry:\n  while True:\n    threading.Thread(target=lambda: __import__('time').sleep(1000),daemon=True).start(); n+=1\nexcept RuntimeError: print('EAGAIN', n, flush=True)\nos._exit(0)";
        check(w, "thread bomb", python(threads), |ran| ran.output.starts_with("EAGAIN 6")).await;
        let zombies = "import os\nn=0\ntry:\n  while True:\n    if os.fork()==0: os._exit(0)\n    n+=1\nexcept BlockingIOError: print('EAGAIN', n)";
        check(w, "zombie flood", python(zombies), |ran| ran.output.starts_with("EAGAIN 6")).await;
        let orphans = "import os,time\nfor _ in range(300):\n  p=os.fork()\n  if p==0:\n    for _ in range(1):\n      try:\n        if os.fork()==0: os._exit(0)\n      except BlockingIOError: pass\n    os._exit(0)\n  os.waitpid(p,0)\nprint('reaped')";
        check(w, "orphans are reaped", python(orphans), |ran| ran.output == "reaped\n").await;
    });
}

#[test]
fn a_fork_bomb_in_a_shell_dies_when_told() {
    world(|world| async move {
        let bomb = start(&world.client, shell("b() { b | b & }; b; sleep 1000")).await;
        harness::settles("the bomb fills its limit", || bomb.sandbox.usage().unwrap().pids >= 40).await;
        assert_eq!(bomb.sandbox.kill().await.reason, ExitReason::Killed);
        bomb.finish().await;
    });
}

#[test]
fn daemons_and_runner_chains_die_with_the_program() {
    world(|world| async move {
        let w = &*world;
        let daemon = "(setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 0.01; done' >/dev/null 2>&1 &) ; exit 3";
        check(w, "daemon", shell(daemon), |ran| ran.exit.reason == ExitReason::Code(3)).await;
        let chain = r#"
#include <unistd.h>
#include <signal.h>
int main(void) { signal(SIGCHLD, SIG_IGN); if (fork() == 0) for (;;) { setsid(); if (fork() > 0) _exit(0); } usleep(20000); return 4; }"#;
        check(w, "runner chain", c_program(w, chain), |ran| ran.exit.reason == ExitReason::Code(4)).await;
        let deaf = start(&world.client, shell("trap '' TERM INT HUP XCPU QUIT; while :; do :; done")).await;
        assert_eq!(deaf.sandbox.kill().await.reason, ExitReason::Killed);
        deaf.finish().await;
    });
}

#[test]
fn memory_ends_at_its_limit_and_only_there() {
    world(|world| async move {
        let w = &*world;
        let eat = "b=[]\nwhile True: b.append(bytearray(b'x')*(1<<20))";
        check(w, "touch memory", python(eat), |ran| {
            ran.exit.reason == ExitReason::OutOfMemory && ran.exit.oom_kills == 1
        })
        .await;
        let reserve =
            "import mmap\nm=mmap.mmap(-1,1<<40,flags=mmap.MAP_PRIVATE|mmap.MAP_ANONYMOUS|0x4000)\nprint('reserved')";
        check(w, "reserve a terabyte", python(reserve), |ran| {
            ran.output == "reserved\n" || ran.output.contains("Errno 12")
        })
        .await;
        let memfd = "import os\nf=os.memfd_create('x')\nwhile True: os.write(f,b'x'*(1<<20))";
        check(w, "fill a memfd", python(memfd), |ran| {
            ran.exit.reason == ExitReason::OutOfMemory || ran.output.contains("File too large")
        })
        .await;
        let shm = "import os\nf=os.open('/dev/shm/x',os.O_CREAT|os.O_WRONLY)\ntry:\n  for _ in range(1000): os.write(f,b'x'*(1<<20))\nexcept OSError as e: print(e.errno)";
        check(w, "fill /dev/shm", python(shm), |ran| ["27\n", "28\n"].contains(&&*ran.output)).await;
    });
}

#[test]
fn files_end_at_their_size_their_number_and_their_space() {
    world(|world| async move {
        let w = &*world;
        let fill = |folder: &str| {
            let mut spec = python(&format!(
                "import os\nn=0\ntry:\n  while True:\n    with open('{folder}/%d'%n,'wb') as f: f.write(b'x'*(1<<20))\n    n+=1\nexcept OSError as e: print(e.errno, n)"
            ));
            spec.root.tmp.size = 8 << 20;
            spec.root.work.size = 8 << 20;
            spec
        };
        for folder in ["/tmp", "/work", "/dev/shm"] {
            check(w, folder, fill(folder), |ran| ran.output.starts_with("28 ")).await;
        }
        let mut many = python(
            "n=0\ntry:\n  while True: open('/tmp/%d'%n,'w').close(); n+=1\nexcept OSError as e: print(e.errno, n)",
        );
        many.root.tmp.inodes = 1000;
        check(w, "a million empty files", many, |ran| ran.output.starts_with("28 9")).await;
        let sparse = "import os,signal\nsignal.signal(signal.SIGXFSZ,signal.SIG_IGN)\nf=os.open('/tmp/s',os.O_CREAT|os.O_RDWR)\nfor n in (1<<62,1<<30):\n  try: os.ftruncate(f,n); print('WORKED')\n  except OSError as e: print(e.errno)";
        check(w, "sparse giants", python(sparse), |ran| ran.output == "27\n27\n").await;
        let sync = "import os\nf=os.open('/work/s',os.O_CREAT|os.O_RDWR)\nfor _ in range(10000): os.write(f,b'x'); os.fsync(f)\nprint('done')";
        check(w, "fsync storm", python(sync), |ran| ran.output == "done\n").await;
    });
}

#[test]
fn descriptors_terminals_and_signals_end_at_their_limits() {
    world(|world| async move {
        let w = &*world;
        let open = "import os\nn=0\ntry:\n  while True: os.open('/dev/null',0); n+=1\nexcept OSError as e: print(e.errno, n<256)";
        check(w, "descriptors", python(open), |ran| ran.output == "24 True\n").await;
        let terminals = "import os\nn=0\ntry:\n  while True: os.open('/dev/ptmx',os.O_RDWR); n+=1\nexcept OSError as e: print(e.errno, n)";
        check(w, "terminals", python(terminals), |ran| ran.output == "28 8\n").await;
        let queue = r#"
#include <signal.h>
#include <stdio.h>
#include <errno.h>
#include <unistd.h>
int main(void) { sigset_t s; sigemptyset(&s); sigaddset(&s, SIGRTMIN); sigprocmask(SIG_BLOCK, &s, 0);
  int n = 0; union sigval v = {0}; while (sigqueue(getpid(), SIGRTMIN, v) == 0) if (++n > 100000) break;
  printf("%d %d\n", errno == EAGAIN, n <= 1024); return 0; }"#;
        check(w, "signal queue", c_program(w, queue), |ran| ran.output == "1 1\n").await;
    });
}

#[test]
fn floods_of_output_are_the_readers_to_bound() {
    world(|world| async move {
        let flood = start(&world.client, shell("yes & cat /dev/zero >&2")).await;
        harness::settles("it writes", || flood.sandbox.usage().unwrap().cpu_usec > 20_000).await;
        flood.sandbox.kill().await;
        let ran = flood.finish().await;
        assert!(ran.written > 1 << 20 && ran.output.len() <= 3 << 20);
    });
}

#[test]
fn many_spinning_threads_share_one_cpu_limit() {
    world(|world| async move {
        let code = "import os,time\nfor _ in range(31):\n  if os.fork()==0: break\nend=time.monotonic()+0.5\nwhile time.monotonic()<end: pass\nos.wait() if os.getpid()==2 else None\ntime.sleep(0.1)";
        let mut spec = python(code);
        spec.limits.cpu_millis = 200;
        let started = std::time::Instant::now();
        let ran = run_spec(&world.client, spec).await;
        // A fifth of however long it took, and two periods of grace. Unbounded it would be one to two seconds of CPU.
        let allowed = started.elapsed().as_micros() as u64 / 5 + 200_000;
        assert!((10_000..allowed).contains(&ran.exit.usage.cpu_usec), "{ran:?} {allowed}");
    });
}

#[test]
fn a_crash_leaves_no_core_and_hurts_nobody() {
    world(|world| async move {
        let spec = c_program(&world, "int main(void) { *(volatile int *)0 = 1; return 0; }");
        let ran = run_spec(&world.client, spec).await;
        assert_eq!(ran.exit.reason, ExitReason::Signal(11));
        let many = shell(
            "for i in 1 2 3 4 5 6 7 8 9; do sh -c 'kill -SEGV $$'; done 2>/dev/null; ls /work /tmp | grep -c core; exit 0",
        );
        assert!(run_spec(&world.client, many).await.output.ends_with("0\n"));
    });
}
