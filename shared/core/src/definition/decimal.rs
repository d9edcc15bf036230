//! Numbers as decimals: compared and converted without losing a digit.
//!
//! A number is kept as its text (`arbitrary_precision` of `serde_json`), so an integer beyond 64
//! bits and a decimal of 23 digits pass from function to function unchanged.

use std::cmp::Ordering;

use serde_json::Number;

/// A number without the freedom of its text: `0.DIGITS * 10^EXPONENT`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    is_negative: bool,
    /// Begins and ends with no zero. Empty for zero.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// Returns the value of a number.
    pub(crate) fn of(number: &Number) -> Self {
        Self::parse(&number.to_string())
    }

    /// Reads the text of a JSON number.
    fn parse(text: &str) -> Self {
        let (is_negative, unsigned) = match text.strip_prefix('-') {
            Some(unsigned) => (true, unsigned),
            None => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, power(exponent)),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        let point = length(whole) - length(&all) + length(digits);
        let digits = digits.trim_end_matches('0');
        if digits.is_empty() {
            return Self { is_negative: false, digits: String::new(), exponent: 0 };
        }
        let exponent = exponent.saturating_add(point);
        Self { is_negative, digits: digits.to_owned(), exponent }
    }

    /// Returns the digits of an integer, or `None` if the number is not one.
    ///
    /// An exponent beyond `most` digits is refused, as `1e999999999` would fill the memory.
    pub(crate) fn integer(&self, most: i64) -> Option<String> {
        if self.digits.is_empty() {
            return Some("0".to_owned());
        }
        if length(&self.digits) > self.exponent || self.exponent > most {
            return None;
        }
        let width = usize::try_from(self.exponent).ok()?;
        let sign = if self.is_negative { "-" } else { "" };
        Some(format!("{sign}{:0<width$}", self.digits))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |it: &Self| match (it.digits.is_empty(), it.is_negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        let size = |it: &Self| (it.exponent, it.digits.clone());
        match sign(self).cmp(&sign(other)) {
            Ordering::Equal if self.is_negative => size(other).cmp(&size(self)),
            Ordering::Equal => size(self).cmp(&size(other)),
            unequal => unequal,
        }
    }
}

/// Returns a float of a text, as its shortest form if that is exactly the same number.
///
/// `None` if the text is not a finite 64-bit float.
pub(crate) fn float(text: &str) -> Option<Number> {
    let shortest = text.parse().ok().and_then(Number::from_f64)?;
    let Ok(written) = serde_json::from_str::<Number>(text) else { return Some(shortest) };
    let is_same = Decimal::of(&written) == Decimal::of(&shortest);
    Some(if is_same || !written.is_f64() { shortest } else { written })
}

/// Returns an integer of any size.
pub(crate) fn integer(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let trimmed = digits.trim_start_matches('0');
    let sign = if text.starts_with('-') && !trimmed.is_empty() { "-" } else { "" };
    let written = format!("{sign}{}", if trimmed.is_empty() { "0" } else { trimmed });
    serde_json::from_str(&written).ok().filter(|_| is_integer)
}

fn power(text: &str) -> i64 {
    let most = if text.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
    text.trim_start_matches('+').parse().unwrap_or(most)
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_by_value_to_the_last_digit() {
        let ordered = [
            "-1e400",
            "-18446744073709551616",
            "-2.5",
            "-0.1",
            "0",
            "1e-400",
            "0.1",
            "0.10000000000000000000001",
            "1",
            "1.5",
            "9007199254740992",
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "1e999999999999999999999",
        ];
        for (at, left) in ordered.iter().enumerate() {
            for (other_at, right) in ordered.iter().enumerate() {
                let found = Decimal::parse(left).cmp(&Decimal::parse(right));
                assert_eq!(found, at.cmp(&other_at), "{left} {right}");
            }
        }
        for (left, right) in [("1", "1.0"), ("1e2", "100"), ("-0", "0.0"), ("0.5", "5E-1")] {
            assert_eq!(Decimal::parse(left), Decimal::parse(right), "{left} {right}");
        }
    }

    #[test]
    fn an_integer_is_found_in_any_notation() {
        for (text, expected) in [
            ("3.0", Some("3")),
            ("-1.5e1", Some("-15")),
            ("18446744073709551616", Some("18446744073709551616")),
            ("0.0", Some("0")),
            ("3.00000000000000000000001", None),
            ("1e300", None),
        ] {
            assert_eq!(Decimal::parse(text).integer(40).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_text_becomes_a_number_with_all_its_digits() {
        let float = |text| float(text).map(|number| number.to_string());
        assert_eq!(float("6").as_deref(), Some("6.0"));
        assert_eq!(float("1.10").as_deref(), Some("1.1"));
        assert_eq!(float(".5").as_deref(), Some("0.5"));
        assert_eq!(
            float("0.12345678901234567890123").as_deref(),
            Some("0.12345678901234567890123")
        );
        assert_eq!((float("1e400"), float("NaN"), float("x")), (None, None, None));
        let integer = |text| integer(text).map(|number| number.to_string());
        assert_eq!(integer("-007").as_deref(), Some("-7"));
        assert_eq!(integer("18446744073709551616").as_deref(), Some("18446744073709551616"));
        assert_eq!((integer("1.0"), integer("-"), integer("+1")), (None, None, None));
    }
}
