//! Dependencies and the language server, with the real package manager in real sandboxes and packages of the test's own.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

mod harness;

use std::collections::BTreeMap;

use darter_core::AppId;
use darter_core::limits::AppLimits;
use darter_engine::{Engine, InstallProgress, InstallRequest, ProjectFile};
use harness::{World, world};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn install(world: &World, app: &AppId, packages: &[(&str, &str)]) -> InstallProgress {
    let packages =
        packages.iter().map(|(name, range)| ((*name).to_owned(), (*range).to_owned())).collect::<BTreeMap<_, _>>();
    let request = InstallRequest { app: app.clone(), packages, lockfile: None };
    let mut events = world.engine.install(request).await.unwrap();
    let mut last = None;
    while let Some(event) = events.recv().await {
        last = Some(event);
    }
    last.unwrap()
}

#[test]
fn installed_packages_are_there_at_the_next_start_and_compiled_ahead() {
    world(
        |_| {},
        |world| async move {
            let app = world.app(
                AppLimits::default(),
                &[("f", "return require('is-odd')(3) + ' ' + require('fs').existsSync('/app/.cache')")],
            );
            let InstallProgress::Installed { digest, packages, lockfile, bytes } =
                install(&world, &app, &[("is-odd", "3.0.1")]).await
            else {
                panic!("the install failed")
            };
            assert_eq!((packages[0].name.as_str(), packages[0].version.as_str()), ("is-odd", "3.0.1"));
            assert!(bytes > 0 && lockfile.contains("is-number"));
            world.change(&app, |bundle| bundle.dependencies = Some(digest));
            assert_eq!(world.call(&app, "/f").await, (200, "true true".into()));
        },
    );
}

#[test]
fn a_package_or_version_that_does_not_exist_is_told_in_words() {
    world(
        |_| {},
        |world| async move {
            let app = world.app(AppLimits::default(), &[]);
            let InstallProgress::Failed { code, message } = install(&world, &app, &[("is-odd", "99.0.0")]).await else {
                panic!()
            };
            assert_eq!(code, "dependencies.no_version", "{message}");
            let InstallProgress::Failed { code, message } =
                install(&world, &app, &[("@darter-dev/there-is-no-such-package", "1")]).await
            else {
                panic!()
            };
            assert_eq!(code, "dependencies.not_found", "{message}");
        },
    );
}

#[test]
fn the_language_server_answers_over_the_apps_files() {
    world(
        |_| {},
        |world| async move {
            let app = world.app(AppLimits::default(), &[]);
            let files = vec![ProjectFile { path: "hello.ts".into(), text: "export const x: number = 'no';\n".into() }];
            let mut server = world.engine.language_server(&app, files, None).await.unwrap();
            let ask = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"processId":null,"rootUri":"file:///work/project/","capabilities":{}}}"#;
            server.stdin.write_all(format!("Content-Length: {}\r\n\r\n{ask}", ask.len()).as_bytes()).await.unwrap();
            let mut seen = Vec::new();
            while !String::from_utf8_lossy(&seen).contains("capabilities") {
                let read = server.stdout.read_buf(&mut seen).await.unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&seen));
            }
        },
    );
}
