//! Functions that cannot be built or installed.

use std::process::Command;

use super::{Project, said};

const PYTHON: &str = "runtime = \"python3.12\"\nhandler = \"h.handler\"\npath = \"f\"";
const HANDLER: (&str, &str) = ("f/h.py", "def handler(event, context):\n    return {'v': 'x'}\n");

fn has_python() -> bool {
    Command::new("python3").arg("--version").output().is_ok()
}

/// Calls `run` and `plan`, and checks how both are refused.
fn assert_refused(project: &Project, statuses: &[i32], words: &[&str]) {
    for command in ["run", "plan"] {
        let output = project.sidestep(&[command, "p"]);
        let text = said(&output);
        assert!(statuses.contains(&output.status.code().unwrap()), "{command}: {text}");
        for words in words.iter().chain(&["function `f` cannot run", "optional = true"]) {
            assert!(text.contains(words), "{command} does not say {words}: {text}");
        }
    }
    let list = said(&project.sidestep(&["list", "--json"]));
    assert!(!list.contains("PipelineExecutionArn"), "no execution began: {list}");
}

type Case<'a> = (String, Vec<(&'a str, &'a str)>, &'a [&'a str]);

#[test]
fn a_function_that_cannot_be_built_or_installed_refuses_the_run() {
    let folder =
        |runtime: &str| format!("runtime = \"{runtime}\"\nhandler = \"h.handler\"\npath = \"f\"");
    let rust = (
        "f/Cargo.toml",
        "[package]\nname = \"f\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
    );
    let mut cases: Vec<Case<'_>> = vec![
        (folder("java21"), vec![HANDLER], &["`java21`", "`nodejs24.x`", "`provided.al2023`"]),
        (folder("python3.8"), vec![HANDLER], &["`python3.8`", "`python3.9` or newer"]),
        (folder("provided.al2023"), vec![HANDLER], &["no program", "bootstrap"]),
        (folder("provided"), vec![("f/bootstrap", "#!/bin/sh\n")], &["chmod +x"]),
        (PYTHON.to_owned(), vec![("g/h.py", "")], &["could not read folder"]),
        ("package = \"./f\"".to_owned(), vec![HANDLER], &["Cargo.toml` does not exist"]),
        (
            "package = \"./f\"".to_owned(),
            vec![rust, ("f/src/main.rs", "fn main() { no }")],
            &["cargo could not build"],
        ),
    ];
    if has_python() {
        let missing = ("f/requirements.txt", "--no-index\nnot-there-at-all==1.0\n");
        cases.push((
            PYTHON.to_owned(),
            vec![HANDLER, missing],
            &["could not install", "not-there-at-all==1.0"],
        ));
        cases.push((
            PYTHON.to_owned(),
            vec![HANDLER, ("f/requirements.txt", "../none\n")],
            &["../none"],
        ));
        cases.push((
            PYTHON.to_owned(),
            vec![HANDLER, ("f/poetry.lock", "x x")],
            &["poetry.lock` is invalid"],
        ));
    }
    for (settings, files, words) in cases {
        let mut project = Project::new(&[("f", &settings)], &files);
        let target = project.path("target").display().to_string();
        project.set("CARGO_TARGET_DIR", &target);
        assert_refused(&project, &[2], words);
        let settings = format!("{settings}\noptional = true");
        let project = Project::new(&[("f", &settings)], &files);
        let run = project.run();
        assert_eq!(super::outcome(&run, "f"), ("Skipped", "nothing"), "{run:#}");
    }
}

#[test]
fn what_is_wrong_with_the_machines_python_is_said() {
    let real = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output();
    let Ok(real) = real else { return };
    let real = String::from_utf8(real.stdout).unwrap().trim().to_owned();
    let old = "#!/bin/sh\necho /usr/bin/python3\necho 3.6.15\n".to_owned();
    // Debian's Python without the package `python3-venv`.
    let bare = format!(
        "#!/bin/sh\ncase \"$*\" in *venv*)\n  \
         echo 'The virtual environment was not created successfully because ensurepip is not' >&2\n  \
         echo 'available.' >&2; exit 1;;\nesac\nexec {real} \"$@\"\n"
    );
    let whole = format!("#!/bin/sh\nexec {real} \"$@\"\n");
    let cases = [
        (None, 2, "python3 is not installed"),
        (Some(old), 2, "Python 3.6.15 is too old: expected Python 3.12"),
        (Some(bare), 2, "because ensurepip is not"),
        (Some(whole), 3, "could not install Lambda's runtime client and boto3"),
    ];
    for (python, status, words) in cases {
        let mut project = Project::new(&[("f", PYTHON)], &[HANDLER]);
        if let Some(python) = python {
            project.program("bin/python3", &python);
        }
        let home = project.path("home").display().to_string();
        for (name, value) in [
            ("PATH", &*project.path("bin").display().to_string()),
            ("HOME", &home),
            ("PYENV_ROOT", &home),
            ("SIDESTEP_CACHE_DIR", &home),
            // Nothing listens there.
            ("PIP_INDEX_URL", "http://127.0.0.1:9/simple"),
            ("PIP_NO_CACHE_DIR", "1"),
            ("PIP_RETRIES", "1"),
            ("PIP_CONFIG_FILE", "/dev/null"),
            ("PIP_FIND_LINKS", ""),
        ] {
            project.set(name, value);
        }
        assert_refused(&project, &[status], &[words]);
    }
}
