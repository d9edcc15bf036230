//! Cron expressions as EventBridge reads them: six fields, weekdays from Sunday as 1, and `?`, `L`,
//! `W` and `#`.

use std::collections::BTreeSet;

use time::{Date, OffsetDateTime, Time};

use super::field::Field;

const MINUTES: Field = Field { name: "minutes", least: 0, most: 59, names: &[] };
const HOURS: Field = Field { name: "hours", least: 0, most: 23, names: &[] };
const DAYS: Field = Field { name: "day of month", least: 1, most: 31, names: &[] };
const MONTHS: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
const WEEKDAYS: Field = Field {
    name: "day of week",
    least: 1,
    most: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};
const YEARS: Field = Field { name: "year", least: 1970, most: 2199, names: &[] };

/// A cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    minutes: BTreeSet<u16>,
    hours: BTreeSet<u16>,
    /// A day counts if one of them holds.
    days: Vec<DayRule>,
    months: BTreeSet<u16>,
    years: BTreeSet<u16>,
}

/// Which days of a month are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DayRule {
    Day(u16),
    /// So many days before the last one.
    BeforeLast(u16),
    LastWorkday,
    /// The workday that is nearest to a day, in the same month.
    NearestWorkday(u16),
    Weekday(u16),
    LastWeekday(u16),
    /// The n-th of a weekday.
    Nth(u16, u16),
}

impl Cron {
    /// Reads the text between the brackets.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let fields: Vec<_> = text.split(' ').collect();
        let [minutes, hours, day, month, weekday, year] = fields.as_slice() else {
            return Err(format!(
                "a cron expression has 6 fields, and this has {} fields",
                fields.len()
            ));
        };
        let days = match (*day, *weekday) {
            ("?", weekday) if weekday != "?" => rules(weekday, weekday_rules)?,
            (day, "?") if day != "?" => rules(day, day_rules)?,
            _ => return Err("one of day of month and day of week has to be `?`".to_owned()),
        };
        Ok(Self {
            minutes: MINUTES.parse(minutes)?,
            hours: HOURS.parse(hours)?,
            days,
            months: MONTHS.parse(month)?,
            years: YEARS.parse(year)?,
        })
    }

    /// Returns the first time from `from` on, which has no seconds.
    pub(super) fn next(&self, from: OffsetDateTime) -> Option<OffsetDateTime> {
        let mut date = from.date();
        let mut earliest = (u16::from(from.hour()), u16::from(from.minute()));
        let last_year = i32::from(*self.years.last()?);
        while date.year() <= last_year {
            if let Some(time) = self.is_day(date).then(|| self.time(earliest)).flatten() {
                return Some(date.with_time(time).assume_utc());
            }
            date = date.next_day()?;
            earliest = (0, 0);
        }
        None
    }

    fn is_day(&self, date: Date) -> bool {
        let year = u16::try_from(date.year()).unwrap_or_default();
        self.years.contains(&year)
            && self.months.contains(&u16::from(u8::from(date.month())))
            && self.days.iter().any(|rule| rule.holds(date))
    }

    /// Returns the first time of a day from `(hour, minute)` on.
    fn time(&self, (hour, minute): (u16, u16)) -> Option<Time> {
        let first = |hour: u16, from: u16| {
            let minute = self.minutes.range(from..).next()?;
            Time::from_hms(u8::try_from(hour).ok()?, u8::try_from(*minute).ok()?, 0).ok()
        };
        self.hours.range(hour..).find_map(|at| first(*at, if *at == hour { minute } else { 0 }))
    }
}

fn rules(
    text: &str,
    part: fn(&str) -> Result<Vec<DayRule>, String>,
) -> Result<Vec<DayRule>, String> {
    let parts: Result<Vec<_>, _> = text.split(',').map(part).collect();
    Ok(parts?.concat())
}

fn day_rules(text: &str) -> Result<Vec<DayRule>, String> {
    let rule = match (text, text.strip_prefix("L-"), text.strip_suffix('W')) {
        ("L", ..) => DayRule::BeforeLast(0),
        ("LW", ..) => DayRule::LastWorkday,
        (_, Some(before), _) => {
            let before = DAYS.number(before).ok().filter(|before| *before <= 30);
            DayRule::BeforeLast(before.ok_or_else(|| DAYS.wrong(text))?)
        }
        (_, _, Some(day)) => DayRule::NearestWorkday(DAYS.number(day)?),
        _ => return Ok(DAYS.part(text)?.into_iter().map(DayRule::Day).collect()),
    };
    Ok(vec![rule])
}

fn weekday_rules(text: &str) -> Result<Vec<DayRule>, String> {
    let rule = match (text, text.strip_suffix('L'), text.split_once('#')) {
        ("L", ..) => DayRule::Weekday(WEEKDAYS.most),
        (_, Some(day), _) => DayRule::LastWeekday(WEEKDAYS.number(day)?),
        (_, _, Some((day, count))) => {
            let count = count.parse().ok().filter(|count| (1..=5).contains(count));
            DayRule::Nth(WEEKDAYS.number(day)?, count.ok_or_else(|| WEEKDAYS.wrong(text))?)
        }
        _ => return Ok(WEEKDAYS.part(text)?.into_iter().map(DayRule::Weekday).collect()),
    };
    Ok(vec![rule])
}

impl DayRule {
    fn holds(self, date: Date) -> bool {
        let day = u16::from(date.day());
        let last = u16::from(date.month().length(date.year()));
        let weekday = weekday(date);
        match self {
            Self::Day(wanted) => day == wanted,
            Self::BeforeLast(before) => day + before == last,
            Self::LastWorkday => day == nearest_workday(date, last, last),
            Self::NearestWorkday(wanted) => {
                wanted <= last && day == nearest_workday(date, wanted, last)
            }
            Self::Weekday(wanted) => weekday == wanted,
            Self::LastWeekday(wanted) => weekday == wanted && day + 7 > last,
            Self::Nth(wanted, count) => weekday == wanted && day.div_ceil(7) == count,
        }
    }
}

/// Returns the day of the week, from Sunday as 1.
fn weekday(date: Date) -> u16 {
    u16::from(date.weekday().number_days_from_sunday()) + 1
}

/// Returns the workday of the date's month that is nearest to `day`.
fn nearest_workday(date: Date, day: u16, last: u16) -> u16 {
    // The weekday of `day`, from that of the date, in whole weeks so that nothing is below zero.
    let ahead = day + 35 - u16::from(date.day());
    match (weekday(date) - 1 + ahead) % 7 + 1 {
        7 if day == 1 => 3,
        7 => day - 1,
        1 if day == last => day - 2,
        1 => day + 1,
        _ => day,
    }
}
