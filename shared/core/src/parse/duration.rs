//! Durations as `ExpireAfter` has them.
//!
//! SageMaker's guide and SDK write ISO-8601 durations and texts that only resemble them: `P30D`,
//! `p30d`, `30d`, `30dT5h`, `T12H`, `5y`. One grammar covers them: an optional `P`, then whole
//! numbers with `Y M W D` in that order, then `T` and numbers with `H M`. Letters may have either
//! case. `M` is minutes after `T` and months before it. Seconds and fractions are not allowed.

use std::time::Duration;

/// The grammar in words, for error texts.
pub const ALLOWED: &str =
    "numbers with Y, M, W, D, then T and numbers with H, M, such as P30D, P4DT12H, 30dT5h or T16m";

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The units in the order that they must have. A year has 365 days and a month 30.
const DATE_UNITS: [(u8, u64); 4] =
    [(b'Y', 365 * DAY), (b'M', 30 * DAY), (b'W', 7 * DAY), (b'D', DAY)];
const TIME_UNITS: [(u8, u64); 2] = [(b'H', HOUR), (b'M', MINUTE)];

/// A text that is not such a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid duration `{text}`: {problem}")]
pub struct DurationError {
    /// As given, cut to 40 characters.
    pub text: String,
    pub problem: &'static str,
}

/// Reads a duration in any of the spellings above.
pub fn parse_expire_after(text: &str) -> Result<Duration, DurationError> {
    let error = |problem| DurationError { text: text.chars().take(40).collect(), problem };
    let upper = text.to_ascii_uppercase();
    let rest = upper.strip_prefix('P').unwrap_or(&upper);
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return Err(error("nothing follows the T")),
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    if date.is_empty() && time.is_empty() {
        return Err(error("it holds no number"));
    }
    let date = sum(date, &DATE_UNITS).map_err(error)?;
    let time = sum(time, &TIME_UNITS).map_err(error)?;
    let seconds = date.checked_add(time).ok_or_else(|| error(TOO_LARGE))?;
    Ok(Duration::from_secs(seconds))
}

const TOO_LARGE: &str = "it is too large";

fn sum(text: &str, units: &[(u8, u64)]) -> Result<u64, &'static str> {
    let (mut seconds, mut rest, mut units) = (0_u64, text, units);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Err("a whole number must stand before each unit");
        }
        let number: u64 = rest[..digits].parse().map_err(|_| TOO_LARGE)?;
        let unit = rest.as_bytes().get(digits).ok_or("a unit must follow the last number")?;
        let place = units
            .iter()
            .position(|(letter, _)| letter == unit)
            .ok_or("a unit is unknown, or not in its place")?;
        let length = number.checked_mul(units[place].1).ok_or(TOO_LARGE)?;
        seconds = seconds.checked_add(length).ok_or(TOO_LARGE)?;
        units = &units[place + 1..];
        rest = &rest[digits + 1..];
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_in_the_wild_is_read() {
        for (text, seconds) in [
            ("P30D", 30 * DAY),
            ("p30d", 30 * DAY),
            ("30d", 30 * DAY),
            ("P1W", 7 * DAY),
            ("30dT5h", 30 * DAY + 5 * HOUR),
            ("P4DT12H", 4 * DAY + 12 * HOUR),
            ("T12H", 12 * HOUR),
            ("PT1H", HOUR),
            ("T16m", 16 * MINUTE),
            ("5y", 5 * 365 * DAY),
            ("P30M", 900 * DAY),
            ("PT30M", 30 * MINUTE),
            ("P1Y2M3W4DT5H6M", (365 + 60 + 21 + 4) * DAY + 5 * HOUR + 6 * MINUTE),
            ("P0D", 0),
        ] {
            assert_eq!(parse_expire_after(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_with_what_is_wrong() {
        for text in [
            "",
            "P",
            "T",
            "P4DT",
            "30",
            "d",
            "P1.5D",
            "P1D2W",
            "P1D1D",
            "PT1S",
            "12H",
            "P 1D",
            "-P1D",
            "P1DT2HT3M",
            "forever",
            "P30Dé",
            "é",
            "99999999999999999999D",
            "999999999999999999Y",
        ] {
            assert!(parse_expire_after(text).is_err(), "{text}");
        }
    }
}
