//! `darter ws cp`: files as they are, folders as archives. Nothing of a workspace's names leads out of the folder that was
//! named here.

use std::path::{Path, PathBuf};

use darter_api::workspace::FolderList;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use reqwest::Method;
use tokio::io::AsyncWriteExt;
use tokio_util::io::ReaderStream;

use super::super::Context;
use super::Place;
use crate::client::{Exit, Failure};

/// Copies one way or the other.
pub async fn copy(context: &Context, from: &str, to: &str) -> Result<(), Failure> {
    match (Place::parse(from), Place::parse(to)) {
        (Place::There(workspace, path), Place::Here(to)) => download(context, (&workspace, &path), &to).await,
        (Place::Here(from), Place::There(workspace, path)) => upload(context, &from, (&workspace, &path)).await,
        _ => Err(Failure::usage("One side is a path here, the other WORKSPACE:PATH.")),
    }
}

fn broke(error: impl std::fmt::Display) -> Failure {
    Failure::new(Exit::Unreachable, format!("The copy broke off: {error}"))
}

fn last_part(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

async fn download(context: &Context, (workspace, path): (&str, &str), to: &Path) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let request = |operation: &str| {
        let request = context.api.request(Method::GET, &format!("/workspaces/{}/{operation}", found.id))?;
        Ok::<_, Failure>(request.query(&[("path", path)]))
    };
    match context.api.send(request("files")?).await {
        Ok(answer) => {
            let name = if to.is_dir() { to.join(last_part(path)) } else { to.to_owned() };
            save(answer, tokio::fs::File::create(&name).await?).await?;
            context.out.done(&format!("{} is here.", name.display()));
            Ok(())
        }
        Err(failure) if failure.detail.code == "file.is_a_directory" => {
            let answer = context.api.send(request("archive")?).await?;
            let packed = tempfile::NamedTempFile::new()?;
            save(answer, tokio::fs::File::create(packed.path()).await?).await?;
            let to = to.to_owned();
            let unpacked = tokio::task::spawn_blocking(move || unpack(packed.path(), &to)).await.map_err(broke)?;
            context.out.done(&format!("{} is here.", unpacked?.display()));
            Ok(())
        }
        Err(failure) => Err(failure),
    }
}

async fn save(mut answer: reqwest::Response, mut file: tokio::fs::File) -> Result<(), Failure> {
    while let Some(chunk) = answer.chunk().await.map_err(broke)? {
        file.write_all(&chunk).await?;
    }
    Ok(file.sync_all().await?)
}

/// The archive's names are a tenant's: what leads out of the folder is left out by the library.
fn unpack(archive: &Path, to: &Path) -> Result<PathBuf, Failure> {
    std::fs::create_dir_all(to)?;
    tar::Archive::new(GzDecoder::new(std::fs::File::open(archive)?)).unpack(to)?;
    Ok(to.to_owned())
}

async fn upload(context: &Context, from: &Path, (workspace, path): (&str, &str)) -> Result<(), Failure> {
    let found = context.api.workspace(workspace).await?;
    let (source, operation, mut target) = if from.is_dir() {
        let (packed, folder) = (tempfile::NamedTempFile::new()?, from.to_owned());
        let packed = tokio::task::spawn_blocking(move || pack(packed, &folder)).await.map_err(broke)??;
        (packed.path().to_owned(), Some(packed), path.to_owned())
    } else {
        (from.to_owned(), None, path.to_owned())
    };
    let archive = operation.is_some();
    if !archive && is_folder(context, &found.id, path).await {
        let name = from.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        target = format!("{}/{name}", path.trim_end_matches('/'));
    }
    let file = tokio::fs::File::open(&source).await?;
    let verb = if archive { "archive" } else { "files" };
    let request = context.api.request(Method::PUT, &format!("/workspaces/{}/{verb}", found.id))?;
    let request = request
        .query(&[("path", &target)])
        .header("content-type", "application/octet-stream")
        .body(reqwest::Body::wrap_stream(ReaderStream::new(file)));
    context.api.send(request).await?;
    drop(operation);
    context.out.done(&format!("{target} is in {} ({}).", found.name, found.id));
    Ok(())
}

async fn is_folder(context: &Context, id: &str, path: &str) -> bool {
    let Ok(request) = context.api.request(Method::GET, &format!("/workspaces/{id}/folder")) else { return false };
    context.api.value::<FolderList>(request.query(&[("path", path)])).await.is_ok()
}

/// The folder itself with everything in it; links stay links.
fn pack(file: tempfile::NamedTempFile, folder: &Path) -> Result<tempfile::NamedTempFile, Failure> {
    let name = folder.canonicalize()?.file_name().map(PathBuf::from).unwrap_or_else(|| PathBuf::from("folder"));
    let mut builder = tar::Builder::new(GzEncoder::new(file, Compression::fast()));
    builder.follow_symlinks(false);
    builder.append_dir_all(name, folder)?;
    Ok(builder.into_inner()?.finish()?)
}
