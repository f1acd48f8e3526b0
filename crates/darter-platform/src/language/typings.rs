//! Types of the SDK and of the globals, for editors without a language server: the files of `sdk/javascript`.

use darter_core::{AppId, Fault};
use rust_embed::RustEmbed;
use serde::Serialize;

use crate::access::Opened;
use crate::{Actor, Platform};

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../sdk/javascript"]
#[include = "*.d.ts"]
#[exclude = "node_modules/*"]
#[allow_missing = true]
struct Sdk;

/// A file with types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Typing {
    pub path: String,
    pub text: String,
}

/// All of them, for a member of the app.
pub async fn typings(platform: &Platform, actor: &Actor, app: &AppId) -> Result<Vec<Typing>, Fault> {
    Opened::read(platform, actor, app).await?;
    let file = |path: &str| Some((path.to_owned(), Sdk::get(path)?.data));
    let files = Sdk::iter().filter_map(|path| file(&path));
    Ok(files.map(|(path, data)| Typing { path, text: String::from_utf8_lossy(&data).into_owned() }).collect())
}
