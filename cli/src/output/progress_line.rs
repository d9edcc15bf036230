//! Progress that a function reports in a line of its log.

use serde_json::{Deserializer, Value};

/// How many places of a line are tried.
const TRIES: usize = 16;

/// Returns the progress in a line of a log as text: `40 % sorting`. The line may hold it anywhere,
/// and the JSON may have blanks.
pub(crate) fn progress_of(message: &str) -> Option<String> {
    if !message.contains("\"Sidestep\"") || !message.contains("\"Progress\"") {
        return None;
    }
    let begins = message.match_indices('{').map(|(at, _)| at).take(TRIES);
    let mut values = begins.filter_map(|at| {
        let value = Deserializer::from_str(&message[at..]).into_iter::<Value>().next()?.ok()?;
        Some(value.get("Sidestep")?.get("Progress")?.clone())
    });
    let progress = values.next()?;
    let fraction = progress["Fraction"].as_f64().map(|part| format!("{:.0} %", part * 100.0));
    let words = progress["Message"].as_str().map(str::to_owned);
    Some([fraction, words].into_iter().flatten().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_any_spacing() {
        let cases = [
            (r#"{"Sidestep":{"Progress":{"Fraction":0.5}}}"#, Some("50 %")),
            (r#"{"Sidestep": {"Progress": {"Fraction": 0.5}}}"#, Some("50 %")),
            (
                r#"{ "Sidestep" : { "Progress" : { "Message" : "x" , "Fraction" : 1 } } } "#,
                Some("100 % x"),
            ),
            (r#"INFO {a} {"Sidestep": {"Progress": {"Message": "a {b}"}}} end"#, Some("a {b}")),
            (
                r#"{"level": "INFO", "message": {"Sidestep": {"Progress": {"Fraction": 0.25}}}}"#,
                Some("25 %"),
            ),
            (r#"{"Sidestep": {"Token": "Progress"}}"#, None),
            (r#"{"Sidestep": {"Progress": {"Fraction""#, None),
            ("done", None),
        ];
        for (line, expected) in cases {
            assert_eq!(progress_of(line).as_deref(), expected, "{line}");
        }
    }
}
