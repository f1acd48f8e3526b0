//! `darter ssh-key …`: public keys that open one's workspaces.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use darter_api::account::{AddSshKey, SshKey};

use super::Context;
use super::output::time;
use crate::client::{Failure, segment};

/// Keys that `ssh-keygen` makes, the best first.
const USUAL: &[&str] = &["id_ed25519.pub", "id_ecdsa.pub", "id_rsa.pub"];
/// No public key is longer.
const LONGEST: u64 = 64 << 10;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add a public key
    Add {
        /// A .pub file, `-` for standard input; the usual one in ~/.ssh unless told
        file: Option<PathBuf>,
        /// What it is called; its comment unless told
        #[arg(long)]
        name: Option<String>,
    },
    /// All keys
    List,
    /// Take a key away; connections that were opened with it end
    Remove {
        /// Its id, name or fingerprint
        key: String,
    },
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Add { file, name } => {
                let public_key = read(&file.map_or_else(usual, Ok)?)?;
                let added: SshKey = context.api.post("/me/ssh-keys", &AddSshKey { public_key, name }).await?;
                context.out.value(&added, |key| format!("{}  {}  {}", key.id, key.name, key.fingerprint));
            }
            Self::List => {
                let all: Vec<SshKey> = context.api.list("/me/ssh-keys").await?;
                context.out.list(&all, &["id", "name", "kind", "fingerprint", "last used"], |key| {
                    let used = key.last_used_at.map_or("never".to_owned(), time);
                    vec![key.id.clone(), key.name.clone(), key.kind.clone(), key.fingerprint.clone(), used]
                });
            }
            Self::Remove { key } => {
                let all: Vec<SshKey> = context.api.list("/me/ssh-keys").await?;
                let found: Vec<_> =
                    all.iter().filter(|one| [&one.id, &one.name, &one.fingerprint].contains(&&key)).collect();
                let [one] = found.as_slice() else {
                    let what = if found.is_empty() { "No key is" } else { "Several keys are" };
                    return Err(Failure::usage(format!("{what} called {key}. Name its id: `darter ssh-key list`.")));
                };
                context.api.delete(&format!("/me/ssh-keys/{}", segment(&one.id))).await?;
                context.out.done(&format!("{} ({}) opens nothing any more.", one.name, one.fingerprint));
            }
        }
        Ok(())
    }
}

fn usual() -> Result<PathBuf, Failure> {
    let folder = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default().join(".ssh");
    let found = USUAL.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| {
        let what = "There is no key in ~/.ssh. Make one with `ssh-keygen -t ed25519`, or name a .pub file.";
        Failure::usage(what)
    })
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().take(LONGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::usage(format!("{} cannot be read: {error}.", path.display())))?;
    // The server would refuse it too, but a secret must not even be sent.
    if text.contains("PRIVATE KEY") {
        let path = path.display();
        return Err(Failure::usage(format!(
            "{path} is a private key, and was not sent. Name the file that ends in .pub."
        )));
    }
    Ok(text)
}
