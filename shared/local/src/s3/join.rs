//! Joins the parts of a multipart upload into the blob of its object.

use std::fs::File;
use std::io::{self, Read as _, Write as _};

use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Md5};
use s3s::dto::ChecksumType;

use super::checksum::{self, Algorithm, Checksums};
use super::error::S3ServerError;
use super::object::Attributes;
use super::receive::NewContent;
use super::store::Store;
use super::upload::Part;

/// How much of a part is copied at a time.
const COPY_BYTES: usize = 1024 * 1024;

impl Store {
    /// Joins `parts`, which the caller has checked, into the content of the object.
    pub(crate) fn join_parts(
        &self,
        attributes: &Attributes,
        parts: &[Part],
    ) -> Result<(NewContent, Checksums), S3ServerError> {
        let is_full = attributes.checksum_type.as_deref() == Some(ChecksumType::FULL_OBJECT);
        let algorithm = attributes.checksum_algorithm.as_deref().and_then(Algorithm::parse);
        let mut hasher = checksum::hasher(algorithm.filter(|_| is_full));

        let (blob, mut file) = self.blobs.create().map_err(S3ServerError::file("create a blob"))?;
        for part in parts {
            let mut source =
                self.blobs.read(&part.blob).map_err(S3ServerError::file("open a part"))?;
            append(&mut source, &mut file, is_full.then_some(&mut hasher))
                .map_err(S3ServerError::file("join the parts"))?;
        }
        self.blobs.sync(&file).map_err(S3ServerError::file("sync a blob"))?;
        let checksums = if is_full {
            Checksums::from(hasher.finalize())
        } else {
            Checksums::composite(&parts.iter().map(|part| &part.checksums).collect::<Vec<_>>())
        };
        Ok((NewContent::File(blob), checksums))
    }
}

/// Returns the ETag of an object made of parts: the MD5 of their MD5s, and the number of parts.
pub(crate) fn etag(parts: &[Part]) -> String {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(&hex::decode(&part.etag).unwrap_or_default());
    }
    format!("{}-{}", hex::encode(md5.finalize()), parts.len())
}

/// Appends a part. Without a hasher the bytes need not pass through this process.
fn append(
    source: &mut File,
    target: &mut File,
    hasher: Option<&mut ChecksumHasher>,
) -> io::Result<()> {
    let Some(hasher) = hasher else {
        io::copy(source, target)?;
        return Ok(());
    };
    let mut buffer = vec![0; COPY_BYTES];
    loop {
        let read = source.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        hasher.update(&buffer[..read]);
        target.write_all(&buffer[..read])?;
    }
}
