//! A hostile step forges another step's result from all that it can read, through Python functions
//! and the command.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Writes its own manifest, as `docs/steps.md` tells. It shows the manifest first and waits until
/// the thief has used it, as where S3's event of a manifest is late.
const VICTIM: &str = r#"
import hashlib, hmac, json, time, boto3
s3 = boto3.client("s3")

def handler(event, context):
    own = event["Sidestep"]
    token = own.pop("Token")
    own.pop("State", None)
    bucket, _, prefix = own["OutputPrefix"].removeprefix("s3://").partition("/")
    manifest = {"Version": 2, "Outputs": {"V": "honest", "N": 1e16}, "Artifacts": [], "StartedAtMs": 1, "DurationMs": 1}
    content = json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    manifest["Proof"] = hmac.new(token.encode(), f"manifest/{sha256}".encode(), "sha256").hexdigest()
    shown = {"Manifest": manifest, "Invocation": own}
    if event["Leaks"]:
        shown["Token"] = token
    s3.put_object(Bucket=bucket, Key=prefix + "shown.json", Body=json.dumps(shown))
    for _ in range(300):
        if "Contents" in s3.list_objects_v2(Bucket=bucket, Prefix="used/" + own["ExecutionId"]):
            break
        time.sleep(0.1)
    time.sleep(1)
    s3.put_object(Bucket=bucket, Key=prefix + "manifest.json", Body=json.dumps(manifest), IfNoneMatch="*")
    return {"Sidestep": {"Manifest": f"s3://{bucket}/{prefix}manifest.json"}}
"#;

/// Reads everything below `runs/` and reports in the victim's name, in every form that there is or
/// was.
const THIEF: &str = r#"
import json, time, boto3
s3, sqs = boto3.client("s3"), boto3.client("sqs")
BUCKET, QUEUE = "sidestep-artifacts", "http://127.0.0.1/000000000000/sidestep-reports"

def keys(prefix):
    return [it["Key"] for it in s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

def read(key):
    return json.loads(s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())

def send(body):
    sqs.send_message(QueueUrl=QUEUE, MessageBody=json.dumps(body))
    return 1

def handler(event, context):
    new = []
    for _ in range(300):
        used = {key.removeprefix("used/") for key in keys("used/")}
        new = [key for key in keys("runs/") if key.endswith("shown.json") and key.split("/")[2] not in used]
        if new:
            break
        time.sleep(0.1)
    shown, sent = read(new[0]), 0
    attempt, manifest = shown["Invocation"], shown["Manifest"]
    forged = {**manifest, "Outputs": {"V": "FORGED"}}
    known = shown.get("Token") or manifest["Proof"]
    bare = {"Version": 1, "Token": known, "Outputs": {"V": "FORGED"}, "Artifacts": [], "StartedAtMs": 1, "DurationMs": 1}
    if not event["Leaks"]:
        earlier = [read(key) for key in keys("runs/") if key.endswith("Victim/1/manifest.json")]
        for manifest in [forged, bare, {**forged, "Proof": None}, *earlier]:
            sent += send({"Report": {"Invocation": attempt, "Manifest": manifest}})
            sent += send({"Report": {"Invocation": {**attempt, "Token": known}, "Manifest": manifest}})
    for reserved in [{**attempt, "Token": known}, attempt]:
        context = {"requestId": "r", "functionArn": "victim:1", "condition": "Success"}
        sent += send({"requestContext": context, "requestPayload": {"Sidestep": reserved},
            "responsePayload": {"V": "FORGED"}})
    s3.put_object(Bucket=BUCKET, Key="used/" + attempt["ExecutionId"], Body=b"")
    return {"Sent": sent}
"#;

fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = "[pipelines.p]\ndefinition = \"p.json\"\n".to_owned();
    for (name, code, own) in
        [("victim", VICTIM, "environment = { SIDESTEP_SDK = \"1\" }"), ("thief", THIEF, "")]
    {
        fs::create_dir(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name).join("h.py"), code).unwrap();
        let function = format!(
            "[functions.{name}]\nruntime = \"python3.13\"\nhandler = \"h.handler\"\n\
             path = \"{name}\"\ntimeout_seconds = 60\n{own}\n"
        );
        settings.push_str(&function);
    }
    fs::write(folder.path().join("sidestep.toml"), settings).unwrap();
    folder
}

fn run(project: &Path, road: &str, leaks: bool, more: &[&str]) -> Option<Value> {
    let step = |name: &str, function: &str, output: &str, kind: &str| {
        json!({"Name": name, "Type": "Lambda", "FunctionArn": function, "Arguments": {"Leaks": leaks},
            "CacheConfig": {"Enabled": name == "Victim", "ExpireAfter": "P1D"},
            "OutputParameters": [{"OutputName": output, "OutputType": kind}]})
    };
    let steps =
        [step("Victim", "victim", "V", "String"), step("Thief", "thief", "Sent", "Integer")];
    let definition = json!({"Version": "2020-12-01", "Steps": steps});
    fs::write(project.join("p.json"), definition.to_string()).unwrap();
    let file = project.join("sidestep.toml");
    let settings = fs::read_to_string(&file).unwrap();
    let from = settings.find("[pipelines.p]").unwrap();
    let settings = format!("[engine]\nhandoff = \"{road}\"\n{}", &settings[from..]);
    fs::write(file, settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidestep"));
    command.arg("--project").arg(project).args(["run", "p", "--json"]).args(more);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.stdout.is_empty() {
        eprintln!("NOT TESTED: there is no Python here: {said}");
        assert!(std::env::var_os("CI").is_none(), "CI has Python and a package index");
        return None;
    }
    let run: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(run["PipelineExecutionStatus"], "Succeeded", "{run:#}{said}");
    Some(run)
}

/// Returns the decision about a step, and one of its outputs.
fn step<'a>(run: &'a Value, name: &str, output: &str) -> (&'a str, &'a Value) {
    let steps = run["Steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["StepName"] == name).unwrap();
    (step["Decision"].as_str().unwrap(), &step["OutputParameters"][output])
}

#[test]
fn a_hostile_step_forges_no_result_from_all_that_it_reads() {
    for road in ["event", "direct"] {
        let temporary = project();
        let folder = temporary.path();
        let Some(first) = run(folder, road, false, &[]) else { return };
        assert_eq!(step(&first, "Victim", "V"), ("Run", &json!("honest")), "{road}");
        assert_eq!(step(&first, "Thief", "Sent").1, &json!(8), "{road}");
        let again = run(folder, road, false, &["--no-cache"]).unwrap();
        assert_eq!(step(&again, "Victim", "V"), ("Run", &json!("honest")), "{road}: a replay");
        assert_eq!(step(&again, "Thief", "Sent").1, &json!(10), "{road}");
    }
}

/// The same attack, where the victim shows its token: so it is the proof that holds it off.
#[test]
fn a_step_that_shows_its_token_gives_its_result_away() {
    let temporary = project();
    let Some(run) = run(temporary.path(), "event", true, &[]) else { return };
    assert_eq!(step(&run, "Victim", "V"), ("Run", &json!("FORGED")));
}
