//! `darter env …`

use clap::Subcommand;
use darter_api::resource::{SetValue, Variable};

use super::Context;
use super::output::time;
use crate::client::{Failure, segment};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All variables with their values
    List { app: String },
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
            Self::List { app } => {
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
