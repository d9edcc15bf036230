//! Keeps web pages out: a foreign `Host`, `Origin` or `Sec-Fetch-Site` is refused.
//!
//! A page may send simple requests to any port of this machine, and its owner may point a name of
//! theirs at 127.0.0.1 (DNS rebinding). Browsers say so in these headers, and a page cannot change
//! them. No program that is not a browser sends them.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN, REFERER, USER_AGENT};
use axum::http::{HeaderMap, HeaderValue};

/// The most characters of a header that an error shows.
const SHOWN: usize = 80;

/// A request that a web page, or a name of another machine, is behind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Foreign {
    #[error("Host '{0}' is not a loopback name.")]
    Host(String),
    #[error("Requests of web pages are not served: {0}.")]
    Page(String),
}

/// Checks that a request names this machine and that no web page sent it.
pub fn check_origin(headers: &HeaderMap) -> Result<(), Foreign> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !is_loopback(host) || hosts.next().is_some() {
        return Err(Foreign::Host(shown(host)));
    }
    for origin in headers.get_all(ORIGIN) {
        if origin.as_bytes() != format!("http://{host}").as_bytes() {
            return Err(Foreign::Page(header("Origin", origin.as_bytes())));
        }
    }
    for site in headers.get_all("sec-fetch-site") {
        if !matches!(site.as_bytes(), b"none" | b"same-origin") {
            return Err(Foreign::Page(header("Sec-Fetch-Site", site.as_bytes())));
        }
    }
    Ok(())
}

/// Returns true if a browser sent the request. Every one says so, and no page can change it.
pub(crate) fn is_of_browser(headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).map(HeaderValue::as_bytes);
    [ORIGIN.as_str(), REFERER.as_str(), "sec-fetch-site"].iter().any(|it| headers.contains_key(*it))
        || agent.is_some_and(|agent| agent.starts_with(b"Mozilla/"))
}

/// Returns true for a host that names this machine, with or without a port.
pub fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost")
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn header(name: &str, value: &[u8]) -> String {
    format!("{name} '{}'", shown(&String::from_utf8_lossy(value)))
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_others_could_point_here_is_not_loopback() {
        for host in ["127.0.0.1:4000", "localhost", "[::1]:4000", "sagemaker.localhost:1"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["evil.example:4000", "localhost.evil.example", "10.0.0.1", "", "[::2]:1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn what_a_browser_says_of_a_page_is_believed() {
        let check = |headers: &[(&'static str, &str)]| {
            let headers = headers.iter().map(|(name, value)| {
                (name.parse().expect("a name"), value.parse().expect("a value"))
            });
            check_origin(&headers.collect())
        };
        let host = ("host", "127.0.0.1:4000");
        let served: [&[(&str, &str)]; 4] = [
            &[host],
            &[host, ("sec-fetch-site", "none")],
            &[host, ("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:4000")],
            &[("host", "b.localhost:4000")],
        ];
        for headers in served {
            assert_eq!(check(headers), Ok(()), "{headers:?}");
        }
        let refused: [&[(&str, &str)]; 10] = [
            &[],
            &[("host", "evil.example")],
            &[("host", "evil.example:4000"), ("origin", "http://evil.example:4000")],
            &[host, ("host", "evil.example")],
            &[host, ("origin", "http://evil.example")],
            &[host, ("origin", "null")],
            &[host, ("origin", "https://127.0.0.1:4000")],
            &[host, ("origin", "http://127.0.0.1:5000")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site")],
        ];
        for headers in refused {
            assert!(check(headers).is_err(), "{headers:?}");
        }
    }
}
