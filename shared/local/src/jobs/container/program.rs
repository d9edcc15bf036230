//! The command of a job: what its request names, or what stands in for the program of its image.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::layout::Layout;
use super::mounts::Way;
use super::rewrite::rewritten;
use super::venv::Venv;
use crate::jobs::images::{Prepared, Program};
use crate::jobs::kind::JobKind;
use crate::jobs::record::Record;
use crate::jobs::request::SCRIPT;

/// Runs the scripts of SDK 2's framework estimators, as SageMaker's training toolkit does.
const TOOLKIT: &str = include_str!("toolkit.py");
/// Runs the built-in algorithm XGBoost by the package `xgboost`.
const XGBOOST: &str = include_str!("xgboost_train.py");

/// Returns the command of a job.
pub(super) fn command(
    record: &Record,
    layout: &Layout,
    prepared: &Prepared,
    venv: &Venv,
    way: Way,
) -> io::Result<Vec<String>> {
    let specification = match record.kind {
        JobKind::Processing => &record.request["AppSpecification"],
        JobKind::Training => &record.request["AlgorithmSpecification"],
    };
    let (entry, arguments) =
        (list(&specification["ContainerEntrypoint"]), list(&specification["ContainerArguments"]));
    let own = |name: &str, text: &str| {
        let path = layout.root.join(name);
        fs::write(&path, text)?;
        Ok::<_, io::Error>(vec![venv.python().display().to_string(), path.display().to_string()])
    };
    let mut command = if !entry.is_empty() {
        entry
    } else if record.request["HyperParameters"][SCRIPT].is_string() {
        own("toolkit.py", TOOLKIT)?
    } else {
        match &prepared.program {
            Some(Program::Command(command)) => command.clone(),
            Some(Program::XgBoost) => own("xgboost_train.py", XGBOOST)?,
            None => {
                let image = specification["TrainingImage"]
                    .as_str()
                    .or_else(|| specification["ImageUri"].as_str());
                let message = format!(
                    "nothing stands in for the program of image `{}`",
                    image.unwrap_or_default()
                );
                return Err(io::Error::new(io::ErrorKind::NotFound, message));
            }
        }
    };
    command.extend(arguments);
    if way == Way::Rewrite {
        command = command.iter().map(|one| rewritten(one, layout)).collect();
    }
    if let Some(first) = command.first_mut()
        && is_python(first)
    {
        *first = venv.python().display().to_string();
    }
    Ok(command)
}

/// Returns true if a path means the Python of a container.
fn is_python(program: &str) -> bool {
    let path = Path::new(program);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let version = name.strip_prefix("python").unwrap_or("none");
    path.is_absolute() && version.chars().all(|one| one.is_ascii_digit() || one == '.')
}

fn list(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_python_of_a_container_is_that_of_the_job() {
        for (program, expected) in [
            ("/usr/bin/python3", true),
            ("/miniconda3/bin/python", true),
            ("/usr/local/bin/python3.8", true),
            ("python3", false),
            ("/bin/bash", false),
            ("/opt/python-tool", false),
        ] {
            assert_eq!(is_python(program), expected, "{program}");
        }
    }
}
