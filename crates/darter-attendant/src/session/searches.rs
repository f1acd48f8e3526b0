//! `search.*`: searches run in few threads, whoever asks; one whose asker does not take what was found is given up.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::Session;
use crate::blocking::blocking;
use crate::fault::Fault;
use crate::params::Params;
use crate::search::{names, text};

/// Searches that run at a time, of all sessions; more wait.
static RUNNING: Semaphore = Semaphore::const_new(2);
/// What was found waits so long for a session to take it.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn answer(session: &Arc<Session>, id: u32, what: &str, params: &Params) -> Result<Value, Fault> {
    let stop = session.stoppable(id);
    // Never closed.
    let Ok(_place) = RUNNING.acquire().await else { return Err(Fault::new("cancelled", "the attendant ends")) };
    let answer = match what {
        "files" => match names::Wanted::of(params) {
            Ok(wanted) => blocking(move || wanted.search(&stop))
                .await
                .map(|(paths, more)| json!({"paths": paths, "limit_hit": more})),
            Err(fault) => Err(fault),
        },
        "text" => match text::Wanted::of(params) {
            Ok(wanted) => {
                let (output, runtime) = (session.output.clone(), Handle::current());
                let tell = move |mut told: serde_json::Map<String, Value>| {
                    told.insert("search".into(), id.into());
                    let told = output.notify("search.match", Value::Object(told));
                    // The timer is the runtime's, so it is made inside it.
                    let sent = runtime.block_on(async { tokio::time::timeout(PATIENCE, told).await });
                    matches!(sent, Ok(Ok(())))
                };
                blocking(move || wanted.search(&stop, tell)).await.map(|hit| json!({"limit_hit": hit}))
            }
            Err(fault) => Err(fault),
        },
        other => Err(Fault::new("request.unknown", format!("`search.{other}` is nothing that a session does"))),
    };
    session.done(id);
    answer
}
