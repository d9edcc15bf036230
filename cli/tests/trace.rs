//! What steps really read and write in S3, through plain Python functions and the command.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::{SdkConfig, local_config};
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::ObjectStore as _;

use crate::cache::served;

/// Does what its argument `Do` says, without any SDK. Half of the requests are signed in a header,
/// the others in the query, as presigned URLs are.
const CODE: &str = r#"
import datetime, hashlib, hmac, os, urllib.request, urllib.error
from urllib.parse import parse_qsl, quote, urlsplit
count = 0

def signature(method, path, query, headers, at, scope):
    named = "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    request = f"{method}\n{path}\n{query}\n{named}\n{';'.join(sorted(headers))}\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return hmac.new(key, f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}".encode(), "sha256").hexdigest()

def ask(method, uri, body=None):
    global count
    count += 1
    parts = urlsplit(os.environ["AWS_ENDPOINT_URL_S3"] + "/" + uri.removeprefix("s3://"))
    at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = at[:8] + "/us-east-1/s3/aws4_request"
    credential = os.environ["AWS_ACCESS_KEY_ID"] + "/" + scope
    pairs, headers = parse_qsl(parts.query, keep_blank_values=True), {"host": parts.netloc}
    is_presigned = count % 2 == 0
    if is_presigned:
        pairs += [("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", credential),
            ("X-Amz-Date", at), ("X-Amz-Expires", "60"), ("X-Amz-SignedHeaders", "host")]
    else:
        headers |= {"x-amz-date": at, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    query = "&".join(f"{quote(name, '')}={quote(value, '')}" for name, value in sorted(pairs))
    signed = signature(method, parts.path, query, headers, at, scope)
    if is_presigned:
        query += "&X-Amz-Signature=" + signed
    else:
        headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={credential}, "
            f"SignedHeaders={';'.join(sorted(headers))}, Signature={signed}")
    url = f"{parts.scheme}://{parts.netloc}{parts.path}?{query}"
    request = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.read().decode()
    except urllib.error.HTTPError as error:
        return f"{error.code}"

def handler(event, context):
    seen = []
    for act, uri, *rest in event["Do"]:
        if not uri.startswith("s3:"):
            uri = uri[::-1]
        if act == "get":
            seen.append(ask("GET", uri))
        elif act == "put":
            ask("PUT", uri, rest[0].encode())
        elif act == "list":
            bucket, _, prefix = uri.removeprefix("s3://").partition("/")
            seen.append(str(ask("GET", f"s3://{bucket}?list-type=2&prefix={prefix}").count("<Key>")))
    return {"Seen": ",".join(seen), "Out": event.get("Out", ""), "At": os.urandom(8).hex()}
"#;

/// A project with a pipeline `p` of the step `A`, which a running `sidestep up` serves.
struct Project {
    folder: tempfile::TempDir,
    up: Option<Child>,
    s3: SdkConfig,
}

impl Project {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("f")).unwrap();
        fs::write(folder.path().join("f/h.py"), CODE).unwrap();
        fs::create_dir(folder.path().join("files")).unwrap();
        fs::write(folder.path().join("files/a.txt"), "a").unwrap();
        let settings = "[functions.f]\nruntime = \"python3.13\"\nhandler = \"h.handler\"\npath = \"f\"\n\
            [pipelines.p]\ndefinition = \"p.json\"\n[[uploads]]\nfrom = \"files\"\nto = \"s3://site/in/\"\n";
        fs::write(folder.path().join("sidestep.toml"), settings).unwrap();
        let project = Self { folder, up: None, s3: local_config("us-east-1") };
        project.define(&json!([]), "");
        project
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Makes the step do this.
    fn define(&self, acts: &Value, out: &str) {
        let step = |name: &str| {
            json!({"Name": name, "Type": "Lambda", "FunctionArn": "f",
                "Arguments": {"Do": acts, "Out": out}, "CacheConfig": {"Enabled": true},
                "OutputParameters": [{"OutputName": "Seen", "OutputType": "String"}]})
        };
        self.write(&json!([step("A")]));
    }

    fn write(&self, steps: &Value) {
        let definition = json!({"Version": "2020-12-01", "Steps": steps});
        fs::write(self.path().join("p.json"), definition.to_string()).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.arg("--project").arg(self.path()).args(arguments).stdin(Stdio::null());
        command
    }

    fn sidestep(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn up(&mut self) {
        let mut child = self.command(&["up", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let endpoints: Value = serde_json::from_str(&line).unwrap();
        self.s3 = served(&endpoints, "S3");
        self.up = Some(child);
    }

    fn run(&self) -> Value {
        let output = self.sidestep(&["run", "p", "--json"]);
        let text = String::from_utf8_lossy(&output.stderr);
        let run: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{text}"));
        assert_eq!(run["PipelineExecutionStatus"], "Succeeded", "{run:#}{text}");
        run
    }

    /// Runs the pipeline; returns the decision about A, with the reason if it ran.
    fn decide(&self) -> String {
        let run = self.run();
        let step = &run["Steps"][0];
        match step["Decision"].as_str().unwrap() {
            "Run" => step["Reason"].as_str().unwrap().to_owned(),
            other => other.to_owned(),
        }
    }

    /// Writes an object as another party.
    fn put(&self, uri: &str, text: &str) {
        self.store(|store, runtime| {
            let uri = S3Uri::parse(uri).unwrap();
            runtime.block_on(store.replace(&uri, text.to_owned().into())).unwrap();
        });
    }

    fn get(&self, uri: &str) -> Option<String> {
        self.store(|store, runtime| {
            let uri = S3Uri::parse(uri).unwrap();
            let found = runtime.block_on(store.get(&uri, 1000)).unwrap();
            found.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
        })
    }

    fn delete(&self, uri: &str) {
        self.store(|store, runtime| {
            runtime.block_on(store.delete(&S3Uri::parse(uri).unwrap())).unwrap();
        });
    }

    fn store<T>(&self, act: impl FnOnce(&S3ObjectStore, &tokio::runtime::Runtime) -> T) -> T {
        act(&S3ObjectStore::new(&self.s3), &tokio::runtime::Runtime::new().unwrap())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if let Some(up) = &mut self.up {
            up.kill().unwrap();
            up.wait().unwrap();
        }
    }
}

/// Returns a URI as nothing recognises it but the function.
fn hidden(uri: &str) -> String {
    uri.chars().rev().collect()
}

/// Stands for any reason to run.
const NONE: &str = "";

/// A place, what another party puts there (`None` deletes it), and the decision.
type Change = (&'static str, Option<&'static str>, &'static str);

#[test]
fn a_hit_needs_what_the_step_really_read_and_wrote_to_be_as_it_was() {
    let mut project = Project::new();
    project.up();
    // What the step does and returns, and the changes that follow.
    let cases: [(Value, &str, &[Change]); 7] = [
        // A read that no argument names as a whole: the key is made up in the function.
        (
            json!([["get", hidden("s3://site/in/a.txt")]]),
            "",
            &[
                ("s3://site/in/a.txt", Some("b"), "`s3://site/in/a.txt` that it read has changed"),
                ("s3://site/in/a.txt", None, "`s3://site/in/a.txt` that it read is gone"),
                ("s3://site/in/a.txt", Some("b"), "that it looked for and did not find is there"),
            ],
        ),
        (
            json!([["list", hidden("s3://site/many/")]]),
            "",
            &[("s3://site/many/x", Some("x"), "that it looked for and did not find is there")],
        ),
        // A manifest of the user's own is a file like any other.
        (
            json!([["list", hidden("s3://site/own/")], ["get", "s3://site/own/"]]),
            "",
            &[
                ("s3://site/own/manifest.json", Some("x"), NONE),
                ("s3://site/own/manifest.json", Some("y"), NONE),
            ],
        ),
        // Places to write to: beside the arguments, and among them.
        (
            json!([["put", hidden("s3://site/out"), "one"]]),
            "",
            &[
                ("s3://site/out", Some("two"), "`s3://site/out` that it wrote was overwritten"),
                ("s3://site/out", None, "`s3://site/out` that it wrote is gone"),
            ],
        ),
        (
            json!([["put", "s3://site/current.txt", "one"]]),
            "",
            &[
                ("s3://site/current.txt", Some("x"), "that it wrote was overwritten"),
                ("s3://site/current.txt", None, "that it wrote is gone"),
            ],
        ),
        // An output that another party wrote.
        (json!([]), "s3://site/in/b.txt", &[("s3://site/in/b.txt", Some("2"), NONE)]),
        // It reads and writes the same place: each run adds to it.
        (json!([["get", "s3://site/log"], ["put", "s3://site/log", "more"]]), "", &[]),
    ];
    project.put("s3://site/in/b.txt", "1");
    for (acts, out, changes) in cases {
        project.define(&acts, out);
        assert_ne!(project.decide(), "CacheHit", "{acts}");
        let mut second = project.decide();
        // What it wrote and read is an input then, and stays so.
        if acts.to_string().contains("log") {
            assert_ne!(second, "CacheHit", "{acts}");
            second = project.decide();
        }
        assert_eq!(second, "CacheHit", "{acts}");
        for (uri, to, decision) in changes {
            match to {
                Some(text) => project.put(uri, text),
                None => project.delete(uri),
            }
            let found = project.decide();
            assert!(found.contains(decision), "{acts}, {uri} to {to:?}: {found}");
            assert_ne!(found, "CacheHit", "{acts}, {uri} to {to:?}");
            assert_eq!(project.decide(), "CacheHit", "{acts} after {uri}");
        }
    }
}

#[test]
fn a_fixed_place_never_shows_another_runs_content() {
    let mut project = Project::new();
    project.up();
    let place = "s3://site/current.txt";
    for (text, decision) in
        [("A", NONE), ("A", "CacheHit"), ("B", NONE), ("B", "CacheHit"), ("A", "overwritten")]
    {
        project.define(&json!([["put", place, text]]), place);
        let found = project.decide();
        assert!(found.contains(decision), "{text}: {found}");
        assert_eq!(found == "CacheHit", decision == "CacheHit", "{text}");
        assert_eq!(project.get(place).as_deref(), Some(text), "{found}");
    }
}

#[test]
fn a_read_beside_the_key_is_told_once_and_equal_steps_run_once() {
    let mut project = Project::new();
    project.up();
    project.define(&json!([["get", hidden("s3://site/in/a.txt")]]), "");
    let told = |run: &Value| run["Steps"][0]["Warnings"].to_string();
    let first = project.run();
    let expected = "A read s3://site/in/a.txt, which its key does not cover";
    assert!(told(&first).contains(expected), "{first:#}");
    assert!(!told(&project.run()).contains(expected));

    let step = |name: &str| {
        json!({"Name": name, "Type": "Lambda", "FunctionArn": "f", "Arguments": {"Do": [["put",
            hidden("s3://site/twin"), "1"]]}, "CacheConfig": {"Enabled": true}})
    };
    project.write(&json!([step("A"), step("B"), step("C")]));
    let run = project.run();
    assert_eq!((&run["Summary"]["Run"], &run["Summary"]["CacheHit"]), (&json!(1), &json!(2)));
    // `At` differs from run to run, but no step can read it.
    let forced = project.sidestep(&["run", "p", "--force", "A"]);
    let said = String::from_utf8_lossy(&forced.stderr) + String::from_utf8_lossy(&forced.stdout);
    assert!(!said.contains("not deterministic"), "{said}");
}

#[test]
fn what_was_used_is_not_old_and_a_file_that_went_from_the_folder_goes_from_the_bucket() {
    let mut project = Project::new();
    project.define(&json!([["get", "s3://site/in/a.txt"]]), "");
    fs::write(project.path().join("files/b.txt"), "b").unwrap();
    fs::write(project.path().join("files/c.txt"), "c").unwrap();
    assert_ne!(project.decide(), "CacheHit");
    let entry = || {
        let output = project.sidestep(&["cache", "list", "--json"]);
        let entries: Value = serde_json::from_slice(&output.stdout).unwrap();
        entries["CacheEntries"][0].clone()
    };
    // A use is recorded to the second.
    let mut uses = (0..20).map(|_| (project.decide(), entry()));
    let is_later = |entry: &Value| entry["LastUsedTime"].as_str() > entry["CreationTime"].as_str();
    assert!(uses.any(|(decision, entry)| decision == "CacheHit" && is_later(&entry)));
    // What was made or used in the last minute stays, whichever way the minute is written.
    for minute in ["T1M", "1m", "PT1M"] {
        let output = project.sidestep(&["cache", "gc", "--older-than", minute, "--json"]);
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["RemainingCacheEntries"], 1, "{minute}: {found:#}");
    }

    // Another party overwrites one of two files, then both go.
    project.define(&json!([["put", hidden("s3://site/in/c.txt"), "other"]]), "");
    assert_ne!(project.decide(), "CacheHit");
    for name in ["b.txt", "c.txt"] {
        fs::remove_file(project.path().join("files").join(name)).unwrap();
    }
    project.define(&json!([["get", "s3://site/in/b.txt"]]), "");
    let planned = project.sidestep(&["plan", "p"]);
    assert_eq!(planned.status.code(), Some(10), "what a plan sees is what a run would see");
    project.up();
    assert_eq!(project.get("s3://site/in/a.txt").as_deref(), Some("a"));
    assert_eq!(project.get("s3://site/in/b.txt"), None);
    assert_eq!(project.get("s3://site/in/c.txt").as_deref(), Some("other"));
}
