//! The Python environment of one job: its own to change, above one that all jobs share.
//!
//! Scripts install and remove packages: `runproc.sh` of the SDKs does both. So each job gets an
//! environment of its own, which sees the packages of the shared one. It takes links and small
//! files, no installation.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use crate::jobs::images::Prepared;

/// The largest script of an environment that is copied.
const SCRIPT_BYTES: u64 = 64 * 1024;

/// The environment of a job.
#[derive(Debug)]
pub(super) struct Venv {
    pub(super) folder: PathBuf,
}

impl Venv {
    /// Makes the environment in `folder`.
    pub(super) fn make(folder: PathBuf, prepared: &Prepared) -> io::Result<Self> {
        let mut parts = prepared.version.split('.');
        let (major, minor) =
            (parts.next().unwrap_or("3"), parts.next().unwrap_or_default().to_owned());
        let name = format!("python{major}.{minor}");
        let (bin, packages) =
            (folder.join("bin"), folder.join("lib").join(&name).join("site-packages"));
        fs::create_dir_all(&bin)?;
        fs::create_dir_all(&packages)?;
        let home = prepared.interpreter.parent().unwrap_or(Path::new("/usr/bin"));
        let config = format!(
            "home = {}\ninclude-system-site-packages = false\nversion = {}\n",
            home.display(),
            prepared.version
        );
        fs::write(folder.join("pyvenv.cfg"), config)?;
        for alias in ["python", "python3", &name] {
            symlink(&prepared.interpreter, bin.join(alias))?;
        }
        if let Some(shared) = &prepared.environment {
            let below = shared.join("lib").join(&name).join("site-packages");
            let line = format!("import site; site.addsitedir({:?})\n", below.display().to_string());
            fs::write(packages.join("_sidestep.pth"), line)?;
            copy_scripts(shared, &folder)?;
        }
        Ok(Self { folder })
    }

    /// Returns the folder of programs.
    pub(super) fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// Returns the interpreter.
    pub(super) fn python(&self) -> PathBuf {
        self.bin().join("python")
    }
}

/// Copies the scripts of the shared environment, so that they use the job's interpreter: `pip`
/// would install into the shared one otherwise.
fn copy_scripts(shared: &Path, folder: &Path) -> io::Result<()> {
    let (from, to) = (shared.display().to_string(), folder.display().to_string());
    for entry in fs::read_dir(shared.join("bin"))? {
        let entry = entry?;
        let (source, target) = (entry.path(), folder.join("bin").join(entry.file_name()));
        let metadata = fs::metadata(&source);
        if !metadata.is_ok_and(|found| found.is_file()) || target.symlink_metadata().is_ok() {
            continue;
        }
        let is_small = fs::metadata(&source)?.len() <= SCRIPT_BYTES;
        let text = if is_small { fs::read_to_string(&source).ok() } else { None };
        match text.filter(|text| text.starts_with("#!")) {
            Some(text) => {
                fs::write(&target, text.replace(&from, &to))?;
                fs::set_permissions(&target, Permissions::from_mode(0o755))?;
            }
            None => symlink(&source, &target)?,
        }
    }
    Ok(())
}
