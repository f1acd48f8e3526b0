//! What the platform is told, made from the sections.

use std::path::PathBuf;

use darter_platform::{MailConfig, MailSecurity, PlatformConfig, ProviderConfig, ProviderKind, SecretText};

use super::{Config, Mail, Problem, Provider};

impl Config {
    /// The platform's configuration when the front door listens on this port.
    pub fn platform(&self, port: u16) -> PlatformConfig {
        PlatformConfig {
            public_url: self.server.address(port),
            apps_domain: self.server.apps_domain.clone(),
            signup: self.accounts.signup,
            apps_per_account: self.accounts.apps_per_account,
            single_user: self.server.single_user,
            mail: mail(&self.mail),
            providers: self.providers.iter().map(provider).collect(),
            workspaces: self.workspaces.config(),
            snapshots: self.snapshots.config(),
            ..PlatformConfig::default()
        }
    }

    /// What the platform itself finds wrong.
    pub fn platform_problems(&self) -> Vec<Problem> {
        let found = self.platform(self.server.listen.port()).validate();
        found.into_iter().map(|problem| Problem::new(section(&problem.key), problem.what, problem.fix)).collect()
    }
}

fn section(key: &str) -> String {
    match key {
        "public_url" => "server.domain".into(),
        "apps_domain" => "server.apps_domain".into(),
        "apps_per_account" => "accounts.apps_per_account".into(),
        other => other.into(),
    }
}

fn mail(mail: &Mail) -> MailConfig {
    MailConfig {
        host: mail.host.clone(),
        port: mail.port,
        security: match mail.security.as_str() {
            "tls" => MailSecurity::Tls,
            "none" => MailSecurity::None,
            _ => MailSecurity::Starttls,
        },
        username: mail.username.clone(),
        password: SecretText::new(mail.password.reveal()),
        from: mail.from.clone(),
        folder: (!mail.folder.is_empty()).then(|| PathBuf::from(&mail.folder)),
    }
}

fn provider(one: &Provider) -> ProviderConfig {
    ProviderConfig {
        id: one.id.clone(),
        kind: if one.kind == "github" { ProviderKind::Github } else { ProviderKind::Oidc },
        name: one.name.clone(),
        issuer: one.issuer.clone(),
        client_id: one.client_id.clone(),
        client_secret: SecretText::new(one.client_secret.reveal()),
    }
}
