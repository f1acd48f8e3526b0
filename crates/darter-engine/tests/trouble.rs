//! Apps that crash, hang, eat memory or are killed: the owner is told in words, and the next request is answered.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod harness;

use std::sync::Arc;

use darter_core::limits::AppLimits;
use darter_core::record::{Level, LogSource};
use darter_engine::Engine;
use harness::{call_on, world};

#[test]
fn an_endless_loop_is_found_told_and_replaced() {
    world(
        |_| {},
        |world| async move {
            let limits = AppLimits { loop_timeout_ms: 500, ..AppLimits::default() };
            let app = world.app(limits, &[("loop", "for (;;);"), ("ok", "return 'ok'")]);
            assert_eq!(world.call(&app, "/ok").await.1, "ok");
            let lease = world.engine.acquire(&app).await.unwrap();
            assert!(call_on(&lease, "/loop", "").await.is_err());
            let told = world.apps.told(&app, "event loop busy for 0.5 s").await;
            assert_eq!(told.level, Level::Error);
            assert!(told.message.contains("1 requests were in flight"), "{}", told.message);
            assert!(told.message.contains("loop@1 (request req_1)"), "{}", told.message);
            assert_eq!(world.call(&app, "/ok").await.1, "ok");
        },
    );
}

#[test]
fn running_out_of_memory_names_the_limit() {
    world(
        |_| {},
        |world| async move {
            let limits = AppLimits { memory_bytes: 96 << 20, ..AppLimits::default() };
            let eat =
                "const all = []; for (;;) { all.push(Buffer.alloc(4 << 20, 1)); await new Promise(setImmediate); }";
            let app = world.app(limits, &[("eat", eat), ("ok", "return 'ok'")]);
            let lease = world.engine.acquire(&app).await.unwrap();
            assert!(call_on(&lease, "/eat", "").await.is_err());
            let told = world.apps.told(&app, "memory").await;
            assert!(told.message.contains("96 MiB"), "{}", told.message);
            drop(lease);
            assert_eq!(world.call(&app, "/ok").await.1, "ok");
        },
    );
}

#[test]
fn a_full_heap_is_told_with_the_functions_in_flight_before_the_kernel_has_to_end_it() {
    world(
        |_| {},
        |world| async move {
            let limits = AppLimits { memory_bytes: 96 << 20, ..AppLimits::default() };
            let fill = "const all = []; for (let n = 0; ; n++) { all.push({ list: new Array(1000).fill(n) }); if (n % 100 === 0) await new Promise(setImmediate); }";
            let app = world.app(limits, &[("fill", fill), ("ok", "return 'ok'")]);
            let lease = world.engine.acquire(&app).await.unwrap();
            assert!(call_on(&lease, "/fill", "").await.is_err());
            drop(lease);
            world.apps.logged_by(&app, LogSource::Function, "JavaScript heap out of memory").await;
            let told = world.apps.told(&app, "JavaScript's heap was full").await;
            assert!(told.message.contains("96 MiB"), "{}", told.message);
            assert!(told.message.contains("fill@1 (request req_1)"), "{}", told.message);
            world.stands(&app, &[]).await;
            assert_eq!(world.call(&app, "/ok").await.1, "ok");
        },
    );
}

#[test]
fn a_killed_process_is_replaced_for_the_next_request() {
    world(
        |_| {},
        |world| async move {
            let app = world.app(
                AppLimits::default(),
                &[("die", "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})"), ("ok", "return 'ok'")],
            );
            let lease = world.engine.acquire(&app).await.unwrap();
            assert!(call_on(&lease, "/die", "").await.is_err());
            let told = world.apps.told(&app, "signal 9").await;
            assert!(told.message.contains("in flight"), "{}", told.message);
            assert_eq!(world.call(&app, "/ok").await.1, "ok");
        },
    );
}

#[test]
fn an_app_that_keeps_crashing_is_left_in_peace_for_a_moment() {
    world(
        |_| {},
        |world| async move {
            let app = world.app(
                AppLimits::default(),
                &[("die", "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})")],
            );
            let refused = loop {
                match world.engine.acquire(&app).await {
                    Ok(lease) => drop(call_on(&lease, "/die", "").await.unwrap_err()),
                    Err(fault) => break fault,
                }
                world.stands(&app, &[]).await;
            };
            assert_eq!(refused.code, "app.start_failed");
            assert!(refused.retry_after.is_some());
        },
    );
}

#[test]
fn two_apps_share_nothing_and_logs_go_to_their_own() {
    world(
        |_| {},
        |world| async move {
            let functions = [
                (
                    "set",
                    "globalThis.secret = 'mine'; console.log('set ' + ctx.query.x); require('fs').writeFileSync('/tmp/x', 'mine'); return 'done'",
                ),
                ("get", "return String(globalThis.secret) + require('fs').existsSync('/tmp/x')"),
            ];
            let one = world.app(AppLimits::default(), &functions);
            let two = world.app(AppLimits::default(), &functions);
            assert_eq!(world.call(&one, "/set?x=1").await.1, "done");
            assert_eq!(world.call(&one, "/get").await.1, "minetrue");
            assert_eq!(world.call(&two, "/get").await.1, "undefinedfalse");
            let record = world.apps.logged_by(&one, LogSource::Function, "set 1").await;
            assert_eq!((record.function.as_str(), record.version, record.request_id.as_str()), ("set", 1, "req_1"));
        },
    );
}

#[test]
fn what_a_process_writes_to_its_output_is_kept_as_lines() {
    world(
        |_| {},
        |world| async move {
            let app = world.app(
                AppLimits::default(),
                &[("f", "require('fs').writeSync(2, 'raw \\u001b[31mline\\n'); return 'ok'")],
            );
            world.call(&app, "/f").await;
            let record = world.apps.logged_by(&app, LogSource::Function, "raw line").await;
            assert_eq!(record.level, Level::Error);
        },
    );
}

#[test]
fn the_inside_of_the_machine_cannot_be_reached() {
    world(
        |_| {},
        |world| async move {
            let app = world.app(AppLimits::default(), &[("f", "try { const r = await fetch('http://169.254.169.254/'); return r.status + ' ' + await r.text() } catch (e) { return 'error ' + (e.cause?.message ?? e.message) }")]);
            let (_, text) = world.call(&app, "/f").await;
            assert!(text.contains("169.254.169.254:80 is not allowed"), "{text}");
        },
    );
}

#[test]
fn a_stop_lets_requests_finish_and_shutdown_leaves_nothing() {
    world(
        |_| {},
        |world| async move {
            let app = world.app(
                AppLimits::default(),
                &[("slow", "console.log('begun'); await new Promise((done) => setTimeout(done, 300)); return 'done'")],
            );
            let lease = world.engine.acquire(&app).await.unwrap();
            let answer = tokio::spawn(async move { call_on(&lease, "/slow", "").await });
            world.apps.logged_by(&app, LogSource::Function, "begun").await;
            let stopping = {
                let (world, app) = (Arc::clone(&world), app.clone());
                tokio::spawn(async move { world.engine.stop(&app).await })
            };
            assert_eq!(answer.await.unwrap().unwrap(), (200, "done".into()));
            stopping.await.unwrap();
            world.engine.shutdown(1_000).await;
            assert_eq!(world.engine.figures(), (0, 0));
        },
    );
}
