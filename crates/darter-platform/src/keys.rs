//! The master key: 32 random bytes that seal secrets and sign cookies. Made once; a server whose key is lost can not open
//! what it sealed. It must never be written anywhere else, nor half.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use darter_core::{Fault, Random};

/// Reads `<data>/keys/master`, or makes it: complete and on disk before it has its name.
pub fn master_key(data: &Path, random: &dyn Random) -> Result<[u8; 32], Fault> {
    let folder = data.join("keys");
    let failed = |error: io::Error| {
        let text = format!(
            "The master key in {} can not be read or made: {error}. Check that the folder belongs to the server's account.",
            folder.display()
        );
        Fault::internal(text)
    };
    if !folder.exists() {
        fs::DirBuilder::new().mode(0o700).recursive(true).create(&folder).map_err(failed)?;
    }
    match read(&folder.join("master")) {
        Ok(key) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(&folder, random).map_err(failed),
        Err(error) => Err(failed(error)),
    }
}

fn read(path: &Path) -> io::Result<[u8; 32]> {
    let mut file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Err(io::Error::other("others may read it; say chmod 600 on it"));
    }
    let mut key = [0u8; 33];
    let mut length = 0;
    while length < key.len() {
        match file.read(&mut key[length..])? {
            0 => break,
            count => length += count,
        }
    }
    let whole = <[u8; 32]>::try_from(&key[..length.min(33)]);
    whole.map_err(|_| io::Error::other("it does not hold exactly 32 bytes; put the right file back from a backup"))
}

fn make(folder: &Path, random: &dyn Random) -> io::Result<[u8; 32]> {
    let mut key = [0u8; 32];
    random.fill(&mut key);
    let draft = folder.join(format!("master.{}", std::process::id()));
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(&key)?;
    file.sync_all()?;
    // A link fails when another process was quicker: then its key is the key.
    let linked = fs::hard_link(&draft, folder.join("master"));
    fs::remove_file(&draft)?;
    File::open(folder)?.sync_all()?;
    match linked {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read(&folder.join("master")),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use darter_core::SystemRandom;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_closed_to_others() {
        let data = tempfile::tempdir().unwrap();
        let first = master_key(data.path(), &SystemRandom).unwrap();
        assert_eq!(master_key(data.path(), &SystemRandom).unwrap(), first);
        let path = data.path().join("keys/master");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(data.path().join("keys")).unwrap().count(), 1, "no draft is left");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(master_key(data.path(), &SystemRandom).is_err());
    }

    #[test]
    fn a_key_of_another_length_is_never_replaced() {
        let data = tempfile::tempdir().unwrap();
        fs::create_dir(data.path().join("keys")).unwrap();
        let path = data.path().join("keys/master");
        fs::write(&path, [1u8; 31]).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(master_key(data.path(), &SystemRandom).is_err());
        assert_eq!(fs::read(&path).unwrap(), [1u8; 31]);
    }
}
