//! What the commands say: tables, reasons, hints and errors.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A function that fails with what its arguments say, in a module of its own.
const HANDLER: &str = "import json\nfrom util import go\n\ndef handler(event, context):\n    \
    print(json.dumps({'Sidestep': {'Progress': {'Fraction': 0.5}}}))\n    \
    if event['X'] == 'bad':\n        go()\n    return {'Y': event['X'] + '!'}\n";
const UTIL: &str = "def go():\n    raise ValueError('bad thing')\n";

/// Long enough to be cut on any terminal.
const LONG: &str =
    "a long value with many words that no terminal of eighty columns can show in one line";

struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    fn new() -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        let step = |name: &str, more: &Value| {
            let mut step = json!({"Name": name, "Type": "Lambda", "FunctionArn": "work",
                "OutputParameters": [{"OutputName": "Y", "OutputType": "String"}]});
            step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            step
        };
        let condition = json!({"Name": "Check", "Type": "Condition", "DependsOn": ["First"],
            "Arguments": {"Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
            "IfSteps": [], "ElseSteps": []}});
        let definition = json!({
            "Version": "2020-12-01",
            "CacheConfig": {"Enabled": true},
            "Parameters": [{"Name": "X", "Type": "String", "DefaultValue": "good"}],
            "Steps": [
                step("First", &json!({"Arguments": {"X": {"Get": "Parameters.X"}}})),
                step("Second", &json!({"Arguments": {"X": {"Get": "Steps.First.OutputParameters['Y']"}}})),
                condition,
            ],
        });
        project.write("work.json", &definition.to_string());
        project.write("f/h.py", HANDLER);
        project.write("f/util.py", UTIL);
        project.write(
            "sidestep.toml",
            "[functions.work]\nruntime = \"python3.13\"\nhandler = \"h.handler\"\npath = \"f\"\n\
             [pipelines.work]\ndefinition = \"work.json\"\n",
        );
        project
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.args(arguments).current_dir(self.folder.path());
        command.env_remove("SIDESTEP_STATE_DIR").env_remove("COLUMNS");
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        said(&self.command(arguments).output().unwrap())
    }
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// In one project, so that its environment is made once.
#[test]
fn tables_fit_the_screen_and_failures_name_the_users_files() {
    let project = Project::new();
    let (status, first, live) = project.run(&["run", "work"]);
    if first.contains("left out") || live.contains("left out") {
        eprintln!("NOT TESTED: no Python environment can be made here: {live}");
        assert!(std::env::var_os("CI").is_none(), "CI has Python and a package index");
        return;
    }
    assert_eq!(status, 0, "{first}{live}");
    assert!(live.contains("progress   50 %"), "JSON with blanks is progress too: {live}");
    assert_eq!(first.matches("no cached result\n").count(), 2, "one phrase: {first}");

    // A pipe gets whole lines; `COLUMNS` and `--wide` decide for every reader.
    let value = format!("X={LONG}");
    let narrow = |more: &[&str]| {
        let all = [&["plan", "work", "-p", &value], more].concat();
        said(&project.command(&all).env("COLUMNS", "70").output().unwrap()).1
    };
    let (_, whole, _) = project.run(&["plan", "work", "-p", &value]);
    assert!(whole.contains("since execution"), "{whole}");
    let cut = narrow(&[]);
    assert!(cut.lines().all(|line| line.chars().count() <= 70), "{cut}");
    assert!(cut.lines().any(|line| line.ends_with('…')), "{cut}");
    assert_eq!(narrow(&["--wide"]), whole);
    assert!(whole.lines().all(|line| !line.ends_with(' ')), "no blanks at the ends: {whole}");

    // Colours only where they are wanted.
    let colored = |name: &str, value: &str| {
        let mut command = project.command(&["show", "latest"]);
        said(&command.env("CLICOLOR_FORCE", "1").env(name, value).output().unwrap()).1
    };
    let (status, table, live) = project.run(&["run", "work", "-p", "X=bad"]);
    assert_eq!(status, 1, "{live}");
    assert!(!table.contains('\u{1b}') && !live.contains('\u{1b}'), "{table}{live}");
    let row = "\u{1b}[31m First   Lambda";
    assert!(colored("X", "").contains(row), "{}", colored("X", ""));

    // The user's file, and the traceback without what the host writes around it.
    let traceback = "    | Traceback (most recent call last):\n    |   File \"f/h.py\", line 7, in handler\n    |     go()\n    |   File \"f/util.py\", line 2, in go\n";
    assert!(live.contains(traceback), "{live}");
    assert!(!live.contains("RequestId") && !live.contains(".sidestep"), "{live}");
    let (_, logs, _) = project.run(&["logs", "latest", "First"]);
    assert!(logs.contains("File \"f/util.py\", line 2") && !logs.contains("functions/"), "{logs}");

    // The logs of a step that did not run.
    let (_, out, live) = project.run(&["run", "work"]);
    assert!(out.contains("2 cached"), "{out}{live}");
    let id = first.trim_end().rsplit('/').next().unwrap();
    let (status, logs, note) = project.run(&["logs", "latest", "Second"]);
    assert_eq!((status, logs.as_str()), (0, ""), "{note}");
    assert!(note.contains(&format!("`sidestep logs {id} Second`")), "{note}");
    let (_, _, note) = project.run(&["logs", "latest"]);
    assert_eq!(note.matches(&format!("`sidestep logs {id}`")).count(), 1, "{note}");
    let (_, _, note) = project.run(&["logs", "latest", "Check"]);
    assert!(note.contains("a Condition step has no logs"), "{note}");

    // One reader of both streams is told once.
    let both = project.folder.path().join("both");
    let file = fs::File::create(&both).unwrap();
    let mut command = project.command(&["run", "work"]);
    command.stdout(file.try_clone().unwrap()).stderr(file);
    assert!(command.status().unwrap().success());
    let text = fs::read_to_string(&both).unwrap();
    assert_eq!(text.matches("same code and arguments").count(), 2, "{text}");
    assert!(text.contains("Second.Y = good!!"), "{text}");

    // Everything that is forced, by name and by pattern.
    for forced in ["First+", "*", "F*+"] {
        let (_, plan, _) = project.run(&["plan", "work", "--force", forced]);
        assert_eq!(plan.matches("  forced\n").count(), 2, "{forced}: {plan}");
    }
    let (_, plan, _) = project.run(&["plan", "work", "--select", "Fir?t", "--json"]);
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["Steps"][1]["Decision"], "NotSelected", "{plan:#}");

    // By hand, and by whom.
    let mut command = project.command(&["run", "work", "--supply", "First.Y=x"]);
    command.env_remove("USER").env_remove("LOGNAME");
    let (status, out, live) = said(&command.output().unwrap());
    assert_eq!(status, 0, "{out}{live}");
    let id = Command::new("id").arg("-un").output().unwrap();
    let name = String::from_utf8(id.stdout).unwrap();
    assert!(out.contains(&format!("supplied by {}: `Y`", name.trim())), "{out}");

    let (_, listed, _) = project.run(&["list", "--json"]);
    let count = serde_json::from_str::<Value>(&listed).unwrap();
    assert_eq!(count["PipelineExecutionSummaries"].as_array().unwrap().len(), 5, "{count:#}");
}

#[test]
fn parameters_come_from_files_too() {
    let project = Project::new();
    project.write("p.json", r#"[{"Name": "X", "Value": "of the list"}]"#);
    project.write("p.yaml", "X: of the map\n");
    project.write("x.txt", "of the text\n");
    let cases = [
        (&["--parameters", "p.json"][..], "of the list"),
        (&["--parameters", "p.yaml"], "of the map"),
        (&["--parameters", "p.yaml", "-p", "X=given"], "given"),
        (&["-p", "X=@x.txt"], "of the text"),
        (&["-p", "X=@@x.txt"], "@x.txt"),
    ];
    for (arguments, expected) in cases {
        // A condition says which value it saw.
        let condition = json!({"Name": "Check", "Type": "Condition", "Arguments": {"Conditions": [
            {"Type": "Equals", "LeftValue": {"Get": "Parameters.X"}, "RightValue": expected}],
            "IfSteps": [], "ElseSteps": []}});
        let definition = json!({"Version": "2020-12-01", "Steps": [condition],
            "Parameters": [{"Name": "X", "Type": "String"}]});
        project.write("check.json", &definition.to_string());
        let all = [&["plan", "check.json", "--json"], arguments].concat();
        let (status, out, err) = project.run(&all);
        assert_eq!(status, 0, "{arguments:?}: {err}");
        assert!(out.contains("is true"), "{arguments:?}: {out}");
    }
}

/// A table of wrong commands: the arguments, a part of the message, and a part of the hint.
#[test]
fn errors_name_what_is_wrong_and_hint_at_what_was_meant() {
    let project = Project::new();
    project.write("p.json", "[1]");
    let cases = [
        (
            &["run", "nope.yaml"][..],
            "there is no file `nope.yaml`",
            "pipelines of `sidestep.toml`: work",
        ),
        (
            &["run", "a/work.json"],
            "there is no file `a/work.json`",
            "pipeline `work` has `work.json`",
        ),
        (&["run", "f"], "`f` is a folder", ""),
        (&["run", "wrok"], "no pipeline `wrok`", "did you mean `work`?"),
        (&["plan", "Work"], "no pipeline `Work`", "did you mean `work`?"),
        (&["list", "nopipe"], "no pipeline `nopipe`", "pipelines of `sidestep.toml`: work"),
        (&["list", "none.json"], "there is no file `none.json`", ""),
        (&["validate", "wrok"], "no pipeline `wrok`", "did you mean `work`?"),
        (&["validate", "none.json"], "there is no file `none.json`", ""),
        (&["show", "work"], "invalid execution id `work`", "`sidestep list work`"),
        (&["show", "latest"], "there are no executions yet", "`sidestep run PIPELINE`"),
        (&["plan", "work", "-p", "Y=1"], "parameter `Y` is not declared", ""),
        (&["plan", "work", "--parameters", "p.json"], "expected an object", ""),
        (&["plan", "work", "--parameters", "no.json"], "could not read parameters", ""),
        (&["plan", "work", "--select", "Z*"], "no step's name matches", ""),
        (&["plan", "work", "--supply", "First"], "declares outputs", "--supply First.Y=VALUE"),
        (&["plan", "work", "--supply", "Check"], "is a Condition step", ""),
        (&["plan", "work", "--supply", "First.Y"], "expected STEP.OUTPUT=VALUE", ""),
        (&["plan", "work", "--bogus"], "unexpected argument '--bogus'", ""),
    ];
    for (arguments, message, hint) in cases {
        let (status, out, err) = project.run(arguments);
        assert_eq!((status, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(err.contains(message) && err.contains(hint), "{arguments:?}: {err}");

        // With `--json` there is one document, and the status is the same.
        let (status, out, _) = project.run(&[arguments, &["--json"]].concat());
        assert_eq!(status, 2, "{arguments:?}: {out}");
        let document: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"));
        assert!(document["Error"].to_string().contains(message), "{document:#}");
        assert_eq!(document["Error"]["Kind"], "UserError", "{document:#}");
    }
}

#[test]
fn validate_takes_a_pipelines_name_and_knows_the_projects_functions() {
    let project = Project::new();
    for name in ["work", "work.json", "./work.json"] {
        let (status, out, err) = project.run(&["validate", name]);
        assert_eq!((status, out.as_str()), (0, ""), "{name}: {err}");
        assert!(err.ends_with("work.json: 0 errors, 0 warnings\n"), "{err}");
    }
    project.write("f/h.py", &HANDLER.replace("return {'Y'", "print({'Y'").replace("!'}", "!'})"));
    let (status, out, err) = project.run(&["validate", "work"]);
    let silent = "work.json: warning: step `First` declares output `Y`, but `handler` in `f/h.py` never returns a value\n";
    assert!(out.contains(silent), "{out}");
    assert!(err.ends_with("work.json: 0 errors, 2 warnings\n"), "{err}");
    assert_eq!(status, 0);
    project.write("f/h.py", HANDLER);
    let text = fs::read_to_string(project.folder.path().join("work.json")).unwrap();
    project.write(
        "work.json",
        &text.replacen("\"FunctionArn\":\"work\"", "\"FunctionArn\":\"wrok\"", 1),
    );
    let (status, out, err) = project.run(&["validate", "work"]);
    assert_eq!(status, 2, "{out}{err}");
    let problem = "error[UnknownFunction] /Steps/0/FunctionArn step `First`: `sidestep.toml` has no function `wrok`";
    assert!(out.contains(problem) && out.contains("did you mean `work`?"), "{out}");
    assert!(err.ends_with("1 error, 0 warnings\n"), "{err}");
    // Without a project there is nothing to look into.
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("work.json");
    fs::copy(project.folder.path().join("work.json"), &file).unwrap();
    let mut command = project.command(&["validate", file.to_str().unwrap()]);
    let (status, out, err) = said(&command.current_dir(elsewhere.path()).output().unwrap());
    assert_eq!((status, out.as_str()), (0, ""), "{err}");
}

#[test]
fn a_wrong_bucket_name_is_named_with_its_place_and_the_rule() {
    let cases = [
        (
            "[[uploads]]\nfrom = \"f\"\nto = \"s3://My_Bucket/x/\"\n",
            "invalid bucket name `My_Bucket`",
        ),
        ("[[uploads]]\nfrom = \"f\"\nto = \"s3://a..b/x/\"\n", "invalid bucket name `a..b`"),
        ("[[pipelines.work.triggers]]\nbucket = \"In_Box\"\n", "invalid bucket name `In_Box`"),
        ("[deploy.buckets]\ninbox = \"In_Box\"\n", "invalid bucket name `In_Box`"),
    ];
    for (settings, message) in cases {
        let project = Project::new();
        let text = fs::read_to_string(project.folder.path().join("sidestep.toml")).unwrap();
        project.write("sidestep.toml", &format!("{text}{settings}"));
        let (status, _, err) = project.run(&["plan", "work"]);
        assert_eq!(status, 2, "{err}");
        assert!(err.contains(message) && err.contains("3 to 63 lower-case letters"), "{err}");
    }
}

#[test]
fn an_output_is_printed_or_what_it_names_is_fetched() {
    let project = Project::new();
    project.write("data/one.txt!", "content\n");
    let text = fs::read_to_string(project.folder.path().join("sidestep.toml")).unwrap();
    let uploads = "[[uploads]]\nfrom = \"data\"\nto = \"s3://inbox/\"\n";
    project.write("sidestep.toml", &format!("{text}{uploads}"));
    let (status, out, err) = project.run(&["run", "work", "-p", "X=s3://inbox/one.txt"]);
    assert_eq!(status, 0, "{out}{err}");
    let get = |arguments: &[&str]| project.run(&[&["get", "latest"], arguments].concat());
    let read = |file: &str| fs::read_to_string(project.folder.path().join(file)).unwrap();

    assert_eq!(get(&["First.Y"]).1, "s3://inbox/one.txt!\n");
    let all: Value = serde_json::from_str(&get(&["First"]).1).unwrap();
    assert_eq!(all, json!({"Y": "s3://inbox/one.txt!"}));
    assert_eq!(get(&["First.Y", "-o", "-"]).1, "content\n");
    let (status, out, err) = get(&["First.Y", "-o", "here/file"]);
    assert_eq!((status, out.as_str(), read("here/file").as_str()), (0, "", "content\n"), "{err}");
    get(&["First.Y", "-o", "here"]);
    assert_eq!(read("here/one.txt!"), "content\n");

    for (arguments, message, hint) in [
        (&["First.Z"][..], "has no output or artifact `Z`", "it has: Y"),
        (&["Frist.Y"], "has no step `Frist`", "did you mean `First`?"),
        (&["Check.Y"], "has no output or artifact `Y`", "none at all"),
        (&["Second.Y", "-o", "x"], "there is no object `s3://inbox/one.txt!!`", ""),
    ] {
        let (status, _, err) = get(arguments);
        assert_eq!(status, 2, "{arguments:?}: {err}");
        assert!(err.contains(message) && err.contains(hint), "{arguments:?}: {err}");
    }
    assert!(!project.folder.path().join("x").exists(), "nothing is left of a failure");
}

/// Waits for a schedule that is due in so many seconds; returns false if `up` began too late.
fn is_started(project: &Project, seconds: i64) -> bool {
    let at = time::OffsetDateTime::now_utc() + time::Duration::seconds(seconds);
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let at = at.format(format).unwrap();
    project.write(
        "sidestep.toml",
        &format!(
            "[pipelines.check]\ndefinition = \"check.json\"\n[[pipelines.check.triggers]]\n\
             schedule = \"at({at})\"\nparameters = {{ At = \"$.time\" }}\n"
        ),
    );
    let mut command = project.command(&["up"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut seen = Vec::new();
    let mut is_done = false;
    for line in lines.map_while(Result::ok) {
        is_done = line.ends_with("it is over") || line.contains("of check Succeeded");
        seen.push(line);
        if is_done {
            break;
        }
    }
    Command::new("kill").arg(child.id().to_string()).status().unwrap();
    child.wait().unwrap();
    let said = seen.join("\n");
    assert!(is_done, "`up` ended: {said}");
    if said.contains("it is over") {
        return false;
    }
    assert!(said.contains(&format!("schedule at({at}) of check: next {at}Z")), "{said}");
    assert!(said.contains(&format!("of check started by schedule at {at}Z")), "{said}");
    true
}

#[test]
fn a_schedule_starts_its_pipeline_in_up() {
    let project = Project::new();
    let condition = json!({"Name": "Check", "Type": "Condition", "Arguments": {"Conditions": [
        {"Type": "Equals", "LeftValue": {"Get": "Parameters.At"}, "RightValue": "x"}],
        "IfSteps": [], "ElseSteps": []}});
    let definition = json!({"Version": "2020-12-01", "Steps": [condition],
        "Parameters": [{"Name": "At", "Type": "String"}]});
    project.write("check.json", &definition.to_string());
    // On a busy machine `up` may need longer than that.
    assert!([5, 20, 90].into_iter().any(|seconds| is_started(&project, seconds)));
    let (_, out, _) = project.run(&["show", "latest", "--json"]);
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert!(shown["PipelineParameters"]["At"].as_str().unwrap().ends_with('Z'), "{shown:#}");

    let text = fs::read_to_string(project.folder.path().join("sidestep.toml")).unwrap();
    let (begin, _) = text.split_once("schedule").unwrap();
    project.write("sidestep.toml", &format!("{begin}schedule = \"cron(0 6 * * *)\"\n"));
    let (status, _, err) = project.run(&["list"]);
    assert_eq!(status, 2, "{err}");
    assert!(err.contains("this has 5 fields; expected rate(1 minute)"), "{err}");
}
