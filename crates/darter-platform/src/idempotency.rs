//! The same request twice is one request: a creation that carries a key is done once, and repeated with its first answer.
//!
//! The key is claimed before the work and the answer kept after it. When the server dies between the two, nobody knows
//! whether the work was done: the claim stands, and whoever asks again is told to look. The same creation never happens
//! twice under one key. An answer may hold a secret that is shown once, so it is sealed.

use darter_core::{AccountId, Fault, Millis};
use darter_store::idempotency::{self as store, Kept};
use serde::{Deserialize, Serialize};

use crate::Platform;

/// Longest key, in characters.
pub const KEY_LIMIT: usize = 128;
/// Larger answers are not kept.
pub const ANSWER_LIMIT: usize = 1 << 20;
/// A claim that is older than this is no longer at work: the longest request has ended by then.
const AT_WORK: Millis = 15 * 60_000;
const LIFE: Millis = 24 * 3_600_000;
/// Stands for the status of an answer that nobody knows: no answer has it.
const IN_DOUBT: u16 = 1;

/// A creation that carries a key.
#[derive(Debug, Clone)]
pub struct Keyed {
    pub account: AccountId,
    pub key: String,
    /// Of method, path and body.
    pub digest: String,
}

/// An answer as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Keyed {
    /// Checks the key and takes the digest of the request.
    pub fn new(account: AccountId, key: &str, (method, path, body): (&str, &str, &[u8])) -> Result<Self, Fault> {
        let shaped = (1..=KEY_LIMIT).contains(&key.len()) && key.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
        if !shaped {
            let message =
                format!("Idempotency-Key has 1 to {KEY_LIMIT} visible ASCII characters. A random UUID is right.");
            return Err(Fault::invalid("idempotency.key_invalid", message));
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(method.as_bytes()).update(b" ").update(path.as_bytes()).update(b"\n").update(body);
        Ok(Self { account, key: key.to_owned(), digest: hasher.finalize().to_hex().to_string() })
    }
}

/// Claims the key. `Some`: the request was answered before, and this is the answer.
pub async fn begin(platform: &Platform, keyed: &Keyed) -> Result<Option<Answer>, Fault> {
    let now = platform.clock.now();
    let mut tx = platform.store.write().await?;
    if let Some(kept) = store::lookup(&mut tx, &keyed.account, &keyed.key).await? {
        if now - kept.created_at <= LIFE {
            return again(platform, (keyed, &kept), now).map(Some);
        }
        store::release(&mut tx, &keyed.account, &keyed.key).await?;
    }
    if !store::claim(&mut tx, &keyed.account, (&keyed.key, &keyed.digest), now).await? {
        return Err(at_work());
    }
    tx.commit().await?;
    Ok(None)
}

fn at_work() -> Fault {
    let message = "A request with this Idempotency-Key is still at work. Ask again in a few seconds for its answer.";
    Fault::conflict("idempotency.in_progress", message).retry_after(2)
}

fn in_doubt() -> Fault {
    let message = "The first request with this Idempotency-Key was cut short on our side: nobody knows whether it was carried out. Look whether what you wanted is there; if not, send the request with a new key.";
    Fault::conflict("idempotency.in_doubt", message)
}

fn again(platform: &Platform, (keyed, kept): (&Keyed, &Kept), now: Millis) -> Result<Answer, Fault> {
    if kept.digest != keyed.digest {
        let message = "This Idempotency-Key was used for another request. Use a new key for each new request.";
        return Err(Fault::conflict("idempotency.key_reused", message));
    }
    match kept.status {
        IN_DOUBT => return Err(in_doubt()),
        // Claimed by a process that is gone, or so long ago that it is.
        0 if kept.created_at < platform.started_at || now - kept.created_at > AT_WORK => return Err(in_doubt()),
        0 => return Err(at_work()),
        _ => {}
    }
    let opened = platform.answers.open(keyed.account.as_str(), &kept.answer);
    let answer = opened.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    answer.ok_or_else(|| Fault::internal("a kept answer does not open: the master key is another one"))
}

/// The work ended in a way that does not say whether anything was made.
pub async fn leave_open(platform: &Platform, keyed: &Keyed) -> Result<(), Fault> {
    let mut tx = platform.store.write().await?;
    store::keep(&mut tx, &keyed.account, &keyed.key, (IN_DOUBT, "")).await?;
    Ok(tx.commit().await?)
}

/// Keeps the answer for a repeated request, or lets go of the key when nothing was made.
pub async fn end(platform: &Platform, keyed: &Keyed, answer: Option<&Answer>) -> Result<(), Fault> {
    let mut tx = platform.store.write().await?;
    match answer {
        Some(answer) => {
            let bytes = serde_json::to_vec(answer).map_err(Fault::internal)?;
            let sealed = platform.answers.seal(keyed.account.as_str(), &bytes, &*platform.random)?;
            store::keep(&mut tx, &keyed.account, &keyed.key, (answer.status, &sealed)).await?;
        }
        None => store::release(&mut tx, &keyed.account, &keyed.key).await?,
    }
    Ok(tx.commit().await?)
}
