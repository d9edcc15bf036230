//! Where the one address listens.

use std::io;
use std::net::Ipv4Addr;

use tokio::net::TcpListener;

/// The listeners of the one address, and its URL on loopback.
#[derive(Debug)]
pub(crate) struct OneAddress {
    pub(crate) listeners: Vec<TcpListener>,
    pub(crate) url: String,
}

impl OneAddress {
    /// Takes a listener, or a free port of loopback.
    ///
    /// Adds one on loopback where the given one is not, because the gates refuse other hosts.
    pub(crate) async fn of(given: Option<TcpListener>) -> io::Result<Self> {
        let mut listeners: Vec<_> = given.into_iter().collect();
        let is_inside = match listeners.first() {
            Some(listener) => listener.local_addr()?.ip().is_loopback(),
            None => false,
        };
        if !is_inside {
            listeners.insert(0, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        }
        let url = format!("http://{}", listeners[0].local_addr()?);
        Ok(Self { listeners, url })
    }
}
