//! The TypeScript language server of an app's project, one message at a time.
//!
//! Documents live in the editor: it opens and changes them over the protocol. What the server sees besides are the
//! drafts of all functions, the SDK's types and the app's packages. A function that anybody saves meanwhile is told to
//! every session of its app. The server runs in a sandbox; nothing it says is believed beyond being text of a bounded
//! size.

mod documents;
mod framing;
pub(crate) mod hostile;
mod sessions;
mod typings;

use std::time::Duration;

use darter_core::{AppId, Fault};
use darter_engine::{LanguageServer, ProjectFile};
use darter_store::{dependency, function};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};

pub use documents::Change;
pub use framing::MESSAGE_LIMIT;
pub use sessions::{Changes, LanguageSessions, Place};
pub use typings::{Typing, package, typings};

use crate::access::Opened;
use crate::{Actor, Platform};
use documents::Documents;

/// A message may not take longer on its way into the server than this.
const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// An open language server. Dropping both halves ends it.
pub struct Language {
    pub incoming: Incoming,
    pub outgoing: Outgoing,
    pub place: Place,
    /// Functions that are saved meanwhile, by anybody.
    pub changes: Changes,
    /// Ends the server when dropped.
    pub guard: Box<dyn std::any::Any + Send + Sync>,
}

/// Messages from the server.
pub struct Incoming(BufReader<Box<dyn AsyncRead + Send + Unpin>>);

/// Messages to the server.
pub struct Outgoing {
    pipe: Box<dyn AsyncWrite + Send + Unpin>,
    documents: Documents,
}

impl Incoming {
    /// The next message; `None` when the server has ended.
    pub async fn next(&mut self) -> std::io::Result<Option<String>> {
        framing::read(&mut self.0).await
    }
}

impl Outgoing {
    /// Passes a message of the editor on.
    pub async fn send(&mut self, message: &str) -> std::io::Result<()> {
        for message in self.documents.editor_says(message) {
            self.write(&message).await?;
        }
        Ok(())
    }

    /// Tells the server what somebody saved. Answers what the editor has to know about it, if anything.
    pub async fn tell(&mut self, change: Change) -> std::io::Result<Option<String>> {
        let Some(message) = self.documents.changed(change) else { return Ok(None) };
        self.write(&message).await?;
        Ok(Some(documents::project_changed()))
    }

    async fn write(&mut self, message: &str) -> std::io::Result<()> {
        if message.len() > MESSAGE_LIMIT {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "the message is too long"));
        }
        tokio::time::timeout(WRITE_TIMEOUT, framing::write(&mut self.pipe, message)).await?
    }
}

/// Starts a language server over the app's drafts.
pub async fn open(platform: &Platform, actor: &Actor, app: &AppId) -> Result<Language, Fault> {
    let account = Opened::read(platform, actor, app).await?.account;
    // Listening comes before reading: what is saved in between is heard, twice at worst.
    let (place, changes) = platform.apps.languages.take(&account, actor.credential(), app)?;
    let mut opened = Opened::read(platform, actor, app).await?;
    let drafts = function::drafts(&mut opened.tx, app).await?;
    let files = drafts.into_iter().map(|(name, text)| ProjectFile { path: format!("{name}.ts"), text }).collect();
    let dependencies = dependency::get(&mut opened.tx, app).await?.digest;
    drop(opened);
    let LanguageServer { stdin, stdout, guard } = platform.engine.language_server(app, files, dependencies).await?;
    let outgoing = Outgoing { pipe: stdin, documents: Documents::default() };
    Ok(Language { incoming: Incoming(BufReader::new(stdout)), outgoing, place, changes, guard })
}
