//! Snapshots: what the attendant sends is kept by content, comes back byte by byte, and is believed only when it is whole.

use darter_platform::workspace::snapshot::make_due;
use darter_testkit::{Browser, TestPlatform};
use serde_json::{Value, json};

use crate::world::{path, until, workspace};

/// An entry as the attendant writes it, with its bytes.
fn entry(path: &str, body: &[u8], mtime: i64) -> Vec<u8> {
    let line = json!({ "path": path, "type": "file", "mode": 420, "mtime_ns": mtime, "size": body.len(), "ctime_ns": 1,
                       "inode": 7, "body": body.len() });
    [line.to_string().as_bytes(), b"\n", body].concat()
}

fn line(value: &Value) -> Vec<u8> {
    format!("{value}\n").into_bytes()
}

fn folder(path: &str) -> Vec<u8> {
    line(
        &json!({ "path": path, "type": "directory", "mode": 493, "mtime_ns": 1, "size": 0, "ctime_ns": 1, "inode": 3 }),
    )
}

fn end() -> Vec<u8> {
    line(&json!({ "end": true, "files": 0, "bytes": 0 }))
}

/// Bytes that no compressor makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn sends(test: &TestPlatform, parts: &[Vec<u8>]) {
    *test.workspaces.home.lock().unwrap() = parts.concat();
}

async fn snap(browser: &Browser, id: &darter_core::WorkspaceId) -> Value {
    let made = browser.post(&path(id, "/snapshots"), json!({ "label": "mine" })).await;
    assert_eq!(made.status, 201, "{made:?}");
    made.body
}

#[tokio::test]
async fn a_home_comes_back_as_it_was_and_is_kept_once() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    let large = noise(6 << 20);
    sends(&test, &[folder("src"), entry("src/large.bin", &large, 5), entry("src/small.txt", b"hello", 6), end()]);
    let first = snap(&ada, &id).await;
    assert_eq!((&first["files"], &first["bytes"], &first["label"]), (&json!(2), &json!((6 << 20) + 5), &json!("mine")));
    assert!(first["stored_bytes"].as_u64().unwrap() > 6 << 20);
    test.clock.advance(1_000);
    let unchanged = json!({ "path": "src/large.bin", "type": "file", "mode": 420, "mtime_ns": 5, "size": 6 << 20,
                            "ctime_ns": 1, "inode": 7, "body": null });
    test.workspaces.take();
    sends(&test, &[folder("src"), line(&unchanged), entry("src/small.txt", b"hello again", 9), end()]);
    let second = snap(&ada, &id).await;
    assert!(second["stored_bytes"].as_u64().unwrap() < 10_000, "what is kept already costs nothing: {second}");
    let asked = test.workspaces.take().join(" ");
    assert!(asked.contains("\"path\":\"src/large.bin\"") && asked.contains("\"inode\":7"), "{asked}");
    let of =
        |snapshot: &Value, rest: &str| path(&id, &format!("/snapshots/{}{rest}", snapshot["id"].as_str().unwrap()));
    for snapshot in [&first, &second] {
        let read = ada.get(&of(snapshot, "/files?path=/home/user/src/large.bin")).await;
        assert_eq!((read.status, read.bytes == large), (200, true));
    }
    let old = ada.get(&of(&first, "/files?path=src/small.txt")).await;
    assert_eq!(String::from_utf8_lossy(&old.bytes), "hello");
    let names = |answer: &darter_testkit::Answer| {
        let entries = answer.body["entries"].as_array().unwrap().clone();
        entries.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&ada.get(&of(&first, "/folder")).await), ["src"]);
    assert_eq!(names(&ada.get(&of(&first, "/folder?path=/home/user/src/")).await), ["large.bin", "small.txt"]);
    assert_eq!(ada.get(&of(&first, "/folder?path=/home/user/no")).await.code(), "snapshot.path_not_found");
    sends(&test, &[end()]);
    test.clock.advance(1_000);
    test.workspaces.take();
    assert_eq!(ada.post(&of(&first, "/restore"), json!({})).await.status, 204);
    assert!(test.workspaces.take().iter().any(|call| call == "replace"), "all of it, at once");
    let back = test.workspaces.home.lock().unwrap().clone();
    let text = String::from_utf8_lossy(&back);
    assert!(text.starts_with("{\"clear\":true,\"root\":\"/home/user\"}\n"), "{}", &text[..80]);
    assert!(back.windows(large.len()).any(|window| window == large) && text.contains("hello{"));
    assert!(text.ends_with(&format!("{{\"end\":true,\"files\":2,\"bytes\":{}}}\n", (6 << 20) + 5)));
    let listed = ada.get(&path(&id, "/snapshots")).await;
    let why: Vec<&str> = listed.items().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert_eq!(why, ["restore", "manual", "manual"], "what was there was saved before");
    sends(&test, &[end()]);
    test.clock.advance(1_000);
    let only = json!({ "path": "/home/user/src/small.txt" });
    assert_eq!(ada.post(&of(&second, "/restore"), only).await.status, 204);
    let back = String::from_utf8(test.workspaces.home.lock().unwrap().clone()).unwrap();
    assert!(back.contains("hello again") && !back.contains("large.bin") && back.contains("\"clear\":false"), "{back}");
    assert_eq!(ada.delete(&of(&first, "")).await.status, 204);
    assert_eq!(ada.get(&of(&first, "/files?path=src/small.txt")).await.code(), "snapshot.not_found");
    let read = ada.get(&of(&second, "/files?path=src/large.bin")).await;
    assert!(read.bytes == large, "what another one needs stays");
    let copy = json!({ "name": "Copy", "snapshot": second["id"] });
    assert_eq!(ada.post(&path(&id, "/clone"), copy).await.status, 201);
    assert!(String::from_utf8_lossy(&test.workspaces.home.lock().unwrap()).contains("hello again"));
}

#[tokio::test]
async fn what_is_not_whole_is_no_snapshot() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    let said = |name: &str, body: Value| json!({ "path": name, "type": "file", "mode": 0, "mtime_ns": 1, "size": 9, "ctime_ns": 1, "inode": 1, "body": body });
    let mut huge = said("a", json!(1u64 << 60));
    huge["size"] = json!(1u64 << 60);
    for (parts, code) in [
        (vec![entry("a", b"x", 1)], "snapshot.incomplete"),
        (vec![line(&said("a", json!(9))), b"short".to_vec()], "snapshot.incomplete"),
        (vec![line(&said("a", Value::Null)), end()], "snapshot.incomplete"),
        (vec![b"not json\n".to_vec()], "snapshot.incomplete"),
        (vec![vec![b'x'; 600_000]], "snapshot.incomplete"),
        (vec![line(&json!({ "type": "file" })), end()], "snapshot.incomplete"),
        (vec![line(&said("../a", json!(9)))], "snapshot.incomplete"),
        (vec![line(&json!({ "torn": true })), end()], "snapshot.incomplete"),
        (vec![line(&huge)], "snapshot.too_large"),
    ] {
        sends(&test, &parts);
        assert_eq!(ada.post(&path(&id, "/snapshots"), json!({})).await.code(), code);
    }
    assert!(ada.get(&path(&id, "/snapshots")).await.items().is_empty());
    let label = json!({ "label": "x".repeat(101) });
    assert_eq!(ada.post(&path(&id, "/snapshots"), label).await.code(), "snapshot.label_invalid");
}

#[tokio::test]
async fn somebody_may_ask_for_so_many_snapshots_and_no_more() {
    let test = TestPlatform::start().await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| now["observed"]["state"] == "running").await;
    sends(&test, &[end()]);
    let first = snap(&ada, &id).await;
    for _ in 1..50 {
        snap(&ada, &id).await;
    }
    assert_eq!(ada.post(&path(&id, "/snapshots"), json!({})).await.code(), "snapshot.too_many");
    let first = first["id"].as_str().unwrap();
    assert_eq!(ada.delete(&path(&id, &format!("/snapshots/{first}"))).await.status, 204);
    snap(&ada, &id).await;
}

#[tokio::test]
async fn the_timetable_saves_what_is_used_and_lets_go_of_its_oldest() {
    let test = TestPlatform::with(|config| config.workspaces.snapshots_keep = 2).await;
    let ada = test.person("ada").await;
    let id = workspace(&ada).await;
    until(&ada, &id, |now| !now["observed"]["start"].is_null()).await;
    test.platform.settle().await;
    sends(&test, &[entry("a", b"by hand", 1), end()]);
    let kept = snap(&ada, &id).await;
    assert_eq!(make_due(&test.platform).await.unwrap(), 0, "the last one is young");
    for turn in 0..4 {
        test.clock.advance(6 * 3_600_000 + 1);
        sends(&test, &[entry("a", format!("turn {turn}").as_bytes(), turn), end()]);
        while make_due(&test.platform).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    }
    let listed = ada.get(&path(&id, "/snapshots")).await;
    let why: Vec<&str> = listed.items().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert_eq!(why, ["timetable", "timetable", "manual"], "what somebody asked for stays");
    let read = ada.get(&path(&id, &format!("/snapshots/{}/files?path=a", kept["id"].as_str().unwrap()))).await;
    assert_eq!(String::from_utf8_lossy(&read.bytes), "by hand");
}
