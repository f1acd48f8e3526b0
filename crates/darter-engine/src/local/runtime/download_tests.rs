//! Downloads from a registry of the test's own: a socket of the loopback that answers as it is told.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Serves one answer per connection and keeps what was asked.
async fn registry(answers: Vec<Vec<u8>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/npm/", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut head).await.unwrap();
            }
            seen.lock().unwrap().push(String::from_utf8(head).unwrap().to_lowercase());
            stream.write_all(&answer).await.unwrap();
        }
    });
    (address, asked)
}

fn answer(status: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn wanted(content: &[u8]) -> Download {
    let integrity = format!("sha512-{}", BASE64_STANDARD.encode(Sha512::digest(content)));
    Download { package: "@scope/tool".into(), version: "1.2.3".into(), integrity, files: Default::default() }
}

async fn fetch(answers: Vec<Vec<u8>>, content: &[u8]) -> (Result<Vec<u8>, String>, Vec<String>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (address, asked) = registry(answers).await;
    let downloads = Downloads::new(folder.path(), &address, None).unwrap();
    let fetched = downloads.fetch(&wanted(content), &|_, _| {}).await.map(|mut file| {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    });
    if fetched.is_ok() {
        // A second time nobody is asked.
        downloads.fetch(&wanted(content), &|_, _| {}).await.unwrap();
    }
    let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let asked = asked.lock().unwrap().clone();
    (fetched, asked, left.collect())
}

#[tokio::test]
async fn an_archive_is_fetched_checked_and_kept() {
    let (fetched, asked, left) = fetch(vec![answer("200 OK", 7, b"archive")], b"archive").await;
    assert_eq!(fetched.unwrap(), b"archive");
    assert_eq!(asked.len(), 1);
    assert!(asked[0].starts_with("get /npm/@scope/tool/-/tool-1.2.3.tgz "), "{}", asked[0]);
    assert!(left.len() == 1 && left[0].ends_with(".tgz"), "{left:?}");
}

#[tokio::test]
async fn a_broken_transfer_goes_on_where_it_stopped() {
    let answers = vec![answer("200 OK", 7, b"arc"), answer("206 Partial Content", 4, b"hive")];
    let (fetched, asked, _) = fetch(answers, b"archive").await;
    assert_eq!(fetched.unwrap(), b"archive");
    assert!(asked[1].contains("range: bytes=3-"), "{}", asked[1]);
}

#[tokio::test]
async fn what_was_not_promised_is_never_kept() {
    let (fetched, asked, left) = fetch(vec![answer("200 OK", 4, b"evil"); 4], b"archive").await;
    assert!(fetched.unwrap_err().contains("sha512"));
    assert_eq!(asked.len(), 4);
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn a_missing_archive_is_not_asked_for_again() {
    let (fetched, asked, _) = fetch(vec![answer("404 Not Found", 0, b"")], b"archive").await;
    assert!(fetched.unwrap_err().contains("404"));
    assert_eq!(asked.len(), 1);
}
