//! A manifest or an index from a registry: never more of it in memory than a document may have, and only as what its digest
//! promises. The library reads whatever comes whole; so only its token is used here.

use std::time::Duration;

use futures_util::StreamExt;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE,
};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};
use reqwest::header::ACCEPT;
use reqwest::{Certificate, RequestBuilder, Response};

use super::digest::Digest;
use super::layout::DOCUMENT;
use super::registry::{Failure, by_status, explain, innermost};

/// What is shown of a refusal.
const WORDS: u64 = 4 << 10;

/// Asks registries for documents.
pub struct Documents {
    http: reqwest::Client,
    scheme: &'static str,
}

impl Documents {
    /// Trusts and waits as the client of this configuration does.
    pub fn new(config: &ClientConfig) -> Result<Self, String> {
        let own: Result<Vec<Certificate>, reqwest::Error> =
            config.extra_root_certificates.iter().map(|one| Certificate::from_pem(&one.data)).collect();
        let own = own.map_err(|error| format!("engine.certificates: {error}"))?;
        let builder = reqwest::Client::builder()
            .user_agent(config.user_agent)
            .connect_timeout(config.connect_timeout.unwrap_or(Duration::from_secs(20)))
            .read_timeout(config.read_timeout.unwrap_or(Duration::from_secs(60)))
            .tls_certs_merge(own);
        let http = builder.build().map_err(|error| format!("preparing the download failed: {error}"))?;
        let scheme = if matches!(config.protocol, ClientProtocol::Http) { "http" } else { "https" };
        Ok(Self { http, scheme })
    }

    /// The document of this digest in the reference's repository.
    pub async fn get(
        &self,
        (client, auth): (&Client, &RegistryAuth),
        reference: &Reference,
        digest: &Digest,
    ) -> Result<Vec<u8>, Failure> {
        let (registry, repository) = (reference.resolve_registry(), reference.repository());
        let url = format!("{}://{registry}/v2/{repository}/manifests/{digest}", self.scheme);
        let kinds = [
            OCI_IMAGE_MEDIA_TYPE,
            OCI_IMAGE_INDEX_MEDIA_TYPE,
            IMAGE_MANIFEST_MEDIA_TYPE,
            IMAGE_MANIFEST_LIST_MEDIA_TYPE,
        ];
        let token = client.auth(reference, auth, RegistryOperation::Pull).await.map_err(explain)?;
        let asking = as_whom(self.http.get(url).header(ACCEPT, kinds.join(", ")), token, auth);
        let answer = asking.send().await.map_err(|error| Failure::Again(innermost(&error)))?;
        let status = answer.status();
        if !status.is_success() {
            let said = body(answer, WORDS).await.unwrap_or_default();
            return Err(by_status(status.as_u16(), &String::from_utf8_lossy(&said)));
        }
        let text = body(answer, DOCUMENT).await?;
        digest.check(&text).map_err(|why| Failure::Final(format!("what came is not what was promised: {why}")))?;
        Ok(text)
    }
}

fn as_whom(asking: RequestBuilder, token: Option<String>, auth: &RegistryAuth) -> RequestBuilder {
    match (token, auth) {
        (Some(token), _) => asking.bearer_auth(token),
        (None, RegistryAuth::Basic(name, word)) => asking.basic_auth(name, Some(word)),
        (None, _) => asking,
    }
}

/// All of it, of at most `most` bytes.
async fn body(answer: Response, most: u64) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::Final(format!("its manifest is larger than {} MiB", DOCUMENT >> 20));
    if answer.content_length().is_some_and(|length| length > most) {
        return Err(too_large());
    }
    let mut text = Vec::new();
    let mut pieces = answer.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| Failure::Again(innermost(&error)))?;
        if (text.len() + piece.len()) as u64 > most {
            return Err(too_large());
        }
        text.extend_from_slice(&piece);
    }
    Ok(text)
}
