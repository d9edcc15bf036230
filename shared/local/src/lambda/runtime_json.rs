//! Reads the JSON that runtimes write, which is not always JSON.
//!
//! Python writes `NaN` and `Infinity`, and escapes of lone surrogates, which are not text. An error
//! must keep its type all the same, and a result must say where it goes wrong.

use std::borrow::Cow;

use serde_json::Value;

/// Begins a text that stands for a number that JSON does not have.
const MARK: &str = "\u{0}sidestep: not a number: ";

/// The words for numbers that JSON does not have, the longest first.
const NOT_NUMBERS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// Parses JSON in which a lone surrogate may be escaped. It becomes U+FFFD.
pub(super) fn parse(json: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(json).or_else(|error| match without_surrogates(json) {
        Cow::Borrowed(_) => Err(error),
        Cow::Owned(replaced) => serde_json::from_slice(&replaced),
    })
}

/// Replaces escapes of lone surrogates by that of U+FFFD.
pub(super) fn without_surrogates(json: &[u8]) -> Cow<'_, [u8]> {
    let mut out: Option<Vec<u8>> = None;
    let mut at = 0;
    while at < json.len() {
        let (length, is_lone) = match (json[at], surrogate(json, at)) {
            (_, Some(0xd800..=0xdbff)) => match surrogate(json, at + 6) {
                Some(0xdc00..=0xdfff) => (12, false),
                _ => (6, true),
            },
            (_, Some(_)) => (6, true),
            (b'\\', None) => (2, false),
            _ => (1, false),
        };
        let end = (at + length).min(json.len());
        match &mut out {
            _ if is_lone => out.get_or_insert_with(|| json[..at].to_vec()).extend(br"\ufffd"),
            Some(out) => out.extend_from_slice(&json[at..end]),
            None => {}
        }
        at = end;
    }
    out.map_or(Cow::Borrowed(json), Cow::Owned)
}

/// Returns the surrogate whose escape begins at this place.
fn surrogate(json: &[u8], at: usize) -> Option<u32> {
    let escape = json.get(at..at + 6)?.strip_prefix(br"\u")?;
    let code = u32::from_str_radix(std::str::from_utf8(escape).ok()?, 16).ok()?;
    (0xd800..=0xdfff).contains(&code).then_some(code)
}

/// Finds the first number that JSON does not have. Returns its path and its word.
pub(super) fn not_a_number(json: &[u8]) -> Option<(String, &'static str)> {
    let text = std::str::from_utf8(json).ok()?;
    let mut marked = String::with_capacity(text.len());
    let (mut rest, mut is_found) = (text, false);
    while let Some(next) = rest.chars().next() {
        let length = if next == '"' {
            string_length(rest)
        } else if let Some(word) = NOT_NUMBERS.iter().find(|word| rest.starts_with(**word)) {
            marked += &Value::from(format!("{MARK}{word}")).to_string();
            (rest, is_found) = (&rest[word.len()..], true);
            continue;
        } else {
            next.len_utf8()
        };
        marked += &rest[..length];
        rest = &rest[length..];
    }
    let value = if is_found { serde_json::from_str(&marked).ok()? } else { return None };
    find_mark(&value, String::new())
}

/// Returns how many bytes the string takes with which `text` begins.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn find_mark(value: &Value, path: String) -> Option<(String, &'static str)> {
    match value {
        Value::String(text) => {
            let word = text.strip_prefix(MARK)?;
            NOT_NUMBERS.into_iter().find(|known| *known == word).map(|word| (path, word))
        }
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(at, item)| find_mark(item, format!("{path}[{at}]")))
        }
        Value::Object(members) => members.iter().find_map(|(name, member)| {
            let dot = if path.is_empty() { "" } else { "." };
            find_mark(member, format!("{path}{dot}{name}"))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_surrogate_is_replaced_and_everything_else_stays() {
        for (text, expected) in [
            (r#"{"a": "\ud800"}"#, r#"{"a": "\ufffd"}"#),
            (r#"["x\udc00y\ud83d\ude00", "\\ud800"]"#, r#"["x\ufffdy\ud83d\ude00", "\\ud800"]"#),
            (r#""\ud800\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#"{"ü": 1}"#, r#"{"ü": 1}"#),
        ] {
            let found = without_surrogates(text.as_bytes());
            assert_eq!(std::str::from_utf8(&found), Ok(expected));
            assert!(parse(text.as_bytes()).is_ok(), "{text}");
        }
        assert!(parse(b"{").is_err());
    }

    #[test]
    fn a_number_that_json_does_not_have_is_found_by_its_path() {
        for (text, expected) in [
            (r#"{"Rows": [1, {"Mean": NaN}]}"#, Some(("Rows[1].Mean", "NaN"))),
            (r"[-Infinity]", Some(("[0]", "-Infinity"))),
            (r#"{"a": "NaN", "b": "\"NaN", "c": Infinity}"#, Some(("c", "Infinity"))),
            (r"NaN", Some(("", "NaN"))),
            (r#"{"a": "NaN"}"#, None),
            (r#"{"a": NaN"#, None),
        ] {
            let expected = expected.map(|(path, word)| (path.to_owned(), word));
            assert_eq!(not_a_number(text.as_bytes()), expected, "{text}");
        }
    }
}
