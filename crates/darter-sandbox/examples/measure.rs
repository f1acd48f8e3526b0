//! Measures each operation of a sandbox on this machine: `cargo run --release -p darter-sandbox --example measure`.
//!
//! Prints p50 and p99 in microseconds. Needs root. Judges nothing: targets live in `SPECIFICATION.md`.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use darter_sandbox::{Bind, Launcher, LauncherClient, LauncherConfig, Limits, Owner, Sandbox, Spec, volume};

const ROUNDS: usize = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data = tempfile::tempdir()?;
    let root = data.path().canonicalize()?;
    std::fs::create_dir_all(root.join("apps/one"))?;
    let config = LauncherConfig::for_data_dir(&root, Owner { uid: 65_534, gid: 65_534 });
    let launcher = Launcher::fork(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let client = launcher.connect().await?;
        println!("{:<34} {:>9} {:>9} {:>9}", "µs", "p50", "p99", "least");
        one_by_one(&client, &root.join("apps/one")).await?;
        volumes(&client, &root.join("workspaces")).await?;
        side_by_side(&client).await?;
        client.close().await;
        Ok(())
    })
}

fn spec(egress: bool) -> Spec {
    let mut spec = Spec::new(["/bin/sleep", "1000"]);
    spec.limits = Limits { memory: 64 << 20, pids: 32, ..Limits::default() };
    spec.root.attach_points = vec!["/app/node_modules".into()];
    spec.egress = egress;
    spec
}

#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn since(&mut self, start: Instant) {
        self.0.push(start.elapsed());
    }

    fn print(mut self, what: &str) {
        self.0.sort();
        let micros = |index: usize| self.0[index.min(self.0.len() - 1)].as_secs_f64() * 1e6;
        let (half, most) = (micros(self.0.len() / 2), micros(self.0.len() * 99 / 100));
        println!("{what:<34} {half:>9.1} {most:>9.1} {:>9.1}", micros(0));
    }
}

async fn one_by_one(client: &LauncherClient, folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut times: [Times; 8] = Default::default();
    for round in 0..ROUNDS {
        let start = Instant::now();
        let sandbox: Sandbox = client.create(spec(round % 2 == 0)).await?;
        times[0].since(start);
        times[1].0.push(sandbox.built_in());
        let start = Instant::now();
        sandbox.attach(vec![Bind::read_only(folder, "/app/node_modules")]).await?;
        times[2].since(start);
        let start = Instant::now();
        sandbox.set_limits(&Limits { memory: 128 << 20, pids: 64, ..Limits::default() })?;
        times[3].since(start);
        let start = Instant::now();
        sandbox.freeze().await?;
        times[4].since(start);
        let start = Instant::now();
        sandbox.thaw()?;
        times[5].since(start);
        let start = Instant::now();
        sandbox.usage()?;
        times[6].since(start);
        let start = Instant::now();
        sandbox.kill().await;
        times[7].since(start);
    }
    let names = [
        "create, until the program runs",
        "  of that in the launcher",
        "attach one bind",
        "set limits",
        "freeze",
        "thaw (call returns)",
        "usage",
        "kill, until all is dead",
    ];
    times.into_iter().zip(names).for_each(|(times, name)| times.print(name));
    Ok(())
}

async fn volumes(client: &LauncherClient, folder: &std::path::Path) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(folder)?;
    let (template, home) = (folder.join("template.img"), folder.join("home.img"));
    let mut times: [Times; 4] = Default::default();
    for _ in 0..ROUNDS / 4 {
        let start = Instant::now();
        volume::make(&template, 10 << 30)?;
        times[0].since(start);
        let start = Instant::now();
        volume::copy(&template, &home)?;
        times[1].since(start);
        let mut waiting = spec(false);
        waiting.root.writable_points = vec!["/home/user".into()];
        let sandbox = client.create(waiting).await?;
        let start = Instant::now();
        sandbox.attach(vec![Bind::volume(&home, "/home/user")]).await?;
        times[2].since(start);
        let start = Instant::now();
        sandbox.kill().await;
        times[3].since(start);
        std::fs::remove_file(&template)?;
    }
    let names = ["make a volume", "copy a volume, on disk", "attach a volume", "kill, volume written out"];
    times.into_iter().zip(names).for_each(|(times, name)| times.print(name));
    Ok(())
}

async fn side_by_side(client: &LauncherClient) -> Result<(), Box<dyn std::error::Error>> {
    let other = client.create(spec(false)).await?;
    let start = Instant::now();
    let mut made = tokio::task::JoinSet::new();
    for _ in 0..ROUNDS / 4 {
        let client = client.clone();
        made.spawn(async move { client.create(spec(false)).await });
    }
    let (mut freezes, mut thaws) = (Times::default(), Times::default());
    for _ in 0..20 {
        let start = Instant::now();
        other.freeze().await?;
        freezes.since(start);
        let start = Instant::now();
        other.thaw()?;
        thaws.since(start);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let made: Vec<_> = made.join_all().await;
    let each = start.elapsed() / made.len() as u32;
    println!("{:<34} {:>9.1} (each of {})", "create, all at once", each.as_secs_f64() * 1e6, made.len());
    freezes.print("freeze during creations");
    thaws.print("thaw during creations");
    Ok(())
}
