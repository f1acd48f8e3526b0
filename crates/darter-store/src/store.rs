//! The database: opened, brought up to date, and handed out as transactions.
//!
//! SQLite has one writer at a time: writes have a pool of one connection and begin `IMMEDIATE`, so that nobody finds out
//! in the middle of a transaction that another was quicker; readers have connections of their own and never wait for the
//! writer (WAL). A commit returns when the data is on disk (`synchronous=FULL`). PostgreSQL has one pool for both.
//! Never open a second writing transaction while one is open in the same task: on SQLite it waits for ever (30 s).

use std::ops::{Deref, DerefMut};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions, Executor, Transaction};

use crate::{Result, StoreError, migrations};

/// Readers of a SQLite database. Each costs a thread and a page cache.
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;
/// How long to wait for a connection before the answer is "busy".
const PATIENCE: Duration = Duration::from_secs(30);

const SQLITE_PRAGMAS: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;";

/// The control database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    readers: AnyPool,
    writer: AnyPool,
    sqlite: bool,
}

/// A transaction. Dropped without [`Tx::commit`], nothing happened.
#[derive(Debug)]
pub struct Tx(Transaction<'static, Any>);

impl Store {
    /// Opens the SQLite file, making it (readable by this account only) when it is not there.
    pub async fn open_file(path: &Path) -> Result<Self> {
        let failed = |cause| StoreError::File { path: path.display().to_string(), cause };
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(failed)?;
        let text =
            path.to_str().ok_or_else(|| failed(std::io::Error::other("the path is not UTF-8; choose another")))?;
        let escaped = text.replace('%', "%25").replace('?', "%3F").replace('#', "%23").replace(' ', "%20");
        Self::open(&format!("sqlite://{escaped}")).await
    }

    /// Opens `sqlite:///path` or `postgres://…` and brings it up to date.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        // Statements hold what people wrote: they are not for the log.
        let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
        let store =
            if url.starts_with("sqlite:") { Self::sqlite(options).await? } else { Self::postgres(options).await? };
        migrations::all().run(&store.writer).await?;
        Ok(store)
    }

    async fn sqlite(options: AnyConnectOptions) -> Result<Self> {
        let pool = |size| {
            AnyPoolOptions::new()
                .min_connections(1)
                .max_connections(size)
                .acquire_timeout(PATIENCE)
                .idle_timeout(None)
                .max_lifetime(None)
                .after_connect(|connection, _| {
                    Box::pin(async move {
                        connection.execute(SQLITE_PRAGMAS).await?;
                        Ok(())
                    })
                })
        };
        let writer = pool(1).connect_with(options.clone()).await?;
        let readers = pool(SQLITE_READERS).connect_with(options).await?;
        Ok(Self { readers, writer, sqlite: true })
    }

    async fn postgres(options: AnyConnectOptions) -> Result<Self> {
        let pool = AnyPoolOptions::new()
            .max_connections(POSTGRES_CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .connect_with(options)
            .await?;
        Ok(Self { readers: pool.clone(), writer: pool, sqlite: false })
    }

    /// A transaction that only reads: one consistent picture.
    pub async fn read(&self) -> Result<Tx> {
        let begin = if self.sqlite { "BEGIN" } else { "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" };
        Ok(Tx(self.readers.begin_with(begin).await?))
    }

    /// A transaction that writes. On SQLite it is alone from its first statement on.
    pub async fn write(&self) -> Result<Tx> {
        let begin = if self.sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        Ok(Tx(self.writer.begin_with(begin).await?))
    }

    /// Waits for open transactions and closes every connection.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

impl Tx {
    /// Makes everything in it last. When this returns it is on disk.
    pub async fn commit(self) -> Result<()> {
        Ok(self.0.commit().await?)
    }
}

impl Deref for Tx {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.0
    }
}
