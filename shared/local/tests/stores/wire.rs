//! Bare HTTP: what the SDK never sends, or sends only elsewhere.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::cloud::{BUCKET, Cloud, LARGE, content, until};

/// Sends a request, and returns the status and the rest of the answer.
pub(crate) async fn send(cloud: &Cloud, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(cloud.address).await.unwrap();
    let head = format!("{head}\r\nHost: {}\r\nConnection: close\r\n\r\n", cloud.address);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer[9..12].parse().unwrap(), answer)
}

const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=x/20200101/r/s3/aws4_request, \
    SignedHeaders=host, Signature=0000";

#[tokio::test]
async fn unsigned_presigned_and_wrongly_signed_requests_are_served() {
    let cloud = Cloud::start().await;
    let put = format!("PUT /{BUCKET}/k HTTP/1.1\r\nContent-Length: 5");
    assert_eq!(send(&cloud, &put, b"hello").await.0, 200);
    let get = format!("GET /{BUCKET}/k HTTP/1.1\r\n{SIGNED}");
    assert!(send(&cloud, &get, b"").await.1.ends_with("hello"));
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20200101T000000Z&X-Amz-Expires=1&X-Amz-Signature=0";
    let get = format!("GET /{BUCKET}/k?{query}&response-content-type=text%2Fcsv HTTP/1.1");
    let (status, answer) = send(&cloud, &get, b"").await;
    assert_eq!(status, 200);
    assert!(answer.contains("content-type: text/csv"), "{answer}");
}

#[tokio::test]
async fn a_signed_chunked_upload_is_unwrapped_and_its_trailer_verified() {
    let cloud = Cloud::start().await;
    let signature = "0".repeat(64);
    let cases = [("NhCmhg==", 200), ("AAAAAA==", 400)];
    for (crc32, expected) in cases {
        let body = format!(
            "3;chunk-signature={signature}\r\nhel\r\n2;chunk-signature={signature}\r\nlo\r\n\
             0;chunk-signature={signature}\r\nx-amz-checksum-crc32:{crc32}\r\n\
             x-amz-trailer-signature:{signature}\r\n\r\n"
        );
        let head = format!(
            "PUT /{BUCKET}/{expected} HTTP/1.1\r\n{SIGNED}\r\nContent-Length: {}\r\n\
             Content-Encoding: aws-chunked\r\nX-Amz-Decoded-Content-Length: 5\r\nX-Amz-Trailer: x-amz-checksum-crc32\r\n\
             X-Amz-Content-SHA256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            body.len()
        );
        let (status, answer) = send(&cloud, &head, body.as_bytes()).await;
        assert_eq!(status, expected, "{answer}");
    }
    assert_eq!(cloud.get("200").await.unwrap(), b"hello");
    assert_eq!(cloud.get("400").await.unwrap_err(), "NoSuchKey");
}

#[tokio::test]
async fn a_payload_that_is_not_the_signed_one_leaves_no_object() {
    let cloud = Cloud::start().await;
    let hash = "0".repeat(64);
    let head = format!(
        "PUT /{BUCKET}/k HTTP/1.1\r\n{SIGNED}\r\nContent-Length: 5\r\nX-Amz-Content-SHA256: {hash}"
    );
    let (status, answer) = send(&cloud, &head, b"hello").await;
    assert_eq!(status, 400);
    assert!(answer.contains("<Code>XAmzContentSHA256Mismatch</Code>"), "{answer}");
    assert_eq!(cloud.get("k").await.unwrap_err(), "NoSuchKey");
}

#[tokio::test]
async fn an_upload_cut_off_in_the_middle_leaves_nothing() {
    let cloud = Cloud::start().await;
    let body = content(LARGE);
    let head = format!(
        "PUT /{BUCKET}/k HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n",
        2 * body.len()
    );
    let mut stream = TcpStream::connect(cloud.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.unwrap();
    until("the upload has begun a blob", async || cloud.blobs() == 1).await;
    drop(stream);
    until("the blob is gone", async || cloud.blobs() == 0).await;
    assert_eq!(cloud.get("k").await.unwrap_err(), "NoSuchKey");
}

#[tokio::test]
async fn nonsense_is_refused_with_an_error_of_s3() {
    let cloud = Cloud::start().await;
    let cases = [
        (format!("PUT /{BUCKET}/%FF HTTP/1.1\r\nContent-Length: 0"), 400),
        (format!("GET /{BUCKET}/k?versionId=7 HTTP/1.1"), 404),
        (format!("GET /{BUCKET}?acl HTTP/1.1"), 501),
        (format!("PUT /{BUCKET}?versioning HTTP/1.1\r\nContent-Length: 9"), 400),
        (format!("GET /{BUCKET}?max-keys=-1 HTTP/1.1"), 400),
        (format!("PUT /{BUCKET}/k HTTP/1.1\r\nContent-Length: 0\r\nIf-None-Match: \"x\""), 501),
        ("PUT /B/k HTTP/1.1\r\nContent-Length: 0".to_owned(), 400),
    ];
    for (head, expected) in cases {
        let (status, answer) = send(&cloud, &head, b"<nothing>").await;
        assert_eq!(status, expected, "{head}: {answer}");
        assert!(answer.contains("<Code>"), "{head}: {answer}");
    }
}
