//! The one address of `up` and `serve`, on which all services are.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};

use crate::output::error::{CommandError, user};

/// The port that users of LocalStack know.
const PORT: u16 = 4566;

/// Binds the address that the user names, or else port 4566 where it is free.
pub(crate) async fn bind(listen: Option<SocketAddr>) -> Result<TcpListener, CommandError> {
    let Some(address) = listen else { return bind_default().await };
    TcpListener::bind(address).await.map_err(|error| {
        user(format!("could not serve the API on {address}: {error}"))
            .hint("choose another address with `--listen`; without it a free port is taken")
    })
}

async fn bind_default() -> Result<TcpListener, CommandError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, PORT));
    // Some systems let two servers have one port, if only one of them has all addresses.
    if TcpStream::connect(address).await.is_err()
        && let Ok(listener) = TcpListener::bind(address).await
    {
        return Ok(listener);
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let taken = listener.local_addr()?.port();
    eprintln!("note: port {PORT} is in use: this command serves on port {taken}");
    Ok(listener)
}

/// Returns the URL of a listener.
pub(crate) fn url(listener: &TcpListener) -> Result<String, CommandError> {
    Ok(format!("http://{}", listener.local_addr()?))
}
