//! AWS's Query protocol: a form names the action, and the answer is XML.

use std::collections::BTreeMap;

use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use percent_encoding::percent_decode_str;
use uuid::Uuid;

/// The most bytes of a form.
const BODY_BYTES: usize = 2 << 20;

/// An action with its parameters.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) action: String,
    parameters: BTreeMap<String, String>,
    /// The token that the request was signed with, if any.
    pub(super) token: Option<String>,
}

/// A refusal: its code and its text.
#[derive(Debug)]
pub(super) struct Refusal(pub(super) &'static str, pub(super) String);

impl Call {
    /// Reads a request. Parameters may be in the query, too.
    pub(super) async fn read(request: Request<Body>) -> Result<Self, Refusal> {
        let (head, body) = request.into_parts();
        let unreadable = |error: axum::Error| Refusal("MalformedInput", error.to_string());
        let form = to_bytes(body, BODY_BYTES).await.map_err(unreadable)?;
        let mut parameters = decoded(head.uri.query().unwrap_or_default());
        parameters.extend(decoded(&String::from_utf8_lossy(&form)));
        let header = head.headers.get("x-amz-security-token");
        let sent = header.and_then(|token| token.to_str().ok()).map(str::to_owned);
        let token = sent.or_else(|| parameters.get("X-Amz-Security-Token").cloned());
        let action = parameters.get("Action").cloned().unwrap_or_default();
        Ok(Self { action, parameters, token })
    }

    /// Returns a parameter that is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns a parameter that the action needs.
    pub(super) fn need(&self, name: &str) -> Result<&str, Refusal> {
        let missing = || {
            let text = format!(
                "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null",
                lower_first(name)
            );
            Refusal("ValidationError", text)
        };
        self.get(name).ok_or_else(missing)
    }

    /// Returns a number within bounds, or what is taken without it.
    pub(super) fn number(
        &self,
        name: &str,
        (least, most): (u64, u64),
        default: u64,
    ) -> Result<u64, Refusal> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| {
            let what = lower_first(name);
            let text = format!("'{text}' at '{what}' is not from {least} to {most}");
            Refusal("ValidationError", text)
        })
    }

    /// Returns the elements of a list: `NAME.member.1` and so on.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        let element = |number: u32| self.parameters.get(&format!("{name}.member.{number}"));
        (1..).map_while(element).map(String::as_str).collect()
    }
}

/// Decodes `a=1&b=2`.
fn decoded(form: &str) -> BTreeMap<String, String> {
    let part = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let pairs = form.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (part(name), part(value)))
        .collect()
}

/// Returns the answer to an action. `result` is the XML of its members.
pub(super) fn answered(
    (action, namespace): (&str, &str),
    result: Result<String, Refusal>,
) -> Response<Body> {
    let request_id = Uuid::new_v4();
    let (status, document) = match result {
        Ok(members) => {
            let document = format!(
                "<{action}Response xmlns=\"{namespace}\"><{action}Result>{members}</{action}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{action}Response>"
            );
            (StatusCode::OK, document)
        }
        Err(Refusal(code, message)) => {
            let document = format!(
                "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>Sender</Type><Code>{code}</Code>\
                 <Message>{}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>",
                escaped(&message)
            );
            (StatusCode::BAD_REQUEST, document)
        }
    };
    let headers =
        [("content-type", "text/xml".to_owned()), ("x-amzn-requestid", request_id.to_string())];
    (status, headers, document).into_response()
}

/// Returns an element with a text.
pub(super) fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escaped(text))
}

/// Returns true for a name that IAM and STS allow: letters, digits and `_+=,.@-`.
pub(super) fn is_name(text: &str, lengths: std::ops::RangeInclusive<usize>) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    lengths.contains(&text.len()) && text.bytes().all(is_allowed)
}

fn lower_first(name: &str) -> String {
    let (first, rest) = name.split_at(name.len().min(1));
    first.to_lowercase() + rest
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
