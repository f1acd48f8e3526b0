//! `darter ws ssh`: the machine's own `ssh` with everything it has to know: host, port, login name, and the server's key, so
//! that it asks nobody whether it is the right server.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use clap::Args;
use darter_api::account::SshKey;
use darter_api::system::{SshDoor, System};
use darter_api::workspace::Workspace;
use serde_json::json;
use url::Url;

use super::super::Context;
use crate::client::{Exit, Failure};

/// A shell in it by SSH, or one command: `ssh WS -- make test`
#[derive(Debug, Args)]
pub struct Ssh {
    workspace: String,
    /// Print a block for ~/.ssh/config instead: editors, scp and rsync then know the workspace by its name
    #[arg(long)]
    config: bool,
    /// Words for `ssh`: options first (`-L 3000:localhost:3000`), then a command after `--`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Everything that `ssh` is told.
struct Target {
    /// What the block is called, and what the server's key is known by.
    alias: String,
    user: String,
    host: String,
    port: u16,
    known_hosts: PathBuf,
}

impl Ssh {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let workspace = context.api.workspace(&self.workspace).await?;
        let system: System = context.api.get("/system").await?;
        let target = Target::new(&workspace, system.ssh.as_ref())?;
        if self.config {
            let block = target.block(&workspace.name);
            context.out.value(&json!({ "host": target.alias, "config": block }), |_| block.clone());
            return Ok(());
        }
        some_key(context).await?;
        let mut ssh = std::process::Command::new("ssh");
        ssh.args(target.options());
        // `--` parts options for ssh from the command; without it all words are the command.
        let (options, command) = parted(&self.words);
        ssh.args(options).arg(&target.alias).args(command);
        let error = ssh.exec();
        let what = format!("`ssh` cannot be started: {error}. Install it (openssh-client), or use `darter ws exec`.");
        Err(Failure::new(Exit::Failed, what))
    }
}

/// Without a key of the account's, `ssh` could only say "Permission denied". A token that may not look lets it try.
async fn some_key(context: &Context) -> Result<(), Failure> {
    match context.api.list::<SshKey>("/me/ssh-keys").await {
        Ok(keys) if keys.is_empty() => {
            let what = "Your account has no SSH key yet. Add yours with `darter ssh-key add`, or in the console.";
            Err(Failure::new(Exit::Failed, what))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What is for `ssh`, and what for the workspace. Words that begin with a dash are `ssh`'s as long as a `--` follows.
fn parted(words: &[String]) -> (&[String], &[String]) {
    match words.iter().position(|word| word == "--") {
        Some(at) => (&words[..at], &words[at + 1..]),
        None if words.first().is_some_and(|word| word.starts_with('-')) => (words, &[]),
        None => (&[], words),
    }
}

impl Target {
    fn new(workspace: &Workspace, door: Option<&SshDoor>) -> Result<Self, Failure> {
        let address = workspace.addresses.ssh.as_deref().and_then(|address| Url::parse(address).ok());
        let (Some(address), Some(door)) = (address, door) else {
            let what = "This server takes no SSH. Ask its operator to set ssh.listen, or use `darter ws exec`.";
            return Err(Failure::new(Exit::Failed, what));
        };
        let user = address.username().to_owned();
        let alias = format!("{user}.darter");
        let known_hosts = pin(door, &alias)?;
        Ok(Self { alias, user, host: door.host.clone(), port: door.port, known_hosts })
    }

    fn pairs(&self) -> Vec<(&'static str, String)> {
        vec![
            ("HostName", self.host.clone()),
            ("Port", self.port.to_string()),
            ("User", self.user.clone()),
            // Its key is known by this name, whatever other servers answer at localhost.
            ("HostKeyAlias", self.alias.clone()),
            ("UserKnownHostsFile", format!("\"{}\"", self.known_hosts.display())),
            ("StrictHostKeyChecking", "yes".into()),
            ("ForwardAgent", "no".into()),
            ("ForwardX11", "no".into()),
        ]
    }

    fn options(&self) -> Vec<String> {
        self.pairs().into_iter().flat_map(|(name, value)| ["-o".to_owned(), format!("{name}={value}")]).collect()
    }

    fn block(&self, name: &str) -> String {
        let lines: Vec<String> = self.pairs().iter().map(|(name, value)| format!("    {name} {value}")).collect();
        let plain: String = name.chars().filter(|letter| !letter.is_control()).collect();
        format!("# {plain}\nHost {}\n{}", self.alias, lines.join("\n"))
    }
}

/// Keeps the server's key where `ssh` finds it: a file of each workspace's own, written anew each time.
fn pin(door: &SshDoor, alias: &str) -> Result<PathBuf, Failure> {
    let base = std::env::var_os("XDG_CONFIG_HOME").filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = base.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
    let base = base.ok_or_else(|| Failure::usage("Neither HOME nor XDG_CONFIG_HOME is set; set one of them."))?;
    let folder = base.join("darter").join("known_hosts");
    let path = folder.join(alias);
    let write = || {
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
        let draft = folder.join(format!(".{alias}.{}", std::process::id()));
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        writeln!(file, "{alias} {}", door.host_key)?;
        fs::rename(draft, &path)
    };
    write().map_err(|error| Failure::new(Exit::Failed, format!("{} cannot be written: {error}.", path.display())))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_for_ssh_or_for_the_workspace() {
        let parted = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let (options, command) = super::parted(&words);
            (options.join(" "), command.join(" "))
        };
        let rows = [
            ("", "", ""),
            ("make test", "", "make test"),
            ("-- make -j2", "", "make -j2"),
            ("-L 1:localhost:2", "-L 1:localhost:2", ""),
            ("-t -- top -H", "-t", "top -H"),
        ];
        for (words, options, command) in rows {
            assert_eq!(parted(words), (options.to_owned(), command.to_owned()), "{words}");
        }
    }

    #[test]
    fn a_block_names_everything_that_ssh_has_to_know() {
        let target = Target {
            alias: "ada-k3v9m2p7qa.darter".into(),
            user: "ada-k3v9m2p7qa".into(),
            host: "localhost".into(),
            port: 7022,
            known_hosts: "/home/a b/k".into(),
        };
        let block = target.block("Thesis\nProxyCommand evil");
        assert!(block.starts_with("# ThesisProxyCommand evil\nHost ada-k3v9m2p7qa.darter\n    HostName localhost\n"));
        assert!(block.contains("    UserKnownHostsFile \"/home/a b/k\"\n    StrictHostKeyChecking yes\n"), "{block}");
    }
}
