//! SageMaker's constraints on requests. All violations are reported at once, in AWS's own words.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

use regex_lite::Regex;

use crate::error::ApiError;

/// A pattern of the service model, matched against the whole text.
#[derive(Debug)]
pub(crate) struct Pattern {
    text: &'static str,
    regex: LazyLock<Regex>,
}

macro_rules! pattern {
    ($(#[$doc:meta])* $name:ident, $text:literal) => {
        $(#[$doc])*
        pub(crate) static $name: Pattern = Pattern {
            text: $text,
            regex: LazyLock::new(|| {
                Regex::new(concat!("^(?:", $text, ")$")).expect("the tests compile every pattern")
            }),
        };
    };
}

pattern!(NAME, r"[a-zA-Z0-9](-*[a-zA-Z0-9])*");
pattern!(
    NAME_OR_ARN,
    r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:([0-9]{12}|aws):pipeline/)?[a-zA-Z0-9](-*[a-zA-Z0-9])*"
);
pattern!(
    PIPELINE_ARN,
    r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:([0-9]{12}|aws):pipeline/[a-zA-Z0-9](-*[a-zA-Z0-9])*"
);
pattern!(
    EXECUTION_ARN,
    r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:pipeline/.*/execution/.*"
);
pattern!(ROLE_ARN, r"arn:aws[a-z\-]*:iam::[0-9]{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+");
pattern!(ALIAS, r"[a-zA-Z0-9._\-]{1,128}");
pattern!(CALLBACK_TOKEN, r"[a-zA-Z0-9]+");
pattern!(PARAMETER_NAME, r"[A-Za-z0-9\-_]*");
pattern!(BUCKET, r"[a-z0-9][.\-a-z0-9]{1,61}[a-z0-9]");
pattern!(RESOURCE_ARN, r"arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:.+");

/// The lengths of names, tokens and texts, by the service model.
pub(crate) mod limit {
    use std::ops::RangeInclusive;

    pub(crate) const NAME: RangeInclusive<usize> = 1..=256;
    pub(crate) const ARN: RangeInclusive<usize> = 1..=2048;
    pub(crate) const ROLE: RangeInclusive<usize> = 20..=2048;
    pub(crate) const MLFLOW_EXPERIMENT: RangeInclusive<usize> = 1..=256;
    pub(crate) const DISPLAY_NAME: RangeInclusive<usize> = 1..=82;
    pub(crate) const DESCRIPTION: RangeInclusive<usize> = 0..=3072;
    pub(crate) const TOKEN: RangeInclusive<usize> = 32..=128;
    pub(crate) const NEXT_TOKEN: RangeInclusive<usize> = 0..=8192;
    pub(crate) const ALIAS: RangeInclusive<usize> = 1..=128;
    pub(crate) const DEFINITION: RangeInclusive<usize> = 1..=1_048_576;
    pub(crate) const VALUE: RangeInclusive<usize> = 0..=1024;
    pub(crate) const MAX_RESULTS: RangeInclusive<i64> = 1..=100;
    pub(crate) const AT_LEAST_ONE: RangeInclusive<i64> = 1..=i32::MAX as i64;
}

/// Collects the violations of a request. Members are named as in AWS's messages, `pipelineName`.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<String>);

impl Checks {
    fn refuse(&mut self, member: &str, value: &str, constraint: &str) {
        let value: String = value.chars().take(200).collect();
        self.0.push(format!(
            "Value '{value}' at '{member}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    pub(crate) fn required<T>(&mut self, member: &str, value: Option<&T>) {
        if value.is_none() {
            self.0.push(format!(
                "Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ));
        }
    }

    pub(crate) fn text(
        &mut self,
        member: &str,
        value: Option<&String>,
        chars: RangeInclusive<usize>,
        pattern: Option<&Pattern>,
    ) {
        let Some(value) = value else { return };
        let count = value.chars().count();
        if count < *chars.start() {
            let least = format!("have length greater than or equal to {}", chars.start());
            self.refuse(member, value, &least);
        } else if count > *chars.end() {
            let most = format!("have length less than or equal to {}", chars.end());
            self.refuse(member, value, &most);
        } else if let Some(pattern) = pattern.filter(|pattern| !pattern.regex.is_match(value)) {
            let expected = format!("satisfy regular expression pattern: {}", pattern.text);
            self.refuse(member, value, &expected);
        }
    }

    pub(crate) fn number(&mut self, member: &str, value: Option<i64>, range: RangeInclusive<i64>) {
        let Some(value) = value else { return };
        if value < *range.start() {
            let least = format!("have value greater than or equal to {}", range.start());
            self.refuse(member, &value.to_string(), &least);
        } else if value > *range.end() {
            let most = format!("have value less than or equal to {}", range.end());
            self.refuse(member, &value.to_string(), &most);
        }
    }

    pub(crate) fn one_of(&mut self, member: &str, value: Option<&String>, allowed: &[&str]) {
        if let Some(value) = value.filter(|value| !allowed.contains(&value.as_str())) {
            let set = format!("satisfy enum value set: [{}]", allowed.join(", "));
            self.refuse(member, value, &set);
        }
    }

    pub(crate) fn count(&mut self, member: &str, count: usize, range: RangeInclusive<usize>) {
        if count < *range.start() {
            let least = format!("have length greater than or equal to {}", range.start());
            self.refuse(member, &format!("{count} members"), &least);
        } else if count > *range.end() {
            let most = format!("have length less than or equal to {}", range.end());
            self.refuse(member, &format!("{count} members"), &most);
        }
    }

    /// Checks a list's page size and page token.
    pub(crate) fn page(&mut self, max_results: Option<i64>, next_token: Option<&String>) {
        self.number("maxResults", max_results, limit::MAX_RESULTS);
        self.text("nextToken", next_token, limit::NEXT_TOKEN, None);
    }

    pub(crate) fn order(&mut self, sort_order: Option<&String>) {
        self.one_of("sortOrder", sort_order, &["Ascending", "Descending"]);
    }

    pub(crate) fn finish(self) -> Result<(), ApiError> {
        match self.0.len() {
            0 => Ok(()),
            1 => Err(ApiError::validation(format!("1 validation error detected: {}", self.0[0]))),
            count => Err(ApiError::validation(format!(
                "{count} validation errors detected: {}",
                self.0.join("; ")
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_compiles_and_matches_whole_texts() {
        let cases: [(&Pattern, &str, &str); 10] = [
            (&NAME, "a--b", "a_b"),
            (&NAME_OR_ARN, "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p", "arn:p"),
            (&PIPELINE_ARN, "arn:aws-cn:sagemaker:cn-north-1:000000000000:pipeline/p", "p"),
            (
                &EXECUTION_ARN,
                "arn:aws:sagemaker:us-east-1:000000000000:pipeline/p/execution/abc",
                "arn:aws:sagemaker:us-east-1:0:pipeline/p/execution/abc",
            ),
            (&ROLE_ARN, "arn:aws:iam::000000000000:role/service/x", "role"),
            (&ALIAS, "prod_1.0", "prod 1"),
            (&CALLBACK_TOKEN, "abcdefghi9", "abc-"),
            (&PARAMETER_NAME, "A_b-1", "a.b"),
            (&BUCKET, "a.b-c", "-ab"),
            (
                &RESOURCE_ARN,
                "arn:aws:sagemaker:eu-west-1:000000000000:pipeline/p",
                "arn:aws:s3:::b",
            ),
        ];
        for (pattern, right, wrong) in cases {
            assert!(pattern.regex.is_match(right), "{} {right}", pattern.text);
            assert!(!pattern.regex.is_match(wrong), "{} {wrong}", pattern.text);
            assert!(!pattern.regex.is_match(&format!("{right}\n")), "{}", pattern.text);
        }
    }

    #[test]
    fn all_violations_are_reported_at_once_in_the_words_of_aws() {
        let mut checks = Checks::default();
        checks.required::<String>("pipelineName", None);
        checks.page(Some(0), None);
        checks.order(Some(&"Up".to_owned()));
        let error = checks.finish().expect_err("three").to_string();
        assert_eq!(
            error,
            "3 validation errors detected: Value null at 'pipelineName' failed to satisfy constraint: Member must not be null; \
             Value '0' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 1; \
             Value 'Up' at 'sortOrder' failed to satisfy constraint: Member must satisfy enum value set: [Ascending, Descending]"
        );
    }
}
