//! The real cargo-lambda builds the function of a project that is deployed, from wherever the
//! project is.
//!
//! The function has no dependencies, so that its build takes seconds. Planner and trigger stand
//! beside the command, as in a release.

use std::env::consts::ARCH;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use sidestep_testkit::python::{environment, program, target_folder};

use super::anew::{World, release};

/// The versions that `docs/deploy.md` was tried with.
const PACKAGES: [&str; 2] = ["cargo-lambda==1.9.2", "ziglang==0.17.1"];

/// A function on Lambda's runtime interface alone, which returns its event.
const FUNCTION: &str = r#"
use std::io::{Read, Write};
use std::net::TcpStream;

fn call(method: &str, path: &str, body: &str) -> String {
    let host = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    let mut stream = TcpStream::connect(&host).unwrap();
    let length = body.len();
    write!(stream, "{method} /2018-06-01/runtime/invocation/{path} HTTP/1.1\r\nHost: {host}\r\n\
        Content-Length: {length}\r\nConnection: close\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn main() {
    let next = call("GET", "next", "");
    let (head, event) = next.split_once("\r\n\r\n").unwrap();
    let id = head.lines().find_map(|line| line.strip_prefix("Lambda-Runtime-Aws-Request-Id: "));
    call("POST", &format!("{}/response", id.unwrap()), event);
}
"#;

/// Serves one invocation to a function, and returns its answer's path and body.
fn invoke(function: &Path, event: &str) -> (String, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let api = listener.local_addr().expect("it is bound").to_string();
    let mut process =
        Command::new(function).env("AWS_LAMBDA_RUNTIME_API", api).spawn().expect("it runs");
    let mut requests = Vec::new();
    for answer in [format!("Lambda-Runtime-Aws-Request-Id: 7\r\n\r\n{event}"), "\r\n".to_owned()] {
        let (mut stream, _) = listener.accept().expect("it asks");
        let mut request = Vec::new();
        let mut part = [0; 4096];
        while !is_whole(&request) {
            let count = stream.read(&mut part).expect("it is sent");
            assert_ne!(count, 0, "the request is whole");
            request.extend_from_slice(&part[..count]);
        }
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n{answer}").expect("it listens");
        requests.push(String::from_utf8(request).expect("text"));
    }
    assert!(process.wait().expect("it ends").success());
    let (head, body) = requests[1].split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).expect("a path").to_owned(), body.to_owned())
}

/// Returns true if the head of a request is there, and as much after it as it says.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    body.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0)
}

#[test]
fn the_real_cargo_lambda_builds_a_project_below_a_workspace_from_any_folder() {
    let Some(python) = environment(&target_folder(), "cargo-lambda", &PACKAGES) else { return };
    let tools = program(&python, "cargo-lambda").parent().expect("a folder").to_owned();
    let Some(world) = World::with_tools(Some(tools)) else { return };
    fs::write(world.top.path().join("workspace/step/src/main.rs"), FUNCTION).expect("written");
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let sidestep = release(folder.path());
    // Only the standard library of this machine is sure to be installed.
    let architecture = if ARCH == "aarch64" { "arm64" } else { "x86_64" };
    let deploy = |from: &Path, project: Option<&str>| {
        let mut command = Command::new(&sidestep);
        command.args(project.map(|project| ["--project", project]).into_iter().flatten());
        command.args(["deploy", "--yes", "--architecture", architecture]).current_dir(from);
        command.env("PATH", world.path()).env("CARGO_TARGET_DIR", world.target());
        world.succeeds(command)
    };
    let (top, project) = (world.top.path(), world.project());
    let said = deploy(top, Some("workspace/pipelines/scan"));
    assert!(said.contains("4 of 4 packages uploaded"), "{said}");
    assert!(!said.contains("cargo-lambda is not installed"), "{said}");
    for (from, named) in [
        (project.as_path(), None),
        (project.as_path(), Some(".")),
        (top, Some("./workspace/../workspace/pipelines/scan")),
        (&*top.join("workspace/step"), Some("../pipelines/scan")),
        (Path::new("/"), Some(project.to_str().expect("text"))),
    ] {
        let said = deploy(from, named);
        assert!(said.contains("0 of 4 packages uploaded"), "{}: {said}", from.display());
    }
    let function = world.target().join("lambda/step/bootstrap");
    let (path, body) = invoke(&function, r#"{"n": 7}"#);
    assert_eq!(path, "/2018-06-01/runtime/invocation/7/response");
    assert_eq!(body, r#"{"n": 7}"#);
}
