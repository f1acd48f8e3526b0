//! What a runtime is made of: `runtimes/node/runtime.toml`, its package list and its shim, all inside this binary.

use std::collections::BTreeMap;

use rust_embed::RustEmbed;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The shim as shipped. In a debug build it is read from the checkout, so that a change needs no rebuild.
#[derive(RustEmbed)]
#[folder = "../../runtimes/node/shim"]
struct Shim;

const MANIFEST: &str = include_str!("../../../../../runtimes/node/runtime.toml");
const PACKAGES: &str = include_str!("../../../../../runtimes/node/package.json");
const LOCKFILE: &str = include_str!("../../../../../runtimes/node/package-lock.json");

/// `runtime.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    pub name: String,
    /// Of the control channel and the wire.
    pub protocol: u32,
    pub download: BTreeMap<String, Download>,
    pub packages: Packages,
    pub exec: Exec,
    pub tools: BTreeMap<String, Tool>,
}

/// An archive of the npm registry, and which of its files go where.
#[derive(Debug, Clone, Deserialize)]
pub struct Download {
    pub package: String,
    pub version: String,
    /// `sha512-` and base64.
    pub integrity: String,
    /// A file or folder in the archive → its path in the runtime.
    pub files: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Packages {
    pub install: Vec<String>,
}

/// Command lines, as seen inside.
#[derive(Debug, Clone, Deserialize)]
pub struct Exec {
    pub argv: Vec<String>,
    pub bundle: Vec<String>,
    pub warm: Vec<String>,
    pub warm_dependencies: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Tool {
    #[serde(flatten)]
    pub download: Download,
    pub argv: Vec<String>,
}

/// Everything that a runtime is installed from.
#[derive(Debug, Clone)]
pub struct Parts {
    pub manifest: Manifest,
    pub package_json: Vec<u8>,
    pub lockfile: Vec<u8>,
    /// Path below the shim's folder → content.
    pub shim: BTreeMap<String, Vec<u8>>,
    text: String,
}

impl Parts {
    /// As shipped with this binary.
    pub fn shipped() -> Result<Self, String> {
        let shim = Shim::iter().filter_map(|path| Some((path.to_string(), Shim::get(&path)?.data.into_owned())));
        Self::new(MANIFEST, PACKAGES.into(), LOCKFILE.into(), shim.collect())
    }

    /// From given parts.
    pub fn new(
        text: &str,
        package_json: Vec<u8>,
        lockfile: Vec<u8>,
        shim: BTreeMap<String, Vec<u8>>,
    ) -> Result<Self, String> {
        let manifest: Manifest =
            toml::from_str(text).map_err(|error| format!("runtime.toml cannot be read: {error}"))?;
        if manifest.protocol != 1 {
            return Err(format!("runtime.toml speaks protocol {}, this program speaks 1", manifest.protocol));
        }
        Ok(Self { manifest, package_json, lockfile, shim, text: text.to_owned() })
    }

    /// Names the installed base: archives, packages, tools.
    pub fn base_digest(&self) -> String {
        digest([self.text.as_bytes(), &self.package_json, &self.lockfile])
    }

    /// Names the shim together with the base it runs on.
    pub fn shim_digest(&self) -> String {
        let base = self.base_digest();
        let files = self.shim.iter().flat_map(|(path, content)| [path.as_bytes(), content.as_slice()]);
        digest([base.as_bytes()].into_iter().chain(files))
    }

    /// Everything to download: what it is for, and the archive.
    pub fn downloads(&self) -> Vec<(&str, &Download)> {
        let own = self.manifest.download.iter().map(|(name, download)| (name.as_str(), download));
        own.chain(self.manifest.tools.iter().map(|(name, tool)| (name.as_str(), &tool.download))).collect()
    }
}

/// 32 hexadecimal digits over length-prefixed parts.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_parts_can_be_read() {
        let parts = Parts::shipped().unwrap();
        assert!(parts.shim.contains_key("main.cjs"));
        let names: Vec<&str> = parts.downloads().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["esbuild", "node", "npm", "typescript"]);
        assert_ne!(parts.base_digest(), parts.shim_digest());
    }

    #[test]
    fn moving_bytes_from_one_part_to_the_next_changes_the_digest() {
        assert_ne!(digest([&b"ab"[..], b"c"]), digest([&b"a"[..], b"bc"]));
    }
}
