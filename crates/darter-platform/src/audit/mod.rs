//! Who changed what: written in the same transaction as the change itself, so that there is neither one without the other.
//!
//! Never put a secret, a password or a token into `details`.

mod list;

use std::sync::atomic::{AtomicI64, Ordering};

use darter_core::{AppId, AuditId, Clock, Fault, Millis, Random};
use darter_store::{Tx, audit};

use crate::actor::{Actor, Who};

pub use list::{of_app, of_everything, of_oneself};

/// A change, as the record says it.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// `noun.verb`
    pub operation: &'static str,
    /// What it was done to.
    pub object: String,
    pub app: Option<&'a AppId>,
    pub details: serde_json::Value,
}

impl Change<'_> {
    /// A change of something that belongs to no app.
    pub fn of(operation: &'static str, object: impl ToString, details: serde_json::Value) -> Self {
        Self { operation, object: object.to_string(), app: None, details }
    }
}

/// Longest user agent, address and such that are kept.
const TEXT_LIMIT: usize = 200;

/// Adds to the record.
pub async fn record(tx: &mut Tx, actor: &Actor, change: Change<'_>) -> Result<(), Fault> {
    let person = actor.person();
    let (id, name) = match (&actor.who, person) {
        (Who::Person(_), Some(person)) => (person.account.to_string(), person.username.clone()),
        (Who::Person(_) | Who::Anonymous | Who::Server, _) => (String::new(), String::new()),
    };
    insert(tx, (id, name), (&actor.origin, change)).await
}

/// Adds to the record what somebody did who proved who they are only with this very request (signing in and up).
pub(crate) async fn record_as(
    tx: &mut Tx,
    (id, name): (&str, &str),
    (actor, change): (&Actor, Change<'_>),
) -> Result<(), Fault> {
    insert(tx, (id.to_owned(), name.to_owned()), (&actor.origin, change)).await
}

async fn insert(
    tx: &mut Tx,
    (actor, actor_name): (String, String),
    (origin, change): (&crate::Origin, Change<'_>),
) -> Result<(), Fault> {
    // An entry's time is when it was written: the machine's clock and chance, which no rule depends on.
    let time = darter_core::SystemClock.now();
    let random: &dyn Random = &darter_core::SystemRandom;
    let entry = audit::Entry {
        id: AuditId::generate(rising(time), random),
        time,
        actor,
        actor_name,
        operation: change.operation.to_owned(),
        object: change.object,
        app: change.app.cloned(),
        address: cut(&origin.address),
        request_id: cut(&origin.request_id),
        details: change.details,
    };
    Ok(audit::insert(tx, &entry).await?)
}

/// Ids of one process rise even within a millisecond and when the clock jumps back: the record is read in their order.
fn rising(time: Millis) -> Millis {
    static LAST: AtomicI64 = AtomicI64::new(0);
    let next = |last: Millis| Some(time.max(last + 1));
    match LAST.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next) {
        Ok(last) | Err(last) => time.max(last + 1),
    }
}

fn cut(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT_LIMIT).collect()
}
