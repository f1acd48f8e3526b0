//! Pulls an image from a registry into a layout: only what this machine needs, each part checked against its digest.
//!
//! The server itself speaks to the registry, as it does for other archives: what is pulled is data until it was unpacked,
//! and the registry is the operator's choice. Credentials are sent to the registry and to the place that it names for tokens.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use oci_client::client::{Certificate, CertificateEncoding, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError as Error, OciErrorCode};
use oci_client::manifest::OciManifest;
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use tokio::io::AsyncWriteExt;

use super::digest::Digest;
use super::document::Documents;
use super::layout::{self, Candidate, DOCUMENT};

/// Times that something is asked for before it counts as failed.
const TRIES: u32 = 4;
/// Before the second; each pause is twice the one before.
const PAUSE: Duration = Duration::from_millis(500);

/// Hears what is being pulled, bytes so far and in all.
pub type Report<'a> = &'a (dyn Fn(&str, u64, u64) + Send + Sync);

/// How a registry is spoken to.
#[derive(Debug, Clone, Default)]
pub struct Access {
    pub credentials: Option<(String, String)>,
    /// Without TLS.
    pub insecure: bool,
    /// Trusted besides the system's own.
    pub certificates: Option<PathBuf>,
}

/// A pull into a folder.
pub struct Pull<'a> {
    client: Client,
    documents: Documents,
    auth: RegistryAuth,
    reference: Reference,
    into: &'a Path,
}

/// Why something did not come.
pub enum Failure {
    /// Trying again may help.
    Again(String),
    Final(String),
}

impl<'a> Pull<'a> {
    pub fn new(reference: &Reference, access: Access, into: &'a Path) -> Result<Self, String> {
        let config = ClientConfig {
            protocol: if access.insecure { ClientProtocol::Http } else { ClientProtocol::Https },
            extra_root_certificates: access.certificates.as_deref().map_or(Ok(Vec::new()), certificates)?,
            connect_timeout: Some(Duration::from_secs(20)),
            read_timeout: Some(Duration::from_secs(60)),
            user_agent: concat!("darter/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let documents = Documents::new(&config)?;
        let client = Client::try_from(config).map_err(|error| format!("preparing the download failed: {error}"))?;
        let auth = access.credentials.map_or(RegistryAuth::Anonymous, |(name, word)| RegistryAuth::Basic(name, word));
        Ok(Self { client, documents, auth, reference: reference.clone(), into })
    }

    /// Brings the manifest, its configuration and its layers of at most `most` bytes together.
    pub async fn run(&self, most: u64, report: Report<'_>) -> Result<Candidate, String> {
        let mut wanted: Digest = self.reference.digest().unwrap_or_default().parse()?;
        let (manifest, size) = match self.document(&wanted).await? {
            (OciManifest::Image(manifest), size) => (manifest, size),
            (OciManifest::ImageIndex(index), _) => {
                let chosen = layout::choose(&index)?;
                wanted = chosen.digest;
                match self.document(&wanted).await? {
                    (OciManifest::Image(manifest), size) => (manifest, size),
                    (OciManifest::ImageIndex(_), _) => return Err("its indexes are nested too deep".into()),
                }
            }
        };
        let layers = layout::layers(&manifest)?;
        let total = layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.size));
        if total > most {
            return Err(format!(
                "its layers have {} MiB, the recipe's [image] allows {} (`mib`)",
                total >> 20,
                most >> 20
            ));
        }
        let (config, length) = layout::promised(&manifest.config)?;
        self.blob(&config, length.min(DOCUMENT), &|_| {}).await?;
        let mut so_far = 0;
        for layer in &layers {
            let before = so_far;
            self.blob(&layer.digest, layer.size, &|bytes| report(layer.digest.short(), before + bytes, total)).await?;
            so_far += layer.size;
        }
        Ok(Candidate { digest: wanted, size, is_index: false })
    }

    /// A manifest or an index, kept and read.
    async fn document(&self, digest: &Digest) -> Result<(OciManifest, u64), String> {
        let mut patience = Patience::new();
        let text = loop {
            match self.documents.get((&self.client, &self.auth), &self.reference, digest).await {
                Ok(text) => break text,
                Err(failure) => patience.after(failure).await.map_err(|why| self.failed(&why))?,
            }
        };
        let disk = |error: std::io::Error| format!("writing the manifest failed: {error}");
        let path = self.place(digest).map_err(disk)?;
        tokio::fs::write(path, &text).await.map_err(disk)?;
        Ok((layout::parse(&text)?, text.len() as u64))
    }

    /// A blob, exactly as long as promised. The client checks its digest.
    async fn blob(&self, digest: &Digest, size: u64, so_far: &(dyn Fn(u64) + Send + Sync)) -> Result<(), String> {
        let path = self.place(digest).map_err(|error| format!("writing a layer failed: {error}"))?;
        let mut patience = Patience::new();
        loop {
            match self.transfer(digest, size, &path, so_far).await {
                Ok(()) => return Ok(()),
                Err(failure) => patience.after(failure).await.map_err(|why| self.failed(&why))?,
            }
        }
    }

    async fn transfer(
        &self,
        digest: &Digest,
        size: u64,
        path: &Path,
        so_far: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), Failure> {
        let disk = |error: std::io::Error| Failure::Final(format!("writing it failed: {error}"));
        let name = digest.to_string();
        let asked = self.client.pull_blob_stream(&self.reference, name.as_str()).await;
        let mut stream = asked.map_err(explain)?;
        let mut file = tokio::fs::File::create(path).await.map_err(disk)?;
        let mut length = 0_u64;
        while let Some(piece) = stream.next().await {
            let piece = piece.map_err(|error| match length < size {
                true => Failure::Again(format!("{digest} came only in part: {error}")),
                false => broken(&error),
            })?;
            length += piece.len() as u64;
            if length > size {
                return Err(Failure::Final(format!("{digest} is longer than the {size} bytes that were promised")));
            }
            file.write_all(&piece).await.map_err(disk)?;
            so_far(length);
        }
        file.flush().await.map_err(disk)
    }

    fn place(&self, digest: &Digest) -> std::io::Result<PathBuf> {
        let path = self.into.join(digest.place());
        std::fs::create_dir_all(path.parent().unwrap_or(self.into))?;
        Ok(path)
    }

    fn failed(&self, why: &str) -> String {
        format!("pulling {} failed: {why}", self.reference)
    }
}

/// In an operator's words, and whether trying again may help.
pub fn explain(error: Error) -> Failure {
    match error {
        Error::UnauthorizedError { .. } | Error::AuthenticationFailure(_) => by_status(401, ""),
        Error::ServerError { code, message, .. } => by_status(code, &message),
        Error::RegistryError { envelope, .. } => match envelope.errors.first().map(|error| &error.code) {
            Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => by_status(401, ""),
            Some(OciErrorCode::Toomanyrequests) => by_status(429, ""),
            Some(
                OciErrorCode::ManifestUnknown
                | OciErrorCode::NameUnknown
                | OciErrorCode::BlobUnknown
                | OciErrorCode::NotFound,
            ) => by_status(404, ""),
            _ => by_status(400, &envelope.to_string()),
        },
        Error::RequestError(error) => Failure::Again(innermost(&error)),
        Error::IoError(error) => broken(&error),
        Error::DigestError(error) => Failure::Final(format!("what came is not what was promised: {error}")),
        other => Failure::Final(other.to_string()),
    }
}

/// The same for a status.
pub fn by_status(code: u16, message: &str) -> Failure {
    match code {
        401 | 403 => Failure::Final(
            "the registry refuses: check `username` and `password_file` of [image], and that they may pull this".into(),
        ),
        404 => Failure::Final("the registry does not have it: check the name and the digest".into()),
        429 => Failure::Again(
            "the registry limits how often one may ask: wait and install again, or give `username` and `password_file`"
                .into(),
        ),
        code => {
            let words: String = message.chars().filter(|c| !c.is_control()).take(200).collect();
            let why = format!("the registry answered with status {code}: {words}");
            if code == 408 || code >= 500 { Failure::Again(why) } else { Failure::Final(why) }
        }
    }
}

/// A transfer that ended early is begun anew; content that is not what was promised stays what it is.
fn broken(error: &std::io::Error) -> Failure {
    let inner = error.get_ref();
    match inner.is_some_and(|inner| inner.is::<oci_client::errors::DigestError>()) {
        true => Failure::Final(format!("what came is not what was promised: {error}")),
        false => Failure::Again(inner.map_or_else(|| error.to_string(), |inner| innermost(inner))),
    }
}

pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// How long something is tried.
struct Patience {
    tries: u32,
    pause: Duration,
}

impl Patience {
    fn new() -> Self {
        Self { tries: 1, pause: PAUSE }
    }

    /// Waits before the next try, or gives up with the words of the last.
    async fn after(&mut self, failure: Failure) -> Result<(), String> {
        match failure {
            Failure::Final(why) => Err(why),
            Failure::Again(why) if self.tries == TRIES => Err(format!("{why} ({TRIES} times)")),
            Failure::Again(_) => {
                tokio::time::sleep(self.pause).await;
                self.tries += 1;
                self.pause *= 2;
                Ok(())
            }
        }
    }
}

/// Each certificate of the file by itself, as the client wants them.
fn certificates(path: &Path) -> Result<Vec<Certificate>, String> {
    const END: &str = "-----END CERTIFICATE-----";
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("engine.certificates {}: {error}", path.display()))?;
    let blocks = text.split_inclusive(END).filter(|block| block.ends_with(END));
    Ok(blocks.map(|block| Certificate { encoding: CertificateEncoding::Pem, data: block.as_bytes().into() }).collect())
}
