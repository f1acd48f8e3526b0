//! `darter secret …`: a value comes from standard input or a prompt, never from the command's words, where others on
//! the machine could read it.

use std::io::IsTerminal;

use clap::Subcommand;
use darter_api::resource::{Secret, SetValue};

use super::Context;
use super::login::read_hidden;
use super::output::time;
use crate::client::{Failure, segment};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All secrets, without their values
    List { app: String },
    /// Set a secret; its value is read from standard input
    Set { app: String, name: String },
    /// Remove a secret
    Unset { app: String, name: String },
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { app } => {
                let app = context.api.app(&app).await?;
                let all: Vec<Secret> = context.api.list(&format!("/apps/{}/secrets", app.id)).await?;
                context.out.list(&all, &["name", "changed", "by"], |one| {
                    vec![one.name.clone(), time(one.updated_at), one.updated_by.clone()]
                });
            }
            Self::Set { app, name } => {
                let value = value(&name)?;
                let app = context.api.app(&app).await?;
                let path = format!("/apps/{}/secrets/{}", app.id, segment(&name));
                context.api.put::<_, serde_json::Value>(&path, &SetValue { value }).await?;
                context.out.done(&format!("Set the secret {name} of {}.", app.name));
            }
            Self::Unset { app, name } => {
                let app = context.api.app(&app).await?;
                context.api.delete(&format!("/apps/{}/secrets/{}", app.id, segment(&name))).await?;
                context.out.done(&format!("Removed the secret {name} of {}.", app.name));
            }
        }
        Ok(())
    }
}

/// All of standard input without its last line end, or a line typed without echo.
fn value(name: &str) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        return read_hidden(&format!("{name}: "));
    }
    let text = std::io::read_to_string(std::io::stdin())?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
