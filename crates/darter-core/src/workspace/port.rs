//! A port of a workspace: who may reach it, and what is spoken on it.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::role::Role;

/// Who may reach a port.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Members of the workspace, and whoever has a share link.
    #[default]
    Private,
    /// Everybody who is signed in at this server.
    SignedIn,
    /// Everybody.
    Public,
}

/// What the program behind a port speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    #[default]
    Http,
    Https,
}

/// May somebody reach a port? `role` is what they are in the workspace, if anything.
pub fn may_reach(visibility: Visibility, role: Option<Role>, signed_in: bool) -> bool {
    match visibility {
        Visibility::Public => true,
        Visibility::SignedIn => signed_in,
        Visibility::Private => role.is_some(),
    }
}

/// The attendant's own relay: no port of a tenant's.
pub const RESERVED: u16 = 3_128;

/// Checks a port's number.
pub fn validate(port: u16) -> Result<(), Fault> {
    if port != 0 && port != RESERVED {
        return Ok(());
    }
    Err(Fault::invalid("port.number_invalid", format!("A port is a number from 1 to 65535, and not {RESERVED}.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_reached_by_whom_its_owner_lets() {
        use Visibility::{Private, Public, SignedIn};
        let rows = [
            (Private, None, false, false),
            (Private, None, true, false),
            (Private, Some(Role::Viewer), true, true),
            (SignedIn, None, false, false),
            (SignedIn, None, true, true),
            (Public, None, false, true),
        ];
        for (visibility, role, signed_in, expected) in rows {
            assert_eq!(may_reach(visibility, role, signed_in), expected, "{visibility:?} {role:?} {signed_in}");
        }
        assert_eq!([0, 1, 3_128, 65_535].map(|port| validate(port).is_ok()), [false, true, false, true]);
    }
}
