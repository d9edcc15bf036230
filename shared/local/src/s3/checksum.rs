//! Checksums: those that a client claims, those that the store computes, and those that it keeps.

use std::collections::BTreeSet;

use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use s3s::dto::ChecksumType;
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// An object's checksums, in base64 as on the wire.
///
/// A composite checksum ends in `-` and the number of parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Checksums {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crc32: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crc32c: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crc64nvme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
}

/// One of S3's checksum algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

/// Moves the five checksum members of an `s3s` input into [`Checksums`].
macro_rules! claimed_checksums {
    ($input:expr) => {
        $crate::s3::checksum::Checksums {
            crc32: $input.checksum_crc32.take(),
            crc32c: $input.checksum_crc32c.take(),
            crc64nvme: $input.checksum_crc64nvme.take(),
            sha1: $input.checksum_sha1.take(),
            sha256: $input.checksum_sha256.take(),
        }
    };
}

/// Sets the five checksum members of an `s3s` output from [`Checksums`].
macro_rules! set_checksums {
    ($output:expr, $checksums:expr) => {{
        let checksums: $crate::s3::checksum::Checksums = $checksums;
        $output.checksum_crc32 = checksums.crc32;
        $output.checksum_crc32c = checksums.crc32c;
        $output.checksum_crc64nvme = checksums.crc64nvme;
        $output.checksum_sha1 = checksums.sha1;
        $output.checksum_sha256 = checksums.sha256;
    }};
}
pub(crate) use {claimed_checksums, set_checksums};

impl Algorithm {
    const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// Parses `CRC32` of `x-amz-checksum-algorithm`, or `x-amz-checksum-crc32` of `x-amz-trailer`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let lower = name.trim().to_ascii_lowercase();
        let name = lower.strip_prefix("x-amz-checksum-").unwrap_or(&lower);
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// Returns the name in lower case, as headers spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "crc32",
            Self::Crc32c => "crc32c",
            Self::Crc64Nvme => "crc64nvme",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
        }
    }

    /// Returns the type that S3 assumes for a multipart upload that names an algorithm and no type.
    pub(crate) fn default_type(self) -> &'static str {
        match self {
            Self::Crc64Nvme => ChecksumType::FULL_OBJECT,
            _ => ChecksumType::COMPOSITE,
        }
    }
}

impl Checksums {
    /// Returns the value of one algorithm.
    pub(crate) fn get(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Crc32 => self.crc32.as_deref(),
            Algorithm::Crc32c => self.crc32c.as_deref(),
            Algorithm::Crc64Nvme => self.crc64nvme.as_deref(),
            Algorithm::Sha1 => self.sha1.as_deref(),
            Algorithm::Sha256 => self.sha256.as_deref(),
        }
    }

    /// Sets the value of one algorithm.
    pub(crate) fn set(&mut self, algorithm: Algorithm, value: String) {
        let slot = match algorithm {
            Algorithm::Crc32 => &mut self.crc32,
            Algorithm::Crc32c => &mut self.crc32c,
            Algorithm::Crc64Nvme => &mut self.crc64nvme,
            Algorithm::Sha1 => &mut self.sha1,
            Algorithm::Sha256 => &mut self.sha256,
        };
        *slot = Some(value);
    }

    /// Returns the algorithms that have a value.
    pub(crate) fn algorithms(&self) -> BTreeSet<Algorithm> {
        Algorithm::ALL.into_iter().filter(|algorithm| self.get(*algorithm).is_some()).collect()
    }

    /// Fails with `BadDigest` if a claimed value is not the computed one.
    pub(crate) fn verify(&self, claimed: &Checksums) -> S3Result<()> {
        for algorithm in claimed.algorithms() {
            let (ours, theirs) = (self.get(algorithm), claimed.get(algorithm));
            if ours != theirs {
                let name = algorithm.name().to_uppercase();
                let message = format!("the {name} you specified did not match what was received");
                return Err(s3_error!(BadDigest, "{}", message));
            }
        }
        Ok(())
    }

    /// Returns the checksum of the parts' checksums, for the algorithms that every part has.
    pub(crate) fn composite(parts: &[&Checksums]) -> Self {
        let mut composite = Self::default();
        let count = parts.len();
        for algorithm in Algorithm::ALL {
            let digests: Option<Vec<Vec<u8>>> =
                parts.iter().map(|part| BASE64.decode(part.get(algorithm)?).ok()).collect();
            if let Some(digests) = digests {
                let mut hasher = hasher([algorithm]);
                hasher.update(&digests.concat());
                let sum = Self::from(hasher.finalize());
                if let Some(value) = sum.get(algorithm) {
                    composite.set(algorithm, format!("{value}-{count}"));
                }
            }
        }
        composite
    }
}

impl From<s3s::dto::Checksum> for Checksums {
    fn from(mut computed: s3s::dto::Checksum) -> Self {
        claimed_checksums!(computed)
    }
}

/// Returns a hasher that computes `algorithms` in one pass.
pub(crate) fn hasher(algorithms: impl IntoIterator<Item = Algorithm>) -> ChecksumHasher {
    let mut hasher = ChecksumHasher::default();
    for algorithm in algorithms {
        match algorithm {
            Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
    }
    hasher
}
