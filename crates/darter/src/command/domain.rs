//! `darter domain …`

use clap::Subcommand;
use darter_api::app::{CreateDomain, Domain};

use super::Context;
use crate::client::{Failure, NOTHING, segment};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All custom domains of an app
    List { app: String },
    /// Ask for a domain; prints the DNS record that proves it is yours
    Add { app: String, host: String },
    /// Look for the DNS record; requests are served once it is found
    Verify { app: String, host: String },
    /// Give a domain up
    Remove { app: String, host: String },
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { app } => {
                let app = context.api.app(&app).await?;
                let all: Vec<Domain> = context.api.list(&format!("/apps/{}/domains", app.id)).await?;
                context.out.list(&all, &["host", "state", "challenge"], |one| {
                    let state = if one.verified { "verified" } else { "not verified" };
                    vec![one.host.clone(), state.into(), one.challenge.clone()]
                });
            }
            Self::Add { app, host } => {
                let app = context.api.app(&app).await?;
                let made: Domain =
                    context.api.post(&format!("/apps/{}/domains", app.id), &CreateDomain { host }).await?;
                context.out.value(&made, |made| {
                    format!(
                        "Make this DNS record, then run `darter domain verify`:\n_darter.{}  TXT  {}",
                        made.host, made.challenge
                    )
                });
            }
            Self::Verify { app, host } => {
                let app = context.api.app(&app).await?;
                let path = format!("/apps/{}/domains/{}/verify", app.id, segment(&host));
                let domain: Domain = context.api.call(reqwest::Method::POST, &path, NOTHING).await?;
                context.out.value(&domain, |domain| {
                    let state = if domain.verified { "is verified" } else { "is not verified yet" };
                    format!("{} {state}.", domain.host)
                });
            }
            Self::Remove { app, host } => {
                let app = context.api.app(&app).await?;
                context.api.delete(&format!("/apps/{}/domains/{}", app.id, segment(&host))).await?;
                context.out.done(&format!("{host} is no longer served by {}.", app.name));
            }
        }
        Ok(())
    }
}
