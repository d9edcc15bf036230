//! `[jobs."IMAGE"]`: what stands in for a container image when jobs run on this machine.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::output::error::{CommandError, user};

/// `[jobs."IMAGE"]`. `IMAGE` is a pattern: `*` stands for any characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobSettings {
    /// The packages of the image.
    pub(crate) requirements: Option<Packages>,
    /// A version such as `3.11`, or the folder of an environment of the project.
    pub(crate) python: Option<String>,
    /// What runs for jobs that name no program and no script.
    pub(crate) program: Option<Vec<String>>,
    /// Variables that the image would set.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
}

/// Packages: a list of requirements, or a file of them relative to the project's folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(crate) enum Packages {
    List(Vec<String>),
    File(PathBuf),
}

/// Refuses the first problem of a pattern's settings.
pub(super) fn check(pattern: &str, settings: &JobSettings) -> Result<(), CommandError> {
    let place = format!("jobs.\"{pattern}\"");
    if pattern.trim().is_empty() || pattern.contains(char::is_whitespace) {
        return Err(user(format!(
            "invalid pattern of an image in `[{place}]`: expected an image such as `sagemaker-xgboost:1.7-1`, with `*` for any characters"
        )));
    }
    if settings.program.as_ref().is_some_and(|words| words.iter().all(String::is_empty)) {
        return Err(user(format!(
            "invalid `program` in `[{place}]`: expected a command and its arguments, such as `[\"python\", \"train.py\"]`"
        )));
    }
    if let Some(Packages::List(list)) = &settings.requirements {
        let is_wrong = |one: &&String| one.trim().is_empty() || one.trim().starts_with('-');
        if let Some(wrong) = list.iter().find(is_wrong) {
            return Err(user(format!(
                "invalid `requirements` in `[{place}]`: expected requirements such as `pandas>=2`, got `{wrong}`"
            ))
            .hint("options of pip belong into a file: `requirements = \"requirements.txt\"`"));
        }
    }
    let python = settings.python.as_deref();
    if python.is_some_and(|python| python.is_empty() || python.starts_with("2.")) {
        return Err(user(format!(
            "invalid `python` in `[{place}]`: expected a version such as `3.11`, or the folder of an environment"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::settings::Settings;

    #[test]
    fn wrong_settings_of_jobs_are_refused_by_place() {
        let parse = |text: &str| -> Result<(), String> {
            let settings: Settings = toml::from_str(text).map_err(|error| error.to_string())?;
            settings.check().map_err(|error| error.one_line())
        };
        for (text, expected) in [
            ("[jobs.\"sagemaker-xgboost:*\"]\nrequirements = [\"xgboost==2.1\"]", None),
            ("[jobs.\"mine:1\"]\nrequirements = \"r.txt\"\npython = \"3.12\"", None),
            ("[jobs.\"mine:1\"]\nprogram = []", Some("`program` in `[jobs.\"mine:1\"]`")),
            ("[jobs.\"mine:1\"]\nprogramme = [\"a\"]", Some("programme")),
            ("[jobs.\" \"]\npython = \"3.11\"", Some("invalid pattern of an image")),
            ("[jobs.\"a\"]\npython = \"2.7\"", Some("invalid `python` in `[jobs.\"a\"]`")),
            ("[jobs.\"a\"]\nrequirements = [\"-r x\"]", Some("got `-r x`")),
        ] {
            match (parse(text), expected) {
                (Ok(()), None) => {}
                (Err(error), Some(words)) => assert!(error.contains(words), "{error}"),
                (result, _) => panic!("{text}: {result:?}"),
            }
        }
    }
}
