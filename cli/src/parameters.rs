//! Pipeline parameters as the user gives them: one by one, or in a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use sidestep_core::parse::read_value;

use crate::output::error::{CommandError, OrError as _, user};
use crate::pipeline_source::format_of;

/// What a file of parameters holds, as the end of an error text.
const ALLOWED: &str = "an object `{NAME: VALUE}` or a list `[{\"Name\": NAME, \"Value\": VALUE}]`";

/// Parses `NAME=VALUE`.
pub(crate) fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE or NAME=@FILE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Returns the parameters of a file, overridden by those that are given one by one. Of these
/// `@FILE` stands for the file's text, and `@@` for an `@`.
pub(crate) fn parameters(
    file: Option<&Path>,
    given: &[(String, String)],
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut single = BTreeMap::new();
    for (name, value) in given {
        let value = match value.strip_prefix('@') {
            Some(literal) if literal.starts_with('@') => literal.to_owned(),
            Some(file) => text_of(name, Path::new(file))?,
            None => value.clone(),
        };
        if single.insert(name.clone(), value).is_some() {
            return Err(user(format!("parameter `{name}` is given twice")));
        }
    }
    let mut parameters = file.map_or_else(|| Ok(BTreeMap::new()), of_file)?;
    parameters.append(&mut single);
    Ok(parameters)
}

/// Returns the text of a file, without the end of its last line.
fn text_of(name: &str, path: &Path) -> Result<String, CommandError> {
    let file = path.display();
    let text = fs::read_to_string(path)
        .or_user(|| format!("could not read the value of parameter `{name}` in `{file}`"))
        .map_err(|error| error.hint(format!("`{name}=@@{file}` gives the text itself")))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

fn of_file(path: &Path) -> Result<BTreeMap<String, String>, CommandError> {
    let file = path.display();
    let bytes = fs::read(path).or_user(|| format!("could not read parameters in `{file}`"))?;
    let wrong = |what: String| user(format!("invalid parameters in `{file}`: {what}"));
    let document = read_value(&bytes, format_of(path)).map_err(|problems| {
        let first = problems.first().map(|it| format!("line {}: {it}", it.line));
        wrong(first.unwrap_or_default())
    })?;
    let mut parameters = BTreeMap::new();
    for (name, value) in members(document).map_err(wrong)? {
        let text = scalar(&name, &value).map_err(wrong)?;
        if parameters.insert(name.clone(), text).is_some() {
            return Err(wrong(format!("parameter `{name}` is given twice")));
        }
    }
    Ok(parameters)
}

/// Returns names and values of either form. The list is that of SageMaker's
/// `StartPipelineExecution`.
fn members(document: Value) -> Result<Vec<(String, Value)>, String> {
    let expected = || format!("expected {ALLOWED}");
    match document {
        Value::Object(members) => Ok(members.into_iter().collect()),
        Value::Array(elements) => {
            let member = |element: Value| {
                let Value::Object(mut members) = element else { return Err(expected()) };
                let (name, value) = (members.remove("Name"), members.remove("Value"));
                match (name, value) {
                    (Some(Value::String(name)), Some(value)) if members.is_empty() => {
                        Ok((name, value))
                    }
                    _ => Err(expected()),
                }
            };
            elements.into_iter().map(member).collect()
        }
        _ => Err(expected()),
    }
}

/// Returns a value as the text that the definition's type reads.
fn scalar(name: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        _ => Err(format!("parameter `{name}`: expected a text, a number or a boolean")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(file: &str, text: &str, given: &[(&str, &str)]) -> Result<Value, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(file);
        fs::write(&path, text).expect("written");
        let given: Vec<_> =
            given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let read = parameters(Some(&path), &given);
        read.map(|found| json!(found)).map_err(|error| error.one_line())
    }

    #[test]
    fn a_file_of_parameters_may_have_either_form() {
        let expected = json!({"A": "x", "N": "1.50", "B": "true"});
        let cases = [
            ("p.json", r#"{"A": "x", "N": "1.50", "B": true}"#),
            (
                "p.json",
                r#"[{"Name": "A", "Value": "x"}, {"Name": "N", "Value": "1.50"}, {"Name": "B", "Value": "true"}]"#,
            ),
            ("p.yaml", "A: x\nN: '1.50'\nB: true\n"),
            (
                "p.yml",
                "- {Name: A, Value: x}\n- {Name: N, Value: '1.50'}\n- {Name: B, Value: true}\n",
            ),
        ];
        for (file, text) in cases {
            assert_eq!(read(file, text, &[]), Ok(expected.clone()), "{text}");
        }
        let over = read("p.json", r#"{"A": "x", "N": 2}"#, &[("A", "y"), ("C", "@@z")]);
        assert_eq!(over, Ok(json!({"A": "y", "N": "2", "C": "@z"})));
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said() {
        let cases = [
            ("p.json", "3", "expected an object"),
            ("p.json", "[{\"Name\": \"A\"}]", "expected an object"),
            ("p.json", "{\"A\": [1]}", "parameter `A`: expected a text, a number or a boolean"),
            (
                "p.json",
                "[{\"Name\": \"A\", \"Value\": 1}, {\"Name\": \"A\", \"Value\": 1}]",
                "twice",
            ),
            ("p.json", "{", "invalid parameters in"),
            ("p.yaml", "a: [", "invalid parameters in"),
        ];
        for (file, text, expected) in cases {
            let error = read(file, text, &[]).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = read("p.json", "{}", &[("A", "@/no/such/file")]).expect_err("no file");
        assert!(error.contains("could not read the value of parameter `A`"), "{error}");
    }
}
