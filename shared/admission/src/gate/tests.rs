//! Requests as they come over the wire, to a gate and its server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::{Answer, Caller, Credentials, Doors, Gate, Limits, Service, serve, sign};
use axum::body::Body;
use axum::http::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Long enough for a busy machine; nothing is asserted on the time itself.
const LONG: Duration = Duration::from_mins(1);
const LIMITS: Limits = Limits { connections: 4, head: LONG };

/// Starts a server that answers with the tag of the caller's key.
async fn start(gate: Gate, limits: Limits) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer: Answer = Arc::new(|request: Request<Body>| {
        let caller = request.extensions().get::<Caller>().cloned();
        let tag = caller.as_ref().map_or("none", |caller| caller.tag().unwrap_or("root"));
        let answer = Response::new(Body::from(format!("caller {tag}")));
        Box::pin(async move { answer })
    });
    tokio::spawn(serve(listener, limits, gate, answer, std::future::pending()));
    address
}

/// Starts a server whose doors are open for one key.
async fn locked(service: Service, credentials: &Credentials) -> SocketAddr {
    let doors = Doors::default();
    doors.open();
    let gate = Gate::locked(service, credentials.clone(), &doors);
    // The doors stay as they are, also without the value that opened them.
    start(gate, LIMITS).await
}

/// Sends bytes, and returns the whole answer in lower case.
async fn exchange(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(LONG, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap().to_lowercase()
}

/// Returns a request that these credentials sign.
fn signed(
    address: SocketAddr,
    service: Service,
    credentials: &Credentials,
    (method, path): (&str, &str),
    body: &str,
) -> String {
    let url = format!("http://{address}{path}");
    let headers = [("x-amz-target", "Any.Operation")];
    let added = sign(credentials, service, (method, &url), &headers, body.as_bytes());
    assert!(!added.is_empty());
    let lines: Vec<_> = added.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let proof = lines.concat();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nx-amz-target: Any.Operation\r\n{proof}Content-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn a_runtime_may_name_any_host_and_a_browser_may_not() {
    let address = start(Gate::open(Service::Runtime), LIMITS).await;
    for (host, header, status) in [
        ("x", "Accept: */*", "200"),
        ("evil.example", "User-Agent: Mozilla/5.0", "421"),
        ("evil.example", "Sec-Fetch-Site: same-origin", "421"),
        ("127.0.0.1", "Origin: http://evil.example", "403"),
    ] {
        let request =
            format!("GET / HTTP/1.1\r\nHost: {host}\r\n{header}\r\nConnection: close\r\n\r\n");
        let answer = exchange(address, &request).await;
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{host}, {header}: {answer}");
    }
}

#[tokio::test]
async fn a_key_and_its_derived_keys_are_let_in_and_no_other() {
    let (root, other) = (Credentials::generate(), Credentials::generate());
    let guessed =
        Credentials { secret_access_key: other.secret_access_key.clone(), ..root.clone() };
    for service in [Service::S3, Service::DynamoDb, Service::Lambda, Service::Sqs] {
        let address = locked(service, &root).await;
        let cases = [
            (&root, "caller root"),
            (&root.derived("e7"), "caller e7"),
            (&other, "invalid"),
            (&other.derived("e7"), "invalid"),
            (&guessed, "does not match"),
            (&Credentials::default(), "invalid"),
        ];
        for (credentials, said) in cases {
            for path in ["/", "/a/b%20c?list-type=2&prefix=x%2Fy"] {
                let request = signed(address, service, credentials, ("POST", path), "body");
                let answer = exchange(address, &request).await;
                assert!(answer.contains(said), "{service:?} {said}: {answer}");
            }
        }
        let request = signed(address, service, &root, ("POST", "/"), "body");
        for (from, to) in [("POST /", "PUT /"), ("Any.Operation", "Other.Operation")] {
            let answer = exchange(address, &request.replace(from, to)).await;
            assert!(answer.contains("does not match"), "{service:?} {from}: {answer}");
        }
    }
}

#[tokio::test]
async fn web_pages_and_foreign_names_are_kept_out_of_every_service() {
    let root = Credentials::generate();
    for service in [Service::S3, Service::DynamoDb, Service::Lambda, Service::Sqs] {
        let address = locked(service, &root).await;
        let good = signed(address, service, &root, ("POST", "/"), "body");
        let with =
            |line: &str| good.replace("Connection: close", &format!("{line}\r\nConnection: close"));
        let unsigned = format!("POST /inbox/ HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        let cases = [
            (good.replace(&format!("Host: {address}"), "Host: evil.example"), "421"),
            (with("Host: evil.example"), "421"),
            (with("Origin: http://evil.example"), "403"),
            (with("Origin: null"), "403"),
            (with("Sec-Fetch-Site: cross-site"), "403"),
            (with("Sec-Fetch-Site: same-site"), "403"),
            (
                format!(
                    "OPTIONS / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nOrigin: http://evil.example\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,x-amz-target\r\n\r\n"
                ),
                "403",
            ),
            (format!("{unsigned}Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{{}}"), "40"),
            (format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"), "40"),
            ("GET / HTTP/1.0\r\n\r\n".to_owned(), "421"),
        ];
        for (request, status) in cases {
            let answer = exchange(address, &request).await;
            let said = answer.split_whitespace().nth(1).unwrap();
            assert!(said.starts_with(status), "{service:?} {status} {request}: {answer}");
            assert!(!answer.contains("access-control-"), "{answer}");
            assert!(!answer.contains("caller"), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_presigned_url_is_good_for_its_object_and_its_key() {
    let root = Credentials::generate();
    let address = locked(Service::S3, &root).await;
    let url = |credentials: &Credentials, path: &str| presigned(address, credentials, path);
    let get = |target: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
    };
    let good = url(&root, "/bucket/a%20b");
    assert!(exchange(address, &get(&good)).await.contains("caller root"));
    let wrong = [
        good.replace("a%20b", "other"),
        good.replace("X-Amz-Expires=60", "X-Amz-Expires=61"),
        good.replace("X-Amz-Signature=", "X-Amz-Signature=0"),
        url(&Credentials::generate(), "/bucket/a%20b"),
    ];
    for target in wrong {
        let answer = exchange(address, &get(&target)).await;
        assert!(answer.starts_with("http/1.1 403"), "{target}: {answer}");
    }
}

/// Returns the target of a presigned GET.
fn presigned(address: SocketAddr, credentials: &Credentials, path: &str) -> String {
    use aws_sigv4::http_request::{
        PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
        UriPathNormalizationMode, sign,
    };
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(Duration::from_mins(1));
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let Credentials { access_key_id, secret_access_key } = credentials;
    let identity = aws_credential_types::Credentials::new(
        access_key_id,
        secret_access_key,
        None,
        None,
        "test",
    )
    .into();
    let params = aws_sigv4::sign::v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("s3")
        .time(std::time::SystemTime::now())
        .settings(settings)
        .build()
        .unwrap()
        .into();
    let url = format!("http://{address}{path}");
    let none = std::iter::empty();
    let request = SignableRequest::new("GET", &url, none, SignableBody::UnsignedPayload).unwrap();
    let (instructions, _) = sign(request, &params).unwrap().into_parts();
    let encode = |text: &str| text.replace('/', "%2F").replace(';', "%3B");
    let pairs: Vec<_> = instructions
        .params()
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    format!("{path}?{}", pairs.join("&"))
}

#[tokio::test]
async fn keys_of_aws_are_accepted_only_where_a_function_has_them() {
    let (root, other, doors) = (Credentials::generate(), Credentials::generate(), Doors::default());
    doors.open();
    let gate = Gate::locked(Service::S3, root.clone(), &doors);
    let address = start(gate, LIMITS).await;
    let foreign = signed(address, Service::S3, &other, ("PUT", "/inbox/a"), "body");
    assert!(exchange(address, &foreign).await.starts_with("http/1.1 403"));
    doors.accept_any_signer();
    assert!(exchange(address, &foreign).await.contains("caller none"));
    let unsigned = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    assert!(exchange(address, &unsigned).await.starts_with("http/1.1 403"));
    let page =
        foreign.replace("Connection: close", "Origin: http://evil.example\r\nConnection: close");
    assert!(exchange(address, &page).await.starts_with("http/1.1 403"));
}

#[tokio::test]
async fn silent_connections_keep_no_place_from_a_client() {
    let root = Credentials::generate();
    let address = locked(Service::Sqs, &root).await;
    let mut silent = Vec::new();
    for number in 0..12 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            // Half of a head is no more than none.
            stream.write_all(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A").await.unwrap();
        }
        silent.push(stream);
        let request = signed(address, Service::Sqs, &root, ("POST", "/"), "body");
        assert!(exchange(address, &request).await.contains("caller root"), "after {number}");
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_its_connection() {
    let limits = Limits { head: Duration::from_millis(50), ..LIMITS };
    let address = start(Gate::open(Service::Runtime), limits).await;
    for begun in ["", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A"] {
        assert_eq!(exchange(address, begun).await, "");
    }
}

#[tokio::test]
async fn requests_wait_until_the_doors_open() {
    let (root, doors) = (Credentials::generate(), Doors::default());
    let gate = Gate::locked(Service::S3, root.clone(), &doors);
    let address = start(gate, LIMITS).await;
    let request = signed(address, Service::S3, &root, ("PUT", "/inbox/a"), "body");
    let early = tokio::spawn(async move { exchange(address, &request).await });
    // The request is there, and has no answer.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!early.is_finished());
    doors.open();
    assert!(early.await.unwrap().contains("caller root"));
}
