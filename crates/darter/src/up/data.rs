//! The data directory: made, given to the server's account, and held by one server at a time.
//! It must never change the owner of anything that a Darter did not make.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::owner::Identity;
use crate::client::{Exit, Failure};

/// How long a new server waits for the leftovers of one that was killed.
const LEFTOVERS: Duration = Duration::from_secs(15);

/// Makes the directory and gives it to the server's account.
pub fn prepare(data: &Path, identity: Identity) -> Result<(), Failure> {
    let failed = |what: &str, error: std::io::Error| {
        Failure::new(Exit::Failed, format!("The data directory {} cannot be {what}: {error}.", data.display()))
    };
    if !data.exists() {
        let parent = data.parent().unwrap_or(data);
        std::fs::create_dir_all(parent).map_err(|error| failed("made", error))?;
        std::fs::DirBuilder::new().mode(0o700).create(data).map_err(|error| failed("made", error))?;
    }
    if !identity.root {
        return Ok(());
    }
    let now = std::fs::metadata(data).map_err(|error| failed("read", error))?;
    if now.uid() != identity.owner.uid {
        let foreign =
            now.uid() != 0 || std::fs::read_dir(data).map_err(|error| failed("read", error))?.next().is_some();
        if foreign && !data.join("lock").exists() {
            let what = format!(
                "{} belongs to the user id {} and is not a data directory of Darter. Name an empty or new folder with --data, \
                 or give it to the user id {} yourself: chown -R {}:{} {}",
                data.display(),
                now.uid(),
                identity.owner.uid,
                identity.owner.uid,
                identity.owner.gid,
                data.display()
            );
            return Err(Failure::usage(what));
        }
        chown(data, Some(identity.owner.uid), Some(identity.owner.gid)).map_err(|error| failed("given away", error))?;
    }
    reachable(data, identity)
}

/// After the descent the server must still come to its data: every folder above needs the bit to pass.
fn reachable(data: &Path, identity: Identity) -> Result<(), Failure> {
    for folder in data.ancestors().skip(1) {
        let Ok(meta) = std::fs::metadata(folder) else { continue };
        let mode = meta.permissions().mode();
        let passes = mode & 0o001 != 0
            || (meta.uid() == identity.owner.uid && mode & 0o100 != 0)
            || (meta.gid() == identity.owner.gid && mode & 0o010 != 0);
        if !passes {
            let what = format!(
                "The server works as user id {}, which may not pass through {} to its data in {}. \
                 Choose a data directory elsewhere (--data /var/lib/darter), or allow it: chmod o+x {}",
                identity.owner.uid,
                folder.display(),
                data.display(),
                folder.display()
            );
            return Err(Failure::usage(what));
        }
    }
    Ok(())
}

/// The lock of a data directory. Held until the process and its launcher have ended.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who holds it. A launcher that still clears up after a killed server is waited for.
    pub fn take(data: &Path, identity: Identity, address: &str) -> Result<Self, Failure> {
        let path = data.join("lock");
        let mut file = open(&path)?;
        let began = Instant::now();
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let holder = Holder::read(&mut file);
            if holder.as_ref().is_none_or(Holder::lives) || began.elapsed() > LEFTOVERS {
                let who =
                    holder.map_or("another server".into(), |one| format!("process {} at {}", one.pid, one.address));
                let what =
                    format!("{} is in use by {who}. Stop it first, or name another --data directory.", data.display());
                return Err(Failure::new(Exit::Conflict, what));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        if identity.root {
            chown(&path, Some(identity.owner.uid), Some(identity.owner.gid))?;
        }
        file.rewind()?;
        file.set_len(0)?;
        writeln!(file, "{} {address}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

fn open(path: &PathBuf) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map_err(|error| {
        let fix = "Give the folder to the account that starts the server, or name another with --data";
        Failure::new(Exit::Failed, format!("{} cannot be opened: {error}. {fix}.", path.display()))
    })
}

/// Who wrote the lock file.
struct Holder {
    pid: u32,
    address: String,
}

impl Holder {
    fn read(file: &mut File) -> Option<Self> {
        let mut text = String::new();
        file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
        let (pid, address) = text.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, address: address.into() })
    }

    fn lives(&self) -> bool {
        Path::new(&format!("/proc/{}", self.pid)).exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use darter_sandbox::Owner;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("darter-data-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        path
    }

    fn me() -> Identity {
        let owner = Owner { uid: rustix::process::getuid().as_raw(), gid: rustix::process::getgid().as_raw() };
        Identity { root: false, owner }
    }

    #[test]
    fn a_second_server_on_the_same_data_is_told_who_holds_it() {
        let data = folder("lock");
        prepare(&data, me()).unwrap();
        let first = Lock::take(&data, me(), "http://here").unwrap();
        let refused = Lock::take(&data, me(), "http://there").unwrap_err();
        assert!(
            refused.detail.message.contains(&format!("process {} at http://here", std::process::id())),
            "{refused}"
        );
        drop(first);
        assert!(Lock::take(&data, me(), "http://there").is_ok());
        std::fs::remove_dir_all(&data).unwrap();
    }

    #[test]
    fn a_new_data_directory_is_closed_to_others() {
        let data = folder("mode");
        prepare(&data, me()).unwrap();
        assert_eq!(std::fs::metadata(&data).unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::remove_dir_all(&data).unwrap();
    }

    #[test]
    fn a_folder_above_that_the_account_cannot_pass_is_named() {
        let above = folder("above");
        std::fs::create_dir_all(above.join("data")).unwrap();
        std::fs::set_permissions(&above, std::fs::Permissions::from_mode(0o700)).unwrap();
        let other = Identity { root: true, owner: Owner { uid: 64_000, gid: 64_000 } };
        let refused = reachable(&above.join("data"), other).unwrap_err();
        assert!(refused.detail.message.contains(&format!("chmod o+x {}", above.display())), "{refused}");
        std::fs::remove_dir_all(&above).unwrap();
    }
}
