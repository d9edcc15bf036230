//! Drawing, through the command.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// A pipeline that needs no function.
const CHECK: &str = r#"{"Version": "2020-12-01", "Parameters": [{"Name": "Rows", "Type": "Integer", "DefaultValue": 5}], "Steps": [
    {"Name": "Enough", "Type": "Condition", "Arguments": {
        "Conditions": [{"Type": "GreaterThan", "LeftValue": {"Get": "Parameters.Rows"}, "RightValue": 3}],
        "IfSteps": [{"Name": "Large", "Type": "Condition", "Arguments": {
            "Conditions": [{"Type": "GreaterThan", "LeftValue": {"Get": "Parameters.Rows"}, "RightValue": 100}],
            "IfSteps": [], "ElseSteps": []}}],
        "ElseSteps": [{"Name": "TooFew", "Type": "Fail", "Arguments": {"ErrorMessage": "rows <3 & \"few\""}}]}}]}"#;

fn sidestep(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env_remove("SIDESTEP_STATE_DIR").output().unwrap()
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = sidestep(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("check.json"), CHECK).unwrap();
    let settings = "[pipelines.check]\ndefinition = \"check.json\"\n";
    fs::write(folder.path().join("sidestep.toml"), settings).unwrap();
    folder
}

#[test]
fn a_pipeline_is_drawn_by_name_and_by_file_and_nothing_is_written() {
    let project = project();
    let by_name = printed(project.path(), &["graph", "check"]);
    insta::assert_snapshot!(by_name, @r#"
    check

                  [Enough: Condition]
                   ┌───────┴──────────┐
                "true"             "false"
                   ↓                  ↓
          [Large: Condition]   [TooFew: Fail]
    "#);
    assert!(!project.path().join(".sidestep").exists());

    let elsewhere = tempfile::tempdir().unwrap();
    let file = project.path().join("check.json");
    let by_file = printed(elsewhere.path(), &["graph", file.to_str().unwrap()]);
    assert_eq!(by_file, by_name);

    for (wrong, hint) in [("chek", "`check`"), ("no/such.json", ": check")] {
        let refused = sidestep(project.path(), &["graph", wrong]);
        assert_eq!(refused.status.code(), Some(2), "{wrong}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(hint), "{wrong}");
    }
}

#[test]
fn an_execution_is_drawn_with_its_decisions_in_every_format() {
    let project = project();
    printed(project.path(), &["run", "check"]);
    let latest = printed(project.path(), &["graph", "latest"]);
    insta::assert_snapshot!(latest, @r#"
    check Succeeded

                       [Enough: Condition, Run, True]
                         ┌────────────┴───────────────┐
                      "true"                       "false"
                         ↓                            ↓
          [Large: Condition, Run, False]   [TooFew: Fail, Skipped]
    "#);

    let failed = sidestep(project.path(), &["run", "check", "-p", "Rows=1"]);
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8(failed.stdout).unwrap();
    let arn = said.lines().last().unwrap();
    for (format, marks) in [
        ("text", ["[Enough: Condition, Run, False]", "[TooFew: Fail, Run, Failed]"]),
        ("mermaid", ["Enough<br/>Condition<br/>Run, False", "class s2 Failed"]),
        ("dot", ["\"Enough\" -> \"TooFew\" [label=false]", r#"tooltip="rows <3 & \"few\"""#]),
        ("svg", ["<title>rows &lt;3 &amp; &quot;few&quot;</title>", ">Run, Failed</text>"]),
    ] {
        let drawn = printed(project.path(), &["graph", arn, "--format", format]);
        for mark in marks {
            assert!(drawn.contains(mark), "{format}: no {mark} in {drawn}");
        }
    }
}
