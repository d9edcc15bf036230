//! Finds what stands in for an image: the project's `[jobs]`, or what AWS's own images bring.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sidestep_local::jobs::{ImageUse, Images, Prepared, Program};

use super::defaults::default;
use crate::project::Project;
use crate::python::{JobPython, job_python};
use crate::settings::{JobSettings, Packages};

/// The images of a project.
#[derive(Debug)]
pub(crate) struct ProjectImages {
    folder: PathBuf,
    settings: BTreeMap<String, JobSettings>,
}

/// What stands in for an image, before anything is installed.
#[derive(Debug)]
struct Plan {
    packages: Vec<String>,
    /// The `N` of Python `3.N`.
    minor: u32,
    is_exact: bool,
    /// An environment of the project.
    environment: Option<PathBuf>,
    program: Option<Program>,
    variables: BTreeMap<String, String>,
    /// Where it comes from, for the job's log.
    origin: String,
}

impl ProjectImages {
    /// Takes the images of a project's settings.
    pub(crate) fn of(project: &Project) -> Self {
        Self { folder: project.folder.clone(), settings: project.settings.jobs.clone() }
    }

    fn plan(&self, wanted: &ImageUse) -> Result<Plan, String> {
        let (repository, tag) = parts(&wanted.image);
        let own = self
            .settings
            .iter()
            .filter(|(pattern, _)| matches(pattern, &wanted.image, repository))
            .max_by_key(|(pattern, _)| pattern.len());
        let known = match default(repository, tag) {
            Ok(known) => known,
            Err(reason) if own.is_none() => {
                return Err(refusal(&wanted.image, repository, &reason));
            }
            Err(_) => None,
        };
        if own.is_none() && known.is_none() {
            let reason = "it is no image that sidestep knows";
            return Err(refusal(&wanted.image, repository, reason));
        }
        let mut plan = Plan {
            packages: Vec::new(),
            minor: 11,
            is_exact: false,
            environment: None,
            program: None,
            variables: BTreeMap::new(),
            origin: format!("the packages of `{repository}`"),
        };
        if let Some(known) = known {
            (plan.packages, plan.minor, plan.program) =
                (known.packages, known.minor, known.program);
            let pairs = known.variables.into_iter();
            plan.variables = pairs.map(|(name, value)| (name.to_owned(), value)).collect();
        }
        if let Some((pattern, settings)) = own {
            self.apply(&mut plan, pattern, settings)?;
        }
        if let Some(version) = &wanted.python {
            plan.minor = minor(version)
                .ok_or_else(|| format!("The job asks for Python '{version}': expected '3.N'."))?;
            plan.is_exact = true;
            plan.packages.extend(sdk(wanted.sdk.as_deref()));
        }
        if wanted.needs_program && plan.program.is_none() {
            let reason = "the job names no program and no script, and nothing stands in for the program of the image";
            return Err(refusal(&wanted.image, repository, reason));
        }
        Ok(plan)
    }

    /// Changes a plan by the project's own settings.
    fn apply(&self, plan: &mut Plan, pattern: &str, settings: &JobSettings) -> Result<(), String> {
        plan.origin = format!("`[jobs.\"{pattern}\"]` of the project");
        match &settings.requirements {
            None => {}
            Some(Packages::List(list)) => plan.packages.clone_from(list),
            Some(Packages::File(file)) => {
                let path = self.folder.join(file);
                let text = fs::read_to_string(&path)
                    .map_err(|error| format!("could not read `{}`: {error}", path.display()))?;
                let lines = text.lines().map(|line| line.split(" #").next().unwrap_or(line).trim());
                let is_requirement = |line: &&str| !line.is_empty() && !line.starts_with('#');
                plan.packages = lines.filter(is_requirement).map(str::to_owned).collect();
            }
        }
        if let Some(python) = &settings.python {
            match minor(python) {
                Some(minor) => plan.minor = minor,
                None => plan.environment = Some(self.folder.join(python)),
            }
        }
        if let Some(program) = &settings.program {
            plan.program = Some(Program::Command(program.clone()));
        }
        plan.variables.extend(settings.environment.clone());
        Ok(())
    }
}

impl Images for ProjectImages {
    fn check(&self, wanted: &ImageUse) -> Result<(), String> {
        self.plan(wanted).map(drop)
    }

    fn prepare(&self, wanted: &ImageUse) -> Result<Prepared, String> {
        let failed = |reason: String| format!("ClientError: {reason}");
        let plan = self.plan(wanted).map_err(failed)?;
        let (repository, _) = parts(&wanted.image);
        let python = match &plan.environment {
            Some(folder) => of_project(folder).map_err(failed)?,
            None => job_python(plan.minor, plan.is_exact, &plan.packages, repository, &self.folder)
                .map_err(|error| failed(error.with_details()))?,
        };
        let note = format!(
            "Python {} with {} stands in for image `{}`",
            python.version, plan.origin, wanted.image
        );
        Ok(Prepared {
            interpreter: python.interpreter,
            version: python.version,
            environment: Some(python.environment),
            program: plan.program,
            variables: plan.variables,
            note,
        })
    }
}

/// Returns the packages that run a pickled function: the SDK that pickled it.
///
/// SDK 3 is several packages, of which one runs functions; its version goes with that of the SDK.
fn sdk(version: Option<&str>) -> Vec<String> {
    let version = version.unwrap_or_default();
    let is_number = version.split('.').all(|part| part.parse::<u32>().is_ok());
    let package = match version.split_once('.') {
        Some(("2", _)) if is_number => format!("sagemaker=={version}"),
        Some(("3", rest)) if is_number => {
            format!("sagemaker-core==2.{}.*", rest.split('.').next().unwrap_or("*"))
        }
        _ => "sagemaker-core>=2".to_owned(),
    };
    vec![package, "cloudpickle".to_owned()]
}

/// Returns the Python of an environment of the project.
fn of_project(folder: &Path) -> Result<JobPython, String> {
    let program = folder.join("bin").join("python");
    let code = "import sys; print(getattr(sys, '_base_executable', None) or sys.executable); \
        print('.'.join(map(str, sys.version_info[:3])))";
    let output = Command::new(&program).args(["-c", code]).output();
    let succeeded = output.ok().filter(|output| output.status.success());
    let text =
        succeeded.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let mut lines = text.lines();
    match (lines.next(), lines.next()) {
        (Some(interpreter), Some(version)) => Ok(JobPython {
            interpreter: fs::canonicalize(interpreter).unwrap_or_else(|_| interpreter.into()),
            version: version.to_owned(),
            environment: folder.to_owned(),
        }),
        _ => Err(format!("`{}` is no environment of Python", folder.display())),
    }
}

/// Returns the refusal of an image, with what to write.
fn refusal(image: &str, repository: &str, reason: &str) -> String {
    format!(
        "Image '{image}' cannot run on this machine: {reason}. Write in sidestep.toml what stands in for it: [jobs.\"{repository}*\"] with requirements = [\"PACKAGE\", ...], and program = [\"COMMAND\", ...] if the job names none."
    )
}

/// Splits an image into the last part of its repository, and its tag.
fn parts(image: &str) -> (&str, &str) {
    let last = image.rsplit('/').next().unwrap_or(image);
    let name = last.split('@').next().unwrap_or(last);
    name.split_once(':').unwrap_or((name, ""))
}

/// Returns true if a pattern means an image: all of it, or the part after its registry, with or
/// without its tag.
fn matches(pattern: &str, image: &str, repository: &str) -> bool {
    let short = image.rsplit('/').next().unwrap_or(image);
    [image, short, repository].into_iter().any(|text| fits(pattern, text))
}

/// Returns true if a text fits a pattern, in which `*` stands for any characters.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    if rest.is_empty() {
        return true;
    }
    loop {
        if fits(rest, left) {
            return true;
        }
        let mut chars = left.chars();
        if chars.next().is_none() {
            return false;
        }
        left = chars.as_str();
    }
}

/// Returns the `N` of `3.N` or `3.N.M`.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("3.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use sidestep_local::jobs::JobKind;

    use super::*;

    #[test]
    fn an_image_is_found_by_the_longest_pattern_and_an_unknown_one_is_refused_with_what_to_write() {
        let text = r#"
            ["mine*"]
            requirements = ["a"]
            ["mine:2"]
            requirements = ["b"]
            program = ["python", "t.py"]
            ["sagemaker-xgboost:*"]
            python = "3.12"
        "#;
        let settings = toml::from_str(text).expect("settings");
        let images = ProjectImages { folder: ".".into(), settings };
        let plan = |image: &str, needs_program| {
            let image = image.to_owned();
            let kind = JobKind::Training;
            images.plan(&ImageUse { kind, image, python: None, sdk: None, needs_program })
        };
        let registry = "1.dkr.ecr.us-east-1.amazonaws.com";
        let packages = |image: &str| plan(image, false).expect("known").packages;
        assert_eq!(packages(&format!("{registry}/mine:1")), ["a"]);
        assert_eq!(packages(&format!("{registry}/mine:2")), ["b"]);
        let xgboost = plan(&format!("{registry}/sagemaker-xgboost:1.7-1"), true).expect("known");
        assert_eq!((xgboost.minor, xgboost.program), (12, Some(Program::XgBoost)));
        for (image, needs_program, words) in [
            ("other:1", false, "[jobs.\"other*\"]"),
            ("mine:1", true, "names no program"),
            ("sagemaker-spark-processing:3.1", false, "PySpark"),
        ] {
            let refused = plan(image, needs_program).expect_err("refused");
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn a_pickled_function_gets_the_sdk_that_pickled_it() {
        for (version, expected) in [
            (Some("2.257.7"), "sagemaker==2.257.7"),
            (Some("3.27.0"), "sagemaker-core==2.27.*"),
            (Some("unknown"), "sagemaker-core>=2"),
            (None, "sagemaker-core>=2"),
        ] {
            assert_eq!(sdk(version)[0], expected);
        }
    }

    #[test]
    fn a_star_in_a_pattern_stands_for_any_characters() {
        for (pattern, text, expected) in [
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c*", "abcd", true),
            ("a*d", "abc", false),
            ("abc", "abcd", false),
            ("*", "", true),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }
}
