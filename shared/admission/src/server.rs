//! Serves HTTP/1.1 on a listener, with bounds on connections and on the time for a request's head.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use futures::future::BoxFuture;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::descriptors::connections_per_listener;
use crate::gate::Gate;
use crate::place::{Place, Places};

/// How long a connection may take for the head of its next request.
pub const IDLE: Duration = Duration::from_secs(20);
/// The wait after a failure to accept, such as a lack of descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Answers a request that was let in.
pub type Answer = Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Response<Body>> + Send + Sync>;

/// The bounds of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many connections may be open.
    pub connections: usize,
    /// How long a connection may take for the head of a request, also between two requests.
    pub head: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: connections_per_listener(), head: IDLE }
    }
}

/// Serves until `shutdown`, then finishes the requests that are running.
///
/// When the future is dropped, all connections end at once, as in a crash.
pub async fn serve(
    listener: TcpListener,
    limits: Limits,
    gate: Gate,
    answer: Answer,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let (places, stop) = (Places::new(limits.connections), CancellationToken::new());
    let gate = Arc::new(gate);
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            // The results are of no use, but they would pile up.
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::debug!(%error, "could not accept a connection");
                places.evict();
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        let place = tokio::select! {
            () = &mut shutdown => break,
            place = places.take() => place,
        };
        let (gate, answer) = (Arc::clone(&gate), Arc::clone(&answer));
        connections.spawn(connection(
            (stream, peer),
            limits.head,
            place,
            gate,
            answer,
            stop.clone(),
        ));
    }
    drop(listener);
    stop.cancel();
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Serves one connection until its client or the server ends it.
async fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    head: Duration,
    place: Place,
    gate: Arc<Gate>,
    answer: Answer,
    stop: CancellationToken,
) {
    if let Err(error) = stream.set_nodelay(true) {
        // Nagle's algorithm then holds small answers back for up to 40 ms.
        tracing::debug!(%error, "could not set TCP_NODELAY");
    }
    let (leave, place) = (place.leave.clone(), Arc::new(place));
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let (gate, answer, place) = (Arc::clone(&gate), Arc::clone(&answer), Arc::clone(&place));
        async move {
            let response = match gate.admit(request.map(Body::new)).await {
                Ok(request) => {
                    place.settle();
                    let response = answer(request).await;
                    if gate.is_ajar() && response.status().is_client_error() {
                        place.estrange();
                    }
                    response
                }
                Err(refusal) => refusal,
            };
            Ok::<_, Infallible>(response)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = leave.cancelled() => return,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
