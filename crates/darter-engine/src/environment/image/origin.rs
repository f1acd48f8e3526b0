//! `[image]` of a recipe: where an image comes from. Written by operators, who are trusted; still every value is checked,
//! so that a slip of the pen is told before anything is fetched.

use std::path::{Path, PathBuf};

use oci_client::Reference;
use serde::Deserialize;

use super::super::recipe::is_plain;
use super::digest::Digest;
use super::layout::Layout;
use super::registry::Access;

/// Longest user name or password.
const WORD: u64 = 64 << 10;
const LARGEST: u64 = 1 << 20;

/// Where an image comes from: exactly one of a layout and a reference.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// A layout directory: a path beside the recipe, or an absolute one.
    pub layout: Option<String>,
    /// Which of the layout's images, when it holds several.
    pub tag: Option<String>,
    /// `<registry>/<name>[:<tag>]@<digest>`: what is installed is named by its digest.
    pub reference: Option<String>,
    /// Who asks the registry.
    pub username: Option<String>,
    /// A file that holds the password or token.
    pub password_file: Option<PathBuf>,
    /// Asks without TLS.
    #[serde(default)]
    pub insecure: bool,
    /// Largest size, unpacked.
    #[serde(default = "usual_mib")]
    pub mib: u64,
}

fn usual_mib() -> u64 {
    8_192
}

impl Origin {
    /// Says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=LARGEST).contains(&self.mib) {
            return Err(format!("mib must be 1–{LARGEST}"));
        }
        match (&self.layout, &self.reference) {
            (Some(layout), None) => {
                if !layout.starts_with('/') && !is_plain(layout) {
                    return Err(format!("layout = {layout:?} must be a path beside the recipe, or an absolute one"));
                }
                match self.username.is_some() || self.password_file.is_some() || self.insecure {
                    true => Err("username, password_file and insecure are of a reference, not of a layout".into()),
                    false => Ok(()),
                }
            }
            (None, Some(_)) if self.tag.is_some() => Err("tag is of a layout: a reference has its own".into()),
            (None, Some(_)) => self.reference().and_then(|_| self.check_credentials()),
            _ => Err("say either `layout = …` (a directory) or `reference = …` (a registry)".into()),
        }
    }

    fn check_credentials(&self) -> Result<(), String> {
        match (&self.username, &self.password_file) {
            (None, None) => Ok(()),
            (Some(_), Some(file)) if file.is_absolute() => Ok(()),
            (Some(_), Some(_)) => Err("password_file must be an absolute path".into()),
            _ => Err("username and password_file belong together".into()),
        }
    }

    /// How it is shown to people: an absolute path is the operator's own affair, and its last folder says enough.
    pub fn shown(&self) -> String {
        match (&self.layout, &self.reference) {
            (Some(layout), _) => {
                let folder = Path::new(layout).file_name().map_or_else(|| layout.into(), |name| name.to_string_lossy());
                self.tag.as_ref().map_or_else(|| folder.clone().into_owned(), |tag| format!("{folder}:{tag}"))
            }
            (None, reference) => reference.clone().unwrap_or_default(),
        }
    }

    /// The reference, which names a digest.
    pub fn reference(&self) -> Result<Reference, String> {
        let text = self.reference.as_deref().unwrap_or_default();
        let reference: Reference = text.parse().map_err(|error| format!("reference = {text:?}: {error}"))?;
        let digest = reference.digest().ok_or_else(|| {
            format!(
                "reference = {text:?} has no digest, and a tag may mean another image tomorrow: write {text}@sha256:… (`skopeo inspect --format '{{{{.Digest}}}}' docker://{text}` tells it)"
            )
        })?;
        digest.parse::<Digest>().map_err(|why| format!("reference = {text:?}: {why}"))?;
        Ok(reference)
    }

    /// The layout's name beside the recipe.
    pub fn beside(&self) -> Option<&str> {
        self.layout.as_deref().filter(|layout| !layout.starts_with('/'))
    }

    /// The layout's folder, of a recipe in `recipe`.
    pub fn folder(&self, recipe: &Path) -> Option<PathBuf> {
        // An absolute one takes the place of the recipe's.
        self.layout.as_ref().map(|layout| recipe.join(layout))
    }

    /// The manifest that its layout holds now. The error is in words; also when there is no layout.
    pub fn manifest(&self, recipe: &Path) -> Result<Digest, String> {
        let folder = self.folder(recipe).ok_or("it comes from a registry")?;
        Ok(Layout::open(&folder)?.find(self.tag.as_deref())?.digest)
    }

    /// How its registry is spoken to.
    pub fn access(&self, certificates: Option<&Path>) -> Result<Access, String> {
        let credentials = match (&self.username, &self.password_file) {
            (Some(name), Some(file)) => Some((name.clone(), password(file)?)),
            _ => None,
        };
        Ok(Access { credentials, insecure: self.insecure, certificates: certificates.map(Path::to_path_buf) })
    }
}

fn password(file: &Path) -> Result<String, String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(file)
        .and_then(|file| file.take(WORD).read_to_string(&mut text))
        .map_err(|error| format!("password_file {}: {error}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
