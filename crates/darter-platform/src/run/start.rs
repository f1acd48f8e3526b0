//! Starting a run and waiting for its end. Nothing of it is kept: whoever goes away has ended it.

use darter_api::run as api;
use darter_core::role::TokenScope;
use darter_core::run::{AskedLimits, RunLimits, Verdict};
use darter_core::{AccountId, Fault};
use darter_engine::run::{Captured, MOST_FILES, Outcome, Program, check_path};

use super::words;
use crate::{Actor, Platform};

/// Most arguments, and most bytes of all of them.
const MOST_ARGUMENTS: usize = 100;
const ARGUMENT_BYTES: usize = 32 << 10;

/// Runs a program to its end.
pub async fn start(platform: &Platform, actor: &Actor, asked: api::CreateRun) -> Result<api::Run, Fault> {
    let owner = actor.require(TokenScope::Write)?.clone();
    let program = program(platform, owner, asked)?;
    let (language, limits) = (program.language.clone(), program.limits);
    let outcome = platform.runs.run(program).await?;
    Ok(show(&language.recipe.title, language.name.to_string(), &limits, outcome))
}

fn program(platform: &Platform, owner: AccountId, asked: api::CreateRun) -> Result<Program, Fault> {
    let language = platform.runs.languages().find(&asked.language)?.clone();
    let files = files(asked.source, asked.files, &language.recipe.file)?;
    let bytes: usize = asked.arguments.iter().map(String::len).sum();
    let whole = asked.arguments.iter().all(|argument| !argument.contains('\0'));
    if asked.arguments.len() > MOST_ARGUMENTS || bytes > ARGUMENT_BYTES || !whole {
        let message = format!(
            "A program takes at most {MOST_ARGUMENTS} arguments of {ARGUMENT_BYTES} bytes together, without NUL."
        );
        return Err(Fault::invalid("run.arguments_invalid", message));
    }
    let (usual, most) = platform.runs.limits();
    let mut limits = usual.with(&wanted(&asked.limits), &most)?;
    limits.memory_bytes = limits.memory_bytes.max(language.recipe.memory_least);
    Ok(Program { owner, language, files, arguments: asked.arguments, stdin: asked.stdin.into_bytes(), limits })
}

fn files(source: Option<String>, files: Vec<api::RunFile>, usual: &str) -> Result<Vec<(String, Vec<u8>)>, Fault> {
    let all = match (source, files.is_empty()) {
        (Some(source), true) => vec![(usual.to_owned(), source)],
        (None, false) => files.into_iter().map(|file| (file.path, file.content)).collect(),
        (Some(_), false) => {
            return Err(Fault::invalid("run.source_invalid", "Send either a source or files, not both."));
        }
        (None, true) => return Err(Fault::invalid("run.source_missing", "There is no source to run.")),
    };
    if all.len() > MOST_FILES {
        let message = format!("A program has at most {MOST_FILES} files; this one has {}.", all.len());
        return Err(Fault::invalid("run.file_invalid", message));
    }
    for (at, (path, _)) in all.iter().enumerate() {
        check_path(path)?;
        let below = |one: &str, other: &str| {
            one.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if all[..at].iter().any(|(other, _)| below(path, other) || below(other, path)) {
            let message = format!("\"{path}\" is there twice, or is a file and a folder at once. Rename one of them.");
            return Err(Fault::invalid("run.file_invalid", message));
        }
    }
    if all.first().is_none_or(|(_, content)| content.trim().is_empty()) {
        return Err(Fault::invalid("run.source_missing", "The source is empty. Write a program first."));
    }
    Ok(all.into_iter().map(|(path, content)| (path, content.into_bytes())).collect())
}

fn wanted(asked: &api::RunLimitsAsked) -> AskedLimits {
    let &api::RunLimitsAsked { cpu_ms, wall_ms, memory_bytes, pids, disk_bytes, output_bytes } = asked;
    AskedLimits { cpu_ms, wall_ms, memory_bytes, pids, disk_bytes, output_bytes }
}

fn show(title: &str, language: String, limits: &RunLimits, outcome: Outcome) -> api::Run {
    let message = words::of(title, limits, &outcome);
    let compilation = outcome
        .compiled
        .map(|compiled| api::RunCompilation { output: shown(&compiled.output), cached: compiled.cached });
    api::Run {
        language,
        verdict: verdict(outcome.verdict),
        message,
        exit_code: outcome.code,
        signal: outcome.signal,
        stdout: shown(&outcome.stdout),
        stderr: shown(&outcome.stderr),
        compilation,
        line: outcome.line,
        cpu_us: outcome.cpu_us,
        wall_us: outcome.wall_us,
        memory_peak_bytes: outcome.memory_peak,
        phases: outcome.phases.into_iter().map(|(name, us)| darter_api::function::Phase { name, us }).collect(),
    }
}

fn shown(captured: &Captured) -> api::RunOutput {
    api::RunOutput { text: String::from_utf8_lossy(&captured.bytes).into_owned(), cut: captured.cut }
}

fn verdict(verdict: Verdict) -> api::RunVerdict {
    match verdict {
        Verdict::Ok => api::RunVerdict::Ok,
        Verdict::CompileError => api::RunVerdict::CompileError,
        Verdict::RuntimeError => api::RunVerdict::RuntimeError,
        Verdict::CpuLimit => api::RunVerdict::CpuLimit,
        Verdict::WallLimit => api::RunVerdict::WallLimit,
        Verdict::MemoryLimit => api::RunVerdict::MemoryLimit,
        Verdict::OutputLimit => api::RunVerdict::OutputLimit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> api::RunFile {
        api::RunFile { path: path.into(), content: "x".into() }
    }

    #[test]
    fn a_source_is_a_file_of_the_usual_name() {
        assert_eq!(files(Some("x".into()), Vec::new(), "main.py").unwrap(), [("main.py".into(), b"x".to_vec())]);
    }

    #[test]
    fn what_is_no_program_is_refused_with_a_reason() {
        let many = (0..=MOST_FILES).map(|at| file(&format!("f{at}"))).collect();
        for (source, given, code) in [
            (None, vec![], "run.source_missing"),
            (Some("  \n"), vec![], "run.source_missing"),
            (Some("x"), vec![file("a")], "run.source_invalid"),
            (None, vec![file("../a")], "run.file_invalid"),
            (None, vec![file("a"), file("a")], "run.file_invalid"),
            (None, vec![file("a"), file("a/b")], "run.file_invalid"),
            (None, vec![file("a/b"), file("a")], "run.file_invalid"),
            (None, many, "run.file_invalid"),
        ] {
            let refused = files(source.map(str::to_owned), given, "main.py").unwrap_err();
            assert_eq!(refused.code, code);
        }
        assert!(files(None, vec![file("a"), file("ab")], "main.py").is_ok());
    }
}
