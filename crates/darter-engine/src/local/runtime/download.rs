//! Fetches an archive of the npm registry into the shared folder of downloads. Resumes; checks; complete or absent.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha512};

use super::manifest::Download;

/// Times a broken transfer is taken up again.
const TRIES: u32 = 4;
/// Largest archive.
const MAX_BYTES: u64 = 512 << 20;

/// Where archives come from and go to.
#[derive(Debug, Clone)]
pub struct Downloads {
    folder: PathBuf,
    registry: String,
    client: reqwest::Client,
}

impl Downloads {
    /// `registry` is the address of an npm registry. Trusts the system's certificates and, if set, those in the file.
    pub fn new(folder: &Path, registry: &str, certificates: Option<&Path>) -> Result<Self, String> {
        let mut builder =
            reqwest::Client::builder().connect_timeout(Duration::from_secs(20)).read_timeout(Duration::from_secs(60));
        if let Some(path) = certificates {
            let pem =
                std::fs::read(path).map_err(|error| format!("engine.certificates {}: {error}", path.display()))?;
            let found =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| format!("engine.certificates: {error}"))?;
            builder = builder.tls_certs_merge(found);
        }
        let client = builder.build().map_err(|error| format!("preparing downloads failed: {error}"))?;
        Ok(Self { folder: folder.to_path_buf(), registry: registry.trim_end_matches('/').to_owned(), client })
    }

    /// The checked archive, downloaded unless it is there. `progress` hears bytes so far and in all (0: unknown).
    pub async fn fetch(&self, what: &Download, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<File, String> {
        let wanted = wanted_hash(&what.integrity)?;
        let name: String = wanted.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
        let done = self.folder.join(format!("{name}.tgz"));
        if let Ok(file) = File::open(&done)
            && let Ok(file) = check(file, wanted.clone()).await
        {
            return Ok(file);
        }
        let part = self.folder.join(format!("{name}.part"));
        let url = self.address(what);
        let mut last = String::new();
        for _ in 0..TRIES {
            match self.transfer(&url, &part, progress).await {
                Ok(file) => match check(file, wanted.clone()).await {
                    Ok(file) => return publish(file, &part, &done).map_err(|error| format!("storing {url}: {error}")),
                    Err(why) => {
                        // Whatever is there is not what was promised: begin anew.
                        let _ = std::fs::remove_file(&part);
                        last = why;
                    }
                },
                Err(Failure::Final(why)) => return Err(format!("downloading {url} failed: {why}")),
                Err(Failure::Again(why)) => last = why,
            }
        }
        Err(format!(
            "downloading {url} failed {TRIES} times, at last because {last}. Check the network and engine.npm_registry, then start again: it goes on where it stopped."
        ))
    }

    fn address(&self, what: &Download) -> String {
        let base = what.package.rsplit('/').next().unwrap_or(&what.package);
        format!("{}/{}/-/{base}-{}.tgz", self.registry, what.package, what.version)
    }

    async fn transfer(
        &self,
        url: &str,
        part: &Path,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<File, Failure> {
        let disk = |error: io::Error| Failure::Final(format!("{}: {error}", part.display()));
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(part).map_err(disk)?;
        // Two servers on this machine may start at the same time: one of them downloads.
        let file_to_lock = file.try_clone().map_err(disk)?;
        let locked = tokio::task::spawn_blocking(move || file_to_lock.lock()).await;
        locked.map_err(|error| Failure::Again(error.to_string()))?.map_err(disk)?;
        let have = file.seek(SeekFrom::End(0)).map_err(disk)?;
        let mut request = self.client.get(url);
        if have > 0 {
            request = request.header("range", format!("bytes={have}-"));
        }
        let mut answer = request.send().await.map_err(|error| Failure::Again(describe(&error)))?;
        let mut so_far = match answer.status().as_u16() {
            206 => have,
            200 => {
                file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(disk)?;
                0
            }
            // All of it is there already (or too much; the check will tell).
            416 => return Ok(file),
            404 => return Err(Failure::Final("the registry does not have it (404)".into())),
            status => return Err(Failure::Again(format!("the registry answered with status {status}"))),
        };
        let total = answer.content_length().map_or(0, |rest| rest + so_far);
        while let Some(chunk) = answer.chunk().await.map_err(|error| Failure::Again(describe(&error)))? {
            so_far += chunk.len() as u64;
            if so_far > MAX_BYTES {
                return Err(Failure::Final("it is larger than 512 MiB".into()));
            }
            file.write_all(&chunk).map_err(disk)?;
            progress(so_far, total);
        }
        Ok(file)
    }
}

enum Failure {
    /// Trying again may help.
    Again(String),
    Final(String),
}

/// The innermost cause says most.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

fn wanted_hash(integrity: &str) -> Result<Vec<u8>, String> {
    let decoded = integrity.strip_prefix("sha512-").and_then(|text| BASE64_STANDARD.decode(text).ok());
    decoded.filter(|hash| hash.len() == 64).ok_or_else(|| format!("{integrity:?} is not a sha512 integrity"))
}

async fn check(mut file: File, wanted: Vec<u8>) -> Result<File, String> {
    let checked = tokio::task::spawn_blocking(move || -> io::Result<Option<File>> {
        file.seek(SeekFrom::Start(0))?;
        let mut hash = Sha512::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let length = file.read(&mut buffer)?;
            if length == 0 {
                break;
            }
            hash.update(&buffer[..length]);
        }
        file.seek(SeekFrom::Start(0))?;
        Ok((hash.finalize().as_slice() == wanted).then_some(file))
    });
    match checked.await {
        Ok(Ok(Some(file))) => Ok(file),
        Ok(Ok(None)) => Err("what came is not what was promised (its sha512 differs)".into()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

fn publish(file: File, part: &Path, done: &Path) -> io::Result<File> {
    file.sync_all()?;
    match std::fs::rename(part, done) {
        // Another process had the same part open, has finished it and moved it.
        Err(error) if error.kind() == io::ErrorKind::NotFound && done.exists() => {}
        renamed => renamed?,
    }
    if let Some(folder) = done.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

#[cfg(test)]
#[path = "download_tests.rs"]
mod tests;
