//! Durations as `ExpireAfter` and `--older-than` have them.
//!
//! With a leading `P` a text is an ISO-8601 duration without seconds: `M` is months before the `T`
//! and minutes after it. SageMaker's guide and SDK also write texts that only resemble one: `30d`,
//! `30dT5h`, `T12H`, `5y`. Without a `P`, `m` always is minutes, as in every other tool, and months
//! are `mo`. A `T` may stand before the hours. Units come in order, and letters may have either
//! case.

use std::time::Duration;

/// The grammar in words, for error texts.
pub const ALLOWED: &str = "numbers with y, mo, w, d, h, m (minutes) in that order, such as 30d, \
    4d12h, 15m or 6mo, or an ISO 8601 duration without seconds, such as P30D, P1M or PT15M";

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A unit's letters and its length in seconds. A year has 365 days and a month 30.
type Unit = (&'static str, u64);

/// The units in the order that they must have.
const DATE_UNITS: [Unit; 4] = [("Y", 365 * DAY), ("M", 30 * DAY), ("W", 7 * DAY), ("D", DAY)];
const TIME_UNITS: [Unit; 2] = [("H", HOUR), ("M", MINUTE)];
const PLAIN_UNITS: [Unit; 6] =
    [("Y", 365 * DAY), ("MO", 30 * DAY), ("W", 7 * DAY), ("D", DAY), ("H", HOUR), ("M", MINUTE)];
/// Where the units of a time begin among the plain ones.
const PLAIN_DATE_UNITS: usize = 4;

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
    let (rest, date_units) = match upper.strip_prefix('P') {
        Some(rest) => (rest, &DATE_UNITS[..]),
        None => (upper.as_str(), &PLAIN_UNITS[..]),
    };
    let (date, time, date_units) = match rest.split_once('T') {
        Some((_, "")) => return Err(error("nothing follows the T")),
        Some((date, time)) => (date, time, &date_units[..PLAIN_DATE_UNITS]),
        None => (rest, "", date_units),
    };
    if date.is_empty() && time.is_empty() {
        return Err(error("it holds no number"));
    }
    let date = sum(date, date_units).map_err(error)?;
    let time = sum(time, &TIME_UNITS).map_err(error)?;
    let seconds = date.checked_add(time).ok_or_else(|| error(TOO_LARGE))?;
    Ok(Duration::from_secs(seconds))
}

const TOO_LARGE: &str = "it is too large";

fn sum(text: &str, units: &[Unit]) -> Result<u64, &'static str> {
    let (mut seconds, mut rest, mut units) = (0_u64, text, units);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Err("a whole number must stand before each unit");
        }
        let number: u64 = rest[..digits].parse().map_err(|_| TOO_LARGE)?;
        let after = &rest[digits..];
        let letters = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        if letters == 0 {
            return Err("a unit must follow the last number");
        }
        let place = units
            .iter()
            .position(|(unit, _)| *unit == &after[..letters])
            .ok_or("a unit is unknown, or not in its place")?;
        let length = number.checked_mul(units[place].1).ok_or(TOO_LARGE)?;
        seconds = seconds.checked_add(length).ok_or(TOO_LARGE)?;
        units = &units[place + 1..];
        rest = &after[letters..];
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
            ("P1M", 30 * DAY),
            ("p1m", 30 * DAY),
            ("15m", 15 * MINUTE),
            ("15M", 15 * MINUTE),
            ("T1M", MINUTE),
            ("6mo", 180 * DAY),
            ("1y2mo3w4d5h6m", (365 + 60 + 21 + 4) * DAY + 5 * HOUR + 6 * MINUTE),
            ("12H", 12 * HOUR),
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
            "P12H",
            "P1MO",
            "1m1h",
            "1dT1m1h",
            "1moT2mo",
            "1hT2m",
            "15min",
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
