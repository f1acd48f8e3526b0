//! A whole app as one zip file: written for its owner, read from anybody.
//!
//! ```text
//! manifest.json            names, methods, messages, limits, variables, names of secrets, wanted packages
//! functions/<name>.ts      the draft
//! live/<name>.ts           the live version, when it differs from the draft
//! package-lock.json        the lockfile, when there is one
//! ```
//! What is read is hostile: nothing is written to disk, no declared size is believed, and anything that this server
//! would not have written itself is refused with its reason. Values of secrets are never in it.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use darter_core::function::SOURCE_LIMIT;
use darter_core::limits::AppLimits;
use darter_core::{Fault, Kind, function};
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::resource::name::{COUNT_LIMIT, validate_packages, validate_value, validate_variable};

/// Largest file that is taken.
pub const ARCHIVE_LIMIT: usize = 64 << 20;
/// Functions of one app.
pub const FUNCTION_LIMIT: usize = 1_000;
const ENTRY_LIMIT: usize = 2 * FUNCTION_LIMIT + 16;
const UNPACKED_LIMIT: u64 = 128 << 20;
const MANIFEST_LIMIT: usize = 32 << 20;
const LOCKFILE_LIMIT: usize = 16 << 20;
const FORMAT: &str = "darter.app";

/// What `manifest.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `darter.app`
    pub format: String,
    /// 1
    pub version: u32,
    pub name: String,
    pub limits: AppLimits,
    pub functions: Vec<ManifestFunction>,
    pub variables: BTreeMap<String, String>,
    /// Names only: whoever imports sets the values.
    pub secrets: Vec<String>,
    pub packages: BTreeMap<String, String>,
}

/// One function in the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestFunction {
    pub name: String,
    pub description: String,
    pub methods: Vec<String>,
    /// Absent: never published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<ManifestVersion>,
}

/// What is kept of the live version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestVersion {
    /// Its number where it came from; an import counts from 1 again.
    pub number: u32,
    pub methods: Vec<String>,
    pub message: String,
    pub created_at: i64,
}

/// An app's content outside of any store.
#[derive(Debug, Clone, PartialEq)]
pub struct Archive {
    pub manifest: Manifest,
    /// `name → draft`
    pub drafts: BTreeMap<String, String>,
    /// `name → live source`, for functions whose manifest has `live`.
    pub live: BTreeMap<String, String>,
    pub lockfile: Option<String>,
}

impl Manifest {
    pub fn new(name: String, limits: AppLimits) -> Self {
        Self {
            format: FORMAT.into(),
            version: 1,
            name,
            limits,
            functions: Vec::new(),
            variables: BTreeMap::new(),
            secrets: Vec::new(),
            packages: BTreeMap::new(),
        }
    }
}

/// Packs an app. Costs CPU: call it where blocking is allowed.
pub fn write(archive: &Archive) -> Result<Vec<u8>, Fault> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let manifest = serde_json::to_vec_pretty(&archive.manifest).map_err(Fault::internal)?;
    add(&mut zip, "manifest.json", &manifest)?;
    for (name, source) in &archive.drafts {
        add(&mut zip, &format!("functions/{name}.ts"), source.as_bytes())?;
    }
    for (name, source) in archive.live.iter().filter(|(name, source)| archive.drafts.get(*name) != Some(source)) {
        add(&mut zip, &format!("live/{name}.ts"), source.as_bytes())?;
    }
    if let Some(lockfile) = &archive.lockfile {
        add(&mut zip, "package-lock.json", lockfile.as_bytes())?;
    }
    Ok(zip.finish().map_err(Fault::internal)?.into_inner())
}

fn add(zip: &mut ZipWriter<Cursor<Vec<u8>>>, name: &str, content: &[u8]) -> Result<(), Fault> {
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(0o644);
    zip.start_file(name, options).map_err(Fault::internal)?;
    zip.write_all(content).map_err(Fault::internal)
}

/// Unpacks and checks everything that can be checked without a store. Costs CPU.
pub fn read(bytes: &[u8]) -> Result<Archive, Fault> {
    if bytes.len() > ARCHIVE_LIMIT {
        return Err(too_large(format!("the file has {} bytes; the limit is {ARCHIVE_LIMIT}", bytes.len())));
    }
    check_count(bytes)?;
    let mut zip = ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| refuse(format!("it is not a zip file that can be read ({error})")))?;
    check_directory(&mut zip)?;
    let mut entries = read_entries(&mut zip)?;
    let manifest = read_manifest(&entries.remove("manifest.json").ok_or_else(|| refuse("it has no manifest.json"))?)?;
    let lockfile = entries.remove("package-lock.json");
    let (mut drafts, mut live) = (BTreeMap::new(), BTreeMap::new());
    for function in &manifest.functions {
        let draft = entries.remove(&format!("functions/{}.ts", function.name)).ok_or_else(|| {
            refuse(format!(
                "its manifest names the function {}, but functions/{}.ts is missing",
                function.name, function.name
            ))
        })?;
        let published = entries.remove(&format!("live/{}.ts", function.name));
        match (&function.live, published) {
            (Some(_), published) => {
                drop(live.insert(function.name.clone(), published.unwrap_or_else(|| draft.clone())))
            }
            (None, None) => {}
            (None, Some(_)) => return Err(refuse(format!("live/{}.ts has no version in the manifest", function.name))),
        }
        drafts.insert(function.name.clone(), draft);
    }
    match entries.keys().next() {
        Some(extra) => Err(refuse(format!("it contains {extra}, which its manifest does not name"))),
        None => Ok(Archive { manifest, drafts, live, lockfile }),
    }
}

/// Before anything is read: the library keeps some hundred bytes for each entry of the directory, and a file of the largest
/// size can name more than a million of them. Compressed bytes look like the head of an entry once in four thousand million.
fn check_count(bytes: &[u8]) -> Result<(), Fault> {
    const HEAD: &[u8] = b"PK\x01\x02";
    let seen = bytes.windows(HEAD.len()).filter(|four| *four == HEAD).take(ENTRY_LIMIT + 65).count();
    if seen > ENTRY_LIMIT + 64 {
        return Err(refuse(format!("it has more than {ENTRY_LIMIT} entries")));
    }
    Ok(())
}

fn check_directory(zip: &mut ZipArchive<Cursor<&[u8]>>) -> Result<(), Fault> {
    if zip.len() > ENTRY_LIMIT {
        return Err(refuse(format!("it has {} entries; the limit is {ENTRY_LIMIT}", zip.len())));
    }
    if zip.has_duplicate_names() {
        return Err(refuse("it contains two entries with the same name"));
    }
    match zip.has_overlapping_entries() {
        Ok(false) => Ok(()),
        Ok(true) => Err(refuse("its entries overlap, as in a zip bomb")),
        Err(error) => Err(refuse(format!("its directory is damaged ({error})"))),
    }
}

fn read_entries(zip: &mut ZipArchive<Cursor<&[u8]>>) -> Result<BTreeMap<String, String>, Fault> {
    let mut entries = BTreeMap::new();
    let mut left = UNPACKED_LIMIT;
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(|error| refuse(format!("entry {index} can not be read ({error})")))?;
        let name = checked_name(entry.name_raw())?;
        if entry.is_dir() {
            continue;
        }
        let mode = entry.unix_mode().unwrap_or(0o100_644) & 0o170_000;
        if entry.is_symlink() || !matches!(mode, 0 | 0o100_000) {
            return Err(refuse(format!("{name} is a link or a device; only plain files are possible")));
        }
        let limit = entry_limit(&name)?;
        let mut content = Vec::new();
        entry
            .take((limit as u64 + 1).min(left + 1))
            .read_to_end(&mut content)
            .map_err(|error| refuse(format!("{name} is damaged ({error})")))?;
        if content.len() > limit || content.len() as u64 > left {
            return Err(too_large(format!(
                "{name} is larger than {limit} bytes, or all files together than {UNPACKED_LIMIT}"
            )));
        }
        left -= content.len() as u64;
        let text = String::from_utf8(content).map_err(|_| refuse(format!("{name} is not UTF-8 text")))?;
        entries.insert(name, text);
    }
    Ok(entries)
}

fn checked_name(raw: &[u8]) -> Result<String, Fault> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/');
    let shown = || String::from_utf8_lossy(&raw[..raw.len().min(80)]).escape_debug().to_string();
    let shaped = raw.iter().all(plain) && raw.len() <= 300;
    let name = std::str::from_utf8(raw).map_err(|_| refuse("a name in it is not UTF-8"))?;
    let inside =
        !name.starts_with('/') && name.trim_end_matches('/').split('/').all(|part| !matches!(part, "" | "." | ".."));
    if shaped && inside { Ok(name.to_owned()) } else { Err(refuse(format!("the name \"{}\" is not allowed", shown()))) }
}

fn entry_limit(name: &str) -> Result<usize, Fault> {
    match name {
        "manifest.json" => Ok(MANIFEST_LIMIT),
        "package-lock.json" => Ok(LOCKFILE_LIMIT),
        name if (name.starts_with("functions/") || name.starts_with("live/")) && name.ends_with(".ts") => {
            Ok(SOURCE_LIMIT)
        }
        name => Err(refuse(format!("it contains {name}, which does not belong into an app's file"))),
    }
}

fn read_manifest(text: &str) -> Result<Manifest, Fault> {
    let manifest: Manifest =
        serde_json::from_str(text).map_err(|error| refuse(format!("its manifest.json is wrong ({error})")))?;
    if manifest.format != FORMAT || manifest.version != 1 {
        return Err(refuse(
            "its manifest is of another format or a newer version; update this server, or export again",
        ));
    }
    darter_core::app::validate_name(&manifest.name)?;
    manifest.limits.validate()?;
    check_settings(&manifest)?;
    if manifest.functions.len() > FUNCTION_LIMIT {
        return Err(refuse(format!("it has {} functions; the limit is {FUNCTION_LIMIT}", manifest.functions.len())));
    }
    let mut seen = std::collections::BTreeSet::new();
    for entry in &manifest.functions {
        function::validate_name(&entry.name)?;
        function::validate_methods(&entry.methods)?;
        if let Some(live) = &entry.live {
            function::validate_methods(&live.methods)?;
        }
        if !seen.insert(&entry.name) {
            return Err(refuse(format!("its manifest names the function {} twice", entry.name)));
        }
    }
    Ok(manifest)
}

/// Everything that is not code keeps to the rules that it would have to keep to if it were set one by one.
fn check_settings(manifest: &Manifest) -> Result<(), Fault> {
    if manifest.variables.len() > COUNT_LIMIT || manifest.secrets.len() > COUNT_LIMIT {
        return Err(refuse(format!("it has more than {COUNT_LIMIT} variables or secrets")));
    }
    for (name, value) in &manifest.variables {
        validate_variable(name)?;
        validate_value(value)?;
    }
    manifest.secrets.iter().try_for_each(|name| validate_variable(name))?;
    validate_packages(&manifest.packages)
}

fn refuse(why: impl std::fmt::Display) -> Fault {
    Fault::invalid(
        "app.import_invalid",
        format!("This file can not be imported: {why}. Nothing was made. Use a file that an export made."),
    )
}

pub(super) fn too_large(why: impl std::fmt::Display) -> Fault {
    Fault::new(
        Kind::TooLarge,
        "app.import_too_large",
        format!("This file can not be imported: {why}. Nothing was made."),
    )
}
