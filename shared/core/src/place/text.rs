//! Finds the places within a text: URIs in lists, in commands, in JSON that is cut off.

use crate::place::address::{decode, readings};
use crate::place::form::{Form, of_arn, of_scheme};
use crate::place::found::Certainty;
use crate::uri::S3Uri;

/// What a text names.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    pub(super) places: Vec<(S3Uri, Certainty)>,
    /// Names of data elsewhere.
    pub(super) elsewhere: Vec<String>,
}

/// The position at which a form begins, and that at which it goes on after its mark.
#[derive(Debug, Clone, Copy)]
struct Mark {
    begin: usize,
    after: usize,
}

/// Finds every place that a text names.
pub(super) fn places_in(text: &str) -> Named {
    let mut named = Named::default();
    scan(text, &mut named);
    // A URI within a URL, and slashes as some encoders of JSON write them.
    let has_encoded = text.contains("%3A%2F%2F") || text.contains("%3a%2f%2f");
    if let Some(decoded) = decode(text).filter(|_| has_encoded) {
        scan(&decoded, &mut named);
    }
    if text.contains(":\\/\\/") {
        scan(&text.replace("\\/", "/"), &mut named);
    }
    named
}

fn scan(text: &str, named: &mut Named) {
    let marks = marks(text);
    for (number, mark) in marks.iter().enumerate() {
        let next = marks.get(number + 1).map_or(text.len(), |next| next.begin);
        let (own, is_last) = (&text[mark.after..next], next == text.len());
        let form = match text[mark.begin..mark.after].strip_suffix("://") {
            Some(scheme) => of_scheme(scheme, own),
            None => of_arn(own),
        };
        match form {
            Form::Place { bucket, rest, is_encoded } => {
                let (sure, others) = ends(rest, is_last);
                named.places.extend(readings(&bucket, &sure, is_encoded, Certainty::Sure));
                for other in others {
                    let certainty = Certainty::Possible;
                    named.places.extend(readings(&bucket, &other, is_encoded, certainty));
                }
            }
            Form::Elsewhere => {
                let is_end = |c: char| c.is_whitespace() || "\"'`<>,\\".contains(c);
                let end = own.find(is_end).unwrap_or(own.len());
                named.elsewhere.push(text[mark.begin..mark.after + end].to_owned());
            }
            Form::Nothing => {}
        }
    }
}

/// Returns where URIs and ARNs begin, in order.
fn marks(text: &str) -> Vec<Mark> {
    let lower = text.to_ascii_lowercase();
    let bytes = lower.as_bytes();
    let is_scheme = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let schemes = lower.match_indices("://").filter_map(|(at, mark)| {
        let first = (0..at).rev().take_while(|at| is_scheme(bytes[*at])).last()?;
        let begin = (first..at).find(|at| bytes[*at].is_ascii_alphabetic())?;
        Some(Mark { begin, after: at + mark.len() })
    });
    let arns = lower.match_indices("arn:aws").filter_map(|(at, _)| {
        let is_inside = at > 0 && bytes[at - 1].is_ascii_alphanumeric();
        (!is_inside).then_some(Mark { begin: at, after: at })
    });
    let mut marks: Vec<_> = schemes.chain(arns).collect();
    marks.sort_unstable_by_key(|mark| mark.begin);
    marks
}

/// Returns where a key at the beginning of `text` ends: the shortest reading, and the others.
///
/// A key may hold any character, so blanks, commas, quotes and brackets end it or belong to it.
fn ends(text: &str, is_last: bool) -> (String, Vec<String>) {
    let classes: [&dyn Fn(char) -> bool; 6] = [
        &char::is_whitespace,
        &|c| c == ',',
        &|c| matches!(c, ';' | '|' | '&'),
        &|c| c.is_control() || matches!(c, '"' | '\'' | '`' | '\\' | '>'),
        &|c| matches!(c, ')' | ']' | '}'),
        &|c| matches!(c, '?' | '#'),
    ];
    let separators = |c: char| c.is_whitespace() || ",;|&\"'`()[]{}<>=:\\".contains(c);
    let whole = if is_last { text } else { text.trim_end_matches(separators) };
    let mut found: Vec<&str> = vec![whole];
    found
        .extend(classes.iter().map(|is_end| whole.find(is_end).map_or(whole, |end| &whole[..end])));
    let trimmed = |text: &&str| text.trim_end_matches(|c| ".,:;!?'\")]}".contains(c)).to_owned();
    let mut readings: Vec<String> = found.iter().map(trimmed).collect();
    readings.extend(found.iter().map(|text| (*text).to_owned()));
    readings.sort_by_key(String::len);
    readings.dedup();
    let shortest = readings.remove(0);
    // Only a whole text can end in a full stop that is part of the key.
    (shortest, readings)
}
