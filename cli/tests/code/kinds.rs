//! All that runs counts, and nothing else does.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sidestep_testkit::python::{environment, newer_python, not_tested, program, target_folder};

use super::{Project, outcome, path_with};

const PYTHON: &str =
    "runtime = \"python3.12\"\nhandler = \"h.handler\"\npath = \"f\"\nmemory_mb = 512";

/// Prints what each part of the function's code says.
const HANDLER: &str = "import os, six, common, helper, linked.word\n\
    here = os.path.dirname(__file__)\n\
    try:\n    import common.gone\n    gone = 'there'\nexcept ImportError:\n    gone = 'gone'\n\
    def handler(event, context):\n    \
        env = open(os.path.join(here, '.env')).read()\n    \
        parts = [common.VALUE, helper.VALUE, linked.word.VALUE, env, gone, six.__version__]\n    \
        return {'v': ' '.join(parts)}\n";

fn setup(name: &str, packages: &str) -> String {
    format!("from setuptools import setup\nsetup(name='{name}', version='1', {packages})\n")
}

/// Returns the files of a folder and below, as paths relative to it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(folder).unwrap().to_owned());
            if path.is_dir() {
                open.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_part_of_a_functions_code_counts_and_what_tools_leave_does_not() {
    let Some(tools) = environment(&target_folder(), "uv", &["uv==0.13.9"]) else { return };
    let common = setup("common", "packages=['common']");
    let helper = setup("helper", "py_modules=['helper']");
    let mut project = Project::new(
        &[("f", PYTHON)],
        &[
            ("f/h.py", HANDLER),
            ("f/.env", "dot1"),
            ("base.txt", "-c limits.txt\nsix\n-e ../common\n"),
            ("limits.txt", "six==1.16.0\n"),
            ("common/setup.py", &common),
            ("common/common/__init__.py", "VALUE = 'common1'\n"),
            ("common/common/gone.py", ""),
            ("helper/setup.py", &helper),
            ("helper/helper.py", "VALUE = 'helper1'\n"),
            ("words/word.py", "VALUE = 'link1'\n"),
        ],
    );
    let bin = program(&tools, "uv").parent().unwrap().to_owned();
    project.set("PATH", &path_with(&bin));
    // In UTF-16, as a shell of Windows writes it.
    let text = format!("-r ../base.txt\nhelper @ file://{}\n", project.path("helper").display());
    let wide = text.encode_utf16().flat_map(u16::to_le_bytes);
    project.write("f/requirements.txt", [0xFF, 0xFE].into_iter().chain(wide).collect::<Vec<_>>());
    symlink("../words", project.path("f/linked")).unwrap();
    let before = [files(&project.path("common")), files(&project.path("helper"))];

    let first = project.run();
    assert_eq!(
        outcome(&first, "f"),
        ("Run", "common1 helper1 link1 dot1 there 1.16.0"),
        "{first:#}"
    );
    let again = [files(&project.path("common")), files(&project.path("helper"))];
    assert_eq!(again, before, "nothing is written into the user's sources");
    assert_eq!(outcome(&project.run(), "f").0, "CacheHit");

    let now = "common1 helper1 link1 dot1 there 1.16.0";
    let changes: [(&str, &str, &str, &str, &str); 7] = [
        // The change, what it replaces, and whether the step runs.
        ("f/.env", "dot2", "dot1", "dot2", "Run"),
        ("words/word.py", "VALUE = 'link2'\n", "link1", "link2", "Run"),
        ("common/common/__init__.py", "VALUE = 'common2'\n", "common1", "common2", "Run"),
        ("helper/helper.py", "VALUE = 'helper2'\n", "helper1", "helper2", "Run"),
        ("limits.txt", "six==1.15.0\n", "1.16.0", "1.15.0", "Run"),
        ("f/h.py~", "an editor's copy", "", "", "CacheHit"),
        ("f/Thumbs.db", "a desktop's notes", "", "", "CacheHit"),
    ];
    let mut value = now.to_owned();
    for (file, text, from, to, decision) in changes {
        project.write(file, text);
        value = value.replace(from, to);
        let run = project.run();
        assert_eq!(outcome(&run, "f"), (decision, &*value), "{file}: {run:#}");
    }
    fs::remove_file(project.path("common/common/gone.py")).unwrap();
    value = value.replace("there", "gone");
    assert_eq!(outcome(&project.run(), "f"), ("Run", &*value), "a deleted module");

    // What is forbidden by the project is neither code nor copied.
    project.write(".sidestepignore", "*.md\n");
    project.write("f/notes.md", "not code");
    assert_eq!(outcome(&project.run(), "f").0, "CacheHit");
}

#[test]
fn what_lambda_brings_is_there_and_a_functions_own_version_wins() {
    if Command::new("python3").arg("--version").output().is_err() {
        not_tested("boto3", "there is no Python");
        return;
    }
    let own = PYTHON.replace("\"f\"", "\"own\"");
    let code = "import sys, boto3, argparse\n\
        def handler(event, context):\n    \
            arguments = argparse.ArgumentParser()\n    \
            arguments.add_argument('--x', default='default')\n    \
            return {'v': boto3.__version__ + ' ' + arguments.parse_args().x}\n";
    let fake = setup("boto3", "py_modules=['boto3']");
    let project = Project::new(
        &[("f", PYTHON), ("own", &own)],
        &[
            ("f/h.py", code),
            ("own/h.py", code),
            ("own/requirements.txt", "../fake\n"),
            ("fake/setup.py", &fake),
            ("fake/boto3.py", "__version__ = 'own'\n"),
        ],
    );
    let run = project.run();
    let (decision, value) = outcome(&run, "f");
    assert_eq!(
        (decision, value.split_once(' ').map(|(_, x)| x)),
        ("Run", Some("default")),
        "{run:#}"
    );
    assert!(value.starts_with("1."), "{value}");
    assert_eq!(outcome(&run, "own"), ("Run", "own default"));
    assert_eq!(outcome(&project.run(), "own").0, "CacheHit");
}

/// Returns a Python that `python3` on the path is not.
fn other_python() -> Option<PathBuf> {
    let version = |python: &PathBuf| {
        let mut command = Command::new(python);
        let code = "import sys; print(sys.version_info[:2])";
        let output = command.args(["-c", code]).stdin(Stdio::null()).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    let first = version(&"python3".into());
    newer_python(12).filter(|python| version(python) != first)
}

#[test]
fn another_interpreter_on_the_path_runs_the_step_again() {
    let Some(other) = other_python() else {
        not_tested("the change of an interpreter", "there is one Python only");
        return;
    };
    // No machine has this version, so the one on the path runs the function.
    let settings = PYTHON.replace("3.12", "3.15");
    let code =
        "import sys\ndef handler(event, context):\n    return {'v': sys.version.split()[0]}\n";
    let mut project = Project::new(&[("f", &settings)], &[("f/h.py", code)]);
    let first = project.run();
    let (decision, version) = outcome(&first, "f");
    assert_eq!(decision, "Run", "{first:#}");
    assert_eq!(outcome(&project.run(), "f"), ("CacheHit", version));

    fs::create_dir(project.path("bin")).unwrap();
    symlink(other, project.path("bin/python3")).unwrap();
    project.set("PATH", &path_with(&project.path("bin")));
    let changed = project.run();
    let (decision, now) = outcome(&changed, "f");
    assert_eq!(decision, "Run", "{changed:#}");
    assert_ne!(now, version);
}
