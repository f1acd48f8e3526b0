//! An account as the API shows it to itself.

use darter_api::account as api;
use darter_core::AccountId;
use darter_store::account::Account;

/// The address of a picture. It changes with the picture, so that it can be kept for ever.
pub(crate) fn avatar_url(account: &AccountId, digest: &str) -> String {
    format!("/api/v1/accounts/{account}/avatar?v={digest}")
}

/// Oneself.
pub(crate) fn show(row: &Account) -> api::Account {
    api::Account {
        id: row.id.to_string(),
        username: row.username.clone(),
        email: row.email.clone().unwrap_or_default(),
        display_name: row.display_name.clone(),
        administrator: row.administrator,
        avatar_url: row.avatar.as_deref().map(|digest| avatar_url(&row.id, digest)),
        has_password: row.password.is_some(),
        created_at: row.created_at,
    }
}
