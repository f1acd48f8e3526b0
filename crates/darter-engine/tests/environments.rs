//! Environments, installed in real sandboxes from recipes of the test's own.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use darter_core::workspace::EnvironmentName;
use darter_engine::EngineConfig;
use darter_engine::environment::{Catalogue, Environments, InstallEvent, State};
use harness::world;

const BASE: &str = r#"
title = "Base"
description = "What the other one adds to."
trim = ["**/*.map"]

[files]
tool = "bin/tool"

[[step]]
title = "making"
argv = ["/bin/sh", "-ec", "mkdir lib; echo one > lib/one; echo x > lib/one.map; ln -s one lib/link; bin/tool"]

[editor]
kind = "jupyter"
argv = ["/env/base/bin/tool"]
health = "/"
"#;

const MORE: &str = r#"
title = "More"
description = "Adds to base."
extends = "base"
path = ["/env/more/bin"]

[[step]]
title = "using what is below"
argv = ["/bin/sh", "-ec", "cat /env/base/lib/one > copy; umask 077; mkdir own; echo kept > own/file; ! touch /env/base/lib/new 2>/dev/null"]
"#;

fn recipes(config: &EngineConfig, extra: &[(&str, &str)]) {
    for (name, text) in [("base", BASE), ("more", MORE)].iter().chain(extra) {
        let folder = config.data.join("recipes").join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("environment.toml"), text).unwrap();
        fs::write(folder.join("tool"), "#!/bin/sh\necho the tool runs\n").unwrap();
    }
}

fn name(text: &str) -> EnvironmentName {
    text.parse().unwrap()
}

/// Installs it; what was said, and how it ended.
async fn install(all: &Arc<Catalogue>, which: &str) -> (Vec<String>, InstallEvent) {
    let mut events = Arc::clone(all).install(&name(which)).unwrap().unwrap();
    let mut lines = Vec::new();
    loop {
        match events.recv().await.unwrap() {
            InstallEvent::Output { line } => lines.push(line),
            end @ (InstallEvent::Installed { .. } | InstallEvent::Failed { .. }) => return (lines, end),
            InstallEvent::Phase { .. } | InstallEvent::Download { .. } => {}
        }
    }
}

fn state(all: &Arc<Catalogue>, which: &str) -> State {
    all.inspect(&name(which)).unwrap().state
}

fn only_folder(path: &Path) -> PathBuf {
    let mut found = fs::read_dir(path).unwrap();
    let first = found.next().unwrap().unwrap().path();
    assert!(found.next().is_none());
    first
}

#[test]
fn an_environment_and_what_it_extends_are_installed_verified_repaired_and_removed() {
    world(
        |config| recipes(config, &[]),
        |world| async move {
            let all = world.engine.environments();
            assert_eq!(state(all, "more"), State::Available);
            assert_eq!(all.installed(&name("more")).await.unwrap_err().code, "environment.not_installed");
            let (lines, end) = install(all, "more").await;
            assert!(matches!(end, InstallEvent::Installed { .. }), "{end:?}");
            assert!(lines.iter().any(|line| line == "the tool runs"), "{lines:?}");
            let more = all.installed(&name("more")).await.unwrap();
            assert_eq!(fs::read_to_string(more.root.join("more/copy")).unwrap(), "one\n");
            assert_eq!(fs::read_to_string(more.root.join("base/lib/one")).unwrap(), "one\n");
            let kept = fs::metadata(more.root.join("more/own/file")).unwrap();
            assert_eq!(
                kept.permissions().mode() & 0o777,
                0o644,
                "a workspace must be able to read what an install kept"
            );
            assert!(!more.root.join("base/lib/one.map").exists());
            assert!(more.env.iter().any(|(name, value)| name == "PATH" && value.starts_with("/env/more/bin:")));
            assert!(Arc::clone(all).install(&name("base")).unwrap().is_none(), "it is there already");

            assert_eq!(all.verify(&name("more")).await.unwrap(), Vec::<String>::new());
            let base = all.installed(&name("base")).await.unwrap();
            fs::write(base.root.join("base/lib/one"), "changed").unwrap();
            assert_eq!(all.verify(&name("base")).await.unwrap(), ["base/lib/one"]);
            assert!(matches!(state(all, "base"), State::Broken { .. }));
            assert_eq!(Arc::clone(all).install(&name("base")).unwrap_err().code, "environment.in_use");
            drop((more, base));
            let (_, end) = install(all, "base").await;
            assert!(matches!(end, InstallEvent::Installed { .. }), "{end:?}");
            assert_eq!(all.verify(&name("base")).await.unwrap(), Vec::<String>::new());

            assert_eq!(all.remove(&name("base")).await.unwrap_err().code, "environment.in_use");
            all.remove(&name("more")).await.unwrap();
            all.remove(&name("base")).await.unwrap();
            assert_eq!(state(all, "base"), State::Available);
        },
    );
}

#[test]
fn an_install_trusts_the_operators_certificates_wherever_they_lie_and_the_systems_too() {
    let look = "grep -c 'BEGIN CERT' $SSL_CERT_FILE; grep operators-own $NODE_EXTRA_CA_CERTS; test $PIP_CERT = $SSL_CERT_FILE;";
    let asking = BASE.replace("mkdir lib;", &format!("{look} mkdir lib;"));
    // Nowhere that a sandbox may be shown.
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("own.pem");
    fs::write(&file, "operators-own\n").unwrap();
    world(
        move |config| {
            recipes(config, &[("asking", &asking)]);
            config.certificates = Some(file);
        },
        |world| async move {
            let (said, end) = install(world.engine.environments(), "asking").await;
            assert!(matches!(end, InstallEvent::Installed { .. }), "{end:?}");
            assert!(said.contains(&"operators-own".to_owned()), "{said:?}");
            assert!(said.iter().any(|line| line.parse::<u32>().is_ok_and(|count| count > 1)), "{said:?}");
        },
    );
}

#[test]
fn a_failed_install_leaves_nothing_and_says_why() {
    let failing = BASE.replace("mkdir lib;", "mkdir lib; echo the reason; exit 3;");
    let lacking = format!("{BASE}\n[host]\nno-such-program = \"no-such-package\"\n");
    world(
        move |config| recipes(config, &[("failing", &failing), ("lacking", &lacking)]),
        |world| async move {
            let all = world.engine.environments();
            for (which, code, word) in [
                ("failing", "environment.step", "the reason"),
                ("lacking", "environment.host", "apt-get install -y no-such-package"),
            ] {
                let (_, end) = install(all, which).await;
                let InstallEvent::Failed { code: said, message } = end else { panic!("{end:?}") };
                assert_eq!(said, code);
                assert!(message.contains(word), "{message}");
                assert!(matches!(state(all, which), State::Broken { .. }));
            }
            let (_, end) = install(all, "base").await;
            assert!(matches!(end, InstallEvent::Installed { .. }), "{end:?}");
            let base = all.installed(&name("base")).await.unwrap();
            let environments = base.root.ancestors().nth(3).unwrap().to_path_buf();
            assert_eq!(only_folder(&environments).file_name().unwrap(), "base");
        },
    );
}
