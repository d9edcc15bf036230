//! `sidestep synth` prints one template, the same one every time, or says what is wrong.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

fn synth(project: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.arg("synth").arg("--project").arg(project).args(arguments);
    command.output().expect("the command runs")
}

const DEFINITION: &str = r#"{"Version": "2020-12-01", "Steps": [
    {"Name": "Scan", "Type": "Lambda", "FunctionArn": "scan", "Arguments": {"From": "s3://inbox/raw/"}}]}"#;

fn project(settings: &str) -> TempDir {
    let folder = tempfile::Builder::new().prefix("air-").tempdir().expect("a folder");
    let functions = "[functions.scan]\nruntime = \"python3.13\"\nhandler = \"scan.handler\"\npath = \"scan\"\n\
        [pipelines.scan]\ndefinition = \"scan.json\"\n";
    fs::write(folder.path().join("sidestep.toml"), format!("{functions}{settings}"))
        .expect("write");
    fs::write(folder.path().join("scan.json"), DEFINITION).expect("write");
    fs::create_dir(folder.path().join("scan")).expect("a folder");
    fs::write(folder.path().join("scan/scan.py"), "def handler(event, context): ...\n")
        .expect("write");
    folder
}

#[test]
fn the_example_is_one_template_with_all_its_functions() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/flights");
    let first = synth(&example, &[]);
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    assert_eq!(first.stdout, synth(&example, &[]).stdout);
    let template: Value = serde_json::from_slice(&first.stdout).expect("JSON");
    for id in
        ["Table", "Artifacts", "Planner", "Trigger", "StepIngest", "StepReport", "BucketInbox"]
    {
        assert!(template["Resources"][id].is_object(), "{id}");
    }
    assert_eq!(template["Resources"]["StepReport"]["Properties"]["Runtime"], "python3.13");
    assert_eq!(template["Resources"]["StepTrain"]["Properties"]["Architectures"][0], "arm64");
    let other: Value =
        serde_json::from_slice(&synth(&example, &["--architecture", "x86_64"]).stdout)
            .expect("JSON");
    assert_eq!(other["Resources"]["StepTrain"]["Properties"]["Architectures"][0], "x86_64");
}

#[test]
fn a_bucket_of_the_account_stands_in_for_the_projects() {
    let folder = project(
        "[[pipelines.scan.triggers]]\nbucket = \"inbox\"\n[deploy]\nstack = \"air\"\nbuckets = { inbox = \"acme-inbox\" }\n",
    );
    let output = synth(folder.path(), &[]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("acme-inbox/raw/*"), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("BucketInbox"));
}

#[test]
fn events_go_to_the_bus_that_is_named() {
    for (events, bus) in [("true", Some("default")), ("\"acme\"", Some("acme")), ("false", None)] {
        let folder = project(&format!("[deploy]\nstack = \"air\"\nevents = {events}\n"));
        let output = synth(folder.path(), &[]);
        let said = String::from_utf8_lossy(&output.stderr);
        let template: Value = serde_json::from_slice(&output.stdout).expect(&said);
        let variables = &template["Resources"]["Planner"]["Properties"]["Environment"]["Variables"];
        assert_eq!(variables["SIDESTEP_EVENT_BUS"].as_str(), bus, "{events}");
    }
}

#[test]
fn for_an_account_names_are_texts_and_rights_are_for_the_keys_that_are_named() {
    let key = "arn:aws:kms:eu-west-1:123456789012:key/k";
    let folder = project(&format!(
        "[[pipelines.scan.triggers]]\nbucket = \"inbox\"\n[deploy]\nstack = \"air\"\nkms_keys = [\"{key}\"]\n"
    ));
    let output = synth(folder.path(), &["--account", "123456789012", "--region", "cn-north-1"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let template: Value = serde_json::from_slice(&output.stdout).expect(&said);
    let properties = |id: &str| template["Resources"][id]["Properties"].clone();
    assert_eq!(properties("Table")["TableName"], "air");
    assert_eq!(properties("BucketInbox")["BucketName"], "air-inbox-123456789012-cn-north-1");
    let role = properties("StepScanRole").to_string();
    assert!(role.contains(key) && role.contains("s3.cn-north-1.amazonaws.com.cn"), "{role}");
    assert!(role.contains("arn:aws-cn:s3:::air-inbox-123456789012-cn-north-1/raw/*"), "{role}");
}

#[test]
fn what_aws_will_close_soon_is_a_warning() {
    let folder = project(
        "[functions.old]\nruntime = \"python3.99\"\nhandler = \"o.h\"\npath = \"scan\"\n[deploy]\nstack = \"air\"\n",
    );
    let output = synth(folder.path(), &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("warning: function `air-old` has runtime `python3.99`"), "{said}");
}

#[test]
fn the_policy_of_the_person_who_deploys_is_printed() {
    let folder = project("[deploy]\nstack = \"air\"\n");
    let output = synth(folder.path(), &["--deployer-policy"]);
    let policy: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(policy["Version"], "2012-10-17");
    let text = policy.to_string();
    assert!(text.contains("iam:PassRole") && text.contains("role/air-*"), "{text}");
}

#[test]
fn what_is_wrong_is_named_and_ends_with_status_2() {
    let cases = [
        ("[deploy]\nstack = \"Air!\"\n", "stack name `Air!`"),
        (
            "[deploy]\nstack = \"air\"\nlog_days = 8\n",
            "invalid `deploy.log_days`: expected one of 1, 3, 5",
        ),
        ("[deploy]\nstack = \"air\"\narchitecture = \"mips\"\n", "`mips`"),
        ("[deploy]\nstack = \"air\"\ntracing = \"yes\"\n", "`yes`"),
        ("[deploy]\nstack = \"air\"\nunknown = 1\n", "unknown"),
        (
            "[deploy]\nstack = \"air\"\nevents = \"a/b*\"\n",
            "invalid `deploy.events`: expected the name of an event bus, got `a/b*`",
        ),
        ("[deploy]\nstack = \"air\"\nevents = 1\n", "the name of an event bus"),
        (
            "[engine]\nhandoff = \"both\"\n[deploy]\nstack = \"air\"\nevents = true\n",
            "`deploy.events` and `engine.handoff`",
        ),
        ("[[pipelines.scan.triggers]]\nprefix = \"a\"\n", "either `bucket` or `schedule`"),
        (
            "[[pipelines.scan.triggers]]\nbucket = \"abc\"\nbatch_seconds = 3601\n",
            "expected 1 to 3600, got 3601",
        ),
        (
            "[[pipelines.scan.triggers]]\nschedule = \"rate(1 day)\"\nbatch_seconds = 5\n",
            "goes with `bucket`",
        ),
        (
            "[[pipelines.scan.triggers]]\nbucket = \"abc\"\nbatch_seconds = 5\nparameters = { A = \"$.uri\" }\n",
            "`$.uri`: expected one of `$.listing`, `$.count`",
        ),
        (
            "[[pipelines.scan.triggers]]\nbucket = \"abc\"\nparameters = { A = \"$.listing\" }\n",
            "`$.listing`: expected one of `$.uri`",
        ),
        (
            "[deploy]\nstack = \"air\"\nbuckets = { inbox = \"air-artifacts-1-eu-west-1\" }\n",
            "artifact bucket",
        ),
        (
            "[functions.other]\nruntime = \"python3.13\"\nhandler = \"o.h\"\npath = \"scan\"\nwrites = [\"s3://inbox/out/\"]\n[[pipelines.scan.triggers]]\nbucket = \"inbox\"\nprefix = \"out/new/\"\n",
            "could start it again",
        ),
        (
            "[functions.other]\nruntime = \"python3.13\"\nhandler = \"o.h\"\npath = \"scan\"\nwrites = [\"s3://other/x.csv\"]\n[[pipelines.scan.triggers]]\nbucket = \"inbox\"\n[deploy]\nbuckets = { inbox = \"one\", other = \"one\" }\n",
            "could start it again",
        ),
    ];
    let function = |extra: &str| {
        format!(
            "[functions.other]\nhandler = \"o.h\"\npath = \"scan\"\n{extra}\n[deploy]\nstack = \"air\"\n"
        )
    };
    let upload = |bucket: &str| {
        format!("[[pipelines.scan.triggers]]\nbucket = \"{bucket}\"\n[deploy]\nstack = \"air\"\n")
    };
    let built = [
        (function("runtime = \"python3.11\""), "runtime `python3.11`: AWS closed it"),
        (function("runtime = \"python2.7\""), "which AWS has closed"),
        (
            function("runtime = \"python3.13\"\nenvironment = { AWS_REGION = \"x\" }"),
            "Lambda sets `AWS_REGION` itself",
        ),
        (
            function("runtime = \"python3.13\"\nenvironment = { SIDESTEP_TABLE = \"x\" }"),
            "sets `SIDESTEP_TABLE`, which is reserved",
        ),
        (upload("training-data-of-the-whole-company"), "characters: expected 3 to 63"),
        (
            function("runtime = \"python3.13\"").replace("other", "scan-role"),
            "would get the same id",
        ),
        (
            "[deploy]\nstack = \"air\"\nkms_keys = [\"alias/x\"]\n".to_owned(),
            "expected the ARN of a key, got `alias/x`",
        ),
    ];
    let cases = cases.map(|(settings, named)| (settings.to_owned(), named));
    for (settings, named) in cases.into_iter().chain(built) {
        let output = synth(project(&settings).path(), &[]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(named), "{settings}: {said}");
        assert!(output.stdout.is_empty());
    }
}
