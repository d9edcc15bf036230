//! Functions in other languages than Python, and Rust packages of their own.

use std::fs;
use std::path::Path;
use std::process::Command;

use sidestep_testkit::python::not_tested;

use super::{Project, outcome, step};

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        assert!(std::env::var_os("CI").is_none() || program == "node", "CI has {program}");
        not_tested(program, "it is not on this machine");
    }
    found
}

/// A program that speaks the Runtime API by itself.
const BOOTSTRAP: &str = "#!/usr/bin/env python3\n\
    import json, os, urllib.request as web\n\
    api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'\n\
    while True:\n    \
        event = web.urlopen(api + 'next')\n    \
        id = event.headers['Lambda-Runtime-Aws-Request-Id']\n    \
        text = open('word.txt').read() + str(json.load(event)['x'])\n    \
        web.urlopen(api + id + '/response', json.dumps({'v': text}).encode()).read()\n";

#[test]
fn any_program_that_speaks_the_runtime_api_is_a_function() {
    if !has("python3") {
        return;
    }
    let settings = "runtime = \"provided.al2023\"\npath = \"f\"";
    let project = Project::new(&[("f", settings)], &[("f/word.txt", "one")]);
    project.program("f/bootstrap", BOOTSTRAP);
    assert_eq!(outcome(&project.run(), "f"), ("Run", "one1"));
    assert_eq!(outcome(&project.run(), "f"), ("CacheHit", "one1"));
    project.write("f/word.txt", "two");
    assert_eq!(outcome(&project.run(), "f"), ("Run", "two1"));
}

#[test]
fn a_function_in_node_js_runs_as_on_lambda() {
    if !has("node") {
        return;
    }
    let node = |folder: &str, handler: &str, version: u32| {
        format!("runtime = \"nodejs{version}.x\"\nhandler = \"{handler}\"\npath = \"{folder}\"")
    };
    let modern =
        "export const handler = async (event) => ({ v: 'm' + event.x + process.argv.length });\n";
    let callback = "exports.handler = (event, context, done) => {\n  \
        setTimeout(() => done(null, { v: 'c' + context.functionName }), 5);\n};\n";
    let error = "class Odd extends Error {}\nOdd.prototype.name = 'Odd';\n\
        exports.deep = { handler: async () => { throw new Odd('why'); } };\n";
    let reject = "exports.handler = (event, context, done) => done('a text');\n";
    let idle = "exports.handler = (event, context, done) => { context.callbackWaitsForEmptyEventLoop = false;\n  \
        setInterval(() => {}, 1000); done(null, { v: 'idle' }); };\n";
    let project = Project::new(
        &[
            ("modern", &node("modern", "src/app.handler", 22)),
            ("typed", &node("typed", "index.handler", 22)),
            ("callback", &node("callback", "index.handler", 22)),
            ("idle", &node("idle", "index.handler", 22)),
            ("error", &node("error", "index.deep.handler", 22)),
            ("reject", &node("reject", "index.handler", 22)),
            ("old", &node("callback", "index.handler", 24)),
            ("missing", &node("callback", "other.handler", 24)),
            ("none", &node("callback", "index.other", 24)),
            ("syntax", &node("syntax", "index.handler", 24)),
        ],
        &[
            ("modern/src/app.mjs", modern),
            ("typed/index.js", modern),
            ("typed/package.json", "{\"type\": \"module\"}"),
            ("callback/index.js", callback),
            ("idle/index.js", idle),
            ("error/index.js", error),
            ("reject/index.js", reject),
            ("syntax/index.js", "exports.handler = async ( => 1;\n"),
        ],
    );
    let run = project.run();
    let values = [("modern", "m12"), ("typed", "m12"), ("callback", "ccallback"), ("idle", "idle")];
    for (name, value) in values {
        assert_eq!(outcome(&run, name), ("Run", value), "{run:#}");
    }
    let failures = [
        ("error", "Odd"),
        ("reject", "string"),
        ("old", "Runtime.CallbackHandlerDeprecated"),
        ("missing", "Runtime.ImportModuleError"),
        ("none", "Runtime.HandlerNotFound"),
        ("syntax", "Runtime.UserCodeSyntaxError"),
    ];
    for (name, kind) in failures {
        assert_eq!(step(&run, name)["FailureType"], kind, "{name}: {run:#}");
    }
}

#[test]
fn npm_installs_what_a_function_names_and_its_packages_count() {
    if !has("node") || !has("npm") {
        return;
    }
    let settings = "runtime = \"nodejs22.x\"\nhandler = \"index.handler\"\npath = \"f\"";
    let mut project = Project::new(
        &[("f", settings)],
        &[
            (
                "f/index.mjs",
                "import word from 'word';\nexport const handler = async () => ({ v: word });\n",
            ),
            ("f/package.json", "{\"dependencies\": {\"word\": \"file:../word\"}}"),
            ("word/package.json", "{\"name\": \"word\", \"version\": \"1.0.0\"}"),
            ("word/index.js", "module.exports = 'one';\n"),
        ],
    );
    project.set("npm_config_offline", "true");
    assert_eq!(outcome(&project.run(), "f"), ("Run", "one"));
    assert_eq!(outcome(&project.run(), "f"), ("CacheHit", "one"));
    assert!(!project.path("f/node_modules").exists(), "nothing is written into the sources");
    project.write("word/index.js", "module.exports = 'two';\n");
    assert_eq!(outcome(&project.run(), "f"), ("Run", "two"));
}

#[test]
fn a_rust_package_in_a_folder_of_its_own_is_built_there() {
    // It speaks the Runtime API by hand, so that nothing has to be compiled for it.
    let code = r###"use std::io::{Read, Write};
fn call(api: &str, request: String) -> String {
    let mut stream = std::net::TcpStream::connect(api).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}
fn main() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    let place = "/2018-06-01/runtime/invocation/";
    loop {
        let event = call(&api, format!("GET {place}next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
        let id = event.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("lambda-runtime-aws-request-id").then(|| value.to_owned())
        }).unwrap();
        let body = r##"{"v": "rust"}"##;
        call(&api, format!("POST {place}{id}/response HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    }
}
"###;
    let mut project = Project::new(
        &[("f", "package = \"./f\"")],
        &[
            (
                "f/Cargo.toml",
                "[package]\nname = \"alone\"\nversion = \"0.1.0\"\nedition = \"2024\"\n",
            ),
            ("f/src/main.rs", code),
        ],
    );
    let target = project.path("target").display().to_string();
    project.set("CARGO_TARGET_DIR", &target);
    assert_eq!(outcome(&project.run(), "f"), ("Run", "rust"));
    assert_eq!(outcome(&project.run(), "f"), ("CacheHit", "rust"));
    project.write("f/src/main.rs", code.replace("rust", "rust again").as_str());
    assert_eq!(outcome(&project.run(), "f"), ("Run", "rust again"));
}

#[test]
fn the_line_by_which_a_crate_depends_on_the_step_crate_works() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("docs/steps.md")).unwrap();
    let start = page.find("[dependencies]\nsidestep-step = ").unwrap();
    let dependencies = page[start..].split("```").next().unwrap();
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let table: toml::Table = workspace.parse().unwrap();
    let repository = table["workspace"]["package"]["repository"].as_str().unwrap();
    let git = format!("git = \"{repository}\"");
    assert!(dependencies.contains(&git), "{dependencies}");
    // The clone that this test lies in stands for the repository.
    let path = format!("path = \"{}\"", root.join("shared/step").display());
    let manifest = format!(
        "[package]\nname = \"upper\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n{}",
        dependencies.replace(&git, &path)
    );
    let project = Project::new(&[], &[("Cargo.toml", &manifest), ("src/main.rs", "")]);
    fs::copy(root.join("Cargo.lock"), project.path("Cargo.lock")).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--format-version=1"]);
    let output = cargo.current_dir(project.path("")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut nodes = metadata["resolve"]["nodes"].as_array().unwrap().iter();
    let own = nodes.find(|node| node["id"] == metadata["resolve"]["root"]).unwrap();
    let names: Vec<_> =
        own["deps"].as_array().unwrap().iter().map(|need| need["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["serde", "sidestep_step", "tokio"]);
}
