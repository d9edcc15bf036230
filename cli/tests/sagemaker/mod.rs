//! SageMaker's own clients, unmodified, against `sidestep serve`.
//!
//! They are the Python SDKs 2 and 3, boto3, the AWS CLI, and a fuzzer.
//!
//! They live in virtual environments below `target/` that are made once. Where it cannot be had the
//! tests say so; with `CI` set that fails.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sidestep_testkit::python::{environment, program, target_folder};
use tempfile::TempDir;

/// An environment: its name and its packages, of which the last runs the functions.
type Packages = (&'static str, &'static [&'static str]);

const SDK_2: Packages = (
    "sagemaker",
    &["sagemaker==2.257.7", "boto3==1.44.5", "awscli==1.46.3", "awslambdaric==4.2.2"],
);
/// What `sagemaker` 3.27 needs for pipelines.
const SDK_3: Packages =
    ("sagemaker3", &["sagemaker-mlops==1.27.0", "boto3==1.44.8", "awslambdaric==4.2.2"]);

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sagemaker")
}

/// Creates a project with one function and one pipeline.
fn project(functions: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let code = folder.path().join("work");
    fs::create_dir(&code).unwrap();
    fs::copy(scripts().join("work.py"), code.join("work.py")).unwrap();
    fs::copy(scripts().join("hello.yaml"), folder.path().join("hello.yaml")).unwrap();
    let settings = format!("{functions}\n[pipelines.hello]\ndefinition = \"hello.yaml\"\n");
    fs::write(folder.path().join("sidestep.toml"), settings).unwrap();
    folder
}

fn sidestep(project: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.args(arguments).current_dir(project).stdin(Stdio::null());
    command.env_remove("SIDESTEP_STATE_DIR").env_remove("SIDESTEP_SERVE_KEYS");
    command
}

/// A running `sidestep serve`, ended with the test.
struct Serve {
    child: Child,
    endpoints: Value,
    key: Value,
}

impl Serve {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let first: Value = serde_json::from_str(&line).unwrap();
        Self { child, endpoints: first["Endpoints"].clone(), key: first["Credentials"].clone() }
    }

    /// Returns a part of the key that the services beside the API accept.
    fn key(&self, part: &str) -> &str {
        self.key[part].as_str().unwrap()
    }

    fn endpoint(&self, service: &str) -> &str {
        self.endpoints[service].as_str().unwrap()
    }

    /// Sends one request and returns the whole answer.
    fn ask(&self, operation: &str, body: &str) -> String {
        let address = self.endpoint("SageMaker").strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nX-Amz-Target: SageMaker.{operation}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

const PYTHON: &str =
    "[functions.work]\nruntime = \"python3.11\"\nhandler = \"work.handle\"\npath = \"work\"\n";

/// Runs a script of real clients against a server of its own.
fn clients(script: &str) {
    clients_of(SDK_2, script, &project(PYTHON), &["serve", "--json"]);
}

fn clients_of((name, packages): Packages, script: &str, folder: &TempDir, arguments: &[&str]) {
    let Some(environment) = environment(&target_folder(), name, packages) else { return };
    let python = program(&environment, "python");
    let own = python.parent().unwrap().to_owned();
    let inherited = std::env::var_os("PATH").unwrap();
    let folders = [own].into_iter().chain(std::env::split_paths(&inherited));
    let path = std::env::join_paths(folders).unwrap();
    let mut command = sidestep(folder.path(), arguments);
    // Functions run in the same environment, so that no other has to be made.
    command.env("PATH", &path);
    let serve = Serve::start(command);
    let output = Command::new(python)
        .arg(scripts().join(script))
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .env("PATH", &path)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SIDESTEP", env!("CARGO_BIN_EXE_sidestep"))
        .env("SAGEMAKER_USER_CONFIG_OVERRIDE", scripts().join("config.yaml"))
        // SDK 3 asks IAM about the role otherwise.
        .env("SAGEMAKER_VALIDATE_ROLE", "false")
        .env("AWS_ENDPOINT_URL_SAGEMAKER", serve.endpoint("SageMaker"))
        .env("AWS_ENDPOINT_URL_S3", serve.endpoint("S3"))
        .env("AWS_ENDPOINT_URL_SQS", serve.endpoint("SQS"))
        .env("AWS_DEFAULT_REGION", "us-east-1")
        .env("AWS_ACCESS_KEY_ID", serve.key("AccessKeyId"))
        .env("AWS_SECRET_ACCESS_KEY", serve.key("SecretAccessKey"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{}{said}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{script} failed:\n{said}");
}

/// Runs a script of real clients for each server of a project, one after the other, with what
/// `sidestep env` prints and nothing else.
fn clients_of_env(scripts_of_starts: &[&[&str]]) {
    let (name, packages) = SDK_2;
    let Some(environment) = environment(&target_folder(), name, packages) else { return };
    let python = program(&environment, "python");
    let own = python.parent().unwrap().to_owned();
    let inherited = std::env::var_os("PATH").unwrap();
    let folders = [own].into_iter().chain(std::env::split_paths(&inherited));
    let path = std::env::join_paths(folders).unwrap();
    let folder = project(PYTHON);
    for script in scripts_of_starts {
        let mut command = sidestep(folder.path(), &["serve", "--json"]);
        let serve = Serve::start({
            command.env("PATH", &path);
            command
        });
        assert_eq!(serve.endpoint("Aws"), serve.endpoint("SageMaker"));
        let printed = sidestep(folder.path(), &["env", "--json"]).output().unwrap();
        let variables: std::collections::BTreeMap<String, String> =
            serde_json::from_slice(&printed.stdout)
                .unwrap_or_else(|_| panic!("{}", said(&printed)));
        let output = Command::new(&python)
            .arg(scripts().join(script[0]))
            .args(&script[1..])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .env("PATH", &path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SIDESTEP", env!("CARGO_BIN_EXE_sidestep"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .envs(&variables)
            .output()
            .unwrap();
        println!("{}{}", String::from_utf8_lossy(&output.stdout), said(&output));
        assert!(output.status.success(), "{script:?} failed:\n{}", said(&output));
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_unmodified_sdk_builds_upserts_starts_selects_and_answers() {
    clients("sdk.py");
}

#[test]
fn the_unmodified_sdk_3_upserts_starts_selects_retries_and_knows_run_conditions() {
    clients_of(SDK_3, "sdk3.py", &project(PYTHON), &["serve", "--json"]);
}

#[test]
fn every_answer_of_every_operation_is_as_the_service_model_says() {
    clients("api.py");
}

#[test]
fn one_address_and_what_env_prints_are_all_that_clients_need() {
    clients_of_env(&[&["address.py"]]);
}

#[test]
fn functions_that_the_sdk_makes_run_hit_and_are_there_after_a_restart() {
    clients_of_env(&[&["functions.py"], &["functions.py", "again"]]);
}

#[test]
fn malformed_requests_are_refused_without_a_500_or_a_hang() {
    clients("fuzz.py");
}

#[test]
fn with_access_keys_only_requests_that_they_signed_are_served_on_any_address() {
    let folder = project(&format!("[serve]\nkeys = \"keys\"\n{PYTHON}"));
    let refused = |address: &str| {
        let output = sidestep(folder.path(), &["serve", "--listen", address]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        said(&output)
    };
    assert!(refused("0.0.0.0:0").contains("could not read the access keys"));
    fs::write(folder.path().join("keys"), "SIDESTEPTESTKEY1 a-secret-that-is-too-short\n").unwrap();
    let told = refused("0.0.0.0:0");
    assert!(told.contains("invalid secret in line 1") && !told.contains("too-short"), "{told}");
    // No secret: it opens this test's own server.
    let key = "SIDESTEPTESTKEY1 0123456789abcdefghijklmnopqrstuvwxyz/+==\n";
    fs::write(folder.path().join("keys"), key).unwrap();
    // An address that no machine has: it is not refused, it only cannot be had.
    assert!(refused("192.0.2.1:80").contains("could not serve the API on 192.0.2.1:80"));
    clients_of(SDK_2, "signed.py", &folder, &["serve", "--json", "--listen", "127.0.0.1:0"]);
}

#[test]
fn serve_without_access_keys_refuses_any_address_but_loopback() {
    let folder = project("");
    for address in ["0.0.0.0:0", "192.0.2.1:80", "[::]:0"] {
        let output = sidestep(folder.path(), &["serve", "--listen", address]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains("is not a loopback address"), "{}", said(&output));
    }
    assert!(!folder.path().join(".sidestep").exists(), "nothing was written");
}

#[test]
fn serve_names_a_function_that_the_project_lacks_when_its_pipeline_starts() {
    let folder = project("");
    let serve = Serve::start(sidestep(folder.path(), &["serve", "--json"]));
    let token = "t".repeat(32);
    let body = format!(r#"{{"PipelineName": "hello", "ClientRequestToken": "{token}"}}"#);
    let answer = serve.ask("StartPipelineExecution", &body);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("ValidationException"), "{answer}");
    assert!(answer.contains("`work`") && answer.contains("sidestep.toml"), "{answer}");
    let listed = serve.ask("ListPipelineExecutions", r#"{"PipelineName": "hello"}"#);
    assert!(listed.ends_with(r#"{"PipelineExecutionSummaries":[]}"#), "{listed}");
}

#[test]
fn serve_joins_an_up_that_runs_and_a_pipeline_edited_in_the_project_is_its_next_version() {
    let folder = project("");
    let up = Serve::start(sidestep(folder.path(), &["up", "--json"]));
    let arguments = ["serve", "--json"];
    let first = Serve::start(sidestep(folder.path(), &arguments));
    assert_eq!(first.endpoint("S3"), up.endpoint("S3"));
    let versions = |serve: &Serve| {
        let answer = serve.ask("ListPipelineVersions", r#"{"PipelineName": "hello"}"#);
        answer.matches("PipelineVersionId").count()
    };
    assert_eq!(versions(&first), 1);
    drop(first);
    let unchanged = Serve::start(sidestep(folder.path(), &arguments));
    assert_eq!(versions(&unchanged), 1);
    drop(unchanged);
    let definition = folder.path().join("hello.yaml");
    let text = fs::read_to_string(&definition).unwrap();
    fs::write(&definition, text.replace("Value: hello", "Value: goodbye")).unwrap();
    let changed = Serve::start(sidestep(folder.path(), &arguments));
    assert_eq!(versions(&changed), 2);
    assert!(changed.ask("DescribePipeline", r#"{"PipelineName": "hello"}"#).contains("goodbye"));
    fs::write(&definition, text.replace("Value: hello", "Value: again")).unwrap();
    let begun = Instant::now();
    while versions(&changed) < 3 {
        assert!(begun.elapsed() < Duration::from_mins(2), "the edit is not registered");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(changed.ask("DescribePipeline", r#"{"PipelineName": "hello"}"#).contains("again"));
}
