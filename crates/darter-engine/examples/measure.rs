//! Measures the engine on this machine: hot acquire, starts from a filled and an empty pool, thaw, memory of a slot.
//! Prints; asserts nothing. Run as root: `cargo run -p darter-engine --example measure --release`.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::time::Instant;

use darter_core::limits::AppLimits;
use darter_engine::{Engine, InstanceState};
use harness::{World, call_on, world};

async fn first_answers(world: &World, count: usize, pool: bool) -> (Vec<u128>, Vec<u128>) {
    let (mut whole, mut lease_only) = (Vec::new(), Vec::new());
    for _ in 0..count {
        if pool {
            world.engine.pool_full().await;
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let app = world.app(AppLimits::default(), &[("hello", "return 'hello'")]);
        let begun = Instant::now();
        let lease = world.engine.acquire(&app).await.unwrap();
        lease_only.push(begun.elapsed().as_micros());
        assert_eq!(call_on(&lease, "/hello", "").await.unwrap().0, 200);
        whole.push(begun.elapsed().as_micros());
        drop(lease);
        world.engine.stop(&app).await;
    }
    whole.sort_unstable();
    lease_only.sort_unstable();
    (whole, lease_only)
}

fn show(what: &str, sorted: &[u128]) {
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    println!("{what}: p50 {} µs, p99 {} µs, of {}", at(0.5), at(0.99), sorted.len());
}

fn main() {
    world(
        |config| config.pool.size = 2,
        |world| async move {
            let (whole, lease) = first_answers(&world, 60, true).await;
            show("first answer, pool filled", &whole);
            show("  of which acquire", &lease);
            let limits = AppLimits { freeze_after_ms: 500, ..AppLimits::default() };
            let app = world.app(limits, &[("hello", "return 'hello'")]);
            world.call(&app, "/hello").await;
            let mut thaws = Vec::new();
            for _ in 0..10 {
                world.stands(&app, &[InstanceState::Frozen]).await;
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                let begun = Instant::now();
                world.call(&app, "/hello").await;
                thaws.push(begun.elapsed().as_micros());
            }
            thaws.sort_unstable();
            show("first answer, frozen", &thaws);
            println!("memory of an instance: {} KiB", world.engine.status(&app)[0].memory_bytes >> 10);
            let held = world.engine.acquire(&app).await.unwrap();
            let count = 1_000_000u32;
            let begun = Instant::now();
            for _ in 0..count {
                drop(world.engine.acquire(&app).await.unwrap());
            }
            println!("hot acquire and release: {} ns", begun.elapsed().as_nanos() / u128::from(count));
            drop(held);
        },
    );
    world(
        |config| config.pool.size = 0,
        |world| async move {
            let (whole, _) = first_answers(&world, 20, false).await;
            show("first answer, pool empty", &whole);
        },
    );
}
