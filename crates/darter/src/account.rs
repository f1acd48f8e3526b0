//! `darter account …`: on the server's own data directory, whether the server runs or not. For the first account without
//! a browser, and for those who forgot their password. It must never leave a file that belongs to root.

use std::sync::Arc;

use clap::{Args, Subcommand};
use darter_core::{SystemClock, SystemRandom};
use darter_platform::Operator;
use darter_sandbox::become_account;
use serde_json::json;

use crate::bad_configuration;
use crate::client::{Exit, Failure};
use crate::command::output::Output;
use crate::command::people;
use crate::config::{Loaded, Sources};
use crate::up::owner::Identity;
use crate::up::{data, parts};

/// Accounts, on the server's own data directory.
#[derive(Debug, Args)]
pub struct Account {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    sources: Sources,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an account; with --token also a personal access token, printed once
    Create {
        name: String,
        /// Make it an administrator of the server
        #[arg(long)]
        admin: bool,
        /// Print a new token that may do everything the account may
        #[arg(long)]
        token: bool,
        /// Its e-mail address
        #[arg(long)]
        email: Option<String>,
    },
    /// Print an address at which the account can choose a new password, once, within an hour
    ResetPassword { name: String },
    /// Print a new token of an account, once
    Token { name: String },
    /// All accounts
    List,
}

impl Account {
    pub fn run(self, out: Output) -> Result<(), Failure> {
        let loaded = self.sources.load().map_err(|problems| bad_configuration(&problems))?;
        let identity = Identity::choose(&loaded.config.server.user).map_err(|problem| bad_configuration(&[problem]))?;
        data::prepare(&loaded.data, identity)?;
        if identity.root {
            become_account(identity.owner).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.command.run(&loaded, out))
    }
}

impl Command {
    async fn run(self, loaded: &Loaded, out: Output) -> Result<(), Failure> {
        let store = parts::store(&loaded.config, &loaded.data).await?;
        let operator = Operator { store: store.clone(), clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
        let result = self.act(&operator, loaded, out).await;
        store.close().await;
        result
    }

    async fn act(self, operator: &Operator, loaded: &Loaded, out: Output) -> Result<(), Failure> {
        match self {
            Self::Create { name, admin, token, email } => {
                let made = operator
                    .create_account((&name, email.as_deref()), None, (admin, token))
                    .await
                    .map_err(parts::told)?;
                let shown = json!({ "account": made.account, "username": made.username, "token": made.token });
                if made.token.is_some() {
                    out.progress("The token is shown only once:");
                }
                out.value(&shown, |_| match &made.token {
                    Some(token) => token.clone(),
                    None => format!(
                        "Made {}. `darter account reset-password {}` lets it choose a password.",
                        made.username, made.username
                    ),
                });
            }
            Self::Token { name } => {
                let token = operator.create_token(&name).await.map_err(parts::told)?;
                out.progress("The token is shown only once:");
                out.value(&json!({ "token": token }), |_| token.clone());
            }
            Self::ResetPassword { name } => {
                let token = operator.reset_token(&name).await.map_err(parts::told)?;
                let server = &loaded.config.server;
                let url = format!("{}/reset?token={token}", server.address(server.listen.port()));
                out.value(&json!({ "url": url, "token": token }), |_| url.clone());
            }
            Self::List => {
                let accounts = operator.accounts().await.map_err(parts::told)?;
                people::accounts(&out, &accounts);
            }
        }
        Ok(())
    }
}
