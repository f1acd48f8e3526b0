//! Single files and folders through the real program: ranges, versions, links, odd names, what is no file.

#![allow(clippy::unwrap_used)]

mod support;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use support::{Attendant, eventually};

fn request(method: &str, path: &str, header: (&'static str, &str), body: &str) -> Request<Full<Bytes>> {
    let builder = Request::builder().method(method).uri(path).header(header.0, header.1);
    builder.body(Full::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn what_is_written_is_read_whole_or_in_part() {
    let attendant = Attendant::start();
    let path = format!("/v1/files?path={}", attendant.query("a b.txt"));
    let written = attendant.put(&format!("{path}&mode=640"), "0123456789").await.json();
    assert_eq!((written["size"].as_u64(), written["mode"].as_u64()), (Some(10), Some(0o640)));
    let whole = attendant.get(&path).await;
    assert_eq!(
        (whole.body.as_ref(), whole.headers["accept-ranges"].as_bytes()),
        (b"0123456789".as_slice(), b"bytes".as_slice())
    );
    let part = attendant.send(request("GET", &path, ("range", "bytes=2-4"), "")).await;
    assert_eq!((part.status.as_u16(), part.body.as_ref()), (206, b"234".as_slice()));
    assert_eq!(part.headers["content-range"], "bytes 2-4/10");
    let beyond = attendant.send(request("GET", &path, ("range", "bytes=10-"), "")).await;
    assert_eq!(beyond.fault(), (416, "file.range".into()));
    let tag = whole.headers["etag"].to_str().unwrap().to_owned();
    assert_eq!(attendant.send(request("GET", &path, ("if-none-match", &tag), "")).await.status, 304);
}

#[tokio::test]
async fn a_large_file_is_streamed() {
    let attendant = Attendant::start();
    let content: Vec<u8> = (0..5_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let path = format!("/v1/files?path={}", attendant.query("large"));
    assert_eq!(attendant.put(&path, content.clone()).await.status, 200);
    assert!(attendant.get(&path).await.body == content);
    assert!(attendant.private_memory() < 16 << 10, "{} KiB", attendant.private_memory());
}

#[tokio::test]
async fn a_file_that_somebody_else_changed_is_not_overwritten() {
    let attendant = Attendant::start();
    let path = format!("/v1/files?path={}", attendant.query("a"));
    let first = attendant.send(request("PUT", &path, ("if-none-match", "*"), "1")).await;
    let tag = first.json()["etag"].as_str().unwrap().to_owned();
    let again = attendant.send(request("PUT", &path, ("if-none-match", "*"), "2")).await;
    assert_eq!(again.fault(), (409, "file.exists".into()));
    assert_eq!(attendant.send(request("PUT", &path, ("if-match", &tag), "22")).await.status, 200);
    let late = attendant.send(request("PUT", &path, ("if-match", &tag), "333")).await;
    assert_eq!(late.fault(), (412, "file.changed".into()));
    assert_eq!(std::fs::read(attendant.at("a")).unwrap(), b"22");
    assert_eq!(std::fs::read_dir(&attendant.home).unwrap().count(), 1, "no draft is left");
}

#[tokio::test]
async fn an_upload_that_breaks_off_changes_nothing() {
    use tokio::io::AsyncWriteExt;
    let attendant = Attendant::start();
    std::fs::write(attendant.at("a"), "old").unwrap();
    let mut stream = tokio::net::UnixStream::connect(&attendant.socket).await.unwrap();
    let head =
        format!("PUT /v1/files?path={} HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf", attendant.query("a"));
    stream.write_all(head.as_bytes()).await.unwrap();
    let drafts = || std::fs::read_dir(&attendant.home).unwrap().count();
    eventually("a draft", async || drafts() == 2).await;
    drop(stream);
    eventually("no draft", async || drafts() == 1).await;
    assert_eq!(std::fs::read(attendant.at("a")).unwrap(), b"old");
}

#[tokio::test]
async fn a_link_is_written_through_and_a_mode_is_kept() {
    let attendant = Attendant::start();
    std::fs::write(attendant.at("real"), "1").unwrap();
    std::fs::set_permissions(attendant.at("real"), PermissionsExt::from_mode(0o755)).unwrap();
    symlink("real", attendant.at("link")).unwrap();
    attendant.put(&format!("/v1/files?path={}", attendant.query("link")), "2").await;
    assert_eq!(std::fs::read(attendant.at("real")).unwrap(), b"2");
    assert!(std::fs::symlink_metadata(attendant.at("link")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(attendant.at("real")).unwrap().permissions().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn what_is_no_regular_file_is_neither_read_nor_waited_for() {
    let attendant = Attendant::start();
    let fifo = attendant.at("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(attendant.at("socket")).unwrap();
    for (name, code) in [("fifo", "file.not_a_file"), ("", "file.is_a_directory"), ("none", "file.not_found")] {
        assert_eq!(attendant.get(&format!("/v1/files?path={}", attendant.query(name))).await.fault().1, code, "{name}");
    }
    assert_eq!(attendant.get("/v1/files?path=/dev/zero").await.fault().1, "file.not_a_file");
    assert!(attendant.get(&format!("/v1/files?path={}", attendant.query("socket"))).await.status.is_server_error());
    for name in ["fifo", ""] {
        let fault = attendant.put(&format!("/v1/files?path={}", attendant.query(name)), "x").await;
        assert_eq!(fault.status, 409, "{name}");
    }
}

#[tokio::test]
async fn names_of_any_bytes_are_listed_and_found() {
    let attendant = Attendant::start();
    for name in [b"line\nbreak".as_slice(), b"\xff\xfe", b"plain", b"-rf"] {
        std::fs::write(attendant.home.join(OsStr::from_bytes(name)), name).unwrap();
    }
    symlink("/nowhere", attendant.at("z")).unwrap();
    let list = attendant.get(&format!("/v1/list?path={}", attendant.query(""))).await.json();
    let names: Vec<&str> =
        list["entries"].as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["-rf", "line\nbreak", "plain", "z", "\u{fffd}\u{fffd}"]);
    assert_eq!((list["entries"][4]["name_b64"].as_str(), list["more"].as_bool()), (Some("//4="), Some(false)));
    assert_eq!(list["entries"][3]["type"], "link");
    let odd = attendant.get(&format!("/v1/files?path={}%FF%FE", attendant.query("") + "%2F")).await;
    assert_eq!(odd.body.as_ref(), b"\xff\xfe");
    let link = attendant.get(&format!("/v1/stat?path={}", attendant.query("z"))).await.json();
    assert_eq!(
        (link["type"].as_str(), link["link"].as_str(), &link["target"]),
        (Some("link"), Some("/nowhere"), &Value::Null)
    );
}

#[tokio::test]
async fn a_folder_of_too_many_entries_is_told_in_part() {
    let attendant = Attendant::start();
    for index in 0..10_001 {
        std::fs::write(attendant.at(&format!("{index}")), "").unwrap();
    }
    let list = attendant.get(&format!("/v1/list?path={}", attendant.query(""))).await.json();
    assert_eq!((list["entries"].as_array().unwrap().len(), list["more"].as_bool()), (10_000, Some(true)));
}

#[tokio::test]
async fn entries_are_made_moved_copied_and_deleted() {
    let attendant = Attendant::start();
    let at = |name: &str| attendant.at(name).to_str().unwrap().to_owned();
    let post = async |what: &str, body: Value| attendant.post(&format!("/v1/{what}"), &body).await;
    assert_eq!(post("mkdir", json!({"path": at("a/b")})).await.json()["type"], "directory");
    std::fs::write(attendant.at("a/b/x"), "x").unwrap();
    symlink("/etc", attendant.at("a/out")).unwrap();
    assert_eq!(post("copy", json!({"from": at("a"), "to": at("c")})).await.status, 200);
    assert!(std::fs::symlink_metadata(attendant.at("c/out")).unwrap().is_symlink());
    assert_eq!(post("copy", json!({"from": at("a"), "to": at("c")})).await.fault().1, "file.exists");
    assert_eq!(post("copy", json!({"from": at("a"), "to": at("a/b/a")})).await.fault().1, "request.invalid");
    assert_eq!(post("rename", json!({"from": at("a"), "to": at("a/b/a")})).await.fault().1, "request.invalid");
    assert_eq!(post("rename", json!({"from": at("a"), "to": at("c")})).await.fault().1, "file.exists");
    assert_eq!(post("rename", json!({"from": at("a"), "to": at("c"), "overwrite": true})).await.status, 200);
    let over_itself = post("rename", json!({"from": at("c/b/x"), "to": at("c"), "overwrite": true})).await;
    assert_eq!(over_itself.fault().1, "request.invalid");
    assert_eq!(post("rename", json!({"from": at("c/b/x"), "to": at("y")})).await.status, 200);
    assert_eq!(post("rename", json!({"from": at("y"), "to": at("c"), "overwrite": true})).await.status, 200);
    assert_eq!(std::fs::read(attendant.at("c")).unwrap(), b"x");
    assert_eq!(post("rename", json!({"from": at("none"), "to": at("d")})).await.fault().1, "file.not_found");
    post("mkdir", json!({"path": at("full/er")})).await;
    assert_eq!(post("delete", json!({"path": at("full")})).await.fault().1, "file.not_empty");
    assert_eq!(post("delete", json!({"path": at("full"), "recursive": true})).await.status, 200);
    assert_eq!(post("delete", json!({"path": "/"})).await.fault().1, "request.invalid");
    assert_eq!(std::fs::read_dir(&attendant.home).unwrap().count(), 1);
}

#[tokio::test]
async fn deleting_a_tree_follows_no_link_and_opens_what_is_locked() {
    let attendant = Attendant::start();
    std::fs::create_dir_all(attendant.at("keep")).unwrap();
    std::fs::write(attendant.at("keep/file"), "").unwrap();
    std::fs::create_dir_all(attendant.at("tree/locked/in")).unwrap();
    symlink(attendant.at("keep"), attendant.at("tree/locked/link")).unwrap();
    std::fs::set_permissions(attendant.at("tree/locked"), PermissionsExt::from_mode(0o000)).unwrap();
    let path = attendant.at("tree").to_str().unwrap().to_owned();
    assert_eq!(attendant.post("/v1/delete", &json!({"path": path, "recursive": true})).await.status, 200);
    assert!(attendant.at("keep/file").exists());
}

#[tokio::test]
async fn everything_is_on_the_disk_when_a_sync_answers() {
    let attendant = Attendant::start();
    assert_eq!(attendant.post("/v1/sync", &json!({})).await.status, 200);
}
