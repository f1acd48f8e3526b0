//! `darter dep …`: npm packages of an app. An install runs on the server in a sandbox; here one watches it.

use std::collections::BTreeMap;

use clap::Subcommand;
use darter_api::resource::{Dependencies, PackageSearch, SetDependencies};
use reqwest::Method;
use serde_json::Value;

use super::Context;
use crate::client::{Event, Exit, Failure};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Wanted and installed packages
    List { app: String },
    /// Look for packages in the operator's registry
    Search { app: String, text: String },
    /// Add or change packages and install: `add APP lodash zod@^4`
    Add {
        app: String,
        #[arg(required = true, value_name = "NAME[@RANGE]")]
        packages: Vec<String>,
    },
    /// Remove packages and install the rest
    Remove {
        app: String,
        #[arg(required = true)]
        packages: Vec<String>,
    },
    /// Install what is wanted once more
    Install { app: String },
    /// End a running install
    Cancel { app: String },
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { app } => {
                let app = context.api.app(&app).await?;
                let all: Dependencies = context.api.get(&format!("/apps/{}/dependencies", app.id)).await?;
                print(context, &all);
                Ok(())
            }
            Self::Search { app, text } => search(context, &app, &text).await,
            Self::Add { app, packages } => {
                change(context, &app, |wanted| {
                    wanted.extend(packages.iter().map(|package| split(package)));
                    Ok(())
                })
                .await
            }
            Self::Remove { app, packages } => {
                change(context, &app, |wanted| {
                    packages.iter().try_for_each(|name| match wanted.remove(name) {
                        Some(_) => Ok(()),
                        None => Err(Failure::new(Exit::NotFound, format!("{name} is not among the app's packages."))),
                    })
                })
                .await
            }
            Self::Install { app } => change(context, &app, |_| Ok(())).await,
            Self::Cancel { app } => {
                let app = context.api.app(&app).await?;
                context.api.delete(&format!("/apps/{}/dependencies/install", app.id)).await?;
                context.out.done("The install is cancelled.");
                Ok(())
            }
        }
    }
}

/// `name@range`; a scope's own `@` comes first and is no separator.
fn split(package: &str) -> (String, String) {
    match package.char_indices().skip(1).find(|(_, c)| *c == '@') {
        Some((at, _)) => (package[..at].to_owned(), package[at + 1..].to_owned()),
        None => (package.to_owned(), "latest".to_owned()),
    }
}

fn print(context: &Context, all: &Dependencies) {
    if context.out.json {
        context.out.json(all);
        return;
    }
    let rows: Vec<(&String, &String)> = all.packages.iter().collect();
    context.out.list(&rows, &["package", "wanted", "installed"], |(name, range)| {
        let installed = all.installed.get(*name).cloned().unwrap_or_else(|| "-".into());
        vec![(*name).clone(), (*range).clone(), installed]
    });
}

async fn search(context: &Context, app: &str, text: &str) -> Result<(), Failure> {
    let app = context.api.app(app).await?;
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("text", text).finish();
    let path = format!("/apps/{}/dependencies/search?{query}", app.id);
    let found: PackageSearch = context.api.get(&path).await?;
    if context.out.json {
        context.out.json(&found);
        return Ok(());
    }
    if !found.searchable {
        context.out.progress("The operator's registry has no search: only a package of exactly this name is found.");
    }
    context.out.list(&found.items, &["package", "newest", "description"], |package| {
        vec![package.name.clone(), package.version.clone(), package.description.clone()]
    });
    Ok(())
}

async fn change(
    context: &Context,
    app: &str,
    edit: impl FnOnce(&mut BTreeMap<String, String>) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let app = context.api.app(app).await?;
    let path = format!("/apps/{}/dependencies", app.id);
    let now: Dependencies = context.api.get(&path).await?;
    let mut packages = now.packages;
    edit(&mut packages)?;
    context.api.put::<_, Value>(&path, &SetDependencies { packages }).await?;
    watch(context, &app.id).await?;
    print(context, &context.api.get(&path).await?);
    Ok(())
}

/// Shows the install's words until it ends.
async fn watch(context: &Context, app: &str) -> Result<(), Failure> {
    let request = context.api.request(Method::GET, &format!("/apps/{app}/dependencies/install/events"))?;
    let mut events = context.api.events(request).await?;
    while let Some(Event { name, data }) = events.next().await? {
        let data: Value = serde_json::from_str(&data).unwrap_or(Value::Null);
        let text = |key: &str| data.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        match name.as_str() {
            "output" => context.out.progress(&format!("  {}", text("line"))),
            "phase" => context.out.progress(&format!("▸ {}", text("name"))),
            "installed" => return Ok(()),
            "failed" => {
                let mut failure = Failure::new(Exit::Failed, text("message"));
                failure.detail.code = text("code");
                return Err(failure);
            }
            _ => {}
        }
    }
    Err(Failure::new(
        Exit::Unreachable,
        "The server ended the stream before the install ended. `darter dep list` shows how it stands.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_a_name_and_perhaps_a_range() {
        for (text, name, range) in [
            ("lodash", "lodash", "latest"),
            ("zod@^4", "zod", "^4"),
            ("@scope/name", "@scope/name", "latest"),
            ("@scope/name@1.2", "@scope/name", "1.2"),
        ] {
            assert_eq!(split(text), (name.to_owned(), range.to_owned()), "{text}");
        }
    }
}
