//! What the gateway answers for an editor without asking anything inside: its page and its files.
//!
//! Holds what was read of an installed environment once. It must never read a tenant's file.

use std::path::PathBuf;
use std::sync::Arc;

use darter_core::workspace::{Depth, Door};
use darter_core::{Random, SystemRandom, random};
use darter_editor_page::{Encoding, Gallery, PageInput, Product, StaticFiles, render};
use darter_engine::environment::{EditorPage, PageContent, Prerendered};
use darter_gateway::{Accepted, Front, Page, PageAsk, StaticFile};
use dashmap::DashMap;

/// Where the static files are on a workspace's own host: frames must be of its own origin.
const OWN_STATIC: &str = "/.darter/static";

/// The head of a message between VS Code's page and its server; keep-alives and acknowledgements are nothing else.
const VSCODE_HEAD: u64 = 13;

/// What tells of a person's doing, and shows when the workspace rests: the gateway answers it.
const BESIDE: &str = "<script src=\"/.darter/page.js\" defer></script></head>";

/// The pages of editors' builds, by the digest that names their files.
#[derive(Default)]
pub struct Pages {
    known: DashMap<String, Arc<Build>>,
}

/// One build of an editor on this machine.
struct Build {
    digest: String,
    files: StaticFiles,
    page: Source,
}

/// Where its page comes from.
enum Source {
    Vscode { product: Product, data: String },
    Prerendered { page: Prerendered, html: String },
}

fn read(page: &EditorPage) -> std::io::Result<Build> {
    let (files, source) = match &page.content {
        PageContent::Vscode { folder, data } => {
            let product = Product::read(&folder.join("product.json"))?;
            (StaticFiles::vscode(folder.clone()), Source::Vscode { product, data: data.clone() })
        }
        PageContent::Prerendered { page, file, files } => {
            let html = std::fs::read_to_string(file)?.replacen("</head>", BESIDE, 1);
            (StaticFiles::new(files.clone()), Source::Prerendered { page: page.clone(), html })
        }
    };
    Ok(Build { digest: page.digest.clone(), files, page: source })
}

impl Pages {
    /// What was read of this build, or reads it.
    fn build(&self, page: &EditorPage) -> Option<Arc<Build>> {
        if let Some(known) = self.known.get(&page.digest) {
            return Some(Arc::clone(&known));
        }
        let build = read(page)
            .inspect_err(|error| tracing::error!(?page, %error, "an installed editor cannot be read; install it again"))
            .ok()?;
        let build = Arc::new(build);
        self.known.insert(page.digest.clone(), Arc::clone(&build));
        Some(build)
    }

    /// The front of a workspace; `page`: what the gateway can answer for its editor.
    pub fn front(&self, page: Option<EditorPage>, of: Resident) -> Arc<dyn Front> {
        match page.and_then(|page| self.build(&page)) {
            Some(build) => Arc::new(Editor { build, of }),
            None => Arc::new(Whole { credential: of.credential }),
        }
    }

    /// The files of a build of VS Code, for the shared host.
    pub fn assets(digest: &str, folder: PathBuf) -> Arc<dyn Front> {
        Arc::new(Assets { digest: digest.to_owned(), files: StaticFiles::vscode(folder) })
    }
}

/// What a page says of its workspace, and what only the two of them know.
#[derive(Clone)]
pub struct Resident {
    pub name: String,
    pub depth: Depth,
    /// A port's address, with `{{port}}` in it.
    pub port_address: String,
    /// The `authorization` header by which an editor that asks for one knows us.
    pub credential: String,
    /// What VS Code's page seals its secrets with.
    pub seal: [u8; 32],
}

/// An editor whose page and files are answered here.
struct Editor {
    build: Arc<Build>,
    of: Resident,
}

fn found(files: &StaticFiles, path: &str, accepted: Accepted) -> Option<StaticFile> {
    let forms = [(accepted.brotli, Encoding::Brotli), (accepted.gzip, Encoding::Gzip)];
    let forms: Vec<_> = forms.into_iter().filter_map(|(taken, form)| taken.then_some(form)).collect();
    let file = files.lookup(&decoded(path)?, &forms)?;
    let content_encoding = file.encoding.header();
    Some(StaticFile { path: file.path, content_type: file.content_type, content_encoding, immutable: true })
}

/// The name of a file that was built tells its content: `main.efd36b46f3b45eb8.js`.
fn is_named_by_content(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let is_hash = |part: &str| part.len() >= 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.split(['.', '-']).any(is_hash)
}

/// A path without its percent signs. What is not text then is no file of ours.
fn decoded(path: &str) -> Option<String> {
    let text = percent_encoding::percent_decode_str(path).decode_utf8().ok()?;
    Some(text.into_owned())
}

impl Editor {
    fn vscode(&self, (product, data): (&Product, &str), ask: &PageAsk<'_>) -> Page {
        let gallery = Gallery::default();
        let nonce = random::text(&SystemRandom as &dyn Random, 22);
        let folder = folder(ask.query).unwrap_or_else(|| "/home/user".to_owned());
        let rendered = render(&PageInput {
            product,
            depth: self.of.depth,
            scheme: if ask.https { "https" } else { "http" },
            authority: ask.authority,
            static_base: ask.assets,
            own_static: &format!("{OWN_STATIC}/{}", self.build.digest),
            port_address: &self.of.port_address,
            folder: &folder,
            user_data: data,
            title: &self.of.name,
            gallery: Some(&gallery),
            nonce: &nonce,
        });
        let wakes = match self.of.depth {
            Depth::Light => Door::Attendant,
            Depth::Full => Door::Editor,
        };
        Page { html: rendered.html, content_security_policy: rendered.policy, wakes: Some(wakes), unless: Vec::new() }
    }
}

impl Front for Editor {
    fn page(&self, ask: &PageAsk<'_>) -> Option<Page> {
        match &self.build.page {
            Source::Vscode { product, data } => (ask.path == "/").then(|| self.vscode((product, data), ask)),
            Source::Prerendered { page, html } => (ask.path == page.at).then(|| Page {
                html: html.clone(),
                content_security_policy: "frame-ancestors 'self'".to_owned(),
                wakes: Some(Door::Editor),
                unless: page.unless.clone(),
            }),
        }
    }

    fn leads(&self, path: &str) -> Option<&str> {
        match &self.build.page {
            Source::Prerendered { page, .. } if path == "/" => Some(&page.at),
            Source::Prerendered { .. } | Source::Vscode { .. } => None,
        }
    }

    fn file(&self, path: &str, accepted: Accepted) -> Option<StaticFile> {
        let file = found(&self.build.files, path, accepted)?;
        match self.build.page {
            // These addresses name the build.
            Source::Vscode { .. } => Some(file),
            // What its owner has changed is told apart by its name.
            Source::Prerendered { .. } => is_named_by_content(path).then_some(file),
        }
    }

    fn digest(&self) -> &str {
        &self.build.digest
    }

    fn credential(&self) -> Option<&str> {
        matches!(self.build.page, Source::Prerendered { .. }).then_some(&self.of.credential)
    }

    fn seal(&self) -> Option<[u8; 32]> {
        matches!(self.build.page, Source::Vscode { .. }).then_some(self.of.seal)
    }

    fn keep_alive(&self) -> Option<u64> {
        matches!(self.build.page, Source::Vscode { .. }).then_some(VSCODE_HEAD)
    }

    fn is_input(&self, path: &str) -> bool {
        matches!(self.build.page, Source::Prerendered { .. }) && is_typed(path)
    }

    fn can_wait(&self, path: &str) -> bool {
        matches!(self.build.page, Source::Prerendered { .. }) && is_room(path)
    }
}

/// A kernel's channels and a terminal of Jupyter carry what somebody types; all else talks by itself.
fn is_typed(path: &str) -> bool {
    path.ends_with("/channels") || path.starts_with("/terminals/websocket/")
}

/// Where pages of Jupyter tell each other who is there, every few seconds, and what was typed, of which its person's key
/// tells already.
fn is_room(path: &str) -> bool {
    path.starts_with("/api/collaboration/room/")
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
struct Whole {
    credential: String,
}

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
        Some(&self.credential)
    }

    fn is_input(&self, path: &str) -> bool {
        is_typed(path)
    }

    fn can_wait(&self, path: &str) -> bool {
        is_room(path)
    }
}
