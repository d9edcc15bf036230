//! Counted things: `1 error`, `2 errors`.

/// Returns a count with its noun in the singular or plural.
pub(crate) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {}", plural(noun)) }
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_singular_and_all_else_plural() {
        let counts = [(0, "0 errors"), (1, "1 error"), (2, "2 errors")];
        for (number, text) in counts {
            assert_eq!(count(number, "error"), text);
        }
        assert_eq!((count(1, "entry"), count(3, "entry")), ("1 entry".into(), "3 entries".into()));
    }
}
