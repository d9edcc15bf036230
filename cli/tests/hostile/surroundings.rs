//! What is in use, in the way, or no longer listening.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use super::project::{Project, said, signal, wait_for};

#[test]
fn a_port_in_use_is_named_with_its_service_and_flag() {
    let project = Project::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (service, flag) in [
        ("S3", "--s3-port"),
        ("DynamoDB", "--dynamodb-port"),
        ("Lambda", "--lambda-port"),
        ("SQS", "--sqs-port"),
    ] {
        let output = project.run(&["up", flag, &port]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("could not serve {service} on 127.0.0.1:{port}")), "{said}");
        assert!(said.contains(&format!("hint: choose another port with `{flag}`")), "{said}");
    }
}

#[test]
fn a_state_folder_that_cannot_be_used_is_named_before_functions_are_built() {
    let project = Project::new();
    project.write("file", "");
    let state = project.folder.path().join("file/state");
    for arguments in [&["run", "check"][..], &["up"], &["list"], &["logs", "latest"]] {
        let output = project.command(arguments).env("SIDESTEP_STATE_DIR", &state).output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with(&format!("error: could not create `{}`", state.display())));
        assert!(said.contains("hint: set `SIDESTEP_STATE_DIR`"), "{said}");
    }
}

#[test]
fn the_state_of_a_newer_version_is_refused_and_gets_nothing() {
    let project = Project::new();
    project.write(".sidestep/version", "7\n");
    for arguments in [&["run", "check"][..], &["up"], &["list"], &["show", "latest"]] {
        let output = project.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        assert!(said(&output).contains("written by a newer sidestep"), "{output:?}");
    }
    let mut names: Vec<_> =
        fs::read_dir(project.state()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["lock", "version"]);
}

#[test]
fn an_empty_state_variable_is_as_good_as_none() {
    let project = Project::new();
    let output = project.command(&["run", "check"]).env("SIDESTEP_STATE_DIR", "").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(project.state().join("version").exists());
    assert!(!project.folder.path().join("version").exists());
}

#[test]
fn runs_at_once_in_one_project_all_end_right() {
    let project = Project::new();
    let runs: Vec<_> = (0..5).map(|_| project.start(&["run", "check"])).collect();
    for run in runs {
        let output = run.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    }
    let listed = project.run(&["list", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(list["PipelineExecutionSummaries"].as_array().unwrap().len(), 5);
}

#[test]
fn a_second_up_says_that_the_project_is_served() {
    let project = Project::new();
    let mut first = project.start(&["up"]);
    wait_for(first.stdout.take().unwrap(), "try: eval");
    let second = project.run(&["up"]);
    assert_eq!(second.status.code(), Some(3), "{second:?}");
    assert!(said(&second).contains("another sidestep is using"), "{second:?}");
    assert!(said(&second).contains("hint: one `sidestep up` serves a project"), "{second:?}");

    signal(&first, "TERM");
    assert_eq!(first.wait().unwrap().code(), Some(0), "SIGTERM is how `up` ends");
}

#[test]
fn a_reader_that_leaves_changes_no_status() {
    let project = Project::new();
    assert_eq!(project.run(&["run", "check"]).status.code(), Some(0));
    for arguments in [
        &["run", "check"][..],
        &["run", "check", "--json"],
        &["show", "latest"],
        &["list", "--json"],
        &["logs", "latest"],
        &["validate", "check.json", "--json"],
    ] {
        let mut command = project.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // From now on no process reads either.
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_stdout_that_is_full_is_a_failure() {
    let project = Project::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = project.command(&["list"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(said(&output).contains("could not write to stdout"), "{output:?}");
}

#[test]
fn an_interrupted_run_ends_with_130_and_the_next_goes_on() {
    let project = Project::new().with_endless();
    let mut run = project.start(&["run", "endless"]);
    let mut stderr = run.stderr.take().unwrap();
    wait_for(&mut stderr, "Wait");
    signal(&run, "INT");
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(run.wait().unwrap().code(), Some(130), "{rest}");
    assert!(rest.contains("run the same command again to continue execution"), "{rest}");

    let mut again = project.start(&["run", "endless"]);
    let mut stderr = again.stderr.take().unwrap();
    wait_for(&mut stderr, "was interrupted: continuing it");
    signal(&again, "KILL");
    again.wait().unwrap();
}

#[test]
fn an_index_that_is_no_database_is_named() {
    let project = Project::new();
    for file in ["s3/index.sqlite", "dynamodb.sqlite"] {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "no database ".repeat(500)).unwrap();
        let output =
            project.command(&["list"]).env("SIDESTEP_STATE_DIR", state.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        assert!(said(&output).contains(&format!("could not open `{}`", path.display())));
        assert!(is_unchanged(&path), "a damaged file is evidence");
    }
}

fn is_unchanged(path: &Path) -> bool {
    fs::read_to_string(path).is_ok_and(|text| text == "no database ".repeat(500))
}
