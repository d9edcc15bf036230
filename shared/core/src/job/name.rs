//! The names of jobs.
//!
//! No create call but one takes a token, so the name is the token: it follows from execution, step
//! and attempt. A call that is made twice finds the job of the first one, and every attempt has a
//! job of its own. The form is SageMaker's own, so that policies on `pipelines-*` hold.

use sha2::{Digest, Sha256};

use crate::job::kind::JobType;
use crate::name::{ExecutionId, StepName};

/// How each name begins, unless the step gives a prefix or names have no room for it.
pub const PREFIX: &str = "pipelines";

/// Characters of the step's name in a long and in a short name.
const STEP_CHARS: (usize, usize) = (20, 8);
/// Characters that tell attempts apart.
const HASH_CHARS: usize = 10;
/// Below this limit a name has no room for [`PREFIX`].
const LONG_NAME_CHARS: usize = 54;

/// An attempt of a step, as far as its job's name tells.
#[derive(Debug, Clone, Copy)]
pub struct Named<'a> {
    pub execution_id: &'a ExecutionId,
    pub step: &'a StepName,
    pub attempt_count: u32,
}

/// Returns the name of an attempt's job. `prefix` is the name in the step's arguments, if it has
/// one.
pub fn job_name(kind: &JobType, of: Named<'_>, prefix: Option<&str>) -> String {
    let Named { execution_id, step, attempt_count } = of;
    let hash = hash(&format!("{execution_id}\0{step}\0{attempt_count}"));
    let is_long = kind.name_chars >= LONG_NAME_CHARS;
    let step_chars = if is_long { STEP_CHARS.0 } else { STEP_CHARS.1 };
    let parts = match prefix.map(|prefix| clean(prefix, prefix.len())) {
        Some(prefix) if !prefix.is_empty() => {
            let room = kind.name_chars.saturating_sub(2 + HASH_CHARS + execution_id.as_str().len());
            vec![clean(&prefix, room), execution_id.to_string(), hash]
        }
        _ => {
            let first = if is_long { PREFIX } else { "" };
            let step = clean(step.as_str(), step_chars);
            vec![first.to_owned(), execution_id.to_string(), step, hash]
        }
    };
    let kept: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    kept.join("-")
}

/// Returns the ids that may be that of the execution in a job's name. A name of another origin can
/// hold some, too.
pub fn execution_ids(name: &str) -> impl Iterator<Item = ExecutionId> {
    name.split('-').filter_map(|part| ExecutionId::parse(part).ok())
}

/// Returns the first characters of a text, as a part of a name may have them.
fn clean(text: &str, chars: usize) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let cut: String = text.chars().take(chars).map(legal).collect();
    cut.trim_matches('-').to_owned()
}

fn hash(text: &str) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let hash = Sha256::digest(text);
    let digit = |byte: &u8| char::from(DIGITS[usize::from(*byte) % DIGITS.len()]);
    hash.iter().take(HASH_CHARS).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definition::StepType;

    fn name(step: &str, attempt_count: u32, prefix: Option<&str>, name_chars: usize) -> String {
        let kind = JobType::of(StepType::Training).expect("a job");
        let execution_id = ExecutionId::from_bytes([7; 16]);
        let step = StepName::parse(step).expect("a name");
        let of = Named { execution_id: &execution_id, step: &step, attempt_count };
        job_name(&JobType { name_chars, ..kind }, of, prefix)
    }

    #[test]
    fn a_name_is_legal_and_leads_to_its_execution() {
        let id = ExecutionId::from_bytes([7; 16]);
        let long = "a".repeat(64);
        for (step, prefix, chars, expected) in [
            ("Rossmann-Model-Training", None, 63, format!("pipelines-{id}-Rossmann-Model-Train-")),
            ("Model_Training", None, 63, format!("pipelines-{id}-Model-Training-")),
            ("an-abcdefghijklmno--x", None, 63, format!("pipelines-{id}-an-abcdefghijklmno-")),
            ("___", None, 63, format!("pipelines-{id}-")),
            ("hptuning_big", None, 32, format!("{id}-hptuning-")),
            ("S", Some("my_jobs-"), 63, format!("my-jobs-{id}-")),
            ("S", Some(long.as_str()), 63, format!("{}-{id}-", "a".repeat(39))),
            ("S", Some(long.as_str()), 32, format!("{}-{id}-", "a".repeat(8))),
        ] {
            let name = name(step, 1, prefix, chars);
            assert_eq!(name.strip_prefix(&expected).map(str::len), Some(10), "{name} {expected}");
            assert!(name.len() <= chars && !name.contains('_'), "{name}");
            assert!(execution_ids(&name).any(|found| found == id), "{name}");
        }
    }

    #[test]
    fn each_attempt_has_a_name_of_its_own() {
        assert_eq!(name("S", 1, None, 63), name("S", 1, None, 63));
        assert_ne!(name("S", 1, None, 63), name("S", 2, None, 63));
        assert_ne!(
            name("a-twenty-chars-long-1", 1, None, 63),
            name("a-twenty-chars-long-2", 1, None, 63)
        );
    }
}
