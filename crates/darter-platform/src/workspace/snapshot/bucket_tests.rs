//! Snapshots' data against a real S3 server, and against one that fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use darter_attendant::snapshot::line::{Body, Entry, EntryKind};
use darter_core::{SystemRandom, WorkspaceId};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::bucket::Bucket;
use super::manifest::Item;
use super::pack::Packer;
use super::store_config::SnapshotStore;
use super::vault::{Part, Vault, name_of};
use crate::config::SecretText;

/// An S3 server with a bucket; its folder and address.
async fn server() -> (tempfile::TempDir, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("homes")).unwrap();
    let mut builder = s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
    builder.set_auth(s3s::auth::SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await
            });
        }
    });
    (folder, address)
}

fn config(endpoint: &str, secret: &str) -> SnapshotStore {
    SnapshotStore {
        store: "s3".into(),
        bucket: "homes".into(),
        endpoint: endpoint.into(),
        prefix: "darter/one".into(),
        access_key: "key".into(),
        secret_key: SecretText::new(secret),
        ..SnapshotStore::default()
    }
}

fn vault(endpoint: &str) -> Vault {
    Vault::in_bucket(Bucket::new(&config(endpoint, "secret"), 6).unwrap())
}

/// A file as a home has it.
fn file() -> Item {
    Item::new(Entry {
        path: b"a".to_vec(),
        kind: EntryKind::File,
        mode: 0o644,
        mtime_ns: 1,
        ctime_ns: 1,
        inode: 1,
        size: 24 << 20,
        body: Body::Bytes(24 << 20, None),
    })
}

/// In front of a server: breaks the first connections in turn, then lets everything through.
async fn broken(behind: &str, breaks: usize) -> (String, Arc<AtomicUsize>) {
    let behind = behind.trim_start_matches("http://").to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (turn, behind) = (counted.fetch_add(1, Ordering::SeqCst), behind.clone());
            tokio::spawn(async move {
                if turn >= breaks {
                    let mut there = TcpStream::connect(behind).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut stream, &mut there).await;
                    return;
                }
                let _ = stream.read(&mut [0; 4096]).await;
                let answer: &[u8] = if turn % 2 == 0 {
                    b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                } else {
                    b"HTTP/1.1 200 OK\r\nlast-modified: Wed, 25 Nov 2026 08:00:00 GMT\r\netag: \"a\"\r\ncontent-length: 900\r\nconnection: close\r\n\r\nshort"
                };
                let _ = stream.write_all(answer).await;
            });
        }
    });
    (address, count)
}

#[tokio::test]
async fn what_is_kept_in_a_bucket_comes_back_is_kept_once_and_goes() {
    let (folder, address) = server().await;
    let vault = vault(&address);
    let (ours, theirs) = (WorkspaceId::generate(&SystemRandom), WorkspaceId::generate(&SystemRandom));
    let (name, stored) = vault.put(&ours, Part::Chunk, vec![7; 100_000]).await.unwrap();
    assert!(stored > 0 && stored < 1_000, "it is compressed: {stored}");
    assert_eq!(vault.put(&ours, Part::Chunk, vec![7; 100_000]).await.unwrap(), (name.clone(), 0));
    assert_eq!(vault.get(&ours, Part::Chunk, &name).await.unwrap(), vec![7; 100_000]);
    assert!(vault.get(&theirs, Part::Chunk, &name).await.is_err(), "nobody reads what others keep");
    let (kept, _) = vault.put(&ours, Part::Chunk, b"kept".to_vec()).await.unwrap();
    vault.sweep(&ours, Part::Chunk, [kept.clone()].into()).await.unwrap();
    let missing = vault.get(&ours, Part::Chunk, &name).await.unwrap_err().to_string();
    assert!(missing.contains(&name), "{missing}");
    let object = folder.path().join(format!("homes/darter/one/{ours}/chunks/{}/{kept}", &kept[..2]));
    std::fs::write(&object, zstd::bulk::compress(b"else", 1).unwrap()).unwrap();
    let wrong = vault.get(&ours, Part::Chunk, &kept).await.unwrap_err().to_string();
    assert!(wrong.contains(&kept) && wrong.contains("not what its name says"), "{wrong}");
    vault.forget(&ours).await.unwrap();
    vault.forget(&ours).await.unwrap();
    assert!(!object.exists());
}

#[tokio::test]
async fn many_chunks_travel_at_a_time_and_the_same_one_once() {
    let (_folder, address) = server().await;
    let (vault, id) = (vault(&address), WorkspaceId::generate(&SystemRandom));
    let mut packer = Packer::new(&vault, &id);
    let mut bytes = vec![0; 24 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes[..12 << 20]);
    let mut items = vec![file()];
    packer.push(&mut items, 0, &bytes).await.unwrap();
    packer.finish(&mut items).await.unwrap();
    assert!(packer.stored > 12 << 20 && packer.stored < 14 << 20, "{}", packer.stored);
    let mut back = Vec::new();
    for slice in &items[0].slices {
        let chunk = vault.get(&id, Part::Chunk, &slice.0).await.unwrap();
        back.extend_from_slice(&chunk[slice.1 as usize..][..slice.2 as usize]);
    }
    assert!(back == bytes);
}

#[tokio::test]
async fn errors_and_torn_answers_are_tried_again() {
    let (_folder, address) = server().await;
    let id = WorkspaceId::generate(&SystemRandom);
    let noise: Vec<u8> = name_of(b"x").repeat(1_000).into_bytes();
    let (name, _) = vault(&address).put(&id, Part::Chunk, noise.clone()).await.unwrap();
    // The first connection answers with an error.
    let (broken, count) = broken(&address, 1).await;
    assert_eq!(vault(&broken).get(&id, Part::Chunk, &name).await.unwrap(), noise);
    assert!(count.load(Ordering::SeqCst) > 1);
}

#[tokio::test]
async fn a_body_that_is_too_short_is_never_believed() {
    let (_folder, address) = server().await;
    let id = WorkspaceId::generate(&SystemRandom);
    let (name, _) = vault(&address).put(&id, Part::Chunk, b"whole".to_vec()).await.unwrap();
    // An error, then a torn body: whatever becomes of it, it is the whole or an error.
    let (broken, _) = broken(&address, 2).await;
    if let Ok(bytes) = vault(&broken).get(&id, Part::Chunk, &name).await {
        assert_eq!(bytes, b"whole");
    }
}

#[tokio::test]
async fn who_is_not_let_in_and_who_is_not_there_are_told_apart_from_damage() {
    let (_folder, address) = server().await;
    let id = WorkspaceId::generate(&SystemRandom);
    assert!(Bucket::new(&config(&address, "secret"), 0).unwrap().answers().await.is_ok());
    let refused = Bucket::new(&config(&address, "wrong"), 0).unwrap();
    assert_eq!(refused.answers().await.unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    let refused = Vault::in_bucket(refused);
    let fault = super::unkept(refused.put(&id, Part::Chunk, b"x".to_vec()).await.unwrap_err());
    assert_eq!(fault.code, "snapshot.store_unreachable");
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = Vault::in_bucket(Bucket::new(&config(&format!("http://{gone}"), "secret"), 0).unwrap());
    let fault = super::unread(gone.get(&id, Part::Chunk, &name_of(b"x")).await.unwrap_err());
    assert_eq!(fault.code, "snapshot.store_unreachable");
}
