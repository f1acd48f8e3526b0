//! How many connections one client's network holds: at most a share of all, so that nobody can take every place and leave
//! everybody else waiting at the door. A machine's own address and trusted proxies stand for many and are not counted.

use std::net::IpAddr;
use std::sync::Arc;

use dashmap::DashMap;

/// One network's share: the whole divided by this. A school of a thousand browsers may have one address.
const SHARES: usize = 4;

/// Connections by network.
#[derive(Debug)]
pub(crate) struct Crowd {
    share: usize,
    held: DashMap<u128, usize>,
}

/// One connection of a network; dropping it gives its place back.
#[derive(Debug)]
pub(crate) struct Seat {
    crowd: Arc<Crowd>,
    network: u128,
}

/// A client's network: one IPv4 address, or the /64 that one IPv6 client owns.
pub(crate) fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

impl Crowd {
    /// Of so many connections in all.
    pub fn new(all: usize) -> Arc<Self> {
        Arc::new(Self { share: all.div_ceil(SHARES), held: DashMap::new() })
    }

    /// `None`: the network has its share already.
    pub fn seat(self: &Arc<Self>, address: IpAddr) -> Option<Seat> {
        let network = network(address);
        let mut held = self.held.entry(network).or_insert(0);
        if *held >= self.share {
            return None;
        }
        *held += 1;
        Some(Seat { crowd: Arc::clone(self), network })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(mut held) = self.crowd.held.get_mut(&self.network) {
            *held -= 1;
        }
        self.crowd.held.remove_if(&self.network, |_, held| *held == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_has_a_share_and_gives_places_back() {
        let crowd = Crowd::new(8);
        let seat = |address: &str| crowd.seat(address.parse().unwrap());
        let (first, second) = (seat("192.0.2.1"), seat("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && seat("192.0.2.1").is_none());
        let neighbours = (seat("2001:db8::1"), seat("2001:db8::2"));
        assert!(neighbours.0.is_some() && neighbours.1.is_some());
        assert!(seat("2001:db8::3").is_none() && seat("2001:db8:0:1::1").is_some() && seat("192.0.2.2").is_some());
        drop(first);
        assert!(seat("192.0.2.1").is_some());
        drop((second, neighbours));
        assert!(crowd.held.is_empty(), "nothing is kept of who has gone");
    }
}
