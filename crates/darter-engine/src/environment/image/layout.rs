//! An image in a layout directory, as the OCI image specification has it: which manifest is this machine's, what it is made
//! of. Documents are read only as what their digest promises.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use oci_client::manifest::{ImageIndexEntry, OciDescriptor, OciImageIndex, OciImageManifest, OciManifest};
use rustix::fs::OFlags;
use serde::Deserialize;

use super::digest::{Blob, Digest};
use super::layer::Packing;

/// Largest document: manifests, indexes, configurations.
pub const DOCUMENT: u64 = 4 << 20;
/// Most layers.
const LAYERS: usize = 512;
/// Indexes within indexes.
const NESTED: usize = 4;
const TAG: &str = "org.opencontainers.image.ref.name";
/// How builders mark what is no image: where it comes from, what is in it.
const UNKNOWN: &str = "unknown";

/// This machine, as images name it.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Something an index lists.
pub struct Candidate {
    pub digest: Digest,
    pub size: u64,
    pub is_index: bool,
}

/// A layout directory.
pub struct Layout {
    folder: PathBuf,
}

/// A layer, still packed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub digest: Digest,
    pub size: u64,
    pub packing: Packing,
}

/// An image that fits this machine's kind.
#[derive(Debug)]
pub struct Image {
    pub layers: Vec<Layer>,
    /// `NAME=value`, as the image wants it for its programs.
    pub environment: Vec<String>,
}

#[derive(Deserialize)]
struct Marker {
    #[serde(rename = "imageLayoutVersion")]
    version: String,
}

#[derive(Deserialize)]
struct Configuration {
    architecture: String,
    os: String,
    config: Option<Runs>,
}

#[derive(Deserialize)]
struct Runs {
    #[serde(rename = "Env")]
    environment: Option<Vec<String>>,
}

impl Layout {
    /// Opens what an image was written into, e.g. by `skopeo copy … oci:<folder>`.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let missing = |why: String| {
            format!("{} is no OCI layout ({why}): make one with `skopeo copy … oci:<folder>:<tag>`", folder.display())
        };
        let marker = bounded(&folder.join("oci-layout")).map_err(|error| missing(error.to_string()))?;
        let marker: Marker = serde_json::from_slice(&marker).map_err(|error| missing(error.to_string()))?;
        match marker.version.starts_with("1.") {
            true => Ok(Self { folder: folder.to_path_buf() }),
            false => Err(missing(format!("its version is {}, not 1", marker.version))),
        }
    }

    /// A layout that is being filled from elsewhere: nothing is known yet but its blobs.
    pub fn of_blobs(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// The manifest of this machine's kind, with this tag if one is given.
    pub fn find(&self, tag: Option<&str>) -> Result<Candidate, String> {
        let path = self.folder.join("index.json");
        let text = bounded(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut index: OciImageIndex =
            serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if let Some(tag) = tag {
            let tags: BTreeSet<String> = index.manifests.iter().filter_map(tag_of).map(str::to_owned).collect();
            index.manifests.retain(|entry| tag_of(entry) == Some(tag));
            if index.manifests.is_empty() {
                let tags: Vec<String> = tags.into_iter().collect();
                return Err(format!("{} has no tag {tag}. There are: {}.", self.folder.display(), tags.join(", ")));
            }
        }
        self.descend(choose(&index)?)
    }

    /// The manifest that an index or a manifest of this digest means for this machine.
    pub fn descend(&self, mut candidate: Candidate) -> Result<Candidate, String> {
        for _ in 0..NESTED {
            if !candidate.is_index {
                return Ok(candidate);
            }
            match self.document(&candidate.digest, candidate.size)? {
                OciManifest::ImageIndex(index) => candidate = choose(&index)?,
                OciManifest::Image(_) => candidate.is_index = false,
            }
        }
        Err("its indexes are nested too deep".into())
    }

    pub fn manifest(&self, candidate: &Candidate) -> Result<OciImageManifest, String> {
        match self.document(&candidate.digest, candidate.size)? {
            OciManifest::Image(manifest) => Ok(manifest),
            OciManifest::ImageIndex(_) => Err(format!("{} is an index, not a manifest", candidate.digest)),
        }
    }

    /// What a manifest means, its configuration read and checked.
    pub fn image(&self, manifest: &OciImageManifest) -> Result<Image, String> {
        let (digest, size) = promised(&manifest.config)?;
        let config = self.read(&digest, size)?;
        let config: Configuration =
            serde_json::from_slice(&config).map_err(|error| format!("its configuration cannot be read: {error}"))?;
        if (config.os.as_str(), config.architecture.as_str()) != ("linux", architecture()) {
            return Err(format!(
                "it is made for {}/{}, this machine is linux/{}",
                config.os,
                config.architecture,
                architecture()
            ));
        }
        let environment = config.config.and_then(|runs| runs.environment).unwrap_or_default();
        Ok(Image { layers: layers(manifest)?, environment })
    }

    pub fn blob(&self, layer: &Layer) -> std::io::Result<Blob> {
        Blob::open(&self.folder, &layer.digest, layer.size)
    }

    fn document(&self, digest: &Digest, size: u64) -> Result<OciManifest, String> {
        parse(&self.read(digest, size)?)
    }

    fn read(&self, digest: &Digest, size: u64) -> Result<Vec<u8>, String> {
        if size > DOCUMENT {
            return Err(format!("{digest} is larger than {} MiB", DOCUMENT >> 20));
        }
        Blob::open(&self.folder, digest, size).and_then(Blob::whole).map_err(|error| error.to_string())
    }
}

/// All of a document that no digest names. A pipe in its place does not make us wait.
fn bounded(path: &Path) -> io::Result<Vec<u8>> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let mut text = Vec::new();
    file.take(DOCUMENT + 1).read_to_end(&mut text)?;
    match text.len() as u64 > DOCUMENT {
        true => Err(io::Error::other(format!("it is larger than {} MiB", DOCUMENT >> 20))),
        false => Ok(text),
    }
}

fn tag_of(entry: &ImageIndexEntry) -> Option<&str> {
    entry.annotations.as_ref()?.get(TAG).map(String::as_str)
}

/// Reads a manifest or an index.
pub fn parse(text: &[u8]) -> Result<OciManifest, String> {
    serde_json::from_slice(text).map_err(|error| format!("its manifest cannot be read: {error}"))
}

/// The layers of a manifest, the lowest first.
pub fn layers(manifest: &OciImageManifest) -> Result<Vec<Layer>, String> {
    if manifest.layers.is_empty() || manifest.layers.len() > LAYERS {
        return Err(format!("it has {} layers; an image has 1–{LAYERS}", manifest.layers.len()));
    }
    let layer = |descriptor: &OciDescriptor| {
        let (digest, size) = promised(descriptor)?;
        Ok(Layer { digest, size, packing: Packing::of(&descriptor.media_type)? })
    };
    manifest.layers.iter().map(layer).collect()
}

/// What a descriptor promises.
pub fn promised(descriptor: &OciDescriptor) -> Result<(Digest, u64), String> {
    let size = u64::try_from(descriptor.size).map_err(|_| format!("{}: its size is below zero", descriptor.digest))?;
    Ok((descriptor.digest.parse()?, size))
}

/// What an index has for this machine.
pub fn choose(index: &OciImageIndex) -> Result<Candidate, String> {
    let here = |entry: &&ImageIndexEntry| match &entry.platform {
        Some(platform) => platform.os.to_string() == "linux" && platform.architecture.to_string() == architecture(),
        None => true,
    };
    let fitting: Vec<&ImageIndexEntry> = index.manifests.iter().filter(here).collect();
    let digests: BTreeSet<&str> = fitting.iter().map(|entry| entry.digest.as_str()).collect();
    match (fitting.first(), digests.len()) {
        (Some(entry), 1) => Ok(Candidate {
            digest: entry.digest.parse()?,
            size: u64::try_from(entry.size).unwrap_or(u64::MAX),
            is_index: entry.media_type.contains("index") || entry.media_type.contains("manifest.list"),
        }),
        (Some(_), _) => {
            let tags: BTreeSet<&str> = fitting.iter().filter_map(|entry| tag_of(entry)).collect();
            let tags: Vec<&str> = tags.into_iter().collect();
            Err(format!("it holds several images: say which by `tag = …`. There are: {}.", tags.join(", ")))
        }
        (None, _) => Err(format!("it has nothing for linux/{}; it is for {}", architecture(), platforms(index))),
    }
}

fn platforms(index: &OciImageIndex) -> String {
    let named = index.manifests.iter().filter_map(|entry| entry.platform.as_ref());
    let named: BTreeSet<String> = named.map(|platform| format!("{}/{}", platform.os, platform.architecture)).collect();
    let named: Vec<String> = named.into_iter().filter(|name| !name.starts_with(UNKNOWN)).collect();
    if named.is_empty() { "nothing at all".into() } else { named.join(", ") }
}
