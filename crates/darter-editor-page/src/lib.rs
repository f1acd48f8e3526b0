//! The page of VS Code in the browser, and the files that it loads, answered without any process of the tenant's.
//!
//! The caller answers, on the workspace's own host: `/` with [`render`], `/.darter/static/<digest>/…` (and the same on a
//! host shared by all workspaces) with [`StaticFiles`], `/.darter/session` from the attendant, `POST /mint-key` with 32
//! bytes that stay the same for the workspace and that no other knows (VS Code seals its secrets with them), and passes
//! everything else on to the server inside.
//!
//! Pure: it reads an installed environment (ours, read-only) and the caller's words. It must never read a tenant's
//! file, and nothing a tenant says may reach the HTML but escaped.

mod files;
mod page;
mod product;

pub use files::{Encoding, StaticFile, StaticFiles};
pub use page::{Page, PageInput, render};
pub use product::{Gallery, Product};
