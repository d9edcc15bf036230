//! A proxy between a client and a service. It passes requests on, or breaks them as a test says.
//!
//! The client does not know of it, so tests use the real adapters and the real commands.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the proxy does to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestFault {
    Pass,
    /// The request never reaches the service, which seems to answer with this status.
    Refuse(StatusCode),
    /// The request never reaches the service, which seems to answer with this status and error
    /// code, as AWS's JSON services do.
    Error(StatusCode, &'static str),
    /// The service handles the request, and the answer says that it failed.
    Lose(StatusCode),
    /// The request never reaches the service, and no answer comes.
    HangBefore,
    /// The service handles the request, and no answer comes.
    HangAfter,
}

/// A request, as a rule sees it.
#[derive(Debug)]
pub struct Asked<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

impl Asked<'_> {
    /// Returns the operation, if a header names it, such as `DynamoDB_20120810.PutItem`.
    pub fn operation(&self) -> Option<&str> {
        let target = self.headers.get("x-amz-target")?.to_str().ok()?;
        target.rsplit('.').next()
    }
}

type Rule = Box<dyn FnMut(&Asked<'_>) -> RequestFault + Send>;

/// A running proxy. Clones are handles to the same one.
#[derive(Clone)]
pub struct Proxy {
    endpoint: String,
    rule: Arc<Mutex<Rule>>,
    hanging: watch::Sender<u32>,
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Wire {
    rule: Arc<Mutex<Rule>>,
    hanging: watch::Sender<u32>,
    client: Client<HttpConnector, Body>,
    /// The service, without a slash at the end.
    to: String,
}

impl Proxy {
    /// Serves on loopback, on any port, for as long as the runtime lives. Everything passes until
    /// [`Proxy::set`].
    pub async fn serve(to: &str) -> std::io::Result<Self> {
        Self::serve_at(to, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// Serves like [`Proxy::serve`], at a given address.
    pub async fn serve_at(to: &str, address: SocketAddr) -> std::io::Result<Self> {
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_| RequestFault::Pass)));
        let listener = TcpListener::bind(address).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let client = Client::builder(TokioExecutor::new()).build_http();
        let to = to.trim_end_matches('/').to_owned();
        let hanging = watch::Sender::new(0);
        let wire = Wire { rule: Arc::clone(&rule), hanging: hanging.clone(), client, to };
        let app = Router::new().fallback(pass).with_state(wire);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { endpoint, rule, hanging })
    }

    /// Returns the proxy's endpoint.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Returns a counter of the requests that hang, before the service or after it has handled
    /// them.
    pub fn hanging(&self) -> watch::Receiver<u32> {
        self.hanging.subscribe()
    }

    /// Sets what happens to each request from now on.
    pub fn set(&self, rule: impl FnMut(&Asked<'_>) -> RequestFault + Send + 'static) {
        *self.rule.lock() = Box::new(rule);
    }
}

async fn pass(State(wire): State<Wire>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        // The client left.
        return StatusCode::BAD_REQUEST.into_response();
    };
    let fault = {
        let (method, uri, headers) = (&parts.method, &parts.uri, &parts.headers);
        let asked = Asked { method, uri, headers, body: &body };
        (wire.rule.lock())(&asked)
    };
    match fault {
        RequestFault::Refuse(status) => return refusal(status),
        RequestFault::Error(status, code) => {
            return ([("x-amzn-errortype", code)], refusal(status)).into_response();
        }
        RequestFault::HangBefore => return wire.hang().await,
        _ => {}
    }
    let request = Request::from_parts(parts, Body::from(body));
    // By a task of its own: what has reached the service is done, whether the client waits for it
    // or leaves.
    let done = tokio::spawn(async move {
        let answer = wire.forward(request).await;
        match fault {
            RequestFault::Lose(status) => {
                drop(to_bytes(answer.into_body(), usize::MAX).await);
                refusal(status)
            }
            RequestFault::HangAfter => {
                drop(to_bytes(answer.into_body(), usize::MAX).await);
                wire.hang().await
            }
            _ => answer,
        }
    });
    done.await.unwrap_or_else(|_| refusal(StatusCode::BAD_GATEWAY))
}

impl Wire {
    async fn forward(&self, mut request: Request) -> Response {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let Ok(uri) = format!("{}{path}", self.to).parse::<Uri>() else {
            return refusal(StatusCode::BAD_REQUEST);
        };
        *request.uri_mut() = uri;
        for header in [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            // The body is whole by now.
            request.headers_mut().remove(header);
        }
        let answer = self.client.request(request).await;
        answer.map_or_else(|_| refusal(StatusCode::BAD_GATEWAY), |answer| answer.map(Body::new))
    }

    async fn hang(&self) -> Response {
        self.hanging.send_modify(|count| *count += 1);
        std::future::pending().await
    }
}

/// Returns an empty answer with this status, as a load balancer does.
fn refusal(status: StatusCode) -> Response {
    (status, Bytes::new()).into_response()
}
