//! What AWS's own images bring, as packages.
//!
//! The packages are those of the image. Their versions are those of the image where the machine's
//! Python has them, else the next ones.

use sidestep_local::jobs::Program;

/// What stands in for one of AWS's images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) packages: Vec<String>,
    /// The `N` of Python `3.N`.
    pub(super) minor: u32,
    pub(super) program: Option<Program>,
    pub(super) variables: Vec<(&'static str, String)>,
}

/// The Python of images whose tag does not say.
const MINOR: u32 = 11;

/// What nearly every image of AWS has.
const COMMON: [&str; 5] = ["boto3", "numpy<2", "pandas<3", "requests", "PyYAML"];

/// Returns what stands in for an image: its repository and its tag. The error says why nothing
/// does.
pub(super) fn default(repository: &str, tag: &str) -> Result<Option<Known>, String> {
    let minor = minor_of_tag(tag).unwrap_or(MINOR);
    let plain = |packages: &[&str]| Known {
        packages: COMMON.iter().chain(packages).map(|one| (*one).to_owned()).collect(),
        minor,
        program: None,
        variables: Vec::new(),
    };
    let learn: &[&str] = &[
        "scikit-learn>=1.2,<1.4; python_version < '3.12'",
        "scikit-learn>=1.4,<1.6; python_version >= '3.12'",
        "scipy",
        "joblib",
    ];
    let with_learn =
        |more: &[&'static str]| plain(&learn.iter().chain(more).copied().collect::<Vec<_>>());
    Ok(Some(match repository {
        "sagemaker-scikit-learn" => with_learn(&[]),
        "sagemaker-xgboost" | "xgboost" => xgboost(with_learn(&[]), tag),
        "pytorch-training" | "pytorch-inference" => with_learn(&["torch"]),
        "tensorflow-training" | "tensorflow-inference" => with_learn(&["tensorflow"]),
        "huggingface-pytorch-training" | "huggingface-pytorch-inference" => {
            with_learn(&["torch", "transformers", "datasets", "accelerate", "evaluate"])
        }
        "huggingface-tensorflow-training" | "huggingface-tensorflow-inference" => {
            with_learn(&["tensorflow", "transformers", "datasets", "evaluate"])
        }
        "sagemaker-spark-processing" | "sagemaker-sparkml-serving" => {
            return Err(
                "PySpark jobs start with `smspark-submit`, which only Spark's own image has"
                    .to_owned(),
            );
        }
        name if name.starts_with("sagemaker-base-python")
            || name.starts_with("sagemaker-data-science")
            || name.starts_with("sagemaker-distribution")
            || name == "python" =>
        {
            let minor = minor_of_name(name).or_else(|| minor_of_version(name, tag));
            Known { minor: minor.unwrap_or(minor_of_tag(tag).unwrap_or(MINOR)), ..plain(&[]) }
        }
        _ => return Ok(None),
    }))
}

/// Adds the package of a version of the XGBoost image, and the built-in algorithm.
fn xgboost(plain: Known, tag: &str) -> Known {
    let version = tag.split('-').next().unwrap_or_default();
    let package = match version {
        "2.0" => "xgboost>=2.0,<2.1",
        "2.1" => "xgboost>=2.1,<2.2",
        "3.0" => "xgboost>=3.0,<3.1",
        // 1.7, and older ones, which have no packages for a Python of today.
        _ => "xgboost>=1.7,<1.8",
    };
    let mut known = plain;
    known.packages.push(package.to_owned());
    known.program = Some(Program::XgBoost);
    known.variables = vec![("SIDESTEP_XGBOOST_IMAGE", tag.to_owned())];
    known
}

/// Returns the `N` of a tag such as `2.1.0-cpu-py310`.
fn minor_of_tag(tag: &str) -> Option<u32> {
    tag.split('-').find_map(|part| part.strip_prefix("py3")?.parse().ok())
}

/// Returns the `N` of a name such as `sagemaker-base-python-310`.
fn minor_of_name(name: &str) -> Option<u32> {
    name.rsplit('-').next()?.strip_prefix('3')?.parse().ok()
}

/// Returns the `N` of an image `python:3.N`.
fn minor_of_version(name: &str, tag: &str) -> Option<u32> {
    let version = tag.strip_prefix("3.").filter(|_| name == "python")?;
    version.split(['.', '-']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_aws_have_packages_and_a_python() {
        for (repository, tag, minor, package) in [
            ("sagemaker-scikit-learn", "1.2-1-cpu-py3", 11, "scipy"),
            ("sagemaker-xgboost", "1.7-1", 11, "xgboost>=1.7,<1.8"),
            ("sagemaker-xgboost", "1.0-1-cpu-py3", 11, "xgboost>=1.7,<1.8"),
            ("pytorch-training", "2.1.0-cpu-py310", 10, "torch"),
            ("sagemaker-base-python-310", "1.0", 10, "boto3"),
            ("python", "3.12-slim", 12, "boto3"),
        ] {
            let found = default(repository, tag).expect("known").expect("known");
            assert_eq!(found.minor, minor, "{repository}:{tag}");
            assert!(found.packages.iter().any(|one| one == package), "{:?}", found.packages);
        }
        assert_eq!(default("mine", "1"), Ok(None));
        let spark = default("sagemaker-spark-processing", "3.1");
        assert!(spark.is_err_and(|reason| reason.contains("PySpark")));
    }
}
