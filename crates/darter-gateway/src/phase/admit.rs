//! Phase 4: not too often, not too large. Token buckets in the shape of GCRA: one number for each bucket.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use darter_core::AppId;
use darter_core::limits::AppLimits;
use dashmap::DashMap;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue};
use tokio_util::sync::CancellationToken;

use crate::amount;
use crate::crowd::network;
use crate::page::Problem;

/// Client buckets kept at most; beyond, newcomers are held to their app's bucket alone until the next sweep.
const MAX_CLIENTS: usize = 500_000;
const SWEEP_EVERY: Duration = Duration::from_secs(10);
const SECOND: u64 = 1_000_000_000;

/// The buckets of all apps and their clients.
pub struct Buckets {
    origin: Instant,
    apps: DashMap<AppId, AtomicU64>,
    clients: DashMap<(AppId, u128), AtomicU64>,
}

impl Buckets {
    pub fn new() -> Self {
        Self { origin: Instant::now(), apps: DashMap::new(), clients: DashMap::new() }
    }

    /// Takes one token of the client and one of the app, or says when to come back.
    pub(crate) fn take(&self, app: &AppId, client: IpAddr, limits: &AppLimits, now: Instant) -> Result<(), Problem> {
        let now = self.nanos(now);
        let key = (app.clone(), network(client));
        let wait = match self.clients.get(&key) {
            Some(bucket) => take(&bucket, limits.rate_client, now),
            None if self.clients.len() >= MAX_CLIENTS => Ok(()),
            None => take(&self.clients.entry(key).or_default(), limits.rate_client, now),
        };
        wait.map_err(|wait| {
            too_often(
                "client",
                wait,
                format!("You send more than {} requests per second to this app.", limits.rate_client),
            )
        })?;
        let wait = match self.apps.get(app) {
            Some(bucket) => take(&bucket, limits.rate_app, now),
            None => take(&self.apps.entry(app.clone()).or_default(), limits.rate_app, now),
        };
        wait.map_err(|wait| {
            too_often("app", wait, format!("This app gets more than its {} requests per second.", limits.rate_app))
        })
    }

    fn nanos(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Forgets buckets that are full again, until the gateway stops.
    pub(crate) async fn sweep(&self, stopping: &CancellationToken) {
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(SWEEP_EVERY) => self.forget_full(Instant::now()),
            }
        }
    }

    fn forget_full(&self, now: Instant) {
        let now = self.nanos(now);
        self.clients.retain(|_, bucket| bucket.load(Ordering::Relaxed) > now);
        self.apps.retain(|_, bucket| bucket.load(Ordering::Relaxed) > now);
    }
}

/// The generic cell rate algorithm (ITU-T I.371): the bucket holds when the next request would be exactly on time; a
/// second's worth may come early. On refusal: nanoseconds to wait.
fn take(bucket: &AtomicU64, rate: u32, now: u64) -> Result<(), u64> {
    let step = SECOND / u64::from(rate.max(1));
    let mut due = bucket.load(Ordering::Relaxed);
    loop {
        let next = due.max(now) + step;
        let early = next.saturating_sub(now);
        if early > SECOND.max(step) {
            return Err(early - SECOND.max(step));
        }
        match bucket.compare_exchange_weak(due, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(current) => due = current,
        }
    }
}

fn too_often(scope: &'static str, wait: u64, message: String) -> Problem {
    let seconds = u32::try_from(wait.div_ceil(SECOND)).unwrap_or(u32::MAX).max(1);
    Problem::new(
        429,
        "app.rate_limited",
        format!("{message} Wait {seconds} s; the owner can raise the limit in the app's settings."),
    )
    .with("scope", scope)
    .retry_after(seconds)
}

/// Refuses a body that announces more than the app takes.
pub(crate) fn check_length(headers: &HeaderMap, limit: u64) -> Result<Option<u64>, Problem> {
    let length =
        headers.get(CONTENT_LENGTH).map(HeaderValue::to_str).and_then(Result::ok).and_then(|text| text.parse().ok());
    match length {
        Some(length) if length > limit => Err(too_large(limit)),
        length => Ok(length),
    }
}

/// The problem of a body over the limit.
pub(crate) fn too_large(limit: u64) -> Problem {
    Problem::new(
        413,
        "request.too_large",
        format!(
            "The request's body is larger than this app's limit of {}. Send less, or let the owner raise the limit in the app's settings.",
            amount::size(limit)
        ),
    )
    .with("limit", limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_second_of_burst_through_and_then_the_rate() {
        let bucket = AtomicU64::new(0);
        let taken = |now: u64, tries: usize| (0..tries).filter(|_| take(&bucket, 10, now).is_ok()).count();
        assert_eq!(taken(0, 50), 10);
        assert_eq!(taken(SECOND / 2, 50), 5);
        assert_eq!(taken(SECOND / 2, 50), 0);
        assert_eq!(taken(100 * SECOND, 50), 10);
        let wait = take(&bucket, 10, 100 * SECOND).unwrap_err();
        assert!(take(&bucket, 10, 100 * SECOND + wait).is_ok());
    }

    #[test]
    fn one_request_per_second_is_possible() {
        let bucket = AtomicU64::new(0);
        assert!(take(&bucket, 1, 0).is_ok());
        assert!(take(&bucket, 1, SECOND / 2).is_err());
        assert!(take(&bucket, 1, SECOND).is_ok());
    }

    #[test]
    fn clients_have_buckets_of_their_own_and_full_ones_are_forgotten() {
        let buckets = Buckets::new();
        let app: AppId = "abcdefghjk".parse().unwrap();
        let limits = AppLimits { rate_client: 1, rate_app: 3, ..AppLimits::default() };
        let now = Instant::now();
        let ask =
            |client: &str| buckets.take(&app, client.parse().unwrap(), &limits, now).map_err(|problem| problem.scope());
        assert_eq!(ask("10.0.0.1"), Ok(()));
        assert_eq!(ask("10.0.0.1"), Err(Some("client".into())));
        assert_eq!(ask("fd00::1"), Ok(()));
        assert_eq!(ask("fd00::2"), Err(Some("client".into())));
        assert_eq!(ask("fd00:0:0:1::1"), Ok(()));
        assert_eq!(ask("10.0.0.2"), Err(Some("app".into())));
        buckets.forget_full(now + Duration::from_secs(60));
        assert!(buckets.clients.is_empty() && buckets.apps.is_empty());
    }
}
