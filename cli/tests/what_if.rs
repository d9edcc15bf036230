//! Edits that leave what a step reads as it is. The planner never sees them, so `docs/what-if.md`
//! has no row for them.

use std::fs::File;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::recovery::project::{Project, lambda, step};

const SETTINGS: &str = "
[functions.step]
package = \"step\"
[pipelines.test]
definition = \"test.json\"
[[uploads]]
from = \"files\"
to = \"s3://inbox/\"
";

const CODE: &str = include_str!("recovery/function.rs");

/// Runs the pipeline and returns what was decided for its step.
fn decision(project: &Project) -> String {
    let output = project.sidestep(&["run", "test", "--json"]);
    let said = String::from_utf8_lossy(&output.stderr);
    let execution: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(execution["PipelineExecutionStatus"], "Succeeded", "{execution:#}");
    step(&execution, "Work")["Decision"].as_str().unwrap().to_owned()
}

/// Gives a file a time that is newer than that of any build.
fn touch(project: &Project, file: &str) {
    let file = File::options().append(true).open(project.path(file)).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(2)).unwrap();
}

#[test]
fn a_touched_file_and_a_changed_comment_run_nothing() {
    let project = Project::new(&json!([]));
    let work = lambda("Work", &json!({"From": "s3://inbox/some.txt"}), &json!({}));
    project.define(&json!({"Version": "2020-12-01", "CacheConfig": {"Enabled": true},
        "Steps": [work]}));
    project.write("sidestep.toml", SETTINGS);
    project.write("files/some.txt", "some");
    project.write("src/main.rs", &format!("{CODE}// A comment.\n"));
    assert_eq!(decision(&project), "Run");

    touch(&project, "files/some.txt");
    touch(&project, "src/main.rs");
    assert_eq!(decision(&project), "CacheHit", "nothing but times has changed");

    project.write("src/main.rs", &format!("{CODE}// Another comment.\n"));
    touch(&project, "src/main.rs");
    assert_eq!(decision(&project), "CacheHit", "a comment is no part of the binary");

    project.write("src/main.rs", &CODE.replace(r#"{"Value":7}"#, r#"{"Value":8}"#));
    touch(&project, "src/main.rs");
    assert_eq!(decision(&project), "Run", "the code has changed");

    project.write("files/some.txt", "other");
    assert_eq!(decision(&project), "Run", "the content has changed");
}
