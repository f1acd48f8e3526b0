//! The part of an install that brings an image: pulls it, lays its layers over each other, checks that what runs in
//! workspaces runs on it.

use std::path::{Path, PathBuf};

use darter_sandbox::Bind;

use super::super::disk::{About, IMAGE, Layer as Own};
use super::super::install::{Failed, Install, Room, Task};
use super::super::progress::InstallEvent;
use super::Origin;
use super::layer::{Budget, apply};
use super::layout::{Candidate, Image, Layout};
use super::registry::Pull;
use super::system::{Settled, System, settle};
use super::tree::Tree;
use crate::local::layout::{Build, remove_tree};
use crate::workspace::PROGRAM;

/// Where a pull is kept until it is unpacked.
const PULLED: &str = "pulled";

/// What an image must bring, said whenever one does not.
const NEEDS: &str = "An image must bring /bin/sh, a glibc and a libstdc++ about as new as this machine's, and whatever \
                     the editor's environment takes from the machine. Images made of musl (Alpine) do not fit.";

fn unfit(why: String) -> Failed {
    Failed { code: "environment.image", message: why }
}

impl Install<'_> {
    /// Brings the recipe's image into the build and says what it is.
    pub(crate) async fn image(&mut self, origin: &Origin, build: &Build, own: Own) -> Result<System, Failed> {
        let folder = build.writable(IMAGE)?;
        let (layout, candidate) = match origin.folder(&self.kit.folder) {
            Some(layout) => self.layout(origin, &layout)?,
            None => self.pull(origin, &build.path().join(PULLED)).await?,
        };
        let unreadable = |why: String| unfit(format!("The image cannot be used: {why}."));
        let manifest = layout.manifest(&candidate).map_err(unreadable)?;
        let image = layout.image(&manifest).map_err(unreadable)?;
        let settled = self.lay_layers(&layout, &image, folder, origin.mib).await?;
        remove_tree(&build.path().join(PULLED))?;
        let Settled { path, variables, shell } = settled;
        Ok(System { layer: own, digest: candidate.digest.to_string(), path, variables, shell })
    }

    fn layout(&self, origin: &Origin, folder: &Path) -> Result<(Layout, Candidate), Failed> {
        let found = || {
            let layout = Layout::open(folder)?;
            let candidate = layout.find(origin.tag.as_deref())?;
            Ok((layout, candidate))
        };
        let (layout, candidate) = found().map_err(|why: String| unfit(format!("The image cannot be used: {why}")))?;
        match self.kit.manifest.as_ref() == Some(&candidate.digest) {
            true => Ok((layout, candidate)),
            // The install is named by what the recipe meant when it was read.
            false => Err(unfit(format!(
                "{} holds another image than when the server started. Start the server again, then install this.",
                folder.display()
            ))),
        }
    }

    async fn pull(&mut self, origin: &Origin, into: &Path) -> Result<(Layout, Candidate), Failed> {
        let failed = |message: String| Failed { code: "environment.download", message };
        let reference = origin.reference().map_err(unfit)?;
        self.phase("download", &reference.whole());
        let access = origin.access(self.tools.config.certificates.as_deref()).map_err(failed)?;
        let pull = Pull::new(&reference, access, into).map_err(failed)?;
        let report = |what: &str, bytes, total| {
            self.progress.say(InstallEvent::Download { what: what.to_owned(), bytes, total });
        };
        let candidate = pull.run(origin.mib << 20, &report).await.map_err(failed)?;
        Ok((Layout::of_blobs(into), candidate))
    }

    /// Unpacks in a thread of its own; what is not what its digest promises ends the install.
    async fn lay_layers(
        &mut self,
        layout: &Layout,
        image: &Image,
        folder: PathBuf,
        mib: u64,
    ) -> Result<Settled, Failed> {
        self.phase("unpack", "the image");
        let total = image.layers.iter().fold(0_u64, |sum, layer| sum.saturating_add(layer.size));
        let mut tree = Tree::open(&folder)?;
        let (mut budget, mut so_far) = (Budget::of_mib(mib), 0);
        for layer in &image.layers {
            let mut blob = layout.blob(layer).map_err(|error| unfit(format!("The image cannot be used: {error}.")))?;
            let packing = layer.packing;
            let laid = tokio::task::spawn_blocking(move || {
                apply(&mut blob, packing, &mut tree, &mut budget)?;
                blob.finish().map(|()| (tree, budget))
            });
            let laid = laid.await.map_err(std::io::Error::other)?;
            (tree, budget) = laid.map_err(|error| unpacking(layer.digest.short(), error))?;
            so_far += layer.size;
            self.progress.say(InstallEvent::Download { what: layer.digest.short().to_owned(), bytes: so_far, total });
        }
        let settled =
            settle(&mut tree, &image.environment).map_err(|why| unfit(format!("The image cannot be used: {why}.")))?;
        self.own(&folder)?;
        Ok(settled)
    }

    /// Tries in the sandbox what every workspace of it will run.
    pub(crate) async fn probe(&mut self, room: &Room, about: &About) -> Result<(), Failed> {
        self.phase("step", "trying whether the image fits");
        let program = match &self.tools.config.environments.attendant {
            Some(program) => program.clone(),
            None => std::env::current_exe().and_then(|program| program.canonicalize())?,
        };
        let task = |argv: Vec<String>| Task::new("/".into(), argv);
        let words = |argv: &[&str]| argv.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let mut attempts = vec![task(words(&["/bin/sh", "-c", "exit 0"]))];
        let attendant = task(words(&[PROGRAM, "--help"]));
        attempts.push(Task { binds: vec![Bind::read_only(program, PROGRAM)], ..attendant });
        if !about.editor.probe.is_empty() {
            attempts.push(task(about.editor.probe.clone()));
        }
        for attempt in attempts {
            let tried = self.job(room, attempt).await;
            tried.map_err(|failed| unfit(format!("The image does not fit. {NEEDS}\n{}", failed.message)))?;
        }
        Ok(())
    }
}

fn unpacking(layer: &str, error: std::io::Error) -> Failed {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Failed::from(error),
        _ => unfit(format!("The image cannot be used: in its layer {layer}, {error}.")),
    }
}
