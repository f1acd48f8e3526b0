//! Interpreters that wait, started, in sandboxes of their own, for a program to come. Each is given out once.
//!
//! Languages that nobody uses have none: the first run of one starts its interpreter itself and has others made, after
//! whoever runs something now is through.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use darter_core::run::{LanguageName, RunLimits};
use darter_sandbox::{Bind, File, LauncherClient, SandboxError, Spec};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe::Sender;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Language;
use super::execute::{Executed, FILES_FD, Started, spec, variables, walls};
use crate::turns::Turns;

/// A language that was not used for so long has no interpreter waiting any more.
const KEEP: Duration = Duration::from_secs(600);
/// After an interpreter that could not be started.
const PAUSE: Duration = Duration::from_secs(10);

/// An interpreter that waits.
struct Slot {
    started: Started,
    program: Sender,
    stdin: Sender,
}

#[derive(Default)]
struct Kept {
    slots: Vec<Slot>,
    taken: Arc<Notify>,
}

/// All that wait.
pub struct Slots {
    launcher: LauncherClient,
    size: usize,
    usual: RunLimits,
    turns: Arc<Turns>,
    kept: Mutex<BTreeMap<LanguageName, Kept>>,
    closing: CancellationToken,
}

impl Slots {
    pub fn new(launcher: LauncherClient, size: usize, usual: RunLimits, turns: Arc<Turns>) -> Arc<Self> {
        Arc::new(Self { launcher, size, usual, turns, kept: Mutex::default(), closing: CancellationToken::new() })
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<LanguageName, Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all that wait.
    pub fn close(&self) {
        self.closing.cancel();
        self.kept().clear();
    }

    /// Runs a program in an interpreter that waits, when there is one that fits; and has another one made.
    pub async fn run(
        self: &Arc<Self>,
        language: &Arc<Language>,
        binds: &[Bind],
        (argv, files, stdin): (Vec<String>, Vec<u8>, Vec<u8>),
        limits: &RunLimits,
    ) -> Option<Result<Executed, SandboxError>> {
        // A disk's size cannot be changed; who asks for another one waits for a start.
        if limits.disk_bytes != self.usual.disk_bytes {
            return None;
        }
        let slot = self.claim(language, binds)?;
        // Walls that are lower than what it has taken already.
        if let Err(error) = slot.started.sandbox.set_limits(&walls(limits)) {
            tracing::debug!(language = %language.name, %error, "an interpreter that waited does not fit");
            return None;
        }
        Some(slot.run((argv, files, stdin), limits).await)
    }

    fn claim(self: &Arc<Self>, language: &Arc<Language>, binds: &[Bind]) -> Option<Slot> {
        language.waiting.as_ref()?;
        if self.size == 0 || self.closing.is_cancelled() {
            return None;
        }
        let mut all = self.kept();
        let Some(kept) = all.get_mut(&language.name) else {
            let kept = Kept::default();
            let taken = Arc::clone(&kept.taken);
            all.insert(language.name.clone(), kept);
            tokio::spawn(Arc::clone(self).keep(Arc::clone(language), binds.to_vec(), taken));
            return None;
        };
        kept.taken.notify_one();
        while let Some(slot) = kept.slots.pop() {
            if slot.started.sandbox.ended().is_none() {
                return Some(slot);
            }
        }
        None
    }

    /// Makes what is missing of a language, until it was not used for long.
    async fn keep(self: Arc<Self>, language: Arc<Language>, binds: Vec<Bind>, taken: Arc<Notify>) {
        let kept = async {
            loop {
                self.turns.quiet().await;
                while self.kept().get(&language.name).is_some_and(|kept| kept.slots.len() < self.size) {
                    match self.build(&language, &binds).await {
                        Ok(slot) => self.kept().entry(language.name.clone()).or_default().slots.push(slot),
                        Err(SandboxError::LauncherGone) => return,
                        Err(error) => {
                            tracing::warn!(language = %language.name, %error, "an interpreter could not be started ahead");
                            tokio::time::sleep(PAUSE).await;
                        }
                    }
                    self.turns.quiet().await;
                }
                if tokio::time::timeout(KEEP, taken.notified()).await.is_err() {
                    return;
                }
            }
        };
        self.closing.run_until_cancelled(kept).await;
        self.kept().remove(&language.name);
    }

    async fn build(&self, language: &Language, binds: &[Bind]) -> Result<Slot, SandboxError> {
        let broken =
            |error: std::io::Error| SandboxError::Build { step: "making pipes".into(), reason: error.to_string() };
        let (theirs, program) = input().map_err(broken)?;
        let (stdin_inside, stdin) = input().map_err(broken)?;
        let started =
            Started::start(&self.launcher, self.spec(language, binds).fd(0, stdin_inside).fd(FILES_FD, theirs));
        Ok(Slot { started: started.await?, program, stdin })
    }

    fn spec(&self, language: &Language, binds: &[Bind]) -> Spec {
        let wait = language.recipe.wait.as_ref();
        let at = wait.map_or_else(String::new, |wait| format!("/darter/{}", wait.program));
        let argv = wait.map(|wait| wait.argv.clone()).into_iter().flatten().chain([at.clone()]).collect();
        let limits =
            RunLimits { memory_bytes: self.usual.memory_bytes.max(language.recipe.memory_least), ..self.usual };
        let mut spec = spec(argv, variables(language), binds, &limits);
        spec.root.files.push(File { at: at.into(), content: language.waiting.clone().unwrap_or_default() });
        spec
    }
}

impl Slot {
    async fn run(
        self,
        (argv, files, input): (Vec<String>, Vec<u8>, Vec<u8>),
        limits: &RunLimits,
    ) -> Result<Executed, SandboxError> {
        let used = self.started.sandbox.usage()?.cpu_usec;
        let (mut program, mut stdin) = (self.program, self.stdin);
        // A program that does not read keeps nobody waiting but this; both end with the run.
        let telling = async move {
            let words = format!("{}\n", json!({ "argv": argv }));
            let told = program.write_all(words.as_bytes()).await.is_ok() && program.write_all(&files).await.is_ok();
            drop(program);
            if told {
                let _ = stdin.write_all(&input).await;
            }
        };
        tokio::pin!(telling);
        let finish = self.started.finish(limits, used);
        tokio::pin!(finish);
        tokio::select! {
            done = &mut finish => return done,
            () = &mut telling => {}
        }
        finish.await
    }
}

/// A pipe: the end for the sandbox, and ours.
fn input() -> std::io::Result<(std::os::fd::OwnedFd, Sender)> {
    let (reader, writer) = std::io::pipe()?;
    Ok((reader.into(), Sender::from_owned_fd(writer.into())?))
}
