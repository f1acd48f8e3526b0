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

pub fn problems(providers: &[Provider]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, one) in providers.iter().enumerate() {
        let key = |name: &str| format!("providers[{index}].{name}");
        let shaped = (1..=32).contains(&one.id.len())
            && one.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !shaped || providers[..index].iter().any(|other| other.id == one.id) {
            let what = format!("{:?} is no id, or it is used twice", one.id);
            problems.push(Problem::new(key("id"), what, "use a to z, 0 to 9 and -, each id once"));
        }
        match one.kind.as_str() {
            "github" => {}
            "oidc" if url::Url::parse(&one.issuer).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) => {}
            "oidc" => problems.push(Problem::new(
                key("issuer"),
                "an oidc provider needs its address",
                "write https:// and the issuer",
            )),
            other => {
                problems.push(Problem::new(key("kind"), format!("there is no kind {other:?}"), "write github or oidc"))
            }
        }
        if one.client_id.is_empty() || one.client_secret.is_empty() {
            let fix = "set client_id, and client_secret or client_secret_file";
            problems.push(Problem::new(key("client_secret"), "the provider's credentials are missing", fix));
        }
    }
    problems
}
