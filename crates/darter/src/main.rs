//! The program: `darter up`, `darter doctor`, and the command line that speaks to a server. It wires the parts and
//! holds no rule of its own. It must never start a thread before the launcher of `up` is forked.

mod account;
mod client;
mod command;
mod config;
mod doctor;
mod reference;
mod up;

use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use client::{Exit, Failure};
use command::output::{self, Output};
use command::{Command, Remote};

/// A serverless development cloud in one program
#[derive(Debug, Parser)]
#[command(name = "darter", version, max_term_width = 100, propagate_version = false)]
pub struct Cli {
    #[command(subcommand)]
    word: Word,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Subcommand)]
enum Word {
    /// Start the server
    Up(up::Up),
    /// Accounts, on the server's own data directory, whether it runs or not
    Account(account::Account),
    /// Which walls stand on this machine, which are missing, and what to do about it
    Doctor(config::Sources),
    /// The server's configuration
    Config(ConfigArgs),
    /// Print a shell's completions: `darter completions bash > /etc/bash_completion.d/darter`
    Completions { shell: Shell },
    /// Print a generated reference page
    #[command(hide = true)]
    Reference { page: reference::Page },
    #[command(flatten)]
    Remote(Command),
}

/// `darter config …`
#[derive(Debug, Args)]
struct ConfigArgs {
    /// check: is it right? show: what applies? reference: all keys
    #[arg(value_parser = ["check", "show", "reference"])]
    what: String,
    #[command(flatten)]
    sources: config::Sources,
}

/// What runs inside a workspace is this program too: it must stay small, so nothing else is made before it.
const ATTENDANT: &str = "attendant";

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|word| word == ATTENDANT) {
        return darter_attendant::main();
    }
    let cli = Cli::parse();
    let json = cli.remote.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ExitCode::from(failure.print(json)),
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.word {
        Word::Up(up) => up.run(),
        Word::Account(account) => account.run(Output { json: cli.remote.json }),
        Word::Doctor(sources) => doctor::run(&sources, Output { json: cli.remote.json }),
        Word::Config(args) => configuration(&args, Output { json: cli.remote.json }),
        Word::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "darter", &mut text);
            output::print(&String::from_utf8_lossy(&text));
            Ok(())
        }
        Word::Reference { page } => page.print(),
        Word::Remote(command) => speak(command, cli.remote),
    }
}

/// Runs a command of the command line; one thread is enough for it.
fn speak(command: Command, remote: Remote) -> Result<(), Failure> {
    // Fails only when a provider is installed already, and then it is the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(command::run(command, remote))
}

fn configuration(args: &ConfigArgs, out: Output) -> Result<(), Failure> {
    if args.what == "reference" {
        output::print(&config::reference());
        return Ok(());
    }
    let loaded = args.sources.load().map_err(|problems| bad_configuration(&problems))?;
    if args.what == "show" {
        let text = |config: &config::Config| toml::to_string(config).unwrap_or_default();
        out.value(&loaded.config, text);
    } else {
        let from = loaded.file.map_or("without a file".into(), |file| format!("with {}", file.display()));
        out.done(&format!("The configuration {from} is right. Data: {}", loaded.data.display()));
    }
    Ok(())
}

/// Every problem on a line of its own; exit code 2.
pub fn bad_configuration(problems: &[config::Problem]) -> Failure {
    let lines: Vec<String> = problems.iter().map(|problem| format!("  {problem}")).collect();
    let mut failure = Failure::new(Exit::Usage, format!("the configuration is not right:\n{}", lines.join("\n")));
    failure.detail.code = "config.invalid".into();
    failure
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_command_line_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_scripts_write_is_understood() {
        let lines = [
            "darter up --data /x --listen 127.0.0.1:1 --admin-listen  --domain a.example --apps-domain b.example --log info",
            "darter account create ada --admin --token --json --data /x",
            "darter account list --data /x",
            "darter fn publish shop hello hello.ts -m first --json",
            "darter fn logs shop hello -f --level warn",
            "darter --url http://a.example app list",
            "darter ws create thesis --environment vscode --wait --depth light",
            "darter ws open thesis --print",
            "darter ws exec thesis -- ls -l /home/user",
            "darter ws exec -t thesis bash",
            "darter ws ports thesis set 3000 public",
            "darter dep add shop lodash @scope/name@1",
            "darter doctor --json --data /x",
        ];
        for line in lines {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.err().map(|error| error.to_string()).unwrap_or_default());
        }
    }
}
