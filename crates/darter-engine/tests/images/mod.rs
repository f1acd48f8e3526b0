//! Images for tests: made of this machine's own programs, written as a layout or held for a registry.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part, and ends where something is not as expected"
)]

pub mod registry;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tar::EntryType;

pub const HERE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
pub const OCI: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// One layer in the making.
pub struct Layer(tar::Builder<Vec<u8>>);

impl Default for Layer {
    fn default() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }
}

impl Layer {
    fn add(mut self, path: &str, kind: EntryType, content: &[u8], link: &str) -> Self {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_mtime(1_700_000_000);
        header.set_size(content.len() as u64);
        // Not through the library: it would refuse what leads out.
        header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        self.0.append(&header, content).unwrap();
        self
    }

    pub fn file(self, path: &str, content: &str) -> Self {
        self.add(path, EntryType::Regular, content.as_bytes(), "")
    }

    pub fn link(self, path: &str, to: &str) -> Self {
        self.add(path, EntryType::Symlink, b"", to)
    }

    fn copy(mut self, from: &Path, to: &Path) -> Self {
        let real = from.canonicalize().unwrap();
        self.0.append_path_with_name(real, to.strip_prefix("/").unwrap()).unwrap();
        self
    }

    /// What lies below a folder of this machine, but for these names.
    fn copy_folder(mut self, folder: &Path, without: &[&str]) -> Self {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if without.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                self = self.copy_folder(&path, without);
            } else if path.is_file() {
                self = self.copy(&path, &path);
            }
        }
        self
    }

    pub fn packed(self, how: &str) -> (Vec<u8>, String) {
        let plain = self.0.into_inner().unwrap();
        let bytes = match how {
            "gzip" => {
                let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packer.write_all(&plain).unwrap();
                packer.finish().unwrap()
            }
            _ => zstd::encode_all(&plain[..], 1).unwrap(),
        };
        (bytes, format!("application/vnd.oci.image.layer.v1.tar+{how}"))
    }
}

/// A system of these programs of this machine and the libraries that they, and a test, load.
pub fn system(programs: &[&str]) -> Layer {
    let program = std::env::current_exe().unwrap();
    let mut wanted: BTreeSet<PathBuf> = programs.iter().map(|name| Path::new("/usr/bin").join(name)).collect();
    let of: Vec<PathBuf> = wanted.iter().cloned().chain([program]).collect();
    for path in of {
        let said = Command::new("ldd").arg(path).output().unwrap().stdout;
        let said = String::from_utf8(said).unwrap();
        wanted.extend(said.split_whitespace().filter(|word| word.starts_with("/lib")).map(PathBuf::from));
    }
    let mut layer = Layer::default();
    for (name, to) in [("bin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")] {
        layer = layer.link(name, to);
    }
    // Not where the links are: so a path leads through them, as in images of old.
    wanted.iter().fold(layer, |layer, path| layer.copy(path, path))
}

/// Python as it is on this machine, for editors of tests.
pub fn with_python(layer: Layer) -> Layer {
    let ask = "import sysconfig; print(sysconfig.get_path('stdlib'))";
    let folder = Command::new("/usr/bin/python3").args(["-I", "-c", ask]).output().unwrap().stdout;
    let folder = String::from_utf8(folder).unwrap();
    let without =
        ["test", "idlelib", "tkinter", "lib2to3", "ensurepip", "pydoc_data", "dist-packages", "site-packages"];
    layer.copy_folder(Path::new(folder.trim()), &without)
}

/// An image: blobs by their digest.
#[derive(Debug, Clone, Default)]
pub struct Made {
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Of the manifest, or of the index.
    pub digest: String,
    size: usize,
    layers: Vec<String>,
    media_type: String,
}

pub fn digest_of(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

impl Made {
    pub fn of(layers: Vec<(Vec<u8>, String)>, architecture: &str, environment: &[&str]) -> Self {
        let mut made = Self { media_type: OCI.into(), ..Self::default() };
        let described: Vec<Value> = layers
            .into_iter()
            .map(|(bytes, kind)| {
                let size = bytes.len();
                let digest = made.keep(bytes);
                made.layers.push(digest.clone());
                json!({"mediaType": kind, "digest": digest, "size": size})
            })
            .collect();
        let config = json!({"architecture": architecture, "os": "linux", "config": {"Env": environment, "User": "root"},
            "rootfs": {"type": "layers", "diff_ids": []}});
        let config = serde_json::to_vec(&config).unwrap();
        let size = config.len();
        let config = made.keep(config);
        let manifest = json!({"schemaVersion": 2, "mediaType": OCI, "layers": described,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": size}});
        let manifest = serde_json::to_vec(&manifest).unwrap();
        made.size = manifest.len();
        made.digest = made.keep(manifest);
        made
    }

    /// An index of images for these architectures.
    pub fn index(images: &[(&str, &Made)]) -> Self {
        let mut made = Self { media_type: INDEX.into(), ..Self::default() };
        let entry = |(architecture, image): &(&str, &Made)| {
            json!({"mediaType": image.media_type, "digest": image.digest, "size": image.size,
                "platform": {"os": "linux", "architecture": architecture}})
        };
        let mut entries: Vec<Value> = images.iter().map(entry).collect();
        entries.push(json!({"mediaType": OCI, "digest": digest_of(b"where it comes from"), "size": 2,
            "platform": {"os": "unknown", "architecture": "unknown"}}));
        for (_, image) in images {
            made.blobs.extend(image.blobs.clone());
        }
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
        let index = serde_json::to_vec(&index).unwrap();
        made.size = index.len();
        made.digest = made.keep(index);
        made
    }

    fn keep(&mut self, bytes: Vec<u8>) -> String {
        let digest = digest_of(&bytes);
        self.blobs.insert(digest.clone(), bytes);
        digest
    }

    /// Where a layer is in a layout.
    pub fn layer_in(&self, layout: &Path, number: usize) -> PathBuf {
        layout.join("blobs").join(self.layers[number].replacen(':', "/", 1))
    }
}

/// Writes images, by their tags, as a layout.
pub fn write_layout(folder: &Path, images: &[(&str, &Made)]) {
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    fs::write(folder.join("oci-layout"), r#"{"imageLayoutVersion": "1.0.0"}"#).unwrap();
    let entry = |(tag, image): &(&str, &Made)| {
        json!({"mediaType": image.media_type, "digest": image.digest, "size": image.size,
            "annotations": {"org.opencontainers.image.ref.name": tag}})
    };
    let entries: Vec<Value> = images.iter().map(entry).collect();
    let index = json!({"schemaVersion": 2, "manifests": entries});
    fs::write(folder.join("index.json"), serde_json::to_vec(&index).unwrap()).unwrap();
    for (digest, bytes) in images.iter().flat_map(|(_, image)| &image.blobs) {
        fs::write(folder.join("blobs").join(digest.replacen(':', "/", 1)), bytes).unwrap();
    }
}
