//! Types of the SDK and of the globals, for editors without a language server: the files of `sdk/javascript`.

use darter_core::{AppId, Fault};
use darter_store::function;
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
    Ok(sdk())
}

/// Types of one package as Laf's editors ask for them: the SDK, or another function by its draft (`@/name`). Empty: none
/// are kept apart.
pub async fn package(platform: &Platform, actor: &Actor, app: &AppId, name: &str) -> Result<Vec<Typing>, Fault> {
    let mut opened = Opened::read(platform, actor, app).await?;
    if name == "@lafjs/cloud" || name == "@/cloud-sdk" {
        let folder = |typing: Typing| Typing { path: format!("node_modules/{name}/{}", typing.path), ..typing };
        return Ok(sdk().into_iter().map(folder).collect());
    }
    let Some(function) = name.strip_prefix("@/") else { return Ok(Vec::new()) };
    let drafts = function::drafts(&mut opened.tx, app).await?;
    let found = drafts.into_iter().filter(|(draft, _)| draft == function);
    Ok(found.map(|(draft, text)| Typing { path: format!("{draft}.ts"), text }).collect())
}

fn sdk() -> Vec<Typing> {
    let file = |path: &str| Some((path.to_owned(), Sdk::get(path)?.data));
    let files = Sdk::iter().filter_map(|path| file(&path));
    files.map(|(path, data)| Typing { path, text: String::from_utf8_lossy(&data).into_owned() }).collect()
}
