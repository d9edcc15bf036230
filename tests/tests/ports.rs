//! The S3 adapter passes the suite of the port, against the embedded S3 over HTTP.

#![expect(clippy::unwrap_used, reason = "a test may")]

use sidestep_aws::local_config;
use sidestep_aws::object::S3ObjectStore;
use sidestep_core::uri::S3Uri;
use sidestep_engine::object::{ObjectStore, StoreError, stream_of};
use sidestep_local::s3::S3Server;
use sidestep_testkit::object::suite;
use tokio::net::TcpListener;

/// An embedded S3 with one bucket, for as long as the folder lives.
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
