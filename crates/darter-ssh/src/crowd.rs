//! How many there are of each: connections from one network, connections of one account. Nobody may fill the port.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts by what they are counted for.
pub(crate) struct Crowd<K> {
    most: usize,
    counts: Arc<Mutex<HashMap<K, usize>>>,
}

/// One of them, until it is dropped.
pub(crate) struct Place<K: Hash + Eq> {
    key: K,
    counts: Arc<Mutex<HashMap<K, usize>>>,
}

impl<K: Hash + Eq + Clone> Crowd<K> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, counts: Arc::default() }
    }

    /// One more; `None`: there are as many as there may be.
    pub(crate) fn enter(&self, key: &K) -> Option<Place<K>> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { key: key.clone(), counts: Arc::clone(&self.counts) })
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// Who has one IPv6 address has 2^64 of them.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_places_and_gives_them_back() {
        let crowd = Crowd::new(2);
        let first = crowd.enter(&"a").unwrap();
        let _second = crowd.enter(&"a").unwrap();
        assert!(crowd.enter(&"a").is_none() && crowd.enter(&"b").is_some());
        drop(first);
        assert!(crowd.enter(&"a").is_some());
        assert_eq!(crowd.counts.lock().unwrap().len(), 1, "nothing is kept of who has gone");
    }

    #[test]
    fn a_network_of_ipv6_is_one() {
        let network = |text: &str| network(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
    }
}
