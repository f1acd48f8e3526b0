//! Runs on this machine: a turn, a compilation or what is left of an earlier one, a sandbox.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use darter_core::run::{LanguageName, RunLimits, Verdict};
use darter_core::{Fault, Kind};
use darter_sandbox::{Bind, LauncherClient, SandboxError};

use super::bundle::{Memory, pack};
use super::cache::{Artifact, Cache, key};
use super::execute::{Executed, Execution, variables};
use super::slots::Slots;
use super::{Captured, Compiled, Language, Languages, Outcome, Program, Runs, Standing};
use crate::config::RunsConfig;
use crate::local::slot::micros;
use crate::turns::{Full, Turns};

/// Runs programs on this machine.
pub struct LocalRuns {
    launcher: LauncherClient,
    languages: Languages,
    /// Node, for the languages that it runs.
    node: Vec<Bind>,
    turns: Arc<Turns>,
    slots: Arc<Slots>,
    cache: Cache,
    versions: Mutex<BTreeMap<LanguageName, Option<String>>>,
    limits: (RunLimits, RunLimits),
}

impl LocalRuns {
    pub(crate) fn new(config: &RunsConfig, launcher: LauncherClient, languages: Languages, node: Vec<Bind>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let concurrent = if config.concurrent == 0 { 2 * cores } else { config.concurrent };
        let turns = Turns::new(concurrent, config.queue);
        Self {
            slots: Slots::new(launcher.clone(), config.pool, config.usual, Arc::clone(&turns)),
            launcher,
            languages,
            node,
            turns,
            cache: Cache::new(config.cache_bytes),
            versions: Mutex::default(),
            limits: (config.usual, config.most),
        }
    }

    /// Ends what waits for programs.
    pub(crate) fn close(&self) {
        self.slots.close();
    }

    /// In an interpreter that waits, or in a sandbox made for it.
    async fn execute(&self, program: &Program, files: &Memory) -> Result<Executed, Fault> {
        let (language, limits) = (&program.language, &program.limits);
        let binds = self.binds(language);
        if language.waiting.is_some() {
            let main = program.files.first().map(|(path, _)| path.clone());
            let argv = main.into_iter().chain(program.arguments.iter().cloned()).collect();
            let given = (argv, files.read().map_err(Fault::internal)?, program.stdin.clone());
            if let Some(done) = self.slots.run(language, &binds, given, limits).await {
                return done.map_err(|error| unstartable(&error));
            }
        }
        let stdin = Memory::holding(&program.stdin).map_err(Fault::internal)?;
        let recipe = &language.recipe;
        let argv = fill(&recipe.run, program).into_iter().chain(program.arguments.iter().cloned()).collect();
        let execution =
            Execution { files, argv, variables: variables(language), stdin: Some(&stdin), binds, limits, keep: None };
        execution.run(&self.launcher).await.map_err(|error| unstartable(&error))
    }

    fn binds(&self, language: &Language) -> Vec<Bind> {
        if language.recipe.node { self.node.clone() } else { Vec::new() }
    }

    /// What the compiler made of it, now or earlier; or why there is nothing to start.
    async fn compile(&self, program: &Program, sources: &Memory) -> Result<(Arc<Artifact>, bool), Uncompiled> {
        let key = key(program);
        if let Some(artifact) = self.cache.find(&key) {
            return Ok((artifact, true));
        }
        let recipe = &program.language.recipe;
        let Some(compile) = &recipe.compile else {
            return Err(Uncompiled::Fault(Fault::internal("nothing to compile")));
        };
        let mut kept = Memory::new("kept").map_err(|error| Uncompiled::Fault(Fault::internal(error)))?;
        let execution = Execution {
            files: sources,
            argv: fill(&compile.argv, program),
            variables: variables(&program.language),
            stdin: None,
            binds: self.binds(&program.language),
            limits: &RunLimits { output_bytes: program.limits.output_bytes.min(64 << 10), ..program.limits },
            keep: Some((compile.keep.join(" "), &kept)),
        };
        let done = execution.run(&self.launcher).await.map_err(|error| Uncompiled::Fault(unstartable(&error)))?;
        if let Some(verdict) = done.ending.compiled() {
            return Err(Uncompiled::Verdict(verdict, Box::new(done)));
        }
        let sealed = kept.seal().and_then(|()| kept.size());
        let bytes = sealed.map_err(|error| Uncompiled::Fault(Fault::internal(error)))?;
        let artifact = Arc::new(Artifact { files: kept, output: said(done), bytes });
        self.cache.keep(key, Arc::clone(&artifact));
        Ok((artifact, false))
    }
}

/// Why there is nothing to start.
enum Uncompiled {
    Verdict(Verdict, Box<Executed>),
    Fault(Fault),
}

/// Both streams of a compiler, as a person at a terminal reads them.
fn said(done: Executed) -> Captured {
    let mut bytes = done.stdout.bytes;
    bytes.extend(done.stderr.bytes);
    Captured { bytes, cut: done.stdout.cut || done.stderr.cut }
}

/// The recipe's words with the program's files in their places.
fn fill(argv: &[String], program: &Program) -> Vec<String> {
    let main = program.files.first().map_or("", |(path, _)| path.as_str());
    let endings = &program.language.recipe.endings;
    let own = |path: &&String| path.rsplit_once('.').is_some_and(|(_, end)| endings.iter().any(|one| one == end));
    let mut filled = Vec::new();
    for word in argv {
        match word.as_str() {
            "{files}" => filled.extend(program.files.iter().map(|(path, _)| path).filter(own).cloned()),
            word => filled.push(word.replace("{main}", main)),
        }
    }
    filled
}

fn unstartable(error: &SandboxError) -> Fault {
    let mut fault = Fault::new(
        Kind::Unavailable,
        "run.start_failed",
        "The program could not be started: no sandbox could be made for it. Try again; if it stays so, tell the operator.",
    )
    .retry_after(1);
    fault.cause = Some(error.to_string());
    fault
}

fn missing(language: &Language, lacks: &[&str]) -> Fault {
    let message = format!(
        "{} is not installed on this server. Its operator can change that: apt-get install -y {}",
        language.recipe.title,
        lacks.join(" ")
    );
    Fault::new(Kind::Unavailable, "language.missing", message)
}

/// An outcome without a program that ran.
fn uncompiled(verdict: Verdict, done: Executed, line: Option<u32>, phases: Vec<(String, u64)>) -> Outcome {
    let (cpu_us, wall_us, memory_peak) = (done.cpu_us, done.wall_us, done.memory_peak);
    Outcome {
        verdict,
        code: None,
        signal: None,
        stdout: Captured::default(),
        stderr: Captured::default(),
        compiled: Some(Compiled { output: said(done), cached: false }),
        line,
        cpu_us,
        wall_us,
        memory_peak,
        phases,
    }
}

#[async_trait]
impl Runs for LocalRuns {
    fn languages(&self) -> &Languages {
        &self.languages
    }

    fn limits(&self) -> (RunLimits, RunLimits) {
        self.limits
    }

    async fn standing(&self, language: &Arc<Language>) -> Standing {
        let lacks: Vec<String> = language.lacks().into_iter().map(str::to_owned).collect();
        if !lacks.is_empty() {
            return Standing { version: None, lacks };
        }
        let known = self.versions.lock().unwrap_or_else(PoisonError::into_inner).get(&language.name).cloned();
        let version = match known {
            Some(version) => version,
            None => {
                let version = self.version(language).await;
                let mut versions = self.versions.lock().unwrap_or_else(PoisonError::into_inner);
                versions.entry(language.name.clone()).or_insert(version).clone()
            }
        };
        Standing { version, lacks }
    }

    async fn run(&self, program: Program) -> Result<Outcome, Fault> {
        let lacks = program.language.lacks();
        if !lacks.is_empty() {
            return Err(missing(&program.language, &lacks));
        }
        let mut phases = Vec::new();
        let begun = Instant::now();
        let _permit = self.turns.enter(&program.owner).map_err(queue_full)?.wait(|_| ()).await;
        phases.push(("queue".to_owned(), micros(begun.elapsed())));
        let sources = pack(&program.files).map_err(Fault::internal)?;
        let recipe = &program.language.recipe;
        let main = program.files.first().map_or("", |(path, _)| path.as_str());
        let line = |text: &Captured| recipe.error.as_ref()?.find(&String::from_utf8_lossy(&text.bytes), main);
        let (files, compiled) = if recipe.compile.is_some() {
            let begun = Instant::now();
            let made = self.compile(&program, &sources).await;
            phases.push(("compile".to_owned(), micros(begun.elapsed())));
            match made {
                Ok((artifact, cached)) => {
                    let output = artifact.output.clone();
                    (Some(artifact), Some(Compiled { output, cached }))
                }
                Err(Uncompiled::Fault(fault)) => return Err(fault),
                Err(Uncompiled::Verdict(verdict, done)) => {
                    let line = line(&done.stderr).or_else(|| line(&done.stdout));
                    return Ok(uncompiled(verdict, *done, line, phases));
                }
            }
        } else {
            (None, None)
        };
        let done = self.execute(&program, files.as_ref().map_or(&sources, |artifact| &artifact.files)).await?;
        phases.push(("sandbox".to_owned(), done.built_us));
        phases.push(("run".to_owned(), done.wall_us));
        let verdict = done.ending.verdict();
        Ok(Outcome {
            verdict,
            code: done.ending.code.filter(|_| done.signal.is_none()),
            signal: done.signal,
            line: if verdict == Verdict::Ok { None } else { line(&done.stderr) },
            stdout: done.stdout,
            stderr: done.stderr,
            compiled,
            cpu_us: done.cpu_us,
            wall_us: done.wall_us,
            memory_peak: done.memory_peak,
            phases,
        })
    }
}

fn queue_full(Full { seconds }: Full) -> Fault {
    let message = format!("More programs wait for their turn than this server can take. Try again in {seconds} s.");
    Fault::new(Kind::RateLimited, "run.queue_full", message).retry_after(seconds)
}

impl LocalRuns {
    /// The first line of what its own program says.
    async fn version(&self, language: &Language) -> Option<String> {
        let files = pack(&[]).ok()?;
        let execution = Execution {
            files: &files,
            argv: language.recipe.version.clone(),
            variables: variables(language),
            stdin: None,
            binds: self.binds(language),
            limits: &RunLimits { memory_bytes: 512 << 20, ..RunLimits::default() },
            keep: None,
        };
        let done = execution.run(&self.launcher).await.ok()?;
        let text = String::from_utf8_lossy(&said(done).bytes).into_owned();
        text.lines().find(|line| !line.trim().is_empty()).map(|line| line.trim().chars().take(100).collect())
    }
}
