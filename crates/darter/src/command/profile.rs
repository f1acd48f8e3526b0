//! `darter profile …`: what others see of oneself, and the password.

use std::path::PathBuf;

use clap::Subcommand;
use darter_api::account::{Account, ChangePassword, UpdateAccount};
use reqwest::Method;

use super::login::read_hidden;
use super::{Context, login};
use crate::client::{Failure, NOTHING};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Name, address, picture
    Show,
    /// Change the name or the e-mail address
    Set {
        #[arg(long)]
        display_name: Option<String>,
        #[arg(long)]
        email: Option<String>,
    },
    /// Set a picture (PNG, JPEG, WebP or GIF, at most 5 MiB), or remove it
    Avatar { file: Option<PathBuf> },
    /// Change the password; ends every other session
    Password,
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Show => login::whoami(context).await,
            Self::Set { display_name, email } => {
                let password = match &email {
                    Some(_) if context.api.get::<Account>("/me").await?.has_password => {
                        Some(read_hidden("Password: ")?)
                    }
                    _ => None,
                };
                let change = UpdateAccount { display_name, email, password };
                let account: Account = context.api.call(Method::PATCH, "/me", Some(&change)).await?;
                context.out.value(&account, |account| format!("{} <{}>", account.display_name, account.email));
                Ok(())
            }
            Self::Avatar { file: None } => {
                let account: Account = context.api.call(Method::DELETE, "/me/avatar", NOTHING).await?;
                context.out.value(&account, |_| "The picture is removed.".into());
                Ok(())
            }
            Self::Avatar { file: Some(file) } => {
                let bytes =
                    std::fs::read(&file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
                let request = context.api.request(Method::PUT, "/me/avatar")?;
                let request = request.header("content-type", "application/octet-stream").body(bytes);
                let account: Account = context.api.value(request).await?;
                context.out.value(&account, |_| "The picture is set.".into());
                Ok(())
            }
            Self::Password => {
                let account: Account = context.api.get("/me").await?;
                let current = account.has_password.then(|| read_hidden("Current password: ")).transpose()?;
                let body = ChangePassword { current, new: read_hidden("New password: ")? };
                context.api.post::<_, serde_json::Value>("/me/password", &body).await?;
                context.out.done("The password is changed; every other session has ended.");
                Ok(())
            }
        }
    }
}
