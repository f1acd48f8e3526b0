//! The app's file: what is written comes back, and what a hostile zip tries is refused.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};

use darter_core::limits::AppLimits;
use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::archive::{Archive, Manifest, ManifestFunction, ManifestVersion, read, write};

fn sample() -> Archive {
    let mut manifest = Manifest::new("Shop".into(), AppLimits::default());
    let live = ManifestVersion { number: 3, methods: vec!["GET".into()], message: "first".into(), created_at: 5 };
    for (name, live) in [("hello", Some(live.clone())), ("api/users", None), ("api", Some(live))] {
        manifest.functions.push(ManifestFunction {
            name: name.into(),
            description: "d".into(),
            methods: vec!["GET".into(), "POST".into()],
            live,
        });
    }
    manifest.variables.insert("A".into(), "1".into());
    manifest.secrets.push("KEY".into());
    manifest.packages.insert("lodash".into(), "^4".into());
    let text =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Archive {
        manifest,
        drafts: text(&[("hello", "draft"), ("api/users", "never live"), ("api", "same")]),
        live: text(&[("hello", "live"), ("api", "same")]),
        lockfile: Some("{}".into()),
    }
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, content) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn manifest(functions: &[&str]) -> Vec<u8> {
    let mut manifest = Manifest::new("x".into(), AppLimits::default());
    for name in functions {
        let (description, methods) = (String::new(), vec!["GET".to_owned()]);
        manifest.functions.push(ManifestFunction { name: (*name).into(), description, methods, live: None });
    }
    serde_json::to_vec(&manifest).unwrap()
}

#[test]
fn what_was_exported_is_what_is_imported() {
    assert_eq!(read(&write(&sample()).unwrap()).unwrap(), sample());
}

#[test]
fn hostile_files_are_refused_with_their_reason() {
    let plain = manifest(&["a"]);
    let large = vec![b'x'; 513 << 10];
    let rows: Vec<(Vec<u8>, &str, &str)> = vec![
        (b"not a zip".to_vec(), "app.import_invalid", "not a zip"),
        (Vec::new(), "app.import_invalid", "not a zip"),
        (zip_of(&[]), "app.import_invalid", "no manifest.json"),
        (zip_of(&[("manifest.json", b"{")]), "app.import_invalid", "manifest.json is wrong"),
        (zip_of(&[("manifest.json", &plain), ("../evil.ts", b"")]), "app.import_invalid", "not allowed"),
        (zip_of(&[("manifest.json", &plain), ("functions/../../evil.ts", b"")]), "app.import_invalid", "not allowed"),
        (zip_of(&[("manifest.json", &plain), ("/etc/passwd", b"")]), "app.import_invalid", "not allowed"),
        (zip_of(&[("manifest.json", &plain), ("functions/a\\b.ts", b"")]), "app.import_invalid", "not allowed"),
        (zip_of(&[("manifest.json", &plain), ("functions/a\nb.ts", b"")]), "app.import_invalid", "not allowed"),
        (zip_of(&[("manifest.json", &plain), ("run.sh", b"")]), "app.import_invalid", "does not belong"),
        (zip_of(&[("manifest.json", &plain)]), "app.import_invalid", "functions/a.ts is missing"),
        (
            zip_of(&[("manifest.json", &plain), ("functions/a.ts", b""), ("functions/b.ts", b"")]),
            "app.import_invalid",
            "does not name",
        ),
        (
            zip_of(&[("manifest.json", &plain), ("functions/a.ts", b""), ("live/a.ts", b"")]),
            "app.import_invalid",
            "no version",
        ),
        (zip_of(&[("manifest.json", &plain), ("functions/a.ts", b"\xff")]), "app.import_invalid", "not UTF-8"),
        (zip_of(&[("manifest.json", &plain), ("functions/a.ts", &large)]), "app.import_too_large", "larger than"),
        (zip_of(&[("manifest.json", &manifest(&["a", "a"])), ("functions/a.ts", b"")]), "app.import_invalid", "twice"),
        (zip_of(&[("manifest.json", &manifest(&["../a"]))]), "function.name_invalid", "A function's name"),
    ];
    for (bytes, code, part) in rows {
        let fault = read(&bytes).expect_err(part);
        assert_eq!(fault.code, code, "{}", fault.message);
        assert!(fault.message.contains(part), "{part}: {}", fault.message);
    }
}

#[test]
fn links_are_refused() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.add_symlink("functions/a.ts", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    let fault = read(&zip.finish().unwrap().into_inner()).unwrap_err();
    assert!(fault.message.contains("is a link"), "{}", fault.message);
}

#[test]
fn two_entries_with_one_name_are_refused() {
    let mut bytes = zip_of(&[("manifest.json", b"{}"), ("functions/aa.ts", b""), ("functions/ab.ts", b"")]);
    let (from, to) = (b"functions/ab.ts", b"functions/aa.ts");
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    let fault = read(&bytes).unwrap_err();
    assert!(fault.message.contains("same name"), "{}", fault.message);
}

#[test]
fn a_bomb_stops_at_the_limit_of_its_entry() {
    let bomb = vec![0u8; 40 << 20];
    let bytes = zip_of(&[("manifest.json", &bomb)]);
    assert!(bytes.len() < 100 << 10, "the bomb is small: {}", bytes.len());
    assert_eq!(read(&bytes).unwrap_err().code, "app.import_too_large");
}

#[test]
fn too_many_entries_are_refused() {
    let names: Vec<String> = (0..2_100).map(|number| format!("functions/f{number}.ts")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert!(read(&zip_of(&entries)).unwrap_err().message.contains("entries"));
}

#[test]
fn a_directory_of_a_million_entries_is_refused_before_it_is_read() {
    // The heads alone: reading each would cost some hundred bytes of memory.
    let mut bytes = write(&sample()).unwrap();
    let tail = bytes.split_off(bytes.len() / 2);
    bytes.extend(b"PK\x01\x02".repeat(1_000_000));
    bytes.extend(tail);
    assert!(read(&bytes).unwrap_err().message.contains("more than 2016 entries"));
}

#[test]
fn what_is_not_code_keeps_to_the_rules_for_setting_it_one_by_one() {
    let many = |count: usize| (0..count).map(|number| format!("V{number}"));
    let refused = |change: &dyn Fn(&mut Manifest)| {
        let mut archive = sample();
        change(&mut archive.manifest);
        read(&write(&archive).unwrap()).map(drop).map_err(|fault| fault.code)
    };
    type Row<'a> = (&'a dyn Fn(&mut Manifest), Result<(), &'static str>);
    let rows: [Row<'_>; 7] = [
        (&|one| one.variables = many(200).map(|name| (name, String::new())).collect(), Ok(())),
        (&|one| one.variables = many(201).map(|name| (name, String::new())).collect(), Err("app.import_invalid")),
        (&|one| drop(one.variables.insert("NODE_OPTIONS".into(), "x".into())), Err("variable.name_reserved")),
        (&|one| drop(one.variables.insert("A".into(), "x".repeat(70_000))), Err("variable.value_too_large")),
        (&|one| one.secrets = many(201).collect(), Err("app.import_invalid")),
        (&|one| one.secrets = vec!["x".repeat(1 << 20)], Err("variable.name_invalid")),
        (&|one| drop(one.packages.insert("x".into(), "file:../x".into())), Err("dependency.range_invalid")),
    ];
    for (change, expected) in rows {
        assert_eq!(refused(change), expected);
    }
}

proptest! {
    #[test]
    fn any_app_survives_the_way_out_and_back(sources in proptest::collection::btree_map("[a-z]{1,8}(/[a-z]{1,8}){0,2}", "\\PC{0,60}", 0..8)) {
        let mut manifest = Manifest::new("x".into(), AppLimits::default());
        for name in sources.keys() {
            let (description, methods) = (String::new(), vec!["GET".to_owned()]);
            manifest.functions.push(ManifestFunction { name: name.clone(), description, methods, live: None });
        }
        let archive = Archive { manifest, drafts: sources, live: BTreeMap::new(), lockfile: None };
        prop_assert_eq!(read(&write(&archive).unwrap()).unwrap(), archive);
    }

    #[test]
    fn damaged_files_never_panic(flips in proptest::collection::vec((0usize..4_000, any::<u8>()), 1..10)) {
        let mut bytes = write(&sample()).unwrap();
        for (at, value) in flips {
            let length = bytes.len();
            bytes[at % length] = value;
        }
        let _ = read(&bytes);
    }
}
