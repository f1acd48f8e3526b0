//! The data of snapshots in an S3 bucket. Objects are named by their content, so that writing one twice is harmless and
//! every request may be repeated; what is written is never changed.
//!
//! Never holds more than a few requests' bytes, and never waits for a store that is gone longer than its patience.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig,
};
use tokio::sync::Semaphore;

use super::store_config::SnapshotStore;

/// Requests at a time, of all workspaces together: each holds at most a chunk.
const AT_A_TIME: usize = 8;
/// For one request.
const PATIENCE: Duration = Duration::from_secs(60);
/// For a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// A bucket, or a part of one.
pub(super) struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    turns: Semaphore,
}

impl Bucket {
    /// Opens nothing yet: the first request says whether it answers.
    pub fn new(config: &SnapshotStore, retries: usize) -> io::Result<Self> {
        let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), ..BackoffConfig::default() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_virtual_hosted_style_request(!config.path_style)
            .with_allow_http(config.endpoint.starts_with("http://"))
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(config.endpoint.starts_with("http://"))
                    .with_timeout(PATIENCE)
                    .with_connect_timeout(CONNECT),
            )
            .with_retry(RetryConfig { backoff, max_retries: retries, retry_timeout: PATIENCE });
        if !config.endpoint.is_empty() {
            builder = builder.with_endpoint(config.endpoint.trim_end_matches('/'));
        }
        if !config.access_key.is_empty() {
            builder = builder.with_access_key_id(&config.access_key).with_secret_access_key(config.secret_key.reveal());
        }
        let store: Arc<dyn ObjectStore> = Arc::new(builder.build().map_err(told)?);
        Ok(Self { store, prefix: Path::from(config.prefix.as_str()), turns: Semaphore::new(AT_A_TIME) })
    }

    /// `<prefix>/<place>/<first two letters>/<name>`.
    fn key(&self, place: &str, name: &str) -> Path {
        let folder = self.folder(place);
        folder.join(name.get(..2).unwrap_or("__")).join(name)
    }

    fn folder(&self, place: &str) -> Path {
        place.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }

    /// Is it there already?
    pub async fn has(&self, place: &str, name: &str) -> io::Result<bool> {
        let _turn = self.turns.acquire().await.map_err(io::Error::other)?;
        match self.store.head(&self.key(place, name)).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(told(error)),
        }
    }

    /// Writes it unless it is there. A store without conditional writes gets the same bytes once more.
    pub async fn put(&self, place: &str, name: &str, bytes: Vec<u8>) -> io::Result<()> {
        let _turn = self.turns.acquire().await.map_err(io::Error::other)?;
        let key = self.key(place, name);
        let payload = PutPayload::from(bytes);
        let new = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&key, payload.clone(), new).await {
            Ok(_) | Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(()),
            Err(Error::NotImplemented { .. } | Error::NotSupported { .. }) => {
                self.store.put(&key, payload).await.map(drop).map_err(told)
            }
            Err(error) => Err(told(error)),
        }
    }

    /// All of it; more than `most` is refused before it is read.
    pub async fn get(&self, place: &str, name: &str, most: u64) -> io::Result<Vec<u8>> {
        let _turn = self.turns.acquire().await.map_err(io::Error::other)?;
        let found = self.store.get(&self.key(place, name)).await.map_err(told)?;
        if found.meta.size > most {
            return Err(io::Error::other(format!("it has {} bytes, more than was ever written", found.meta.size)));
        }
        Ok(found.bytes().await.map_err(told)?.into())
    }

    /// Deletes everything below a place but these names. Whoever dies in the middle has deleted only what nobody wants.
    pub async fn sweep(&self, place: &str, keep: &BTreeSet<String>) -> io::Result<()> {
        let unwanted = |path: &Path| !path.filename().is_some_and(|name| keep.contains(name));
        let found = self.store.list(Some(&self.folder(place))).map_ok(|meta| meta.location);
        // Listed whole before anything goes: pages of a list that shrinks meanwhile would leave some out.
        let old: Vec<Path> =
            found.try_filter(|path| std::future::ready(unwanted(path))).try_collect().await.map_err(told)?;
        let old = futures_util::stream::iter(old.into_iter().map(Ok)).boxed();
        self.store.delete_stream(old).try_for_each(|_| std::future::ready(Ok(()))).await.map_err(told)
    }

    /// Asks for the first name in it. Changes nothing.
    pub async fn answers(&self) -> io::Result<()> {
        let Some(Err(error)) = self.store.list(Some(&self.prefix)).next().await else { return Ok(()) };
        // A listing that is refused does not tell that; a question for one object does.
        let one = self.store.head(&self.prefix.clone().join("nothing")).await;
        Err(match one {
            Err(refused @ (Error::PermissionDenied { .. } | Error::Unauthenticated { .. })) => told(refused),
            Ok(_) | Err(_) => told(error),
        })
    }
}

/// What is wrong, by its kind: not there, refused, or no answer.
fn told(error: Error) -> io::Error {
    let kind = match &error {
        Error::NotFound { .. } => io::ErrorKind::NotFound,
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => io::ErrorKind::PermissionDenied,
        _ => io::ErrorKind::HostUnreachable,
    };
    io::Error::new(kind, error)
}
