//! What the platform must be told by whoever starts it. A wrong value is named with its key and the fix, before anything
//! is opened.

use std::collections::BTreeMap;
use std::fmt;

use darter_api::account::SignUpMode;
use darter_api::system::SshDoor;
use darter_core::AppId;
use serde::Deserialize;
use url::Url;

use crate::workspace::WorkspaceConfig;
use crate::workspace::snapshot::SnapshotStore;

/// More apps for one account are refused.
pub const APPS_PER_ACCOUNT_MOST: u32 = 1_000_000;

/// A text that is never shown.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "(none)" } else { "…" })
    }
}

/// A key with a value that can not be, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    pub key: String,
    pub what: String,
    pub fix: &'static str,
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.key, self.what, self.fix)
    }
}

/// How mails are sent.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailConfig {
    /// The SMTP server; empty: no mails.
    pub host: String,
    pub port: u16,
    pub security: MailSecurity,
    /// Empty: no sign-in at the SMTP server.
    pub username: String,
    pub password: SecretText,
    /// The sender, e.g. `Darter <darter@example.org>`.
    pub from: String,
    /// Instead of a server: a folder that gets a file for each mail.
    pub folder: Option<std::path::PathBuf>,
}

/// How the way to the SMTP server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    Starttls,
    Tls,
    None,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            security: MailSecurity::Starttls,
            username: String::new(),
            password: SecretText::default(),
            from: String::new(),
            folder: None,
        }
    }
}

/// Another place to sign in at.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// A word of the callback address; never changed later.
    pub id: String,
    pub kind: ProviderKind,
    /// What the button says; the id when empty.
    #[serde(default)]
    pub name: String,
    /// Of OIDC: the issuer. Of GitHub: empty, or an own server's address (its API is below `/api/v3`).
    #[serde(default)]
    pub issuer: String,
    pub client_id: String,
    #[serde(default)]
    pub client_secret: SecretText,
}

/// Which protocol a provider speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    Github,
    Oidc,
}

/// Everything the platform must be told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlatformConfig {
    /// Where people go, without a slash at the end: `http://darter.localhost:7070`.
    pub public_url: String,
    /// Apps answer at `<id>.<this>`.
    pub apps_domain: String,
    pub signup: SignUpMode,
    pub apps_per_account: u32,
    /// Nobody but the first account may sign up, whatever else is set: a wall is missing.
    pub single_user: bool,
    pub mail: MailConfig,
    pub providers: Vec<ProviderConfig>,
    /// Packages that every app has without installing: name → version.
    pub built_in_packages: BTreeMap<String, String>,
    pub workspaces: WorkspaceConfig,
    /// Where workspaces are reached by SSH; absent: nowhere.
    pub ssh: Option<SshDoor>,
    /// Where the data of snapshots is kept.
    pub snapshots: SnapshotStore,
    /// The npm registry that packages are looked up in, e.g. `https://npm.example.org`; empty: none.
    pub npm_registry: String,
    /// A file of certificates in PEM form that is trusted besides the system's own when asking it.
    pub npm_certificates: Option<std::path::PathBuf>,
}

impl Default for PlatformConfig {
    fn default() -> Self {
        Self {
            public_url: "http://darter.localhost:7070".into(),
            apps_domain: "darter-apps.localhost".into(),
            signup: SignUpMode::Open,
            apps_per_account: 50,
            single_user: false,
            mail: MailConfig::default(),
            providers: Vec::new(),
            built_in_packages: BTreeMap::new(),
            workspaces: WorkspaceConfig::default(),
            ssh: None,
            snapshots: SnapshotStore::default(),
            npm_registry: String::new(),
            npm_certificates: None,
        }
    }
}

impl PlatformConfig {
    /// Do people come by https?
    pub fn https(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.https() { "https" } else { "http" }
    }

    /// `:7070`, or nothing for the scheme's usual port.
    pub fn port(&self) -> String {
        let port = Url::parse(&self.public_url).ok().and_then(|url| url.port());
        port.map(|port| format!(":{port}")).unwrap_or_default()
    }

    /// The console's host, without a port.
    pub fn console_host(&self) -> &str {
        let authority = self.public_url.split_once("://").map_or("", |(_, rest)| rest);
        let end = if authority.starts_with('[') {
            authority.find(']').map_or(0, |end| end + 1)
        } else {
            authority.find(':').unwrap_or(authority.len())
        };
        &authority[..end]
    }

    /// An app's address, without a slash at its end.
    pub fn app_url(&self, app: &AppId) -> String {
        format!("{}://{app}.{}{}", self.scheme(), self.apps_domain, self.port())
    }

    /// Hosts below which no custom domain may lie.
    pub fn own_domains(&self) -> [&str; 2] {
        [self.console_host(), &self.apps_domain]
    }

    /// Everything that can not be; empty: all is well.
    pub fn validate(&self) -> Vec<ConfigProblem> {
        let mut problems = Vec::new();
        let mut wrong = |key: &str, what: String, fix| problems.push(ConfigProblem { key: key.to_owned(), what, fix });
        let bare = |url: &Url| url.path() == "/" && url.query().is_none() && matches!(url.scheme(), "http" | "https");
        if !Url::parse(&self.public_url).is_ok_and(|url| bare(&url)) || self.public_url.ends_with('/') {
            wrong(
                "public_url",
                format!("{:?} is no address of a site", self.public_url),
                "write e.g. https://darter.example.org",
            );
        }
        let console = self.console_host();
        let inside = |one: &str, other: &str| one == other || one.ends_with(&format!(".{other}"));
        if self.apps_domain.is_empty() || inside(&self.apps_domain, console) || inside(console, &self.apps_domain) {
            let fix = "choose an apps_domain that is another site, so that no cookie of an app reaches the console";
            wrong(
                "apps_domain",
                format!("{:?} and the console's {console:?} lie in one another", self.apps_domain),
                fix,
            );
        }
        if self.apps_per_account > APPS_PER_ACCOUNT_MOST {
            wrong("apps_per_account", format!("{} is too many", self.apps_per_account), "write a number up to 1000000");
        }
        let mail = &self.mail;
        if (!mail.host.is_empty() || mail.folder.is_some()) && mail.from.parse::<lettre::message::Mailbox>().is_err() {
            wrong("mail.from", format!("{:?} is no sender", mail.from), "write e.g. Darter <darter@example.org>");
        }
        if mail.username.is_empty() != mail.password.is_empty() {
            wrong("mail.username", "a user name needs a password and the other way round".into(), "set both or none");
        }
        problems.extend(self.workspaces.validate());
        problems.extend(self.snapshots.validate());
        problems.extend(self.providers.iter().enumerate().flat_map(|(index, one)| provider_problems(index, one)));
        for (index, one) in self.providers.iter().enumerate() {
            if self.providers[..index].iter().any(|other| other.id == one.id) {
                let key = format!("providers[{index}].id");
                problems.push(ConfigProblem {
                    key,
                    what: format!("{:?} is used twice", one.id),
                    fix: "give each an id of its own",
                });
            }
        }
        problems
    }
}

fn provider_problems(index: usize, one: &ProviderConfig) -> Vec<ConfigProblem> {
    let mut problems = Vec::new();
    let mut wrong = |key: &str, what: String, fix| {
        problems.push(ConfigProblem { key: format!("providers[{index}].{key}"), what, fix })
    };
    let shaped = (1..=32).contains(&one.id.len())
        && one.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !shaped {
        wrong("id", format!("{:?} can not be part of an address", one.id), "write up to 32 of a-z, 0-9 and -");
    }
    let address = Url::parse(&one.issuer).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let needed = one.kind == ProviderKind::Oidc || !one.issuer.is_empty();
    if needed && !address {
        wrong(
            "issuer",
            format!("{:?} is no address", one.issuer),
            "write https:// and the issuer, as its discovery document names it",
        );
    }
    if one.client_id.is_empty() || one.client_secret.is_empty() {
        wrong("client_secret", "the provider's credentials are missing".into(), "set client_id and client_secret");
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_right_and_each_mistake_is_named_by_its_key() {
        assert_eq!(PlatformConfig::default().validate(), Vec::new());
        let provider = ProviderConfig {
            id: "Bad Id".into(),
            kind: ProviderKind::Oidc,
            name: String::new(),
            issuer: String::new(),
            client_id: String::new(),
            client_secret: SecretText::default(),
        };
        let config = PlatformConfig {
            public_url: "darter".into(),
            apps_domain: String::new(),
            apps_per_account: u32::MAX,
            mail: MailConfig { host: "smtp".into(), username: "x".into(), ..MailConfig::default() },
            providers: vec![provider.clone(), provider],
            ..PlatformConfig::default()
        };
        let keys: Vec<String> = config.validate().into_iter().map(|problem| problem.key).collect();
        for key in [
            "public_url",
            "apps_domain",
            "apps_per_account",
            "mail.from",
            "mail.username",
            "providers[0].id",
            "providers[0].issuer",
            "providers[1].client_secret",
            "providers[1].id",
        ] {
            assert!(keys.iter().any(|one| one == key), "{key} is missing in {keys:?}");
        }
    }

    #[test]
    fn an_apps_domain_inside_the_console_s_is_refused() {
        let config = |apps: &str| PlatformConfig {
            public_url: "https://darter.example.org".into(),
            apps_domain: apps.into(),
            ..PlatformConfig::default()
        };
        assert_eq!(config("apps.example.org").validate(), Vec::new());
        for bad in ["darter.example.org", "apps.darter.example.org", "example.org"] {
            assert_eq!(config(bad).validate().len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let secret = SecretText::new("hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
        let parsed: PlatformConfig = serde_json::from_str(r#"{"mail":{"password":"hunter2"}}"#).unwrap();
        assert!(!format!("{parsed:?}").contains("hunter2"));
        assert!(serde_json::from_str::<PlatformConfig>(r#"{"colour":"blue"}"#).is_err());
    }
}
