//! Rows of signing in, oneself, and the server. Where a right request would change who asks, a wrong one is sent: it is
//! refused for what it says, not for who sends it.

use serde_json::{Value, json};

use super::Needs::{Account, Administrator, Nothing};
use super::{Row, row};

pub fn rows() -> Vec<Row> {
    let none = || Value::Null;
    vec![
        row("system.get", "GET /system", Nothing, none()),
        row("auth.methods", "GET /auth/methods", Nothing, none()),
        row("auth.signup", "POST /auth/signup", Nothing, json!({ "username": "x", "email": "x", "password": "x" })),
        row("auth.signin", "POST /auth/signin", Nothing, json!({ "login": 1 })),
        row("auth.signout", "POST /auth/signout", Account, json!({})).for_any_token(),
        row("auth.password.forgot", "POST /auth/password/forgot", Nothing, json!({ "login": 1 })),
        row("auth.password.reset", "POST /auth/password/reset", Nothing, json!({ "token": "x", "new": "x" })),
        row("auth.provider.start", "GET /auth/providers/none/start", Nothing, none()),
        row("auth.provider.callback", "GET /auth/providers/none/callback", Nothing, none()),
        row("me.get", "GET /me", Account, none()),
        row("me.update", "PATCH /me", Account, json!({ "display_name": "Somebody" })),
        row("me.password.change", "POST /me/password", Account, json!({ "new": "short" })),
        row("me.avatar.set", "PUT /me/avatar", Account, none()).as_picture(),
        row("me.avatar.delete", "DELETE /me/avatar", Account, none()),
        row("account.avatar.get", "GET /accounts/acc_00000000000000000000000000/avatar", Account, none()),
        row("session.list", "GET /me/sessions", Account, none()),
        row("session.delete", "DELETE /me/sessions/ses_00000000000000000000000000", Account, none()),
        row("session.delete_others", "DELETE /me/sessions", Account, none()),
        row("token.list", "GET /me/tokens", Account, none()),
        row("token.create", "POST /me/tokens", Account, json!({ "name": "another", "scopes": ["read"] })),
        row("token.delete", "DELETE /me/tokens/tok_00000000000000000000000000", Account, none()),
        row("ssh_key.list", "GET /me/ssh-keys", Account, none()),
        row("ssh_key.create", "POST /me/ssh-keys", Account, json!({ "public_key": "ssh-ed25519 AAAA" })),
        row("ssh_key.delete", "DELETE /me/ssh-keys/key_00000000000000000000000000", Account, none()),
        row("identity.list", "GET /me/identities", Account, none()),
        row("identity.delete", "DELETE /me/identities/none", Account, none()),
        row("audit.own", "GET /me/audit", Account, none()),
        row("invitation.list", "GET /invitations", Administrator, none()),
        row("invitation.create", "POST /invitations", Administrator, json!({})),
        row("invitation.delete", "DELETE /invitations/inv_00000000000000000000000000", Administrator, none()),
        row("audit.all", "GET /audit", Administrator, none()),
        row("admin.account.list", "GET /admin/accounts", Administrator, none()),
        row("admin.account.update", "PATCH /admin/accounts/acc_00000000000000000000000000", Administrator, json!({})),
        row("admin.settings.get", "GET /admin/settings", Administrator, none()),
        row("admin.settings.update", "PATCH /admin/settings", Administrator, json!({})),
        row("admin.doctor", "GET /admin/doctor", Administrator, none()),
    ]
}
