//! `darter login`, `logout`, `whoami`. A token is never an argument: others on the machine could read it.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use darter_api::account::Account;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use url::Url;

use super::output::Output;
use super::{Context, Remote};
use crate::client::{Api, Credentials, Exit, Failure};

/// Sign in with a personal access token.
#[derive(Debug, Args)]
pub struct Login {
    /// Address of the server, e.g. http://darter.localhost:7070
    #[arg(value_name = "URL")]
    server: Url,
}

impl Login {
    /// Asks for a token, tries it, keeps it.
    pub async fn run(self, remote: Remote) -> Result<(), Failure> {
        if !matches!(self.server.scheme(), "http" | "https") || self.server.host_str().is_none() {
            return Err(Failure::usage(format!(
                "{} is no address: write http:// or https:// and a host.",
                self.server
            )));
        }
        let token = match super::token_of_environment() {
            Some(token) => token,
            None => ask_token(&self.server)?,
        };
        let api = Api::new(self.server.clone(), Some(token.clone()))?;
        let account: Account = api.get("/me").await?;
        let mut kept = Credentials::load()?;
        kept.tokens.insert(key(&self.server), token);
        kept.current = Some(key(&self.server));
        kept.save()?;
        let sentence = |account: &Account| format!("Signed in at {} as {}.", key(&self.server), account.username);
        Output { json: remote.json }.value(&account, sentence);
        Ok(())
    }
}

/// The server as credentials know it: scheme, host and port.
pub fn key(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn ask_token(server: &Url) -> Result<String, Failure> {
    if std::io::stdin().is_terminal() {
        eprintln!("Make a token at {}/account/tokens and paste it here (it is not shown).", key(server));
    }
    read_hidden("Token: ")
}

/// A line from standard input; on a terminal without echo.
pub fn read_hidden(prompt: &str) -> Result<String, Failure> {
    let stdin = std::io::stdin();
    let before = if stdin.is_terminal() {
        eprint!("{prompt}");
        std::io::stderr().flush()?;
        let before = tcgetattr(&stdin).map_err(std::io::Error::from)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(&stdin, OptionalActions::Flush, &silent).map_err(std::io::Error::from)?;
        Some(before)
    } else {
        None
    };
    let mut line = String::new();
    let read = stdin.lock().read_line(&mut line);
    if let Some(before) = before {
        tcsetattr(&stdin, OptionalActions::Flush, &before).map_err(std::io::Error::from)?;
        eprintln!();
    }
    read?;
    let line = line.trim_end_matches(['\r', '\n']).to_owned();
    if line.is_empty() {
        Err(Failure::usage("Nothing came in: type it, or pipe it to standard input."))
    } else {
        Ok(line)
    }
}

/// Forgets a server's token. The token itself stays valid: `darter token revoke` ends it.
pub fn logout(remote: Remote) -> Result<(), Failure> {
    let mut kept = Credentials::load()?;
    let server = match (&remote.url, &kept.current) {
        (Some(url), _) => key(url),
        (None, Some(current)) => current.clone(),
        (None, None) => return Err(Failure::new(Exit::NotSignedIn, "You are not signed in anywhere.")),
    };
    kept.tokens.remove(&server);
    if kept.current.as_deref() == Some(&server) {
        kept.current = kept.tokens.keys().next().cloned();
    }
    kept.save()?;
    Output { json: remote.json }.done(&format!("Forgot the token for {server}."));
    Ok(())
}

/// Prints the account and the server.
pub async fn whoami(context: &Context) -> Result<(), Failure> {
    let account: Account = context.api.get("/me").await?;
    let server = key(context.api.base());
    context.out.value(&account, |account| {
        let role = if account.administrator { ", administrator" } else { "" };
        // The first administrator, made on the server, may have no address.
        let email = if account.email.is_empty() { String::new() } else { format!(" <{}>", account.email) };
        format!("{}{email}{role} at {server}", account.username)
    });
    Ok(())
}
