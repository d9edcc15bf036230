//! Objects of S3 as files.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sidestep_core::execution::manifest::Artifact;
use sidestep_core::limits::LISTED_OBJECTS;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::StoreError;

use crate::output::error::{CommandError, OrError as _, user};
use crate::session::Session;

/// Fetches an object into a file or an existing folder, or all objects below a prefix into a
/// folder. An artifact has to be what its step wrote.
pub(crate) async fn download(
    session: &Session,
    uri: &S3Uri,
    artifacts: &[Artifact],
    to: &Path,
) -> Result<(), CommandError> {
    let digest = |uri: &S3Uri| {
        let artifact = artifacts.iter().find(|artifact| artifact.uri == *uri)?;
        Some(artifact.sha256.clone())
    };
    if !uri.is_prefix() {
        let name = uri.key().rsplit('/').next().unwrap_or_default();
        let file = if to.is_dir() { to.join(name) } else { to.to_owned() };
        return object(session, uri, digest(uri), &file).await;
    }
    if to.as_os_str() == "-" {
        return Err(user(format!("`{uri}` is a prefix, which needs a folder and not `-`")));
    }
    let keys = session.engine.objects().list(uri, LISTED_OBJECTS).await?;
    if keys.is_empty() {
        return Err(missing(uri));
    }
    for (key, _) in keys {
        let name = key.strip_prefix(uri.key()).unwrap_or(&key);
        let is_safe = name.split('/').all(|part| !["", ".", ".."].contains(&part));
        if !is_safe {
            eprintln!("note: `{key}` is left out: its name is not one of a file");
            continue;
        }
        let object_uri = S3Uri::new(uri.bucket(), key.clone());
        object(session, &object_uri, digest(&object_uri), &to.join(name)).await?;
    }
    Ok(())
}

/// Fetches one object. The file appears when it is whole.
async fn object(
    session: &Session,
    uri: &S3Uri,
    sha256: Option<String>,
    to: &Path,
) -> Result<(), CommandError> {
    let found = match session.engine.objects().download(uri).await {
        Err(StoreError::NoSuchBucket { .. }) => None,
        found => found?,
    };
    let mut stream = found.ok_or_else(|| missing(uri))?.stream;
    let is_stdout = to.as_os_str() == "-";
    let elsewhere = std::env::temp_dir();
    let folder = match to.parent() {
        _ if is_stdout => elsewhere.as_path(),
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !is_stdout {
        fs::create_dir_all(folder)
            .or_service(|| format!("could not create `{}`", folder.display()))?;
    }
    let mut file = tempfile::Builder::new()
        .prefix(".sidestep-get")
        // The user's mask takes from it.
        .permissions(fs::Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .or_service(|| format!("could not write into `{}`", folder.display()))?;
    let mut hash = Sha256::new();
    while let Some(piece) = stream.try_next().await? {
        hash.update(&piece);
        file.write_all(&piece).or_service(|| format!("could not write `{}`", to.display()))?;
    }
    if sha256.is_some_and(|sha256| sha256 != hex::encode(hash.finalize())) {
        return Err(user(format!("`{uri}` is not what the step wrote: it was overwritten")));
    }
    if is_stdout {
        let mut whole = fs::File::open(file.path())?;
        std::io::copy(&mut whole, &mut std::io::stdout().lock())?;
        return Ok(());
    }
    let kept = file.persist(to).map_err(|error| error.error);
    kept.or_service(|| format!("could not write `{}`", to.display()))?;
    eprintln!("{uri} is in {}", to.display());
    Ok(())
}

fn missing(uri: &S3Uri) -> CommandError {
    user(format!("there is no object `{uri}`"))
        .hint("it was deleted since, or it was never written")
}
