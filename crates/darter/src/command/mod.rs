//! The words of the command line that speak to a server, one file per noun. They hold no rule: each asks the public
//! API, which every other client can ask too.

mod access;
mod app;
mod dependency;
mod domain;
mod environment;
mod function;
mod login;
mod logs;
pub mod people;
mod profile;
mod run;
mod secret;
mod ssh_key;
mod token;
mod variable;
mod workspace;

pub mod output;

use clap::Subcommand;
use url::Url;

use crate::client::{Api, Credentials, Exit, Failure};
use output::Output;

/// What a command works with.
pub struct Context {
    pub api: Api,
    pub out: Output,
}

/// Where the server is and who asks.
#[derive(Debug, Clone, clap::Args)]
pub struct Remote {
    /// Address of the server, instead of the one of the last `darter login`; DARTER_TOKEN replaces its token
    #[arg(long, env = "DARTER_URL", global = true, value_name = "URL", hide_env_values = true)]
    pub url: Option<Url>,
    /// Print JSON: one stable value on standard output, errors as JSON on standard error
    #[arg(long, global = true)]
    pub json: bool,
}

impl Remote {
    /// A client for the server that is meant.
    fn context(self) -> Result<Context, Failure> {
        let kept = Credentials::load()?;
        let url = match (self.url, &kept.current) {
            (Some(url), _) => url,
            (None, Some(current)) => {
                Url::parse(current).map_err(|error| Failure::usage(format!("{current}: {error}")))?
            }
            (None, None) => {
                let what = "No server is known. Run `darter login URL`, or set DARTER_URL and DARTER_TOKEN.";
                return Err(Failure::new(Exit::NotSignedIn, what));
            }
        };
        let token = token_of_environment().or_else(|| kept.tokens.get(&login::key(&url)).cloned());
        Ok(Context { api: Api::new(url, token)?, out: Output { json: self.json } })
    }
}

/// A token for one command. There is no flag for it: others on the machine can read a command's words.
fn token_of_environment() -> Option<String> {
    std::env::var("DARTER_TOKEN").ok().filter(|token| !token.is_empty())
}

/// Commands that need a server.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign in at a server and remember it
    Login(login::Login),
    /// Forget the token of a server
    Logout,
    /// Who am I, and where
    Whoami,
    /// Apps: list, create, stop, start, export …
    #[command(subcommand)]
    App(app::Command),
    /// Functions: write, publish, run, roll back, watch
    #[command(subcommand, visible_alias = "function")]
    Fn(function::Command),
    /// Workspaces: create, open, stop, copy files, run programs, share ports
    #[command(subcommand, visible_alias = "workspace")]
    Ws(workspace::Command),
    /// Run a program on the server: darter run hello.py
    Run(run::Run),
    /// Languages that programs can be written in
    #[command(subcommand)]
    Lang(run::Languages),
    /// Environment variables of an app; environments of workspaces
    #[command(subcommand)]
    Env(variable::Command),
    /// Secrets of an app: encrypted, never shown again
    #[command(subcommand)]
    Secret(secret::Command),
    /// npm packages of an app
    #[command(subcommand)]
    Dep(dependency::Command),
    /// Custom domains of an app
    #[command(subcommand)]
    Domain(domain::Command),
    /// Personal access tokens
    #[command(subcommand)]
    Token(token::Command),
    /// Public keys that open one's workspaces by SSH
    #[command(subcommand)]
    SshKey(ssh_key::Command),
    /// One's own profile, password, picture
    #[command(subcommand)]
    Profile(profile::Command),
    /// One's own sign-ins: sessions and bound identities
    #[command(subcommand)]
    Access(access::Command),
    /// For administrators: accounts, invitations, settings, audit
    #[command(subcommand)]
    Admin(people::Command),
}

/// Runs a command against its server.
pub async fn run(command: Command, remote: Remote) -> Result<(), Failure> {
    match command {
        Command::Login(command) => command.run(remote).await,
        Command::Logout => login::logout(remote),
        Command::Whoami => login::whoami(&remote.context()?).await,
        Command::App(command) => command.run(&remote.context()?).await,
        Command::Fn(command) => command.run(&remote.context()?).await,
        Command::Ws(command) => command.run(&remote.context()?).await,
        Command::Run(command) => command.run(&remote.context()?).await,
        Command::Lang(command) => command.run(&remote.context()?).await,
        Command::Env(command) => command.run(&remote.context()?).await,
        Command::Secret(command) => command.run(&remote.context()?).await,
        Command::Dep(command) => command.run(&remote.context()?).await,
        Command::Domain(command) => command.run(&remote.context()?).await,
        Command::Token(command) => command.run(&remote.context()?).await,
        Command::SshKey(command) => command.run(&remote.context()?).await,
        Command::Profile(command) => command.run(&remote.context()?).await,
        Command::Access(command) => command.run(&remote.context()?).await,
        Command::Admin(command) => command.run(&remote.context()?).await,
    }
}
