use std::ffi::OsString;
use std::fs::{self, File};
use std::time::Duration;

use tempfile::TempDir;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::binaries::run;
use super::binary::Binary;
use super::call::{Build, inherited};
use super::handler::handler;

/// A package without dependencies, built by cargo.
struct Project {
    folder: TempDir,
    build: Build,
}

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            (
                "Cargo.toml",
                "[package]\nname = \"greet\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
            ),
            (
                "src/main.rs",
                "mod word;\nfn main() {\n    println!(\"{} {:?}\", word::WORD, option_env!(\"GREET_WHOM\"));\n}\n",
            ),
            ("src/word.rs", "pub const WORD: &str = \"hello\";\n"),
        ];
        fs::create_dir(folder.path().join("src")).unwrap();
        for (name, text) in files {
            write(&folder.path().join(name), text);
        }
        let mut build = Build::new(folder.path(), &["greet".to_owned()]);
        build.environment.insert("CARGO_TARGET_DIR".into(), folder.path().join("target").into());
        Self { folder, build }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> BTreeMap<String, Binary> {
        run(&self.build, &self.path("build.json")).unwrap()
    }

    /// Returns true if the next build would do without cargo.
    fn is_fresh(&self) -> bool {
        let without_cargo = Build { cargo: "no-such-program".into(), ..self.build.clone() };
        run(&without_cargo, &self.path("build.json")).is_ok()
    }
}

/// Writes a file that is a minute old, like a file that is not being edited.
fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    age(path, 60);
}

fn age(path: &Path, seconds: u64) {
    let then = SystemTime::now() - Duration::from_secs(seconds);
    File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
}

/// What happens to a project.
type Change = fn(&Project);

#[test]
fn cargo_is_asked_again_only_when_something_changed() {
    let mut project = Project::new();
    assert!(!project.is_fresh(), "nothing was built");
    let first = project.run();
    assert!(project.is_fresh());
    assert_eq!(project.run(), first, "the record tells the same binaries");

    let steps: [(&str, Change); 7] = [
        ("a source edited", |project| {
            write(&project.path("src/word.rs"), "pub const WORD: &str = \"good morning\";\n");
        }),
        ("a source touched, its size the same", |project| age(&project.path("src/main.rs"), 30)),
        ("the manifest edited", |project| {
            let manifest = fs::read_to_string(project.path("Cargo.toml")).unwrap();
            write(&project.path("Cargo.toml"), &format!("{manifest}\n[features]\nloud = []\n"));
        }),
        ("the lock file touched", |project| age(&project.path("Cargo.lock"), 30)),
        ("the binary removed", |project| {
            fs::remove_file(project.path("target/debug/greet"))
                .or_else(|_| fs::remove_file(project.path("target/release/greet")))
                .unwrap();
        }),
        ("a configuration of cargo's appeared", |project| {
            write(&project.path(".cargo/config.toml"), "[build]\njobs = 1\n");
        }),
        ("another binary named by its place", |project| {
            write(&project.path("src/bin/greet-all.rs"), "fn main() {}\n");
        }),
    ];
    for (what, change) in steps {
        change(&project);
        assert!(!project.is_fresh(), "{what}");
        project.run();
        assert!(project.is_fresh(), "after a build: {what}");
    }

    for (name, value, matters) in [
        ("RUSTFLAGS", "-Cdebuginfo=0", true),
        ("GREET_WHOM", "world", true),
        ("COLUMNS", "80", false),
    ] {
        let before = project.build.environment.insert(name.into(), value.into());
        assert_eq!(project.is_fresh(), !matters, "{name}");
        match before {
            Some(before) => project.build.environment.insert(name.into(), before),
            None => project.build.environment.remove(&OsString::from(name)),
        };
        assert!(project.is_fresh(), "{name} is as it was");
    }
    project.build.arguments.push("--release".to_owned());
    assert!(!project.is_fresh(), "another profile");
}

#[test]
fn cargo_does_not_hear_of_the_package_that_calls_it() {
    let given = ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_HOME", "PATH", "CARGO_BIN_EXE_x"];
    let kept = inherited(given.map(|name| (name.into(), "value".into())).into_iter());
    assert_eq!(kept.into_keys().collect::<Vec<_>>(), ["CARGO_HOME", "PATH"]);
}

#[test]
fn what_cannot_be_told_for_sure_leaves_no_record() {
    let project = Project::new();
    age(&project.path("src/main.rs"), 0);
    project.run();
    assert!(!project.is_fresh(), "a source may have been edited while cargo read it");

    write(&project.path("build.rs"), "fn main() {}\n");
    age(&project.path("src/main.rs"), 60);
    project.run();
    assert!(!project.is_fresh(), "the project's own build script may look at anything");

    fs::remove_file(project.path("build.rs")).unwrap();
    project.run();
    assert!(project.is_fresh());
    fs::write(project.path("build.json"), "{\"Version\":1").unwrap();
    assert!(!project.is_fresh(), "a record cut off is none");
}

#[test]
fn of_several_binaries_the_one_with_the_packages_name_is_the_function() {
    assert_eq!(handler("greet", &["hello"]), Some("hello"));
    assert_eq!(handler("greet", &["all", "greet"]), Some("greet"));
    assert_eq!(handler("greet", &["all", "hello"]), None);

    let project = Project::new();
    write(&project.path("src/bin/all.rs"), "fn main() {}\n");
    let name = project.run()["greet"].path.file_name().unwrap().to_owned();
    assert_eq!(name, "greet");
    fs::remove_file(project.path("src/main.rs")).unwrap();
    write(&project.path("src/bin/hello.rs"), "fn main() {}\n");
    let error = run(&project.build, &project.path("build.json")).unwrap_err();
    assert_eq!(error.one_line(), "package `greet` has several binaries: all, hello");
}
