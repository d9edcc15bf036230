//! The adapters over S3, Lambda and SQS pass the suites of their ports.
//!
//! The services are the embedded ones, over HTTP.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sidestep_aws::lambda::LambdaFunctions;
use sidestep_aws::local_config;
use sidestep_aws::object::S3ObjectStore;
use sidestep_aws::queue::SqsQueues;
use sidestep_core::name::FunctionName;
use sidestep_core::uri::S3Uri;
use sidestep_engine::ports::objects::{ObjectStore, StoreError, stream_of};
use sidestep_local::cloud::{Cloud, Ports, config_of};
use sidestep_local::lambda::{Code, FunctionConfig, InvocationMeta};
use sidestep_local::s3::S3Server;
use sidestep_local::sqs::SqsServer;
use sidestep_testkit::object::suite;
use sidestep_testkit::{function, queue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for a busy machine; nothing is asserted on the time itself.
const DEADLINE: Duration = Duration::from_mins(2);

/// Serves an embedded S3 with one bucket, for as long as the folder lives.
async fn serve() -> (S3ObjectStore, S3Server, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let server = S3Server::open(folder.path(), "us-east-1", "000000000000").unwrap();
    server.create_bucket("bucket").await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serving = server.clone();
    tokio::spawn(async move { serving.serve(listener, std::future::pending()).await });
    let config = local_config("us-east-1").into_builder().endpoint_url(endpoint).build();
    (S3ObjectStore::new(&config), server, folder)
}

#[tokio::test]
async fn s3_passes_the_suite() {
    let (store, _server, _folder) = serve().await;
    suite(&store, "bucket").await;
}

#[tokio::test]
async fn an_upload_is_one_request_up_to_a_part_and_leaves_no_parts_behind() {
    let (store, server, _folder) = serve().await;
    let uri = S3Uri::parse("s3://bucket/small").unwrap();
    store.upload(&uri, stream_of("small")).await.unwrap();
    let count = |operation: &str| server.counts().get(operation).copied().unwrap_or_default();
    assert_eq!((count("PutObject"), server.counts().len()), (1, 1), "{:?}", server.counts());

    let pieces = [Ok(vec![0; 17 << 20].into()), Err(std::io::Error::other("torn"))];
    let torn = Box::pin(futures::stream::iter(pieces));
    let uri = S3Uri::parse("s3://bucket/large").unwrap();
    let error = store.upload(&uri, torn).await.unwrap_err();
    assert!(matches!(error, StoreError::Source { .. }), "{error:?}");
    assert_eq!((count("CreateMultipartUpload"), count("AbortMultipartUpload")), (1, 1));
}

#[tokio::test]
async fn a_missing_bucket_is_an_error_of_its_own() {
    let (store, _server, _folder) = serve().await;
    let uri = S3Uri::parse("s3://other-bucket/key").unwrap();
    let errors = [
        store.list(&S3Uri::parse("s3://other-bucket/").unwrap(), 1).await.unwrap_err(),
        store.download(&uri).await.unwrap_err(),
        store.create(&uri, "x".into(), "text/plain").await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, StoreError::NoSuchBucket { .. }), "{error:?}");
        assert!(!error.retryable());
    }
}

#[tokio::test]
async fn a_store_that_is_not_there_is_worth_a_retry() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = local_config("us-east-1").into_builder().endpoint_url(endpoint).build();
    let uri = S3Uri::parse("s3://bucket/key").unwrap();
    let error = S3ObjectStore::new(&config).head(&uri).await.unwrap_err();
    assert!(error.retryable(), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lambda_passes_the_suite_of_functions() {
    let folder = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(folder.path(), Ports::default()).await.unwrap();
    let taken: Arc<Mutex<Vec<Value>>> = Arc::default();
    let register = |code: &str| {
        let taken = Arc::clone(&taken);
        let handler = move |event: Value, _: InvocationMeta| {
            taken.lock().unwrap().push(event);
            async { Ok(json!({})) }
        };
        let name = FunctionName::parse("known").unwrap();
        let mut config = FunctionConfig::new(name, Code::InProcess(Arc::new(handler)));
        code.clone_into(&mut config.code_sha256);
        cloud.lambda().register(config).unwrap();
    };
    register("code");
    let invoked = async |count| {
        let begun = Instant::now();
        while taken.lock().unwrap().len() < count {
            assert!(begun.elapsed() < DEADLINE, "{taken:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        std::mem::take(&mut *taken.lock().unwrap())
    };
    cloud.open_doors();
    let endpoint = cloud.endpoints().lambda.as_str();
    let base = config_of(&cloud.endpoints().credentials);
    let config = base.into_builder().endpoint_url(endpoint).build();
    function::suite(&LambdaFunctions::new(&config), "known", invoked, || register("other")).await;
}

/// Receives and deletes what a queue has to give now.
async fn receive(endpoint: &str, queue: &str) -> Vec<Value> {
    let mut bodies = Vec::new();
    loop {
        let asked = json!({"QueueUrl": queue, "MaxNumberOfMessages": 10});
        let answer = call(endpoint, "ReceiveMessage", &asked).await;
        let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
        if messages.is_empty() {
            return bodies;
        }
        for message in messages {
            bodies.push(serde_json::from_str(message["Body"].as_str().unwrap()).unwrap());
            let held = json!({"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]});
            call(endpoint, "DeleteMessage", &held).await;
        }
    }
}

async fn call(endpoint: &str, operation: &str, body: &Value) -> Value {
    let address = endpoint.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let body = body.to_string();
    let head = format!("POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close");
    let target = format!("X-Amz-Target: AmazonSQS.{operation}\r\nContent-Length: {}", body.len());
    stream.write_all(format!("{head}\r\n{target}\r\n\r\n{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, document) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(document).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn sqs_passes_the_suite_of_queues() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sqs = format!("http://{}", listener.local_addr().unwrap());
    let server = SqsServer::open(&folder.path().join("sqs.sqlite"), &sqs, "000000000000").unwrap();
    tokio::spawn(async move { server.serve(listener, std::future::pending()).await });
    let url = |name: &str| format!("https://sqs.us-east-1.amazonaws.com/000000000000/{name}");
    let (known, timers) = (url("known"), url("timers"));
    let config = local_config("us-east-1").into_builder().endpoint_url(&sqs).build();
    let queues = SqsQueues::new(&config, Some(timers.clone())).reporting_to(Some(timers.clone()));
    queues.create(&known).await.unwrap();
    queues.create(&timers).await.unwrap();
    let received = async || receive(&sqs, &known).await;
    queue::suite(&queues, &known, received, async || receive(&sqs, &timers).await).await;
}
