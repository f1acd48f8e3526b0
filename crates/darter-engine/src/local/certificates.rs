//! What installs trust: this machine's certificates and the operator's, in one file below the data directory, since that is
//! all a sandbox may be shown. Programs take one file for the whole of their trust, so both have to be in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use darter_sandbox::Bind;

use crate::EngineConfig;

const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Where a sandbox with this machine's `/etc` has them.
const EXTRA: &str = "/etc/darter-certificates.pem";
/// Where a sandbox with an image's `/etc` has them.
const BESIDE: &str = "/darter/certificates.pem";

fn bundle(config: &EngineConfig) -> PathBuf {
    config.data.join("cache/certificates.pem")
}

/// Writes both into one file, when the operator has any. The error is in words.
pub fn compose(config: &EngineConfig) -> Result<(), String> {
    let Some(own) = &config.certificates else { return Ok(()) };
    let file = bundle(config);
    let unreadable = |error| {
        format!(
            "engine.certificates: {} cannot be read ({error}). Name a PEM file that the server's account may read.",
            own.display()
        )
    };
    let mut all = fs::read(SYSTEM).unwrap_or_default();
    all.push(b'\n');
    all.extend(fs::read(own).map_err(unreadable)?);
    let written = || {
        let folder = file.parent().unwrap_or(&config.data);
        fs::create_dir_all(folder)?;
        let fresh = file.with_extension("new");
        fs::write(&fresh, &all)?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o644))?;
        fs::rename(&fresh, &file)
    };
    written().map_err(|error| format!("{} could not be written: {error}", file.display()))
}

/// The file as programs of an install are told of it.
pub fn inside(config: &EngineConfig) -> Option<&'static str> {
    match &config.certificates {
        Some(_) => Some(EXTRA),
        None => Path::new(SYSTEM).exists().then_some(SYSTEM),
    }
}

/// Shows the operator's certificates where [`inside`] says.
pub fn with(mut binds: Vec<Bind>, config: &EngineConfig) -> Vec<Bind> {
    if config.certificates.is_some()
        && let Ok(real) = bundle(config).canonicalize()
    {
        binds.push(Bind::read_only(real, EXTRA));
    }
    binds
}

/// The same for an install on an image, whose `/etc` is its own: where the certificates are inside, and what brings them
/// there.
pub fn beside(config: &EngineConfig) -> Option<(&'static str, Bind)> {
    let file = config.certificates.as_ref().map_or_else(|| SYSTEM.into(), |_| bundle(config));
    Some((BESIDE, Bind::read_only(file.canonicalize().ok()?, BESIDE)))
}
