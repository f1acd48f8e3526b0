//! Snapshots taken and restored by the real program: what is kept, what is told as unchanged, what is refused.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use bytes::Bytes;
use darter_attendant::snapshot::line::{Body, Entry, EntryKind, Line};
use http::Request;
use http_body_util::Full;
use rustix::fs::{CWD, FileType, Mode, mkdirat, mknodat, openat};
use serde_json::{Value, json};
use support::{Attendant, Reply};

async fn take(attendant: &Attendant, request: Value) -> Bytes {
    let reply = attendant.post("/v1/snapshot", &request).await;
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    reply.body
}

async fn restore(attendant: &Attendant, stream: impl Into<Bytes>) -> Reply {
    attendant.send(Request::post("/v1/restore").body(Full::new(stream.into())).unwrap()).await
}

/// The lines of a stream, without the bytes between them.
fn lines(mut stream: &[u8]) -> Vec<Line> {
    let mut lines = Vec::new();
    while !stream.is_empty() {
        let end = stream.iter().position(|byte| *byte == b'\n').unwrap();
        let line = Line::read(&stream[..end]).unwrap();
        let body = match &line {
            Line::Entry(Entry { body: Body::Bytes(length, _), .. }) | Line::More(length, _) => *length,
            _ => 0,
        };
        stream = &stream[end + 1 + body as usize..];
        lines.push(line);
    }
    assert!(matches!(lines.last(), Some(Line::End { .. })));
    lines
}

fn entries(stream: &[u8]) -> BTreeMap<String, Entry> {
    let entries = lines(stream).into_iter().filter_map(|line| match line {
        Line::Entry(entry) => Some((String::from_utf8_lossy(&entry.path).into_owned(), entry)),
        _ => None,
    });
    entries.collect()
}

/// Everything about a tree that a snapshot keeps.
fn picture(root: &Path) -> Vec<String> {
    let mut seen = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = std::fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_file() {
                darter_hash(&std::fs::read(&path).unwrap())
            } else if meta.is_symlink() {
                std::fs::read_link(&path).unwrap().to_string_lossy().into_owned()
            } else {
                format!("fifo: {}", meta.file_type().is_fifo())
            };
            let times = if meta.is_symlink() { 0 } else { meta.mode() };
            let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().escape_ascii().to_string();
            let facts = (
                times,
                meta.mtime(),
                meta.mtime_nsec(),
                meta.size() * u64::from(!meta.is_dir()),
                meta.nlink() * u64::from(meta.is_file()),
            );
            seen.push(format!("{name} {facts:?} {content}"));
            if meta.is_dir() {
                waiting.push(path);
            }
        }
    }
    seen.sort();
    seen
}

fn darter_hash(bytes: &[u8]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    format!("{:x}", hasher.finish())
}

fn furnish(home: &Path) {
    std::fs::create_dir_all(home.join("deep/er")).unwrap();
    std::fs::write(home.join("deep/er/file"), vec![7; 700_000]).unwrap();
    std::fs::write(home.join("empty"), "").unwrap();
    std::fs::write(home.join(OsStr::from_bytes(b"odd \xff\n\"name")), "odd").unwrap();
    std::fs::write(home.join("script"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(home.join("script"), Permissions::from_mode(0o751)).unwrap();
    std::fs::hard_link(home.join("script"), home.join("deep/same")).unwrap();
    symlink("/etc/passwd", home.join("out")).unwrap();
    symlink(OsStr::from_bytes(b"no\xffwhere"), home.join("deep/dangling")).unwrap();
    mknodat(CWD, home.join("pipe"), FileType::Fifo, Mode::RUSR, 0).unwrap();
    let sparse = File::create(home.join("sparse")).unwrap();
    for place in 0..3000_u64 {
        sparse.write_all_at(b"here", place * 65_536 + 10).unwrap();
    }
    sparse.set_len(1 << 40).unwrap();
    let long_ago = rustix::fs::Timespec { tv_sec: 500_000_000, tv_nsec: 123_456_789 };
    let times = rustix::fs::Timestamps { last_access: long_ago, last_modification: long_ago };
    for name in ["empty", "deep"] {
        rustix::fs::utimensat(CWD, home.join(name), &times, rustix::fs::AtFlags::empty()).unwrap();
    }
    std::fs::set_permissions(home.join("deep/er"), Permissions::from_mode(0o500)).unwrap();
}

#[tokio::test]
async fn a_home_comes_back_as_it_was() {
    let (from, to) = (Attendant::start(), Attendant::start());
    furnish(&from.home);
    let stream = take(&from, json!({"root": from.home, "excludes": []})).await;
    std::fs::write(to.at("stays"), "").unwrap();
    // What is in the way: a folder where a file comes, a link where a folder comes.
    std::fs::create_dir_all(to.at("script/full")).unwrap();
    std::fs::create_dir(to.folder.path().join("elsewhere")).unwrap();
    symlink(to.folder.path().join("elsewhere"), to.at("deep")).unwrap();
    let restored = restore(&to, stream.clone()).await;
    assert_eq!(restored.status, 200, "{:?}", restored.body);
    assert!(to.at("stays").exists());
    std::fs::remove_file(to.at("stays")).unwrap();
    // A terabyte of hole is not read here.
    let sparse = |home: &Attendant| {
        let file = File::open(home.at("sparse")).unwrap();
        let mut piece = [0; 4];
        file.read_exact_at(&mut piece, 2999 * 65_536 + 10).unwrap();
        assert_eq!((&piece, file.metadata().unwrap().len()), (b"here", 1 << 40));
        assert!(file.metadata().unwrap().blocks() < 200_000);
        std::fs::remove_file(home.at("sparse")).unwrap();
    };
    sparse(&from);
    sparse(&to);
    assert_eq!(picture(&to.home), picture(&from.home));
    assert_eq!(std::fs::read_dir(to.folder.path().join("elsewhere")).unwrap().count(), 0);
    assert!(lines(&stream).iter().any(|line| matches!(line, Line::More(..))), "so many pieces need more lines");
}

#[tokio::test]
async fn clearing_first_leaves_nothing_else() {
    let (from, to) = (Attendant::start(), Attendant::start());
    std::fs::write(from.at("a"), "a").unwrap();
    std::fs::create_dir_all(to.at("old/er")).unwrap();
    let stream = take(&from, json!({"root": from.home})).await;
    let head = format!("{}\n", json!({"root": to.home, "clear": true}));
    let restored = restore(&to, [head.as_bytes(), &stream].concat()).await;
    assert_eq!(restored.json(), json!({"files": 1, "bytes": 1}));
    assert_eq!(std::fs::read_dir(&to.home).unwrap().count(), 1);
}

#[tokio::test]
async fn only_what_changed_is_told_again() {
    let attendant = Attendant::start();
    furnish(&attendant.home);
    let first = entries(&take(&attendant, json!({"root": attendant.home})).await);
    let known: Vec<Value> = first
        .values()
        .filter(|entry| entry.kind == EntryKind::File && std::str::from_utf8(&entry.path).is_ok())
        .map(|entry| {
            json!({
                "path": String::from_utf8_lossy(&entry.path), "size": entry.size, "mtime_ns": entry.mtime_ns,
                "ctime_ns": entry.ctime_ns, "inode": entry.inode,
            })
        })
        .collect();
    // The same size and the same time, and still another file.
    let before = std::fs::metadata(attendant.at("deep/er/file")).unwrap();
    std::fs::write(attendant.at("deep/er/file"), vec![8; 700_000]).unwrap();
    File::options()
        .write(true)
        .open(attendant.at("deep/er/file"))
        .unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    std::fs::write(attendant.at("new"), "new").unwrap();
    let stream = take(&attendant, json!({"root": attendant.home, "known": known})).await;
    let told: Vec<String> = entries(&stream)
        .into_iter()
        .filter(|(_, entry)| matches!(entry.body, Body::Bytes(..)))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(told, ["deep/er/file", "new", "odd \u{fffd}\n\"name"]);
    assert_eq!(restore(&attendant, stream).await.fault(), (400, "snapshot.refused".into()), "contents are missing");
}

#[tokio::test]
async fn what_is_excluded_is_not_told_and_the_order_is_that_of_names() {
    let attendant = Attendant::start();
    for name in ["node_modules/x/y", "src/a", ".cache/z", "b"] {
        std::fs::create_dir_all(attendant.at(name).parent().unwrap()).unwrap();
        std::fs::write(attendant.at(name), "").unwrap();
    }
    let excludes = json!({"root": attendant.home, "excludes": ["**/node_modules/**", ".cache"]});
    let stream = take(&attendant, excludes).await;
    let paths: Vec<String> = lines(&stream)
        .iter()
        .filter_map(|line| match line {
            Line::Entry(entry) => Some(String::from_utf8_lossy(&entry.path).into_owned()),
            _ => None,
        })
        .collect();
    assert_eq!(paths, ["b", "src", "src/a"]);
}

fn directory(path: &str) -> Line {
    let path = path.as_bytes().to_vec();
    let (mode, mtime_ns, ctime_ns, inode, size) = (0o755, 0, 0, 0, 0);
    Line::Entry(Entry { path, kind: EntryKind::Directory, mode, mtime_ns, ctime_ns, inode, size, body: Body::None })
}

#[tokio::test]
async fn a_stream_that_is_no_snapshot_is_refused() {
    let attendant = Attendant::start();
    std::fs::write(attendant.at("a"), vec![1; 100_000]).unwrap();
    let stream = take(&attendant, json!({"root": attendant.home})).await;
    let end = Line::End { files: 0, bytes: 0 }.write();
    let evil = r#"{"path":"../evil","type":"directory"}"#;
    for (bad, why) in [
        (stream[..stream.len() - 1].to_vec(), "cut off in the last line"),
        (stream[..1000].to_vec(), "cut off in a file"),
        (Vec::new(), "nothing"),
        (format!("{evil}\n").into_bytes(), "a path that leads out"),
        (b"nonsense\n".to_vec(), "no line"),
        (vec![b'x'; 600 << 10], "a line without end"),
        ([end.clone(), end.clone()].concat(), "two ends"),
        (Line::End { files: 1, bytes: 0 }.write(), "a wrong count"),
        ([Line::More(1, vec![(0, 1)]).write(), b"x".to_vec(), end].concat(), "more of nothing"),
    ] {
        assert_eq!(restore(&attendant, bad).await.fault(), (400, "snapshot.refused".into()), "{why}");
    }
    assert_eq!(std::fs::read_dir(&attendant.home).unwrap().count(), 1, "no draft is left");
    assert_eq!(std::fs::read(attendant.at("a")).unwrap().len(), 100_000);
}

#[tokio::test]
async fn a_link_in_the_way_is_never_followed() {
    let attendant = Attendant::start();
    let outside = attendant.folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    symlink(&outside, attendant.at("link")).unwrap();
    let stream = [directory("link/new").write(), Line::End { files: 0, bytes: 0 }.write()].concat();
    assert!(!restore(&attendant, stream).await.status.is_success());
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    let other = Attendant::start();
    std::fs::write(other.at("x"), "x").unwrap();
    let line = json!({"path": "x/y/z", "type": "hardlink", "link": "x"}).to_string();
    assert!(!restore(&other, format!("{line}\n")).await.status.is_success());
}

#[tokio::test]
async fn ten_thousand_levels_and_a_million_bytes_of_names_come_back() {
    let (from, to) = (Attendant::start(), Attendant::start());
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC;
    let mut at = rustix::fs::open(&from.home, flags, Mode::empty()).unwrap();
    for _ in 0..10_000 {
        mkdirat(&at, "d", Mode::RWXU).unwrap();
        at = openat(&at, "d", flags, Mode::empty()).unwrap();
    }
    drop(at);
    for index in 0..20_000 {
        std::fs::write(from.at(&format!("{index:050}")), "").unwrap();
    }
    let stream = take(&from, json!({"root": from.home})).await;
    assert!(from.private_memory() < 24 << 10, "{} KiB", from.private_memory());
    let restored = restore(&to, stream).await;
    assert_eq!(restored.json(), json!({"files": 20_000, "bytes": 0}));
    for attendant in [&from, &to] {
        let path = attendant.at("d").to_str().unwrap().to_owned();
        let deleted = attendant.post("/v1/delete", &json!({"path": path, "recursive": true})).await;
        assert_eq!(deleted.status, 200, "{:?}", deleted.body);
    }
}

#[tokio::test]
async fn a_home_that_changes_meanwhile_makes_a_whole_snapshot() {
    let attendant = Attendant::start();
    for index in 0..2000 {
        std::fs::write(attendant.at(&format!("{index}")), vec![1; 2000]).unwrap();
    }
    let home = attendant.home.clone();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = stop.clone();
    let churn = std::thread::spawn(move || {
        let mut index = 0_u32;
        while !flag.load(std::sync::atomic::Ordering::Relaxed) {
            index += 1;
            let path = home.join(format!("{}", index % 2000));
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::write(&path, vec![2; (index % 5000) as usize]);
            if let Ok(file) = File::options().write(true).open(home.join(format!("{}", index * 7 % 2000))) {
                let _ = file.set_len(0);
            }
        }
    });
    for _ in 0..5 {
        let stream = take(&attendant, json!({"root": attendant.home})).await;
        assert!(lines(&stream).len() > 1);
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    churn.join().unwrap();
}
