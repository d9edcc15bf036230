//! `/opt/ml` in texts, for systems that allow a job no mounts.

use std::fs;
use std::io;
use std::path::Path;

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use super::archive::entries;
use super::layout::{Layout, ML};

/// The files whose text is rewritten.
const ENDINGS: [&str; 3] = ["sh", "py", "json"];
/// The largest file that is rewritten.
const BYTES: u64 = 4 * 1024 * 1024;
/// The archives of code that the SDKs upload, whose files are rewritten, too.
const CODE: &str = "sourcedir.tar.gz";

/// Returns a text with the job's folder in place of `/opt/ml`.
pub(super) fn rewritten(text: &str, layout: &Layout) -> String {
    let own = layout.ml().display().to_string();
    let mut parts = text.split(ML);
    let mut all = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // `/opt/mlflow` and `x/opt/ml` are other folders.
        let is_whole = !part
            .starts_with(|next: char| next.is_alphanumeric() || "_-".contains(next))
            && !all.ends_with(|before: char| before.is_alphanumeric() || "_-.".contains(before));
        all.push_str(if is_whole { &own } else { ML });
        all.push_str(part);
    }
    all
}

/// Rewrites the code among a job's inputs.
pub(super) fn rewrite_inputs(layout: &Layout) -> io::Result<()> {
    for path in entries(&layout.ml())? {
        let metadata = fs::symlink_metadata(&path)?;
        if !metadata.is_file() {
            continue;
        }
        if path.file_name().is_some_and(|name| name == CODE) {
            rewrite_archive(&path, layout)?;
        } else if is_code(&path) && metadata.len() <= BYTES {
            rewrite_file(&path, layout)?;
        }
    }
    Ok(())
}

fn is_code(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ENDINGS.iter().any(|one| ending == *one))
}

fn rewrite_file(path: &Path, layout: &Layout) -> io::Result<()> {
    let Ok(text) = String::from_utf8(fs::read(path)?) else { return Ok(()) };
    let new = rewritten(&text, layout);
    if new == text { Ok(()) } else { fs::write(path, new) }
}

/// Rewrites the files of an archive, and packs them as they were.
fn rewrite_archive(path: &Path, layout: &Layout) -> io::Result<()> {
    let packed = fs::read(path)?;
    let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let (name, mut header) = (entry.path()?.into_owned(), entry.header().clone());
        if header.entry_type().is_file() && is_code(&name) && header.size()? <= BYTES {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut entry, &mut bytes)?;
            if let Ok(text) = std::str::from_utf8(&bytes) {
                bytes = rewritten(text, layout).into_bytes();
            }
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes.as_slice())?;
        } else if let Some(link) = entry.link_name()? {
            builder.append_link(&mut header, name, link)?;
        } else {
            builder.append_data(&mut header, name, entry)?;
        }
    }
    fs::write(path, builder.into_inner()?.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folder_itself_is_rewritten() {
        let layout = Layout { root: "/nowhere/of/a/job".into() };
        for (text, expected) in [
            ("open('/opt/ml/model')", "open('/nowhere/of/a/job/ml/model')"),
            ("cd /opt/ml", "cd /nowhere/of/a/job/ml"),
            ("/opt/mlflow x/opt/ml /opt/ml-1", "/opt/mlflow x/opt/ml /opt/ml-1"),
        ] {
            assert_eq!(rewritten(text, &layout), expected);
        }
    }
}
