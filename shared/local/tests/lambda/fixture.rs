//! A host in a temporary folder, and the function that does what its event says.

use std::{
    path::{Path, PathBuf},
    process::Command as Build,
    sync::OnceLock,
    time::Duration,
};

use serde_json::Value;
use sidestep_core::name::FunctionName;
use sidestep_local::lambda::{
    Code, Command, FunctionConfig, HostOptions, InvocationType, InvokeOutput, LambdaHost,
};
use sidestep_testkit::example::example;
use tempfile::TempDir;
use tokio::time::Instant;

/// Far longer than anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct TestHost {
    pub(crate) host: LambdaHost,
    pub(crate) folder: TempDir,
}

impl TestHost {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// Makes a host with changed options. Time-outs are long unless a test is about them.
    pub(crate) fn with(change: impl FnOnce(&mut HostOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = HostOptions::new(folder.path().join("logs"));
        options.init_timeout = PATIENCE;
        options.max_concurrency = 8;
        change(&mut options);
        Self { host: LambdaHost::new(options).unwrap(), folder }
    }

    /// Registers the fixture under a name.
    pub(crate) fn register(&self, name: &str) {
        self.register_with(name, |_| {});
    }

    pub(crate) fn register_with(&self, name: &str, change: impl FnOnce(&mut FunctionConfig)) {
        let mut config = config(name, fixture());
        change(&mut config);
        self.host.register(config).unwrap();
    }

    /// Registers the fixture with a `BEHAVIOUR`.
    pub(crate) fn register_behaviour(&self, name: &str, behaviour: &str) {
        let mut command = fixture();
        command.environment.insert("BEHAVIOUR".to_owned(), behaviour.to_owned());
        self.host.register(config(name, command)).unwrap();
    }

    /// Registers the fixture with a `BEHAVIOUR` and a timeout.
    pub(crate) fn register_behaviour_for(&self, name: &str, behaviour: &str, timeout: Duration) {
        let mut command = fixture();
        command.environment.insert("BEHAVIOUR".to_owned(), behaviour.to_owned());
        let shared = self.folder.path().join("initialising").display().to_string();
        command.environment.insert("SHARED".to_owned(), shared);
        let mut config = config(name, command);
        config.timeout = timeout;
        self.host.register(config).unwrap();
    }

    pub(crate) async fn call(&self, name: &str, event: &Value) -> InvokeOutput {
        let invocation_type = InvocationType::RequestResponse;
        self.host.invoke(name, event.to_string(), invocation_type).await.unwrap()
    }

    /// Invokes and expects success.
    pub(crate) async fn answer(&self, name: &str, event: &Value) -> Value {
        let output = self.call(name, event).await;
        assert_eq!(output.function_error, None, "{:?}", output.payload);
        serde_json::from_slice(&output.payload).unwrap()
    }

    /// Invokes and expects a failure; returns its document, without what differs from run to run.
    pub(crate) async fn error(&self, name: &str, event: &Value) -> String {
        let output = self.call(name, event).await;
        assert_eq!(output.function_error, Some("Unhandled"), "{:?}", output.payload);
        String::from_utf8_lossy(&output.payload).replace(&output.request_id, "REQUEST_ID")
    }
}

pub(crate) fn config(name: &str, command: Command) -> FunctionConfig {
    let name = FunctionName::parse(name).unwrap();
    let config = FunctionConfig::new(name, Code::Process(command));
    FunctionConfig { timeout: PATIENCE, code_sha256: "c0de".to_owned(), ..config }
}

pub(crate) fn fixture() -> Command {
    Command {
        program: fixture_path().to_owned(),
        runtime: "provided.al2023".to_owned(),
        handler: "bootstrap".to_owned(),
        ..Command::default()
    }
}

/// Returns the path of the example `lambda_function`.
pub(crate) fn fixture_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| example("sidestep-local", "lambda_function"))
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Returns true if a process exists and is not just waiting to be reaped.
pub(crate) fn is_alive(pid: &Value) -> bool {
    let ps = Build::new("ps").args(["-o", "stat=", "-p", &pid.to_string()]).output().unwrap();
    let state = String::from_utf8_lossy(&ps.stdout).trim().to_owned();
    !state.is_empty() && !state.starts_with('Z')
}
