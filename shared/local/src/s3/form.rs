//! Forms that upload an object by POST, as browsers do: the part before the file is rewritten.
//!
//! Before an open gate the signature loses its name, and `s3s` checks the policy alone. Behind a
//! locked gate `s3s` checks the signature, too.
//! `${filename}` becomes the file's name in every field, before the policy is checked.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html>

use std::io;

use axum::body::Body;
use axum::http::{HeaderMap, Method, header};
use bytes::{Buf as _, Bytes, BytesMut};
use futures::TryStreamExt as _;
use tokio_util::codec::{Decoder, FramedRead};
use tokio_util::io::StreamReader;

/// The most bytes before the file, by S3's limit.
const HEAD_BYTES_MAX: usize = 20 * 1024;

/// The fields of the signatures of both versions.
const SIGNATURES: [&str; 2] = ["x-amz-signature", "signature"];

/// A field that no policy needs to name.
const IGNORED: &str = "x-ignore-signature";

/// Marks a request that is a form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IsForm;

/// Returns the boundary between the parts, if the request is a form.
pub(super) fn boundary(method: &Method, headers: &HeaderMap) -> Option<String> {
    let (kind, parameters) = headers.get(header::CONTENT_TYPE)?.to_str().ok()?.split_once(';')?;
    if method != Method::POST || !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut pairs = parameters.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    Some(value.trim_matches('"').to_owned())
}

/// Rewrites a form as it is read, with or without its signature.
pub(super) fn rewritten(body: Body, boundary: &str, is_signed: bool) -> Body {
    let reader = StreamReader::new(body.into_data_stream().map_err(io::Error::other));
    let form = Form { delimiter: format!("--{boundary}"), is_signed, is_past_head: false };
    Body::from_stream(FramedRead::new(reader, form))
}

/// Rewrites what is before the file, and passes the file on.
struct Form {
    delimiter: String,
    /// If true, the signature stays.
    is_signed: bool,
    is_past_head: bool,
}

impl Decoder for Form {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Bytes>> {
        if self.is_past_head {
            let data = source.split().freeze();
            return Ok((!data.is_empty()).then_some(data));
        }
        let head = Head::parse(source, &self.delimiter);
        if head.as_ref().map_or(source.len(), |head| head.bytes) > HEAD_BYTES_MAX {
            return Err(io::Error::other("the fields before the file have more than 20 KB"));
        }
        let Some(head) = head else { return Ok(None) };
        let text = head.rewritten(&self.delimiter, self.is_signed);
        let bytes = head.bytes;
        source.advance(bytes);
        self.is_past_head = true;
        Ok(Some(text.into()))
    }
}

/// What is before the content of the file.
#[derive(Debug)]
struct Head<'a> {
    fields: Vec<(&'a str, &'a str)>,
    filename: &'a str,
    bytes: usize,
}

impl<'a> Head<'a> {
    /// Parses the beginning of a form. Returns `None` if the file has not begun.
    fn parse(source: &'a [u8], delimiter: &str) -> Option<Self> {
        let mut rest = source.strip_prefix(b"\r\n").unwrap_or(source);
        let end_of_value = format!("\r\n{delimiter}");
        let mut fields = Vec::new();
        loop {
            rest = rest.strip_prefix(delimiter.as_bytes())?.strip_prefix(b"\r\n")?;
            let (headers, content) = split(rest, "\r\n\r\n")?;
            let mut lines = headers.split("\r\n").filter_map(|line| line.split_once(':'));
            let is_named =
                |(name, _): &(&str, &str)| name.eq_ignore_ascii_case("content-disposition");
            let (_, disposition) = lines.find(is_named)?;
            let name = parameter(disposition, "name")?;
            if name.eq_ignore_ascii_case("file") {
                let path = parameter(disposition, "filename").unwrap_or_default();
                let filename = path.rsplit(['/', '\\']).next().unwrap_or_default();
                return Some(Self { fields, filename, bytes: source.len() - content.len() });
            }
            let (value, _) = split(content, &end_of_value)?;
            fields.push((name, value));
            rest = &content[value.len() + "\r\n".len()..];
        }
    }

    /// Returns the head with the file's name in it, and without a signature unless it stays.
    fn rewritten(&self, delimiter: &str, is_signed: bool) -> String {
        let part = format!("{delimiter}\r\nContent-Disposition: form-data; name=");
        let fields = self.fields.iter().map(|(name, value)| {
            let is_signature = SIGNATURES.iter().any(|it| name.eq_ignore_ascii_case(it));
            let name = if is_signature && !is_signed { IGNORED } else { name };
            let value = value.replace("${filename}", self.filename);
            format!("{part}\"{name}\"\r\n\r\n{value}\r\n")
        });
        let file = format!("{part}\"file\"; filename=\"{}\"\r\n\r\n", self.filename);
        fields.chain([file]).collect()
    }
}

/// Splits at the first `separator`, which must come after UTF-8 text.
fn split<'a>(source: &'a [u8], separator: &str) -> Option<(&'a str, &'a [u8])> {
    let separator = separator.as_bytes();
    let end = source.windows(separator.len()).position(|window| window == separator)?;
    Some((str::from_utf8(&source[..end]).ok()?, &source[end + separator.len()..]))
}

/// Returns a parameter of a header: `form-data; name="key"`.
fn parameter<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) =
        [" ", ";"].iter().find_map(|before| header.split_once(&format!("{before}{name}=\"")))?;
    Some(value.split_once('"')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\n\
        in/${filename}\r\n--b\r\ncontent-disposition: form-data; name=\"X-Amz-Signature\"\r\n\r\n\
        ab\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"C:\\a b.csv\"\r\n\
        Content-Type: text/csv\r\n\r\n${filename}\r\n--b--\r\n";

    /// Decodes a form that arrives in parts of this many bytes.
    fn decoded(form: &str, bytes: usize) -> io::Result<String> {
        let mut decoder =
            Form { delimiter: "--b".to_owned(), is_signed: false, is_past_head: false };
        let (mut source, mut text) = (BytesMut::new(), Vec::new());
        for part in form.as_bytes().chunks(bytes) {
            source.extend_from_slice(part);
            while let Some(data) = decoder.decode(&mut source)? {
                text.extend_from_slice(&data);
            }
        }
        while let Some(data) = decoder.decode_eof(&mut source)? {
            text.extend_from_slice(&data);
        }
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_form_loses_its_signature_and_its_fields_get_the_files_name() {
        let expected = "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nin/a b.csv\r\n\
            --b\r\nContent-Disposition: form-data; name=\"x-ignore-signature\"\r\n\r\nab\r\n\
            --b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a b.csv\"\r\n\r\n\
            ${filename}\r\n--b--\r\n";
        for bytes in [1, 7, FORM.len()] {
            assert_eq!(decoded(FORM, bytes).unwrap(), expected, "{bytes} at a time");
        }
    }

    #[test]
    fn a_form_without_a_file_or_with_too_long_fields_is_malformed() {
        let without_file = FORM.replace("name=\"file\"", "name=\"other\"");
        let long = FORM.replace("\r\nab\r\n", &format!("\r\n{}\r\n", "a".repeat(HEAD_BYTES_MAX)));
        for form in [&without_file, &long, "--c\r\n", "text"] {
            decoded(form, 1024).unwrap_err();
        }
    }

    #[test]
    fn only_a_posted_form_has_a_boundary() {
        let of = |method: Method, content_type: &'static str| {
            let value = axum::http::HeaderValue::from_static(content_type);
            boundary(&method, &HeaderMap::from_iter([(header::CONTENT_TYPE, value)]))
        };
        for content_type in
            ["multipart/form-data; boundary=b", "Multipart/Form-Data;charset=utf-8; Boundary=\"b\""]
        {
            assert_eq!(of(Method::POST, content_type).as_deref(), Some("b"), "{content_type}");
            assert_eq!(of(Method::PUT, content_type), None);
        }
        assert_eq!(of(Method::POST, "text/plain; boundary=b"), None);
    }
}
