//! GitHub's OAuth: no ID token, so who somebody is comes from its API over TLS, with a token that is used for that alone
//! and then forgotten.

use darter_core::Fault;
use openidconnect::{PkceCodeChallenge, PkceCodeVerifier};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::{Flow, Provider, Stranger, failed};

#[derive(Deserialize)]
struct Token {
    access_token: String,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
    name: Option<String>,
}

#[derive(Deserialize)]
struct Email {
    email: String,
    primary: bool,
    verified: bool,
}

impl Provider {
    /// The site and its API: GitHub's own, or those of a server somewhere else.
    fn github_bases(&self) -> (String, String) {
        match self.config.issuer.trim_end_matches('/') {
            "" => ("https://github.com".to_owned(), "https://api.github.com".to_owned()),
            own => (own.to_owned(), format!("{own}/api/v3")),
        }
    }

    /// Where to send the browser.
    pub(super) fn github_url(&self, flow: &Flow, redirect: &str) -> Result<String, Fault> {
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(flow.verifier.clone()));
        let query = [
            ("client_id", self.config.client_id.as_str()),
            ("redirect_uri", redirect),
            ("scope", "read:user user:email"),
            ("state", &flow.state),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        let base = format!("{}/login/oauth/authorize", self.github_bases().0);
        Ok(Url::parse_with_params(&base, query).map_err(failed)?.into())
    }

    /// Who came back with this code.
    pub(super) async fn github_stranger(
        &self,
        flow: &Flow,
        (code, redirect): (String, String),
    ) -> Result<Stranger, Fault> {
        let (site, api) = self.github_bases();
        let form = [
            ("client_id", self.config.client_id.as_str()),
            ("client_secret", self.config.client_secret.reveal()),
            ("code", &code),
            ("redirect_uri", &redirect),
            ("code_verifier", &flow.verifier),
        ];
        let request = self.http.plain().post(format!("{site}/login/oauth/access_token")).form(&form);
        let token: Token = self.github_call(request).await?;
        let ask = |path: &str| self.http.plain().get(format!("{api}{path}")).bearer_auth(&token.access_token);
        let user: User = self.github_call(ask("/user")).await?;
        let emails: Vec<Email> = self.github_call(ask("/user/emails")).await?;
        let email = emails.into_iter().find(|one| one.primary && one.verified).map(|one| one.email);
        Ok(Stranger {
            subject: user.id.to_string(),
            label: user.login.clone(),
            handle: user.login,
            display_name: user.name.unwrap_or_default(),
            email,
        })
    }

    async fn github_call<T: DeserializeOwned>(&self, request: reqwest::RequestBuilder) -> Result<T, Fault> {
        let request = request.header("accept", "application/json").build().map_err(failed)?;
        let path = request.url().path().to_owned();
        let (parts, body) = self.http.send(request).await.map_err(failed)?;
        if !parts.status.is_success() {
            return Err(failed(format!("{path} answered {}", parts.status)));
        }
        // The body may hold a token or an error with one: only its place is named.
        serde_json::from_slice(&body).map_err(|_| failed(format!("{path} answered something else than was asked for")))
    }
}
