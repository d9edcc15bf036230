//! One field of a cron expression: a list of numbers, ranges and steps.

use std::collections::BTreeSet;

/// The name and the values of a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) least: u16,
    pub(super) most: u16,
    /// Names that stand for numbers, the first one for `least`.
    pub(super) names: &'static [&'static str],
}

impl Field {
    /// Reads a whole field.
    pub(super) fn parse(self, text: &str) -> Result<BTreeSet<u16>, String> {
        let mut values = BTreeSet::new();
        for part in text.split(',') {
            values.extend(self.part(part)?);
        }
        Ok(values)
    }

    /// Reads one part of a list: `*`, `5`, `1-5`, `*/15`, `0/15`, `1-30/2`.
    pub(super) fn part(self, text: &str) -> Result<Vec<u16>, String> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step, text)?)),
            None => (text, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((from, to)) => (self.number(from)?, self.number(to)?),
            None if step.is_some() => (self.number(range)?, self.most),
            None => (self.number(range)?, self.number(range)?),
        };
        if from > to {
            return Err(self.wrong(text));
        }
        Ok((from..=to).step_by(step.unwrap_or(1)).collect())
    }

    /// Reads a number or a name.
    pub(super) fn number(self, text: &str) -> Result<u16, String> {
        let place = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let named = place.and_then(|place| u16::try_from(place).ok()).map(|it| it + self.least);
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = named.or_else(|| text.parse().ok().filter(|_| is_number));
        let is_inside = |number: &u16| (self.least..=self.most).contains(number);
        number.filter(is_inside).ok_or_else(|| self.wrong(text))
    }

    fn step(self, text: &str, part: &str) -> Result<usize, String> {
        text.parse().ok().filter(|step| *step > 0).ok_or_else(|| self.wrong(part))
    }

    /// Returns the error for a part that cannot be read.
    pub(super) fn wrong(self, text: &str) -> String {
        let Self { name, least, most, .. } = self;
        format!("`{text}` is not a {name} from {least} to {most}")
    }
}
