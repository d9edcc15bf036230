//! Poetry's version constraints in Python's own form
//! (<https://python-poetry.org/docs/dependency-specification/>).

/// Returns the specifiers that say the same as `text`, or `None` for a union.
pub(super) fn of(text: &str) -> Option<String> {
    if text.contains('|') {
        return None;
    }
    let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
    let mut joined: Vec<String> = Vec::new();
    let mut operator = String::new();
    for part in parts {
        // `>= 1` is written with a blank, too.
        if part.chars().all(|c| "<>=!~^".contains(c)) {
            part.clone_into(&mut operator);
            continue;
        }
        joined.extend(one(&format!("{operator}{part}")));
        operator.clear();
    }
    Some(joined.join(","))
}

/// Returns the marker that limits the versions of Python to `text`.
pub(super) fn python_marker(text: &str) -> Option<String> {
    let all = of(text)?;
    let marker = |part: &str| {
        let end = part.find(|c: char| c.is_ascii_digit())?;
        Some(format!("python_full_version {} \"{}\"", &part[..end], &part[end..]))
    };
    let markers: Option<Vec<_>> =
        all.split(',').filter(|part| !part.is_empty()).map(marker).collect();
    markers.map(|markers| markers.join(" and "))
}

fn one(text: &str) -> Vec<String> {
    if let Some(version) = text.strip_prefix('^') {
        let parts = numbers(version);
        let place = parts.iter().position(|part| *part != 0).unwrap_or(parts.len() - 1);
        return vec![format!(">={version}"), format!("<{}", above(&parts, place))];
    }
    if let Some(version) = text.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
        let parts = numbers(version);
        let place = usize::from(parts.len() > 1);
        return vec![format!(">={version}"), format!("<{}", above(&parts, place))];
    }
    if text == "*" {
        return Vec::new();
    }
    let is_bare = text.starts_with(|c: char| c.is_ascii_digit());
    vec![if is_bare { format!("=={text}") } else { text.to_owned() }]
}

fn numbers(version: &str) -> Vec<u64> {
    let parts = version.split('.').map_while(|part| {
        let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part[..end].parse().ok()
    });
    let mut numbers: Vec<u64> = parts.collect();
    if numbers.is_empty() {
        numbers.push(0);
    }
    numbers
}

/// Returns the next version above all that agree with `parts` up to `place`.
fn above(parts: &[u64], place: usize) -> String {
    let mut parts = parts[..=place].to_vec();
    parts[place] += 1;
    let parts: Vec<_> = parts.iter().map(u64::to_string).collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carets_and_tildes_become_ranges() {
        let cases = [
            ("^1.2.3", ">=1.2.3,<2"),
            ("^0.2.3", ">=0.2.3,<0.3"),
            ("^0.0.3", ">=0.0.3,<0.0.4"),
            ("^0", ">=0,<1"),
            ("^2", ">=2,<3"),
            ("~1.2.3", ">=1.2.3,<1.3"),
            ("~1", ">=1,<2"),
            ("~=1.4", "~=1.4"),
            ("*", ""),
            ("1.2", "==1.2"),
            ("1.*", "==1.*"),
            (">=1, <2.0", ">=1,<2.0"),
            (">= 1 , != 1.5", ">=1,!=1.5"),
        ];
        for (text, expected) in cases {
            assert_eq!(of(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(of("^1 || ^2"), None);
        let marker = python_marker(">=3.8,<3.11").expect("a range");
        assert_eq!(marker, "python_full_version >= \"3.8\" and python_full_version < \"3.11\"");
    }
}
