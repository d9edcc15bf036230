//! Text from outside that would command the terminal, through every command that prints it.

use std::process::Output;

use serde_json::Value;

use super::project::Project;

/// Sets the clipboard and the title, clears the screen, in 7 and 8 bits, and forges a line.
const HOSTILE: &str = "\u{1b}]52;c;aGk=\u{7}\u{1b}]0;title\u{7}\u{1b}[2J\u{9b}2J\rforged\u{202e}";

/// Fails when a terminal would obey more than line breaks and tabs.
fn assert_shown(what: &str, bytes: &[u8]) {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let obeyed = text.chars().find(|character| {
        (character.is_control() && !matches!(character, '\n' | '\t')) || *character == '\u{202e}'
    });
    assert_eq!(obeyed, None, "{what}: {text:?}");
}

fn assert_output(what: &str, output: &Output) {
    assert_shown(what, &output.stdout);
    assert_shown(what, &output.stderr);
}

#[test]
fn no_command_sends_text_from_outside_to_the_terminal() {
    let project = Project::new();
    let message = serde_json::to_string(HOSTILE).unwrap();
    project.write(
        "fail.json",
        &format!(
            r#"{{"Version": "2020-12-01", "Parameters": [{{"Name": "P", "Type": "String", "DefaultValue": {message}}}],
            "Steps": [{{"Name": "Refuse", "Type": "Fail", "Arguments": {{"ErrorMessage": {message}}}}}]}}"#
        ),
    );
    project.write("sidestep.toml", "[pipelines.fail]\ndefinition = \"fail.json\"\n");
    let ran = project.run(&["run", "fail"]);
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("\\u001b]52;c;aGk=\\u0007"), "{ran:?}");
    assert_output("run", &ran);
    let id = project.run(&["list", "--json"]);
    let listed: Value = serde_json::from_slice(&id.stdout).unwrap();
    let reason = &listed["PipelineExecutionSummaries"][0]["PipelineExecutionFailureReason"];
    assert!(reason.as_str().unwrap().contains(HOSTILE), "JSON says the same: {reason}");
    let commands: [&[&str]; 13] = [
        &["run", "fail", "--json"],
        &["plan", "fail"],
        &["show", "latest"],
        &["show", "latest", "--json"],
        &["explain", "latest"],
        &["list"],
        &["list", "--json"],
        &["logs", "latest"],
        &["graph", "latest"],
        &["graph", "fail"],
        &["validate", "fail.json"],
        &["run", "fail", "-p", HOSTILE],
        &["show", HOSTILE],
    ];
    for arguments in commands {
        assert_output(&format!("{arguments:?}"), &project.run(arguments));
    }
}
