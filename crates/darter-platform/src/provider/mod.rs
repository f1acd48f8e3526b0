//! Signing in elsewhere: GitHub, and any provider of OpenID Connect.
//!
//! The browser carries a sealed, short-lived cookie from the start to the callback: which provider, the state, the nonce,
//! the PKCE verifier, where to go then. A provider's account is known by its never-changing subject. It is never linked to
//! an account here by its e-mail address: who has one proves it by signing in here and binding.

mod client;
mod finish;
mod github;
pub(crate) mod hostile;
mod identities;
mod oidc;
mod start;

use darter_api::account as api;
use darter_core::Fault;
use serde::{Deserialize, Serialize};

pub use finish::{Callback, Finished, finish};
pub use identities::{list, unbind};
pub use start::{Start, Started, start};

use crate::config::{PlatformConfig, ProviderConfig, ProviderKind};
use crate::seal::Sealer;
use client::HttpClient;

/// How long somebody may take at the provider.
pub const FLOW_SECONDS: i64 = 600;

/// The places to sign in at.
pub(crate) struct Providers {
    all: Vec<Provider>,
    cookie: Sealer,
}

/// One of them.
pub(crate) struct Provider {
    config: ProviderConfig,
    http: HttpClient,
    /// Of OIDC: what the provider said about itself lately.
    discovered: oidc::Discovered,
}

/// What the browser carries from start to callback.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Flow {
    provider: String,
    state: String,
    nonce: String,
    verifier: String,
    return_to: String,
    /// The account that wants to bind; absent: sign in.
    bind: Option<String>,
    invitation: Option<String>,
    ends_at: i64,
}

/// Who a provider says somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stranger {
    subject: String,
    /// The name there, for a person to recognise.
    label: String,
    /// What a user name here may be made of.
    handle: String,
    display_name: String,
    /// Only when the provider proved it.
    email: Option<String>,
}

impl Providers {
    pub fn new(config: &PlatformConfig, master: &[u8; 32]) -> Result<Self, Fault> {
        let provider = |config: &ProviderConfig| {
            Ok(Provider { config: config.clone(), http: HttpClient::new()?, discovered: oidc::Discovered::default() })
        };
        let all = config.providers.iter().map(provider).collect::<Result<Vec<_>, Fault>>()?;
        Ok(Self { all, cookie: Sealer::new("darter 2026-11 cookie of a sign-in elsewhere", master) })
    }

    /// What the sign-in page shows.
    pub fn shown(&self) -> Vec<api::Provider> {
        let name = |config: &ProviderConfig| match (config.name.as_str(), config.kind) {
            ("", ProviderKind::Github) => "GitHub".to_owned(),
            ("", ProviderKind::Oidc) => config.id.clone(),
            (name, _) => name.to_owned(),
        };
        self.all.iter().map(|one| api::Provider { id: one.config.id.clone(), name: name(&one.config) }).collect()
    }

    fn get(&self, id: &str) -> Result<&Provider, Fault> {
        let found = self.all.iter().find(|one| one.config.id == id);
        found.ok_or_else(|| {
            Fault::not_found(
                "provider.not_found",
                "This server does not know this provider. Choose one of those on the sign-in page.",
            )
        })
    }
}

/// Where a provider sends people back to.
fn callback_url(config: &PlatformConfig, provider: &str) -> String {
    format!("{}/api/v1/auth/providers/{provider}/callback", config.public_url)
}

/// A path on this very site, whatever was asked for: never another site.
fn safe_return(wanted: Option<&str>) -> String {
    let wanted = wanted.unwrap_or("/");
    let inside = wanted.starts_with('/')
        && !wanted.starts_with("//")
        && wanted.len() <= 1_024
        && wanted.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'\\');
    if inside { wanted.to_owned() } else { "/".to_owned() }
}

fn failed(cause: impl std::fmt::Display) -> Fault {
    let message = "The other provider did not confirm who you are. Try again, or sign in another way; if it stays, tell the operator.";
    Fault::new(darter_core::Kind::Unavailable, "provider.failed", message).caused_by(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_never_leads_to_another_site() {
        for good in ["/", "/apps/a1b2?tab=logs#x"] {
            assert_eq!(safe_return(Some(good)), good);
        }
        for bad in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "evil",
            "",
            "/a\r\nSet-Cookie: x",
            "/\t/evil",
            "javascript:alert(1)",
        ] {
            assert_eq!(safe_return(Some(bad)), "/", "{bad:?}");
        }
        assert_eq!(safe_return(None), "/");
    }
}
