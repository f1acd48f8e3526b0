//! OpenID Connect: the authorization code flow with PKCE, state and nonce. The ID token's signature, issuer, audience,
//! expiry and nonce are checked by the `openidconnect` crate against the provider's own keys.

use darter_core::{Fault, Millis};
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreJwsSigningAlgorithm, CoreProviderMetadata};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, Scope, TokenResponse,
};
use tokio::sync::Mutex;

use super::{Flow, Provider, Stranger, failed};

/// How long a provider's word about its addresses is believed when somebody starts.
const FRESH: Millis = 5 * 60_000;

const SIGNATURES: [CoreJwsSigningAlgorithm; 9] = {
    use CoreJwsSigningAlgorithm as S;
    [
        S::RsaSsaPkcs1V15Sha256,
        S::RsaSsaPkcs1V15Sha384,
        S::RsaSsaPkcs1V15Sha512,
        S::RsaSsaPssSha256,
        S::RsaSsaPssSha384,
        S::RsaSsaPssSha512,
        S::EcdsaP256Sha256,
        S::EcdsaP384Sha384,
        S::EdDsa,
    ]
};

/// What a provider said about itself, and when.
#[derive(Default)]
pub(super) struct Discovered(Mutex<Option<(Millis, CoreProviderMetadata)>>);

impl Provider {
    async fn discover(&self) -> Result<CoreProviderMetadata, Fault> {
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(failed)?;
        CoreProviderMetadata::discover_async(issuer, &self.http)
            .await
            .map_err(|error| failed(format!("discovery: {error:?}")))
    }

    /// Remembered for a while: starting must not be a way to flood a provider.
    async fn discover_lately(&self, now: Millis) -> Result<CoreProviderMetadata, Fault> {
        let mut known = self.discovered.0.lock().await;
        if let Some((at, metadata)) = known.as_ref().filter(|(at, _)| (0..FRESH).contains(&(now - at))) {
            tracing::trace!(at, "the provider is known");
            return Ok(metadata.clone());
        }
        let metadata = self.discover().await?;
        *known = Some((now, metadata.clone()));
        Ok(metadata)
    }

    /// Where to send the browser.
    pub(super) async fn oidc_url(&self, flow: &Flow, (redirect, now): (String, Millis)) -> Result<String, Fault> {
        let metadata = self.discover_lately(now).await?;
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(self.config.client_id.clone()), None)
            .set_redirect_uri(RedirectUrl::new(redirect).map_err(failed)?);
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(flow.verifier.clone()));
        let (state, nonce) = (flow.state.clone(), flow.nonce.clone());
        let request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || CsrfToken::new(state), || Nonce::new(nonce))
            .add_scope(Scope::new("email".into()))
            .add_scope(Scope::new("profile".into()))
            .set_pkce_challenge(challenge);
        Ok(request.url().0.into())
    }

    /// Who came back with this code. The keys are asked for anew: a provider may have changed them.
    pub(super) async fn oidc_stranger(
        &self,
        flow: &Flow,
        (code, redirect): (String, String),
    ) -> Result<Stranger, Fault> {
        let metadata = self.discover().await?;
        let secret = ClientSecret::new(self.config.client_secret.reveal().to_owned());
        let client =
            CoreClient::from_provider_metadata(metadata, ClientId::new(self.config.client_id.clone()), Some(secret))
                .set_redirect_uri(RedirectUrl::new(redirect).map_err(failed)?);
        let request = client.exchange_code(AuthorizationCode::new(code)).map_err(failed)?;
        let answer =
            request.set_pkce_verifier(PkceCodeVerifier::new(flow.verifier.clone())).request_async(&self.http).await;
        // Not printed whole: an answer may hold a token.
        let answer = answer.map_err(|error| failed(format!("the code was not taken: {error}")))?;
        let token = answer.id_token().ok_or_else(|| failed("the answer has no ID token"))?;
        // Only signatures that need the provider's own private key, whatever it advertises.
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNATURES);
        let claims = token
            .claims(&verifier, &Nonce::new(flow.nonce.clone()))
            .map_err(|error| failed(format!("the ID token: {error}")))?;
        let email = claims.email().map(|email| email.as_str().to_owned());
        let proven = email.clone().filter(|_| claims.email_verified() == Some(true));
        let name = claims.name().and_then(|names| names.get(None)).map(|name| name.as_str().to_owned());
        let handle = claims.preferred_username().map(|name| name.as_str().to_owned());
        let local = email.as_deref().and_then(|email| email.split('@').next()).unwrap_or("user").to_owned();
        Ok(Stranger {
            subject: claims.subject().as_str().to_owned(),
            label: email.or_else(|| handle.clone()).unwrap_or_else(|| claims.subject().as_str().to_owned()),
            handle: handle.unwrap_or(local),
            display_name: name.unwrap_or_default(),
            email: proven,
        })
    }
}
