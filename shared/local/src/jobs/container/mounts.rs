//! `/opt/ml` for one job: mounts of its own, where the system allows them.
//!
//! Nearly all scripts hard-code `/opt/ml`, and two jobs at once must not share it. So the programs
//! `unshare` and `mount` of util-linux put the job's folder there on the way to its program, as the
//! Lambda host does for `/tmp`. The state folder is read-only for the job. In a namespace of
//! processes no process of the job outlives it, also one that left its group.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command as Spawn, Stdio};

use rustix::process::geteuid;

use super::layout::Layout;

/// How a job gets its `/opt/ml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By mounts of its own, and with a namespace of processes.
    Contained,
    /// By mounts of its own.
    Mounted,
    /// Not at all: texts that name it are rewritten.
    Rewrite,
}

impl Way {
    /// Returns what the job's log says about it.
    pub(super) fn note(self) -> &'static str {
        match self {
            Self::Contained | Self::Mounted => "/opt/ml is a mount of this job's own",
            Self::Rewrite => {
                "this system allows no mounts: `/opt/ml` in arguments, variables and in `.sh`, `.py` and `.json` files of inputs is rewritten to this job's folder; paths that a program makes up itself are not"
            }
        }
    }
}

/// Returns the best way that this machine allows, for folders like `folder`.
pub(super) fn possible(folder: &Path) -> Way {
    let tries = [Way::Contained, Way::Mounted];
    let works = |way: &&Way| try_out(folder, **way).is_ok_and(|works| works);
    let found = if cfg!(target_os = "linux") { tries.iter().find(works) } else { None };
    let way = found.copied().unwrap_or(Way::Rewrite);
    tracing::debug!(?way, "tried how jobs get `/opt/ml`");
    way
}

/// Starts a program that does nothing, and says whether all mounts succeeded.
fn try_out(folder: &Path, way: Way) -> io::Result<bool> {
    let layout = Layout { root: folder.join("probe") };
    fs::create_dir_all(layout.ml())?;
    fs::create_dir_all(layout.root.join("tmp"))?;
    let argv = mounted(way, &layout, &Paths::default(), &["true".to_owned()], Path::new("/"))?;
    let mut spawn = Spawn::new(&argv[0]);
    spawn.args(&argv[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(spawn.status()?.success())
}

/// Paths of the machine that a job needs.
#[derive(Debug, Default)]
pub(super) struct Paths<'a> {
    /// Folders that the job can read and cannot change.
    pub(super) protected: &'a [PathBuf],
    /// Paths that the job sees, wherever they are.
    pub(super) visible: &'a [PathBuf],
}

/// Returns how a command is started with the job's folder on `/opt/ml`.
pub(super) fn mounted(
    way: Way,
    layout: &Layout,
    paths: &Paths<'_>,
    command: &[String],
    working_dir: &Path,
) -> io::Result<Vec<OsString>> {
    let stage = layout.root.join("opt");
    fs::create_dir_all(&stage)?;
    let table = layout.root.join("mounts");
    fs::write(&table, mounts(layout, &stage, paths))?;
    let is_contained = way == Way::Contained;
    // A table's mount of `/proc` would be skipped, because one is there.
    let proc = if is_contained { r#""$1" -n -i -t proc proc /proc || exit 125; "# } else { "" };
    // The shell is the first process of the namespace, which must not end before the program. The
    // kernel keeps the signals that are for the program from it.
    let run = if is_contained { r#""$@" & wait $!"# } else { r#"exec "$@""# };
    let script = format!(
        r#"{proc}"$1" -n -i -c -a -T "$2"; [ /opt/ml -ef "$3" ] || {{ echo "sidestep: the mounts of this job failed" >&2; exit 125; }}; cd "$4" || exit 125; : > "$5"; shift 5; unset OLDPWD; {run}"#
    );
    let mut argv: Vec<OsString> = vec![find("unshare")?.into()];
    if !geteuid().is_root() {
        argv.extend(["--user", "--map-root-user"].map(OsString::from));
    }
    argv.extend(["--mount", "--propagation=private"].map(OsString::from));
    if is_contained {
        argv.extend(["--pid", "--fork", "--kill-child=KILL"].map(OsString::from));
    }
    argv.extend(["--", "/bin/sh", "-c", &script, "sh"].map(OsString::from));
    let working_dir = working_dir.to_owned();
    let places = [find("mount")?, table, layout.ml(), working_dir, layout.started()];
    argv.extend(places.map(OsString::from));
    argv.extend(command.iter().map(OsString::from));
    Ok(argv)
}

/// Returns the lines for `mount`, in the form of `/etc/fstab`.
fn mounts(layout: &Layout, stage: &Path, paths: &Paths<'_>) -> Vec<u8> {
    let mut lines = Vec::new();
    let temporary = layout.root.join("tmp");
    // A mount by itself, which stays writable when the folder around it is not.
    add(&mut lines, &layout.root, &layout.root, "none", "bind");
    for folder in paths.protected.iter().filter(|folder| folder.is_dir()) {
        add(&mut lines, folder, folder, "none", "rbind,ro");
    }
    add(&mut lines, Path::new("tmpfs"), stage, "tmpfs", "size=1m,mode=755");
    for entry in fs::read_dir("/opt").into_iter().flatten().flatten() {
        if entry.path().is_dir() && entry.file_name() != "ml" {
            let target = stage.join(entry.file_name());
            add(&mut lines, &entry.path(), &target, "none", "rbind,nofail,X-mount.mkdir");
        }
    }
    add(&mut lines, &layout.ml(), &stage.join("ml"), "none", "bind,X-mount.mkdir");
    for name in needed(paths, &layout.root) {
        let from = Path::new("/tmp").join(&name);
        add(&mut lines, &from, &temporary.join(&name), "none", "rbind,nofail,X-mount.mkdir");
    }
    add(&mut lines, stage, Path::new("/opt"), "none", "rbind");
    add(&mut lines, &temporary, Path::new("/tmp"), "none", "rbind");
    lines
}

/// Returns the names of folders of the machine's `/tmp` that stay visible for the job.
fn needed(paths: &Paths<'_>, root: &Path) -> BTreeSet<OsString> {
    let variables = ["HOME", "XDG_CACHE_HOME", "SIDESTEP_CACHE_DIR"].map(env::var_os);
    let homes = variables.into_iter().flatten().map(PathBuf::from);
    let given = paths.protected.iter().chain(paths.visible).cloned();
    let all = homes.chain(given).chain([root.to_owned()]);
    let names =
        all.filter_map(|path| match path.strip_prefix("/tmp").ok()?.components().next()? {
            Component::Normal(name) => Some(name.to_owned()),
            _ => None,
        });
    names.filter(|name| Path::new("/tmp").join(name).is_dir()).collect()
}

/// Returns the path of a program in the folders of `PATH`.
fn find(program: &str) -> io::Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found = env::split_paths(&path).map(|folder| folder.join(program));
    found.find(|path| path.is_file()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Adds a line. Blanks and backslashes within paths are written in octal digits.
fn add(lines: &mut Vec<u8>, from: &Path, to: &Path, kind: &str, options: &str) {
    for path in [from, to] {
        for byte in path.as_os_str().as_bytes() {
            match byte {
                b' ' | b'\t' | b'\n' | b'\\' | b'#' => {
                    lines.extend(format!("\\{byte:03o}").bytes());
                }
                byte => lines.push(*byte),
            }
        }
        lines.push(b' ');
    }
    lines.extend(format!("{kind} {options} 0 0\n").bytes());
}
