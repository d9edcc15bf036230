//! The gate of one service: who may send it requests, and from when on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, Request, Response};
use tokio::sync::watch;

use crate::credentials::{Credentials, tag_of};
use crate::origin::{check_origin, is_of_browser};
use crate::refusal::Refusal;
use crate::service::Service;
use crate::signature::{Claim, Refused};

/// The time that the body of a signed request may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How long a request waits for the doors to open.
const DOORS_TIME: Duration = Duration::from_secs(30);

/// The key that signed a request. A request of this process itself, or of an open gate, has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub access_key_id: String,
}

impl Caller {
    /// Returns the tag of a derived key.
    pub fn tag(&self) -> Option<&str> {
        tag_of(&self.access_key_id)
    }
}

/// Marks a request to S3 whose form or older signature the server itself must check.
#[derive(Debug, Clone, Copy)]
pub struct Unverified;

/// Opens the gates that wait for it.
#[derive(Debug)]
pub struct Doors {
    opened: watch::Sender<bool>,
    any_signer: Arc<AtomicBool>,
}

impl Default for Doors {
    fn default() -> Self {
        Self { opened: watch::Sender::new(false), any_signer: Arc::default() }
    }
}

impl Doors {
    /// Lets requests in, those that wait first. Nothing changes the second time.
    pub fn open(&self) {
        self.opened.send_replace(true);
    }

    /// Accepts requests that a key of the user at AWS signed, which nothing here can check.
    ///
    /// Web pages stay out: none can send a signature without asking first.
    pub fn accept_any_signer(&self) {
        self.any_signer.store(true, Ordering::Relaxed);
    }
}

/// Decides which requests reach a service.
#[derive(Debug, Clone)]
pub struct Gate {
    /// The service, unless the server behind the gate checks everything itself.
    service: Option<Service>,
    credentials: Option<Credentials>,
    doors: Option<watch::Receiver<bool>>,
    any_signer: Arc<AtomicBool>,
}

impl Gate {
    /// Makes a gate that keeps web pages out and accepts every key.
    pub fn open(service: Service) -> Self {
        Self { service: Some(service), ..Self::ajar() }
    }

    /// Makes a gate that lets all in, for a server that checks requests itself.
    pub fn ajar() -> Self {
        Self { service: None, credentials: None, doors: None, any_signer: Arc::default() }
    }

    /// Makes a gate that accepts these credentials and those derived from them, once `doors` open.
    pub fn locked(service: Service, credentials: Credentials, doors: &Doors) -> Self {
        Self {
            service: Some(service),
            credentials: Some(credentials),
            doors: Some(doors.opened.subscribe()),
            any_signer: Arc::clone(&doors.any_signer),
        }
    }

    /// Returns the credentials that are accepted, if not every key is.
    pub fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// Returns a request that is let in, or the answer to one that is not.
    pub async fn admit(&self, request: Request<Body>) -> Result<Request<Body>, Response<Body>> {
        let Some(service) = self.service else { return Ok(request) };
        self.check(service, request).await.map_err(|refusal| {
            tracing::debug!(?service, %refusal, "a request is not let in");
            refusal.response(service)
        })
    }

    /// Returns true if the server behind the gate may refuse a request as a stranger's.
    pub(crate) fn is_ajar(&self) -> bool {
        self.service.is_none()
    }

    async fn check(
        &self,
        service: Service,
        request: Request<Body>,
    ) -> Result<Request<Body>, Refusal> {
        // Runtimes write their requests by hand, some with a `Host` that means nothing.
        if service != Service::Runtime || is_of_browser(request.headers()) {
            check_origin(request.headers())?;
        }
        let request = match &self.credentials {
            Some(credentials) => {
                let any_signer = self.any_signer.load(Ordering::Relaxed);
                authenticated(service, request, credentials, any_signer).await?
            }
            None => request,
        };
        if let Some(doors) = &self.doors {
            let mut doors = doors.clone();
            let opened = tokio::time::timeout(DOORS_TIME, doors.wait_for(|is_open| *is_open)).await;
            if !matches!(opened, Ok(Ok(_))) {
                return Err(Refusal::Starting);
            }
        }
        Ok(request)
    }
}

/// Checks the signature of a request, and notes whose it is.
async fn authenticated(
    service: Service,
    request: Request<Body>,
    credentials: &Credentials,
    any_signer: bool,
) -> Result<Request<Body>, Refusal> {
    let (mut head, body) = request.into_parts();
    if service == Service::S3 && is_checked_by_the_server(&head) {
        head.extensions.insert(Unverified);
        return Ok(Request::from_parts(head, body));
    }
    // The body is read only after the head is accepted, so a stranger cannot send a large one.
    let claim = match Claim::read(&head, service.scope(), credentials, now_ms()) {
        Err(Refused::UnknownKey) if any_signer && service.has_own_port() => {
            return Ok(Request::from_parts(head, body));
        }
        read => read?,
    };
    let body = if service == Service::S3 {
        claim.verify_head(&head, credentials)?;
        body
    } else {
        let read = to_bytes(body, service.body_bytes());
        let bytes = match tokio::time::timeout(BODY_TIME, read).await {
            Ok(read) => read.map_err(|_| Refusal::TooLarge)?,
            Err(_) => return Err(Refusal::TooSlow),
        };
        claim.verify(&head, &bytes, credentials)?;
        Body::from(bytes)
    };
    head.extensions.insert(Caller { access_key_id: claim.access_key_id().to_owned() });
    Ok(Request::from_parts(head, body))
}

/// Returns true for a form of a presigned POST, and for a URL that is signed by version 2.
///
/// The signature of a form is in its fields. boto3 signs URLs by version 2 unless told otherwise.
fn is_checked_by_the_server(head: &Parts) -> bool {
    if head.headers.contains_key(AUTHORIZATION) {
        return false;
    }
    let content_type = head.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_form = head.method == Method::POST
        && content_type.is_some_and(|name| name.starts_with(b"multipart/form-data"));
    let names = head.uri.query().into_iter().flat_map(|query| query.split('&'));
    is_form || names.filter_map(|pair| pair.split('=').next()).any(|name| name == "AWSAccessKeyId")
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
