//! Which addresses a tenant may never reach. Pure, and the last word: names are judged by what they resolve to.
//!
//! An IPv6 address that carries an IPv4 one is judged by the one it carries.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused, as a tenant may read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is an address of the machine itself")]
    Loopback,
    #[error("it is an unspecified address")]
    Unspecified,
    #[error("it is in a private network")]
    Private,
    #[error("it is a link-local address, where cloud metadata lives")]
    LinkLocal,
    #[error("it is in a carrier's shared network")]
    Shared,
    #[error("it is a multicast or broadcast address")]
    Multicast,
    #[error("it is in a range reserved for documentation, tests or later use")]
    Reserved,
}

/// Accepts public unicast addresses only.
pub fn vet(address: IpAddr) -> Result<(), Refusal> {
    match address {
        IpAddr::V4(address) => vet_v4(address),
        IpAddr::V6(address) => vet_v6(address),
    }
}

fn vet_v4(address: Ipv4Addr) -> Result<(), Refusal> {
    let [a, b, c, _] = address.octets();
    match (a, b, c) {
        (0, _, _) => Err(Refusal::Unspecified),
        (127, _, _) => Err(Refusal::Loopback),
        (10, _, _) | (172, 16..=31, _) | (192, 168, _) => Err(Refusal::Private),
        (169, 254, _) => Err(Refusal::LinkLocal),
        // A public address by its number, and Azure's metadata and agent service on every machine there.
        (168, 63, 129) if address.octets()[3] == 16 => Err(Refusal::LinkLocal),
        (100, 64..=127, _) => Err(Refusal::Shared),
        (224..=239, _, _) => Err(Refusal::Multicast),
        (255, 255, 255) if address.is_broadcast() => Err(Refusal::Multicast),
        // IETF assignments, the old 6to4 relay, benchmarks, the three documentation ranges, and 240/4.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) | (240..=255, _, _) => {
            Err(Refusal::Reserved)
        }
        _ => Ok(()),
    }
}

fn vet_v6(address: Ipv6Addr) -> Result<(), Refusal> {
    if address.is_unspecified() {
        return Err(Refusal::Unspecified);
    }
    if address.is_loopback() {
        return Err(Refusal::Loopback);
    }
    if let Some(inner) = carried_v4(address) {
        return vet_v4(inner);
    }
    match address.segments() {
        [0xfe80..=0xfebf, ..] => Err(Refusal::LinkLocal),
        // Unique local, and the site-local range that some networks still route.
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Err(Refusal::Private),
        [0xff00..=0xffff, ..] => Err(Refusal::Multicast),
        // Teredo carries an IPv4 address in scrambled form; documentation, benchmarks, ORCHID and other protocols'.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => Err(Refusal::Reserved),
        // Everything else outside 2000::/3 is not global unicast.
        [0x2000..=0x3fff, ..] => Ok(()),
        _ => Err(Refusal::Reserved),
    }
}

/// The IPv4 address inside: mapped, compatible, translated (SIIT), NAT64's well-known prefix, 6to4, ISATAP. A network's own
/// NAT64 prefix (64:ff9b:1::/48) may carry it at any of four places, so all of that prefix is refused as reserved.
pub(super) fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(join(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trick_to_reach_inside_is_refused() {
        use Refusal::{LinkLocal, Loopback, Multicast, Private, Reserved, Shared, Unspecified};
        let rows = [
            ("127.0.0.1", Loopback),
            ("127.255.255.254", Loopback),
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("10.0.0.1", Private),
            ("172.16.0.1", Private),
            ("172.31.255.255", Private),
            ("192.168.1.1", Private),
            ("169.254.169.254", LinkLocal),
            ("169.254.170.2", LinkLocal),
            ("100.64.0.1", Shared),
            ("100.100.100.200", Shared),
            ("224.0.0.1", Multicast),
            ("255.255.255.255", Multicast),
            ("192.0.0.192", Reserved),
            ("192.0.2.1", Reserved),
            ("198.18.0.1", Reserved),
            ("198.51.100.1", Reserved),
            ("203.0.113.1", Reserved),
            ("240.0.0.1", Reserved),
            ("::", Unspecified),
            ("::1", Loopback),
            ("::ffff:127.0.0.1", Loopback),
            ("::ffff:169.254.169.254", LinkLocal),
            ("::ffff:0:10.0.0.1", Private),
            ("::127.0.0.1", Loopback),
            ("64:ff9b::7f00:1", Loopback),
            ("64:ff9b::a9fe:a9fe", LinkLocal),
            ("64:ff9b:1::a00:1", Reserved),
            ("64:ff9b:1:a00:0:100:808:808", Reserved),
            ("168.63.129.16", LinkLocal),
            ("::ffff:168.63.129.16", LinkLocal),
            ("2002:7f00:1::", Loopback),
            ("2002:a00:1::1", Private),
            ("2a00:1450:4001:80b:0:5efe:a00:1", Private),
            ("fe80::1", LinkLocal),
            ("fd00:ec2::254", Private),
            ("fc00::1", Private),
            ("fec0::1", Private),
            ("ff02::1", Multicast),
            ("2001::1", Reserved),
            ("2001:db8::1", Reserved),
            ("3fff::1", Reserved),
            ("100::1", Reserved),
            ("4000::1", Reserved),
        ];
        for (address, refusal) in rows {
            assert_eq!(vet(address.parse().unwrap()), Err(refusal), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_accepted() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "168.63.129.17",
            "64:ff9b::808:808",
            "100.128.0.1",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(vet(address.parse().unwrap()), Ok(()), "{address}");
        }
    }
}
