//! Emulators of AWS for tests, which need Python but no Docker: MiniStack, or the service at
//! `SIDESTEP_E2E_ENDPOINT`, and those services of LocalStack that need no containers.
//!
//! MiniStack runs native functions, S3 events, EventBridge, queues, schedules and CloudFormation.
//! It never sends OnSuccess records, ignores `RecursiveLoop` and cannot make alarms on metric math.
//! It checks no credentials and no policies, so what a role may do is not tested here.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::python::{
    environment, environment_of, newer_python, not_tested, program, target_folder,
};

/// The version of MiniStack on which the tests pass.
const MINISTACK: &str = "ministack==1.5.33";
/// MiniStack runs Python functions in its own environment, and Lambda's has boto3, so the version
/// here fits its botocore.
const BOTO3: &str = "boto3==1.43.106";
/// Names an emulator that runs already, such as LocalStack.
pub const ENDPOINT: &str = "SIDESTEP_E2E_ENDPOINT";
/// The region of everything in the emulator.
pub const REGION: &str = "us-east-1";
/// LocalStack, and packages that it does not pin itself and whose newer versions do not work with
/// it.
const LOCALSTACK: [&str; 6] = [
    "localstack-core[runtime]==2026.3.0",
    "cbor2<5.8",
    "cryptography<45",
    "pyopenssl<25",
    "joserfc<1.5",
    "service_identity<25",
];
/// The Python that LocalStack needs, 3.12.
const LOCALSTACK_PYTHON: u32 = 12;
/// How long the emulator may take to start on a busy machine.
const START: Duration = Duration::from_mins(2);

/// A running emulator, which ends when this is dropped.
#[derive(Debug)]
pub struct Emulator {
    process: Option<Child>,
    endpoint: String,
}

impl Emulator {
    /// Starts an emulator with its files in `folder`, or takes the one that is named. Returns
    /// `None` if there can be none here, after saying so.
    pub fn start(folder: &Path) -> Option<Self> {
        if let Ok(endpoint) = std::env::var(ENDPOINT) {
            return Some(Self {
                process: None,
                endpoint: endpoint.trim_end_matches('/').to_owned(),
            });
        }
        let python = environment(&target_folder(), "ministack", &[MINISTACK, BOTO3])?;
        Some(Self::ministack(Command::new(program(&python, "ministack")), folder))
    }

    fn ministack(mut command: Command, folder: &Path) -> Self {
        let port = free_port();
        let endpoint = format!("http://127.0.0.1:{port}");
        command.current_dir(folder).envs(credentials()).env("TMPDIR", folder);
        command.env("GATEWAY_PORT", port.to_string()).env("BIND_HOST", "127.0.0.1");
        command.env("MINISTACK_REGION", REGION).env("STATE_DIR", folder.join("state"));
        // Without it, functions would call AWS itself.
        command.env("AWS_ENDPOINT_URL", &endpoint);
        Self::launch(command, endpoint, "/_ministack/health")
    }

    /// Starts MiniStack so that it fails where a line of the file `breaks` in `folder` says so. See
    /// `breakable.py`.
    pub fn breakable(folder: &Path) -> Option<Self> {
        let python = environment(&target_folder(), "ministack", &[MINISTACK, BOTO3])?;
        let breaks = folder.join("breaks");
        std::fs::write(&breaks, "").expect("the folder can be written");
        let mut command = Command::new(program(&python, "python"));
        command.args(["-c", include_str!("breakable.py")]).env("BREAKS", breaks);
        Some(Self::ministack(command, folder))
    }

    /// Starts LocalStack with these services, of those that need no container and no Java.
    ///
    /// Returns `None` if it cannot be started here, after saying so. A machine whose Python is
    /// older than LocalStack's does not fail CI.
    pub fn localstack(folder: &Path, services: &str) -> Option<Self> {
        let Some(python) = newer_python(LOCALSTACK_PYTHON) else {
            not_tested("localstack", &format!("there is no Python 3.{LOCALSTACK_PYTHON} or newer"));
            return None;
        };
        let python = environment_of(&python, &target_folder(), "localstack", &LOCALSTACK)?;
        let address = format!("127.0.0.1:{}", free_port());
        let mut command = Command::new(program(&python, "python"));
        command.args(["-m", "localstack.runtime.main"]).current_dir(folder).envs(credentials());
        command.env("GATEWAY_LISTEN", &address).env("SERVICES", services);
        command.env("LOCALSTACK_VOLUME_DIR", folder.join("volume"));
        command.env("FILESYSTEM_ROOT", folder.join("root"));
        // It asks its makers for nothing and tells them nothing.
        command.env("SKIP_SSL_CERT_DOWNLOAD", "1").env("DISABLE_EVENTS", "1");
        Some(Self::launch(command, format!("http://{address}"), "/_localstack/health"))
    }

    fn launch(mut command: Command, endpoint: String, health: &str) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("it was just installed");
        let emulator = Self { process: Some(process), endpoint };
        let deadline = Instant::now() + START;
        let health = || emulator.request("GET", health, &[], b"");
        while health().is_none_or(|(status, _)| status != 200) {
            assert!(Instant::now() < deadline, "the emulator does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        emulator
    }

    /// Returns the endpoint of all services.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns the environment variables with which a program talks to the emulator and to nothing
    /// else.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = credentials().to_vec();
        variables.push(("AWS_ENDPOINT_URL", self.endpoint.clone()));
        variables
    }

    /// Creates a bucket.
    pub fn create_bucket(&self, bucket: &str) {
        let answer = self.request("PUT", &format!("/{bucket}"), &[], b"");
        assert_eq!(answer.map(|(status, _)| status), Some(200), "bucket {bucket}");
    }

    /// Puts an object, without credentials.
    pub fn put_object(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let answer = self.request("PUT", &format!("/{bucket}/{key}"), &[], bytes);
        assert_eq!(answer.map(|(status, _)| status), Some(200), "object {key}");
    }

    /// Performs an operation of SQS, such as `ReceiveMessage`.
    pub fn sqs(&self, operation: &str, request: &Value) -> Value {
        let target = format!("AmazonSQS.{operation}");
        // The emulator finds the service in the name of the signature's scope, which it does not
        // check.
        let scope = format!("AWS4-HMAC-SHA256 Credential=test/20260101/{REGION}/sqs/aws4_request");
        let headers = [
            ("X-Amz-Target", target.as_str()),
            ("Content-Type", "application/x-amz-json-1.0"),
            ("Authorization", &scope),
        ];
        let answer = self.request("POST", "/", &headers, request.to_string().as_bytes());
        let (status, body) = answer.expect("the emulator answers");
        assert_eq!(status, 200, "{operation}: {body}");
        serde_json::from_str(&body).unwrap_or(Value::Null)
    }

    /// Returns the status and the body of an answer, or `None` if there is none.
    fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<(u16, String)> {
        let host = self.endpoint.strip_prefix("http://")?;
        let mut stream = TcpStream::connect(host).ok()?;
        let length = body.len();
        let lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = lines.concat();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
        )
        .ok()?;
        stream.write_all(body).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        Some((status, body.to_owned()))
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            drop(process.kill());
            drop(process.wait());
        }
    }
}

/// Returns credentials that no account has.
fn credentials() -> [(&'static str, String); 4] {
    [
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

/// Returns a port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}
