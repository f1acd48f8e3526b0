//! Questions to the operator's npm registry, by its ordinary search. The environment's proxy is used as installs use it.
//!
//! Only the operator's registry is asked, no address comes from a tenant, and no redirect leads elsewhere. Answers are
//! bounded in time and size.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use darter_api::resource::FoundPackage;
use darter_core::{AccountId, Fault, Kind, Millis};
use futures_util::StreamExt;
use reqwest::StatusCode;
use serde::Deserialize;
use tokio::sync::Semaphore;
use url::Url;

use crate::config::PlatformConfig;

/// Questions of one account in one minute: a person who types.
const PER_MINUTE: u32 = 60;
const MINUTE: Millis = 60_000;
/// Questions at a time, of all accounts.
const AT_ONCE: usize = 8;
/// Results of one question.
const RESULTS: u32 = 12;
const ANSWER_LIMIT: usize = 4 << 20;
const DESCRIPTION_LIMIT: usize = 240;
const PATIENCE: Duration = Duration::from_secs(8);

/// The registry, and who asked how often.
#[derive(Debug)]
pub(crate) struct PackageRegistry {
    /// Its address, and who asks there; `None`: the operator has none.
    home: Option<(Url, reqwest::Client)>,
    places: Semaphore,
    /// The minute that is counted, and the questions in it.
    asked: Mutex<(Millis, HashMap<AccountId, u32>)>,
}

#[derive(Debug, Deserialize)]
struct Found {
    objects: Vec<FoundObject>,
}

#[derive(Debug, Deserialize)]
struct FoundObject {
    package: Manifest,
}

#[derive(Debug, Deserialize)]
struct Manifest {
    name: String,
    version: String,
    #[serde(default)]
    description: Option<String>,
}

impl From<Manifest> for FoundPackage {
    fn from(manifest: Manifest) -> Self {
        let description = manifest.description.unwrap_or_default();
        let description = description.chars().take(DESCRIPTION_LIMIT).collect();
        Self { name: manifest.name, version: manifest.version, description }
    }
}

impl PackageRegistry {
    /// Asks nobody yet.
    pub fn new(config: &PlatformConfig) -> Result<Self, Fault> {
        let home = if config.npm_registry.is_empty() { None } else { Some(home(config)?) };
        Ok(Self { home, places: Semaphore::new(AT_ONCE), asked: Mutex::default() })
    }

    /// Counts a question of this account, or says how long to wait.
    pub fn admit(&self, account: &AccountId, now: Millis) -> Result<(), Fault> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if now - asked.0 >= MINUTE || now < asked.0 {
            *asked = (now, HashMap::new());
        }
        let count = asked.1.entry(account.clone()).or_default();
        *count += 1;
        if *count <= PER_MINUTE {
            return Ok(());
        }
        let message = format!(
            "You looked for packages {PER_MINUTE} times in this minute. Wait a minute, or type the name by hand."
        );
        Err(Fault::new(Kind::RateLimited, "dependency.search_too_often", message).retry_after(60))
    }

    /// What fits, the best first. `None`: this registry has no search.
    pub async fn search(&self, text: &str) -> Result<Option<Vec<FoundPackage>>, Fault> {
        let Some((address, client)) = &self.home else { return Ok(None) };
        let mut url = address.join("-/v1/search").map_err(Fault::internal)?;
        url.query_pairs_mut().append_pair("text", text).append_pair("size", &RESULTS.to_string());
        let Some(body) = self.ask(client, url).await? else { return Ok(None) };
        // A registry without a search may answer with a page or a package instead.
        let found = serde_json::from_slice::<Found>(&body).ok();
        Ok(found.map(|found| found.objects.into_iter().map(|object| object.package.into()).collect()))
    }

    /// The package of exactly this name. `name` has been checked.
    pub async fn newest(&self, name: &str) -> Result<Option<FoundPackage>, Fault> {
        let Some((address, client)) = &self.home else { return Ok(None) };
        let url = address.join(&format!("{}/latest", name.replace('/', "%2f"))).map_err(Fault::internal)?;
        let Some(body) = self.ask(client, url).await? else { return Ok(None) };
        Ok(serde_json::from_slice::<Manifest>(&body).ok().map(FoundPackage::from))
    }

    /// The answer's body; `None` when there is no such thing at the registry.
    async fn ask(&self, client: &reqwest::Client, url: Url) -> Result<Option<Vec<u8>>, Fault> {
        let _place = self.places.acquire().await.map_err(Fault::internal)?;
        let response = client.get(url).send().await.map_err(silent)?;
        match response.status() {
            status if status.is_success() => {}
            StatusCode::TOO_MANY_REQUESTS => return Err(silent("it answers 429: too many questions")),
            status if status.is_server_error() => return Err(silent(format!("it answers {status}"))),
            _ => return Ok(None),
        }
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(silent)?);
            if body.len() > ANSWER_LIMIT {
                return Err(silent("its answer is too long"));
            }
        }
        Ok(Some(body))
    }
}

fn home(config: &PlatformConfig) -> Result<(Url, reqwest::Client), Fault> {
    let address = format!("{}/", config.npm_registry.trim_end_matches('/'));
    let mut client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(PATIENCE)
        .user_agent(concat!("darter/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = &config.npm_certificates {
        let pem = std::fs::read(path).map_err(Fault::internal)?;
        client = client.tls_certs_merge(reqwest::Certificate::from_pem_bundle(&pem).map_err(Fault::internal)?);
    }
    Ok((Url::parse(&address).map_err(Fault::internal)?, client.build().map_err(Fault::internal)?))
}

fn silent(cause: impl std::fmt::Display) -> Fault {
    let message = "The package registry gave no answer. Type the package's name by hand, or try again in a minute.";
    Fault::new(Kind::Unavailable, "dependency.registry_silent", message).caused_by(cause).retry_after(60)
}

#[cfg(test)]
mod tests {
    use darter_core::SystemRandom;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A registry that answers every question with the first row whose path fits.
    async fn registry(rows: &'static [(&'static str, u16, &'static str)]) -> PackageRegistry {
        // Fails only when it is there already, and then it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let npm_registry = format!("http://{}/npm/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let read = socket.read(&mut head).await.unwrap();
                let asked = String::from_utf8_lossy(&head[..read]).into_owned();
                let fits = |row: &&(&str, u16, &str)| asked.starts_with(&format!("GET /npm/{}", row.0));
                let (_, status, body) = rows.iter().find(fits).copied().unwrap_or(("", 404, "{}"));
                let answer = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: {}\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n{body}",
                    body.len()
                );
                socket.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        PackageRegistry::new(&PlatformConfig { npm_registry, ..PlatformConfig::default() }).unwrap()
    }

    #[tokio::test]
    async fn a_registry_with_a_search_is_searched() {
        let body = r#"{"objects":[{"package":{"name":"dayjs","version":"1.2.3","description":"Dates","links":{}}},
            {"package":{"name":"@x/y","version":"2.0.0"}}],"total":2}"#;
        let rows = Box::leak(Box::new([("-/v1/search?text=date+%26+time&size=12", 200, body)]));
        let found = registry(rows).await.search("date & time").await.unwrap().unwrap();
        let found: Vec<_> = found.iter().map(|one| (&*one.name, &*one.version, &*one.description)).collect();
        assert_eq!(found, [("dayjs", "1.2.3", "Dates"), ("@x/y", "2.0.0", "")]);
    }

    #[tokio::test]
    async fn a_registry_without_a_search_is_asked_for_the_name_itself() {
        let one = r#"{"name":"@x/y","version":"2.0.0","description":null}"#;
        let registry = registry(Box::leak(Box::new([("@x%2fy/latest", 200, one)]))).await;
        assert_eq!(registry.search("x").await.unwrap(), None);
        assert_eq!(registry.newest("@x/y").await.unwrap().unwrap().version, "2.0.0");
        assert_eq!(registry.newest("nothing").await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_no_answer_is_said_and_no_redirect_is_followed() {
        for (status, body, code) in
            [(503, "", Some("dependency.registry_silent")), (302, "", None), (200, "<html>", None)]
        {
            let rows = Box::leak(Box::new([("-/v1/search", status, body)]));
            let found = registry(rows).await.search("x").await;
            assert_eq!(found.err().map(|fault| fault.code), code, "{status}");
        }
    }

    #[test]
    fn one_account_asks_so_often_in_a_minute_and_others_are_not_in_its_way() {
        let registry = PackageRegistry::new(&PlatformConfig::default()).unwrap();
        let [ada, bob] = [1, 2].map(|time| AccountId::generate(time, &SystemRandom));
        (0..PER_MINUTE).for_each(|_| registry.admit(&ada, 1_000_000).unwrap());
        assert_eq!(registry.admit(&ada, 1_000_001).unwrap_err().code, "dependency.search_too_often");
        registry.admit(&bob, 1_000_002).unwrap();
        registry.admit(&ada, 1_000_000 + MINUTE).unwrap();
    }

    #[tokio::test]
    async fn without_a_registry_there_is_no_search() {
        let registry = PackageRegistry::new(&PlatformConfig::default()).unwrap();
        assert_eq!(registry.search("x").await.unwrap(), None);
        assert_eq!(registry.newest("x").await.unwrap(), None);
    }
}
