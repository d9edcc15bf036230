//! Runtimes that AWS has closed or will close soon.
//!
//! The dates are AWS's, from
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>, where AWS moves them at
//! times. If two of its lists differ, the earlier date is here.
//!
//! For `python3.11` they differ by a year. cfn-lint, which copies AWS's list, closes it on
//! 2026-07-31 from 1.44.0 (February 2026) to 1.51.2 (May 2026), and on 2027-07-31 from 1.51.5 (June
//! 2026) to 1.58.0 (November 2026). A runtime that is refused too early costs one word of
//! `sidestep.toml`; one that AWS refuses costs a deployment that is rolled back.
//! `docs/first-deployment.md` says how an account settles it.

use time::macros::date;
use time::{Date, Duration};

use super::problem::{Problem, Severity};
use super::subject::Subject;

/// When the dates were copied.
pub const AS_OF: Date = date!(2026 - 11 - 27);
/// How long before its end a runtime is warned about.
const SOON: Duration = Duration::days(180);

/// A runtime: its identifier, since when no function can be created with it, and since when none
/// can be changed.
type Row = (&'static str, Date, Date);

/// The runtimes that were still open a year ago, or are.
pub const RUNTIMES: [Row; 27] = [
    ("dotnet10", date!(2028 - 12 - 14), date!(2029 - 01 - 15)),
    ("dotnet6", date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    ("dotnet8", date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    ("java11", date!(2027 - 07 - 31), date!(2027 - 08 - 31)),
    ("java17", date!(2027 - 07 - 31), date!(2027 - 08 - 31)),
    ("java21", date!(2029 - 07 - 31), date!(2029 - 08 - 31)),
    ("java25", date!(2029 - 07 - 31), date!(2029 - 08 - 31)),
    ("java8.al2", date!(2027 - 07 - 31), date!(2027 - 08 - 31)),
    ("nodejs16.x", date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    ("nodejs18.x", date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    ("nodejs20.x", date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    ("nodejs22.x", date!(2027 - 06 - 01), date!(2027 - 07 - 01)),
    ("nodejs24.x", date!(2028 - 06 - 01), date!(2028 - 07 - 01)),
    ("provided.al2", date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    ("provided.al2023", date!(2029 - 07 - 31), date!(2029 - 08 - 31)),
    ("python3.8", date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    ("python3.9", date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    ("python3.10", date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    ("python3.11", date!(2026 - 07 - 31), date!(2026 - 08 - 31)),
    ("python3.12", date!(2028 - 11 - 30), date!(2029 - 01 - 10)),
    ("python3.13", date!(2029 - 07 - 31), date!(2029 - 08 - 31)),
    ("python3.14", date!(2029 - 07 - 31), date!(2029 - 08 - 31)),
    ("ruby3.2", date!(2027 - 02 - 01), date!(2027 - 03 - 03)),
    ("ruby3.3", date!(2027 - 04 - 30), date!(2027 - 05 - 31)),
    ("ruby3.4", date!(2028 - 04 - 30), date!(2028 - 05 - 31)),
    ("ruby4.0", date!(2029 - 04 - 30), date!(2029 - 05 - 31)),
    ("nodejs14.x", date!(2024 - 01 - 09), date!(2027 - 03 - 03)),
];
/// Runtimes that closed before.
const CLOSED: [&str; 6] = ["go1.x", "java8", "nodejs", "provided", "python3.6", "python3.7"];
/// Families of which all members closed before.
const CLOSED_FAMILIES: [&str; 8] = [
    "dotnetcore",
    "nodejs10.",
    "nodejs12.",
    "nodejs4.",
    "nodejs6.",
    "nodejs8.",
    "python2.",
    "ruby2.",
];

pub(super) fn check(subject: &Subject<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (id, properties) in subject.of_type("AWS::Lambda::Function") {
        let Some(runtime) = properties["Runtime"].as_str() else { continue };
        let function = subject.evaluator.name(id);
        problems.extend(problem(&function, runtime, subject.today, subject.exists));
    }
    problems
}

fn problem(function: &str, runtime: &str, today: Date, exists: bool) -> Option<Problem> {
    let of = format!("function `{function}` has runtime `{runtime}`");
    let advice = format!("use {}", open(runtime, today));
    let Some((_, create, update)) = RUNTIMES.iter().find(|(name, _, _)| *name == runtime) else {
        if is_closed(runtime) {
            return Some(Problem::error(format!("{of}, which AWS has closed"), advice));
        }
        let what = format!("{of}, which was not among Lambda's runtimes of {AS_OF}");
        return Some(Problem::warning(what, format!("check its name, or {advice}")));
    };
    if today >= *update {
        let what = format!("{of}: AWS closed it on {update}, also for changes");
        return Some(Problem::error(what, advice));
    }
    if today >= *create {
        let what = format!(
            "{of}: AWS closed it for new functions on {create}, and for changes on {update}"
        );
        let severity = if exists { Severity::Warning } else { Severity::Error };
        return Some(Problem { severity, ..Problem::error(what, advice) });
    }
    let what = format!("{of}: AWS will close it for new functions on {create}");
    (*create - today <= SOON).then(|| Problem::warning(what, advice))
}

/// Returns true if the runtime closed before the table begins.
fn is_closed(runtime: &str) -> bool {
    CLOSED.contains(&runtime) || CLOSED_FAMILIES.iter().any(|family| runtime.starts_with(family))
}

/// Returns the open runtimes of the same language, newest last.
fn open(runtime: &str, today: Date) -> String {
    let language: String = runtime.chars().take_while(char::is_ascii_alphabetic).collect();
    let is_open = |(name, create, _): &&Row| {
        let rest = name.strip_prefix(language.as_str());
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphabetic()))
            && *create - today > SOON
    };
    let names: Vec<_> =
        RUNTIMES.iter().filter(is_open).map(|(name, _, _)| format!("`{name}`")).collect();
    if names.is_empty() { "a runtime that is open".to_owned() } else { names.join(" or ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_judged_by_the_day() {
        use Severity::{Error, Warning};
        let now = AS_OF;
        let cases = [
            ("python3.13", now, false, None),
            ("python3.12", now, false, None),
            ("python3.11", now, false, Some(Error)),
            ("python3.11", date!(2026 - 08 - 30), false, Some(Error)),
            ("python3.11", date!(2026 - 08 - 30), true, Some(Warning)),
            ("python3.11", date!(2026 - 08 - 31), true, Some(Error)),
            ("python3.11", date!(2026 - 02 - 01), false, Some(Warning)),
            ("python3.11", date!(2026 - 01 - 31), false, None),
            ("python3.9", now, false, Some(Warning)),
            ("python3.7", now, true, Some(Error)),
            ("python2.7", now, false, Some(Error)),
            ("nodejs12.x", now, false, Some(Error)),
            ("nodejs22.x", now, false, None),
            ("provided", now, false, Some(Error)),
            ("provided.al2", now, false, Some(Warning)),
            ("provided.al2023", now, false, None),
            ("java8", now, false, Some(Error)),
            ("java8.al2", now, false, None),
            ("dotnetcore3.1", now, false, Some(Error)),
            ("python3.99", now, false, Some(Warning)),
            ("cobol", now, false, Some(Warning)),
        ];
        for (runtime, today, exists, expected) in cases {
            let found = problem("f", runtime, today, exists);
            assert_eq!(found.as_ref().map(|one| one.severity), expected, "{runtime} {today}");
            assert!(found.is_none_or(|one| one.what.contains(runtime)));
        }
        let said = problem("f", "python3.11", now, false).expect("it is closed").to_string();
        assert!(said.ends_with("use `python3.12` or `python3.13` or `python3.14`"), "{said}");
    }
}
