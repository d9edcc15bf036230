//! Definitions that are too large, too deep or too wrong.

use super::project::{Project, said};

#[test]
fn many_problems_are_counted_and_not_all_printed() {
    let project = Project::new();
    let keys = (0..500).map(|key| format!("\"Key{key}\": 1, ")).collect::<Vec<_>>().concat();
    project.write("bad.json", &format!("{{{keys}\"Version\": \"2020-12-01\", \"Steps\": []}}"));
    let output = project.run(&["validate", "bad.json"]);
    assert_eq!(output.status.code(), Some(2));
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(printed.lines().count() < 50, "{printed}");
    assert!(printed.ends_with("more; `sidestep validate --json` lists all\n"), "{printed}");
    assert!(said(&output).contains("500 errors"), "{output:?}");

    let run = project.run(&["run", "bad.json"]);
    assert_eq!(run.status.code(), Some(2));
    assert!(said(&run).lines().count() < 50, "{run:?}");

    let validated = project.run(&["validate", "bad.json", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&validated.stdout).unwrap();
    assert!(answer["Problems"].as_array().unwrap().len() >= 500);
}

/// Sizes and nesting are refused by their limits, in one line each.
#[test]
fn oversized_definitions_are_refused_in_one_line() {
    let project = Project::new();
    let with_arguments = |arguments: &str| {
        format!(
            "{{\"Version\": \"2020-12-01\", \"Steps\": [{{\"Name\": \"A\", \"Type\": \"Lambda\", \
             \"FunctionArn\": \"f\", \"Arguments\": {{\"X\": {arguments}}}}}]}}"
        )
    };
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases = [
        ("10 MB", with_arguments(&format!("\"{}\"", "x".repeat(10_000_000))), "LimitExceeded"),
        ("deep", with_arguments(&deep), "LimitExceeded"),
        ("long", with_arguments(&format!("[{}1]", "1,".repeat(999_999))), "LimitExceeded"),
        ("number", with_arguments("1e999"), "NumberOutOfRange"),
    ];
    for (what, text, code) in cases {
        project.write("bad.json", &text);
        let output = project.run(&["validate", "bad.json"]);
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(2), "{what}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{what}: {printed}");
        assert!(printed.contains(code) && printed.len() < 500, "{what}: {printed}");
    }
}
