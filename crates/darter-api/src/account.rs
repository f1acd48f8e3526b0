//! Accounts, sessions, tokens, identities, invitations.

use darter_core::role::TokenScope;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /auth/signup`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// 3 to 32 of `a-z 0-9 -`, a letter first. Appears in addresses.
    pub username: String,
    pub email: String,
    /// 10 to 256 characters.
    pub password: String,
    #[serde(default)]
    pub display_name: Option<String>,
    /// Needed when sign-up is by invitation.
    #[serde(default)]
    pub invitation: Option<String>,
}

/// `POST /auth/signin`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// User name or e-mail address.
    pub login: String,
    pub password: String,
}

/// Who may sign up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignUpMode {
    Open,
    Invitation,
    Closed,
}

/// `GET /auth/methods`: what the sign-in page shows.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AuthMethods {
    pub signup: SignUpMode,
    /// No account exists yet: the first to sign up becomes administrator.
    pub first: bool,
    pub providers: Vec<Provider>,
    /// Can reset mails be sent?
    pub mail: bool,
}

/// A way to sign in elsewhere.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Provider {
    /// `github` or the operator's id of an OIDC provider.
    pub id: String,
    pub name: String,
}

/// Oneself: `GET /me`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Account {
    pub id: String,
    pub username: String,
    pub email: String,
    pub display_name: String,
    pub administrator: bool,
    /// Address of the picture, or absent. Changes when the picture changes.
    #[serde(default)]
    pub avatar_url: Option<String>,
    /// Has a password (false: signs in elsewhere only).
    pub has_password: bool,
    pub created_at: i64,
}

/// `PATCH /me`
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateAccount {
    #[serde(default)]
    pub display_name: Option<String>,
    #[serde(default)]
    pub email: Option<String>,
    /// Needed for another address by an account that has a password: whoever has the address can reset it.
    #[serde(default)]
    pub password: Option<String>,
}

/// `POST /me/password`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// Absent only when the account has none yet.
    #[serde(default)]
    pub current: Option<String>,
    pub new: String,
}

/// `POST /auth/password/forgot`. The answer never tells whether the account exists.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgotPassword {
    pub login: String,
}

/// `POST /auth/password/reset`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// From the mail, or from `darter account reset-password` on the server. Once, within an hour.
    pub token: String,
    pub new: String,
}

/// A signed-in browser.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Session {
    pub id: String,
    pub current: bool,
    pub created_at: i64,
    pub last_used_at: i64,
    pub expires_at: i64,
    pub user_agent: String,
    pub address: String,
}

/// A personal access token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub id: String,
    pub name: String,
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<TokenScope>,
    /// The first characters, to recognise it by.
    pub hint: String,
    pub created_at: i64,
    #[serde(default)]
    pub expires_at: Option<i64>,
    #[serde(default)]
    pub last_used_at: Option<i64>,
}

/// `POST /me/tokens`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    pub name: String,
    /// `read`, `write`, `admin`
    #[schema(value_type = Vec<String>)]
    pub scopes: Vec<TokenScope>,
    /// Absent: does not expire.
    #[serde(default)]
    pub expires_at: Option<i64>,
}

/// The only time the secret is shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    pub token: Token,
    /// `dat_…`; send it as `Authorization: Bearer`.
    pub secret: String,
}

/// An SSH public key that opens one's workspaces.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SshKey {
    pub id: String,
    pub name: String,
    /// `ssh-ed25519`, `ssh-rsa` …
    pub kind: String,
    /// `SHA256:…`, as `ssh-keygen -l` shows it.
    pub fingerprint: String,
    pub created_at: i64,
    #[serde(default)]
    pub last_used_at: Option<i64>,
}

/// `POST /me/ssh-keys`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddSshKey {
    /// The line of a `.pub` file.
    pub public_key: String,
    /// What it is called; the comment in the line unless told.
    #[serde(default)]
    pub name: Option<String>,
}

/// A provider's account bound to this one.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Identity {
    pub provider: String,
    /// The name or address there.
    pub label: String,
    pub created_at: i64,
}

/// An invitation to sign up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    pub id: String,
    #[serde(default)]
    pub email: Option<String>,
    pub uses_left: u32,
    pub created_at: i64,
    pub expires_at: i64,
}

/// `POST /invitations`
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvitation {
    #[serde(default)]
    pub email: Option<String>,
    /// 1 to 1,000; 1 unless told.
    #[serde(default)]
    pub uses: Option<u32>,
    /// Hours until it ends, 1 to 8,760; 168 unless told.
    #[serde(default)]
    pub hours: Option<u32>,
}

/// The only time the code is shown.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct CreatedInvitation {
    pub invitation: Invitation,
    pub code: String,
    pub url: String,
}
