//! argon2id, a few at a time: a hash costs 19 MiB and tens of milliseconds, and a flood of sign-ins must not cost more
//! than that times the cores. Its parameters are OWASP's recommendation (2023: m = 19 MiB, t = 2, p = 1).

use std::sync::{Arc, OnceLock};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use darter_core::{Fault, Kind, Random};
use tokio::sync::Semaphore;

/// Hashes that may wait for a core. More are told to come back.
const WAITING: usize = 64;

/// Hashes passwords and compares them.
pub(crate) struct Hasher {
    places: Arc<Semaphore>,
    queue: Arc<Semaphore>,
}

impl Default for Hasher {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let places = cores.div_ceil(2);
        Self { places: Arc::new(Semaphore::new(places)), queue: Arc::new(Semaphore::new(places + WAITING)) }
    }
}

fn argon() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).expect("the parameters are within argon2's ranges");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Compared with when there is no account: the same work, never equal.
fn nobody() -> &'static str {
    static NOBODY: OnceLock<String> = OnceLock::new();
    NOBODY.get_or_init(|| {
        let salt = SaltString::encode_b64(b"nobody has this!").expect("16 bytes are a salt");
        let hash = argon().hash_password(b"and nobody has this password", &salt);
        hash.expect("hashing with checked parameters works").to_string()
    })
}

impl Hasher {
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let busy = || {
            Fault::new(
                Kind::Unavailable,
                "auth.busy",
                "Too many people sign in at this moment. Try again in a few seconds.",
            )
            .retry_after(3)
        };
        let queued = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| busy())?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| busy())?;
        // The places go with the work: a client that goes away does not make room for more of it.
        let done = tokio::task::spawn_blocking(move || {
            let _held = (queued, place);
            work()
        });
        done.await.map_err(Fault::internal)
    }

    /// A hash for the database.
    pub async fn hash(&self, password: &str, random: &dyn Random) -> Result<String, Fault> {
        let mut salt = [0u8; 16];
        random.fill(&mut salt);
        let password = password.to_owned();
        let hash = move || {
            let salt = SaltString::encode_b64(&salt).map_err(Fault::internal)?;
            argon().hash_password(password.as_bytes(), &salt).map(|hash| hash.to_string()).map_err(Fault::internal)
        };
        self.work(hash).await?
    }

    /// Is this the password? Without a hash it takes as long, and is not.
    pub async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, Fault> {
        let known = hash.is_some();
        let (password, hash) = (password.to_owned(), hash.map(str::to_owned));
        let verify = move || {
            let hash = hash.as_deref().unwrap_or_else(|| nobody());
            PasswordHash::new(hash).is_ok_and(|hash| argon().verify_password(password.as_bytes(), &hash).is_ok())
        };
        Ok(self.work(verify).await? && known)
    }
}

#[cfg(test)]
mod tests {
    use darter_core::SystemRandom;

    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let hasher = Hasher::default();
        let hash = hasher.hash("correct horse", &SystemRandom).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.verify("correct horse", Some(&hash)).await.unwrap());
        assert!(!hasher.verify("correct horsf", Some(&hash)).await.unwrap());
        assert!(!hasher.verify("correct horse", None).await.unwrap());
        assert!(!hasher.verify("and nobody has this password", None).await.unwrap());
        assert!(!hasher.verify("x", Some("damaged")).await.unwrap());
    }

    #[tokio::test]
    async fn a_flood_is_told_to_come_back() {
        let hasher = Hasher { places: Arc::new(Semaphore::new(0)), queue: Arc::new(Semaphore::new(0)) };
        assert_eq!(hasher.verify("x", None).await.map_err(|fault| fault.code), Err("auth.busy"));
    }
}
