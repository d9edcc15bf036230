//! The framing of signed uploads: `aws-chunked`.
//!
//! ```text
//! 5;chunk-signature=...\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n
//! ```
//!
//! Chunk signatures are ignored; lengths, payload hashes and checksums are verified where the body
//! is consumed.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>

use std::io;
use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use bytes::{Buf as _, Bytes, BytesMut};
use futures::TryStreamExt as _;
use parking_lot::Mutex;
use tokio_util::codec::{Decoder, FramedRead};
use tokio_util::io::StreamReader;

/// The longest line of the framing: a chunk's head or one trailer.
const LINE_BYTES_MAX: usize = 8 * 1024;
/// The size of the buffer between the connection and the decoder.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// The trailing headers of a framed body, which are known once the body has been read to its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trailers(Arc<Mutex<HeaderMap>>);

impl Trailers {
    /// Returns the trailer `name`, if the body had one.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let trailers = self.0.lock();
        trailers.get(name)?.to_str().ok().map(str::to_owned)
    }
}

/// Unwraps a framed body, and puts its trailing headers into `trailers` at the end.
pub(crate) fn unframed(body: Body, trailers: Trailers) -> Body {
    let reader = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let decoder = AwsChunked { state: State::Head, trailers };
    Body::from_stream(FramedRead::with_capacity(reader, decoder, READ_BUFFER_BYTES))
}

/// Decodes the framing and keeps the trailers.
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
                    let digits = line.split(';').next().unwrap_or_default().trim();
                    let size = usize::from_str_radix(digits, 16).map_err(|_| malformed())?;
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
        let mut trailers = self.trailers.0.lock();
        trailers.try_insert(name, value).map_err(|_| malformed())?;
        Ok(())
    }
}

/// Takes a line up to `\r\n` off the front, or returns `None` if it has not arrived as a whole.
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
}
