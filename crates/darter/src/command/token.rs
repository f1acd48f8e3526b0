//! `darter token …`: personal access tokens. A secret is printed once, when it is made.

use clap::Subcommand;
use darter_api::account::{CreateToken, CreatedToken, Token};
use darter_core::role::TokenScope;
use darter_core::{Clock, SystemClock};

use super::Context;
use super::output::time;
use crate::client::{Failure, segment};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All tokens, without their secrets
    List,
    /// Make a token; its secret is shown once
    Create {
        name: String,
        /// What it may do: read, write, admin
        #[arg(long, value_delimiter = ',', default_value = "read,write", value_parser = scope)]
        scopes: Vec<TokenScope>,
        /// Days until it ends; never unless told
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..=3650))]
        days: Option<i64>,
    },
    /// End a token
    Revoke { id: String },
}

/// A scope by its name.
pub fn scope(text: &str) -> Result<TokenScope, String> {
    serde_json::from_value(text.into()).map_err(|_| "choose from read, write, admin".to_owned())
}

fn name(scope: &TokenScope) -> String {
    format!("{scope:?}").to_lowercase()
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => {
                let all: Vec<Token> = context.api.list("/me/tokens").await?;
                context.out.list(&all, &["id", "name", "scopes", "begins with", "ends", "last used"], |one| {
                    let scopes: Vec<String> = one.scopes.iter().map(name).collect();
                    let at = |value: Option<i64>| value.map_or("never".to_owned(), time);
                    vec![
                        one.id.clone(),
                        one.name.clone(),
                        scopes.join(","),
                        one.hint.clone(),
                        at(one.expires_at),
                        at(one.last_used_at),
                    ]
                });
            }
            Self::Create { name, scopes, days } => {
                let expires_at = days.map(|days| SystemClock.now() + days * 86_400_000);
                let made: CreatedToken =
                    context.api.post("/me/tokens", &CreateToken { name, scopes, expires_at }).await?;
                context.out.progress("This is shown only once:");
                context.out.value(&made, |made| made.secret.clone());
            }
            Self::Revoke { id } => {
                context.api.delete(&format!("/me/tokens/{}", segment(&id))).await?;
                context.out.done(&format!("{id} has ended."));
            }
        }
        Ok(())
    }
}
