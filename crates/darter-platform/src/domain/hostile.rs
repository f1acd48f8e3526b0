//! The private readers of [`crate::hostile`] about domains.

use super::{dns, host};

/// An answer of a name server to a question of ours.
pub(crate) fn answer(bytes: &[u8]) {
    dns::read_hostile(bytes);
}

/// A host that somebody wants for an app.
pub(crate) fn host(text: &str) {
    let own = ["darter.localhost", "apps.localhost"];
    let Ok(host) = host::normalise(text, &own) else { return };
    assert!(host::normalise(&host, &own).is_ok_and(|again| again == host), "a host has one form: {host:?}");
    assert!(!own.iter().any(|own| host == *own || host.ends_with(&format!(".{own}"))), "not ours: {host:?}");
    assert!(host.parse::<std::net::IpAddr>().is_err(), "no address: {host:?}");
}
