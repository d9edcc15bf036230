//! Schedules in the syntax of EventBridge Scheduler, and the times at which they start a pipeline.
//!
//! All times are UTC. What EventBridge refuses is refused here too.

mod cron;
mod field;

use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

use self::cron::Cron;

/// The forms of a schedule, as the end of an error text.
pub const ALLOWED: &str = "rate(1 minute), rate(N minutes|hours|days), cron(MINUTES HOURS DAY-OF-MONTH MONTH DAY-OF-WEEK YEAR) or at(YYYY-MM-DDTHH:MM:SS)";

const MINUTE_MS: u64 = 60_000;

/// Times at which a pipeline starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schedule {
    /// Every so many milliseconds, counted from 1970.
    Rate(u64),
    Cron(Box<Cron>),
    /// Once, at this time in milliseconds since 1970.
    At(u64),
}

/// A text that is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid schedule `{text}`: {why}; expected {ALLOWED}")]
pub struct ScheduleError {
    text: String,
    why: String,
}

impl Schedule {
    /// Reads a schedule.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let inner = |kind: &str| text.strip_prefix(kind)?.strip_prefix('(')?.strip_suffix(')');
        let read = if let Some(rate) = inner("rate") {
            parse_rate(rate).map(Self::Rate)
        } else if let Some(fields) = inner("cron") {
            Cron::parse(fields).map(|cron| Self::Cron(Box::new(cron)))
        } else if let Some(time) = inner("at") {
            parse_time(time).map(Self::At)
        } else {
            Err("it has none of the forms".to_owned())
        };
        read.map_err(|why| ScheduleError { text: text.chars().take(80).collect(), why })
    }

    /// Returns the first time after `after_ms`, both in milliseconds since 1970; nothing if there
    /// is none.
    pub fn next(&self, after_ms: u64) -> Option<u64> {
        match self {
            Self::Rate(every_ms) => Some((after_ms / every_ms + 1) * every_ms),
            Self::Cron(cron) => {
                let minute = i64::try_from(after_ms / MINUTE_MS + 1).ok()?;
                let next = cron.next(OffsetDateTime::from_unix_timestamp(minute * 60).ok()?)?;
                u64::try_from(next.unix_timestamp()).ok().map(|seconds| seconds * 1_000)
            }
            Self::At(at_ms) => Some(*at_ms).filter(|at_ms| *at_ms > after_ms),
        }
    }
}

/// Reads `5 minutes`. The unit is singular for 1 only.
fn parse_rate(text: &str) -> Result<u64, String> {
    let (count, unit) = text.split_once(' ').ok_or("a rate is a number and a unit")?;
    let is_number = count.bytes().all(|byte| byte.is_ascii_digit()) && !count.starts_with('0');
    let number: u64 = count
        .parse()
        .ok()
        .filter(|number| is_number && *number <= 1_000_000)
        .ok_or_else(|| format!("`{count}` is not a number from 1 on"))?;
    let minutes = match (number, unit) {
        (1, "minute") | (2.., "minutes") => 1,
        (1, "hour") | (2.., "hours") => 60,
        (1, "day") | (2.., "days") => 1_440,
        _ => return Err(format!("`{unit}` is not a unit that goes with {number}")),
    };
    Ok(number * minutes * MINUTE_MS)
}

fn parse_time(text: &str) -> Result<u64, String> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let time =
        PrimitiveDateTime::parse(text, format).map_err(|_| format!("`{text}` is not a time"))?;
    let seconds = u64::try_from(time.assume_utc().unix_timestamp());
    seconds.map(|seconds| seconds * 1_000).map_err(|_| format!("`{text}` is before 1970"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the next times after a time, without seconds.
    fn next(schedule: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(schedule).unwrap_or_else(|error| panic!("{error}"));
        let mut at = parse_time(&format!("{after}:30")).expect("a time");
        let mut times = Vec::new();
        for _ in 0..count {
            let Some(next) = schedule.next(at) else { break };
            let seconds = i64::try_from(next / 1_000).expect("a time");
            let time = OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
            let form = format_description!("[year]-[month]-[day]T[hour]:[minute]");
            times.push(time.format(form).expect("a text"));
            at = next;
        }
        times
    }

    /// Schedules, a time, and the next ones.
    const TIMES: &[(&str, &str, &[&str])] = &[
        ("rate(1 minute)", "2026-01-01T00:00", &["2026-01-01T00:01", "2026-01-01T00:02"]),
        ("rate(5 minutes)", "2026-01-01T00:03", &["2026-01-01T00:05", "2026-01-01T00:10"]),
        ("rate(1 day)", "2026-01-01T12:00", &["2026-01-02T00:00", "2026-01-03T00:00"]),
        ("at(2026-01-01T06:00:00)", "2026-01-01T00:00", &["2026-01-01T06:00"]),
        ("at(2026-01-01T06:00:00)", "2026-01-01T06:00", &[]),
        ("cron(0 6 * * ? *)", "2026-01-01T06:00", &["2026-01-02T06:00", "2026-01-03T06:00"]),
        ("cron(0 6 * * ? *)", "2026-01-01T05:59", &["2026-01-01T06:00"]),
        ("cron(0/15 8-9 * * ? *)", "2026-01-01T08:40", &["2026-01-01T08:45", "2026-01-01T09:00"]),
        ("cron(*/20 * ? * * *)", "2026-01-01T23:50", &["2026-01-02T00:00", "2026-01-02T00:20"]),
        ("cron(5,35 14 * * ? *)", "2026-01-01T14:10", &["2026-01-01T14:35", "2026-01-02T14:05"]),
        // Weekdays are 1 to 7 from Sunday.
        ("cron(15 10 ? * MON-FRI *)", "2026-01-02T11:00", &["2026-01-05T10:15"]),
        ("cron(15 10 ? * 2-6 *)", "2026-01-02T11:00", &["2026-01-05T10:15"]),
        ("cron(0 0 ? * 1 *)", "2026-01-01T00:00", &["2026-01-04T00:00"]),
        ("cron(0 0 ? * L *)", "2026-01-01T00:00", &["2026-01-03T00:00", "2026-01-10T00:00"]),
        ("cron(0 0 ? * 6L *)", "2026-01-01T00:00", &["2026-01-30T00:00", "2026-02-27T00:00"]),
        ("cron(0 0 ? * 3#2 *)", "2026-01-01T00:00", &["2026-01-13T00:00", "2026-02-10T00:00"]),
        ("cron(0 0 ? * 5#5 *)", "2026-01-01T00:00", &["2026-01-29T00:00", "2026-04-30T00:00"]),
        ("cron(0 0 ? * SUN,WED *)", "2026-01-01T00:00", &["2026-01-04T00:00", "2026-01-07T00:00"]),
        // Days of the month.
        ("cron(0 0 L * ? *)", "2026-01-31T00:00", &["2026-02-28T00:00", "2026-03-31T00:00"]),
        ("cron(0 0 L-3 * ? *)", "2026-02-01T00:00", &["2026-02-25T00:00"]),
        ("cron(0 0 LW * ? *)", "2026-01-01T00:00", &["2026-01-30T00:00", "2026-02-27T00:00"]),
        ("cron(0 0 15W * ? *)", "2026-02-01T00:00", &["2026-02-16T00:00"]),
        ("cron(0 0 3W * ? *)", "2026-01-01T00:00", &["2026-01-02T00:00"]),
        ("cron(0 0 1W 8 ? *)", "2026-01-01T00:00", &["2026-08-03T00:00"]),
        ("cron(0 0 31W 5 ? *)", "2026-01-01T00:00", &["2026-05-29T00:00"]),
        ("cron(0 0 31 * ? *)", "2026-01-31T00:00", &["2026-03-31T00:00", "2026-05-31T00:00"]),
        ("cron(0 0 1,L * ? *)", "2026-01-01T00:00", &["2026-01-31T00:00", "2026-02-01T00:00"]),
        ("cron(0 0 29 2 ? *)", "2026-01-01T00:00", &["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("cron(0 0 1 JAN,jul ? *)", "2026-01-01T00:00", &["2026-07-01T00:00", "2027-01-01T00:00"]),
        (
            "cron(0 0 1 1/4 ? 2026-2027)",
            "2026-09-01T00:00",
            &["2027-01-01T00:00", "2027-05-01T00:00"],
        ),
        ("cron(0 0 1 1 ? 2027)", "2026-01-01T00:00", &["2027-01-01T00:00"]),
        ("cron(0 0 1 1 ? 2025)", "2026-01-01T00:00", &[]),
        ("cron(0 0 30 2 ? *)", "2026-01-01T00:00", &[]),
    ];

    /// Schedules that are refused, and a part of the reason.
    const REFUSED: &[(&str, &str)] = &[
        ("every day", "none of the forms"),
        ("rate(0 minutes)", "not a number from 1 on"),
        ("rate(1 minutes)", "not a unit that goes with 1"),
        ("rate(5 minute)", "not a unit that goes with 5"),
        ("rate(5 weeks)", "not a unit"),
        ("rate(5)", "a number and a unit"),
        ("cron(0 6 * * *)", "has 5 fields"),
        ("cron(0 6 * * * *)", "`?`"),
        ("cron(0 6 ? * ? *)", "`?`"),
        ("cron(60 6 * * ? *)", "minutes"),
        ("cron(0 24 * * ? *)", "hours"),
        ("cron(0 6 32 * ? *)", "day of month"),
        ("cron(0 6 0 * ? *)", "day of month"),
        ("cron(0 6 * 13 ? *)", "month"),
        ("cron(0 6 ? * 8 *)", "day of week"),
        ("cron(0 6 ? * 0 *)", "day of week"),
        ("cron(0 6 ? * 3#6 *)", "day of week"),
        ("cron(0 6 * * ? 1969)", "year"),
        ("cron(0 6-3 * * ? *)", "hours"),
        ("cron(0 */0 * * ? *)", "hours"),
        ("cron(0 6 L-31 * ? *)", "day of month"),
        ("cron(0 6 32W * ? *)", "day of month"),
        ("cron(, 6 * * ? *)", "minutes"),
        ("at(2026-13-01T00:00:00)", "not a time"),
    ];

    #[test]
    fn the_next_times_of_a_schedule_are_those_of_eventbridge() {
        // 2026-01-01 is a Thursday.
        for (schedule, after, times) in TIMES {
            // One more than expected, so that an end is seen too.
            let mut found = next(schedule, after, times.len().max(1));
            found.truncate(times.len().max(1));
            assert_eq!(found, *times, "{schedule} after {after}");
        }
    }

    #[test]
    fn what_eventbridge_refuses_is_refused() {
        for (schedule, why) in REFUSED {
            let error = Schedule::parse(schedule).expect_err(schedule).to_string();
            assert!(error.contains(why) && error.contains("expected rate("), "{error}");
        }
    }
}
