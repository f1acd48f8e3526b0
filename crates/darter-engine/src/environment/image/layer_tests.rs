//! Layers as builders write them, and as somebody writes them who wants to get out.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

struct Case {
    _host: tempfile::TempDir,
    outside: PathBuf,
    root: PathBuf,
    tree: Tree,
    budget: Budget,
}

/// A folder to unpack into, with a neighbour that must not change.
fn case() -> Case {
    let host = tempfile::tempdir().unwrap();
    let (outside, root) = (host.path().join("outside"), host.path().join("root"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "as it was").unwrap();
    fs::create_dir(&root).unwrap();
    let tree = Tree::open(&root).unwrap();
    Case { _host: host, outside, root, tree, budget: Budget::of_mib(8) }
}

impl Case {
    fn layer(&mut self, entries: &[Entry<'_>]) -> io::Result<()> {
        apply(&tarball(entries)[..], Packing::Plain, &mut self.tree, &mut self.budget)
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap()
    }

    fn is_there(&self, path: &str) -> bool {
        fs::symlink_metadata(self.root.join(path)).is_ok()
    }

    fn assert_outside_is_untouched(&self) {
        let names: Vec<_> = fs::read_dir(&self.outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["kept"]);
        assert_eq!(fs::read_to_string(self.outside.join("kept")).unwrap(), "as it was");
    }
}

type Entry<'a> = (&'a str, EntryType, &'a str);

const F: EntryType = EntryType::Regular;
const D: EntryType = EntryType::Directory;
const S: EntryType = EntryType::Symlink;
const H: EntryType = EntryType::Link;

/// Of a link the text is where it leads.
fn tarball(entries: &[Entry<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, text) in entries {
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        let content = if is_link { "" } else { text };
        let mut header = tar::Header::new_gnu();
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        if is_link {
            header.as_gnu_mut().unwrap().linkname[..text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o6777);
        header.set_mtime(1_000_000_000);
        header.set_uid(0);
        header.set_cksum();
        builder.append(&header, content.as_bytes()).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn files_folders_and_links_are_laid_without_the_right_to_write_or_to_become_another() {
    let mut case = case();
    case.layer(&[
        ("./", D, ""),
        ("usr/bin/tool", F, "tool"),
        ("bin", S, "usr/bin"),
        ("bin/more", F, "more"),
        ("/absolute", H, "usr/bin/tool"),
        ("dev/sda", EntryType::Block, ""),
        ("run/pipe", EntryType::Fifo, ""),
    ])
    .unwrap();
    assert_eq!(case.read("usr/bin/more"), "more", "a path leads through the image's own links");
    let tool = fs::metadata(case.root.join("usr/bin/tool")).unwrap();
    assert_eq!((tool.permissions().mode() & 0o7777, tool.mtime()), (0o755, 1_000_000_000));
    assert_eq!(tool.ino(), fs::metadata(case.root.join("absolute")).unwrap().ino());
    case.layer(&[("lib64", S, "./usr/lib64"), ("lib64/ld.so", F, "loader"), ("up", S, "/../../x"), ("up/y", F, "y")])
        .unwrap();
    assert_eq!((case.read("usr/lib64/ld.so"), case.read("x/y")), ("loader".into(), "y".into()));
    assert!(!case.is_there("dev/sda") && !case.is_there("run/pipe"), "devices and pipes are left behind");
}

#[test]
fn a_layer_replaces_what_is_below_and_folders_merge() {
    let mut case = case();
    case.layer(&[("a/one", F, "1"), ("b/x", F, "x"), ("c", S, "a"), ("d", F, "file")]).unwrap();
    case.layer(&[("a", D, ""), ("a/two", F, "2"), ("b", F, "now a file"), ("c", F, "now a file"), ("d/e", D, "")])
        .unwrap_err();
    case.layer(&[("d", D, ""), ("d/e", F, "e")]).unwrap();
    assert_eq!((case.read("a/one"), case.read("a/two")), ("1".into(), "2".into()));
    assert_eq!(
        (case.read("b"), case.read("c"), case.read("d/e")),
        ("now a file".into(), "now a file".into(), "e".into())
    );
}

#[test]
fn a_changed_file_leaves_its_other_names_as_they_were() {
    let mut case = case();
    case.layer(&[("one", F, "1"), ("same", H, "one")]).unwrap();
    case.layer(&[("one", F, "changed")]).unwrap();
    assert_eq!((case.read("one"), case.read("same")), ("changed".into(), "1".into()));
}

#[test]
fn whiteouts_take_away_what_is_below_and_never_what_their_own_layer_brings() {
    let mut case = case();
    let below: [Entry<'_>; 6] =
        [("a/x", F, "x"), ("a/y/z", F, "z"), ("a/y/w", F, "w"), ("b", F, "b"), ("l", S, "a"), ("keep", F, "k")];
    case.layer(&below).unwrap();
    case.layer(&[("a/y/z", F, "new"), ("a/.wh..wh..opq", F, ""), (".wh.b", F, ""), (".wh.gone", F, "")]).unwrap();
    assert!(!case.is_there("a/x") && !case.is_there("a/y/w") && !case.is_there("b"));
    assert_eq!((case.read("a/y/z"), case.read("keep")), ("new".into(), "k".into()));
    // Either order means the same; and through a link it is the folder that the link means.
    case.layer(&[("a/v", F, "v"), (".wh.a", F, ""), ("l/.wh.v", F, "")]).unwrap();
    assert!(!case.is_there("a/y"));
    assert_eq!(case.read("a/v"), "v");
    case.layer(&[("l/.wh.v", F, ""), ("nowhere/.wh.x", F, ""), ("nowhere/.wh..wh..opq", F, "")]).unwrap();
    assert!(!case.is_there("a/v") && !case.is_there("nowhere"));
    case.layer(&[(".wh..wh.aufs", F, ""), (".wh..wh.plnk/1", F, ""), ("l", F, "")]).unwrap();
    assert!(!case.is_there(".wh..wh.plnk"));
    for bad in [".wh.", ".wh..", ".wh...", "keep/../.wh.x"] {
        assert!(case.layer(&[(bad, F, "")]).is_err(), "{bad}");
    }
    assert_eq!(case.read("keep"), "k");
}

#[test]
fn nothing_leads_out() {
    let outside = "../outside";
    let hostile: [&[Entry<'_>]; 12] = [
        &[("../outside/new", F, "x")],
        &[("a/../../outside/new", F, "x")],
        &[("up", S, ".."), ("up/outside/new", F, "x")],
        &[("up", S, outside), ("up/new", F, "x")],
        &[("up", S, outside), ("up/.wh.kept", F, "")],
        &[("up", S, outside), ("up/.wh..wh..opq", F, "")],
        &[("up", S, outside), ("up", D, ""), ("up/new", F, "x")],
        &[("name", H, "../outside/kept"), ("name", F, "changed")],
        &[("up", S, outside), ("name", H, "up/kept")],
        &[("self", S, "/proc/self/cwd"), ("self/new", F, "x")],
        &[("loop", S, "loop"), ("loop/new", F, "x")],
        &[("up", S, "../outside/kept"), ("up", F, "changed")],
    ];
    for entries in hostile {
        let mut case = case();
        let _ = case.layer(entries);
        case.assert_outside_is_untouched();
    }
    // An absolute link to the very folder outside.
    let mut case = case();
    symlink(&case.outside, case.root.join("planted")).unwrap();
    let _ = case.layer(&[("planted/new", F, "x")]);
    let _ = case.layer(&[("planted/.wh.kept", F, "")]);
    case.assert_outside_is_untouched();
}

#[test]
fn what_cannot_be_right_is_refused_with_its_name() {
    let mut case = case();
    let deep = ["d"; 45].join("/");
    for (entries, word) in [
        (&[("x", H, "missing")][..], "missing"),
        (&[("f", D, ""), ("x", H, "f")], "no file"),
        (&[("x", EntryType::new(b'V'), "")], "not known"),
        (&[("x", EntryType::GNUSparse, "")], "sparse"),
        (&[("f/l", S, "../f/l"), ("f/l/x", F, "")], "symbolic"),
        (&[("l1", S, "f/y"), ("f/y", S, "/l1"), ("l1/x", F, "")], "symbolic"),
    ] {
        let why = case.layer(entries).unwrap_err().to_string();
        assert!(why.contains(word), "{word}: {why}");
    }
    // A link makes a short name of a deep folder, again and again.
    for _ in 0..4 {
        let path = format!("here/{deep}");
        if case.layer(&[(&path, D, ""), ("l", S, &path), ("here", S, "l")]).is_err() {
            break;
        }
    }
    let deepest = crate::local::layout::measure(&case.root);
    assert!(deepest.is_ok(), "{deepest:?}");
}

#[test]
fn a_truncated_archive_is_no_layer() {
    let mut case = case();
    let whole = tarball(&[("file", F, "content that is cut")]);
    assert!(apply(&whole[..520], Packing::Plain, &mut case.tree, &mut case.budget).is_err());
    assert!(
        apply(
            &b"no archive at all, but long enough to be looked at"[..],
            Packing::Gzip,
            &mut case.tree,
            &mut case.budget
        )
        .is_err()
    );
}

#[test]
fn every_packing_is_unpacked_and_a_bomb_stops_at_the_budget() {
    let whole = tarball(&[("file", F, "content")]);
    let gzip = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let (first, second) = whole.split_at(700);
    let members = [gzip(first), gzip(second)].concat();
    let zstd = zstd::encode_all(&whole[..], 1).unwrap();
    for (packing, bytes) in [(Packing::Plain, &whole), (Packing::Gzip, &members), (Packing::Zstd, &zstd)] {
        let mut case = case();
        apply(&bytes[..], packing, &mut case.tree, &mut case.budget).unwrap();
        assert_eq!(case.read("file"), "content", "{packing:?}");
    }
    let big = "0".repeat(9 << 20);
    let mut case = case();
    let why = case.layer(&[("bomb", F, &big)]).unwrap_err().to_string();
    assert!(why.contains("larger than 8 MiB"), "{why}");
    assert!(fs::metadata(case.root.join("bomb")).unwrap().len() < 9 << 20);
}

#[test]
fn long_names_and_pax_headers_are_read_and_bounded() {
    let long = "n".repeat(180);
    let pax = |records: &[(&str, &[u8])]| {
        let mut text = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = rest + (rest + 2).to_string().len();
            text.extend(format!("{length} {key}=").as_bytes());
            text.extend(*value);
            text.push(b'\n');
        }
        String::from_utf8_lossy(&text).into_owned()
    };
    let mut case = case();
    let named =
        pax(&[("SCHILY.xattr.security.capability", b"\x01\n2 x=y"), ("path", long.as_bytes()), ("mtime", b"7.5")]);
    let linked = pax(&[("linkpath", long.as_bytes())]);
    case.layer(&[
        ("p", EntryType::XHeader, &named),
        ("short", F, "by pax"),
        ("q", EntryType::XHeader, &linked),
        ("link", S, "short"),
        ("././@LongLink", EntryType::GNULongName, &format!("{long}-gnu\0")),
        ("short", F, "by gnu"),
        ("g", EntryType::XGlobalHeader, &named),
        ("after", F, "plain"),
    ])
    .unwrap();
    assert_eq!((case.read(&long), case.read(&format!("{long}-gnu"))), ("by pax".into(), "by gnu".into()));
    assert_eq!(fs::metadata(case.root.join(&long)).unwrap().mtime(), 7);
    assert_eq!((case.read("link"), case.read("after")), ("by pax".into(), "plain".into()));
    let endless = "x".repeat(2 << 20);
    for (kind, text) in [
        (EntryType::GNULongName, endless.as_str()),
        (EntryType::XHeader, &endless),
        (EntryType::XHeader, "99999999999999999999 path=x\n"),
        (EntryType::XHeader, "3 x"),
        (EntryType::XHeader, &pax(&[("size", b"5")])),
        (EntryType::XHeader, &pax(&[("GNU.sparse.major", b"1")])),
    ] {
        assert!(case.layer(&[("x", kind, text), ("y", F, "")]).is_err(), "{kind:?} {:.20}", text);
    }
}

#[test]
fn what_the_workloads_own_id_may_read_in_the_image_it_may_read_here() {
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o700);
    for (uid, expected) in [(0, 0o700), (u64::from(WORKLOAD_UID), 0o705)] {
        header.set_uid(uid);
        assert_eq!(mode(&header), expected);
    }
}

#[test]
fn a_media_type_says_how_a_layer_is_packed() {
    for (text, expected) in [
        ("application/vnd.oci.image.layer.v1.tar", Some(Packing::Plain)),
        ("application/vnd.oci.image.layer.v1.tar+gzip", Some(Packing::Gzip)),
        ("application/vnd.oci.image.layer.v1.tar+zstd", Some(Packing::Zstd)),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", Some(Packing::Gzip)),
        ("application/vnd.oci.image.layer.v1.tar+encrypted", None),
        ("application/vnd.wasm.content.layer.v1+wasm", None),
        ("", None),
    ] {
        assert_eq!(Packing::of(text).ok(), expected, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// What `fuzz/targets/layer.rs` looks for over hours.
    #[test]
    fn no_sequence_of_entries_leads_out(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let host = tempfile::tempdir().unwrap();
        crate::hostile::layer(host.path(), &bytes);
    }
}
