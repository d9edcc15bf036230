//! An emulator of AWS for tests: MiniStack, which needs Python but no Docker, or whatever answers at `SIDESTEP_E2E_ENDPOINT`.
//!
//! MiniStack runs native functions, S3 events, EventBridge, queues, schedules and CloudFormation. It never sends OnSuccess records, ignores
//! `RecursiveLoop` and cannot make alarms on metric math. It checks no credentials and no policies: what a role may do is not tested here.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::python::{environment, program, target_folder};

/// The version that the tests pass on.
const MINISTACK: &str = "ministack==1.5.33";
/// Names an emulator that runs already, LocalStack say.
pub const ENDPOINT: &str = "SIDESTEP_E2E_ENDPOINT";
/// The region of everything in it.
pub const REGION: &str = "us-east-1";
/// How long it may take to come up on a busy machine.
const START: Duration = Duration::from_mins(2);

/// A running emulator. It ends with this.
#[derive(Debug)]
pub struct Emulator {
    process: Option<Child>,
    endpoint: String,
}

impl Emulator {
    /// Starts one with its files in `folder`, or takes the one that is named. `None`: it cannot be had here, and that was said.
    pub fn start(folder: &Path) -> Option<Self> {
        if let Ok(endpoint) = std::env::var(ENDPOINT) {
            return Some(Self {
                process: None,
                endpoint: endpoint.trim_end_matches('/').to_owned(),
            });
        }
        let python = environment(&target_folder(), "ministack", &[MINISTACK])?;
        let port = free_port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = Command::new(program(&python, "ministack"));
        command.current_dir(folder).envs(credentials()).env("TMPDIR", folder);
        command.env("GATEWAY_PORT", port.to_string()).env("BIND_HOST", "127.0.0.1");
        command.env("MINISTACK_REGION", REGION).env("STATE_DIR", folder.join("state"));
        // Without it, functions would call AWS itself.
        command.env("AWS_ENDPOINT_URL", &endpoint);
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = process.spawn().expect("it was just installed");
        let emulator = Self { process: Some(process), endpoint };
        let deadline = Instant::now() + START;
        while emulator.request("GET", "/_ministack/health", b"").is_none_or(|status| status != 200)
        {
            assert!(Instant::now() < deadline, "the emulator does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(emulator)
    }

    /// Where all services answer.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What a program needs in its environment to talk to it and to nothing else.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        let mut variables = credentials().to_vec();
        variables.push(("AWS_ENDPOINT_URL", self.endpoint.clone()));
        variables
    }

    /// Creates a bucket.
    pub fn create_bucket(&self, bucket: &str) {
        let status = self.request("PUT", &format!("/{bucket}"), b"");
        assert_eq!(status, Some(200), "bucket {bucket}");
    }

    /// Puts an object. The emulator does not ask who does it.
    pub fn put_object(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let status = self.request("PUT", &format!("/{bucket}/{key}"), bytes);
        assert_eq!(status, Some(200), "object {key}");
    }

    /// The status of an answer; `None` where nobody answers.
    fn request(&self, method: &str, path: &str, body: &[u8]) -> Option<u16> {
        let host = self.endpoint.strip_prefix("http://")?;
        let mut stream = TcpStream::connect(host).ok()?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        )
        .ok()?;
        stream.write_all(body).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        String::from_utf8_lossy(&answer).split(' ').nth(1)?.parse().ok()
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

/// Keys that no account has.
fn credentials() -> [(&'static str, String); 4] {
    [
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}
