//! The TypeScript language server of an app's project, one message at a time.
//!
//! Documents live in the editor: it opens and changes them over the protocol. What the server sees besides are the
//! drafts of all functions as they were when it started, the SDK's types and the app's packages. The server runs in a
//! sandbox; nothing it says is believed beyond being text of a bounded size.

mod framing;
mod sessions;
mod typings;

use std::time::Duration;

use darter_core::{AppId, Fault};
use darter_engine::{LanguageServer, ProjectFile};
use darter_store::{dependency, function};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};

pub use framing::MESSAGE_LIMIT;
pub use sessions::{LanguageSessions, Place};
pub use typings::{Typing, typings};

use crate::access::Opened;
use crate::{Actor, Platform};

/// A message may not take longer on its way into the server than this.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// An open language server. Dropping both halves ends it.
pub struct Language {
    pub incoming: Incoming,
    pub outgoing: Outgoing,
    pub place: Place,
    /// Ends the server when dropped.
    pub guard: Box<dyn std::any::Any + Send + Sync>,
}

/// Messages from the server.
pub struct Incoming(BufReader<Box<dyn AsyncRead + Send + Unpin>>);

/// Messages to the server.
pub struct Outgoing(Box<dyn AsyncWrite + Send + Unpin>);

impl Incoming {
    /// The next message; `None` when the server has ended.
    pub async fn next(&mut self) -> std::io::Result<Option<String>> {
        framing::read(&mut self.0).await
    }
}

impl Outgoing {
    /// Sends one message.
    pub async fn send(&mut self, message: &str) -> std::io::Result<()> {
        if message.len() > MESSAGE_LIMIT {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the message is too long"));
        }
        tokio::time::timeout(WRITE_TIMEOUT, framing::write(&mut self.0, message)).await?
    }
}

/// Starts a language server over the app's drafts.
pub async fn open(platform: &Platform, actor: &Actor, app: &AppId) -> Result<Language, Fault> {
    let (files, dependencies, account) = {
        let mut opened = Opened::read(platform, actor, app).await?;
        let drafts = function::drafts(&mut opened.tx, app).await?;
        let files: Vec<_> =
            drafts.into_iter().map(|(name, text)| ProjectFile { path: format!("{name}.ts"), text }).collect();
        (files, dependency::get(&mut opened.tx, app).await?.digest, opened.account.clone())
    };
    let place = platform.apps.languages.take(&account, actor.credential(), app)?;
    let LanguageServer { stdin, stdout, guard } = platform.engine.language_server(app, files, dependencies).await?;
    Ok(Language { incoming: Incoming(BufReader::new(stdout)), outgoing: Outgoing(stdin), place, guard })
}
