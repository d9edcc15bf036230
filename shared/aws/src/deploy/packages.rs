//! Old objects in the bucket for code.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::error::{DeployError, service};
use crate::object::store::s3_client;

/// An object of the bucket with all its versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredPackage {
    pub key: String,
    pub bytes: u64,
    /// When it was written last, in milliseconds since 1970.
    pub written_at_ms: u64,
    versions: Vec<String>,
}

/// Returns the objects of a bucket, by key.
pub async fn stored_packages(
    config: &SdkConfig,
    bucket: &str,
) -> Result<Vec<StoredPackage>, DeployError> {
    let client = s3_client(config);
    let mut found: BTreeMap<String, StoredPackage> = BTreeMap::new();
    let (mut key_marker, mut version_marker) = (None, None);
    loop {
        let list = client.list_object_versions().bucket(bucket).set_key_marker(key_marker);
        let listed = list.set_version_id_marker(version_marker).send().await;
        let page = listed.map_err(service("list", bucket))?;
        let versions = page.versions().iter().map(|version| {
            let bytes = version.size().and_then(|size| u64::try_from(size).ok());
            (version.key(), version.version_id(), version.last_modified(), bytes)
        });
        let markers = page
            .delete_markers()
            .iter()
            .map(|marker| (marker.key(), marker.version_id(), marker.last_modified(), None));
        for (key, version, written, bytes) in versions.chain(markers) {
            let (Some(key), Some(version), Some(written)) = (key, version, written) else {
                continue;
            };
            let package = found.entry(key.to_owned()).or_default();
            key.clone_into(&mut package.key);
            package.bytes += bytes.unwrap_or_default();
            let at_ms = written.to_millis().ok().and_then(|ms| u64::try_from(ms).ok());
            // One without a time stays.
            package.written_at_ms = package.written_at_ms.max(at_ms.unwrap_or(u64::MAX));
            package.versions.push(version.to_owned());
        }
        if page.is_truncated() != Some(true) {
            break;
        }
        key_marker = page.next_key_marker().map(str::to_owned);
        version_marker = page.next_version_id_marker().map(str::to_owned);
    }
    Ok(found.into_values().collect())
}

/// Deletes every version of an object. One that is gone is fine.
pub async fn remove_package(
    config: &SdkConfig,
    bucket: &str,
    package: &StoredPackage,
) -> Result<(), DeployError> {
    let client = s3_client(config);
    // S3 takes a thousand at a time.
    for versions in package.versions.chunks(1_000) {
        let objects = versions.iter().filter_map(|version| {
            ObjectIdentifier::builder().key(&package.key).version_id(version).build().ok()
        });
        let all = Delete::builder().set_objects(Some(objects.collect())).quiet(true);
        let delete = all.build().expect("objects are set");
        let deleted = client.delete_objects().bucket(bucket).delete(delete).send().await;
        let outcome = deleted.map_err(service("delete", &package.key))?;
        if let Some(error) = outcome.errors().first() {
            return Err(DeployError::Refused {
                stack: bucket.to_owned(),
                reason: error.message().unwrap_or("an object cannot be deleted").to_owned(),
            });
        }
    }
    Ok(())
}
