//! Who may enter a workspace, and how a browser that the console knows becomes one that the workspace's host knows.
//!
//! The console mints a code (one use, one minute); the workspace's host trades it for a visit (long, looked up) and a pass
//! (a minute, checked from memory). A visit ends with the session or token that it came from. Whether somebody still may
//! is asked anew each time a pass is made.

mod address;
mod enter;
mod page;
mod redeem;
mod visit;

pub(crate) use address::spot_of_label;
pub use address::{Spot, console_address};
pub use enter::{enter, open};
pub use page::{keep, status};
pub use redeem::redeem;
pub use visit::{Entry, by_access_token, visit};

use darter_core::Fault;
use darter_core::role::{Action, Decision, Role, can};
use darter_core::workspace::Door;
use darter_core::workspace::pass::Level;
use darter_core::workspace::port::may_reach;

use crate::Platform;

/// Codes of share links begin so.
const SHARE_PREFIX: &str = "share_";

/// What somebody is to a spot; `None`: they may not enter. An editor is a shell: it needs an editor's right.
fn level(platform: &Platform, spot: &Spot, role: Option<Role>, signed_in: bool) -> Option<Level> {
    let plate = platform.workspaces.plate(&spot.id).filter(|plate| !plate.recycled)?;
    match spot.door() {
        Door::Attendant => None,
        Door::Editor => (can(role, Action::Edit) == Decision::Allow).then_some(role).flatten().map(Level::Member),
        Door::Port(port) => {
            let visibility = plate.ports.get(&port).map(|(visibility, _)| *visibility).unwrap_or_default();
            may_reach(visibility, role, signed_in).then(|| role.map_or(Level::Guest, Level::Member))
        }
    }
}

/// The answer to whoever may not enter: the same whether there is such a workspace or not.
fn closed() -> Fault {
    super::access::not_found()
}
