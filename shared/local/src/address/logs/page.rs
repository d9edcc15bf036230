//! Pages of lists, and the two tokens of a stream's events.

use serde_json::{Value, json};

use super::super::json::Refusal;

/// A page of a list: the token is the place of its first element.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    from: usize,
    most: usize,
}

impl Page {
    /// Reads `nextToken` and `limit`. `most` is the largest limit.
    pub(super) fn read(members: &Value, most: usize) -> Result<Self, Refusal> {
        let token = members["nextToken"].as_str();
        let from = token.map_or(Some(0), |token| token.parse().ok()).ok_or_else(invalid_token)?;
        Ok(Self { from, most: limit(members, most)? })
    }

    /// Returns the elements of the page.
    pub(super) fn of<'a, T>(&self, all: &'a [T]) -> &'a [T] {
        let from = self.from.min(all.len());
        &all[from..from.saturating_add(self.most).min(all.len())]
    }

    /// Adds the token of the next page, if there is one.
    pub(super) fn with_token(&self, mut document: Value, count: usize) -> Value {
        let end = self.from.saturating_add(self.most);
        if end < count {
            document["nextToken"] = json!(end.to_string());
        }
        document
    }
}

/// Returns how many elements a page has.
pub(super) fn limit(members: &Value, most: usize) -> Result<usize, Refusal> {
    let Some(limit) = members.get("limit").filter(|limit| !limit.is_null()) else {
        return Ok(most);
    };
    let number = limit.as_u64().and_then(|limit| usize::try_from(limit).ok());
    number.filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
        let why = format!(
            "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value from 1 to {most}"
        );
        Refusal("InvalidParameterException", why)
    })
}

/// Returns which of `count` events a request for a stream asks for.
///
/// Without a token it is the newest, or the oldest if the request starts from the head.
pub(super) fn range(
    members: &Value,
    count: usize,
    limit: usize,
) -> Result<(usize, usize), Refusal> {
    let forward = |from: usize| (from, from.saturating_add(limit).min(count));
    let backward = |to: usize| (to.saturating_sub(limit), to);
    let Some(token) = members["nextToken"].as_str() else {
        let from_head = members["startFromHead"].as_bool() == Some(true);
        return Ok(if from_head { forward(0) } else { backward(count) });
    };
    let (direction, at) = token.split_once('/').ok_or_else(invalid_token)?;
    let at = at.parse::<usize>().map_err(|_| invalid_token())?.min(count);
    match direction {
        "f" => Ok(forward(at)),
        "b" => Ok(backward(at)),
        _ => Err(invalid_token()),
    }
}

fn invalid_token() -> Refusal {
    Refusal("InvalidParameterException", "The specified nextToken is invalid.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_lead_through_a_stream_in_both_directions() {
        for (members, expected) in [
            (json!({}), (3, 5)),
            (json!({ "startFromHead": true }), (0, 2)),
            (json!({ "nextToken": "f/2" }), (2, 4)),
            (json!({ "nextToken": "f/5" }), (5, 5)),
            (json!({ "nextToken": "b/3" }), (1, 3)),
            (json!({ "nextToken": "b/0" }), (0, 0)),
        ] {
            assert_eq!(range(&members, 5, 2).ok(), Some(expected), "{members}");
        }
        for token in ["", "f", "f/x", "x/1"] {
            assert!(range(&json!({ "nextToken": token }), 5, 2).is_err(), "{token}");
        }
    }
}
