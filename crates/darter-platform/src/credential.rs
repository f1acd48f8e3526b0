//! Sessions and tokens as the proof of who asks: made, found (from memory on the hot path), ended at once.
//!
//! A secret is 256 random bits; the database and this memory hold only its digest. An entry in memory is believed for
//! [`FRESH`]; whatever ends a credential in this process empties the memory of it in the same moment, and a look-up that
//! began before does not put it back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use darter_core::{AccountId, Fault, Millis, Random, SessionId};
use darter_store::{Tx, account, session, ssh_key, token};
use dashmap::DashMap;
use tokio::sync::broadcast;

use crate::Platform;
use crate::actor::{Actor, Origin, Person, Via, Who, sign_in_needed};

/// A session ends when it was not used for this long.
pub const SESSION_LIFE: Millis = 30 * 24 * 3_600_000;
/// And at the latest this long after it began.
const SESSION_MOST: Millis = 180 * 24 * 3_600_000;
/// Personal access tokens begin with this.
pub const TOKEN_PREFIX: &str = "dat_";
/// Sessions of one account; the one used the longest ago ends first.
const SESSIONS_PER_ACCOUNT: u32 = 100;
/// A use is written at most this often.
const NOTE_EVERY: Millis = 5 * 60_000;
/// How long memory is believed: another process may have changed the database.
const FRESH: Millis = 5_000;
/// Entries in memory.
const MOST: usize = 20_000;
/// How often somebody who keeps something open must still be who they were.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone)]
struct Known {
    person: Arc<Person>,
    read_at: Millis,
    expires_at: Option<Millis>,
}

/// Credentials that were used lately, by the digest of their secret.
#[derive(Debug)]
pub(crate) struct Credentials {
    known: DashMap<String, Known>,
    generation: AtomicU64,
    /// Accounts of which a credential has ended, for those who keep something open for it.
    ended: broadcast::Sender<AccountId>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self { known: DashMap::new(), generation: AtomicU64::new(0), ended: broadcast::channel(256).0 }
    }
}

impl Credentials {
    /// Forgets everything about an account: call it after every commit that ends a credential or changes what it may do.
    pub fn forget(&self, account: &AccountId) {
        self.generation.fetch_add(1, Ordering::SeqCst);
        self.known.retain(|_, known| known.person.account != *account);
        // Fails only when nobody keeps anything open.
        let _ = self.ended.send(account.clone());
    }

    fn get(&self, digest: &str, now: Millis) -> Option<Arc<Person>> {
        let known = self.known.get(digest)?;
        let fresh = (0..FRESH).contains(&(now - known.read_at)) && known.expires_at.is_none_or(|end| end > now);
        fresh.then(|| Arc::clone(&known.person))
    }

    fn keep(&self, digest: String, known: Known, generation: u64) {
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(digest.clone(), known);
        // Whoever forgot meanwhile may have been too early to find it.
        if self.generation.load(Ordering::SeqCst) != generation {
            self.known.remove(&digest);
        }
    }
}

/// A new secret: 256 bits.
pub(crate) fn secret(random: &dyn Random) -> String {
    let mut bytes = [0u8; 32];
    random.fill(&mut bytes);
    BASE64.encode(bytes)
}

/// What the database keeps of a secret. A fast hash is right: the secret has 256 bits.
pub(crate) fn digest(secret: &str) -> String {
    blake3::hash(secret.as_bytes()).to_hex().to_string()
}

/// Begins a session inside a transaction; the secret goes into the browser's cookie.
pub(crate) async fn begin_session(
    platform: &Platform,
    tx: &mut Tx,
    (account, origin): (&AccountId, &Origin),
) -> Result<String, Fault> {
    let now = platform.clock.now();
    let text = |text: &str| text.chars().filter(|letter| !letter.is_control()).take(300).collect::<String>();
    let row = session::Session {
        id: SessionId::generate(now, &*platform.random),
        account: account.clone(),
        created_at: now,
        last_used_at: now,
        expires_at: now + SESSION_LIFE,
        user_agent: text(&origin.user_agent),
        address: text(&origin.address),
    };
    let secret = secret(&*platform.random);
    session::insert(tx, &row, &digest(&secret)).await?;
    session::trim(tx, account, SESSIONS_PER_ACCOUNT).await?;
    account::seen(tx, account, now).await?;
    Ok(secret)
}

/// Who asks with this cookie. A cookie that means nothing (any more) is nobody, not a fault: the sign-in page must work.
pub async fn by_cookie(platform: &Arc<Platform>, secret: &str, origin: Origin) -> Result<Actor, Fault> {
    let digest = digest(secret);
    let now = platform.clock.now();
    if let Some(person) = platform.credentials.get(&digest, now) {
        return Ok(Actor { who: Who::Person(person), origin });
    }
    let generation = platform.credentials.generation.load(Ordering::SeqCst);
    let mut tx = platform.store.read().await?;
    let Some(row) = session::by_secret(&mut tx, &digest, now).await? else { return Ok(Actor::anonymous(origin)) };
    let Some(owner) = account::lookup(&mut tx, &row.account).await?.filter(|owner| !owner.disabled) else {
        return Ok(Actor::anonymous(origin));
    };
    drop(tx);
    let person = Person {
        account: owner.id,
        username: owner.username,
        administrator: owner.administrator,
        via: Via::Session(row.id.clone()),
    };
    let person = Arc::new(person);
    let known = Known { person: Arc::clone(&person), read_at: now, expires_at: Some(row.expires_at) };
    platform.credentials.keep(digest, known, generation);
    if now - row.last_used_at >= NOTE_EVERY {
        note_session(platform, row, now);
    }
    Ok(Actor { who: Who::Person(person), origin })
}

/// Moves the end of a session on, after the answer.
fn note_session(platform: &Arc<Platform>, row: session::Session, now: Millis) {
    let expires_at = (now + SESSION_LIFE).min(row.created_at + SESSION_MOST);
    let store = platform.store.clone();
    platform.tasks.spawn(async move {
        let noted = async {
            let mut tx = store.write().await?;
            session::used(&mut tx, &row.account, &row.id, (now, expires_at)).await?;
            account::seen(&mut tx, &row.account, now).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "the use of a session could not be noted");
        }
    });
}

/// Whoever has this token.
pub(crate) async fn by_token(platform: &Platform, secret: &str) -> Result<Arc<Person>, Fault> {
    let refused = || {
        Fault::unauthenticated(
            "token.invalid",
            "This token is not valid: it was taken away, it has ended, or it is not complete. Make a new one.",
        )
    };
    let shaped = secret.starts_with(TOKEN_PREFIX) && secret.len() <= 128;
    let digest = digest(secret);
    let now = platform.clock.now();
    if let Some(person) = platform.credentials.get(&digest, now) {
        return Ok(person);
    }
    if !shaped {
        return Err(refused());
    }
    let generation = platform.credentials.generation.load(Ordering::SeqCst);
    let mut tx = platform.store.read().await?;
    let row = token::by_secret(&mut tx, &digest, now).await?.ok_or_else(refused)?;
    let owner = account::lookup(&mut tx, &row.account).await?.filter(|owner| !owner.disabled).ok_or_else(refused)?;
    drop(tx);
    let via = Via::Token(row.id.clone(), row.scopes.clone());
    let person =
        Arc::new(Person { account: owner.id, username: owner.username, administrator: owner.administrator, via });
    let known = Known { person: Arc::clone(&person), read_at: now, expires_at: row.expires_at };
    platform.credentials.keep(digest, known, generation);
    if row.last_used_at.is_none_or(|last| now - last >= NOTE_EVERY) {
        note_token(platform, row, now);
    }
    Ok(person)
}

fn note_token(platform: &Platform, row: token::Token, now: Millis) {
    let store = platform.store.clone();
    platform.tasks.spawn(async move {
        let noted = async {
            let mut tx = store.write().await?;
            token::used(&mut tx, &row.account, &row.id, now).await?;
            account::seen(&mut tx, &row.account, now).await?;
            tx.commit().await
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, "the use of a token could not be noted");
        }
    });
}

/// Resolves when the credential of whoever asks has ended: what was opened with it (a live log, a language server) ends,
/// too. Told at once by this process; what another process did, or the clock, is noticed after [`LOOK_AGAIN`].
pub async fn credential_ends(platform: &Platform, actor: &Actor) {
    let Some(person) = actor.person() else { return };
    let mut ended = platform.credentials.ended.subscribe();
    while still_good(platform, person).await {
        loop {
            match tokio::time::timeout(LOOK_AGAIN, ended.recv()).await {
                Ok(Ok(account)) if account != person.account => {}
                Ok(Ok(_) | Err(broadcast::error::RecvError::Lagged(_))) | Err(_) => break,
                Ok(Err(broadcast::error::RecvError::Closed)) => return,
            }
        }
    }
}

async fn still_good(platform: &Platform, person: &Person) -> bool {
    let now = platform.clock.now();
    let look = async {
        let mut tx = platform.store.read().await?;
        let enabled = account::lookup(&mut tx, &person.account).await?.is_some_and(|row| !row.disabled);
        let found = match &person.via {
            Via::Session(id) => session::list(&mut tx, &person.account, now).await?.iter().any(|row| row.id == *id),
            Via::Token(id, _) => {
                let good = |row: &token::Token| row.id == *id && row.expires_at.is_none_or(|end| end > now);
                token::list(&mut tx, &person.account).await?.iter().any(good)
            }
            Via::SshKey(id) => ssh_key::list(&mut tx, &person.account).await?.iter().any(|row| row.id == *id),
        };
        Ok::<_, darter_store::StoreError>(enabled && found)
    };
    // A database that does not answer says nothing about anybody.
    look.await.unwrap_or(true)
}

/// The row of whoever asks; gone or disabled meanwhile is the same as not signed in.
pub(crate) async fn own_row(tx: &mut Tx, id: &AccountId) -> Result<account::Account, Fault> {
    account::lookup(tx, id).await?.filter(|row| !row.disabled).ok_or_else(sign_in_needed)
}
