//! Requests as they arrive: any signature is accepted, and `aws-chunked` bodies are unwrapped.
//!
//! The server listens on loopback only and knows no secrets, so a signature proves nothing here. It is dropped before
//! `s3s` sees it, because `s3s` can only verify. With it goes the framing of signed uploads, so that is decoded here:
//!
//! ```text
//! 5;chunk-signature=...\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n
//! ```
//!
//! Chunk signatures are ignored; lengths, payload hashes and checksums are verified where the body is consumed.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Uri, header};
use bytes::{Buf as _, Bytes, BytesMut};
use futures::TryStreamExt as _;
use tokio_util::codec::{Decoder, FramedRead};
use tokio_util::io::StreamReader;

/// The longest line of the framing: a chunk's head or one trailer.
const LINE_BYTES_MAX: usize = 8 * 1024;
const READ_BUFFER_BYTES: usize = 64 * 1024;

const DECODED_LENGTH: HeaderName = HeaderName::from_static("x-amz-decoded-content-length");
pub(crate) const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-amz-content-sha256");

/// Query parameters of a presigned URL, in lower case.
const SIGNATURE_PARAMETERS: [&str; 9] = [
    "x-amz-algorithm",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-expires",
    "x-amz-signedheaders",
    "x-amz-signature",
    "x-amz-security-token",
    "x-amz-content-sha256",
    "awsaccesskeyid",
];

/// The trailing headers of an `aws-chunked` body, filled in once the body has been read to its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trailers(Arc<Mutex<HeaderMap>>);

impl Trailers {
    /// Returns the trailer `name`, if the body had one.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let trailers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        trailers.get(name)?.to_str().ok().map(str::to_owned)
    }
}

/// Makes an unsigned, unframed request of any request.
pub(crate) fn unsigned(request: Request<Body>) -> Request<s3s::Body> {
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(header::AUTHORIZATION);
    parts.uri = without_signature(parts.uri);

    let is_chunked = parts
        .headers
        .get(CONTENT_SHA256)
        .is_some_and(|value| value.as_bytes().starts_with(b"STREAMING-"));
    if !is_chunked {
        return Request::from_parts(parts, s3s::Body::http_body_unsync(body));
    }

    // What the client says of the framed body; from here on it is about the object.
    match parts.headers.remove(DECODED_LENGTH) {
        Some(length) => parts.headers.insert(header::CONTENT_LENGTH, length),
        None => parts.headers.remove(header::CONTENT_LENGTH),
    };
    remove_aws_chunked(&mut parts.headers);

    let trailers = Trailers::default();
    parts.extensions.insert(trailers.clone());
    let reader = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let chunks = FramedRead::with_capacity(
        reader,
        AwsChunked { state: State::Head, trailers },
        READ_BUFFER_BYTES,
    );
    Request::from_parts(parts, s3s::Body::http_body_unsync(Body::from_stream(chunks)))
}

fn without_signature(uri: Uri) -> Uri {
    let Some(query) = uri.query() else { return uri };
    let is_version_2 = query.contains("AWSAccessKeyId=");
    let is_signature = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
        SIGNATURE_PARAMETERS.contains(&name.as_str())
            || (is_version_2 && ["signature", "expires"].contains(&name.as_str()))
    };
    let kept: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
    let path = uri.path();
    let target =
        if kept.is_empty() { path.to_owned() } else { format!("{path}?{}", kept.join("&")) };
    // A subset of a valid URI's query is valid; should it ever not be, the request goes on as it came.
    target.parse().unwrap_or(uri)
}

/// `aws-chunked` describes the transfer, and is not stored as the object's encoding.
fn remove_aws_chunked(headers: &mut HeaderMap) {
    let Some(value) = headers.remove(header::CONTENT_ENCODING) else { return };
    let Ok(encodings) = value.to_str() else { return };
    let kept: Vec<&str> =
        encodings.split(',').map(str::trim).filter(|e| *e != "aws-chunked").collect();
    if !kept.is_empty()
        && let Ok(value) = HeaderValue::from_str(&kept.join(","))
    {
        headers.insert(header::CONTENT_ENCODING, value);
    }
}

/// Decodes the framing, and keeps the trailers.
struct AwsChunked {
    state: State,
    trailers: Trailers,
}

enum State {
    Head,
    Data { left: usize },
    DataEnd,
    Trailer,
    End,
}

impl Decoder for AwsChunked {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Bytes>> {
        loop {
            self.state = match self.state {
                State::Head => {
                    let Some(line) = take_line(source)? else { return Ok(None) };
                    let size = line.split(';').next().unwrap_or_default().trim();
                    let size = usize::from_str_radix(size, 16).map_err(|_| malformed())?;
                    if size == 0 { State::Trailer } else { State::Data { left: size } }
                }
                State::Data { left } => {
                    if source.is_empty() {
                        return Ok(None);
                    }
                    let data = source.split_to(left.min(source.len())).freeze();
                    let left = left - data.len();
                    self.state = if left == 0 { State::DataEnd } else { State::Data { left } };
                    return Ok(Some(data));
                }
                State::DataEnd => match take_line(source)? {
                    Some(line) if line.is_empty() => State::Head,
                    Some(_) => return Err(malformed()),
                    None => return Ok(None),
                },
                State::Trailer => match take_line(source)? {
                    Some(line) if line.is_empty() => State::End,
                    Some(line) => {
                        self.keep_trailer(&line)?;
                        State::Trailer
                    }
                    None => return Ok(None),
                },
                State::End => {
                    source.clear();
                    return Ok(None);
                }
            }
        }
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> io::Result<Option<Bytes>> {
        match self.decode(source)? {
            Some(data) => Ok(Some(data)),
            // Some clients leave out the empty line that ends the trailers.
            None if matches!(self.state, State::End | State::Trailer) && source.is_empty() => {
                Ok(None)
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl AwsChunked {
    fn keep_trailer(&self, line: &str) -> io::Result<()> {
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        let name: HeaderName = name.trim().parse().map_err(|_| malformed())?;
        let value: HeaderValue = value.trim().parse().map_err(|_| malformed())?;
        let mut trailers = self.trailers.0.lock().unwrap_or_else(PoisonError::into_inner);
        trailers.try_insert(name, value).map_err(|_| malformed())?;
        Ok(())
    }
}

/// Takes a line up to `\r\n` off the front, or `None` if it has not arrived whole.
fn take_line(source: &mut BytesMut) -> io::Result<Option<String>> {
    let end = source.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n');
    match end {
        Some(end) => {
            let line = source.split_to(end);
            source.advance(1);
            let line = std::str::from_utf8(&line).map_err(|_| malformed())?;
            Ok(Some(line.trim_end_matches('\r').to_owned()))
        }
        None if source.len() >= LINE_BYTES_MAX => Err(malformed()),
        None => Ok(None),
    }
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "malformed aws-chunked body")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(wire: &[u8], step: usize) -> io::Result<(Vec<u8>, Option<String>)> {
        let trailers = Trailers::default();
        let mut decoder = AwsChunked { state: State::Head, trailers: trailers.clone() };
        let (mut source, mut payload) = (BytesMut::new(), Vec::new());
        for piece in wire.chunks(step) {
            source.extend_from_slice(piece);
            while let Some(data) = decoder.decode(&mut source)? {
                payload.extend_from_slice(&data);
            }
        }
        while let Some(data) = decoder.decode_eof(&mut source)? {
            payload.extend_from_slice(&data);
        }
        Ok((payload, trailers.get("x-amz-checksum-crc32")))
    }

    #[test]
    fn chunks_are_joined_wherever_the_network_cuts_them() {
        let wire =
            b"5;chunk-signature=ab\r\nhello\r\n1\r\n!\r\n0\r\nx-amz-checksum-crc32:AAAA\r\n\r\n";
        for step in 1..wire.len() {
            let (decoded, trailer) = decode(wire, step).unwrap();
            assert_eq!(decoded, b"hello!", "cut every {step} bytes");
            assert_eq!(trailer.as_deref(), Some("AAAA"), "cut every {step} bytes");
        }
    }

    #[test]
    fn malformed_and_cut_off_bodies_are_errors() {
        for wire in [
            &b"zz\r\nhello\r\n0\r\n\r\n"[..],
            b"5\r\nhel",
            b"5\r\nhelloworld",
            b"5\r\nhello\r\n",
            b"",
        ] {
            assert!(decode(wire, 3).is_err(), "{}", wire.escape_ascii());
        }
        assert!(decode(&vec![b'1'; LINE_BYTES_MAX + 1], 100).is_err(), "a head without end");
    }

    #[test]
    fn a_presigned_url_loses_only_its_signature() {
        let uri: Uri =
            "/b/k%20k?partNumber=1&X-Amz-Signature=ab&X-Amz-Expires=9&uploadId=u".parse().unwrap();
        assert_eq!(without_signature(uri).to_string(), "/b/k%20k?partNumber=1&uploadId=u");
        let uri: Uri = "/b/k?AWSAccessKeyId=a&Expires=1&Signature=s".parse().unwrap();
        assert_eq!(without_signature(uri).to_string(), "/b/k");
    }
}
