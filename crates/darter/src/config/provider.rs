//! `[[providers]]`: other places to sign in at.

use serde::{Deserialize, Serialize};

use super::Secret;
use super::key::{Key, Kind, Problem};

/// GitHub, or any provider of OpenID Connect.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    pub id: String,
    pub kind: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub issuer: String,
    pub client_id: String,
    #[serde(default)]
    pub client_secret: Secret,
}

pub const KEYS: &[Key] = &[
    Key::new(
        "id",
        Kind::Text,
        "a short word, part of the callback address <console>/api/v1/auth/providers/<id>/callback; never change it later",
    ),
    Key::new("kind", Kind::Text, "github or oidc"),
    Key::new("name", Kind::Text, "what the button says; the id unless told"),
    Key::new(
        "issuer",
        Kind::Text,
        "of oidc: the issuer's address, below which .well-known/openid-configuration lies. Of github: empty, or a GitHub Enterprise address",
    ),
    Key::new("client_id", Kind::Text, "as the provider gave it"),
    Key::new("client_secret", Kind::Secret, "as the provider gave it"),
];

/// What the platform cannot see, because it is lost on the way there.
pub fn problems(providers: &[Provider]) -> Vec<Problem> {
    let unknown = providers.iter().enumerate().filter(|(_, one)| !matches!(one.kind.as_str(), "github" | "oidc"));
    unknown
        .map(|(index, one)| {
            Problem::new(
                format!("providers[{index}].kind"),
                format!("there is no kind {:?}", one.kind),
                "write github or oidc",
            )
        })
        .collect()
}
