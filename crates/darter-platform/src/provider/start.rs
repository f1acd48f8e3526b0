//! The way out: to the provider, with a sealed cookie for the way back.

use darter_core::role::TokenScope;
use darter_core::{Fault, Random};

use super::{FLOW_SECONDS, Flow, callback_url, safe_return};
use crate::config::ProviderKind;
use crate::credential::secret;
use crate::{Actor, Platform};

/// What the browser asked for.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// A path of the console.
    pub return_to: Option<String>,
    /// Bind to the account that is signed in, instead of signing in.
    pub bind: bool,
    pub invitation: Option<String>,
}

/// Where to send the browser, and what it carries.
#[derive(Debug, Clone)]
pub struct Started {
    pub location: String,
    pub cookie: String,
}

/// Begins.
pub async fn start(platform: &Platform, actor: &Actor, provider: &str, input: Start) -> Result<Started, Fault> {
    let provider = platform.providers.get(provider)?;
    platform.guesses.attempt_widely(&actor.origin.address, platform.clock.now())?;
    let bind = if input.bind { Some(actor.require(TokenScope::Admin)?.to_string()) } else { None };
    let random: &dyn Random = &*platform.random;
    let now = platform.clock.now();
    let flow = Flow {
        provider: provider.config.id.clone(),
        state: secret(random),
        nonce: secret(random),
        verifier: secret(random),
        return_to: safe_return(input.return_to.as_deref()),
        bind,
        invitation: input.invitation.filter(|code| code.len() <= 128),
        ends_at: now + FLOW_SECONDS * 1_000,
    };
    let redirect = callback_url(&platform.config, &flow.provider);
    let location = match provider.config.kind {
        ProviderKind::Github => provider.github_url(&flow, &redirect)?,
        ProviderKind::Oidc => provider.oidc_url(&flow, (redirect, now)).await?,
    };
    let json = serde_json::to_vec(&flow).map_err(Fault::internal)?;
    let cookie = platform.providers.cookie.seal("flow", &json, random)?;
    Ok(Started { location, cookie })
}
