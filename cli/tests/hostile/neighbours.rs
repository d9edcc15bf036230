//! Web pages, other users and silent clients beside a running `sidestep up`.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sidestep_admission::{Credentials, Service, sign};

use super::project::{Project, said};

/// Long enough for a busy machine; nothing is asserted on the time itself.
const DEADLINE: Duration = Duration::from_mins(2);

/// A trigger on the bucket `inbox`, beside the pipeline that needs no function.
const INBOX: &str = "[pipelines.check]\ndefinition = \"check.json\"\n\
    [[pipelines.check.triggers]]\nbucket = \"inbox\"\n";

/// A `sidestep up`, ended with the test.
struct Up {
    child: Child,
    first: Value,
}

impl Up {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, first: serde_json::from_str(&line).unwrap() }
    }

    fn address(&self, service: &str) -> &str {
        self.first["Endpoints"][service].as_str().unwrap().strip_prefix("http://").unwrap()
    }

    fn credentials(&self) -> Credentials {
        let part = |name: &str| self.first["Credentials"][name].as_str().unwrap().to_owned();
        Credentials {
            access_key_id: part("AccessKeyId"),
            secret_access_key: part("SecretAccessKey"),
        }
    }

    /// Puts an object, and returns the answer.
    fn put(&self, key: &str, credentials: &Credentials) -> String {
        let address = self.address("S3");
        let url = format!("http://{address}/inbox/{key}");
        let headers = sign(credentials, Service::S3, ("PUT", &url), &[], b"body");
        let signed: String =
            headers.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect();
        exchange(
            address,
            &format!(
                "PUT /inbox/{key} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{signed}Content-Length: 4\r\n\r\nbody"
            ),
        )
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Sends a request, and returns the whole answer.
fn exchange(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn project() -> Project {
    let project = Project::new();
    project.write("sidestep.toml", INBOX);
    project
}

/// Returns how many executions there are.
fn executions(project: &Project) -> usize {
    let output = project.run(&["list", "--json"]);
    let listed: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    listed["PipelineExecutionSummaries"].as_array().unwrap().len()
}

#[test]
fn no_web_page_and_no_key_of_another_reaches_a_service_of_up() {
    let project = project();
    let up = Up::start(project.command(&["up", "--json"]));
    let form = "--x\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nforged\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nbody\r\n--x--\r\n";
    let post = |path: &str, lines: &str, body: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nConnection: close\r\n{lines}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let page = "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\n";
    let scan = "Content-Type: application/x-amz-json-1.0\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\nAuthorization: AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0\r\nX-Amz-Date: 20260101T000000Z";
    let table = "{\"TableName\": \"sidestep\"}";
    let simple = "Content-Type: text/plain";
    let multipart = "Content-Type: multipart/form-data; boundary=x";
    let planner = "/2015-03-31/functions/sidestep-planner/invocations";
    for service in ["Aws", "S3", "DynamoDB", "Lambda", "SQS"] {
        let address = up.address(service);
        let here = format!("Host: {address}\r\n");
        let tries = [
            format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
            "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_owned(),
            format!(
                "OPTIONS / HTTP/1.1\r\n{here}{page}Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,x-amz-target\r\nConnection: close\r\n\r\n"
            ),
            post("/", &format!("{here}{page}{scan}"), table),
            post("/", &format!("{here}{scan}"), table),
            post("/", &format!("Host: evil.example\r\n{scan}"), table),
            post(planner, &format!("{here}{page}{simple}"), "{}"),
            post(planner, &format!("{here}{simple}"), "{}"),
            post("/inbox/", &format!("{here}{page}{multipart}"), form),
            post("/inbox/", &format!("{here}{multipart}"), form),
        ];
        for request in tries {
            let answer = exchange(address, &request).to_lowercase();
            assert!(answer.starts_with("http/1.1 4"), "{service} {request}: {answer}");
            assert!(!answer.contains("access-control-"), "{service} {request}: {answer}");
        }
    }
    let guessed =
        Credentials { access_key_id: up.credentials().access_key_id, ..Credentials::generate() };
    for credentials in [guessed, Credentials::generate(), Credentials::default()] {
        let answer = up.put("forged", &credentials);
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    assert_eq!(executions(&project), 0);
    let answer = up.put("true", &up.credentials());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let begun = Instant::now();
    while executions(&project) == 0 {
        assert!(begun.elapsed() < DEADLINE, "an upload with the key starts an execution");
    }
}

#[test]
fn each_service_of_the_one_address_asks_for_its_own_signature() {
    let project = project();
    let up = Up::start(project.command(&["up", "--json"]));
    let address = up.address("Aws").to_owned();
    let url = format!("http://{address}/");
    let page = "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\n";
    let form = ("application/x-www-form-urlencoded", "");
    let json = |target| ("application/x-amz-json-1.1", target);
    for (service, (content_type, target), body) in [
        (Service::Sts, form, "Action=GetCallerIdentity&Version=2011-06-15"),
        (Service::Iam, form, "Action=GetRole&Version=2010-05-08&RoleName=r"),
        (Service::Logs, json("Logs_20140328.DescribeLogGroups"), "{}"),
        (Service::Events, json("AWSEvents.PutEvents"), "{\"Entries\": []}"),
        (Service::DynamoDb, json("DynamoDB_20120810.ListTables"), "{}"),
        (Service::Sqs, json("AmazonSQS.ListQueues"), "{}"),
    ] {
        let ask = |host: &str, more: &str, credentials: Option<(Service, &Credentials)>| {
            let mut named = vec![("content-type", content_type)];
            named.extend(Some(("x-amz-target", target)).filter(|_| !target.is_empty()));
            let signed = credentials.map_or_else(Vec::new, |(scope, credentials)| {
                sign(credentials, scope, ("POST", &url), &named, body.as_bytes())
            });
            let own = named.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
            let proof = signed.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
            let lines: String = own.chain(proof).collect();
            exchange(
                &address,
                &format!(
                    "POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{lines}{more}Content-Length: {}\r\n\r\n{body}",
                    body.len()
                ),
            )
        };
        let (right, other) = (up.credentials(), Credentials::generate());
        let guessed = Credentials { access_key_id: right.access_key_id.clone(), ..other.clone() };
        let here = address.as_str();
        for (what, answer) in [
            ("unsigned", ask(here, "", None)),
            ("a foreign key", ask(here, "", Some((service, &other)))),
            ("a guessed secret", ask(here, "", Some((service, &guessed)))),
            ("a foreign host", ask("evil.example", "", Some((service, &right)))),
            ("a page", ask(here, page, Some((service, &right)))),
        ] {
            assert!(answer.starts_with("HTTP/1.1 4"), "{service:?}, {what}: {answer}");
            assert!(!answer.to_lowercase().contains("access-control-"), "{what}: {answer}");
        }
        for other in [Service::S3, Service::Lambda] {
            // It goes to that service, which has no such operation.
            let answer = ask(here, "", Some((other, &right)));
            assert!(!answer.starts_with("HTTP/1.1 2"), "{service:?}, {other:?}: {answer}");
        }
        let answer = ask(here, "", Some((service, &right)));
        let is_empty_list = service == Service::Events && answer.contains("ValidationException");
        assert!(answer.starts_with("HTTP/1.1 200") || is_empty_list, "{service:?}: {answer}");
    }
    assert_eq!(executions(&project), 0);
}

#[test]
fn the_state_and_its_key_are_closed_to_other_users_and_env_prints_the_key() {
    let project = project();
    fs::create_dir(project.state()).unwrap();
    fs::set_permissions(project.state(), fs::Permissions::from_mode(0o755)).unwrap();
    let none = project.run(&["env"]);
    assert_eq!(none.status.code(), Some(2), "{}", said(&none));
    let up = Up::start(project.command(&["up", "--json"]));
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(project.state()), 0o700);
    assert_eq!(mode(project.state().join("credentials")), 0o600);
    let output = project.run(&["env"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    let Credentials { access_key_id, secret_access_key } = up.credentials();
    assert!(printed.contains(&format!("export AWS_ACCESS_KEY_ID={access_key_id}\n")), "{printed}");
    assert!(printed.contains(&format!("export AWS_SECRET_ACCESS_KEY={secret_access_key}\n")));
    let one = format!("export AWS_ENDPOINT_URL=http://{}\n", up.address("Aws"));
    assert!(printed.contains(&one), "{printed}");
    drop(up);
    let again = Up::start(project.command(&["up", "--json"]));
    assert_eq!(again.credentials().access_key_id, access_key_id);
}

#[test]
fn silent_clients_do_not_keep_others_out_where_files_are_few() {
    let project = project();
    let inner = project.command(&["up", "--json"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 200; exec \"$0\" up --json"]).arg(inner.get_program());
    command.current_dir(project.folder.path()).stdin(Stdio::null());
    let up = Up::start(command);
    let mut silent = Vec::new();
    for number in 0..230 {
        let mut stream = TcpStream::connect(up.address("S3")).unwrap();
        if number % 2 == 0 {
            // The server may have sent the connection away already.
            let _ = stream.write_all(b"PUT /inbox/a HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A");
        }
        silent.push(stream);
    }
    for number in 0..20 {
        let answer = up.put(&format!("{number}"), &up.credentials());
        assert!(answer.starts_with("HTTP/1.1 200"), "{number}: {answer}");
    }
}
