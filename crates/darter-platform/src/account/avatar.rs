//! Pictures of people: whatever was uploaded is decoded within limits and drawn anew, 256 × 256. Nothing of the upload
//! itself is kept: no metadata, no second image behind the first.

use std::fs::{self, File};
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use darter_api::account as api;
use darter_core::role::TokenScope;
use darter_core::{AccountId, Fault, Kind};
use darter_store::account;
use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};
use tokio::sync::Semaphore;

use super::show;
use crate::audit::{Change, record};
use crate::credential::own_row;
use crate::{Actor, Platform};

/// Largest upload, in bytes.
pub const UPLOAD_LIMIT: usize = 5 << 20;
/// Longest edge of an upload, in pixels.
const EDGE_LIMIT: u32 = 8_192;
/// Memory that decoding may take: 8,192 × 4,096 in RGBA, and some.
const MEMORY_LIMIT: u64 = 160 << 20;
/// Edge of what is kept.
const EDGE: u32 = 256;

/// The folder of pictures; one is drawn at a time.
pub(crate) struct Avatars {
    folder: PathBuf,
    drawing: Arc<Semaphore>,
}

impl Avatars {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, drawing: Arc::new(Semaphore::new(1)) }
    }

    fn path(&self, account: &AccountId) -> PathBuf {
        self.folder.join(format!("{account}.webp"))
    }
}

/// Sets one's own picture from an uploaded one (PNG, JPEG, WebP, GIF).
pub async fn set(platform: &Platform, actor: &Actor, upload: Bytes) -> Result<api::Account, Fault> {
    let id = actor.require(TokenScope::Admin)?.clone();
    if upload.len() > UPLOAD_LIMIT {
        return Err(Fault::new(
            Kind::TooLarge,
            "avatar.too_large",
            "A picture has at most 5 MiB. Choose a smaller one.",
        ));
    }
    let place = Arc::clone(&platform.avatars.drawing).acquire_owned().await.map_err(Fault::internal)?;
    let path = platform.avatars.path(&id);
    let digest = tokio::task::spawn_blocking(move || {
        let _place = place;
        let picture = draw(&upload)?;
        write(&path, &picture).map_err(|error| Fault::internal(format!("{}: {error}", path.display())))?;
        Ok::<_, Fault>(blake3::hash(&picture).to_hex()[..16].to_owned())
    });
    let digest = digest.await.map_err(Fault::internal)??;
    change(platform, actor, (&id, Some(digest))).await
}

/// Takes one's own picture away.
pub async fn remove(platform: &Platform, actor: &Actor) -> Result<api::Account, Fault> {
    let id = actor.require(TokenScope::Admin)?.clone();
    let account = change(platform, actor, (&id, None)).await?;
    match tokio::fs::remove_file(platform.avatars.path(&id)).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::internal(error)),
        Ok(()) | Err(_) => Ok(account),
    }
}

async fn change(
    platform: &Platform,
    actor: &Actor,
    (id, digest): (&AccountId, Option<String>),
) -> Result<api::Account, Fault> {
    let mut tx = platform.store.write().await?;
    let mut row = own_row(&mut tx, id).await?;
    let operation = if digest.is_some() { "avatar.set" } else { "avatar.delete" };
    row.avatar = digest;
    row.updated_at = platform.clock.now();
    account::update(&mut tx, &row).await?;
    record(&mut tx, actor, Change::of(operation, id, serde_json::json!({}))).await?;
    tx.commit().await?;
    Ok(show(&row))
}

/// Somebody's picture as WebP, for whoever is signed in.
pub async fn picture(platform: &Platform, actor: &Actor, account: &AccountId) -> Result<Vec<u8>, Fault> {
    actor.require(TokenScope::Read)?;
    let none = || Fault::not_found("avatar.not_found", "There is no such picture.");
    let row = account::lookup(&mut *platform.store.read().await?, account).await?;
    row.and_then(|row| row.avatar).ok_or_else(none)?;
    match tokio::fs::read(platform.avatars.path(account)).await {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(none()),
        Err(error) => Err(Fault::internal(error)),
    }
}

fn refused(why: impl std::fmt::Display) -> Fault {
    let message = "This is not a picture that can be read: a PNG, JPEG, WebP or GIF of at most 8,192 pixels on each side. Save it anew in a picture program, or choose another.";
    Fault::invalid("avatar.unreadable", message).caused_by(why)
}

/// Decodes within limits, cuts the middle square, draws it small.
fn draw(upload: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut reader = ImageReader::new(Cursor::new(upload)).with_guessed_format().map_err(refused)?;
    match reader.format() {
        Some(ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP | ImageFormat::Gif) => {}
        Some(_) | None => return Err(refused("unknown format")),
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(EDGE_LIMIT);
    limits.max_image_height = Some(EDGE_LIMIT);
    limits.max_alloc = Some(MEMORY_LIMIT);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    if decoder.total_bytes() > MEMORY_LIMIT {
        return Err(refused("too many pixels"));
    }
    let orientation = decoder.orientation().map_err(refused)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(refused)?;
    image.apply_orientation(orientation);
    let edge = image.width().min(image.height());
    let square = image.crop_imm((image.width() - edge) / 2, (image.height() - edge) / 2, edge, edge);
    let small = square.resize_exact(EDGE, EDGE, FilterType::CatmullRom).into_rgba8();
    let mut bytes = Cursor::new(Vec::new());
    small.write_to(&mut bytes, ImageFormat::WebP).map_err(Fault::internal)?;
    Ok(bytes.into_inner())
}

/// Whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let draft = path.with_extension("draft");
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let paint = |x: u32, _| image::Rgb([(x % 256) as u8, 0, 0]);
        image::RgbImage::from_fn(width, height, paint).write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_picture_of_any_shape_becomes_a_small_square() {
        for (width, height) in [(1, 1), (640, 20), (20, 640), (256, 256)] {
            let drawn = draw(&png(width, height)).unwrap();
            let image = image::load_from_memory_with_format(&drawn, ImageFormat::WebP).unwrap();
            assert_eq!((image.width(), image.height()), (EDGE, EDGE), "{width}×{height}");
        }
    }

    #[test]
    fn nothing_of_the_upload_but_its_pixels_is_kept() {
        let mut upload = png(300, 300);
        upload.extend_from_slice(b"<script>alert('and more')</script>");
        let drawn = draw(&upload).unwrap();
        assert!(!drawn.windows(8).any(|window| window == b"<script>"));
    }

    #[test]
    fn bombs_and_other_files_are_refused() {
        // A PNG head that promises 60,000 × 60,000 pixels.
        let mut bomb = png(1, 1);
        bomb[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        bomb[20..24].copy_from_slice(&60_000u32.to_be_bytes());
        let wide = png(EDGE_LIMIT + 1, 1);
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec();
        for bad in [bomb, wide, svg, Vec::new(), b"GIF89a".to_vec(), png(100, 100)[..200].to_vec()] {
            assert_eq!(draw(&bad).map_err(|fault| fault.code), Err("avatar.unreadable"));
        }
    }
}
