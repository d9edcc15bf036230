//! A sandbox of mounts: the stored code is read-only, and `/tmp` is the environment's own.
//!
//! The kernel gives mounts of its own only to a process that has no other thread, so the programs
//! `unshare` and `mount` of util-linux make them on the way to the function's program. The process
//! keeps its id and its user.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::process::{Command as Spawn, ExitStatus, Stdio};

use rustix::process::{getegid, geteuid};

use crate::lambda::function::Command;

/// The folder that every environment has for itself.
const TMP: &str = "/tmp";
/// The options of the file system on it: as large as on Lambda.
const SIZE: &str = "size=512m,mode=1777";
/// The option of `unshare` by which no mount reaches the machine.
const PRIVATE: &str = "--propagation=private";
/// The most folders of the machine's `/tmp` that stay visible, besides those that are needed. Each
/// takes a fifth of a millisecond.
const FOLDERS: usize = 100;

/// Returns true if a process gets mounts of its own on this machine. `table` is written for that.
///
/// Systems forbid it in some containers, and some of them to all but the superuser.
pub(super) fn is_possible(table: &Path, stage: &Path, code: &Path) -> bool {
    if !cfg!(target_os = "linux") {
        return false;
    }
    let tried = try_out(table, stage, code);
    let is_possible = tried.as_ref().is_ok_and(ExitStatus::success);
    if !is_possible {
        tracing::debug!(?tried, "functions share `/tmp`, and each environment copies its code");
    }
    is_possible
}

/// Starts a program that does nothing, if all mounts succeed.
fn try_out(table: &Path, stage: &Path, code: &Path) -> io::Result<ExitStatus> {
    let nothing = Command { program: "true".into(), ..Command::default() };
    fs::write(table, mounts(stage, code, &needed(&nothing, stage)))?;
    let command = with_mounts(&nothing, table, code, "&&")?;
    let mut spawn = Spawn::new(&command.program);
    spawn.args(&command.args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = spawn.status();
    fs::remove_file(table)?;
    status
}

/// Returns how the process is started with mounts of its own. `code` is read-only for it.
///
/// The mounts are written into the file `table`.
/// The folders that are in the machine's `/tmp` now stay visible, because projects and data may lie
/// there.
pub(super) fn command(
    command: &Command,
    table: &Path,
    stage: &Path,
    code: &Path,
) -> io::Result<Command> {
    check(&command.program)?;
    // Those that are needed are first, while the stage within one of them is still empty.
    let mut names = needed(command, stage);
    let others = folders(Path::new(TMP))?;
    names.extend(others.into_iter().filter(|name| !names.contains(name)).collect::<Vec<_>>());
    fs::write(table, mounts(stage, code, &names))?;
    // A folder that cannot be mounted does not count, but code that can be written does.
    with_mounts(command, table, code, ";")
}

/// Returns how the process is started with the mounts in `table`, which the shell's word `and_then`
/// follows.
fn with_mounts(
    command: &Command,
    table: &Path,
    code: &Path,
    and_then: &str,
) -> io::Result<Command> {
    let here = env::current_dir().unwrap_or_else(|_| "/".into());
    let working_dir = command.working_dir.as_ref().unwrap_or(&here);
    let (options, then) = options();
    let (unshare, mount) = (find("unshare".as_ref())?, find("mount".as_ref())?);
    // Paths need no resolving, and no table of mounts is kept: that doubles the time. The working
    // folder is entered anew, because the one that is inherited is that below the mounts.
    let script = format!(
        r#""$1" -n -i -c -a -T "$2" {and_then} [ ! -w "$3" ] && cd "$4" && unshare=$5 && shift 5 && unset OLDPWD && exec {then}"$@""#
    );
    let mut args: Vec<OsString> = options.iter().map(OsString::from).collect();
    args.extend(["--", "/bin/sh", "-c", &script, "sh"].map(OsString::from));
    let places: [&Path; 5] = [&mount, table, code, working_dir, &unshare];
    args.extend(places.map(OsString::from));
    args.push(command.program.clone().into());
    args.extend(command.args.iter().cloned());
    let mut command = Command { program: unshare, args, ..command.clone() };
    command.environment.entry("TMPDIR".to_owned()).or_insert_with(|| TMP.to_owned());
    Ok(command)
}

/// Returns the options of `unshare`, and the words before the function's program.
///
/// Only a superuser may mount, so other users become one in a namespace of users, and themselves
/// again in another below it.
fn options() -> (&'static [&'static str], String) {
    if geteuid().is_root() {
        return (&["--mount", PRIVATE], String::new());
    }
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let back = format!("\"$unshare\" --user --map-user={user} --map-group={group} -- ");
    (&["--user", "--map-root-user", "--mount", PRIVATE], back)
}

/// Refuses a program that is not there. Otherwise the shell would fail in its words.
fn check(program: &Path) -> io::Result<()> {
    let metadata = fs::metadata(find(program)?)?;
    if metadata.is_dir() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}

/// Returns the path of a program: it is given, or found in the folders of `PATH`.
fn find(program: &Path) -> io::Result<PathBuf> {
    if program.components().count() > 1 {
        return Ok(program.to_owned());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut found = env::split_paths(&path).map(|folder| folder.join(program));
    found.find(|path| path.is_file()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// Returns the lines for `mount`, in the form of `/etc/fstab`.
///
/// A file system in memory is made on the folder `stage`, filled with these folders of the
/// machine's `/tmp`, and then mounted there. It leaves no folders to be removed, which takes long
/// on a disk.
fn mounts(stage: &Path, code: &Path, names: &[OsString]) -> Vec<u8> {
    let mut lines = Vec::new();
    add(&mut lines, Path::new("tmpfs"), stage, "tmpfs", SIZE);
    for name in names {
        // Another program may remove its folder before it is mounted. Only the superuser may leave
        // out the mounts below a folder.
        let options = "rbind,nofail,X-mount.mkdir";
        add(&mut lines, &Path::new(TMP).join(name), &stage.join(name), "none", options);
    }
    add(&mut lines, stage, Path::new(TMP), "none", "rbind");
    if code.is_dir() {
        add(&mut lines, code, code, "none", "bind,ro");
    }
    lines
}

/// Returns the names of the newest folders in a folder, as many as are mounted quickly.
fn folders(folder: &Path) -> io::Result<Vec<OsString>> {
    let entries = fs::read_dir(folder)?.flatten();
    let mut folders: Vec<_> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?, entry.file_name())))
        .filter(|(metadata, _)| metadata.is_dir())
        .map(|(metadata, name)| (metadata.modified().ok(), name))
        .collect();
    folders.sort_unstable_by(|one, other| other.cmp(one));
    Ok(folders.into_iter().take(FOLDERS).map(|(_, name)| name).collect())
}

/// Returns the folders of the machine's `/tmp` that the function needs: those that its command and
/// its variables name, of the user's home and caches, of the state and of where the host works.
fn needed(command: &Command, stage: &Path) -> Vec<OsString> {
    let mut paths = vec![command.program.clone(), stage.to_owned()];
    paths.extend(command.working_dir.clone());
    paths.extend(fs::canonicalize(&command.program));
    paths.extend(env::current_dir());
    let caches = ["HOME", "XDG_CACHE_HOME", "SIDESTEP_CACHE_DIR"].map(env::var_os);
    paths.extend(caches.into_iter().flatten().map(PathBuf::from));
    paths.extend(command.args.iter().map(PathBuf::from));
    paths.extend(command.environment.values().flat_map(env::split_paths));
    let names: BTreeSet<_> = paths.iter().filter_map(|path| entry(path)).collect();
    names.into_iter().filter(|name| Path::new(TMP).join(name).is_dir()).collect()
}

/// Returns the name of the entry of `/tmp` that a path leads through.
fn entry(path: &Path) -> Option<OsString> {
    match path.strip_prefix(TMP).ok()?.components().next()? {
        Component::Normal(name) => Some(name.to_owned()),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_names_of_the_machines_temporary_files_stays_visible() {
        let folders: Vec<_> =
            (0..3).map(|_| tempfile::tempdir_in(TMP).expect("a folder")).collect();
        let of = |number: usize, inner: &str| folders[number].path().join(inner);
        let variable = format!("/opt:{}", of(2, "d/e").display());
        let command = Command {
            program: of(0, "bin/python"),
            args: vec![of(1, "c").into(), "-x".into(), "/tmp/no/such/folder".into()],
            working_dir: Some("/srv/code".into()),
            environment: [("PYTHONPATH".to_owned(), variable)].into(),
            ..Command::default()
        };
        let names = needed(&command, Path::new("/srv/stage"));
        for folder in &folders {
            let name = folder.path().file_name().expect("a name").to_owned();
            assert!(names.contains(&name), "{names:?}");
        }
        assert!(!names.contains(&OsString::from("no")), "{names:?}");
        for path in ["/tmp", "/tmp/../etc", "/tmpfile", "tmp/x"] {
            assert_eq!(entry(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn paths_are_written_as_the_table_of_mounts_wants_them() {
        let mut lines = Vec::new();
        add(&mut lines, Path::new("/a b/#c\\d"), Path::new("/é"), "none", "bind");
        assert_eq!(
            String::from_utf8(lines).expect("text"),
            "/a\\040b/\\043c\\134d /é none bind 0 0\n"
        );
    }
}
