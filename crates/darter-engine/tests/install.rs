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

/// A package that writes without end when it is installed, on a port of this machine.
fn endless_package() -> String {
    let manifest = r#"{"name":"endless","version":"1.0.0","scripts":{"postinstall":"node fill.js"}}"#;
    let fill = "const fs = require('fs'); const piece = Buffer.alloc(4 << 20, 1); for (let n = 0; ; n++) fs.writeFileSync('piece-' + n, piece);";
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, text) in [("package/package.json", manifest), ("package/fill.js", fill)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    let archive = archive.into_inner().unwrap().finish().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4_096]);
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", archive.len());
            let _ = std::io::Write::write_all(&mut stream, &[head.as_bytes(), &archive].concat());
        }
    });
    format!("http://{address}/endless.tgz")
}

#[test]
fn an_install_that_fills_the_disk_is_stopped_at_the_operators_limit() {
    world(
        |config| {
            config.install.max_bytes = 64 << 20;
            config.egress.allow_networks.push("127.0.0.1/32".parse().unwrap());
        },
        |world| async move {
            let app = world.app(AppLimits::default(), &[]);
            let InstallProgress::Failed { code, message } =
                install(&world, &app, &[("endless", &endless_package())]).await
            else {
                panic!("the install came to an end")
            };
            assert_eq!(code, "dependencies.too_large", "{message}");
            assert!(message.contains("was stopped") && message.contains("64 MiB"), "{message}");
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
