//! How instances come, rest, and go, with real sandboxes and a real runtime.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod harness;

use std::sync::Arc;

use darter_core::limits::AppLimits;
use darter_engine::{Engine, InstanceState};
use harness::{call_on, function, world};
use tokio::task::JoinSet;

#[test]
fn an_app_answers_from_the_pool_and_tells_its_phases() {
    world(
        |_| {},
        |world| async move {
            world.engine.pool_full().await;
            let app = world.app(AppLimits::default(), &[("hello", "return 'hello ' + ctx.method")]);
            let lease = world.engine.acquire(&app).await.unwrap();
            let start = lease.start.clone().unwrap();
            assert_eq!(start.from, "pool");
            let names: Vec<&str> = start.phases.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["bundle", "pool", "limits", "load"]);
            assert_eq!(call_on(&lease, "/hello", "").await.unwrap(), (200, "hello GET".into()));
            drop(lease);
            assert_eq!(world.call(&app, "/hello").await, (200, "hello GET".into()));
            assert!(world.engine.acquire(&app).await.unwrap().start.is_none());
            let status = world.engine.status(&app);
            assert_eq!((status.len(), status[0].requests_total), (1, 3));
            assert!(status[0].memory_bytes > 0);
        },
    );
}

#[test]
fn an_app_answers_without_a_pool_and_many_who_come_at_once_share_one_start() {
    world(
        |config| config.pool.size = 0,
        |world| async move {
            let app = world.app(AppLimits::default(), &[("hello", "return 'hello'")]);
            let mut all = JoinSet::new();
            for _ in 0..50 {
                let (world, app) = (Arc::clone(&world), app.clone());
                all.spawn(async move { world.call(&app, "/hello").await });
            }
            while let Some(answer) = all.join_next().await {
                assert_eq!(answer.unwrap(), (200, "hello".into()));
            }
            assert_eq!(world.engine.status(&app).len(), 1);
        },
    );
}

#[test]
fn a_quiet_instance_freezes_thaws_for_a_request_and_stops_and_the_app_starts_again() {
    world(
        |_| {},
        |world| async move {
            let limits = AppLimits { freeze_after_ms: 500, stop_after_ms: 500, ..AppLimits::default() };
            let app =
                world.app(limits, &[("count", "globalThis.n = (globalThis.n ?? 0) + 1; return String(globalThis.n)")]);
            assert_eq!(world.call(&app, "/count").await.1, "1");
            world.stands(&app, &[InstanceState::Frozen]).await;
            let lease = world.engine.acquire(&app).await.unwrap();
            assert_eq!(lease.start.clone().unwrap().from, "frozen");
            assert_eq!(call_on(&lease, "/count", "").await.unwrap().1, "2");
            drop(lease);
            world.stands(&app, &[]).await;
            assert_eq!(world.call(&app, "/count").await.1, "1");
        },
    );
}

#[test]
fn an_app_at_rest_is_forgotten() {
    world(
        |_| {},
        |world| async move {
            let app = world.app(AppLimits::default(), &[("hello", "return 'hello'")]);
            world.call(&app, "/hello").await;
            assert_eq!(world.engine.figures().1, 1);
            world.engine.stop(&app).await;
            world.stands(&app, &[]).await;
            while world.engine.figures().1 > 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(world.call(&app, "/hello").await.0, 200);
        },
    );
}

#[test]
fn publishing_under_load_loses_no_request_and_reaches_a_frozen_instance() {
    world(
        |_| {},
        |world| async move {
            let limits = AppLimits { freeze_after_ms: 500, ..AppLimits::default() };
            let app = world.app(limits, &[("f", "return '1'")]);
            world.call(&app, "/f").await;
            let mut all = JoinSet::new();
            for _ in 0..4 {
                let (world, app) = (Arc::clone(&world), app.clone());
                all.spawn(async move {
                    let mut seen = 0;
                    while seen < 20 {
                        let (status, text) = world.call(&app, "/f").await;
                        assert_eq!(status, 200);
                        let now: u32 = text.parse().unwrap();
                        assert!(now >= seen, "{now} after {seen}");
                        seen = now;
                    }
                });
            }
            for version in 2..=20 {
                world.change(&app, |bundle| {
                    bundle.functions = vec![function("f", version, &format!("return '{version}'"))]
                });
                world.engine.publish(&app, function("f", version, &format!("return '{version}'"))).await.unwrap();
                assert_eq!(world.call(&app, "/f").await, (200, version.to_string()));
            }
            while let Some(done) = all.join_next().await {
                done.unwrap();
            }
            world.stands(&app, &[InstanceState::Frozen]).await;
            world.engine.publish(&app, function("f", 21, "return '21'")).await.unwrap();
            assert_eq!(world.call(&app, "/f").await, (200, "21".into()));
            world.engine.remove(&app, "f").await.unwrap();
            assert_eq!(world.call(&app, "/f").await.0, 404);
        },
    );
}

#[test]
fn variables_drafts_and_old_versions_are_there_when_the_call_returns() {
    world(
        |_| {},
        |world| async move {
            let app = world.app(AppLimits::default(), &[("f", "return process.env.X ?? 'none'")]);
            assert_eq!(world.call(&app, "/f").await.1, "none");
            world.engine.environment(&app, [("X".to_owned(), "1".to_owned())].into()).await.unwrap();
            assert_eq!(world.call(&app, "/f").await.1, "1");
            let lease = world.engine.draft(&app, "abc", function("f", 0, "return 'draft'")).await.unwrap();
            assert_eq!(call_on(&lease, "/f", "draft:abc").await.unwrap().1, "draft");
            let lease = world.engine.pinned(&app, function("f", 7, "return 'seven'")).await.unwrap();
            assert_eq!(call_on(&lease, "/f", "7").await.unwrap().1, "seven");
            assert_eq!(call_on(&lease, "/f", "").await.unwrap().1, "1");
        },
    );
}

#[test]
fn a_full_app_queues_then_refuses_and_grows_only_to_its_limit() {
    world(
        |_| {},
        |world| async move {
            let limits = AppLimits { concurrency: 1, instances_max: 2, queue: 1, ..AppLimits::default() };
            let app = world.app(limits, &[("f", "return 'ok'")]);
            let first = world.engine.acquire(&app).await.unwrap();
            let second = world.engine.acquire(&app).await.unwrap();
            assert_eq!(world.engine.status(&app).len(), 2);
            let mut waiting = Box::pin(world.engine.acquire(&app));
            assert!(futures_util::poll!(&mut waiting).is_pending());
            let refused = world.engine.acquire(&app).await.unwrap_err();
            assert_eq!((refused.code, refused.retry_after), ("app.overloaded", Some(1)));
            drop(first);
            let third = waiting.await.unwrap();
            assert_eq!(call_on(&third, "/f", "").await.unwrap(), (200, "ok".into()));
            drop(second);
        },
    );
}

#[test]
fn a_minimum_of_instances_is_kept_and_a_restart_replaces_them() {
    world(
        |_| {},
        |world| async move {
            let limits = AppLimits {
                instances_min: 2,
                instances_max: 3,
                freeze_after_ms: 500,
                stop_after_ms: 500,
                ..AppLimits::default()
            };
            let app = world.app(limits, &[("f", "return String(process.env.V)")]);
            world.call(&app, "/f").await;
            world.stands(&app, &[InstanceState::Frozen, InstanceState::Frozen]).await;
            let before: Vec<String> = world.engine.status(&app).into_iter().map(|status| status.id).collect();
            world.change(&app, |bundle| {
                bundle.environment.insert("V".into(), "2".into());
            });
            world.engine.restart(&app).await;
            assert_eq!(world.call(&app, "/f").await.1, "2");
            assert!(world.engine.status(&app).iter().all(|status| !before.contains(&status.id)));
        },
    );
}

#[test]
fn a_minimum_stands_before_the_first_request_and_comes_back_after_a_crash_and_a_stop() {
    world(
        |_| {},
        |world| async move {
            let limits = AppLimits { instances_min: 2, instances_max: 3, freeze_after_ms: 500, ..AppLimits::default() };
            let die = "process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})";
            let app = world.app(limits, &[("f", "return 'ok'"), ("die", die)]);
            let both = [InstanceState::Frozen, InstanceState::Frozen];
            world.engine.warm(&app);
            world.engine.warm(&app);
            world.stands(&app, &both).await;
            let lease = world.engine.acquire(&app).await.unwrap();
            assert_eq!(lease.start.clone().unwrap().from, "frozen");
            assert!(call_on(&lease, "/die", "").await.is_err());
            drop(lease);
            world.apps.told(&app, "signal 9").await;
            world.stands(&app, &both).await;
            world.engine.stop(&app).await;
            assert!(world.engine.status(&app).is_empty());
            world.engine.warm(&app);
            world.stands(&app, &both).await;
        },
    );
}

#[test]
fn warming_an_app_that_is_gone_leaves_nothing() {
    world(
        |_| {},
        |world| async move {
            let nobody = darter_core::AppId::generate(&darter_core::SystemRandom);
            world.engine.warm(&nobody);
            while world.engine.figures().1 > 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(world.engine.acquire(&nobody).await.unwrap_err().code, "app.not_found");
        },
    );
}

#[test]
fn an_unknown_app_is_an_unknown_app() {
    world(
        |_| {},
        |world| async move {
            let nobody = darter_core::AppId::generate(&darter_core::SystemRandom);
            assert_eq!(world.engine.acquire(&nobody).await.unwrap_err().code, "app.not_found");
            assert_eq!(world.engine.figures().1, 0);
            world.engine.restart(&nobody).await;
            world.engine.stop(&nobody).await;
            assert!(world.engine.publish(&nobody, function("f", 1, "")).await.is_ok());
            assert_eq!(world.engine.figures().1, 0);
        },
    );
}
