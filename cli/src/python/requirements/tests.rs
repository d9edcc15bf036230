use std::os::unix::fs::symlink;

use super::*;

fn write(top: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = top.join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("created");
        fs::write(path, text).expect("written");
    }
}

fn read(top: &Path, folder: &str) -> Requirements {
    Requirements::of(&top.join(folder), top).expect("read").expect("it has some")
}

#[test]
fn a_package_that_lies_here_is_part_of_the_digest() {
    let top_folder = tempfile::tempdir().expect("a folder");
    let top = fs::canonicalize(top_folder.path()).expect("a path");
    write(
        &top,
        &[
            ("f/h.py", ""),
            ("deep/setup.py", ""),
            (
                "common/pyproject.toml",
                "[project]\nname = \"common\"\ndependencies = [\"deep @ file:../deep\"]\n",
            ),
        ],
    );
    assert!(Requirements::of(&top.join("f"), &top).expect("read").is_none());
    write(
        &top,
        &[
            ("f/requirements.txt", "-r ../base.txt\nnumpy==2.4.6\n"),
            ("base.txt", "-e ../common # ours\n"),
        ],
    );
    let digest = || *read(&top, "f").digest();
    let first = digest();
    assert_eq!(digest(), first);
    let changes = [
        ("common/common.py", "1"),
        ("deep/deep.py", "1"),
        ("deep/deep.py", "2"),
        ("base.txt", "six\n-e ../common\n"),
    ];
    let mut known = vec![first];
    for change in changes {
        write(&top, &[change]);
        let now = digest();
        assert!(!known.contains(&now), "{change:?}");
        known.push(now);
    }
    // What a build leaves there is not part of it, and neither are comments.
    let last = digest();
    write(
        &top,
        &[
            ("common/build/lib/common.py", "old"),
            ("common/common.egg-info/PKG-INFO", "x"),
            ("base.txt", "# all of us\nsix\n-e ../common\n"),
        ],
    );
    assert_eq!(digest(), last);

    write(&top, &[("f/requirements.txt", "../nothing\n")]);
    assert!(Requirements::of(&top.join("f"), &top).is_err(), "a folder that is missing");
    fs::create_dir(top.join("nothing")).expect("created");
    assert!(Requirements::of(&top.join("f"), &top).is_err(), "a folder without a package");
}

#[test]
fn packages_are_built_from_copies_that_lie_to_each_other_as_they_do() {
    let top_folder = tempfile::tempdir().expect("a folder");
    let top = fs::canonicalize(top_folder.path()).expect("a path");
    write(
        &top,
        &[
            (
                "f/requirements.txt",
                "../common[x] ; os_name == 'posix'\n./x-1.0-py3-none-any.whl\nsix\n-c limits.txt\n",
            ),
            ("f/limits.txt", "six<2\n"),
            ("f/x-1.0-py3-none-any.whl", "zip"),
            (
                "common/pyproject.toml",
                "[project]\nname = \"com_mon\"\ndependencies = [\"d @ file:../deep\"]\n",
            ),
            ("common/build/lib/old.py", ""),
            ("common/new.py", ""),
            ("deep/setup.py", ""),
        ],
    );
    symlink(top.join("deep"), top.join("common/linked")).expect("linked");
    let copies = tempfile::tempdir().expect("a folder");
    let file = read(&top, "f").write(copies.path()).expect("written");
    let text = fs::read_to_string(file).expect("read");
    let common = copies.path().join(top.strip_prefix("/").expect("absolute")).join("common");
    let expected = format!(
        "-c {}/constraints.txt\ncom-mon[x] @ file://{} ; os_name == 'posix'\n{}/f/x-1.0-py3-none-any.whl\nsix\n",
        copies.path().display(),
        common.display(),
        top.display(),
    );
    assert_eq!(text, expected);
    assert!(common.join("new.py").is_file() && common.join("../deep/setup.py").is_file());
    assert!(common.join("linked/setup.py").is_file(), "a link became what it leads to");
    assert!(!common.join("build").exists(), "a deleted module does not come back");
}

#[test]
fn the_digest_does_not_depend_on_where_a_project_lies() {
    let digest = |text: &str| {
        let top_folder = tempfile::tempdir().expect("a folder");
        let top = fs::canonicalize(top_folder.path()).expect("a path");
        write(&top, &[("f/requirements.txt", text), ("common/setup.py", "")]);
        *read(&top, "f").digest()
    };
    assert_eq!(digest("../common\n"), digest("../common\n"));
    assert_ne!(digest("../common\n"), digest("../common[x]\n"));
}

/// The files of a folder, the requirement that they give, and what is said of the others.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

#[test]
fn one_file_says_what_is_needed_and_others_are_named() {
    let uv = "[[package]]\nname = \"app\"\nsource = { virtual = \".\" }\ndependencies = [{ name = \"six\" }]\n\
        [[package]]\nname = \"six\"\nversion = \"1.16.0\"\n";
    let poetry = "[[package]]\nname = \"six\"\nversion = \"1.16.0\"\n";
    let pyproject = "[project]\nname = \"app\"\ndependencies = [\"six\"]\n";
    let setup = ("setup.py", "");
    let cases: [Case<'_>; 9] = [
        (
            &[("requirements.txt", "six==1.15.0"), ("uv.lock", uv), ("pyproject.toml", pyproject)],
            "six==1.15.0",
            "`uv.lock` is not read: its packages are those of `requirements.txt`",
        ),
        (&[("uv.lock", uv), ("pyproject.toml", pyproject)], "six==1.16.0", ""),
        (
            &[("poetry.lock", poetry), ("pyproject.toml", pyproject), setup],
            "six==1.16.0",
            "`setup.py` is not read: its packages are those of `poetry.lock`",
        ),
        (
            &[
                ("Pipfile.lock", "{\"default\": {\"six\": {\"version\": \"==1.16.0\"}}}"),
                ("Pipfile", ""),
            ],
            "six==1.16.0",
            "",
        ),
        (&[("pyproject.toml", pyproject)], "six", ""),
        (&[("Pipfile", "[packages]\nsix = \"*\"\n")], "six", ""),
        (&[("pyproject.toml", "[tool.ruff]\n")], "", ""),
        (&[setup], "", "`setup.py` is not read: list its packages in `requirements.txt`"),
        (
            &[("environment.yml", ""), setup],
            "",
            "`setup.py`, `environment.yml` are not read: list its packages in `requirements.txt`",
        ),
    ];
    for (files, expected, said) in cases {
        let top = tempfile::tempdir().expect("a folder");
        write(top.path(), files);
        let found = Requirements::of(top.path(), top.path()).expect("read");
        let copies = tempfile::tempdir().expect("a folder");
        let text = found.as_ref().map_or_else(String::new, |found| {
            fs::read_to_string(found.write(copies.path()).expect("written")).expect("read")
        });
        assert_eq!(text.trim(), expected, "{files:?}");
        let told = note(top.path(), found.as_ref()).unwrap_or_default();
        assert_eq!(told, said, "{files:?}");
    }
}

#[test]
fn the_step_sdk_is_found_by_its_name_and_by_its_folder() {
    let top = tempfile::tempdir().expect("a folder");
    write(
        top.path(),
        &[
            ("sdk/pyproject.toml", "[project]\nname = \"sidestep_step\"\n"),
            ("sidestep_step/setup.py", ""),
            ("other/setup.py", ""),
        ],
    );
    let cases = [
        ("sidestep-step==1", true),
        ("Sidestep.Step", true),
        ("../sdk", true),
        ("../sidestep_step", true),
        ("-e ../sdk", true),
        ("../other", false),
        ("six", false),
        ("# sidestep_step\nsix", false),
    ];
    for (text, expected) in cases {
        write(top.path(), &[("f/requirements.txt", text)]);
        assert_eq!(read(top.path(), "f").has_sdk(), expected, "{text}");
    }
}
