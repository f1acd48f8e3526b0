//! Whose data a call means, where it can be more than one kind of owner.

use darter_core::{AccountId, AppId};

/// Whose data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// What one account did or owns.
    Account(&'a AccountId),
    /// What belongs to one app.
    App(&'a AppId),
    /// Everything: for the server itself and its administrators.
    System,
}
