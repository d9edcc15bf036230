//! Functions behave here as they do on Lambda: one project of many small Python functions, and a
//! table of what each is given and gives.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// A function of the project: its code, what it gets, and what its step must say.
struct Case {
    name: &'static str,
    code: &'static str,
    arguments: &'static str,
    /// The declared outputs, as `NAME:TYPE`.
    outputs: &'static [&'static str],
    settings: &'static str,
    expected: Expected,
}

enum Expected {
    /// The outputs, as JSON text.
    Outputs(&'static str),
    /// The type of the failure, and a part of its reason.
    Failure(&'static str, &'static str),
}

use Expected::{Failure, Outputs};

fn sidestep(project: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.arg("--project").arg(project).args(arguments).stdin(Stdio::null());
    command.env("SIDESTEP_STATE_DIR", project.join("state")).output().unwrap()
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

/// Writes a project with a function and a step for each case.
fn project(cases: &[Case]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = "[engine]\n\n[pipelines.p]\ndefinition = \"p.json\"\n".to_owned();
    let mut steps = Vec::new();
    for case in cases {
        let Case { name, code, arguments, outputs, settings: own, .. } = case;
        let code_folder = folder.path().join(name);
        fs::create_dir(&code_folder).unwrap();
        fs::write(code_folder.join("h.py"), code).unwrap();
        let function = format!(
            "[functions.{name}]\nruntime = \"python3.12\"\nhandler = \"h.handler\"\npath = \"{name}\"\n{own}\n"
        );
        settings.push_str(&function);
        let outputs: Vec<_> = outputs
            .iter()
            .map(|output| output.split_once(':').unwrap())
            .map(|(name, kind)| format!(r#"{{"OutputName": "{name}", "OutputType": "{kind}"}}"#))
            .collect();
        steps.push(format!(
            r#"{{"Name": "{name}", "Type": "Lambda", "FunctionArn": "{name}", "OnFailure": "Continue",
                "Arguments": {arguments}, "OutputParameters": [{}]}}"#,
            outputs.join(", ")
        ));
    }
    let definition = format!(r#"{{"Version": "2020-12-01", "Steps": [{}]}}"#, steps.join(", "));
    fs::write(folder.path().join("p.json"), definition).unwrap();
    fs::write(folder.path().join("sidestep.toml"), settings).unwrap();
    folder
}

/// Returns false, with a note, if the functions cannot run because there is no Python.
fn has_python(output: &Output) -> bool {
    let has_run = !output.stdout.is_empty();
    if !has_run {
        eprintln!("NOT TESTED: there is no Python here: {}", said(output));
        assert!(std::env::var_os("CI").is_none(), "CI has Python and a package index");
    }
    has_run
}

/// Runs the cases in one execution and compares each with what it expects. Returns false where
/// there is no Python.
fn check(folder: &Path, cases: &[Case]) -> bool {
    let output = sidestep(folder, &["run", "p", "--json"]);
    if !has_python(&output) {
        return false;
    }
    let execution: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", said(&output)));
    let steps = execution["Steps"].as_array().unwrap();
    for case in cases {
        let step = steps.iter().find(|step| step["StepName"] == case.name).unwrap();
        match case.expected {
            Outputs(expected) => {
                assert_eq!(step["StepStatus"], "Succeeded", "{}: {step:#}", case.name);
                let expected: Value = serde_json::from_str(expected).unwrap();
                let found = step.get("OutputParameters").cloned().unwrap_or(json!({}));
                assert_eq!(found, expected, "{}", case.name);
            }
            Failure(kind, part) => {
                assert_eq!(step["FailureType"], kind, "{}: {step:#}", case.name);
                let reason = step["FailureReason"].as_str().unwrap();
                assert!(reason.contains(part), "{}: {reason}", case.name);
            }
        }
    }
    true
}

const BASE: Case = Case {
    name: "",
    code: "def handler(event, context):\n    return {}\n",
    arguments: "{}",
    outputs: &[],
    settings: "",
    expected: Outputs("{}"),
};

#[test]
fn a_plain_function_gets_exactly_its_arguments_and_no_function_a_token() {
    let cases = [
        Case {
            name: "spread",
            code: "def main(a, b):\n    return {'Sum': a + b}\n\ndef handler(event, context):\n    print(event)\n    return main(**event)\n",
            arguments: r#"{"a": 1, "b": 2}"#,
            outputs: &["Sum:Integer"],
            expected: Outputs(r#"{"Sum": 3}"#),
            ..BASE
        },
        Case {
            name: "looped",
            code: "def handler(event, context):\n    return {'Keys': ','.join(sorted(event))}\n",
            arguments: r#"{"Records": [], "Sweep": 1}"#,
            outputs: &["Keys:String"],
            expected: Outputs(r#"{"Keys": "Records,Sweep"}"#),
            ..BASE
        },
        Case {
            name: "empty",
            code: "def handler(event, context):\n    assert event == {}, event\n",
            ..BASE
        },
        Case {
            name: "named",
            code: "def handler(event, context):\n    print(event)\n    own = event['Sidestep']\n    return {'Keys': ','.join(sorted(own)), 'Name': own['StepName']}\n",
            outputs: &["Keys:String", "Name:String"],
            expected: Outputs(
                r#"{"Keys": "AttemptCount,DeadlineMs,ExecutionId,OutputPrefix,PipelineName,StepName", "Name": "named"}"#,
            ),
            ..BASE
        },
        Case {
            name: "asked",
            code: "def handler(event, context):\n    return {'Keys': ','.join(event)}\n",
            settings: "event = \"sidestep\"",
            outputs: &["Keys:String"],
            expected: Outputs(r#"{"Keys": "Sidestep"}"#),
            ..BASE
        },
        Case {
            name: "refused",
            code: "# The word Sidestep alone is no wish.\ndef handler(event, context):\n    assert not event, event\n",
            settings: "event = \"plain\"",
            ..BASE
        },
        Case {
            name: "failing",
            code: "def handler(event, context):\n    raise KeyError(str(event))\n",
            arguments: r#"{"a": 1}"#,
            expected: Failure("KeyError", "{'a': 1}"),
            ..BASE
        },
    ];
    let temporary = project(&cases);
    let folder = temporary.path();
    for road in ["event", "direct"] {
        with_engine(folder, &format!("handoff = \"{road}\""));
        if !check(folder, &cases) {
            return;
        }
        let logs = said(&sidestep(folder, &["logs", "latest"]));
        assert!(logs.contains("spread/1") && logs.contains("{'a': 1, 'b': 2}"), "{logs}");
        assert!(!logs.contains("Token"), "{logs}");
    }
}

/// Sets `[engine]` of a project.
fn with_engine(folder: &Path, engine: &str) {
    let file = folder.join("sidestep.toml");
    let settings = fs::read_to_string(&file).unwrap();
    let (_, rest) = settings.split_once("[pipelines.p]").unwrap();
    fs::write(file, format!("[engine]\n{engine}\n[pipelines.p]{rest}")).unwrap();
}

#[test]
fn numbers_errors_and_surroundings_are_those_of_lambda() {
    let cases = [
        Case {
            name: "large",
            code: "from decimal import Decimal\ndef handler(event, context):\n    return {'N': 2**70, 'D': Decimal('0.12345678901234567890123'), 'One': 1.0}\n",
            outputs: &["N:Integer", "D:Float", "One:Float"],
            expected: Outputs(
                r#"{"N": 1180591620717411303424, "D": 0.12345678901234567890123, "One": 1.0}"#,
            ),
            ..BASE
        },
        Case {
            name: "given",
            code: "def handler(event, context):\n    return {'N': event['n'] + 1, 'Text': event['t'], 'Same': event['m'] == 2**70 + 1}\n",
            arguments: r#"{"n": {"Get": "Steps.large.OutputParameters['N']"}, "m": 1180591620717411303425,
                "t": {"Std:Join": {"On": " ", "Values": [{"Get": "Steps.large.OutputParameters['N']"},
                    {"Get": "Steps.large.OutputParameters['D']"}]}}}"#,
            outputs: &["N:Integer", "Text:String", "Same:Boolean"],
            expected: Outputs(
                r#"{"N": 1180591620717411303425, "Same": true,
                    "Text": "1180591620717411303424 0.12345678901234567890123"}"#,
            ),
            ..BASE
        },
        Case {
            name: "nan",
            code: "def handler(event, context):\n    return {'Rows': [{'Mean': float('nan')}]}\n",
            expected: Failure("Runtime.InvalidResponse", "`Rows[0].Mean` is NaN"),
            ..BASE
        },
        Case {
            name: "surrogate",
            code: "def handler(event, context):\n    raise ValueError('a \\ud800 b')\n",
            expected: Failure("ValueError", "a "),
            ..BASE
        },
        Case {
            name: "init",
            code: "raise RuntimeError('\u{20ac} \\udc80')\n",
            expected: Failure("RuntimeError", "\u{20ac}"),
            ..BASE
        },
        Case {
            name: "long",
            code: "def handler(event, context):\n    raise LookupError('x' * 600_000)\n",
            expected: Failure("LookupError", "xxx"),
            ..BASE
        },
        Case {
            name: "longer",
            code: "def handler(event, context):\n    raise LookupError('x' * 1_500_000)\n",
            expected: Failure("LookupError", "xxx"),
            ..BASE
        },
        Case {
            name: "exits",
            code: "import sys\ndef handler(event, context):\n    sys.exit(2)\n",
            expected: Failure("Runtime.ExitError", "exit status 2"),
            ..BASE
        },
        Case { name: "text", code: "def handler(event, context):\n    return 'done'\n", ..BASE },
        Case { name: "list", code: "def handler(event, context):\n    return [1]\n", ..BASE },
        Case { name: "truth", code: "def handler(event, context):\n    return True\n", ..BASE },
        Case {
            name: "dumped",
            code: "import json\ndef handler(event, context):\n    return json.dumps({'a': 1})\n",
            ..BASE
        },
        Case {
            name: "declared",
            code: "import json\ndef handler(event, context):\n    return json.dumps({'a': 1})\n",
            outputs: &["a:Integer"],
            expected: Failure("Sidestep.OutputNotObject", "String"),
            ..BASE
        },
        Case {
            name: "surroundings",
            code: "import argparse, os, sys, tempfile\nparser = argparse.ArgumentParser()\nparser.add_argument('--rows', default='5')\ngiven = parser.parse_args()\ndef handler(event, context):\n    with tempfile.NamedTemporaryFile(dir='/tmp') as file:\n        file.write(b'x')\n    env = os.environ\n    return {'Rows': given.rows, 'Argv': len(sys.argv), 'Folder': os.getcwd() == env['LAMBDA_TASK_ROOT'] == sys.path[0],\n        'Names': ' '.join([env['_HANDLER'], env['AWS_LAMBDA_FUNCTION_NAME'], env['AWS_EXECUTION_ENV'], env['AWS_REGION'], env['TZ'], env['LANG'], env['LAMBDA_RUNTIME_DIR'], env['MINE']]), 'Refused': env['AWS_ENDPOINT_URL'].startswith('http://127.0.0.1:')}\n",
            settings: "environment = { MINE = \"own\" }",
            outputs: &[
                "Rows:String",
                "Argv:Integer",
                "Folder:Boolean",
                "Names:String",
                "Refused:Boolean",
            ],
            expected: Outputs(
                r#"{"Rows": "5", "Argv": 1, "Folder": true, "Refused": true, "Names":
                    "h.handler surroundings AWS_Lambda_python3.12 us-east-1 :UTC en_US.UTF-8 /var/runtime own"}"#,
            ),
            ..BASE
        },
    ];
    let folder = project(&cases);
    check(folder.path(), &cases);
}

#[test]
fn code_stays_as_it_was_stored_and_temporary_files_are_an_environments_own() {
    const CODE: &str = "import os, tempfile\nroot = os.environ['LAMBDA_TASK_ROOT']\ndef tried(path, mode):\n    try:\n        open(path, mode).write('# more')\n    except OSError:\n        pass\ndef handler(event, context):\n    tried('x.txt', 'w')\n    tried(root + '/h.py', 'a')\n    tried(root + '/y.py', 'w')\n    file = tempfile.gettempdir() + '/sidestep-test-left'\n    found = os.path.exists(file)\n    tried(file, 'w')\n    return {'Found': found, 'Written': os.path.exists(file)}\n";
    let expected = Outputs(r#"{"Found": false, "Written": true}"#);
    let outputs: &[&str] = &["Found:Boolean", "Written:Boolean"];
    let first = Case { name: "first", code: CODE, outputs, expected, ..BASE };
    // Another function, whose environment is another one.
    let arguments = r#"{"After": {"Get": "Steps.first.OutputParameters['Written']"}}"#;
    let expected = Outputs(r#"{"Found": false, "Written": true}"#);
    let second = Case { name: "second", code: CODE, arguments, outputs, expected, ..BASE };
    let cases = [first, second];
    let folder = project(&cases);
    if !check(folder.path(), &cases) {
        return;
    }
    let stored = fs::read_dir(folder.path().join("state/functions")).unwrap();
    let copies =
        stored.map(|entry| entry.unwrap().path()).filter(|path| path.join("h.py").exists());
    for copy in copies {
        assert_eq!(fs::read_dir(&copy).unwrap().count(), 1, "{}", copy.display());
        assert_eq!(fs::read_to_string(copy.join("h.py")).unwrap(), CODE);
    }
    let left = fs::read_dir(folder.path().join("state/environments")).unwrap().count();
    assert_eq!(left, 0, "environments remove their files");
}

#[test]
fn variables_that_lambda_would_refuse_are_refused_before_anything_runs() {
    for (variable, part) in [("A-b", "invalid name `A-b`"), ("AWS_REGION", "sets `AWS_REGION`")] {
        let settings = format!("environment = {{ \"{variable}\" = \"x\" }}");
        let case = Case { name: "f", settings: settings.leak(), ..BASE };
        let folder = project(&[case]);
        for command in ["run", "plan"] {
            let output = sidestep(folder.path(), &[command, "p"]);
            assert_eq!(output.status.code(), Some(2), "{}", said(&output));
            assert!(said(&output).contains(part), "{}", said(&output));
        }
    }
}

#[test]
fn many_steps_at_once_start_no_more_functions_than_allowed_and_none_fails() {
    const CODE: &str = "import os, tempfile, time\ndef handler(event, context):\n    folder = event['Folder']\n    with tempfile.NamedTemporaryFile(dir=folder):\n        time.sleep(0.02)\n        return {'Most': len(os.listdir(folder))}\n";
    let busy = tempfile::tempdir().unwrap();
    let arguments = json!({ "Folder": busy.path() }).to_string().leak();
    let names: Vec<&'static str> = (0..50).map(|n| &*format!("s{n}").leak()).collect();
    let case = |name| Case { name, code: CODE, arguments, outputs: &["Most:Integer"], ..BASE };
    let cases: Vec<_> = names.iter().map(|name| case(*name)).collect();
    let folder = project(&cases);
    with_engine(folder.path(), "max_parallel = 3");
    let output = sidestep(folder.path(), &["run", "p", "--json"]);
    if !has_python(&output) {
        return;
    }
    let execution: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = execution["Steps"].as_array().unwrap();
    assert_eq!(execution["PipelineExecutionStatus"], "Succeeded", "{}", said(&output));
    let most = steps.iter().filter_map(|step| step["OutputParameters"]["Most"].as_u64()).max();
    assert!(most.is_some_and(|most| most <= 3), "{most:?}");
}
