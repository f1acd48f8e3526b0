//! `darter env …`: the variables of an app, and (where no app is named) the environments of workspaces.

use clap::Subcommand;
use darter_api::resource::{SetValue, Variable};

use super::output::time;
use super::{Context, environment};
use crate::client::{Failure, segment};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The environments that workspaces start from; with APP, its variables and their values
    List { app: Option<String> },
    /// Install an environment of workspaces and watch it
    Install { environment: String },
    /// Compare every file of an environment with what its install left
    Verify { environment: String },
    /// Remove an environment that no workspace runs on
    Remove { environment: String },
    /// Set variables; running instances see them at once
    Set {
        app: String,
        #[arg(required = true, value_name = "NAME=VALUE")]
        values: Vec<String>,
    },
    /// Remove variables
    Unset {
        app: String,
        #[arg(required = true)]
        names: Vec<String>,
    },
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { app: None } => environment::list(context).await?,
            Self::Install { environment } => environment::install(context, &environment).await?,
            Self::Verify { environment } => environment::verify(context, &environment).await?,
            Self::Remove { environment } => environment::remove(context, &environment).await?,
            Self::List { app: Some(app) } => {
                let app = context.api.app(&app).await?;
                let all: Vec<Variable> = context.api.list(&format!("/apps/{}/environment", app.id)).await?;
                context.out.list(&all, &["name", "value", "changed"], |one| {
                    vec![one.name.clone(), one.value.clone(), time(one.updated_at)]
                });
            }
            Self::Set { app, values } => {
                let app = context.api.app(&app).await?;
                for pair in &values {
                    let (name, value) =
                        pair.split_once('=').ok_or_else(|| Failure::usage(format!("{pair}: write NAME=VALUE.")))?;
                    let path = format!("/apps/{}/environment/{}", app.id, segment(name));
                    context.api.put::<_, serde_json::Value>(&path, &SetValue { value: value.into() }).await?;
                }
                context.out.done(&format!("Set {} in {}.", values.len(), app.name));
            }
            Self::Unset { app, names } => {
                let app = context.api.app(&app).await?;
                for name in &names {
                    context.api.delete(&format!("/apps/{}/environment/{}", app.id, segment(name))).await?;
                }
                context.out.done(&format!("Removed {} from {}.", names.join(", "), app.name));
            }
        }
        Ok(())
    }
}
