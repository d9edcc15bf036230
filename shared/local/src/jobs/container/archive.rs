//! Archives of a folder: `model.tar.gz` and `output.tar.gz`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, EntryType, Header};

/// Packs a folder, with paths relative to it.
///
/// The same content gives the same bytes: entries are sorted, and no times or owners are in there.
/// Links stay links.
pub(super) fn pack(folder: &Path, archive: &Path) -> io::Result<()> {
    let mut builder = Builder::new(GzEncoder::new(File::create(archive)?, Compression::fast()));
    for path in entries(folder)? {
        let name = path.strip_prefix(folder).unwrap_or(&path);
        let metadata = fs::symlink_metadata(&path)?;
        let mut header = Header::new_gnu();
        header.set_mode(if is_executable(&metadata) { 0o755 } else { 0o644 });
        header.set_mtime(0);
        header.set_size(0);
        if metadata.is_dir() {
            header.set_entry_type(EntryType::Directory);
            builder.append_data(&mut header, name, io::empty())?;
        } else if metadata.is_symlink() {
            header.set_entry_type(EntryType::Symlink);
            builder.append_link(&mut header, name, fs::read_link(&path)?)?;
        } else if metadata.is_file() {
            header.set_size(metadata.len());
            builder.append_data(&mut header, name, File::open(&path)?)?;
        }
    }
    builder.into_inner()?.finish()?.flush()
}

/// Returns all that is in a folder, folders before what is in them.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut all, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
            all.push(entry.path());
        }
    }
    all.sort();
    Ok(all)
}

fn is_executable(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;

    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_content_makes_the_same_archive() {
        let pack_new = || {
            let folder = tempfile::tempdir().expect("a folder");
            let model = folder.path().join("model");
            fs::create_dir_all(model.join("code")).expect("created");
            fs::write(model.join("b"), "1").expect("written");
            fs::write(model.join("code/a.py"), "2").expect("written");
            let archive = folder.path().join("model.tar.gz");
            pack(&model, &archive).expect("packed");
            fs::read(archive).expect("read")
        };
        let bytes = pack_new();
        assert_eq!(bytes, pack_new());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(bytes.as_slice()));
        let names: Vec<_> = archive
            .entries()
            .expect("entries")
            .map(|entry| entry.expect("an entry").path().expect("a path").display().to_string())
            .collect();
        assert_eq!(names, ["b", "code", "code/a.py"]);
    }
}
