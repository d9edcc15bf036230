//! Uploads: the files of the project that the embedded S3 holds as objects.
//!
//! The state folder keeps a list of what was uploaded, so that an object goes when its file does.
//! An object that another party has overwritten since is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sidestep_aws::object::S3ObjectStore;
use sidestep_core::uri::S3Uri;
use sidestep_engine::error::EngineError;
use sidestep_engine::ports::objects::{ObjectFacts, ObjectStore, sha256_hex};

use super::error::DeploymentError;
use crate::cloud::Cloud;

/// The file with the list, below the state folder.
const UPLOADED: &str = "uploads.json";

/// Objects with the SHA-256 that they were uploaded with.
type Uploaded = BTreeMap<S3Uri, String>;

/// Uploads files to the embedded S3, except those that are there with the same content, and removes
/// what was uploaded from files that no longer exist.
///
/// Returns how many were written. Stopped half-way: the next call does the rest.
pub async fn upload_files(
    cloud: &Cloud,
    files: Vec<(S3Uri, Vec<u8>)>,
) -> Result<usize, DeploymentError> {
    let mut config = cloud.config().into_builder();
    config.set_endpoint_url(Some(cloud.endpoints().s3.clone()));
    let store = S3ObjectStore::new(&config.build());
    let before = uploaded(cloud.folder().path());
    let mut now = Uploaded::new();
    let mut missing = Vec::new();
    for (uri, bytes) in files {
        cloud.s3().create_bucket(uri.bucket()).await?;
        let digest = sha256_hex(&bytes);
        if sha256(&store, &uri).await?.as_ref() != Some(&digest) {
            now.insert(uri.clone(), digest);
            missing.push((uri, bytes));
        } else if before.contains_key(&uri) {
            now.insert(uri, digest);
        }
    }
    let gone: Uploaded = before.into_iter().filter(|(uri, _)| !now.contains_key(uri)).collect();
    // Written first: what is not on the list stays for ever.
    write(cloud, now.iter().chain(&gone))?;
    let written = missing.len();
    for (uri, bytes) in missing {
        store.replace(&uri, bytes.into()).await.map_err(EngineError::from)?;
    }
    for (uri, digest) in &gone {
        if sha256(&store, uri).await?.as_ref() == Some(digest) {
            store.delete(uri).await.map_err(EngineError::from)?;
        }
    }
    if !gone.is_empty() {
        write(cloud, now.iter())?;
    }
    Ok(written)
}

/// Returns what was uploaded and would be removed now, because its file no longer exists.
pub fn removed_files(state: &Path, files: &[(S3Uri, Vec<u8>)]) -> BTreeMap<S3Uri, String> {
    let mut removed = uploaded(state);
    removed.retain(|uri, _| !files.iter().any(|(file, _)| file == uri));
    removed
}

/// Reads the list. One that cannot be read counts as empty, so nothing is removed.
fn uploaded(state: &Path) -> Uploaded {
    let text = fs::read_to_string(state.join(UPLOADED)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

fn write<'a>(
    cloud: &Cloud,
    objects: impl Iterator<Item = (&'a S3Uri, &'a String)>,
) -> Result<(), DeploymentError> {
    let list: BTreeMap<_, _> = objects.collect();
    let text = serde_json::to_string(&list).expect("strings always serialize");
    Ok(cloud.folder().write(UPLOADED, &text)?)
}

/// Returns the SHA-256 of an object, if there is one and it is known.
async fn sha256(store: &S3ObjectStore, uri: &S3Uri) -> Result<Option<String>, DeploymentError> {
    let found = store.head(uri).await.map_err(EngineError::from)?;
    Ok(found.as_ref().and_then(ObjectFacts::sha256).map(str::to_owned))
}
