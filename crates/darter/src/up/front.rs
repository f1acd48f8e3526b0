//! What the gateway answers for an editor without asking anything inside: VS Code's page and its files.
//!
//! Holds what was read of an installed environment once. It must never read a tenant's file.

use std::path::PathBuf;
use std::sync::Arc;

use darter_core::workspace::{Depth, Door};
use darter_core::{Random, SystemRandom, random};
use darter_editor_page::{Gallery, PageInput, Product, StaticFiles, render};
use darter_engine::environment::EditorPage;
use darter_gateway::{Accepted, Front, Page, PageAsk, StaticFile};
use dashmap::DashMap;

/// Where the static files are on a workspace's own host: frames must be of its own origin.
const OWN_STATIC: &str = "/.darter/static";

/// The pages of VS Code's builds, by the digest that names their files.
#[derive(Default)]
pub struct Pages {
    known: DashMap<String, Arc<Build>>,
}

/// One build of VS Code on this machine.
struct Build {
    digest: String,
    product: Product,
    files: StaticFiles,
    data: String,
}

impl Pages {
    /// What was read of this build, or reads it.
    fn build(&self, page: &EditorPage) -> Option<Arc<Build>> {
        if let Some(known) = self.known.get(&page.digest) {
            return Some(Arc::clone(&known));
        }
        let product = Product::read(&page.folder.join("product.json"))
            .inspect_err(|error| tracing::error!(folder = %page.folder.display(), %error, "an installed editor cannot be read; install it again"))
            .ok()?;
        let files = StaticFiles::new(page.folder.clone());
        let build = Arc::new(Build { digest: page.digest.clone(), product, files, data: page.data.clone() });
        self.known.insert(page.digest.clone(), Arc::clone(&build));
        Some(build)
    }

    /// The front of a workspace whose editor's page is ours to render.
    pub fn vscode(&self, page: &EditorPage, of: Resident) -> Option<Arc<dyn Front>> {
        self.build(page).map(|build| Arc::new(VsCode { build, of }) as Arc<dyn Front>)
    }

    /// The files of a build, for the shared host.
    pub fn assets(digest: &str, folder: PathBuf) -> Arc<dyn Front> {
        Arc::new(Assets { digest: digest.to_owned(), files: StaticFiles::new(folder) })
    }
}

/// What a page says of its workspace.
#[derive(Debug, Clone)]
pub struct Resident {
    pub name: String,
    pub depth: Depth,
    /// A port's address, with `{{port}}` in it.
    pub port_address: String,
}

struct VsCode {
    build: Arc<Build>,
    of: Resident,
}

fn found(files: &StaticFiles, path: &str, accepted: Accepted) -> Option<StaticFile> {
    let file = files.lookup(&decoded(path)?, accepted.brotli)?;
    let content_encoding = file.encoding.header();
    Some(StaticFile { path: file.path, content_type: file.content_type, content_encoding, immutable: true })
}

/// A path without its percent signs. What is not text then is no file of ours.
fn decoded(path: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    Some(text.into_owned())
}

impl Front for VsCode {
    fn page(&self, ask: &PageAsk<'_>) -> Option<Page> {
        if ask.path != "/" {
            return None;
        }
        let gallery = Gallery::default();
        let nonce = random::text(&SystemRandom as &dyn Random, 22);
        let folder = folder(ask.query).unwrap_or_else(|| "/home/user".to_owned());
        let rendered = render(&PageInput {
            product: &self.build.product,
            depth: self.of.depth,
            scheme: if ask.https { "https" } else { "http" },
            authority: ask.authority,
            static_base: ask.assets,
            own_static: &format!("{OWN_STATIC}/{}", self.build.digest),
            port_address: &self.of.port_address,
            folder: &folder,
            user_data: &self.build.data,
            title: &self.of.name,
            gallery: Some(&gallery),
            nonce: &nonce,
        });
        let wakes = match self.of.depth {
            Depth::Light => Door::Attendant,
            Depth::Full => Door::Editor,
        };
        Some(Page { html: rendered.html, content_security_policy: rendered.policy, wakes: Some(wakes) })
    }

    fn file(&self, path: &str, accepted: Accepted) -> Option<StaticFile> {
        found(&self.build.files, path, accepted)
    }

    fn digest(&self) -> &str {
        &self.build.digest
    }
}

/// The folder that an address names: absolute, and plain enough to be shown as a path.
fn folder(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("folder="))?;
    decoded(value).filter(|folder| folder.starts_with('/') && !folder.contains(char::is_control))
}

struct Assets {
    digest: String,
    files: StaticFiles,
}

impl Front for Assets {
    fn page(&self, _: &PageAsk<'_>) -> Option<Page> {
        None
    }

    fn file(&self, path: &str, accepted: Accepted) -> Option<StaticFile> {
        found(&self.files, path, accepted)
    }

    fn digest(&self) -> &str {
        &self.digest
    }
}

/// An editor whose own server answers everything, and knows us by a word.
pub struct Whole(pub String);

impl Front for Whole {
    fn page(&self, _: &PageAsk<'_>) -> Option<Page> {
        None
    }

    fn file(&self, _: &str, _: Accepted) -> Option<StaticFile> {
        None
    }

    fn digest(&self) -> &str {
        ""
    }

    fn credential(&self) -> Option<&str> {
        Some(&self.0)
    }

    /// A kernel's channels and a terminal carry what somebody types; all else talks by itself.
    fn is_input(&self, path: &str) -> bool {
        path.ends_with("/channels") || path.starts_with("/terminals/websocket/")
    }
}
