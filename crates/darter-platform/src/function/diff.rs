//! What differs between two versions, or a version and the draft.

use darter_api::function as api;
use darter_core::{AppId, Fault};
use darter_store::{function, version};
use similar::TextDiff;

use super::view::{not_found, version_not_found};
use crate::access::Opened;
use crate::{Actor, Platform};

/// How long the comparison may look for the smallest difference; then it takes a larger one.
const PATIENCE: std::time::Duration = std::time::Duration::from_millis(500);

/// A unified diff. 0 stands for the draft.
pub async fn diff(
    platform: &Platform,
    actor: &Actor,
    (app, name): (&AppId, &str),
    (from, to): (u32, u32),
) -> Result<api::Diff, Fault> {
    let mut opened = Opened::read(platform, actor, app).await?;
    let draft = function::lookup(&mut opened.tx, app, name).await?.ok_or_else(|| not_found(name))?.source;
    let mut sources = Vec::with_capacity(2);
    for number in [from, to] {
        sources.push(match number {
            0 => draft.clone(),
            number => {
                version::lookup(&mut opened.tx, app, name, number)
                    .await?
                    .ok_or_else(|| version_not_found(name, number))?
                    .1
            }
        });
    }
    drop(opened);
    let labels =
        [from, to].map(|number| if number == 0 { format!("{name}.ts (draft)") } else { format!("{name}.ts@{number}") });
    let unified = tokio::task::spawn_blocking(move || {
        TextDiff::configure()
            .timeout(PATIENCE)
            .diff_lines(&sources[0], &sources[1])
            .unified_diff()
            .header(&labels[0], &labels[1])
            .to_string()
    });
    Ok(api::Diff { from, to, unified: unified.await.map_err(Fault::internal)? })
}
