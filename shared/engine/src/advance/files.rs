//! Looks up the files of a job's input.
//!
//! The SDKs pack code anew at each build, and the bytes of a packed archive change with its time.
//! So an archive stands for its members.

use std::io::Read;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use sidestep_core::job::content::{Files, landing};
use sidestep_core::limits::LISTED_OBJECTS;
use sidestep_core::uri::S3Uri;

use crate::advance::gather::{Answer, answered};
use crate::engine::Engine;
use crate::error::EngineError;

/// The largest archive that is looked into, and the most that its members may hold. Of others the
/// object's own digest counts.
const ARCHIVE_BYTES: u64 = 32 * 1024 * 1024;
const MEMBER_BYTES: u64 = 256 * 1024 * 1024;
/// The most members of an archive.
const MEMBERS: usize = 100_000;

impl Engine {
    /// Returns the files of the input with this prefix.
    pub(super) async fn files(&self, uri: &S3Uri) -> Result<Answer<Files>, EngineError> {
        let listed = answered(self.objects.list(uri, LISTED_OBJECTS).await.map(Some))?;
        let objects = match listed {
            Ok(objects) => objects.unwrap_or_default(),
            Err(why) => return Ok(Err(why)),
        };
        let mut files = Files::new();
        for (key, facts) in objects {
            // The mark of an empty folder reaches no job.
            if key.ends_with('/') {
                continue;
            }
            let name = landing(uri, &key).to_owned();
            let is_archive = [".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end));
            let members = if is_archive && facts.bytes <= ARCHIVE_BYTES {
                self.members(&S3Uri::new(uri.bucket(), key.as_str())).await?
            } else {
                None
            };
            files.push((name, members.unwrap_or(facts.digest)));
        }
        Ok(Ok(files))
    }

    /// Returns the digest of an archive's members; `None` if it is none that can be read.
    async fn members(&self, uri: &S3Uri) -> Result<Option<String>, EngineError> {
        let read = answered(self.objects.get(uri, ARCHIVE_BYTES).await)?;
        Ok(read.ok().flatten().and_then(|bytes| members_digest(&bytes)))
    }
}

/// Returns the digest of what an archive holds: paths, contents, links and whether a file can be
/// executed. Times, owners and the order of members do not count.
fn members_digest(bytes: &[u8]) -> Option<String> {
    let decoded = GzDecoder::new(bytes).take(MEMBER_BYTES);
    let mut archive = tar::Archive::new(decoded);
    let mut lines = Vec::new();
    for entry in archive.entries().ok()? {
        let mut entry = entry.ok()?;
        let path = entry.path_bytes().into_owned();
        let header = entry.header();
        let is_executable = header.mode().is_ok_and(|mode| mode & 0o111 != 0);
        let kind = header.entry_type().as_byte();
        let link = entry.link_name_bytes().map(std::borrow::Cow::into_owned).unwrap_or_default();
        let mut hash = Sha256::new();
        std::io::copy(&mut entry, &mut HashWriter(&mut hash)).ok()?;
        let content = hex::encode(hash.finalize());
        let path = String::from_utf8_lossy(&path).trim_start_matches("./").to_owned();
        let link = String::from_utf8_lossy(&link).into_owned();
        lines.push(format!("{path}\0{kind}\0{is_executable}\0{link}\0{content}"));
        if lines.len() > MEMBERS {
            return None;
        }
    }
    // A name may occur twice, and then the last one counts, so the order of equal names stays.
    lines.sort_by(|one, other| one.split('\0').next().cmp(&other.split('\0').next()));
    let digest = Sha256::digest(lines.join("\n"));
    Some(format!("members:{}", hex::encode(digest)))
}

struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn packed(files: &[(&str, &str)], time: u64, mode: u32) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mtime(time);
            header.set_mode(mode);
            builder.append_data(&mut header, path, content.as_bytes()).expect("a member");
        }
        let tar = builder.into_inner().expect("an archive");
        let mut gz = flate2::GzBuilder::new()
            .mtime(u32::try_from(time).expect("small"))
            .write(Vec::new(), flate2::Compression::fast());
        gz.write_all(&tar).expect("packed");
        gz.finish().expect("packed")
    }

    #[test]
    fn an_archive_is_what_it_holds() {
        let base = members_digest(&packed(&[("a.py", "1"), ("b.py", "2")], 1, 0o644));
        assert!(base.is_some());
        for (files, time, mode, is_same) in [
            (&[("b.py", "2"), ("a.py", "1")][..], 9, 0o640, true),
            (&[("a.py", "1"), ("b.py", "3")], 1, 0o644, false),
            (&[("a.py", "1")], 1, 0o644, false),
            (&[("a.py", "1"), ("b.py", "2")], 1, 0o755, false),
        ] {
            let other = members_digest(&packed(files, time, mode));
            assert_eq!(other == base, is_same, "{files:?} {time} {mode:o}");
        }
        assert_eq!(members_digest(b"no archive"), None);
    }
}
