//! The variables of a function, by Lambda's rules.

use std::collections::BTreeMap;

use sidestep_deploy::variable::{VARIABLE_BYTES, WrongName, wrong_name};

use crate::output::error::{CommandError, user};

/// Refuses the first variable that Lambda would refuse.
pub(super) fn check(
    function: &str,
    environment: &BTreeMap<String, String>,
) -> Result<(), CommandError> {
    let place = format!("functions.{function}.environment");
    let wrong = environment.keys().find_map(|name| Some((name, wrong_name(name)?)));
    match wrong {
        None => {}
        Some((name, WrongName::Reserved)) => {
            let problem = format!("invalid `{place}`: Lambda sets `{name}` itself");
            return Err(user(problem).hint("remove the variable, or give it another name"));
        }
        Some((name, WrongName::Characters)) => {
            return Err(user(format!(
                "invalid name `{name}` in `{place}`: expected `[a-zA-Z][a-zA-Z0-9_]+`, as on Lambda"
            )));
        }
    }
    let bytes: usize = environment.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > VARIABLE_BYTES {
        let problem =
            format!("`{place}` has {bytes} bytes, over Lambda's limit of {VARIABLE_BYTES}");
        return Err(user(problem).hint("put what is large into a file of the function"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_follow_the_rules_of_lambda() {
        let long = "x".repeat(VARIABLE_BYTES);
        for (name, value, problem) in [
            ("TZ", "Europe/Berlin", ""),
            ("AWS_REGION", "eu-west-1", "Lambda sets `AWS_REGION` itself"),
            ("A-b", "x", "invalid name `A-b`"),
            ("LONG", long.as_str(), "has 4100 bytes, over Lambda's limit of 4096"),
        ] {
            let environment = [(name.to_owned(), value.to_owned())].into();
            let refused = check("f", &environment).err();
            let said = refused.map(|error| format!("{error:?}")).unwrap_or_default();
            assert!(said.contains(problem) && said.is_empty() == problem.is_empty(), "{said}");
        }
    }
}
