//! An embedded S3 for one test, and its client.

use std::fmt::Debug;
use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use sidestep_local::s3::{S3Server, S3ServerError};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) const BUCKET: &str = "bucket";
pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const ACCOUNT: &str = "000000000000";

const DEADLINE: Duration = Duration::from_mins(1);

/// Larger than what the index holds inline, so the content is in a blob of its own.
pub(crate) const LARGE: usize = 100_000;

pub(crate) struct Cloud {
    pub(crate) s3: S3Server,
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    folder: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Cloud {
    /// Starts an S3 in a new folder, with one bucket.
    pub(crate) async fn start() -> Self {
        let cloud = Self::serve(tempfile::tempdir().unwrap()).await;
        cloud.s3.create_bucket(BUCKET).await.unwrap();
        cloud
    }

    /// Stops the server, and starts one on the same folder.
    pub(crate) async fn restart(self) -> Self {
        let Self { s3, client, folder, stop, served, .. } = self;
        drop((s3, client));
        stop.send(()).unwrap();
        served.await.unwrap().unwrap();
        Self::serve(folder).await
    }

    async fn serve(folder: tempfile::TempDir) -> Self {
        let s3 = open(&store(folder.path())).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shared = s3.clone();
        let served =
            tokio::spawn(
                async move { shared.serve(listener, async { drop(stopped.await) }).await },
            );
        Self { s3, client: client(address), address, folder, stop, served }
    }

    pub(crate) fn put(&self, key: &str, body: impl Into<Vec<u8>>) -> PutObjectFluentBuilder {
        let body = ByteStream::from(body.into());
        self.client.put_object().bucket(BUCKET).key(key).body(body)
    }

    /// Returns an object's content, or S3's error code.
    pub(crate) async fn get(&self, key: &str) -> Result<Vec<u8>, String> {
        let found = self
            .client
            .get_object()
            .bucket(BUCKET)
            .key(key)
            .send()
            .await
            .map_err(|error| code(&error))?;
        Ok(found.body.collect().await.unwrap().to_vec())
    }

    pub(crate) fn blob_folder(&self) -> PathBuf {
        store(self.folder.path()).join("blobs")
    }

    /// Returns how many blobs are on disk.
    pub(crate) fn blobs(&self) -> usize {
        std::fs::read_dir(self.blob_folder()).unwrap().count()
    }
}

/// Returns the store's folder below a test's folder.
pub(crate) fn store(folder: &Path) -> PathBuf {
    folder.join("s3")
}

/// Opens a store as soon as its last owner let go.
///
/// A connection may outlive its server for an instant.
pub(crate) async fn open(dir: &Path) -> S3Server {
    let mut opened = None;
    until("the store is free", async || {
        match S3Server::open(dir, REGION, ACCOUNT) {
            Ok(s3) => opened = Some(s3),
            Err(S3ServerError::InUse { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
        opened.is_some()
    })
    .await;
    opened.unwrap()
}

pub(crate) fn client(address: SocketAddr) -> Client {
    let endpoint = format!("http://{address}");
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(sidestep_aws::plain_http_client())
        .endpoint_url(endpoint)
        .region(Region::new(REGION))
        .credentials_provider(Credentials::new("any", "thing", None, None, "test"))
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

/// Returns S3's error code, or the status where there is no body to hold one.
pub(crate) fn code<E: ProvideErrorMetadata + Debug>(error: &SdkError<E>) -> String {
    match (error.code(), error.raw_response()) {
        (Some(code), _) => code.to_owned(),
        (None, Some(response)) => response.status().as_u16().to_string(),
        (None, None) => panic!("no answer: {error:?}"),
    }
}

/// Asks again and again until the answer is yes, but not for ever.
pub(crate) async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !ask().await {
        assert!(start.elapsed() < DEADLINE, "waited too long until {what}");
        tokio::task::yield_now().await;
    }
}

/// Waits for something that must happen, but not for ever.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("it happens before the deadline")
}

/// Returns content in which every byte says where it is.
pub(crate) fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect()
}
