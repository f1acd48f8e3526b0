//! Archives made and taken by the real program: round trips, and what a hostile one may try.

#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Cursor, Write};
use std::os::unix::fs::{PermissionsExt, symlink};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use support::{Attendant, Reply};
use tar::{EntryType, Header};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

async fn unpack(attendant: &Attendant, name: &str, archive: Vec<u8>) -> Reply {
    let path = format!("/v1/archive?path={}", attendant.query(name));
    attendant.send(Request::post(path).body(Full::from(Bytes::from(archive))).unwrap()).await
}

/// Type, name, link, content.
type Raw<'a> = (EntryType, &'a [u8], &'a [u8], &'a [u8]);

/// A tar of entries whose names nobody checks.
fn tar(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (kind, name, link, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.set_size(content.len() as u64);
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name);
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn entries(attendant: &Attendant, name: &str) -> Vec<String> {
    let folder = std::fs::read_dir(attendant.at(name)).unwrap();
    let mut names: Vec<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_folder_goes_out_and_comes_in_as_it_was() {
    let attendant = Attendant::start();
    std::fs::create_dir_all(attendant.at("project/deep/empty")).unwrap();
    let large: Vec<u8> = (0..400_000_u32).flat_map(u32::to_le_bytes).collect();
    std::fs::write(attendant.at("project/deep/large"), &large).unwrap();
    std::fs::write(attendant.at("project/run"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(attendant.at("project/run"), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::write(attendant.at(&format!("project/{}", "long".repeat(50))), "x").unwrap();
    symlink("run", attendant.at("project/link")).unwrap();
    for format in ["tar.gz", "zip"] {
        let packed = attendant.get(&format!("/v1/archive?path={}&format={format}", attendant.query("project"))).await;
        assert_eq!(packed.status, 200);
        assert!(packed.headers["content-disposition"].to_str().unwrap().contains(&format!("project.{format}")));
        let told = unpack(&attendant, format, packed.body.to_vec()).await;
        assert_eq!(told.json()["files"], 3, "{:?}", told.body);
        let at = |name: &str| attendant.at(&format!("{format}/project/{name}"));
        assert!(std::fs::read(at("deep/large")).unwrap() == large);
        assert!(at("deep/empty").is_dir());
        assert_eq!(std::fs::metadata(at("run")).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read_link(at("link")).unwrap().to_str(), Some("run"));
        assert!(at(&"long".repeat(50)).exists());
        assert_eq!(entries(&attendant, format), ["project"], "no draft is left");
    }
    let odd = attendant.get(&format!("/v1/archive?path={}&format=rar", attendant.query("project"))).await;
    assert_eq!(odd.fault(), (400, "request.invalid".into()));
}

#[tokio::test]
async fn a_link_that_leads_out_is_packed_as_a_link() {
    let attendant = Attendant::start();
    std::fs::create_dir(attendant.at("project")).unwrap();
    symlink("/etc", attendant.at("project/etc")).unwrap();
    let packed = attendant.get(&format!("/v1/archive?path={}", attendant.query("project"))).await;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&packed.body[..]));
    let kinds: Vec<EntryType> = archive.entries().unwrap().map(|entry| entry.unwrap().header().entry_type()).collect();
    assert_eq!(kinds, [EntryType::Symlink]);
    assert_eq!(unpack(&attendant, "again", packed.body.to_vec()).await.fault(), (400, "archive.refused".into()));
}

#[tokio::test]
async fn a_hostile_archive_is_refused_and_nothing_is_written() {
    use EntryType::{Block, Char, Directory, Fifo, Link, Regular, Symlink};
    let attendant = Attendant::start();
    std::fs::create_dir(attendant.at("into")).unwrap();
    let fine: Raw<'_> = (Regular, b"fine", b"", b"x");
    let tars: Vec<(&str, Vec<u8>)> = vec![
        ("absolute", tar(&[fine, (Regular, b"/tmp/evil", b"", b"x")])),
        ("zip slip", tar(&[fine, (Regular, b"../evil", b"", b"x")])),
        ("a slip in the middle", tar(&[fine, (Regular, b"a/../../evil", b"", b"x")])),
        ("twice", tar(&[fine, (Regular, b"./fine", b"", b"y")])),
        ("a newline", tar(&[fine, (Regular, b"new\nline", b"", b"x")])),
        ("a link out", tar(&[fine, (Symlink, b"out", b"/etc", b"")])),
        ("through a link", tar(&[fine, (Symlink, b"d", b"x", b""), (Regular, b"d/evil", b"", b"x")])),
        ("a link by way of another", tar(&[(Symlink, b"d", b".", b""), (Symlink, b"e", b"d/..", b"")])),
        ("a hard link out", tar(&[fine, (Link, b"hard", b"/etc/passwd", b"")])),
        ("a device", tar(&[fine, (Block, b"sda", b"", b"")])),
        ("another device", tar(&[fine, (Char, b"mem", b"", b"")])),
        ("a pipe", tar(&[fine, (Fifo, b"pipe", b"", b"")])),
        ("below a file", tar(&[fine, (Directory, b"fine/d", b"", b"")])),
        ("nothing", Vec::new()),
        ("nonsense", vec![b'x'; 5000]),
        ("cut off", tar(&[(Regular, b"a", b"", &[7; 5000])])[..3000].to_vec()),
        ("zip slip, zipped", zip(&[("fine", b"x"), ("../evil", b"x")])),
        ("absolute, zipped", zip(&[("fine", b"x"), ("/tmp/evil", b"x")])),
        ("a backslash", zip(&[("fine", b"x"), ("..\\evil", b"x")])),
        ("a broken zip", zip(&[("fine", &[7; 2000])])[..100].to_vec()),
    ];
    for (what, archive) in tars {
        let reply = unpack(&attendant, "into", archive).await;
        assert_eq!(reply.fault(), (400, "archive.refused".into()), "{what}: {:?}", reply.body);
        assert_eq!(entries(&attendant, "into"), Vec::<String>::new(), "{what}");
    }
    assert!(!attendant.at("evil").exists());
}

#[tokio::test]
async fn a_content_that_is_not_what_was_announced_is_refused() {
    let attendant = Attendant::start();
    std::fs::create_dir(attendant.at("into")).unwrap();
    let mut archive = zip(&[("a", &[b'x'; 1000])]);
    // A byte of the stored content: the checksum is another now.
    let at = archive.windows(10).position(|window| window == [b'x'; 10]).unwrap_or(40);
    archive[at] ^= 0xff;
    assert_eq!(unpack(&attendant, "into", archive).await.status, 400);
    assert_eq!(entries(&attendant, "into"), Vec::<String>::new());
}

#[tokio::test]
async fn a_bomb_is_refused_before_it_is_unpacked() {
    let attendant = Attendant::start();
    std::fs::create_dir(attendant.at("into")).unwrap();
    let mut header = Header::new_gnu();
    header.set_size(1 << 60);
    header.set_mode(0o644);
    header.set_path("bomb").unwrap();
    header.set_cksum();
    let bomb = header.as_bytes().to_vec();
    let reply = unpack(&attendant, "into", bomb).await;
    assert!(matches!(reply.status.as_u16(), 400 | 507), "{:?}", reply.body);
    let entries: Vec<(String, Vec<u8>)> = (0..200_001).map(|index| (format!("{index}"), Vec::new())).collect();
    let many: Vec<Raw<'_>> =
        entries.iter().map(|(name, _)| (EntryType::Regular, name.as_bytes(), &b""[..], &b""[..])).collect();
    assert_eq!(unpack(&attendant, "into", tar(&many)).await.fault(), (400, "archive.refused".into()));
    assert_eq!(std::fs::read_dir(attendant.at("into")).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_there_is_kept_or_overwritten_but_never_written_through() {
    let attendant = Attendant::start();
    let outside = attendant.folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "theirs").unwrap();
    std::fs::create_dir_all(attendant.at("into/d")).unwrap();
    std::fs::write(attendant.at("into/d/old"), "old").unwrap();
    std::fs::write(attendant.at("into/d/same"), "old").unwrap();
    symlink(outside.join("file"), attendant.at("into/link")).unwrap();
    let archive = zip(&[("d/same", b"new"), ("d/more", b"new"), ("link", b"new")]);
    assert_eq!(unpack(&attendant, "into", archive).await.status, 200);
    let read = |name: &str| std::fs::read_to_string(attendant.at(name)).unwrap();
    assert_eq!(
        (read("into/d/old"), read("into/d/same"), read("into/d/more")),
        ("old".into(), "new".into(), "new".into())
    );
    assert_eq!(read("into/link"), "new");
    assert_eq!(std::fs::read_to_string(outside.join("file")).unwrap(), "theirs");
    symlink(&outside, attendant.at("into/folder")).unwrap();
    let through = unpack(&attendant, "into", zip(&[("other", b"x"), ("folder/evil", b"x")])).await;
    assert_eq!(through.fault(), (409, "file.exists".into()));
    assert!(!outside.join("evil").exists() && !attendant.at("into/other").exists());
    assert_eq!(unpack(&attendant, "into", zip(&[("d", b"x")])).await.fault(), (409, "file.exists".into()));
}
