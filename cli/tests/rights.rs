//! What a role on AWS would not allow is refused or told, through plain Python functions and the
//! command.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

/// Does what its argument `Do` says, without any SDK, and returns which acts were refused.
///
/// Places are written backwards, because a role allows to read those that arguments name.
const CODE: &str = r#"
import datetime, hashlib, hmac, json, os, urllib.request, urllib.error
from urllib.parse import quote, urlsplit

def ask(service, method, path, query="", headers={}, body=b""):
    endpoint = os.environ["AWS_ENDPOINT_URL_" + service.upper()]
    at = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{at[:8]}/us-east-1/{service}/aws4_request"
    payload = "UNSIGNED-PAYLOAD" if service == "s3" else hashlib.sha256(body).hexdigest()
    headers = {"host": urlsplit(endpoint).netloc, "x-amz-date": at, **headers}
    if service == "s3":
        headers["x-amz-content-sha256"] = payload
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = ("AWS4" + os.environ["AWS_SECRET_ACCESS_KEY"]).encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    signed = hmac.new(key, f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}".encode(), "sha256").hexdigest()
    credential = os.environ["AWS_ACCESS_KEY_ID"] + "/" + scope
    headers |= {"Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, "
        f"Signature={signed}", "Content-Type": "application/x-amz-json-1.0"}
    url = endpoint + path + ("?" + query if query else "")
    sent = urllib.request.Request(url, data=body or None, method=method, headers=headers)
    try:
        with urllib.request.urlopen(sent) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers.get("x-amzn-errortype", "") + error.read().decode()

def of_json(service, target, document):
    return ask(service, "POST", "/", headers={"x-amz-target": target}, body=json.dumps(document).encode())

def act(kind, what, own):
    what = what[::-1].replace("OWN", own)
    path = "/" + what.removeprefix("s3://")
    if kind in ("get", "head", "delete"):
        return ask("s3", kind.upper(), path)
    if kind == "put":
        return ask("s3", "PUT", path, body=b"x")
    if kind == "copy":
        return ask("s3", "PUT", "/" + own.removeprefix("s3://") + "copy", headers={"x-amz-copy-source": path})
    if kind == "remove":
        bucket, _, key = path[1:].partition("/")
        body = f"<Delete><Object><Key>{key}</Key></Object></Delete>".encode()
        return ask("s3", "POST", "/" + bucket, query="delete=", body=body)
    if kind == "list":
        bucket, _, prefix = path[1:].partition("/")
        return ask("s3", "GET", "/" + bucket, query="list-type=2&prefix=" + quote(prefix, ""))
    if kind == "send":
        url = "http://127.0.0.1/000000000000/" + what
        return of_json("sqs", "AmazonSQS.SendMessage", {"QueueUrl": url, "MessageBody": "x"})
    if kind == "invoke":
        return ask("lambda", "POST", f"/2015-03-31/functions/{what}/invocations", body=b"{}")
    if kind == "item":
        key = {"PK": {"S": what}, "SK": {"S": "START"}}
        return of_json("dynamodb", "DynamoDB_20120810.GetItem", {"TableName": "sidestep", "Key": key})

def handler(event, context):
    own = event.pop("Sidestep", {}).get("OutputPrefix", "")
    refused = []
    for kind, what in event.get("Do", []):
        status, text = act(kind, what, own)
        if status in (400, 403) and ("AccessDenied" in text or kind == "head"):
            role = "StepWorkRole" if "assumed-role/StepWorkRole/work" in text else "another"
            refused.append(f"{kind} {role}" if kind != "head" else kind)
    return {"Refused": "; ".join(refused), "Uri": event.get("Say", "")[::-1]}
"#;

/// What the step may not do: the act, the action, and a part of what the user is told.
const ACTS: [(&str, &str, &str, &str); 11] = [
    ("get", "s3://secret/x.csv", "s3:GetObject on `s3://secret/x.csv`", "reads = ["),
    ("copy", "s3://copied/x.csv", "s3:GetObject on `s3://copied/x.csv`", "reads = ["),
    ("list", "s3://listed/", "s3:ListBucket on `s3://listed/`", "reads = ["),
    ("put", "s3://secret/y.csv", "s3:PutObject on `s3://secret/y.csv`", "writes = ["),
    (
        "put",
        "s3://sidestep-artifacts/runs/q/aaaaaaaaaaaa/B/1/forged",
        "s3:PutObject on `s3://sidestep-artifacts/runs/q/",
        "below the prefix that its event names",
    ),
    ("delete", "s3://secret/z.csv", "s3:DeleteObject on `s3://secret/z.csv`", "no setting"),
    ("remove", "s3://removed/z.csv", "s3:DeleteObject on `s3://removed/z.csv`", "no setting"),
    ("send", "orders", "sqs:SendMessage on `orders`", "Callback step"),
    ("invoke", "other", "lambda:InvokeFunction on `function:other`", "another step"),
    ("item", "E#abc", "dynamodb:GetItem on `table/sidestep`, partition `E#abc`", "handoff"),
    // A step may read below its own prefix but not list it. So S3 does not say that a key is
    // missing.
    ("get", "OWNmissing", "s3:ListBucket on `s3://sidestep-artifacts/runs/p/", "another step's"),
];

/// What the step may do.
const ALLOWED: [(&str, &str); 4] = [
    ("get", "s3://site/in/a.txt"),
    ("get", "s3://site/missing"),
    ("put", "OWNfile"),
    ("send", "sidestep-reports"),
];

struct Project(tempfile::TempDir);

impl Project {
    fn new(rights: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("f")).unwrap();
        fs::write(folder.path().join("f/h.py"), CODE).unwrap();
        fs::create_dir(folder.path().join("files")).unwrap();
        fs::write(folder.path().join("files/a.txt"), "a").unwrap();
        let function = |name: &str, more: &str| {
            format!(
                "[functions.{name}]\nruntime = \"python3.13\"\nhandler = \"h.handler\"\npath = \"f\"\n\
                 event = \"sidestep\"\n{more}"
            )
        };
        let pipeline = |name: &str, to: &str| {
            format!(
                "[pipelines.{name}]\ndefinition = \"{name}.json\"\n\
                 [[uploads]]\nfrom = \"files\"\nto = \"{to}\"\n"
            )
        };
        let parts = [
            function("work", "reads = [\"s3://site/\"]\n"),
            function("other", ""),
            pipeline("p", "s3://site/in/"),
            pipeline("q", "s3://secret/"),
            format!("[engine]\n{rights}"),
        ];
        fs::write(folder.path().join("sidestep.toml"), parts.concat()).unwrap();
        let project = Self(folder);
        project.define("q", &json!([step("B", "other", &json!({}))]));
        project
    }

    fn define(&self, pipeline: &str, steps: &Value) {
        let definition = json!({"Version": "2020-12-01", "Steps": steps});
        let path: &Path = self.0.path();
        fs::write(path.join(format!("{pipeline}.json")), definition.to_string()).unwrap();
    }

    fn run(&self) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
        command.arg("--project").arg(self.0.path()).args(["run", "p", "--json"]);
        command.stdin(Stdio::null()).output().unwrap()
    }
}

fn step(name: &str, function: &str, arguments: &Value) -> Value {
    let output = |name: &str| json!({"OutputName": name, "OutputType": "String"});
    json!({"Name": name, "Type": "Lambda", "FunctionArn": function, "Arguments": arguments,
        "CacheConfig": {"Enabled": true}, "OutputParameters": [output("Refused"), output("Uri")]})
}

fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

/// Returns which acts of step `A` were refused, and what the command said.
fn refused(output: &Output) -> (String, String) {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    let run: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(run["PipelineExecutionStatus"], "Succeeded", "{run:#}{said}");
    let refused = run["Steps"][0]["OutputParameters"]["Refused"].as_str();
    (refused.unwrap_or_else(|| panic!("{run:#}")).to_owned(), said)
}

#[test]
fn what_a_role_does_not_allow_is_refused_or_told_by_name() {
    for rights in ["rights = \"enforce\"\n", "", "rights = \"off\"\n"] {
        let project = Project::new(rights);
        let acts: Vec<_> = ACTS.iter().map(|(kind, what, ..)| (kind, backwards(what))).collect();
        project.define("p", &json!([step("A", "work", &json!({"Do": acts}))]));
        let (refused, said) = refused(&project.run());
        let all: Vec<_> = ACTS.iter().map(|(kind, ..)| format!("{kind} StepWorkRole")).collect();
        let wanted = if rights.contains("enforce") { all.join("; ") } else { String::new() };
        assert_eq!(refused, wanted, "{rights}: {said}");
        if rights.contains("off") {
            assert!(!said.contains("may not"), "{said}");
            continue;
        }
        let begin = if rights.is_empty() { "warning: on AWS," } else { "warning: refused:" };
        for (_, _, what, hint) in ACTS {
            let line = format!("{begin} function `work` may not {what}");
            let warnings = said.split("warning: ");
            let told: Vec<_> =
                warnings.filter(|one| format!("warning: {one}").starts_with(&line)).collect();
            assert_eq!(told.len(), 1, "{line}\n{said}");
            let is_whole = ["`StepWorkRole`", "missing: {", "hint: ", hint];
            assert!(is_whole.iter().all(|part| told[0].contains(part)), "{line} {hint}\n{said}");
        }
    }
}

#[test]
fn what_a_role_allows_is_not_told() {
    let project = Project::new("rights = \"enforce\"\n");
    let acts = ALLOWED.map(|(kind, what)| (kind, backwards(what)));
    project.define("p", &json!([step("A", "work", &json!({"Do": acts}))]));
    let (refused, said) = refused(&project.run());
    assert_eq!(refused, "", "{said}");
    assert!(!said.contains("may not"), "{said}");
}

#[test]
fn a_result_that_was_made_of_a_refusal_is_not_used_again() {
    let project = Project::new("rights = \"enforce\"\n");
    let acts = [("get", backwards("s3://secret/a.txt"))];
    project.define("p", &json!([step("A", "work", &json!({"Do": acts}))]));
    let first = refused(&project.run()).0;
    assert_eq!(first, "get StepWorkRole");
    let file = project.0.path().join("sidestep.toml");
    let settings = fs::read_to_string(&file).unwrap();
    fs::write(&file, settings.replace("enforce", "off")).unwrap();
    assert_eq!(refused(&project.run()).0, "");
}

#[test]
fn what_the_planners_role_does_not_allow_is_refused_or_told() {
    for rights in ["rights = \"enforce\"\n", ""] {
        let project = Project::new(rights);
        // The URI is known only when the first step has ended, so no role allows to read it.
        let mut second =
            step("B", "other", &json!({"In": {"Get": "Steps.A.OutputParameters['Uri']"}}));
        second["DependsOn"] = json!(["A"]);
        let first = step("A", "work", &json!({"Say": backwards("s3://secret/a.txt")}));
        project.define("p", &json!([first, second]));
        let output = project.run();
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        let line = "the planner may not s3:GetObject on `s3://secret/a.txt`: no statement of `PlannerRole`";
        assert!(said.contains(line), "{said}");
        assert_eq!(output.status.success(), rights.is_empty(), "{said}");
    }
}
