//! What clients know the server by: made once, kept where only the server reads it. Must never be made anew while there is
//! one: everybody's client would warn of an attack.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use darter_core::Random;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{HashAlg, LineEnding, PrivateKey};

const NAME: &str = "ssh_host_ed25519";

/// Why there is no host key.
#[derive(Debug)]
pub struct HostKeyError {
    path: PathBuf,
    what: String,
}

impl std::fmt::Display for HostKeyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fix = "Restore it from a backup; or remove it, and clients have to accept a new one";
        write!(f, "The SSH host key {} cannot be used: {}. {fix}.", self.path.display(), self.what)
    }
}

impl std::error::Error for HostKeyError {}

/// The server's key.
#[derive(Clone)]
pub struct HostKey(PrivateKey);

impl HostKey {
    /// The key of this data directory; made when there is none.
    pub fn open(data: &Path, random: &dyn Random) -> Result<Self, HostKeyError> {
        if let Some(key) = Self::lookup(data)? {
            return Ok(key);
        }
        let path = data.join("keys").join(NAME);
        let mut seed = [0; 32];
        random.fill(&mut seed);
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        write(&path, &key).map_err(|what| HostKeyError { path, what })?;
        Ok(Self(key))
    }

    /// The key of this data directory, when it has one.
    pub fn lookup(data: &Path) -> Result<Option<Self>, HostKeyError> {
        let path = data.join("keys").join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(HostKeyError { path, what: error.to_string() }),
        };
        match PrivateKey::from_openssh(text.trim()) {
            Ok(key) => Ok(Some(Self(key))),
            Err(error) => Err(HostKeyError { path, what: error.to_string() }),
        }
    }

    /// `ssh-ed25519 AAAA…`
    pub fn public(&self) -> String {
        let mut public = self.0.public_key().clone();
        public.set_comment("");
        public.to_openssh().unwrap_or_default()
    }

    /// `SHA256:…`, as clients show it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// A line of `known_hosts`.
    pub fn known_hosts(&self, host: &str, port: u16) -> String {
        match port {
            22 => format!("{host} {}", self.public()),
            port => format!("[{host}]:{port} {}", self.public()),
        }
    }

    pub(crate) fn key(&self) -> &PrivateKey {
        &self.0
    }
}

/// Whole or not at all, and only for ourselves.
fn write(path: &Path, key: &PrivateKey) -> Result<(), String> {
    let text = key.to_openssh(LineEnding::LF).map_err(|error| error.to_string())?;
    let draft = path.with_extension("new");
    let put = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    put().map_err(|error: io::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use darter_core::SystemRandom;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_only_its_owner_may_read_it() {
        let data = tempfile::tempdir().unwrap();
        assert!(HostKey::lookup(data.path()).unwrap().is_none());
        let first = HostKey::open(data.path(), &SystemRandom).unwrap();
        let second = HostKey::open(data.path(), &SystemRandom).unwrap();
        assert_eq!(first.fingerprint(), second.fingerprint());
        assert!(first.public().starts_with("ssh-ed25519 AAAA"));
        assert_eq!(first.known_hosts("h", 7022), format!("[h]:7022 {}", first.public()));
        let path = data.path().join("keys").join(NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "nonsense").unwrap();
        let refused = HostKey::open(data.path(), &SystemRandom).err().unwrap().to_string();
        assert!(refused.contains("Restore it from a backup"), "{refused}");
    }
}
