//! `darter run FILE`, `darter lang list`: a program runs on the server, and what it writes comes out here.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use darter_api::run::{CreateRun, Language, Run as Ran, RunFile, RunLimitsAsked, RunVerdict};

use super::Context;
use super::output::{bytes, foreign, micros};
use crate::client::{Exit, Failure};

/// Largest program that is read.
const LARGEST: u64 = 1 << 20;

#[derive(Debug, Args)]
pub struct Run {
    /// The program; further files that it needs may follow
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Its language; known by the ending of its name unless told
    #[arg(short, long)]
    lang: Option<String>,
    /// A file that the program reads as its standard input; - for one's own
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// Processor time that it may take
    #[arg(long, value_name = "MS")]
    cpu_ms: Option<u64>,
    /// Time that it may take
    #[arg(long, value_name = "MS")]
    wall_ms: Option<u64>,
    /// Memory that it may take
    #[arg(long, value_name = "BYTES")]
    memory_bytes: Option<u64>,
    /// What the program is told, after --
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Languages {
    /// All languages, and which of them can be used
    List,
}

impl Run {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let asked = CreateRun {
            language: self.language()?,
            source: None,
            files: self.files.iter().map(|path| file(path)).collect::<Result<_, _>>()?,
            arguments: self.arguments,
            stdin: self.stdin.as_deref().map(input).transpose()?.unwrap_or_default(),
            limits: RunLimitsAsked {
                cpu_ms: self.cpu_ms,
                wall_ms: self.wall_ms,
                memory_bytes: self.memory_bytes,
                ..RunLimitsAsked::default()
            },
        };
        let ran: Ran = context.api.post("/runs", &asked).await?;
        if context.out.json {
            context.out.json(&ran);
        } else {
            show(&ran)?;
        }
        match ran.verdict {
            RunVerdict::Ok => Ok(()),
            _ => Err(failed(ran)),
        }
    }

    fn language(&self) -> Result<String, Failure> {
        let ending = self.files.first().and_then(|path| path.extension()).and_then(|end| end.to_str());
        self.lang.clone().or_else(|| ending.map(str::to_owned)).ok_or_else(|| {
            Failure::usage("The file's name has no ending to know its language by. Say it: --lang python")
        })
    }
}

fn file(path: &Path) -> Result<RunFile, Failure> {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| Failure::usage(format!("{} is not a file's name.", path.display())))?;
    Ok(RunFile { path: name.to_owned(), content: read(path)? })
}

fn input(path: &Path) -> Result<String, Failure> {
    if path.as_os_str() != "-" {
        return read(path);
    }
    let mut text = String::new();
    std::io::stdin().take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

fn read(path: &Path) -> Result<String, Failure> {
    let unread = |why: String| Failure::usage(format!("{} cannot be read: {why}", path.display()));
    let size = std::fs::metadata(path).map_err(|error| unread(error.to_string()))?.len();
    if size > LARGEST {
        return Err(unread(format!("it has {}; a file may have {}", bytes(size), bytes(LARGEST))));
    }
    std::fs::read_to_string(path).map_err(|error| unread(error.to_string()))
}

/// What it wrote goes where its own output would have gone.
fn show(ran: &Ran) -> Result<(), Failure> {
    if let Some(compilation) = &ran.compilation {
        std::io::stderr().write_all(compilation.output.text.as_bytes())?;
    }
    foreign(&ran.stdout.text);
    std::io::stdout().flush()?;
    std::io::stderr().write_all(ran.stderr.text.as_bytes())?;
    Ok(())
}

fn failed(ran: Ran) -> Failure {
    let used = format!("{} of processor time, {}", micros(ran.cpu_us), bytes(ran.memory_peak_bytes));
    Failure::new(Exit::Failed, format!("{} ({used})", ran.message))
}

impl Languages {
    pub async fn run(self, context: &Context) -> Result<(), Failure> {
        let all: Vec<Language> = context.api.list("/languages").await?;
        context.out.list(&all, &["name", "title", "version", "endings"], |one| {
            let version = match &one.version {
                Some(version) => version.clone(),
                None if one.installed => "installed".into(),
                None => format!("not installed: apt-get install -y {}", one.lacks.join(" ")),
            };
            vec![one.name.clone(), one.title.clone(), version, one.endings.join(" ")]
        });
        Ok(())
    }
}
