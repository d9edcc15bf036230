//! Times of the protocol: JSON numbers, seconds since 1970 with a fraction.

use serde_json::{Value, json};

/// Converts milliseconds since 1970 to an answer's time.
pub(crate) fn epoch(at_ms: u64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
    let milliseconds = at_ms as f64;
    json!(milliseconds / 1000.0)
}

/// Converts a request's time to milliseconds since 1970. An earlier time becomes 1970.
pub(crate) fn milliseconds(seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and times are positive"
    )]
    let milliseconds = (seconds * 1000.0).round() as u64;
    milliseconds
}

/// Returns true if a moment lies in the range that a list asks for, ends excluded.
pub(crate) fn is_between(at_ms: u64, after: Option<f64>, before: Option<f64>) -> bool {
    after.is_none_or(|after| at_ms > milliseconds(after))
        && before.is_none_or(|before| at_ms < milliseconds(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_milliseconds_both_ways() {
        let at_ms = 1_795_440_417_123;
        assert_eq!(epoch(at_ms).to_string(), "1795440417.123");
        assert_eq!(milliseconds(epoch(at_ms).as_f64().expect("a number")), at_ms);
        assert_eq!(milliseconds(-5.0), 0);
        assert!(is_between(5, None, None));
        assert!(!is_between(5000, Some(5.0), None));
    }
}
