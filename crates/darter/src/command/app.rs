//! `darter app …`

use std::path::PathBuf;

use clap::Subcommand;
use darter_api::app::{App, CreateApp, Instance, Member, UpdateApp};
use darter_api::audit::AuditEntry;
use darter_api::log::Metrics;
use reqwest::Method;

use super::logs::LogArgs;
use super::output::{bytes, micros, time};
use super::{Context, access};
use crate::client::{Exit, Failure, NOTHING};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All apps that I am a member of
    List {
        /// The recycle bin instead
        #[arg(long)]
        recycled: bool,
    },
    /// Make an app
    Create { name: String },
    /// One app, with its limits
    Show { app: String },
    /// Give an app another name
    Rename { app: String, name: String },
    /// Show or change an app's limits: `limits APP memory_bytes=268435456 freeze_after_ms=30000`
    Limits {
        app: String,
        #[arg(value_name = "NAME=VALUE")]
        changes: Vec<String>,
    },
    /// Serve requests again
    Start { app: String },
    /// Answer requests with a clear page instead of the app
    Stop { app: String },
    /// End the running instances; the next request starts a fresh one
    Restart { app: String },
    /// Move an app to the recycle bin
    Delete { app: String },
    /// Take an app out of the recycle bin (it stays stopped)
    Restore { app: String },
    /// Remove an app in the recycle bin for good
    Purge { app: String },
    /// Write a whole app into one file
    Export {
        app: String,
        /// Where to; `-` is standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make an app from an exported file
    Import { file: PathBuf },
    /// What runs now, and what happens to it next
    Instances { app: String },
    /// Who may do what
    Members { app: String },
    /// Who changed what
    Audit { app: String },
    /// Calls, errors and latencies of each function
    Metrics {
        app: String,
        #[arg(long, default_value = "day", value_parser = ["hour", "day", "week"])]
        range: String,
    },
    /// Search or follow the logs of all functions
    Logs {
        app: String,
        #[command(flatten)]
        query: LogArgs,
    },
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { recycled } => list(context, recycled).await,
            Self::Create { name } => {
                let app = context.api.post("/apps", &CreateApp { name }).await?;
                show(context, &app);
                Ok(())
            }
            Self::Show { app } => {
                show(context, &context.api.app(&app).await?);
                Ok(())
            }
            Self::Rename { app, name } => {
                update(context, &app, UpdateApp { name: Some(name), ..UpdateApp::default() }).await
            }
            Self::Limits { app, changes } => limits(context, &app, &changes).await,
            Self::Start { app } => act(context, &app, Method::POST, "/start").await,
            Self::Stop { app } => act(context, &app, Method::POST, "/stop").await,
            Self::Restart { app } => act(context, &app, Method::POST, "/restart").await,
            Self::Delete { app } => remove(context, &app, "", "is in the recycle bin").await,
            Self::Restore { app } => act(context, &app, Method::POST, "/restore").await,
            Self::Purge { app } => remove(context, &app, "/purge", "is gone for good").await,
            Self::Export { app, output } => export(context, &app, output).await,
            Self::Import { file } => import(context, &file).await,
            Self::Instances { app } => instances(context, &app).await,
            Self::Members { app } => members(context, &app).await,
            Self::Audit { app } => {
                let app = context.api.app(&app).await?;
                let entries: Vec<AuditEntry> = context.api.list(&format!("/apps/{}/audit", app.id)).await?;
                access::print_audit(context, &entries);
                Ok(())
            }
            Self::Metrics { app, range } => metrics(context, &app, &range).await,
            Self::Logs { app, query } => query.run(context, &app, None).await,
        }
    }
}

async fn list(context: &Context, recycled: bool) -> Result<(), Failure> {
    let path = if recycled { "/apps?state=recycled" } else { "/apps" };
    let apps: Vec<App> = context.api.list(path).await?;
    context.out.list(&apps, &["id", "name", "state", "role", "functions", "address"], |app| {
        let role = format!("{:?}", app.role).to_lowercase();
        vec![app.id.clone(), app.name.clone(), state(app), role, app.functions.to_string(), app.url.clone()]
    });
    Ok(())
}

fn state(app: &App) -> String {
    format!("{:?}", app.state).to_lowercase()
}

fn show(context: &Context, app: &App) {
    context.out.value(app, |app| {
        format!(
            "{}  {}  {}\n{}\n{} functions, made {}, changed {}\nwhat can be done: {}",
            app.id,
            app.name,
            state(app),
            app.url,
            app.functions,
            time(app.created_at),
            time(app.updated_at),
            app.actions.join(", ")
        )
    });
}

async fn update(context: &Context, app: &str, change: UpdateApp) -> Result<(), Failure> {
    let app = context.api.app(app).await?;
    let request = context.api.request(Method::PATCH, &format!("/apps/{}", app.id))?;
    let request = request.header("if-match", format!("\"{}\"", app.revision)).json(&change);
    show(context, &context.api.value(request).await?);
    Ok(())
}

async fn limits(context: &Context, app: &str, changes: &[String]) -> Result<(), Failure> {
    let found = context.api.app(app).await?;
    let mut values =
        serde_json::to_value(&found.limits).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    for change in changes {
        let (name, value) =
            change
                .split_once('=')
                .and_then(|(name, value)| Some((name, value.parse::<u64>().ok()?)))
                .ok_or_else(|| Failure::usage(format!("{change}: write NAME=NUMBER, e.g. memory_bytes=268435456.")))?;
        if values.get(name).is_none() {
            return Err(Failure::usage(format!("There is no limit {name}. `darter app limits {app}` shows all.")));
        }
        values[name] = value.into();
    }
    let limits = serde_json::from_value(values).map_err(|error| Failure::usage(error.to_string()))?;
    let app = if changes.is_empty() {
        found
    } else {
        let request = context.api.request(Method::PATCH, &format!("/apps/{}", found.id))?;
        let change = UpdateApp { limits: Some(limits), ..UpdateApp::default() };
        context.api.value(request.header("if-match", format!("\"{}\"", found.revision)).json(&change)).await?
    };
    context.out.value(&app.limits, |limits| {
        let values = serde_json::to_value(limits).unwrap_or_default();
        let lines = values.as_object().into_iter().flatten().map(|(name, value)| format!("{name} = {value}"));
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

async fn act(context: &Context, app: &str, method: Method, action: &str) -> Result<(), Failure> {
    let app = context.api.app(app).await?;
    let app: App = context.api.call(method, &format!("/apps/{}{action}", app.id), NOTHING).await?;
    context.out.value(&app, |app| format!("{} ({}) is {}.", app.name, app.id, state(app)));
    Ok(())
}

async fn remove(context: &Context, app: &str, path: &str, now: &str) -> Result<(), Failure> {
    let app = context.api.app(app).await?;
    context.api.delete(&format!("/apps/{}{path}", app.id)).await?;
    context.out.done(&format!("{} ({}) {now}.", app.name, app.id));
    Ok(())
}

async fn export(context: &Context, app: &str, output: Option<PathBuf>) -> Result<(), Failure> {
    use std::io::Write;
    let app = context.api.app(app).await?;
    let mut answer = context.api.send(context.api.request(Method::GET, &format!("/apps/{}/export", app.id))?).await?;
    let path = output.unwrap_or_else(|| PathBuf::from(format!("{}.zip", app.id)));
    let broke = |error: reqwest::Error| Failure::new(Exit::Unreachable, format!("The export broke off: {error}"));
    if path.as_os_str() == "-" {
        while let Some(chunk) = answer.chunk().await.map_err(broke)? {
            std::io::stdout().lock().write_all(&chunk)?;
        }
        return Ok(());
    }
    let partial = path.with_extension("part");
    let mut file = std::fs::File::create(&partial)?;
    while let Some(chunk) = answer.chunk().await.map_err(broke)? {
        file.write_all(&chunk)?;
    }
    file.sync_all()?;
    std::fs::rename(&partial, &path)?;
    context.out.value(&serde_json::json!({ "file": path }), |_| format!("Wrote {}.", path.display()));
    Ok(())
}

async fn import(context: &Context, file: &std::path::Path) -> Result<(), Failure> {
    let bytes = std::fs::read(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    let request = context.api.request(Method::POST, "/apps/import")?;
    let app = context.api.value(request.header("content-type", "application/zip").body(bytes)).await?;
    show(context, &app);
    Ok(())
}

async fn instances(context: &Context, app: &str) -> Result<(), Failure> {
    let app = context.api.app(app).await?;
    let list: Vec<Instance> = context.api.list(&format!("/apps/{}/instances", app.id)).await?;
    context.out.list(&list, &["id", "state", "since", "next", "in flight", "requests", "memory", "cpu"], |one| {
        let next = match (&one.next_state, one.next_at) {
            (Some(state), Some(at)) => format!("{state} at {}", time(at)),
            _ => "-".into(),
        };
        vec![
            one.id.clone(),
            one.state.clone(),
            time(one.since),
            next,
            one.in_flight.to_string(),
            one.requests_total.to_string(),
            bytes(one.memory_bytes),
            micros(one.cpu_usec),
        ]
    });
    Ok(())
}

async fn members(context: &Context, app: &str) -> Result<(), Failure> {
    let app = context.api.app(app).await?;
    let list: Vec<Member> = context.api.list(&format!("/apps/{}/members", app.id)).await?;
    context.out.list(&list, &["name", "display name", "role", "since"], |member| {
        let role = format!("{:?}", member.role).to_lowercase();
        vec![member.username.clone(), member.display_name.clone(), role, time(member.since)]
    });
    Ok(())
}

async fn metrics(context: &Context, app: &str, range: &str) -> Result<(), Failure> {
    let app = context.api.app(app).await?;
    let metrics: Metrics = context.api.get(&format!("/apps/{}/metrics?range={range}", app.id)).await?;
    if context.out.json {
        context.out.json(&metrics);
        return Ok(());
    }
    context.out.list(&metrics.functions, &["function", "calls", "errors", "p50", "p95", "p99", "starts"], |one| {
        let counts = [one.calls, one.errors].map(|value| value.to_string());
        let times = [one.p50_us, one.p95_us, one.p99_us].map(micros);
        [one.function.clone()].into_iter().chain(counts).chain(times).chain([one.starts.to_string()]).collect()
    });
    Ok(())
}
