//! A Lambda function without dependencies, over the bare Runtime API.
//!
//! It does what its arguments say.
//!
//! `Fail`: fails as often, counting in the file `Count`. `Until`: waits for a file. `Exit`: ends
//! its process. `Kill`: is killed, as when memory runs out. `Grow` and `Huge`: takes ever more
//! memory, or very much at once, the first time. `Sleep`: takes as many milliseconds. `Answer`:
//! returns that as its value. Otherwise it returns the text in its environment variable `ANSWER`,
//! or `{"Value": 7}`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

fn main() {
    let api = std::env::var("AWS_LAMBDA_RUNTIME_API").unwrap();
    loop {
        let next = request(&api, "GET", "next", "");
        let (head, event) = next.split_once("\r\n\r\n").unwrap();
        let mut headers = head.lines().filter_map(|line| line.split_once(": "));
        let is_id = |name: &str| name.eq_ignore_ascii_case("lambda-runtime-aws-request-id");
        let (_, id) = headers.find(|(name, _)| is_id(name)).unwrap();
        match handle(event) {
            Ok(answer) => request(&api, "POST", &format!("{id}/response"), &answer),
            Err(message) => {
                let error = format!(r#"{{"errorType":"Flaky","errorMessage":"{message}"}}"#);
                request(&api, "POST", &format!("{id}/error"), &error)
            }
        };
    }
}

fn handle(event: &str) -> Result<String, String> {
    if let (Some(times), Some(count)) = (text(event, "Fail"), text(event, "Count")) {
        let so_far = std::fs::read_to_string(&count).unwrap_or_default().len();
        std::fs::write(&count, "x".repeat(so_far + 1)).unwrap();
        if so_far < times.parse().unwrap() {
            return Err(format!("failure {}", so_far + 1));
        }
    }
    if let Some(file) = text(event, "Until") {
        while !Path::new(&file).exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    if text(event, "Exit").is_some() {
        std::process::exit(3);
    }
    if text(event, "Kill").is_some() {
        let id = std::process::id().to_string();
        Command::new("kill").args(["-s", "KILL", &id]).status().unwrap();
    }
    if let Some(count) = text(event, "Grow").filter(|count| !Path::new(count).exists()) {
        std::fs::write(&count, "").unwrap();
        let mut held = Vec::new();
        loop {
            held.push(vec![1_u8; 1 << 20]);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    if let Some(count) = text(event, "Huge").filter(|count| !Path::new(count).exists()) {
        std::fs::write(&count, "").unwrap();
        std::hint::black_box(vec![1_u8; 64 << 30]);
    }
    if let Some(ms) = text(event, "Sleep") {
        std::thread::sleep(Duration::from_millis(ms.parse().unwrap()));
    }
    if let Some(value) = text(event, "Answer") {
        return Ok(format!(r#"{{"Value":{value}}}"#));
    }
    Ok(std::env::var("ANSWER").unwrap_or_else(|_| r#"{"Value":7}"#.to_owned()))
}

/// Returns the string under a key. The tests' arguments hold no escapes.
fn text(event: &str, key: &str) -> Option<String> {
    let (_, rest) = event.split_once(&format!("\"{key}\":\""))?;
    Some(rest.split('"').next()?.to_owned())
}

fn request(api: &str, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(api).unwrap();
    let path = format!("/2018-06-01/runtime/invocation/{path}");
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {api}\r\nConnection: close");
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
