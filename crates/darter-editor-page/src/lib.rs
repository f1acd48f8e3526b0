//! The page of VS Code in the browser, and the files that it loads, answered without any process of the tenant's.
//!
//! Pure: it reads an installed environment (ours, read-only) and the caller's words. It must never read a tenant's
//! file, and nothing a tenant says may reach the HTML but escaped.

mod files;
mod page;
mod product;

pub use files::{Encoding, StaticFile, StaticFiles};
pub use page::{Page, PageInput, render};
pub use product::{Gallery, Product};
