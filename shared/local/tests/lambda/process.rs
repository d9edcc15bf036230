//! Processes end with their host, however it ends.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::fixture::{eventually, fixture_path, is_alive};

#[tokio::test(flavor = "multi_thread")]
async fn functions_and_what_they_started_die_with_a_host_killed_by_sigkill() {
    let folder = tempfile::tempdir().unwrap();
    let mut host = Command::new(fixture_path())
        .env("BEHAVIOUR", "be a host")
        .env("LOG_FOLDER", folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pids: Vec<Value> =
        line.split_whitespace().map(|pid| serde_json::from_str(pid).unwrap()).collect();
    assert_eq!(pids.len(), 2, "{line}");
    assert!(pids.iter().all(is_alive));

    host.kill().unwrap();
    host.wait().unwrap();

    eventually("the function and its child are gone", || !pids.iter().any(is_alive)).await;
}
