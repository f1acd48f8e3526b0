//! Accounts: coming in, going out, proving who one is, and what an administrator may change.
//!
//! Nothing here may tell whether an account exists to somebody who could not know: not by an answer, not by its time.

pub(crate) mod admin;
mod avatar;
mod hash;
pub(crate) mod hostile;
mod invitation;
mod password;
mod profile;
mod reset;
pub(crate) mod rules;
mod sessions;
mod signin;
pub(crate) mod signup;
mod ssh_keys;
mod tokens;
mod view;

pub use admin::{list, update as update_by_administrator};
pub(crate) use avatar::Avatars;
pub use avatar::{UPLOAD_LIMIT, picture, remove as remove_avatar, set as set_avatar};
pub(crate) use hash::Hasher;
pub use invitation::{create as invite, list as invitations, remove as uninvite};
pub use password::change as change_password;
pub use profile::{me, update};
pub use reset::{choose as reset_password, forgot, token as reset_token};
pub use sessions::{end as end_session, end_others as end_other_sessions, list as sessions};
pub use signin::{sign_in, sign_out};
pub use signup::{methods, sign_up};
pub use ssh_keys::{add as add_ssh_key, list as ssh_keys, remove as remove_ssh_key};
pub use tokens::{create as create_token, list as tokens, remove as remove_token};
pub(crate) use view::avatar_url;
pub(crate) use view::show;

/// Somebody who is signed in from now on: what to show, and the secret for the cookie.
#[derive(Debug, Clone)]
pub struct SignedIn {
    pub account: darter_api::account::Account,
    pub secret: String,
}
