//! What survives: a crash at any moment, a second process, an older program.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use sidestep_local::s3::{S3Server, S3ServerError};
use sidestep_testkit::example::example;
use tokio::net::TcpListener;

use crate::cloud::{ACCOUNT, BUCKET, Cloud, LARGE, REGION, client, content, open, soon, store};
use crate::notifications::{Inbox, dispatch};

/// A process that does not outlive its test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn spawn(dir: &Path) -> (Killed, std::net::SocketAddr) {
    let process = Command::new(example("sidestep-local", "store_server"))
        .arg(dir)
        .args([REGION, ACCOUNT, BUCKET])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Killed(process);
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let address =
        lines.map_while(Result::ok).find_map(|line| line.strip_prefix("listening ")?.parse().ok());
    (child, address.expect("the child listens"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_kill_at_any_moment_loses_no_acknowledged_object_and_no_event() {
    let folder = tempfile::tempdir().unwrap();
    let dir = store(folder.path());
    let mut acknowledged = BTreeSet::new();
    for round in 0..4 {
        let (child, address) = spawn(&dir);
        let mut child = Some(child);
        let client = client(address);
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        for writer in 0..8 {
            let (client, sender) = (client.clone(), sender.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    let key = format!("{round}/{writer}/{number}");
                    let size = if number % 3 == 0 { LARGE } else { 100 };
                    let put = client
                        .put_object()
                        .bucket(BUCKET)
                        .key(&key)
                        .body(ByteStream::from(content(size + number)))
                        .send()
                        .await;
                    if put.is_err() || sender.send((key, size + number)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for count in 0.. {
            // Killed in the middle of eight writes, at another moment each round.
            if count == 40 + 7 * round {
                drop(child.take());
            }
            match soon(receiver.recv()).await {
                Some(object) => acknowledged.insert(object),
                None => break,
            };
        }
    }

    let s3 = open(&dir).await;
    let inbox = Arc::new(Inbox::default());
    let dispatcher = dispatch(&s3, &inbox);
    soon(s3.drained()).await;
    dispatcher.abort();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = client(listener.local_addr().unwrap());
    let served = tokio::spawn(async move { s3.serve(listener, std::future::pending()).await });

    let mut present = BTreeSet::new();
    let mut pages = client.list_objects_v2().bucket(BUCKET).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents() {
            let key = object.key().unwrap().to_owned();
            let got = client.get_object().bucket(BUCKET).key(&key).send().await.unwrap();
            let body = got.body.collect().await.unwrap().to_vec();
            assert_eq!(body, content(body.len()), "{key} is whole");
            present.insert((key, body.len()));
        }
    }
    assert!(acknowledged.len() > 100, "only {} were acknowledged", acknowledged.len());
    assert!(acknowledged.is_subset(&present), "{:?}", acknowledged.difference(&present));
    let told: Vec<_> =
        present.iter().map(|(key, _)| format!("f ObjectCreated:Put {key}")).collect();
    let heard: BTreeSet<_> = inbox.summary().into_iter().collect();
    assert_eq!(
        heard,
        told.into_iter().collect(),
        "an event for every object, and an object for every event"
    );
    let large = present.iter().filter(|(_, bytes)| *bytes >= LARGE).count();
    assert_eq!(
        std::fs::read_dir(dir.join("blobs")).unwrap().count(),
        large,
        "no blob is left over"
    );
    served.abort();
}

#[tokio::test]
async fn objects_are_there_after_a_restart_and_strays_are_not() {
    let cloud = Cloud::start().await;
    cloud.put("small", content(10)).send().await.unwrap();
    cloud.put("large", content(LARGE)).send().await.unwrap();
    std::fs::write(cloud.blob_folder().join("stray"), "left by a crash").unwrap();
    let cloud = cloud.restart().await;
    assert_eq!(cloud.get("small").await.unwrap(), content(10));
    assert_eq!(cloud.get("large").await.unwrap(), content(LARGE));
    assert_eq!(cloud.blobs(), 1);
}

#[tokio::test]
async fn a_store_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let dir = store(folder.path());
    let first = S3Server::open(&dir, REGION, ACCOUNT).unwrap();
    let second = S3Server::open(&dir, REGION, ACCOUNT);
    assert!(matches!(second, Err(S3ServerError::InUse { .. })), "{second:?}");
    drop(first);
    S3Server::open(&dir, REGION, ACCOUNT).unwrap();
}

#[tokio::test]
async fn an_index_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = store(folder.path());
    drop(S3Server::open(&dir, REGION, ACCOUNT).unwrap());
    let index = rusqlite::Connection::open(dir.join("index.sqlite")).unwrap();
    index.pragma_update(None, "user_version", 99).unwrap();
    drop(index);
    let refused = S3Server::open(&dir, REGION, ACCOUNT);
    assert!(matches!(refused, Err(S3ServerError::NewerFormat { found: 99, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let refused = S3Server::open(&file, REGION, ACCOUNT);
    assert!(matches!(refused, Err(S3ServerError::File { .. })), "{refused:?}");
}
