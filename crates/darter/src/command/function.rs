//! `darter fn …`: from a file on this machine to a running function and back.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use darter_api::draft::{RunRequest, RunResult};
use darter_api::function::{
    CreateFunction, Diff, Function, FunctionSummary, Publish, Published, Rollback, UpdateFunction, Version,
    VersionSource,
};
use reqwest::Method;

use super::Context;
use super::logs::{LogArgs, print_all};
use super::output::{foreign, line, micros, plain, time};
use crate::client::{Exit, Failure, segment};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// All functions of an app
    List { app: String },
    /// Make a function from a file, or a hello-world
    Create {
        app: String,
        name: String,
        file: Option<PathBuf>,
        #[arg(long, default_value = "")]
        description: String,
        /// Allowed methods, separated by commas; all unless told
        #[arg(long, value_delimiter = ',')]
        methods: Option<Vec<String>>,
    },
    /// Change a function's name, description or methods
    Set {
        app: String,
        name: String,
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        #[arg(long)]
        description: Option<String>,
        #[arg(long, value_delimiter = ',')]
        methods: Option<Vec<String>>,
    },
    /// Print a draft, or write all drafts of an app below a folder
    Pull {
        app: String,
        name: Option<String>,
        /// A version instead of the draft
        #[arg(long)]
        version: Option<u32>,
        /// File (with NAME) or folder (without) to write to
        #[arg(short, long, value_name = "PATH")]
        output: Option<PathBuf>,
    },
    /// Save a file as the draft; publishes nothing
    Push { app: String, name: String, file: PathBuf },
    /// Run the draft (or a file) with a request of your choice; publishes nothing
    Run(Run),
    /// Make the draft (or a file) live; a function that does not exist is made
    Publish {
        app: String,
        name: String,
        file: Option<PathBuf>,
        /// What changed
        #[arg(short, long)]
        message: Option<String>,
    },
    /// All versions, the newest first
    Versions { app: String, name: String },
    /// What differs between two versions (0: the draft)
    Diff { app: String, name: String, from: u32, to: u32 },
    /// Make an old version live again
    Rollback { app: String, name: String, version: u32 },
    /// Search or follow the logs of a function
    Logs {
        app: String,
        name: String,
        #[command(flatten)]
        query: LogArgs,
    },
    /// Remove a function with all its versions
    Delete { app: String, name: String },
}

/// A request to run a draft with.
#[derive(Debug, Args)]
pub struct Run {
    app: String,
    name: String,
    /// Run this file instead of the saved draft
    file: Option<PathBuf>,
    #[arg(short = 'X', long, default_value = "GET")]
    method: String,
    /// Query string without `?`
    #[arg(short, long)]
    query: Option<String>,
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    headers: Vec<String>,
    /// Body; `-` reads standard input
    #[arg(short, long)]
    data: Option<String>,
    /// Signed-in user as JSON, becomes ctx.user
    #[arg(long, value_name = "JSON")]
    user: Option<String>,
}

impl Command {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List { app } => list(context, &app).await,
            Self::Create { app, name, file, description, methods } => {
                let source = file.map(|file| read(&file)).transpose()?;
                let body = CreateFunction { name, description: Some(description), methods, source };
                let app = context.api.app(&app).await?;
                let made: Function = context.api.post(&format!("/apps/{}/functions", app.id), &body).await?;
                context.out.value(&made, |made| format!("Made {} (not published yet).", made.summary.name));
                Ok(())
            }
            Self::Set { app, name, rename, description, methods } => {
                let change = UpdateFunction { name: rename, description, methods, source: None };
                save(context, &app, &name, change).await
            }
            Self::Pull { app, name, version, output } => pull(context, &app, name, version, output).await,
            Self::Push { app, name, file } => {
                let change = UpdateFunction { source: Some(read(&file)?), ..UpdateFunction::default() };
                save(context, &app, &name, change).await
            }
            Self::Run(run) => run.run(context).await,
            Self::Publish { app, name, file, message } => publish(context, &app, &name, file, message).await,
            Self::Versions { app, name } => versions(context, &app, &name).await,
            Self::Diff { app, name, from, to } => {
                let path = format!("{}/diff?from={from}&to={to}", path(context, &app, &name).await?);
                let diff: Diff = context.api.get(&path).await?;
                context.out.value(&diff, |diff| plain(diff.unified.trim_end()));
                Ok(())
            }
            Self::Rollback { app, name, version } => {
                let path = format!("{}/rollback", path(context, &app, &name).await?);
                let done: Published = context.api.post(&path, &Rollback { version }).await?;
                published(context, &name, &done);
                Ok(())
            }
            Self::Logs { app, name, query } => query.run(context, &app, Some(&name)).await,
            Self::Delete { app, name } => {
                context.api.delete(&path(context, &app, &name).await?).await?;
                context.out.done(&format!("{name} is gone."));
                Ok(())
            }
        }
    }
}

async fn path(context: &Context, app: &str, name: &str) -> Result<String, Failure> {
    Ok(format!("/apps/{}/functions/{}", context.api.app(app).await?.id, segment(name)))
}

/// A source file, `-` is standard input. At most what the server takes, with some room for its own clear answer.
fn read(file: &Path) -> Result<String, Failure> {
    let text =
        if file.as_os_str() == "-" { std::io::read_to_string(std::io::stdin()) } else { std::fs::read_to_string(file) };
    text.map_err(|error| Failure::usage(format!("{}: {error}", file.display())))
}

async fn list(context: &Context, app: &str) -> Result<(), Failure> {
    let app = context.api.app(app).await?;
    let functions: Vec<FunctionSummary> = context.api.list(&format!("/apps/{}/functions", app.id)).await?;
    context.out.list(&functions, &["name", "live", "draft", "methods", "changed", "address"], |one| {
        vec![
            one.name.clone(),
            one.live_version.map_or("-".into(), |number| number.to_string()),
            if one.changed { "changed" } else { "same" }.into(),
            one.methods.join(","),
            time(one.updated_at),
            one.url.clone(),
        ]
    });
    Ok(())
}

/// Saves over the revision that is there now; somebody else's save in between is a conflict, never lost.
async fn save(context: &Context, app: &str, name: &str, change: UpdateFunction) -> Result<(), Failure> {
    let path = path(context, app, name).await?;
    let now: Function = context.api.get(&path).await?;
    let request = context.api.request(Method::PATCH, &path)?.header("if-match", format!("\"{}\"", now.revision));
    let saved: Function = context.api.value(request.json(&change)).await?;
    context.out.value(&saved, |saved| {
        let live = if saved.summary.changed { "; the live version is another one" } else { "" };
        format!("Saved {} (revision {}{live}).", saved.summary.name, saved.revision)
    });
    Ok(())
}

async fn pull(
    context: &Context,
    app: &str,
    name: Option<String>,
    version: Option<u32>,
    output: Option<PathBuf>,
) -> Result<(), Failure> {
    let Some(name) = name else {
        let folder = output.ok_or_else(|| Failure::usage("Say where to: `darter fn pull APP -o FOLDER`."))?;
        return pull_all(context, app, &folder).await;
    };
    let path = path(context, app, &name).await?;
    let source = match version {
        Some(number) => context.api.get::<VersionSource>(&format!("{path}/versions/{number}")).await?.source,
        None => context.api.get::<Function>(&path).await?.source,
    };
    match output {
        Some(file) => std::fs::write(&file, source)?,
        None if context.out.json => context.out.json(&serde_json::json!({ "name": name, "source": source })),
        None => foreign(&source),
    }
    Ok(())
}

async fn pull_all(context: &Context, app: &str, folder: &Path) -> Result<(), Failure> {
    let app = context.api.app(app).await?;
    let functions: Vec<FunctionSummary> = context.api.list(&format!("/apps/{}/functions", app.id)).await?;
    let mut files = Vec::new();
    for one in functions {
        // The server allows no such name; a false server must not write elsewhere.
        if one.name.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(Failure::new(
                Exit::Failed,
                format!("The server named a function {:?}; nothing more is written.", one.name),
            ));
        }
        let whole: Function = context.api.get(&format!("/apps/{}/functions/{}", app.id, segment(&one.name))).await?;
        let file = folder.join(format!("{}.ts", one.name));
        std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
        std::fs::write(&file, whole.source)?;
        files.push(file);
    }
    context.out.list(&files, &["file"], |file| vec![file.display().to_string()]);
    Ok(())
}

async fn publish(
    context: &Context,
    app: &str,
    name: &str,
    file: Option<PathBuf>,
    message: Option<String>,
) -> Result<(), Failure> {
    let source = file.map(|file| read(&file)).transpose()?;
    let app = context.api.app(app).await?;
    let functions = format!("/apps/{}/functions", app.id);
    let path = format!("{functions}/{}/publish", segment(name));
    let body = Publish { message, source };
    let done: Published = match context.api.post(&path, &body).await {
        Err(failure) if failure.exit == Exit::NotFound && body.source.is_some() => {
            let new =
                CreateFunction { name: name.into(), description: None, methods: None, source: body.source.clone() };
            context.api.post::<_, Function>(&functions, &new).await?;
            context.api.post(&path, &body).await?
        }
        other => other?,
    };
    published(context, name, &done);
    Ok(())
}

fn published(context: &Context, name: &str, done: &Published) {
    context.out.value(done, |done| {
        let phases: Vec<String> =
            done.phases.iter().map(|phase| format!("{} {}", phase.name, micros(phase.us))).collect();
        let warnings: String = done.warnings.iter().map(|warning| format!("\nwarning: {warning}")).collect();
        format!(
            "{name} version {} is live ({})\n{}{warnings}",
            done.version.number,
            phases.join(", "),
            done.version.url
        )
    });
}

async fn versions(context: &Context, app: &str, name: &str) -> Result<(), Failure> {
    let path = format!("{}/versions", path(context, app, name).await?);
    let versions: Vec<Version> = context.api.list(&path).await?;
    context.out.list(&versions, &["version", "live", "author", "time", "message", "address"], |one| {
        vec![
            one.number.to_string(),
            if one.live { "live" } else { "" }.into(),
            one.author.clone(),
            time(one.created_at),
            one.message.clone(),
            one.url.clone(),
        ]
    });
    Ok(())
}

impl Run {
    async fn run(self, context: &Context) -> Result<(), Failure> {
        let mut request = RunRequest {
            source: self.file.as_deref().map(read).transpose()?,
            method: Some(self.method.to_uppercase()),
            query: self.query,
            ..RunRequest::default()
        };
        for header in &self.headers {
            let (name, value) =
                header.split_once(':').ok_or_else(|| Failure::usage(format!("{header}: write NAME: VALUE.")))?;
            request.headers.insert(name.trim().to_lowercase(), value.trim().to_owned());
        }
        request.body = match self.data.as_deref() {
            Some("-") => Some(std::io::read_to_string(std::io::stdin())?),
            other => other.map(str::to_owned),
        };
        let user = self.user.as_deref().map(serde_json::from_str).transpose();
        request.user = user.map_err(|error| Failure::usage(format!("--user is no JSON: {error}")))?;
        let path = format!("{}/run", path(context, &self.app, &self.name).await?);
        let result: RunResult = context.api.post(&path, &request).await?;
        if context.out.json {
            context.out.json(&result);
            return Ok(());
        }
        print_all(context, &result.logs);
        context.out.progress(&format!("{} in {}", result.status, micros(result.duration_us)));
        if result.base64 {
            line("(the body is binary: use --json)")
        } else {
            foreign(&result.body)
        }
        Ok(())
    }
}
